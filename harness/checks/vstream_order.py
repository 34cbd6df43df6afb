"""Ordered and unique: what came, came in order, and once.

Both look at one attempt at a time; what a resume brings again is `vstream/resumable`'s. Neither blames a stream for
the set-backs of `harness.facts.stream_setbacks`, which at-least-once delivery explains: they are counted.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

import numpy as np

from harness.checks.results import Finding, failed, passed
from harness.checks.vstream_results import count, event_words, examples, item_stories, rows_words
from harness.facts.gtid import behind
from harness.facts.stream_rows import copies_back, repeats, steps_back
from harness.facts.stream_setbacks import all_setbacks, within
from harness.facts.streams import Stream, rows_in
from harness.facts.words import counted
from harness.model import Scalar
from harness.streams import Position


def judge_ordered(stream: Stream) -> Finding:
    """Copies ascend by primary key, a row's versions and a shard's positions never go back."""
    lines: list[str] = []
    rows = copies = versions = 0
    known = all_setbacks(stream)
    for attempt, shard, _, story in item_stories(stream):
        again = repeats(story).again
        copied, stepped = copies_back(story, again), steps_back(story, again)
        stepped &= ~(story.copy & within(story.index, known[attempt.number, shard]))
        rows, copies, versions = rows + len(story), copies + count(copied), versions + count(stepped)
        lines += examples(stream, "copied behind a higher key", story.index[copied])
        lines += examples(stream, "shows an earlier state of its row than what came before", story.index[stepped])
    positions = [
        line
        for attempt, shard, _ in stream.shard_groups
        for line in _positions(stream, attempt.number, shard, {one.index for one in known[attempt.number, shard]})
    ]
    lines += positions
    figures: dict[str, Scalar] = {
        "rows": rows,
        "copies_back": copies,
        "versions_back": versions,
        "positions_back": len(positions),
        "setbacks": sum(len(found) for found in known.values()),
    }
    if lines:
        said = f"{counted(copies + versions + len(positions), 'event')} of {stream.lane.name} went back"
        symptoms = ["copies"] * bool(copies) + ["versions"] * bool(versions) + ["positions"] * bool(positions)
        return failed(f"{said}: {lines[0]}.", lines, figures, symptoms)
    lines = [
        f"a copy began behind what had been sent: {event_words(stream, one.index)}"
        for found in known.values()
        for one in found
    ]
    return passed(f"{rows_words(rows)} in order; no row and no position went back.", lines, figures)


def _positions(stream: Stream, attempt: int, shard: int, known: Container[int]) -> Iterator[str]:
    for index, before, after in stream.places[attempt, shard].steps():
        if index in known:
            continue
        for why in _backwards(before, after):
            yield f"{why}: {event_words(stream, index)}"


def _backwards(before: Position, after: Position) -> Iterator[str]:
    try:
        if before.gtid and behind(after.gtid, before.gtid):
            yield f"the GTID set went back from {before.gtid} to {after.gtid}"
    except ValueError as error:
        yield str(error)
    for table, last in after.last_pks.items():
        if last < before.last_pks.get(table, 0):
            yield f"the last key of {table} went back from {before.last_pks[table]} to {last}"


def judge_unique(stream: Stream) -> Finding:
    """Within an attempt, each row is copied once and each change comes once. Explained: a row whose changes came
    before its copy (see harness.facts.stream_rows)."""
    lines: list[str] = []
    figures: dict[str, Scalar] = {}
    rows = copied = sent = explained = set_back = 0
    known = all_setbacks(stream)
    for attempt, shard, _, story in item_stories(stream):
        found = repeats(story)
        resent = found.again & ~story.copy & within(story.index, known[attempt.number, shard])
        found.again[resent] = False
        set_back += count(resent)
        rows, explained = rows + len(story), explained + count(found.explained)
        copied, sent = copied + count(found.again & story.copy), sent + count(found.again & ~story.copy)
        lines += examples(stream, "copied once more", story.index[found.again & story.copy])
        lines += examples(stream, "sent once more", story.index[found.again & ~story.copy])
    marks = _marks(stream)
    lines += [f"the mark row of {shard} came {times} times in attempt {attempt}" for attempt, shard, times in marks]
    figures |= {
        "rows": rows,
        "copied_again": copied,
        "sent_again": sent,
        "explained": explained,
        "sent_again_explained": set_back,
        "marks_again": len(marks),
    }
    if lines:
        said = f"{rows_words(copied)} copied and {counted(sent, 'change')} sent more than once"
        symptoms = ["copied rows"] * bool(copied) + ["changes"] * bool(sent) + ["mark rows"] * bool(marks)
        return failed(f"{stream.lane.name} had {said}: {lines[0]}.", lines, figures, symptoms)
    also = f"; {rows_words(explained)} changed while the table was copied, and then copied" if explained else ""
    return passed(f"{rows_words(rows)}, none twice{also}.", figures=figures)


def _marks(stream: Stream) -> list[tuple[int, str, int]]:
    """Mark rows that came more than once: (attempt, shard, times)."""
    found = []
    for attempt, shard, indexes in stream.shard_groups:
        rows = rows_in(stream.events, indexes)
        keys = stream.events["key"][rows[stream.events["table"][rows] == stream.mark]]
        times = np.unique(keys, return_counts=True)[1]
        found += [(attempt.number, stream.lane.shards[shard], int(number)) for number in times[times > 1]]
    return found
