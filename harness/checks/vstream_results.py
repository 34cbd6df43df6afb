"""What all checks of VStreams have in common: one result a stream, and events in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from harness.checks.results import Finding, Named, passed, result, unknown
from harness.facts.storm import seconds_between
from harness.facts.stream_rows import Story
from harness.facts.streams import Chain, Flags, Indexes, Stream, streams
from harness.facts.words import counted
from harness.history import History
from harness.model import CheckResult
from harness.streams import NO_INDEX, Attempt, Change, EventFlag, EventType

EXAMPLES = 5  # of each thing that is wrong in one table, shard and attempt


def per_stream(check: Named, history: History, judge: Callable[[Stream], Finding]) -> tuple[CheckResult, ...]:
    """One result a stream."""
    if not history.streams:
        if history.plan.streams:
            return (result(check, unknown("No stream was recorded, so there is nothing to look at.")),)
        return (result(check, passed("No streams were planned.")),)
    return tuple(result(check, judge(stream), stream.lane.name) for stream in streams(history))


def item_stories(stream: Stream) -> Iterator[tuple[Attempt, int, int, Story]]:
    """(attempt, shard, table, its rows), of every item table and everything that arrived."""
    for attempt, shard, indexes in stream.shard_groups:
        for table in stream.item_tables_of(attempt):
            story = Story.of(stream.events, indexes, table)
            if len(story):
                yield attempt, shard, table, story


def chain_stories(stream: Stream, chain: Chain) -> Iterator[tuple[int, int, Story]]:
    """(shard, table, its rows) of what counts in a chain."""
    for shard in range(len(stream.lane.shards)):
        indexes = stream.counting(chain, shard)
        for table in stream.item_tables_of(chain.last):
            yield shard, table, Story.of(stream.events, indexes, table)


def count(flags: Flags) -> int:
    return int(np.count_nonzero(flags))


def examples(stream: Stream, what: str, indexes: Indexes) -> list[str]:
    """The first few events of a kind, and how many more."""
    lines = [f"{what}: {event_words(stream, index)}" for index in indexes[:EXAMPLES].tolist()]
    if len(indexes) > EXAMPLES:
        lines.append(f"{what}: {len(indexes) - EXAMPLES:,} more of these")
    return lines


def event_words(stream: Stream, index: int) -> str:
    """Row 17 of item_1 in -80, version 3 (UPDATE), in response 5 of attempt 1 at +0.312 s."""
    event = stream.events[index]
    attempt = stream.attempts.get(int(event["attempt"]))
    since_ns = attempt.begin_ns if attempt else int(event["at_ns"])
    when = f"{seconds_between(since_ns, int(event['at_ns'])):+.3f} s"
    place = f"in response {int(event['response'])} of attempt {int(event['attempt'])} at {when}"
    shard, table = shard_name(stream, int(event["shard"])), table_name(stream, int(event["table"]))
    if event["type"] == EventType.ROW:
        how = "copy" if event["flags"] & EventFlag.COPY else Change(int(event["change"])).name
        return f"row {int(event['key'])} of {table} in {shard}, version {int(event['version'])} ({how}), {place}"
    of = f" of {table}" if event["type"] == EventType.FIELD else ""
    return f"{_type_name(int(event['type']))}{of} in {shard}, {place}"


def _type_name(kind: int) -> str:
    return EventType(kind).name if kind in set(EventType) else f"an event of type {kind}"


def shard_name(stream: Stream, shard: int) -> str:
    return "no shard" if shard == NO_INDEX else stream.lane.shards[shard]


def table_name(stream: Stream, table: int) -> str:
    return "an unknown table" if table == NO_INDEX else stream.lane.tables[table]


def rows_words(number: int) -> str:
    return counted(number, "row")


def first_of(lines: Iterable[str], otherwise: str = "") -> str:
    return next(iter(lines), otherwise)
