"""Why the server ended streams: vtgate logs the error that it passes on to the client."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.attribution.evidence import of_line
from harness.attribution.fault_signatures import GONE, STREAM_ENDED
from harness.attribution.reach import evidence_of, tablets_hit, until_ns
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame
from harness.facts.storm import REPARENTS, SECOND_NS
from harness.history import History
from harness.model import FaultSpan, LogLine

TOLD_NS = SECOND_NS  # vtgate's word and the end that the client stamped


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRefused:
    """An error of a stream, as vtgate's vstream_manager.go logs it (v0.21 to v0.24)."""

    name: str
    title: str
    blame: Blame
    pattern: re.Pattern[str]
    errors: frozenset[str]
    rank: int = Rank.REFUSED
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        if not history.streams:
            return
        vtgates = {node.name for node in history.vtgates}
        for line in history.logs:
            if line.node in vtgates and self.pattern.search(line.text):
                yield self._of(line)

    def _of(self, line: LogLine) -> Claim:
        return Claim(
            vtgate=line.node,
            shard="",
            from_ns=line.at_ns - TOLD_NS,
            to_ns=line.at_ns + TOLD_NS,
            evidence=(of_line(line),),
            waits=False,
            errors=self.errors,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHit:
    """A stream reads from any tablet of its type; one that is hit, or changes its type, ends it."""

    name: str = "stream-source-hit"
    title: str = "the run had hit a tablet that the stream may have read from"
    blame: Blame = Blame.RUN
    rank: int = Rank.FAULT - 1
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for span in history.faults if history.streams else ():
            for shard in sorted(_shards_hit(history, span)) if span.begin_ns else ():
                yield Claim(
                    vtgate="",
                    shard=shard,
                    from_ns=span.begin_ns,
                    to_ns=until_ns(history, span),
                    evidence=(evidence_of(history, span),),
                    waits=False,
                    errors=GONE | STREAM_ENDED,
                )


def _shards_hit(history: History, span: FaultSpan) -> set[str]:
    """A reparent names a shard, everything else a tablet."""
    shards = {node.shard for node in tablets_hit(history, span)}
    if span.fault in REPARENTS:
        shards |= {str(span.details.get("shard", span.targets[0] if span.targets else "")).rpartition("/")[2]}
    return shards - {""}


REFUSED: tuple[StreamRefused, ...] = (
    StreamRefused(
        name="query-killed-by-the-copy-limit",
        title="MySQL ended the copy's SELECT at --vreplication-copy-phase-duration, and vtgate gave the stream up",
        blame=Blame.VITESS,
        pattern=re.compile(r"[Vv]stream.*(errno 3024|maximum statement execution time exceeded)", re.DOTALL),
        errors=frozenset({"deadline-or-cancelled", "interrupted"}),
        advice="vtgate 22.0.0 goes on after it (vitess#17778); before, a longer --vreplication-copy-phase-duration",
    ),
    StreamRefused(
        name="catch-up-past-its-stop",
        title="the catch-up of a copy began behind its own stop position, and the stream ended with EOF",
        blame=Blame.VITESS,
        pattern=re.compile(r"[Vv]stream.*code = Unknown desc = EOF", re.DOTALL),
        errors=frozenset({"vttablet-connection-lost"}),
        advice="20.0.7, 21.0.4 or 22.0.0 (vitess#18119)",
    ),
)
STREAMS: tuple[Signature, ...] = (*REFUSED, SourceHit())
