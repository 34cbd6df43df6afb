"""A MoveTables run from a few lines: a copy that was cut and came to its end; a test changes one thing.

Times are seconds of the run: 0 baseline, 2 copy begins, 8 everything is copied, 12 caught up, 14 read back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from harness.base.clock import ClockBase
from harness.facts.workflows import CAUGHT_UP, DIFF_BEGINS, DIFFED
from harness.history import History, Rows, Series, TableRead
from harness.items import ItemsSpec, first_id, seeded_rows
from harness.model import (
    ROW_DTYPE,
    ClusterSpec,
    Event,
    FaultSpan,
    KeyspaceSpec,
    LoadSpec,
    Node,
    Plan,
    Role,
    Sample,
    Scalar,
    Workload,
)

SECOND = 1_000_000_000
START = 1_000 * SECOND
COPY_S, COPIED_S, CAUGHT_UP_S, END_S = 2.0, 8.0, 12.0, 14.0
TICK_S = 0.5
TARGET = KeyspaceSpec(name="target", shards=2)
ITEMS = ItemsSpec(tables=2, rows=20)
PRIMARIES = {"-80": 104, "80-": 106}  # uids of the target's primaries


def ns(seconds: float) -> int:
    return START + round(seconds * SECOND)


@dataclass
class Source:
    """What a probe would have written: key → its changes."""

    steps: dict[str, list[tuple[float, Scalar]]] = field(default_factory=dict)
    stamps: list[float] = field(default_factory=lambda: [n * TICK_S for n in range(int(END_S / TICK_S) + 1)])

    def put(self, key: str, at_s: float, value: Scalar) -> None:
        self.steps.setdefault(key, []).append((at_s, value))

    def set(self, key: str, value: Scalar, at_s: float = END_S) -> None:
        """The last value of a key, whatever there was."""
        self.steps[key] = [(at_s, value)]

    def series(self) -> Series:
        samples = []
        for stamp in sorted({*self.stamps, *(at_s for steps in self.steps.values() for at_s, _ in steps)}):
            values = {key: value for key, steps in self.steps.items() for at_s, value in steps if at_s == stamp}
            samples.append(Sample(at_ns=ns(stamp), took_ns=1, values=values))
        return Series(samples)


def rows(pairs: Mapping[int, int]) -> Rows:
    return np.array(list(pairs.items()), dtype=ROW_DTYPE)


class MovedRun:
    """`tables`: (keyspace, table, shard) → id → version."""

    def __init__(self, *, atomic: bool = False, cuts: int = 1) -> None:
        self.plan = Plan(
            run_id="run-1",
            experiment="movetables/cut-300ms",
            why="a test",
            backend="local",
            cluster=ClusterSpec(shards=2, others=(TARGET,)),
            load=LoadSpec(workload=Workload.ITEMS),
            items=ITEMS,
            params={"cuts": float(cuts), "atomic_copy": float(atomic)},
            checks=(),
            seed=7,
            timeout_s=100.0,
            command_line=("vtchaos", "run"),
            harness_version="0.1.0",
        )
        self.sources: dict[str, Source] = {}
        self.faults: list[FaultSpan] = []
        self.events = [
            self.event("phase", "baseline", 0),
            self.event("phase", "copy", COPY_S),
            self.event("phase", "settle", 10),
            self.event("note", CAUGHT_UP, CAUGHT_UP_S),
            self.event("note", DIFF_BEGINS, CAUGHT_UP_S),
            self.event("note", DIFFED, CAUGHT_UP_S + 0.5, mismatch=False, compared=40),
            self.event("phase", "quiet", 13),
        ]
        self.tables: dict[tuple[str, str, str], dict[int, int]] = {}
        self.wrong: dict[tuple[str, str, str], int] = {}
        for number, table in enumerate(ITEMS.names):
            for shard, seeded in seeded_rows(ITEMS.rows, TARGET.shard_names).items():
                after = first_id(shard, number)
                for keyspace in ("ks", TARGET.name):
                    self.tables[keyspace, table, shard] = {after + n: 1 + n % 3 for n in range(1, seeded + 1)}
        for shard, uid in PRIMARIES.items():
            self._watch(shard, uid)

    def _watch(self, shard: str, uid: int) -> None:
        vt, tablet = self.shard(shard), self.tablet(shard)
        vt.put("tablet", 0, f"zone1-{uid:010d}")
        vt.put("streams", 0, 0)
        vt.put("source:1", COPY_S, shard)
        for at_s, state in ((COPY_S, "Copying"), (COPIED_S, "Running")):
            vt.put("state:1", at_s, state)
            tablet.put("VReplicationStreamState:move.MoveTables.1", at_s, state)
        vt.put("message:1", COPY_S, "")
        for at_s, left in ((COPY_S, "item_1,item_2"), (5.0, "item_2"), (COPIED_S, "")):
            vt.put("left:1", at_s, left)
        for at_s, key in ((2.5, 5), (4.5, 10)):
            vt.put("last_pk:1.item_1", at_s, first_id(shard, 0) + key)
            vt.put("last_pk:1.item_2", at_s + 3, first_id(shard, 1) + key)
        vt.put("rows_copied:1", COPIED_S, 20)
        self.log(shard, 1, COPY_S, "Stream Created", "Stopped", "{}")
        self.log(shard, 2, COPY_S, "Started Copy Phase", "Copying", "Copy phase started for 2 table(s)")
        for loops, at_s in enumerate((3.0, 4.0, 5.0, 6.0, 7.0), start=1):
            tablet.put(f"VReplicationCopyLoopCount:ks.{shard}.move.MoveTables.1", at_s, loops)
            tablet.put(f"VReplicationPhaseTimingsCounts:ks.{shard}.move.MoveTables.1.catchup", at_s, loops)
            tablet.put(f"VReplicationPhaseTimingsCounts:ks.{shard}.move.MoveTables.1.All", at_s, 3 * loops)
        vtctld = self.sources.setdefault("workflow-target", Source())
        vtctld.put(f"status:{shard}/1", COPY_S, "Copying")
        vtctld.put(f"status:{shard}/1", COPIED_S, "Running")
        vtctld.set("tables", 0)

    # ------------------------------------------------ what a test changes

    def shard(self, shard: str = "-80") -> Source:
        return self.sources.setdefault(f"workflow-target.{shard}", Source())

    def tablet(self, shard: str = "-80") -> Source:
        return self.sources.setdefault(f"vttablet-{PRIMARIES[shard]}", Source())

    @property
    def vtctld(self) -> Source:
        return self.sources["workflow-target"]

    def log(self, shard: str, number: int, at_s: float, kind: str, state: str, message: str, count: int = 1) -> None:
        self.shard(shard).put(f"log:{number}", at_s, json.dumps([1, kind, state, count, message]))

    def error(self, message: str, *, at_s: float = 4.0, state: str = "Copying", shard: str = "-80") -> None:
        self.log(shard, 10 + len(self.shard(shard).steps), at_s, "Message", state, message)

    def ends_in_error(self, message: str, *, shard: str = "-80", left: str = "item_2") -> None:
        """The stream stops for good, and every account says so."""
        self.error(message, shard=shard)
        self.log(shard, 99, 4.0, "State Changed", "Error", f"terminal error: {message}")
        vt = self.shard(shard)
        vt.set("state:1", "Error", 4.0)
        vt.set("message:1", f"terminal error: {message}", 4.0)
        vt.set("left:1", left, 4.0)
        self.tablet(shard).set("VReplicationStreamState:move.MoveTables.1", "Error", 4.0)
        self.vtctld.set(f"status:{shard}/1", "Error", 4.5)
        self.without_note(CAUGHT_UP)
        self.without_note(DIFFED)

    def reparent(self, begin_s: float, end_s: float) -> None:
        details = {"keyspace": "target", "shard": "-80"}
        self.faults.append(
            FaultSpan(
                number=1,
                fault="PlannedReparent",
                targets=("target/-80",),
                details=details,
                intent_ns=ns(begin_s),
                begin_ns=ns(begin_s),
                active_ns=ns(end_s),
                observed=True,
            )
        )

    def note(self, subject: str, at_s: float, **details: str | int | float | bool) -> None:
        self.events.append(self.event("note", subject, at_s, **details))

    def without_note(self, subject: str) -> None:
        self.events = [event for event in self.events if event.subject != subject]

    def event(self, kind: str, subject: str, at_s: float, **details: str | int | float | bool) -> Event:
        return Event(at_ns=ns(at_s), kind=kind, subject=subject, details=details)

    def rows(self, keyspace: str = "target", table: str = "item_1", shard: str = "-80") -> dict[int, int]:
        return self.tables[keyspace, table, shard]

    def param(self, **params: float) -> None:
        self.plan = replace(self.plan, params={**self.plan.params, **params})

    # ------------------------------------------------ the history

    def build(self) -> History:
        return History(
            plan=self.plan,
            clock=ClockBase(monotonic_ns=START, wall_ns=0),
            nodes=tuple(
                Node(
                    name=f"vttablet-{uid}",
                    role=Role.VTTABLET,
                    version="24.0.3",
                    keyspace="target",
                    shard=shard,
                    tablet_uid=uid,
                )
                for shard, first in PRIMARIES.items()
                for uid in (first, first + 1)
            ),
            tables={
                place: TableRead(
                    keyspace=place[0],
                    table=place[1],
                    shard=place[2],
                    rows=rows(found),
                    wrong=self.wrong.get(place, 0),
                )
                for place, found in self.tables.items()
            },
            faults=tuple(self.faults),
            events=tuple(sorted(self.events, key=lambda event: event.at_ns)),
            series={name: source.series() for name, source in self.sources.items()},
        )
