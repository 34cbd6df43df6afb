"""`streams-live.bin`: how far every stream is, shared by the stream workers, the driver and whoever watches.

    head      magic, number of workers, number of streams, begin_ns, stop_ns   (the driver writes)
    workers   WORKER_DTYPE × workers                                            (each worker its row)
    streams   STREAM_DTYPE × streams, by stream number                          (its worker)

As harness.load.live: no socket, and what it last held is still there after `kill -9`.
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

NAME = "streams-live.bin"
_MAGIC = b"vtstrm1\0"
_HEAD = struct.Struct("<8sIIqq")
_ORDERS = struct.Struct("<qq")
_ORDERS_AT = 16

WORKER_DTYPE = np.dtype([("pid", "<u4"), ("state", "<u4"), ("beat_ns", "<i8"), ("note", "S112")])
_WORKER = struct.Struct("<IIq112s")
assert _WORKER.size == WORKER_DTYPE.itemsize

STREAM_DTYPE = np.dtype(
    [
        ("rows", "<u8"),
        ("responses", "<u8"),
        ("state", "<u4"),  # StreamState
        ("attempts", "<u4"),
        ("marks", "<u4"),
        ("cycles", "<u4"),
        ("message", "S416"),  # how the last attempt ended
    ]
)
_STREAM = struct.Struct("<QQIIII416s")
assert _STREAM.size == STREAM_DTYPE.itemsize

Rows = npt.NDArray[np.void]


class WorkerState(enum.IntEnum):
    """How far a worker is."""

    STARTING = 0
    READY = 1
    RUNNING = 2
    STOPPED = 3  # everything is written


@dataclass(frozen=True, slots=True)
class Orders:
    """What the driver asks of the workers; 0 = not yet."""

    begin_ns: int
    stop_ns: int


class LiveFile:
    """The mapped file, for its creator, its writers and its readers."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        try:
            fd = os.open(path, os.O_RDWR if write else os.O_RDONLY)
        except FileNotFoundError:
            raise RunDirError(f"{path} does not exist: no stream was started in this run") from None
        try:
            self._map = mmap.mmap(fd, 0, access=mmap.ACCESS_WRITE if write else mmap.ACCESS_READ)
        finally:
            os.close(fd)
        magic, workers, streams, *_ = _HEAD.unpack_from(self._map, 0)
        if magic != _MAGIC:
            raise RunDirError(f"{path} is not a file of live streams of this version")
        self._streams_at = _HEAD.size + workers * WORKER_DTYPE.itemsize
        self.worker_count: int = workers
        self.stream_count: int = streams

    @classmethod
    def create(cls, path: Path, *, workers: int, streams: int) -> LiveFile:
        size = _HEAD.size + workers * WORKER_DTYPE.itemsize + streams * STREAM_DTYPE.itemsize
        head = _HEAD.pack(_MAGIC, workers, streams, 0, 0)
        path.write_bytes(head + bytes(size - len(head)))
        return cls(path, write=True)

    @property
    def orders(self) -> Orders:
        return Orders(*_ORDERS.unpack_from(self._map, _ORDERS_AT))

    def order(self, orders: Orders) -> None:
        _ORDERS.pack_into(self._map, _ORDERS_AT, orders.begin_ns, orders.stop_ns)

    def workers(self) -> Rows:
        """A copy of all workers' rows."""
        raw = self._map[_HEAD.size : self._streams_at]
        return np.frombuffer(raw, dtype=WORKER_DTYPE, count=self.worker_count)

    def streams(self) -> Rows:
        """A copy of all streams' rows: stream N is row N - 1."""
        return np.frombuffer(self._map[self._streams_at :], dtype=STREAM_DTYPE, count=self.stream_count)

    def write_worker(self, worker: int, *, state: WorkerState, at_ns: int, note: str = "") -> None:
        at = _HEAD.size + worker * WORKER_DTYPE.itemsize
        _WORKER.pack_into(self._map, at, os.getpid(), state, at_ns, _clipped(note, 111))

    def write_stream(
        self,
        number: int,
        *,
        rows: int,
        responses: int,
        state: int,
        attempts: int,
        marks: int,
        cycles: int,
        message: str,
    ) -> None:
        at = self._streams_at + (number - 1) * STREAM_DTYPE.itemsize
        _STREAM.pack_into(self._map, at, rows, responses, state, attempts, marks, cycles, _clipped(message, 415))

    def close(self) -> None:
        self._map.close()


def _clipped(text: str, size: int) -> bytes:
    return text.encode(errors="replace")[:size]
