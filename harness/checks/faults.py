"""What a run's faults were, apart from what they did to the clients: were they felt, were they taken back, and is all
well when they are over?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.checks.results import Finding, failed, offset, passed, per_vtgate, result, unknown
from harness.facts.interruptions import harness_died
from harness.facts.storm import SECOND_NS, seconds_between
from harness.facts.words import counted, listed
from harness.history import History
from harness.model import CheckKind, CheckResult, FaultSpan, Node, Outcome

PATIENCE_NS = SECOND_NS  # what is asked later may be cut off by the end of the load
EXAMPLES = 5
HEAL = "`vtchaos heal RUN_DIR` takes back what is left, if anything is"


@dataclass(frozen=True, slots=True)
class FaultsFelt:
    """As many faults as were asked for (parameter `faults`) came into force, each with evidence of its own.

    Faults that overlap may hide each other's evidence (nobody answers what a second fault has taken away), so half of
    them is enough, and every kind without any evidence is named. One may also make an operation fail (a reparent
    whose vtctld was killed): that was asked for, and answered, and counts as long as half of all came into force.
    """

    name: str = "faults/felt"
    kind: CheckKind = CheckKind.ASSUMPTION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _felt(history)),)


def _felt(history: History) -> Finding:
    wanted = int(history.plan.params.get("faults", 0))
    acted = [span for span in history.faults if span.active_ns and not span.error]
    observed = [span for span in acted if span.observed]
    refused = [span for span in history.faults if span.begin_ns and span.error]
    unseen = [_line(history, span, "no evidence") for span in acted if not span.observed]
    unseen += [_line(history, span, f"failed: {span.error}") for span in refused]
    figures: dict[str, str | int | float] = {
        "wanted": wanted,
        "in_force": len(acted),
        "failed": len(refused),
        "observed": len(observed),
    }
    if len(acted) + len(refused) < wanted or 2 * len(acted) < wanted:
        return unknown(f"Only {len(acted)} of {counted(wanted, 'fault')} came into force.", unseen, figures)
    if 2 * len(observed) < len(acted):
        return unknown(f"Only {len(observed)} of {counted(len(acted), 'fault')} showed evidence.", unseen, figures)
    kinds = Counter(span.fault for span in acted)
    told = listed((f"{number} {fault}" for fault, number in sorted(kinds.items())), at_most=8)
    return passed(f"{counted(len(acted), 'fault')} in force: {told}." if acted else "No fault.", unseen, figures)


@dataclass(frozen=True, slots=True)
class FaultsHealed:
    """Every fault was taken back, the cluster got over it, and nothing was left in force.

    Of a harness that was killed, or a ledger whose end is lost, nobody knows who took back what: UNKNOWN.
    """

    name: str = "faults/healed"
    kind: CheckKind = CheckKind.SAFETY

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _healed(history)),)


def _healed(history: History) -> Finding:
    unsure = _unsure(history)
    left = [each for span in history.faults for each in _left(span, sure=span not in unsure)]
    wrong = [_line(history, span, f"{what}{why}") for span, what, why in left]
    healing = [seconds_between(span.recover_ns, span.healed_ns) for span in history.faults if span.healed_ns]
    over = [seconds_between(span.healed_ns, span.recovered_ns) for span in history.faults if span.recovered_ns]
    figures: dict[str, str | int | float] = {
        "healed": len(healing),
        "slowest_healing_s": round(max(healing, default=0.0), 3),
        "slowest_recovery_s": round(max(over, default=0.0), 3),
    }
    if wrong:
        symptoms = (f"{span.fault}: {what}" for span, what, _ in left)
        return failed(f"Not everything was as before: {wrong[0]}.", wrong, figures, symptoms)
    if unsure or _torn(history):
        why = "the ledger of faults is not whole" if _torn(history) else "the harness died before it could heal"
        details = [_line(history, span, "not on record as taken back") for span in unsure]
        return unknown(f"Whether everything is as before, nobody saw: {why}; {HEAL}.", details, figures)
    return passed(f"{counted(len(healing), 'fault')} taken back; the cluster got over all of them.", figures=figures)


def _unsure(history: History) -> list[FaultSpan]:
    """Faults that nobody is on record to have taken back, nor to have tried."""
    torn, died = _torn(history), harness_died(history)
    return [s for s in history.faults if s.undo and not s.healed_ns and (torn or (died and not s.error))]


def _torn(history: History) -> bool:
    return any(what.startswith("faults") for what in history.incomplete)


def _left(span: FaultSpan, *, sure: bool) -> Iterator[tuple[FaultSpan, str, str]]:
    """What is not as before, and why."""
    if sure and span.undo and not span.healed_ns:
        yield span, "never taken back", f" ({span.error})" if span.error else ""
    if span.unrecovered:
        yield span, "the cluster did not get over it", f": {span.unrecovered}"
    if span.unhealthy:
        yield span, "afterwards", f": {span.unhealthy}"


def _line(history: History, span: FaultSpan, what: str) -> str:
    at = offset(span.begin_ns or span.intent_ns, history.start_ns)
    return f"{span.fault} on {listed(span.targets)} at {at}: {what}"


@dataclass(frozen=True, slots=True)
class ServedAgain:
    """When all faults are over and vtgate has settled (phase `quiet`), every operation of every client succeeds."""

    name: str = "clients/served-again"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _served(history, node))


def _served(history: History, node: Node) -> Finding:
    quiet = history.phases.get("quiet")
    if quiet is None:
        return unknown("The run never became quiet.")
    lanes = history.lanes_of(node.name)
    ops = history.ops_of(lanes)
    ops = ops[(ops["intended_ns"] >= quiet[0]) & (ops["intended_ns"] < quiet[1] - PATIENCE_NS)]
    bad = ops[ops["outcome"] != Outcome.OK]
    figures: dict[str, str | int | float] = {"operations": len(ops), "not_ok": len(bad)}
    if len(bad):
        details = [f"{history.lane_by_number[int(op['lane'])].shard}: {history.message(op)}" for op in bad[:EXAMPLES]]
        return failed(f"{len(bad)} of {counted(len(ops), 'operation')} failed when all was over.", details, figures)
    idle = [lane.shard for lane in lanes if not np.any(ops["lane"] == lane.number)]
    if idle or not len(ops):
        return unknown(f"When all was over nothing was asked of {listed(idle) or node.name}.", figures=figures)
    return passed(f"{counted(len(ops), 'operation')} when all was over, all of them good.", figures=figures)
