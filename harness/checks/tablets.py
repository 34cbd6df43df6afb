"""What vttablets said of themselves while something was wrong with their MySQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checks.results import Finding, failed, offset, passed, per_vtgate, result, unknown
from harness.facts.storm import SECOND_NS, seconds_between
from harness.facts.words import counted, listed, seconds
from harness.history import History, Series
from harness.model import CheckKind, CheckResult, FaultSpan, Node, Role, Verdict

STATE = "TabletStateName"
SERVING = "SERVING"
KNOWN = "known tablets"  # in the samples of a vtgate (harness/probes/variables.py)
KNOWN_WITHIN_S = 5.0


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


@dataclass(frozen=True, slots=True)
class KnownToAll:
    """When all is over every vtgate has a health check of every tablet that has served for `KNOWN_WITHIN_S`.

    Its `HealthcheckConnections` count the tablets that serve by their own word and whose last message was no error
    (go/vt/discovery/healthcheck.go, v0.24.3). A vtgate asks nothing of a tablet that it does not count.
    """

    name: str = "tablets/known"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _known(history, node))


def _known(history: History, vtgate: Node) -> Finding:
    end_ns = history.phases.get("quiet", (0, history.end_ns))[1]
    serving = [node for node in history.nodes if node.role is Role.VTTABLET and _serves(history, node, end_ns)]
    seen = history.series.get(vtgate.name)
    if not serving or seen is None or not seen.labels(KNOWN):
        return unknown(f"Nobody saw what {vtgate.name} or the vttablets said in the end.")
    finding = Finding(figures={"serving": len(serving)})
    for keyspace, shard in dict.fromkeys((node.keyspace, node.shard) for node in serving):
        mine = [node.name for node in serving if (node.keyspace, node.shard) == (keyspace, shard)]
        known = int(seen.number(f"{KNOWN}:{keyspace}.{shard}", end_ns) or 0)
        if known < len(mine):
            whose = f"{len(mine)} tablets of {keyspace}/{shard} that serve ({listed(mine)})"
            finding.add(Verdict.FAIL, f"{vtgate.name} knows {known} of the {whose}")
    summary = f"{vtgate.name} knows all {counted(len(serving), 'tablet')} that serve."
    finding.summary = f"{finding.details[0]}." if finding.details else summary
    return finding


def _serves(history: History, node: Node, end_ns: int) -> bool:
    series = history.series.get(node.name)
    if series is None or not series.samples or series.samples[-1].error:
        return False
    moments = (end_ns - int(KNOWN_WITHIN_S * SECOND_NS), end_ns)
    return all(series.at(STATE, at_ns) == SERVING for at_ns in moments)
