"""What a recorded stream consists of: events of an attempt and shard, positions, and attempts that belong together.

A client that resumes from a checkpoint throws away what came after it, as every consumer of VStream must: the
rows of the transaction that was cut off come once more. `Chain` says which events count.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.history import History
from harness.model import Node, Role
from harness.streams import NO_INDEX, Attempt, Events, EventType, Position, StreamRecord

HARNESS_ENDED = ("", "STOPPED", "LEFT")  # codes of attempts that nobody but our own client ended, or that go on
SCRATCH, CHECKPOINT = "scratch", "checkpoint"

Indexes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Where = tuple[int, int]  # attempt, index of the shard in its StreamLane


def failed(attempt: Attempt) -> bool:
    """The server ended it, with or without an error."""
    return attempt.code not in HARNESS_ENDED


def groups(events: Events) -> Mapping[Where, Indexes]:
    """Where the events of each attempt and shard are, in order of arrival; shard NO_INDEX = of no shard."""
    if not len(events):
        return {}
    key = (events["attempt"].astype(np.uint32) << 16) | events["shard"]
    order = np.argsort(key, kind="stable")
    keys, starts = np.unique(key[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {
        (int(of) >> 16, int(of) & 0xFFFF): part.astype(np.int64, copy=False)
        for of, part in zip(keys, parts, strict=True)
        if len(part)
    }


def rows_in(events: Events, indexes: Indexes) -> Indexes:
    """Those of `indexes` that are ROW events."""
    found: Indexes = indexes[events["type"][indexes] == EventType.ROW]
    return found


_NONE: Indexes = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Places:
    """The positions of one shard in one attempt: the VGTID event at `index[i]` (ascending) moved it to
    `positions[i]`; `start` is where the attempt began (None = from scratch), `vgtids` are all its VGTID events."""

    start: Position | None = None
    index: Indexes = field(default_factory=lambda: _NONE)
    positions: Sequence[Position] = ()
    vgtids: Indexes = field(default_factory=lambda: _NONE)

    def steps(self) -> Iterator[tuple[int, Position, Position]]:
        """Every move: event, from, to."""
        before = self.start or Position(shard="", gtid="")
        for index, position in zip(self.index.tolist(), self.positions, strict=True):
            yield index, before, position
            before = position

    def kept(self, resumed: Position) -> int | None:
        """Up to where (exclusive) the events count, when the next attempt resumes from there: to the last VGTID that
        says so. None when the shard never was there."""
        for place in range(len(self.positions) - 1, -1, -1):
            if same(self.positions[place], resumed):
                return self._last_before(place + 1)
        return self._last_before(0) if self.start is not None and same(self.start, resumed) else None

    def _last_before(self, step: int) -> int:
        """The index behind the last VGTID event before a step; 0 = there is none."""
        upto = self.index[step] if step < len(self.index) else np.iinfo(np.int64).max
        before = self.vgtids[self.vgtids < upto]
        return int(before[-1]) + 1 if len(before) else 0


def same(one: Position, other: Position) -> bool:
    return one.gtid == other.gtid and dict(one.last_pks) == dict(other.last_pks)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Attempts that continue each other: the first from scratch, the others each from a checkpoint of the one before.

    `kept[attempt, shard]`: events of it from this index on were thrown away; absent = all count. `current`: no later
    attempt for these tables began from scratch. `lost`: resumed from positions that the stream never had.
    """

    attempts: tuple[Attempt, ...]
    tables: tuple[str, ...]
    kept: Mapping[Where, int]
    lost: tuple[str, ...] = ()
    current: bool = True

    @property
    def last(self) -> Attempt:
        return self.attempts[-1]


class Stream:
    """A record with what most checks ask of it."""

    def __init__(self, record: StreamRecord) -> None:
        self.record = record
        self.lane = record.lane
        self.events = record.events

    @cached_property
    def groups(self) -> Mapping[Where, Indexes]:
        return groups(self.events)

    @property
    def mark(self) -> int:
        """Number of the mark table."""
        return len(self.lane.tables) - 1

    @cached_property
    def attempts(self) -> Mapping[int, Attempt]:
        return {attempt.number: attempt for attempt in self.record.attempts}

    @cached_property
    def shard_groups(self) -> tuple[tuple[Attempt, int, Indexes], ...]:
        """(attempt, shard, its events), in that order; without the events of no shard."""
        return tuple(
            (self.attempts[number], shard, indexes)
            for (number, shard), indexes in sorted(self.groups.items())
            if shard != NO_INDEX
        )

    def tables_of(self, attempt: Attempt) -> tuple[str, ...]:
        """What an attempt asked for."""
        return attempt.tables or self.lane.tables

    def item_tables_of(self, attempt: Attempt) -> tuple[int, ...]:
        """The same as numbers, without the mark table."""
        asked = self.tables_of(attempt)
        return tuple(number for number, name in enumerate(self.lane.tables[:-1]) if name in asked)

    def events_of(self, attempt: int, shard: int) -> Indexes:
        return self.groups.get((attempt, shard), _NONE)

    @cached_property
    def places(self) -> Mapping[Where, Places]:
        """For every attempt and shard, the positions that its VGTIDs say."""
        starts = {(a.number, p.shard): p for a in self.record.attempts for p in a.start}
        steps: dict[Where, tuple[list[int], list[Position]]] = {
            (attempt.number, shard): ([], [])
            for attempt in self.record.attempts
            for shard in range(len(self.lane.shards))
        }
        shard_of = {shard: number for number, shard in enumerate(self.lane.shards)}
        at = self._event_of_vgtid
        for step in self.record.vgtids:
            where = step.attempt, shard_of.get(step.position.shard, NO_INDEX)
            if where in steps and step.number < len(at) and at[step.number] >= 0:
                steps[where][0].append(int(at[step.number]))
                steps[where][1].append(step.position)
        for where, (indexes, positions) in steps.items():
            order = sorted(range(len(indexes)), key=indexes.__getitem__)  # a no-op, unless VGTIDs came in wrong order
            steps[where] = [indexes[place] for place in order], [positions[place] for place in order]
        return {
            where: Places(
                start=starts.get((where[0], self.lane.shards[where[1]])),
                index=np.array(indexes, dtype=np.int64),
                positions=tuple(positions),
                vgtids=self._of_type(self.events_of(*where), EventType.VGTID),
            )
            for where, (indexes, positions) in steps.items()
        }

    def _of_type(self, indexes: Indexes, kind: EventType) -> Indexes:
        found: Indexes = indexes[self.events["type"][indexes] == kind]
        return found

    @cached_property
    def _event_of_vgtid(self) -> Indexes:
        """Number of a VGTID → index of its event; -1 = it was not recorded any more."""
        indexes = np.flatnonzero(self.events["type"] == EventType.VGTID)
        numbers = self.events["vgtid"][indexes]
        found = np.full(int(numbers.max()) + 1 if len(numbers) else 1, -1, dtype=np.int64)
        found[numbers] = indexes
        return found

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """Which attempts belong together, in order of their first."""
        made: list[list[Attempt]] = []
        latest: dict[tuple[str, ...], list[Attempt]] = {}
        for attempt in sorted(self.record.attempts, key=lambda attempt: attempt.number):
            tables = self.tables_of(attempt)
            if attempt.resume == CHECKPOINT and tables in latest:
                latest[tables].append(attempt)
            else:
                latest[tables] = [attempt]
                made.append(latest[tables])
        return tuple(self._chain(parts, current=parts is latest[self.tables_of(parts[0])]) for parts in made)

    def _chain(self, attempts: Sequence[Attempt], *, current: bool) -> Chain:
        kept: dict[Where, int] = {}
        lost: list[str] = []
        for before, after in itertools.pairwise(attempts):
            starts = {position.shard: position for position in after.start}
            for shard, name in enumerate(self.lane.shards):
                resumed = starts.get(name, Position(shard=name, gtid=""))
                upto = self._kept(before, shard, resumed)
                if upto is None:
                    lost.append(f"attempt {after.number} resumed {name} from a position that it never had")
                else:
                    kept[before.number, shard] = upto
        return Chain(
            attempts=tuple(attempts),
            tables=self.tables_of(attempts[0]),
            kept=kept,
            lost=tuple(lost),
            current=current,
        )

    def _kept(self, attempt: Attempt, shard: int, resumed: Position) -> int | None:
        if not resumed.gtid and not resumed.last_pks:
            return 0  # the shard begins anew
        return self.places[attempt.number, shard].kept(resumed)

    def counting(self, chain: Chain, shard: int) -> Indexes:
        """The events of a shard that count in a chain, in order of arrival."""
        parts = []
        for attempt in chain.attempts:
            indexes = self.events_of(attempt.number, shard)
            upto = chain.kept.get((attempt.number, shard))
            parts.append(indexes if upto is None else indexes[indexes < upto])
        return np.concatenate(parts) if parts else _NONE

    def marked(self, chain: Chain) -> frozenset[int]:
        """The shards whose mark row a chain has seen, in what counts."""
        return frozenset(shard for shard in range(len(self.lane.shards)) if self._has_mark(chain, shard))

    def _has_mark(self, chain: Chain, shard: int) -> bool:
        rows = rows_in(self.events, self.counting(chain, shard))
        return bool((self.events["table"][rows] == self.mark).any())


def streams(history: History) -> tuple[Stream, ...]:
    """Every recorded stream."""
    return tuple(Stream(record) for record in history.streams)


def vttablet_growths(history: History, key: str) -> Iterator[tuple[Node, float | None]]:
    """How much a counter of each vttablet that was sampled grew since the first stream began; None as `Series.growth`.
    Nothing when no stream began."""
    begins = [attempt.begin_ns for record in history.streams for attempt in record.attempts]
    if begins:
        for node in history.nodes:
            if node.role is Role.VTTABLET and node.name in history.series:
                yield node, history.series[node.name].growth(key, min(begins))
