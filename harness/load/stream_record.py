"""The files of one stream: stream-N.bin, stream-N.vgtids.jsonl, stream-N.attempts.jsonl (harness.streams)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.base.rundir import LineLog, RunDir
from harness.load.stream_decode import StreamBuffers
from harness.streams import Attempt, Position

FULL_BYTES = 1 << 20  # written without waiting for the next flush: bounds the memory of a fast stream


class StreamFiles:
    """Appends; what was flushed survives `kill -9`."""

    def __init__(self, run: RunDir, number: int) -> None:
        self._events = _appending(run.stream(number))
        self._vgtids = _appending(run.vgtids(number))
        self._attempts = LineLog(run.attempts(number))
        self.buffers = StreamBuffers()

    def begin(self, attempt: Attempt) -> None:
        """An attempt begins (written at once)."""
        self._attempts.append(
            {
                "step": "begin",
                "number": attempt.number,
                "begin_ns": attempt.begin_ns,
                "resume": attempt.resume,
                "start": _plain(attempt.start),
                "tables": list(attempt.tables),
            }
        )

    def end(self, attempt: Attempt) -> None:
        """It ended; everything that it received is written before that is said."""
        self.flush()
        self._attempts.append(
            {
                "step": "end",
                "number": attempt.number,
                "end_ns": attempt.end_ns,
                "code": attempt.code,
                "message": attempt.message,
                "errno": attempt.errno,
                "cpu_ns": attempt.cpu_ns,
                "responses": attempt.responses,
            }
        )

    def flush_full(self) -> None:
        """After every response: write early what has grown big."""
        if len(self.buffers.records) >= FULL_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand what there is to the kernel: the VGTIDs first, so that no record names one that is not there."""
        for fd, buffer in ((self._vgtids, self.buffers.steps), (self._events, self.buffers.records)):
            if buffer:
                _write(fd, buffer)
                buffer.clear()

    def close(self) -> None:
        self.flush()
        os.close(self._events)
        os.close(self._vgtids)
        self._attempts.close()


def _plain(positions: Sequence[Position]) -> list[dict[str, object]]:
    return [{"shard": each.shard, "gtid": each.gtid, "last_pks": dict(each.last_pks)} for each in positions]


def _appending(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def _write(fd: int, buffer: bytearray) -> None:
    with memoryview(buffer) as view:
        written = 0
        while written < len(view):
            with view[written:] as rest:
                written += os.write(fd, rest)
