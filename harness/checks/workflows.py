"""How a MoveTables workflow came out: its state, its copy, and the errors on the way.

The promise judged: a workflow that is created copies its tables however often a copy phase ends
(--vreplication-copy-phase-duration), goes on after a reparent of source or target, and then replicates, in state
Running and without a message (Vitess documentation, "Life of a stream"). What it says is judged here; whether it
is true, in `harness.checks.workflow_rows`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from harness.base.particulars import first_clause
from harness.checks.results import Finding, failed, offset, passed, result, unknown
from harness.facts.storm import SECOND_NS, seconds_between
from harness.facts.words import counted, listed
from harness.facts.workflows import (
    BEHIND,
    CAUGHT_UP,
    COPYING,
    NOT_CREATED,
    RUNNING,
    TERMINAL,
    Entry,
    Stream,
    catchups,
    copying,
    diffing,
    errors,
    errors_counted,
    interrupted,
    last_progress_ns,
    loops,
    noted,
    sources,
    streams,
    watched_s,
)
from harness.history import History
from harness.model import CheckKind, CheckResult

NOT_WATCHED = "No target shard of a workflow was watched."
HOLE_S = 5.0  # longer, and a state that came and went may have been missed
STUCK_S = 10.0  # two attempts of vreplication, which waits 5 s after an error (--vreplication-retry-delay)
IN_COPY = (COPYING, "Unknown")  # what the log calls it; Unknown until a stream that tries again has set its state
FOLLOWS_S = 30.0  # so long after a fault may an error come from it: six attempts


@dataclass(frozen=True, slots=True)
class WorkflowCut:
    """The copy was cut, as often as the parameter `cuts` wants of every stream, and as many of the run's faults as the
    parameter `faults_in_copy` wants began while a stream was in its copy.

    A copy that was never cut proves nothing about what a cut does. Counted are the copies begun beyond one a table
    (VReplicationCopyLoopCount). An atomic copy has no such counter; there the error that ended it is the cut.
    """

    name: str = "assumptions/workflow-cut"
    kind: CheckKind = CheckKind.ASSUMPTION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _cut(history)),)


def _cut(history: History) -> Finding:
    if not sources(history):
        return unknown(NOT_WATCHED)
    if watched_s(history) > HOLE_S:
        return unknown(f"A target shard gave no answer for {watched_s(history):.1f} s.")
    wanted = int(history.plan.params.get("cuts", 0))
    found = streams(history)
    if not found:
        return unknown("There was no stream of a workflow.")
    if history.plan.params.get("atomic_copy"):
        cuts = len(interrupted(history))
        figures: dict[str, str | int | float] = {"cuts": cuts}
        least = cuts
    else:
        tables = history.plan.items.tables if history.plan.items is not None else 1
        cycles = {stream.name: loops(history, stream) for stream in found}
        least = min(cycles.values()) - tables
        figures = {f"copies {name}": number for name, number in cycles.items()}
        figures |= {f"catchups {stream.name}": catchups(history, stream) for stream in found}
        figures |= {"copy_cycles": sum(cycles.values()), "cuts": sum(cycles.values()) - tables * len(found)}
    if least < wanted:
        return unknown(
            f"A copy was cut {counted(max(least, 0), 'time')}; {wanted} were wanted. A shorter --copy-phase or more "
            "--rows cut it.",
            figures=figures,
        )
    inside = sum(bool(span.begin_ns) and copying(history, span.begin_ns) for span in history.faults)
    if inside < int(history.plan.params.get("faults_in_copy", 0)):
        return unknown(
            f"{counted(inside, 'fault')} began while a stream was in its copy; more were wanted.", (), figures
        )
    if not wanted:
        return passed("No cut was wanted.", figures=figures)
    return passed(f"Every copy was cut, the one cut least {counted(least, 'time')}.", figures=figures)


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """At the end every stream is Running, without a message."""

    name: str = "workflow/state"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _state(history)),)


def _state(history: History) -> Finding:
    if not sources(history):
        return unknown(NOT_WATCHED)
    refused = [event for event in history.events if event.kind == "note" and event.subject == NOT_CREATED]
    if refused:
        why = str(refused[0].details.get("why", ""))
        return failed(f"vtctld refused to create the workflow: {why}", symptoms=[f"refused: {first_clause(why)}"])
    found = streams(history)
    without = [f"{keyspace}/{shard}" for keyspace, shard, series in sources(history) if not series.labels("state")]
    if not found or without:
        return failed(f"There is no stream into {listed(without) or 'any target shard'}.", symptoms=["no stream"])
    states = Counter(stream.state for stream in found)
    figures = {"streams": len(found), **{f"streams {state}": number for state, number in states.items()}}
    wrong = [stream for stream in found if stream.state != RUNNING or stream.message]
    if not wrong:
        return passed(f"{counted(len(found), 'stream')} Running at the end, without a message.", figures=figures)
    worst = sorted(wrong, key=lambda stream: (stream.state != "Error", stream.name))
    return failed(
        f"{len(wrong)} of {counted(len(found), 'stream')} not Running without a message at the end: {_said(worst[0])}.",
        [_said(stream) for stream in worst],
        figures,
        (f"{stream.state}: {_kind_of_stream(stream)}" for stream in wrong),
    )


def _kind_of_stream(stream: Stream) -> str:
    kind = kind_of(stream.message)
    return kind.name if kind is not None else first_clause(stream.message) or "no message"


def _said(stream: Stream) -> str:
    return f"{stream.name} is {stream.state}" + (f": {_short(stream.message)}" if stream.message else "")


def _short(message: str, at_most: int = 220) -> str:
    """Without the rows of an INSERT, which are half a page."""
    text = re.sub(r"\s+", " ", re.sub(r"during query: .*", "during a query", message, flags=re.DOTALL))
    return text if len(text) <= at_most else f"{text[:at_most]} …"


@dataclass(frozen=True, slots=True)
class WorkflowCopied:
    """Every table was copied to its end, and then the target caught up with what the load had written."""

    name: str = "workflow/copied"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _copied(history)),)


def _copied(history: History) -> Finding:
    if not sources(history):
        return unknown(NOT_WATCHED)
    found = streams(history)
    if not found:
        return failed("There is no stream that could copy anything.", symptoms=["no stream"])
    left = [stream for stream in found if stream.left]
    figures: dict[str, str | int | float] = {
        "rows_copied": sum(stream.rows_copied for stream in found),
        "tables_left": sum(len(stream.left) for stream in left),
    }
    if left:
        return failed(
            f"The copy of {listed(left[0].left)} into {left[0].name} never came to its end: "
            f"{_progress(history, left[0])}.",
            [f"{stream.name} lacks {listed(stream.left)}: {_progress(history, stream)}" for stream in left],
            figures,
            ["the copy never ended"],
        )
    if noted(history, BEHIND):
        why = next(event.details.get("why", "") for event in history.events if event.subject == BEHIND)
        said = f"Everything was copied, but the target never caught up: {why}"
        return failed(said, figures=figures, symptoms=["the target never caught up"])
    if not noted(history, CAUGHT_UP):
        return unknown("Everything was copied; whether the target caught up was not looked at.", figures=figures)
    return passed("Every table was copied, and the target caught up.", figures=figures)


def _progress(history: History, stream: Stream) -> str:
    """Whether it still went on when the run ended, or was stuck."""
    if stream.state in TERMINAL:
        return f"the stream ended before, in state {stream.state}"
    begun = counted(loops(history, stream), "copy", "copies")
    last_ns = last_progress_ns(history, stream)
    if not last_ns:
        return f"no row of it was ever copied, in {begun} begun (state {stream.state})"
    still_s = seconds_between(last_ns, _watched_until_ns(history))
    if still_s < STUCK_S:
        return f"it was still going on (state {stream.state}, {begun} begun)"
    return f"nothing was copied in the last {still_s:.0f} s (state {stream.state}, {begun} begun)"


def _watched_until_ns(history: History) -> int:
    return max((series.answered_ns[-1] for _, _, series in sources(history) if series.answered_ns), default=0)


# ---------------------------------------------------------------- errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """`after_fault`: what a fault of the run may cause; `by_cut`: what the end of a copy phase may look like. After
    both the stream tries again by itself. Anything else is a finding."""

    name: str
    pattern: re.Pattern[str]
    why: str
    after_fault: bool = False
    by_cut: bool = False


ERROR_KINDS: tuple[ErrorKind, ...] = (
    ErrorKind(
        name="duplicate-key",
        pattern=re.compile(r"errno 1062|Duplicate entry"),
        why="rows were copied twice: the copy began again in the middle (vitess#17864)",
    ),
    ErrorKind(
        name="time-limit",
        pattern=re.compile(r"errno 3024|maximum statement execution time"),
        why="the source's MySQL ended the SELECT of the copy (vitess#17862)",
    ),
    ErrorKind(
        name="copy-cut",
        pattern=re.compile(r"deadline exceeded|DeadlineExceeded|context expiration", re.IGNORECASE),
        by_cut=True,
        why="the end of a copy phase is no error for a copy that can be resumed, but is told as one, and costs the 5 s "
        "of a retry, when the source's gRPC server sees the deadline before the target (vcopier.go, copyTable asks its "
        "own context only; about 1 of 20 cuts, measured, v0.24.3)",
    ),
    ErrorKind(
        name="stream-ended",
        pattern=re.compile(r"stream ended"),
        by_cut=True,
        after_fault=True,
        why="the same race while the target goes forward to the copy's position (vplayer.go, fetchAndApply)",
    ),
    ErrorKind(
        name="wrong-tablet",
        pattern=re.compile(r"wrong tablet type|FailedPrecondition"),
        after_fault=True,
        why="the source is no longer the type asked for, and another tablet is picked (utils.go, isUnrecoverableError)",
    ),
    ErrorKind(
        name="read-only",
        pattern=re.compile(r"errno 1290|super-read-only|errno 1836"),
        after_fault=True,
        why="the target's old primary may not write any more; the new one goes on",
    ),
    ErrorKind(
        name="unreachable",
        pattern=re.compile(
            r"Unavailable|connection refused|EOF|closing|not serving|Canceled|cancell?ed|closed|CANCEL"
            r"|context already expired|errno 2013|errno 2006|errno 2002"
        ),
        after_fault=True,
        why="source or target went away for a while",
    ),
)


def kind_of(message: str) -> ErrorKind | None:
    return next((kind for kind in ERROR_KINDS if kind.pattern.search(message)), None)


@dataclass(frozen=True, slots=True)
class WorkflowErrors:
    """The log of the streams holds no error but those that a fault of the run, or the VDiff at its end, explains, and
    a retry has healed. What a mere cut looks like is for `workflow/cuts`."""

    name: str = "workflow/errors"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _errors(history)),)


def _errors(history: History) -> Finding:
    if not sources(history):
        return unknown(NOT_WATCHED)
    found = errors(history)
    kinds = [_kind_name(entry) for entry in found]
    figures: dict[str, str | int | float] = dict(Counter(kinds))
    lines = [
        f"{offset(entry.at_ns, history.start_ns)} {entry.keyspace}/{entry.shard} #{entry.stream} {kind}"
        f"{f' ({entry.count} times)' if entry.count > 1 else ''}: {_short(entry.message)}"
        for entry, kind in zip(found, kinds, strict=True)
    ]
    wrong = [entry for entry in found if not _explained(history, entry) and not _cut_told(history, entry)]
    if by_vttablets := errors_counted(history):
        figures["counted_by_vttablets"] = by_vttablets
    if not found:
        return passed("No stream logged an error.", figures=figures)
    if not wrong:
        return passed(
            f"{counted(len(found), 'error')}, each after a fault of the run or its VDiff, or a cut told as one.",
            lines,
            figures,
        )
    kind = kind_of(wrong[0].message)
    return failed(
        f"{counted(len(wrong), 'error')} that nothing in the run explains: {_short(wrong[0].message)}"
        f"{f' ({kind.why})' if kind is not None else ''}.",
        lines,
        figures,
        (_kind_name(entry) for entry in wrong),
    )


@dataclass(frozen=True, slots=True)
class WorkflowCuts:
    """The end of a copy phase is no error of a copy that can be resumed: nobody is told one, and the next phase begins
    at once, not after the 5 s of a retry."""

    name: str = "workflow/cuts"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _told_cuts(history)),)


def _told_cuts(history: History) -> Finding:
    if not sources(history):
        return unknown(NOT_WATCHED)
    told = [entry for entry in errors(history) if _cut_told(history, entry)]
    number = sum(entry.count for entry in told)
    if not told:
        return passed("No cut was told as an error.")
    kind = kind_of(told[0].message)
    return failed(
        f"{counted(number, 'cut')} told as an error: {_short(told[0].message)}{f' ({kind.why})' if kind else ''}.",
        [f"{offset(entry.at_ns, history.start_ns)} {entry.keyspace}/{entry.shard} #{entry.stream}" for entry in told],
        {"cuts_told_as_errors": number},
        (_kind_name(entry) for entry in told),
    )


def _kind_name(entry: Entry) -> str:
    kind = kind_of(entry.message)
    return kind.name if kind is not None else "other"


def _explained(history: History, entry: Entry) -> bool:
    kind = kind_of(entry.message)
    if kind is None or not kind.after_fault:
        return False
    return diffing(history, entry.at_ns) or any(
        span.begin_ns <= entry.at_ns <= _over_ns(span.begin_ns, span.active_ns, span.healed_ns)
        for span in history.faults
        if span.begin_ns
    )


def _cut_told(history: History, entry: Entry) -> bool:
    """A cut that a resumable copy logs as an error (see `ERROR_KINDS`), in a run that wants cuts."""
    kind = kind_of(entry.message)
    resumable = not history.plan.params.get("atomic_copy") and history.plan.params.get("cuts", 0) > 0
    return resumable and kind is not None and kind.by_cut and entry.state in IN_COPY


def _over_ns(*stamps: int) -> int:
    return max(stamps) + int(FOLLOWS_S * SECOND_NS)
