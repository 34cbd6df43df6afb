"""What vttablets said of themselves while something was wrong with their MySQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checks.results import Finding, failed, offset, passed, result, unknown
from harness.facts.storm import seconds_between
from harness.facts.words import counted, seconds
from harness.history import History, Series
from harness.model import CheckKind, CheckResult, FaultSpan

STATE = "TabletStateName"
SERVING = "SERVING"


@dataclass(frozen=True, slots=True)
class ServesOn:
    """A vttablet goes on with the connections that it has while its MySQL refuses further ones.

    Promised since #7039 ("allowing vttablet to continue serving"). A new connection is an error of the query that
    needed it, and of no other.
    """

    name: str = "tablets/serve-on"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _serves_on(history)),)


def _serves_on(history: History) -> Finding:
    spans = history.spans("ExhaustedConnections")
    watched = [(span, name) for span in spans for name in _vttablets(span)]
    if not watched:
        return passed("No server's connections were used up.")
    blind = [name for _, name in watched if name not in history.series or not history.series[name].steps(STATE)[0]]
    if blind:
        return unknown(f"{blind[0]} was not sampled.")
    pauses = [line for span, name in watched for line in _pauses(history, span, name, history.series[name])]
    figures = {"vttablets": len(watched), "pauses": len(pauses)}
    if pauses:
        return failed(f"A vttablet gave up serving because it got no further connection: {pauses[0]}.", pauses, figures)
    return passed(f"{counted(len(watched), 'vttablet')} served on with the connections that it had.", figures=figures)


def _vttablets(span: FaultSpan) -> list[str]:
    return [f"vttablet-{target.rpartition('-')[2]}" for target in span.targets]


def _pauses(history: History, span: FaultSpan, name: str, series: Series) -> Iterator[str]:
    """Every time that it was seen to stop serving while the fault was in force."""
    end_ns = span.healed_ns or history.end_ns
    times, states = series.steps(STATE)
    for index, (at_ns, state) in enumerate(zip(times, states, strict=True)):
        if state != SERVING and span.begin_ns <= at_ns <= end_ns:
            until_ns = times[index + 1] if index + 1 < len(times) else history.end_ns
            lasted = seconds(seconds_between(at_ns, until_ns))
            yield f"{name} was {state} for {lasted} from {offset(at_ns, span.begin_ns)} on"
