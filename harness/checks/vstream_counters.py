"""What vtgate counts, against what the clients of its streams saw.

Counters of go/vt/vtgate/vstream_manager.go, keys CELL.KEYSPACE.SHARD.TYPE: `VStreamsCreated` (one a call and shard;
from 19), `VStreamsEventsStreamed`, `VStreamsEndedWithErrors`, `VStreamsCount` (from 22; the last is a gauge). A key
that is absent is not 0: the release does not have it. What is only true at rest (nothing in flight, nothing just
ended) is a figure, not a promise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.checks.results import Finding, failed, passed, unknown
from harness.facts.processes import restarted
from harness.facts.storm import SECOND_NS
from harness.facts.streams import Stream, streams
from harness.facts.streams import failed as server_ended
from harness.facts.words import counted
from harness.history import History, Series
from harness.model import Node, Scalar
from harness.streams import NO_INDEX, Attempt, EventType

MARGIN_NS = SECOND_NS  # between a stamp of ours and the counter that shows what was before it
CONNECTION_LOST = ("UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED")  # codes that gRPC also gives without vtgate's doing


def judge_counters(history: History, node: Node) -> Finding:
    mine = [stream for stream in streams(history) if stream.lane.vtgate == node.name]
    attempts = [(stream, attempt) for stream in mine for attempt in stream.record.attempts]
    if not attempts:
        return passed(f"No stream began through {node.name}.")
    series = history.series.get(node.name)
    if series is None or len(series.answered_ns) < 2:
        return unknown(f"{node.name} was not sampled.")
    if restarted(history, node.name):
        return passed(f"{node.name} ended or restarted, so its counters began anew.")
    counters = _Counters(series, mine, attempts)
    told = {
        "VStreamsCreated": list(counters.created()),
        "VStreamsEventsStreamed": list(counters.streamed()),
        "VStreamsEndedWithErrors": list(counters.errors()),
        "VStreamsCount": list(counters.open_streams()),
    }
    lines = [line for some in told.values() for line in some]
    if lines:
        said = f"{node.name} counts what its clients did not see: {lines[0]}."
        return failed(said, lines, counters.figures, [name for name, some in told.items() if some])
    return passed(
        f"{node.name}'s counters fit {counted(len(attempts), 'attempt')} of {counted(len(mine), 'stream')}.",
        figures=counters.figures,
    )


class _Counters:
    """One vtgate's counters since just before its first stream began."""

    def __init__(self, series: Series, mine: Sequence[Stream], attempts: Sequence[tuple[Stream, Attempt]]) -> None:
        self._series = series
        self._mine = mine
        self._attempts = attempts
        self._since_ns = min(attempt.begin_ns for _, attempt in attempts) - 1
        self._last_ns = series.answered_ns[-1]
        self.figures: dict[str, Scalar] = {"attempts": len(attempts), "streams": len(mine)}
        lag = self._highest("VStreamsLag")
        if lag is not None:
            self.figures["lag_max_s"] = lag

    def created(self) -> Iterator[str]:
        """vtgate starts a stream to each shard at every call that it accepts. Before 22 it counts one at its first
        event, so that a call which another shard's error ends may count fewer."""
        counted_n = self._growth("VStreamsCreated")
        if counted_n is None:
            return
        self.figures["created"] = int(counted_n)
        at_most = sum(len(stream.lane.shards) for stream, _ in self._attempts)
        at_least = sum(
            sum(1 for number, shard in stream.groups if number == attempt.number and shard != NO_INDEX)
            for stream, attempt in self._attempts
            if attempt.responses and attempt.begin_ns < self._last_ns - MARGIN_NS
        )
        if not at_least <= counted_n <= at_most and not self._resharded():
            yield f"VStreamsCreated grew by {counted_n:g}, of {at_least} to {at_most} streams to a shard"

    def streamed(self) -> Iterator[str]:
        """A client receives nothing that vtgate did not count; what vtgate counted more was in flight at the end."""
        counted_n = self._growth("VStreamsEventsStreamed")
        if counted_n is None:
            self.figures["events_streamed"] = "not exported by this release"
            return
        received = sum(self._received(stream) for stream in self._mine)
        self.figures |= {"events_streamed": int(counted_n), "events_received": received}
        if received > counted_n:
            yield f"clients received {received:,} events until the last sample, vtgate counts {counted_n:,.0f} sent"

    def _received(self, stream: Stream) -> int:
        events = stream.events
        until_ns = self._last_ns - MARGIN_NS
        return int(np.count_nonzero((events["at_ns"] <= until_ns) & (events["type"] != EventType.HEARTBEAT)))

    def errors(self) -> Iterator[str]:
        """Ended with errors, until the harness itself began to end streams (what vtgate makes of that is a figure)."""
        own_ends = [a.end_ns for _, a in self._attempts if a.code in ("STOPPED", "LEFT")]
        until_ns = min([*own_ends, self._last_ns])
        counted_n = self._growth("VStreamsEndedWithErrors", until_ns)
        whole = self._growth("VStreamsEndedWithErrors")
        if counted_n is None or whole is None:
            self.figures["ended_with_errors"] = "not exported by this release"
            return
        self.figures |= {"ended_with_errors": int(whole)}
        ended = [(s, a) for s, a in self._attempts if server_ended(a) and a.end_ns <= until_ns]
        self.figures["attempts_ended_with_errors"] = len(ended)
        told = [a for _, a in ended if a.code not in ("EOF", *CONNECTION_LOST) and a.end_ns < until_ns - MARGIN_NS]
        at_most = sum(len(stream.lane.shards) for stream, _ in ended)
        if counted_n < len(told):
            yield f"{counted(len(told), 'attempt')} ended with an error, VStreamsEndedWithErrors grew by {counted_n:g}"
        elif counted_n > at_most:
            yield f"VStreamsEndedWithErrors grew by {counted_n:g}, clients saw {counted(len(ended), 'error')}"

    def open_streams(self) -> Iterator[str]:
        """The gauge of open streams, where nothing began or ended for a while (a leak: hypothesis H2)."""
        now = self._growth_of_gauge(self._last_ns)
        if now is None:
            return
        self.figures["open_at_the_end"] = int(now)
        edges = [stamp for _, a in self._attempts for stamp in (a.begin_ns, a.end_ns) if stamp]
        at_ns = self._last_ns
        if any(at_ns - 2 * MARGIN_NS < stamp for stamp in edges):
            at_ns = min(stamp for stamp in edges if stamp > at_ns - 2 * MARGIN_NS) - MARGIN_NS // 10
        if any(at_ns - 2 * MARGIN_NS < stamp <= at_ns for stamp in edges):
            return
        value = self._growth_of_gauge(at_ns)
        is_open = sum(
            len(stream.lane.shards)
            for stream, a in self._attempts
            if a.begin_ns <= at_ns and (not a.end_ns or a.end_ns > at_ns)
        )
        if value is not None and value != is_open:
            yield f"VStreamsCount says {value:g} streams to a shard were open, of {is_open}"

    def _resharded(self) -> bool:
        return any(bool((stream.events["type"] == EventType.JOURNAL).any()) for stream in self._mine)

    def _keys(self, name: str) -> list[str]:
        """The keys of our streams' shards."""
        ends = {
            f".{stream.lane.keyspace}.{shard}.{stream.lane.spec.tablet_type.upper()}"
            for stream in self._mine
            for shard in stream.lane.shards
        }
        return [f"{name}:{label}" for label in self._series.labels(name) if any(label.endswith(end) for end in ends)]

    def _growth(self, name: str, until_ns: int | None = None) -> float | None:
        """Over all shards; None when the variable is not there, or fell."""
        keys = self._keys(name)
        found = [self._series.growth(key, self._since_ns, until_ns) for key in keys]
        if until_ns is not None:  # a key that appears only later has not grown until then
            found = [
                0.0 if g is None and self._series.at(k, until_ns) is None else g
                for g, k in zip(found, keys, strict=True)
            ]
        if not found or any(growth is None for growth in found):
            return None
        return sum(growth for growth in found if growth is not None)

    def _growth_of_gauge(self, at_ns: int) -> float | None:
        keys = self._keys("VStreamsCount")
        if not keys:
            return None
        return sum(
            (self._series.number(k, at_ns) or 0.0) - (self._series.number(k, self._since_ns) or 0.0) for k in keys
        )

    def _highest(self, name: str) -> float | None:
        values = [v for key in self._keys(name) for v in self._series.steps(key)[1] if isinstance(v, int | float)]
        return float(max(values)) if values else None
