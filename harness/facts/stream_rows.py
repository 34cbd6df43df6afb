"""The rows of one table in one shard as a stream delivered them: what came twice, went back, or is missing.

Arrays only: a table of a million rows takes seconds and tens of megabytes. A row's history in Vitess is: a version
from the copy or an INSERT, then one version more with each UPDATE, at last a DELETE that carries the last version
(`harness.items`). VStream may deliver changes of a row before its copy does: while a table is copied, catch-up
sends all its binlog events, also of rows behind the last key (uvstreamer.go isRowCopied, v0.24.3: "we only promise
at-least-once semantics"). Such a row's copy then repeats the version of its last change, or it was deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.facts.streams import Flags, Indexes
from harness.streams import Change, EventFlag, Events, EventType

Keys = npt.NDArray[np.uint64]
Versions = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Story:
    """Row events in order of arrival. `index` is the place in the record; the others are EVENT_DTYPE's fields."""

    index: Indexes
    key: Keys
    version: Versions
    before: Versions
    change: npt.NDArray[np.uint8]
    copy: Flags

    @classmethod
    def of(cls, events: Events, indexes: Indexes, table: int) -> Story:
        """The rows of `table` among the events at `indexes` (in order of arrival)."""
        mine = (events["type"][indexes] == EventType.ROW) & (events["table"][indexes] == table)
        mine &= (events["flags"][indexes] & EventFlag.MALFORMED) == 0
        at = indexes[mine]
        return cls(
            index=at,
            key=events["key"][at],
            version=events["version"][at].astype(np.int64),
            before=events["before"][at].astype(np.int64),
            change=events["change"][at],
            copy=(events["flags"][at] & EventFlag.COPY) != 0,
        )

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def rank(self) -> Versions:
        """Grows along a row's history: by version, a DELETE after the version that it carries."""
        rank: Versions = self.version * 2 + (self.change == Change.DELETE)
        return rank

    @cached_property
    def by_key(self) -> Indexes:
        """Places ordered by key, and for each key by arrival."""
        return np.argsort(self.key, kind="stable")

    @cached_property
    def by_rank(self) -> Indexes:
        """Places ordered by key, then by rank, then by arrival."""
        return np.lexsort((self.rank, self.key))

    def same_key(self, order: Indexes) -> Flags:
        """Whether each place of an order has the key of the place before it."""
        key = self.key[order]
        return np.concatenate((np.zeros(min(1, len(key)), dtype=np.bool_), key[1:] == key[:-1]))


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Which events of a Story had come before: `again` without a reason, `explained` by VStream's rule."""

    again: Flags
    explained: Flags


def repeats(story: Story) -> Repeats:
    """A row is copied once; a change is sent once, and not after a copy that shows it already. A copy that shows
    the last change that was sent is explained."""
    order = story.by_rank
    rank, copy = story.rank[order], story.copy[order]
    run = ~(story.same_key(order) & np.concatenate((np.zeros(min(1, len(rank)), np.bool_), rank[1:] == rank[:-1])))
    copied, sent = _before_in_run(run, copy), _before_in_run(run, ~copy)
    again, explained = np.zeros(len(story), dtype=np.bool_), np.zeros(len(story), dtype=np.bool_)
    again[order] = np.where(copy, copied > 0, copied + sent > 0)
    explained[order] = copy & (copied == 0) & (sent > 0)
    again |= _copied_again(story)
    return Repeats(again=again, explained=explained & ~again)


def _before_in_run(begins: Flags, what: Flags) -> Indexes:
    """How many of `what` came before each place in its run; runs begin where `begins`."""
    if not len(begins):
        return np.empty(0, dtype=np.int64)
    total = np.concatenate(([0], np.cumsum(what)))[:-1]
    starts = np.flatnonzero(begins)
    found: Indexes = total - np.repeat(total[starts], np.diff(np.append(starts, len(begins))))
    return found


def _copied_again(story: Story) -> Flags:
    """Copies of rows that had been copied, whatever version they show."""
    order = story.by_key[story.copy[story.by_key]]
    again = np.zeros(len(story), dtype=np.bool_)
    again[order] = story.same_key(order)
    return again


def steps_back(story: Story, again: Flags) -> Flags:
    """Changes and copies that show an earlier state of their row than what had come before. What comes again is
    no step back: it is a repetition."""
    order = story.by_key
    rank = story.rank[order]
    if not len(order):
        return np.zeros(0, dtype=np.bool_)
    begins = ~story.same_key(order)
    number = np.cumsum(begins).astype(np.int64) << 34  # ranks have 33 bits; each key lies above the one before
    highest = np.maximum.accumulate(number + rank) - number
    back = np.zeros(len(story), dtype=np.bool_)
    back[order] = rank < highest
    found: Flags = back & ~again
    return found


def copies_back(story: Story, again: Flags) -> Flags:
    """Copied rows whose key does not lie behind that of the row copied before (VStream copies in the order of the
    primary key: rowstreamer.go buildSelect, v0.24.3)."""
    at = np.flatnonzero(story.copy & ~again)
    key = story.key[at]
    back = np.zeros(len(story), dtype=np.bool_)
    back[at[1:]] = key[1:] < key[:-1]
    return back


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """Where something is missing before an event. All are flags of the Story's events."""

    skipped: Flags  # versions between the one seen before and this one never came
    unheard: Flags  # a state that no event brought: a copy or DELETE of a version whose change never came
    first: Flags  # the first of its row is a change, although the copy had passed it
    revived: Flags  # something comes behind the row's DELETE
    torn: Flags  # an UPDATE that is not from one version to the next

    @property
    def any(self) -> Flags:
        found: Flags = self.skipped | self.unheard | self.first | self.revived | self.torn
        return found


def gaps(story: Story, *, complete: int | None, copied: bool) -> Gaps:
    """`complete`: index in the record from which on the whole table was copied (None = never); `copied`: whether
    the stream was to copy the table at all. Repetitions and wrong order make no gap."""
    skipped, unheard, revived = _in_rank_order(story)
    return Gaps(
        skipped=skipped,
        unheard=unheard,
        revived=revived,
        first=_first(story, complete) if copied else np.zeros(len(story), dtype=np.bool_),
        torn=(story.change == Change.UPDATE) & (story.before + 1 != story.version),
    )


def _in_rank_order(story: Story) -> tuple[Flags, Flags, Flags]:
    order = story.by_rank
    same, version = story.same_key(order), story.version[order]
    step = np.diff(version, prepend=version[:1])
    brings = ~story.copy[order] & (story.change[order] != Change.DELETE)
    begins = ~same | (step > 0)  # of a version of a row
    brought = np.zeros(len(order), dtype=np.bool_)
    if len(order):
        starts = np.flatnonzero(begins)
        sizes = np.diff(np.append(starts, len(order)))
        brought = np.repeat(np.logical_or.reduceat(brings, starts), sizes)
    deleted = story.change[order] == Change.DELETE
    after = np.concatenate((np.zeros(min(1, len(order)), np.bool_), deleted[:-1])) & same & (step > 0)
    return (
        _placed(order, same & (step > 1) & ~after),
        _placed(order, same & (step == 1) & ~brought & ~after),
        _placed(order, after),
    )


def _placed(order: Indexes, flags: Flags) -> Flags:
    placed = np.zeros(len(order), dtype=np.bool_)
    placed[order] = flags
    return placed


def _first(story: Story, complete: int | None) -> Flags:
    """Changes of rows that nothing was heard of before, although the copy was past them or complete."""
    highest = np.maximum.accumulate(np.where(story.copy, story.key, np.uint64(0))) if len(story) else story.key
    passed = story.key <= highest
    if complete is not None:
        passed |= story.index >= complete
    first = _placed(story.by_key, ~story.same_key(story.by_key))
    changes = ~story.copy & (story.change != Change.INSERT)
    found: Flags = first & changes & passed
    return found


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows and their versions, by key."""

    key: Keys
    version: Versions


def state(story: Story) -> Rows:
    """The table as the stream tells it: of every row the latest version, unless it was deleted."""
    order = story.by_rank
    same = story.same_key(order)
    last = order[np.concatenate((~same[1:], np.ones(min(1, len(order)), dtype=np.bool_)))]
    alive = last[story.change[last] != Change.DELETE]
    return Rows(key=story.key[alive], version=story.version[alive])


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How a rebuilt table differs from the table itself; keys, and of `older` and `newer` both versions."""

    missing: Keys  # in the table alone
    extra: Keys  # in the stream alone
    older: Indexes  # places in `told` whose version is behind the table's
    newer: Indexes
    actual: Versions  # the table's version of every row in `told`; -1 = it is not there

    @property
    def count(self) -> int:
        return len(self.missing) + len(self.extra) + len(self.older) + len(self.newer)


def difference(told: Rows, table: Rows) -> Difference:
    """Both ordered by key, each key once."""
    at = np.searchsorted(table.key, told.key)
    found = at < len(table.key)
    found[found] = table.key[at[found]] == told.key[found]
    actual = np.full(len(told.key), -1, dtype=np.int64)
    actual[found] = table.version[at[found]]
    missing = np.ones(len(table.key), dtype=np.bool_)
    missing[at[found]] = False
    return Difference(
        missing=table.key[missing],
        extra=told.key[~found],
        older=np.flatnonzero(found & (told.version < actual)),
        newer=np.flatnonzero(found & (told.version > actual)),
        actual=actual,
    )
