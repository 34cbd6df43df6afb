"""`load-live.bin`: counters of every lane, shared by the workers, the driver and whoever watches.

    head      magic, number of workers, number of lanes, start_ns, stop_ns, abandon_ns   (the driver writes)
    workers   WORKER_DTYPE × workers                                                      (each worker its row)
    lanes     LANE_DTYPE × lanes, by lane number                                          (its worker)

A file in shared memory needs no socket between driver and worker, and what it last held is still
there after `kill -9`. Each field has one writer, and every field is aligned, so a reader sees whole
values; a row is not one instant.
"""

from __future__ import annotations

import enum
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.base.errors import RunDirError

NAME = "load-live.bin"
_MAGIC = b"vtlive1\0"
_HEAD = struct.Struct("<8sIIqqq")
_START = struct.Struct("<qqq")
_START_AT = 16

WORKER_DTYPE = np.dtype(
    [
        ("pid", "<u4"),
        ("state", "<u4"),  # WorkerState
        ("wanted", "<u4"),  # connections
        ("connected", "<u4"),
        ("beat_ns", "<i8"),  # when the worker last wrote
        ("note", "S104"),  # its last trouble
    ]
)
_WORKER = struct.Struct("<IIIIq104s")
assert _WORKER.size == WORKER_DTYPE.itemsize

LANE_DTYPE = np.dtype(
    [
        ("issued", "<u8"),
        ("ok", "<u8"),
        ("fail", "<u8"),
        ("unknown", "<u8"),
        ("not_issued", "<u8"),
        ("last_ok_ns", "<i8"),
        ("last_error_ns", "<i8"),
        ("max_stall_ns", "<i8"),  # longest time without an OK so far, the present one included
        ("in_flight", "<u4"),
        ("queued", "<u4"),  # arrivals that wait for a connection
        ("last_errno", "<u4"),
        ("spare", "<u4"),
    ]
)
LANE = struct.Struct("<QQQQQqqqIIII")
assert LANE.size == LANE_DTYPE.itemsize

Rows = npt.NDArray[np.void]


class WorkerState(enum.IntEnum):
    """How far a worker is."""

    STARTING = 0
    READY = 1  # every connection was made
    RUNNING = 2
    STOPPED = 3  # everything is written


@dataclass(frozen=True, slots=True)
class Orders:
    """What the driver asks of the workers; 0 = not yet."""

    start_ns: int  # arrivals begin
    stop_ns: int  # arrivals end; what is in flight may finish
    abandon_ns: int  # give up what is still in flight


class LiveFile:
    """The mapped file, for its creator, its writers and its readers."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        try:
            fd = os.open(path, os.O_RDWR if write else os.O_RDONLY)
        except FileNotFoundError:
            raise RunDirError(f"{path} does not exist: no load was started in this run") from None
        try:
            self._map = mmap.mmap(fd, 0, access=mmap.ACCESS_WRITE if write else mmap.ACCESS_READ)
        finally:
            os.close(fd)
        magic, workers, lanes, *_ = _HEAD.unpack_from(self._map, 0)
        if magic != _MAGIC:
            raise RunDirError(f"{path} is not a file of live counters of this version")
        self._workers_at = _HEAD.size
        self._lanes_at = _HEAD.size + workers * WORKER_DTYPE.itemsize
        self.worker_count: int = workers
        self.lane_count: int = lanes

    @classmethod
    def create(cls, path: Path, *, workers: int, lanes: int) -> LiveFile:
        size = _HEAD.size + workers * WORKER_DTYPE.itemsize + lanes * LANE_DTYPE.itemsize
        head = _HEAD.pack(_MAGIC, workers, lanes, 0, 0, 0)
        path.write_bytes(head + bytes(size - len(head)))
        return cls(path, write=True)

    @property
    def orders(self) -> Orders:
        return Orders(*_START.unpack_from(self._map, _START_AT))

    def order(self, orders: Orders) -> None:
        _START.pack_into(self._map, _START_AT, orders.start_ns, orders.stop_ns, orders.abandon_ns)

    def lanes(self) -> Rows:
        """A copy of all lanes' counters, by lane number."""
        return np.frombuffer(self._map[self._lanes_at :], dtype=LANE_DTYPE, count=self.lane_count)

    def workers(self) -> Rows:
        """A copy of all workers' rows."""
        raw = self._map[self._workers_at : self._lanes_at]
        return np.frombuffer(raw, dtype=WORKER_DTYPE, count=self.worker_count)

    def write_worker(
        self, worker: int, *, state: WorkerState, wanted: int, connected: int, at_ns: int, note: str, pid: int = 0
    ) -> None:
        """`pid`: of the worker, when somebody else writes its row."""
        at = self._workers_at + worker * WORKER_DTYPE.itemsize
        text = note.encode(errors="replace")[:103]
        _WORKER.pack_into(self._map, at, pid or os.getpid(), state, wanted, connected, at_ns, text)

    def write_lane(self, number: int, values: tuple[int, ...]) -> None:
        """`values` in the order of LANE_DTYPE."""
        LANE.pack_into(self._map, self._lanes_at + number * LANE.size, *values)

    def close(self) -> None:
        self._map.close()
