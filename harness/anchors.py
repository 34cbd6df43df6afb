"""Anchored starts: a timeline acts when something has begun, not after so many seconds.

    anchor = await anchors.buffering(stage)      # the mark: what begins from here on counts
    ...                                          # the act that will make it happen, e.g. as a task
    moment = await anchor(timeout_s=20)          # reached; where, and when it was seen

Every place is looked at on its own and at its own pace, so that one that hangs does not hide another. What was reached
is a note of the run. A mark raises ClusterError where a process does not answer: its counters would tell nothing later.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp

from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import ClusterError
from harness.contracts import Stage
from harness.faults.targets import Targets
from harness.model import Node, Role, Scalar
from harness.vitess.debug_vars import VarsClient, flatten, vars_of

POLL_S = 0.005  # between an answer and the next question; an answer itself takes 1 to 5 ms
STARTS = "BufferStarts"  # go/vt/vtgate/buffer/variables.go, v0.19 to v0.24
# go/vt/vttablet/tabletserver/vstreamer/engine.go, v0.19 to v0.24: a copy is counted when it ends, its rows as they go
COPIES, ROWS = "VStreamerPhaseTiming", "RowStreamerNumRows"
SERVING = ("TabletStateName", "TabletType")
MOST_BYTES = 1 << 20  # of a log at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`at_ns`: when it was seen; `what`: a shard, a log line, a state."""

    at_ns: int
    node: str
    what: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """Not yet; what is there instead."""

    instead: str = ""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return self.instead or "nothing"


Look = Callable[[], Awaitable[Moment | Unseen]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Something that has not happened yet when its mark is taken. Call it to wait."""

    name: str
    stage: Stage
    looks: tuple[Look, ...]

    async def __call__(self, *, timeout_s: float) -> Moment:
        """The first place where it is seen. Raises WaitTimeout: nowhere, with what was seen last."""
        moment = await _first([wait.until(self.name, look, timeout_s=timeout_s, poll_s=POLL_S) for look in self.looks])
        assert isinstance(moment, Moment)
        self.stage.note(f"anchor: {self.name}", node=moment.node, what=moment.what, seen_ns=moment.at_ns)
        return moment


async def _first(waits: Iterable[Awaitable[Moment | Unseen]]) -> Moment | Unseen:
    """All have one bound: the first that ends is the one that has seen it, or all have not."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return min(done, key=tasks.index).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# ---------------------------------------------------------------- a shard buffers


async def buffering(stage: Stage, *, shards: Collection[str] = (), keyspace: str = "") -> Anchor:
    """When the first shard (of `shards`) starts buffering at any vtgate: BufferStarts grows. `what` is the shard."""
    keyspace = keyspace or stage.cluster.spec.keyspace
    client = await stage.shared(vars_of)
    vtgates = stage.cluster.nodes(Role.VTGATE)
    labels = [f"{STARTS}:{keyspace}.{shard}" for shard in shards or stage.cluster.spec.shard_names]
    marks = await asyncio.gather(*(_mark(client, stage, node, (STARTS,)) for node in vtgates))
    looks = tuple(
        partial(_starts, client, stage, node, {label: _number(mark, label) for label in labels})
        for node, mark in zip(vtgates, marks, strict=True)
    )
    return Anchor(name=f"the first shard of {keyspace} starts buffering", stage=stage, looks=looks)


async def _starts(client: VarsClient, stage: Stage, vtgate: Node, mark: dict[str, float]) -> Moment | Unseen:
    values = await _values(client, stage, vtgate, (STARTS,))
    if isinstance(values, Unseen):
        return values
    for label, before in mark.items():
        if _number(values, label) > before:
            return _seen(vtgate, label.rpartition(f"{STARTS}:")[2].partition(".")[2])
    return Unseen(f"{vtgate.name}: no shard has started to buffer")


# ---------------------------------------------------------------- a primary stops serving


async def primary_stops(stage: Stage, shard: str, *, keyspace: str = "") -> Anchor:
    """When the tablet that is the shard's primary now no longer serves as primary, as it says itself; or no longer
    answers. `what` is what it says instead."""
    primary = Targets(role=Role.VTTABLET, tablet_type="primary", shards=(shard,), keyspace=keyspace)
    client = await stage.shared(vars_of)
    (node,) = await primary.chosen(stage)
    look = partial(_stopped, client, stage, node)
    return Anchor(name=f"the primary of {shard} stops serving", stage=stage, looks=(look,))


async def _stopped(client: VarsClient, stage: Stage, node: Node) -> Moment | Unseen:
    values = await _values(client, stage, node, SERVING)
    if isinstance(values, Unseen):
        return _seen(node, repr(values))
    state = f"{values.get('TabletType', 'no type')} {values.get('TabletStateName', 'no state')}"
    return Unseen(f"{node.name}: {state}") if state.upper() == "PRIMARY SERVING" else _seen(node, state)


# ---------------------------------------------------------------- a copy is under way


async def copy_cycle(
    stage: Stage, *, number: int = 2, after_rows: int = 1, shards: tuple[str, ...] = (), tablet_type: str = "primary"
) -> Anchor:
    """In the middle of the `number`th copy cycle of a VStream since the mark, on any tablet of this type: after
    `after_rows` rows of it have left the tablet.

    A cycle that ended before so many rows were seen is not waited for again: the next one is, and `what` says which one
    it was. The counters are the tablet's: of two streams that copy from it at once each adds to them.
    """
    client = await stage.shared(vars_of)
    nodes = await Targets(role=Role.VTTABLET, tablet_type=tablet_type, shards=shards).chosen(stage)
    marks = await asyncio.gather(*(_mark(client, stage, node, (COPIES, ROWS)) for node in nodes))
    looks = tuple(
        _Copies(client, stage, node, skip=number - 1, rows=after_rows, begun=_copied(mark)).look
        for node, mark in zip(nodes, marks, strict=True)
    )
    return Anchor(name=f"in the middle of copy cycle {number}", stage=stage, looks=looks)


class _Copies:
    """Follows the copies of one tablet."""

    def __init__(
        self, client: VarsClient, stage: Stage, node: Node, *, skip: int, rows: int, begun: tuple[float, float]
    ) -> None:
        self._read = partial(_values, client, stage, node, (COPIES, ROWS))
        self._node = node
        self._skip = skip
        self._rows = rows
        self._first = self._ended = begun[0]
        self._rows_then = begun[1]

    async def look(self) -> Moment | Unseen:
        values = await self._read()
        if isinstance(values, Unseen):
            return values
        ended, rows = _copied(values)
        if ended > self._ended:  # another cycle: its rows are those from here on
            self._ended, self._rows_then = ended, rows
        cycle = f"cycle {int(ended - self._first) + 1}, {int(rows - self._rows_then)} rows"
        if ended - self._first < self._skip or rows - self._rows_then < self._rows:
            return Unseen(f"{self._node.name}: {cycle}")
        return _seen(self._node, cycle)


def _copied(values: dict[str, Scalar]) -> tuple[float, float]:
    return _number(values, f"{COPIES}:copy.count"), _number(values, ROWS)


# ---------------------------------------------------------------- a log says


def log_says(stage: Stage, pattern: str, *nodes: Node) -> Anchor:
    """When the log of one of these nodes has a line that matches, from now on. `what` is the line."""
    paths = [(node, stage.cluster.log_path(node)) for node in nodes]
    looks = tuple(_Log(node, path, re.compile(pattern)).look for node, path in paths)
    return Anchor(name=f"a log says {pattern!r}", stage=stage, looks=looks)


class _Log:
    """Follows one log from where it ends now."""

    def __init__(self, node: Node, path: Path, pattern: re.Pattern[str]) -> None:
        self._node = node
        self._path = path
        self._pattern = pattern
        self._at = path.stat().st_size if path.exists() else 0
        self._last = ""

    async def look(self) -> Moment | Unseen:
        for line in self._lines():
            if self._pattern.search(line):
                return _seen(self._node, line)
            self._last = line
        return Unseen(f"{self._node.name}: {self._last or 'nothing new'}")

    def _lines(self) -> list[str]:
        """Whole lines only: half a line may match half a pattern."""
        if not self._path.exists() or self._path.stat().st_size <= self._at:
            return []
        with self._path.open("rb") as log:
            log.seek(self._at)
            raw = log.read(MOST_BYTES)
        whole = raw[: raw.rfind(b"\n") + 1]
        self._at += len(whole)
        return whole.decode(errors="replace").splitlines()


# ---------------------------------------------------------------- reading


async def _values(client: VarsClient, stage: Stage, node: Node, keep: tuple[str, ...]) -> dict[str, Scalar] | Unseen:
    try:
        return flatten(await client.read(stage.cluster.address(node, "web")), keep)
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        return Unseen(f"{node.name}: no /debug/vars ({type(error).__name__})")


async def _mark(client: VarsClient, stage: Stage, node: Node, keep: tuple[str, ...]) -> dict[str, Scalar]:
    values = await _values(client, stage, node, keep)
    if isinstance(values, Unseen):
        raise ClusterError(f"nothing can be anchored to {values!r}")
    return values


def _number(values: dict[str, Scalar], key: str) -> float:
    """A key appears with its first touch: one that is absent has not been touched."""
    return float(values.get(key, 0))


def _seen(node: Node, what: str) -> Moment:
    return Moment(at_ns=now_ns(), node=node.name, what=what)
