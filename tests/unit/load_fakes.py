"""A load without a network: a clock that is set, connections that the test answers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.base.rundir import RunDir
from harness.items import ItemsSpec
from harness.load.config import Target, WorkerConfig, plan_lanes
from harness.load.engine import Engine
from harness.load.recorder import Recorder
from harness.model import OP_DTYPE, LoadSpec
from harness.mysql.wire import WireOwner, row

SECOND_NS = 1_000_000_000
START_NS = 100 * SECOND_NS


@dataclass
class FakeWire:
    """A connection; `asked` holds the statement that waits for an answer."""

    owner: WireOwner
    number: int
    asked: str = ""
    statements: list[str] = field(default_factory=list)
    gone: str = ""

    def query(self, statement: bytes) -> None:
        assert not self.gone, "a connection that was thrown away is used again"
        assert not self.asked, "two queries at once on one connection"
        self.asked = statement.decode()
        self.statements.append(self.asked)

    def discard(self) -> None:
        self.gone = self.gone or "discarded"

    def quit(self) -> None:
        self.gone = "quit"

    def ok(self) -> None:
        self.asked = ""
        self.owner.wire_ok()

    def rows(self, *rows: tuple[int, int]) -> None:
        self.asked = ""
        self.owner.wire_rows([row(key, value) for key, value in rows])

    def error(self, errno: int = 1105, message: str = "primary is not serving, there may be a reparent") -> None:
        self.asked = ""
        self.owner.wire_error(errno, message)

    def lost(self, errno: int = 2013) -> None:
        self.asked = ""
        self.owner.wire_lost(errno, "connection lost: gone")


class Bench:
    """An Engine in a virtual world."""

    def __init__(
        self,
        folder: Path,
        spec: LoadSpec,
        *,
        shards: tuple[str, ...] = ("-80", "80-"),
        seed: int = 7,
        ready: bool = True,
        items: ItemsSpec | None = None,
    ) -> None:
        self.now_ns = START_NS
        self.run = RunDir.create(folder / "run")
        target = Target(vtgate="vtgate-1", host="127.0.0.1", port=1)
        self.lanes = plan_lanes(spec, [target], shards, items)
        config = WorkerConfig(
            worker=0,
            target=target,
            database="ks",
            lanes=self.lanes,
            spec=spec,
            seed=seed,
            run=self.run.path,
            live=self.run.path / "live",
            abrupt=False,
            items=items,
            shards=shards,
        )
        self.recorder = Recorder(self.run.ops(0), self.run.messages(0), worker=0)
        self.wires: list[FakeWire] = []
        self.dialled: deque[FakeWire] = deque()
        self.engine = Engine(config, connect=self._connect, recorder=self.recorder, clock=lambda: self.now_ns)
        self.engine.open()
        if ready:
            self.accept()
        self.engine.begin(START_NS)

    def _connect(self, owner: WireOwner) -> FakeWire:
        wire = FakeWire(owner, len(self.wires))
        self.wires.append(wire)
        self.dialled.append(wire)
        return wire

    def accept(self) -> None:
        """Every connection that is being made stands."""
        while self.dialled:
            wire = self.dialled.popleft()
            if not wire.gone:
                wire.owner.wire_ready()

    def refuse(self) -> None:
        """Every connection that is being made fails."""
        for wire in list(self.dialled):
            self.dialled.remove(wire)
            if not wire.gone:
                wire.owner.wire_lost(2003, "cannot connect: refused")

    def advance(self, seconds: float, *, answer: bool = False) -> None:
        """Let time pass in steps of a millisecond, as the worker's tick does; answer everything if asked to."""
        for _ in range(round(seconds * 1000)):
            self.now_ns += 1_000_000
            self.engine.issue(self.now_ns)
            if self.now_ns % 20_000_000 == 0:
                self.engine.scan(self.now_ns)
            if answer:
                self.accept()
                self.answer_all()

    def answer_all(self) -> None:
        """Answer what waits, truthfully."""
        for wire in self.busy():
            if wire.asked.startswith("SELECT"):
                key = int(wire.asked.rsplit(" ", 1)[1])
                wire.rows((key, self.written()[key]))
            else:
                wire.ok()

    def written(self) -> dict[int, int]:
        """Every row that was asked to be inserted."""
        inserts = (text for wire in self.wires for text in wire.statements if text.startswith("INSERT"))
        pairs = (text.partition("VALUES (")[2].rstrip(")").split(", ") for text in inserts)
        return {int(key): int(value) for key, value in pairs}

    def busy(self) -> list[FakeWire]:
        return [wire for wire in self.wires if wire.asked and not wire.gone]

    def ops(self) -> npt.NDArray[np.void]:
        """What was recorded so far."""
        self.recorder.flush()
        return np.fromfile(self.run.ops(0), dtype=OP_DTYPE)
