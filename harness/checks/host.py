"""Was the machine up to it? Its limits, with their reasons, are in `harness.facts.host_limits`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checks.results import Finding, passed, result, unknown
from harness.facts.host_limits import Limit, fitness, host_limits, instrument_limits
from harness.history import History
from harness.model import CheckKind, CheckResult


@dataclass(frozen=True, slots=True)
class HarnessFit:
    """The harness and its load kept time: what they recorded is what happened."""

    name: str = "assumptions/harness"
    kind: CheckKind = CheckKind.ASSUMPTION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _judged(history, instrument_limits(), "harness", who="The harness", state="held up")),)


@dataclass(frozen=True, slots=True)
class HostFit:
    """The host was not so slow that this explains what the clients saw."""

    name: str = "assumptions/host"
    kind: CheckKind = CheckKind.CONDITION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _judged(history, host_limits(), "host", who="The host", state="starved")),)


def _judged(history: History, limits: Sequence[Limit], source: str, *, who: str, state: str) -> Finding:
    found = fitness(history, limits)
    if found is None:
        return unknown(f"The run never came to its baseline, so {who.lower()} cannot be judged.")
    if found.broken:
        return unknown(f"{who} was {state}: {found.broken[0]}.", [*found.broken, *found.silent], found.figures)
    if source not in history.series or not found.figures:
        return unknown(f"{who} was not watched.", found.silent, found.figures)
    return passed(f"{who} was not {state}.", found.silent, found.figures)
