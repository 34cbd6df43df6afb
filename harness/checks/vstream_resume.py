"""Resumable: a stream that begins at a checkpoint goes on exactly there.

Nothing that counts (`harness.facts.streams.Chain`) comes again: no row at or below a table's last key, no table that
was complete, no change. Nothing is left out: a table whose copy had not begun, or not ended, is copied on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from harness.checks.results import Finding, failed, passed
from harness.checks.vstream_ends import tables_to_copy
from harness.checks.vstream_results import chain_stories, count, examples
from harness.facts.stream_copies import announced, chain_completions, copied_tables, past_the_copy
from harness.facts.stream_rows import Story, gaps, repeats
from harness.facts.stream_setbacks import all_setbacks, within
from harness.facts.streams import CHECKPOINT, Chain, Flags, Indexes, Stream, rows_in
from harness.facts.words import counted
from harness.model import Scalar
from harness.streams import Attempt


def judge_resumable(stream: Stream) -> Finding:
    """A stream that goes on from a checkpoint goes on there: nothing that was complete is copied again or left out."""
    resumes = [attempt for attempt in stream.record.attempts if attempt.resume == CHECKPOINT]
    lines: list[str] = []
    figures: dict[str, Scalar] = {"resumes": len(resumes), "thrown_away": 0, "again": 0, "gaps": 0, "forgotten": 0}
    known = [one for found in all_setbacks(stream).values() for one in found]
    for chain in stream.chains:
        figures["thrown_away"] = int(figures["thrown_away"]) + _thrown_away(stream, chain)
        forgotten = list(_forgotten(stream, chain))
        lines += forgotten
        figures["forgotten"] = int(figures["forgotten"]) + len(forgotten)
        for shard, table, story in chain_stories(stream, chain):
            again, gap = _across(stream, chain, shard, table, story)
            again &= story.copy | ~within(
                story.index, [one for one in known if stream.events["shard"][one.index] == shard]
            )
            figures["again"] = int(figures["again"]) + count(again)
            figures["gaps"] = int(figures["gaps"]) + count(gap)
            lines += examples(stream, "had come before the checkpoint", story.index[again])
            lines += examples(stream, "something is missing between the checkpoint and it", story.index[gap])
    if not resumes:
        return passed("No attempt resumed from a checkpoint.", figures=figures)
    if lines:
        symptoms = [name for name in ("again", "gaps", "forgotten") if figures[name]]
        return failed(f"{stream.lane.name} did not go on where it had been: {lines[0]}.", lines, figures, symptoms)
    return passed(f"{counted(len(resumes), 'resume')}, each from exactly where the checkpoint was.", figures=figures)


def _thrown_away(stream: Stream, chain: Chain) -> int:
    """Rows that the client had received behind its checkpoints, and which come again for that reason."""
    thrown = 0
    for (attempt, shard), upto in chain.kept.items():
        rows = rows_in(stream.events, stream.events_of(attempt, shard))
        thrown += int(np.count_nonzero(rows >= upto))
    return thrown


def _across(stream: Stream, chain: Chain, shard: int, table: int, story: Story) -> tuple[Flags, Flags]:
    """Events that repeat, or leave a gap to, what counts of an earlier attempt."""
    attempt = stream.events["attempt"][story.index]
    nothing = np.zeros(len(story), dtype=np.bool_)
    if not len(story) or attempt[0] == attempt[-1]:
        return nothing, nothing
    again = repeats(story).again
    for number in np.unique(attempt).tolist():
        mine = np.flatnonzero(attempt == number)
        again[mine[repeats(_part(story, mine)).again]] = False  # within an attempt: vstream/unique
    complete = chain_completions(stream, chain, shard).get(table)
    found = gaps(story, complete=complete, copied=table in tables_to_copy(stream, chain))
    return again, (found.skipped | found.unheard) & _first_of_later(story, attempt)


def _part(story: Story, places: Indexes) -> Story:
    return Story(
        index=story.index[places],
        key=story.key[places],
        version=story.version[places],
        before=story.before[places],
        change=story.change[places],
        copy=story.copy[places],
    )


def _first_of_later(story: Story, attempt: npt.NDArray[np.uint16]) -> Flags:
    """Events whose row's state before them is from an earlier attempt."""
    order = story.by_rank
    other = np.zeros(len(order), dtype=np.bool_)
    other[1:] = attempt[order][1:] != attempt[order][:-1]
    first = np.zeros(len(order), dtype=np.bool_)
    first[order] = other & story.same_key(order)
    return first


def _forgotten(stream: Stream, chain: Chain) -> Iterator[str]:
    """Tables whose copy was not complete at a resume and was never gone on with, though the stream went past it."""
    wanted = tables_to_copy(stream, chain)
    marked = stream.marked(chain)
    for shard, name in enumerate(stream.lane.shards):
        complete = _completing_attempts(stream, chain, shard)
        later: frozenset[int] = frozenset()  # tables copied in this attempt or a later one
        past = shard in marked
        found: dict[int, int] = {}
        for before, after in reversed(list(itertools.pairwise(chain.attempts))):
            later |= copied_tables(stream, stream.events_of(after.number, shard))
            past = past or _went_past(stream, after, shard)
            if past:
                open_tables = [table for table in wanted if complete.get(table, after.number) > before.number]
                found |= {table: after.number for table in open_tables if table not in later}
        for table, number in sorted(found.items()):
            yield (
                f"the copy of {stream.lane.tables[table]} in {name} was not complete when attempt {number} resumed, "
                "and was never gone on with"
            )


def _completing_attempts(stream: Stream, chain: Chain, shard: int) -> Mapping[int, int]:
    """Table → the attempt in which its copy was complete."""
    found = chain_completions(stream, chain, shard)
    return {table: int(stream.events["attempt"][index]) for table, index in found.items()}


def _went_past(stream: Stream, attempt: Attempt, shard: int) -> bool:
    """Whether an attempt's copy was over: COPY_COMPLETED came, or it began where nothing is copied any more."""
    return announced(stream, attempt, shard) > 0 or past_the_copy(stream.places[attempt.number, shard].start)
