"""What a VStream guarantees, guarantee by guarantee, in the words of the field (etcd's guarantees for watches:
ordered, unique, atomic, reliable, resumable), each as a check of its own over every recorded stream.

SAFETY: ordered, unique, atomic, reliable, values, resumable, grammar. No slow host makes a stream skip a row.
PROMISE: that the stream goes on (uninterrupted), comes to its end (completed), and that vtgate's counters say so.
ASSUMPTION: that there were streams, rows, changes and cuts at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from harness.checks.results import Check, Finding, per_vtgate, result
from harness.checks.vstream_atomic import judge_atomic
from harness.checks.vstream_counters import judge_counters
from harness.checks.vstream_ends import judge_completed, judge_uninterrupted
from harness.checks.vstream_grammar import judge_grammar
from harness.checks.vstream_order import judge_ordered, judge_unique
from harness.checks.vstream_premises import judge_cut, judge_item_tables, judge_streams
from harness.checks.vstream_results import per_stream
from harness.checks.vstream_resume import judge_resumable
from harness.checks.vstream_state import judge_reliable, judge_values
from harness.facts.streams import Stream
from harness.history import History
from harness.model import CheckKind, CheckResult

Judge = Callable[[History, Stream], Finding]


@dataclass(frozen=True, slots=True)
class StreamCheck:
    """One guarantee, judged stream by stream; the subject of a result is the stream's name."""

    name: str
    kind: CheckKind
    judge: Judge

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_stream(self, history, lambda stream: self.judge(history, stream))


@dataclass(frozen=True, slots=True)
class StreamPremise:
    """Something that must hold of the whole run for its streams to prove anything."""

    name: str
    judge: Callable[[History], Finding]
    kind: CheckKind = CheckKind.ASSUMPTION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, self.judge(history)),)


@dataclass(frozen=True, slots=True)
class StreamCounters:
    """What vtgate counts agrees with what its clients saw."""

    name: str = "vstream/counters"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: judge_counters(history, node))


def _plain(judge: Callable[[Stream], Finding]) -> Judge:
    @wraps(judge)  # what it says of itself is in the reference
    def judged(_: History, stream: Stream) -> Finding:
        return judge(stream)

    return judged


@wraps(judge_atomic, assigned=("__doc__",))
def _atomic(history: History, stream: Stream) -> Finding:
    items = history.plan.items
    return judge_atomic(stream, frozenset(items.names if items else stream.lane.tables[:-1]))


ITEM_TABLES = StreamPremise("assumptions/item-tables", judge_item_tables)
PREMISES: tuple[Check, ...] = (
    StreamPremise("assumptions/streams", judge_streams),
    StreamPremise("assumptions/copy-cut", judge_cut),
)
GUARANTEES: tuple[Check, ...] = (
    StreamCheck("vstream/reliable", CheckKind.SAFETY, judge_reliable),  # the gravest first: a headline names one
    StreamCheck("vstream/values", CheckKind.SAFETY, _plain(judge_values)),
    StreamCheck("vstream/ordered", CheckKind.SAFETY, _plain(judge_ordered)),
    StreamCheck("vstream/atomic", CheckKind.SAFETY, _atomic),
    StreamCheck("vstream/unique", CheckKind.SAFETY, _plain(judge_unique)),
    StreamCheck("vstream/resumable", CheckKind.SAFETY, _plain(judge_resumable)),
    StreamCheck("vstream/grammar", CheckKind.SAFETY, _plain(judge_grammar)),
    StreamCheck("vstream/uninterrupted", CheckKind.PROMISE, _plain(judge_uninterrupted)),
    StreamCheck("vstream/completed", CheckKind.PROMISE, judge_completed),
    StreamCounters(),
)
