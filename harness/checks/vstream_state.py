"""Reliable and right: nothing is missing from what came, and every value is its row's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from harness.checks.results import Finding, failed, passed, unknown
from harness.checks.vstream_ends import tables_to_copy
from harness.checks.vstream_results import EXAMPLES, chain_stories, count, event_words, examples, rows_words
from harness.facts.stream_copies import chain_completions, false_bookmarks
from harness.facts.stream_rows import Difference, Rows, Story, difference, gaps, state
from harness.facts.streams import Indexes, Stream
from harness.facts.words import counted, listed
from harness.history import History, TableRead
from harness.items import expected_digest
from harness.model import Scalar
from harness.streams import EventFlag, EventType

BLOCK = 1 << 16  # events whose digests are computed in one go
GAPS = {
    "skipped": "versions of the row are missing before it",
    "unheard": "the change that it shows never came",
    "first": "a change of a row that never came, although its copy had passed",
    "revived": "it comes behind the DELETE of its row",
    "torn": "it is not from one version to the next",
}


@dataclass(kw_only=True)
class _Tally:
    """What is said about a stream, table by table."""

    differences: list[str] = field(default_factory=list)  # what came and what the tables hold
    gaps: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    uncompared: list[str] = field(default_factory=list)

    def add(self, **figures: int) -> None:
        for name, number in figures.items():
            self.figures[name] = self.figures.get(name, 0) + number


def judge_reliable(history: History, stream: Stream) -> Finding:
    """No version of a row is skipped; no VGTID is ahead of the rows; and where a shard came to its mark, what was
    received is what the tables hold."""
    tally = _Tally()
    tally.add(rows=0, gaps=0, bookmarks=0, compared=0, missing=0, extra=0, older=0, newer=0)
    for chain in stream.chains:
        marked = stream.marked(chain) if chain.current else frozenset()
        complete = {shard: chain_completions(stream, chain, shard) for shard in range(len(stream.lane.shards))}
        copied = set(tables_to_copy(stream, chain))
        for shard, table, story in chain_stories(stream, chain):
            _look_for_gaps(stream, story, tally, complete[shard].get(table), table in copied)
            if shard in marked and table in copied:
                _compare(history, stream, shard, table, story, tally)
            elif chain.current:
                tally.uncompared.append(f"{stream.lane.tables[table]} in {stream.lane.shards[shard]}")
    for attempt, shard, _ in stream.shard_groups:
        ahead = list(false_bookmarks(stream, attempt, shard))
        tally.add(bookmarks=len(ahead))
        tally.gaps += [
            f"the VGTID's last key of {table} is {last}, the last row that came is {key}: {event_words(stream, index)}"
            for index, table, last, key in ahead[:EXAMPLES]
        ]
    return _said(stream, tally)


def _said(stream: Stream, tally: _Tally) -> Finding:
    figures: dict[str, Scalar] = dict(tally.figures)
    wrong = {name: number for name, number in tally.figures.items() if name not in ("rows", "compared") and number}
    if wrong:
        words = ", ".join(f"{number:,} {name}" for name, number in wrong.items())
        lines = [*tally.differences, *tally.gaps]
        return failed(f"{stream.lane.name} did not deliver everything ({words}): {lines[0]}.", lines, figures, wrong)
    if tally.unread:
        return unknown(f"Not read after the run, so not compared: {listed(tally.unread)}.", figures=figures)
    said = f"{rows_words(tally.figures['compared'])} as in the tables" if tally.figures["compared"] else "no gap"
    if tally.uncompared:
        notes = [f"not compared, its mark never came: {where}" for where in tally.uncompared]
        return passed(f"What came has no gap; {said}; {counted(len(notes), 'table')} not compared.", notes, figures)
    return passed(f"{rows_words(tally.figures['rows'])} without a gap, and {said}.", figures=figures)


def _look_for_gaps(stream: Stream, story: Story, tally: _Tally, complete: int | None, copied: bool) -> None:
    found = gaps(story, complete=complete, copied=copied)
    tally.add(rows=len(story), gaps=count(found.any))
    for name, what in GAPS.items():
        tally.gaps += examples(stream, what, story.index[getattr(found, name)])


def _compare(history: History, stream: Stream, shard: int, table: int, story: Story, tally: _Tally) -> None:
    name, where = stream.lane.tables[table], stream.lane.shards[shard]
    read = history.tables.get((stream.lane.keyspace, name, where))
    if read is None:
        tally.unread.append(f"{name} in {where}")
        return
    told, actual = state(story), rows_read(read)
    found = difference(told, actual)
    tally.add(
        compared=len(actual.key),
        missing=len(found.missing),
        extra=len(found.extra),
        older=len(found.older),
        newer=len(found.newer),
    )
    tally.differences += _difference_lines(found, told, f"{name} in {where}")


def rows_read(read: TableRead) -> Rows:
    """A table as it was read, ordered by key. ROW_DTYPE's `value` is the version here."""
    order = np.argsort(read.rows["id"], kind="stable")
    return Rows(key=read.rows["id"][order], version=read.rows["value"][order].astype(np.int64))


def _difference_lines(found: Difference, told: Rows, where: str) -> Iterator[str]:
    for what, keys in (("the stream never brought", found.missing), ("the stream has, the table not,", found.extra)):
        if len(keys):
            shown = listed((str(key) for key in keys[:EXAMPLES].tolist()), EXAMPLES)
            yield f"{what} {rows_words(len(keys))} of {where}: {shown}{' …' if len(keys) > EXAMPLES else ''}"
    for what, places in (("behind", found.older), ("ahead of", found.newer)):
        if len(places):
            shown = listed(_version_words(found, told, places[:EXAMPLES]), EXAMPLES)
            yield f"the stream is {what} the table in {rows_words(len(places))} of {where}: {shown}"


def _version_words(found: Difference, told: Rows, places: Indexes) -> Iterator[str]:
    for place in places.tolist():
        yield f"row {int(told.key[place])} version {int(told.version[place])}, not {int(found.actual[place])}"


def judge_values(stream: Stream) -> Finding:
    """The pad of every row that came belongs to its id and version (`harness.items`): no value of another row, or of
    another version."""
    events = stream.events
    rows = wrong = 0
    lines: list[str] = []
    for start in range(0, len(events), BLOCK):
        block = events[start : start + BLOCK]
        mine = (block["type"] == EventType.ROW) & (block["table"] < stream.mark)
        mine &= (block["flags"] & EventFlag.MALFORMED) == 0
        at = np.flatnonzero(mine)
        keys, versions, digests = (block[name][at].tolist() for name in ("key", "version", "digest"))
        bad = [
            place
            for place, key, version, digest in zip(at.tolist(), keys, versions, digests, strict=True)
            if expected_digest(key, version) != digest
        ]
        rows, wrong = rows + len(at), wrong + len(bad)
        lines += [event_words(stream, start + place) for place in bad[: max(0, EXAMPLES - len(lines))]]
    figures: dict[str, Scalar] = {"rows": rows, "wrong": wrong}
    if wrong:
        return failed(
            f"{rows_words(wrong)} of {rows:,} that {stream.lane.name} received hold a value that is not theirs: "
            f"{lines[0]}.",
            lines,
            figures,
        )
    return passed(f"{rows_words(rows)} with the value of their id and version.", figures=figures)
