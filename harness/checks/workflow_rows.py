"""Is it true what a workflow says of itself? Its rows, and its four accounts beside each other."""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.results import Finding, failed, passed, result, unknown
from harness.checks.workflows import NOT_WATCHED
from harness.facts.moved_rows import TableDiff, diffs, unread
from harness.facts.storm import SECOND_NS, seconds_between
from harness.facts.words import counted, listed
from harness.facts.workflows import (
    CAUGHT_UP,
    DIFFED,
    Stream,
    metric_states,
    noted,
    sources,
    streams,
    vtctld_left,
    vtctld_status,
)
from harness.history import History
from harness.model import CheckKind, CheckResult, KeyspaceSpec, Scalar

SETTLED_S = 3.0  # two accounts are sampled at different moments; a difference that lasts longer is one


@dataclass(frozen=True, slots=True)
class WorkflowRows:
    """The target of a workflow that says it is done, and has caught up, holds the source's rows: every key once, in
    its version, in its shard. Of one that says it is not done, only that no row is where it must never be."""

    name: str = "workflow/rows"
    kind: CheckKind = CheckKind.SAFETY

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _rows(history)),)


def _rows(history: History) -> Finding:
    places = _places(history)
    if places is None:
        return unknown("The plan has no keyspace beside the source: there is no target.")
    source, target = places
    missing = unread(history, places)
    if missing:
        return unknown(f"{listed(missing)} were not read after the run.", missing)
    found = diffs(history, source, target)
    lines = [diff.words() for diff in found]
    wrong = [diff for diff in found if not diff.equal]
    figures = _figures(found)
    never = [diff for diff in found if diff.misplaced or diff.wrong or diff.doubled]
    if never:
        return failed(
            f"The target holds rows that it must never hold: {never[0].words()}.", lines, figures, _sorts(found)
        )
    if not _says_done(history):
        return passed(
            f"The workflow does not say that it is done; {figures['target_rows']} of {figures['source_rows']} rows are "
            "there.",
            lines,
            figures,
        )
    if not noted(history, CAUGHT_UP):
        return unknown("The target had not caught up when its rows were read.", lines, figures)
    if wrong:
        return failed(
            f"The workflow says that it is done, but its target is not its source: {wrong[0].words()}.",
            lines,
            figures,
            _sorts(found),
        )
    return passed(f"All {figures['source_rows']} rows of the source are in the target, in their versions.", [], figures)


def _sorts(found: tuple[TableDiff, ...]) -> list[str]:
    return [what for diff in found for what in diff.sorts()]


def _figures(found: tuple[TableDiff, ...]) -> dict[str, Scalar]:
    return {
        "source_rows": sum(diff.source_rows for diff in found),
        "target_rows": sum(diff.target_rows for diff in found),
        "missing": sum(diff.missing for diff in found),
        "extra": sum(diff.extra for diff in found),
        "older": sum(diff.older for diff in found),
        "newer": sum(diff.newer for diff in found),
        "doubled": sum(diff.doubled for diff in found),
        "misplaced": sum(diff.misplaced for diff in found),
    }


def _places(history: History) -> tuple[KeyspaceSpec, KeyspaceSpec] | None:
    keyspaces = history.plan.cluster.keyspaces
    return (keyspaces[0], keyspaces[1]) if len(keyspaces) > 1 else None


def _says_done(history: History) -> bool:
    found = streams(history)
    return bool(found) and all(stream.done for stream in found)


@dataclass(frozen=True, slots=True)
class WorkflowAgree:
    """vtctld's status, `_vt.vreplication`, the metric VReplicationStreamState and the rows tell the same story.

    People act on what they are told: one account that says Running while rows are missing is worse than an error
    (vitess#15337, vitess#20012: the metric; vitess#17864: a copy that took its own end for success).
    """

    name: str = "workflow/agree"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _agree(history)),)


def _agree(history: History) -> Finding:
    if not sources(history):
        return unknown(NOT_WATCHED)
    found = streams(history)
    if not found:
        return unknown("There was no stream to compare accounts of.")
    silent = [line for stream in found for line in _silent(history, stream)]
    if silent:
        return unknown(f"An account is missing: {silent[0]}.", silent)
    states = [line for stream in found for line in _against(history, stream)]
    left = []
    if _says_done(history) and vtctld_left(history, found[0].keyspace):
        left.append("no stream has anything left to copy in _vt, and tables are being copied for vtctld")
    told = {"states": states, "what is left to copy": left, "rows": _against_rows(history)}
    against = [line for lines in told.values() for line in lines]
    accounts = [_accounts(history, stream) for stream in found]
    figures: dict[str, Scalar] = {"streams": len(found)}
    if against:
        symptoms = [about for about, lines in told.items() if lines]
        return failed(f"The accounts contradict each other: {against[0]}.", [*against, *accounts], figures, symptoms)
    return passed(
        f"vtctld, _vt, metric and rows agree on {counted(len(found), 'stream')}: {accounts[0]}.", accounts, figures
    )


def _accounts(history: History, stream: Stream) -> str:
    states = metric_states(history, stream)
    return (
        f"{stream.name} is {stream.state} in _vt, {vtctld_status(history, stream)} for vtctld, "
        f"{states[-1][1]} in the metric"
    )


def _silent(history: History, stream: Stream) -> list[str]:
    silent = []
    if not vtctld_status(history, stream):
        silent.append(f"vtctld never told a status of {stream.name}")
    if not metric_states(history, stream):
        silent.append(f"{stream.tablet} never told VReplicationStreamState of {stream.name}")
    return silent


def _against(history: History, stream: Stream) -> list[str]:
    wrong = []
    told = vtctld_status(history, stream)
    if told != stream.state and not (told == "Error" and stream.message):  # vtctld calls a stream that failed and
        wrong.append(f"{stream.name} is {stream.state} in _vt, and {told} for vtctld")  # will try again Error, too
    metric = metric_states(history, stream)[-1][1]
    if metric != stream.state:
        wrong.append(f"{stream.name} is {stream.state} in _vt, and {metric} in the metric of {stream.tablet}")
    wrong += _for_long(history, stream)
    return wrong


def _for_long(history: History, stream: Stream) -> list[str]:
    """Stretches in which the metric said one state and `_vt` another, longer than sampling explains."""
    series = next(each for keyspace, shard, each in sources(history) if _is(stream, keyspace, shard))
    since_ns = series.steps("tablet")[0][-1]  # the tablet became primary: before, its metric was another stream's
    metric = [(max(at_ns, since_ns), state) for at_ns, state in metric_states(history, stream)]
    rows = list(zip(*series.steps(f"state:{stream.number}"), strict=True))
    stamps = sorted({at_ns for at_ns, _ in (*metric, *rows) if at_ns >= since_ns})
    found = []
    differs_ns = 0
    for at_ns in stamps:
        told, kept = _at(metric, at_ns), _at(rows, at_ns)
        if told and kept and told != kept:
            differs_ns = differs_ns or at_ns
            continue
        if differs_ns and at_ns - differs_ns > SETTLED_S * SECOND_NS:
            before = f"{_at(rows, at_ns - 1)} in _vt, and {_at(metric, at_ns - 1)} in the metric"
            found.append(f"{stream.name} was {before}, until {seconds_between(differs_ns, at_ns):.1f} s had passed")
        differs_ns = 0
    return found


def _is(stream: Stream, keyspace: str, shard: str) -> bool:
    return (stream.keyspace, stream.shard) == (keyspace, shard)


def _at(steps: list[tuple[int, str]] | list[tuple[int, Scalar]], at_ns: int) -> str:
    return next((str(state) for stamp, state in reversed(steps) if stamp <= at_ns), "")


def _against_rows(history: History) -> list[str]:
    places = _places(history)
    if places is None or unread(history, places) or not noted(history, CAUGHT_UP):
        return []
    wrong = [diff for diff in diffs(history, *places) if not diff.equal]
    lines = []
    if wrong and _says_done(history):
        lines.append(f"every stream is Running with nothing left to copy, and {wrong[0].words()}")
    for event in history.events:
        if event.kind == "note" and event.subject == DIFFED and bool(event.details.get("mismatch")) != bool(wrong):
            told = "a mismatch" if event.details.get("mismatch") else "no mismatch"
            lines.append(f"VDiff found {told}, the rows read back {'differ' if wrong else 'are equal'}")
    return lines
