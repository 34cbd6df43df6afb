"""From what runs measured to the flags that vtgate's buffer should have: rules, margins, and what nobody knows.

What a flag does, its default and what vtgate refuses: go/vt/vtgate/buffer/flags.go (v0.24.3, verifyFlags):
window >= 1 s, window <= max failover duration, size >= 1, min time between failovers >= 1 s, drain concurrency >= 1.
Where the figures do not carry a number there is none, and `why_not` says why.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.attribution.advice_asked import Asked
from harness.attribution.advice_rules import KNOBS, Knob, now
from harness.attribution.advice_values import Advice, Measured, Observed
from harness.facts.buffer import settings
from harness.facts.needs import Needs, needs
from harness.facts.notice import notice
from harness.facts.words import counted, listed
from harness.history import History

__all__ = ["Advice", "Measured", "Observed", "advice", "advised", "flags", "observed"]


def observed(history: History) -> Observed:
    """What a run has to say."""
    vtgate = history.vtgates[0].name if history.vtgates else ""
    buffering = all(settings(history, node.name).enabled for node in history.vtgates)
    felt = notice(history) if buffering else None
    return Observed(needs=needs(history), buffer=settings(history, vtgate), notice=felt)


def advice(history: History) -> tuple[Advice, ...]:
    """What one run advises."""
    return advised((observed(history),))


def advised(runs: Sequence[Observed]) -> tuple[Advice, ...]:
    """What runs advise together. Those whose times say nothing about Vitess are left out; where no other is left,
    there is no advice."""
    good = [run for run in runs if not run.needs.doubts and run.needs.storms]
    if not good:
        return tuple(_none(knob, runs) for knob in KNOBS)
    asked = Asked(runs=tuple(good), left_out=tuple(_left_out(run) for run in runs if run not in good))
    return tuple(knob.advise(asked) for knob in KNOBS)


def flags(found: Sequence[Advice]) -> str:
    """All that is to be pasted, with the switch without which nothing is buffered."""
    given = [each.flag for each in found if each.flag]
    return " ".join(["--enable-buffer", *given]) if given else ""


def _left_out(run: Observed) -> str:
    why = run.needs.doubts[0] if run.needs.doubts else _no_reparent(run.needs)
    return f"{run.needs.run_id} is left out: {why}"


def _no_reparent(found: Needs) -> str:
    failed = f"{counted(found.failed, 'reparent')} failed or never returned, and no storm came to its end"
    return failed if found.failed else "the run reparented nothing"


def _none(knob: Knob, runs: Sequence[Observed]) -> Advice:
    why = listed(dict.fromkeys(_left_out(run) for run in runs)) if runs else "there is no run"
    return Advice(knob=knob.name, now=now(knob.name, runs[0].buffer) if runs else "", rule=knob.rule, why_not=why)
