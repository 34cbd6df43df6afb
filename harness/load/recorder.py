"""Operation records on their way to `ops-W.bin`: packed where they happen, written every 100 ms.

One struct.pack_into a record into a buffer that is made once; `kill -9` loses what was not flushed.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from harness.base import jsonio
from harness.model import OP_DTYPE
from harness.mysql.outcome import normalised

_RECORD = struct.Struct("<qqqQQIHHHBBBBH")
assert _RECORD.size == OP_DTYPE.itemsize
RECORDS = 4096
MAX_MESSAGES = 5000  # distinct ones; what comes later is counted under a last one


class Messages:
    """Distinct error messages, numbered from 1. Two that differ in keys, addresses or times only are one,
    kept as its first appearance said it."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._numbers: dict[tuple[int, str], int] = {}
        self._overflow = 0

    def number(self, errno: int, text: str) -> int:
        key = (errno, normalised(text))
        number = self._numbers.get(key)
        if number is None:
            if len(self._numbers) >= MAX_MESSAGES:
                return self._full()
            number = self._numbers[key] = len(self._numbers) + 1
            self._write(number, errno, text)
        return number

    def _full(self) -> int:
        if not self._overflow:
            self._overflow = MAX_MESSAGES + 1
            self._write(self._overflow, 0, f"(one of more than {MAX_MESSAGES} distinct messages)")
        return self._overflow

    def _write(self, number: int, errno: int, text: str) -> None:
        os.write(self._fd, jsonio.line({"number": number, "errno": errno, "text": text}))

    def close(self) -> None:
        os.close(self._fd)


class Recorder:
    """Appends records; the caller flushes at its own pace, and a full buffer flushes itself."""

    __slots__ = ("_at", "_buffer", "_end", "_fd", "_pack_into", "_worker", "messages", "written")

    def __init__(self, ops: Path, messages: Path, *, worker: int) -> None:
        self._fd = os.open(ops, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._buffer = bytearray(RECORDS * _RECORD.size)
        self._end = len(self._buffer)
        self._at = 0
        self._worker = worker
        self._pack_into = _RECORD.pack_into
        self.messages = Messages(messages)
        self.written = 0

    def record(
        self,
        intended_ns: int,
        sent_ns: int,
        done_ns: int,
        key: int,
        value: int,
        message: int,
        errno: int,
        lane: int,
        connection: int,
        kind: int,
        outcome: int,
        rows: int,
    ) -> None:
        """One operation, in the order of OP_DTYPE. Positional, because it runs once an operation."""
        at = self._at
        self._pack_into(
            self._buffer, at, intended_ns, sent_ns, done_ns, key, value, message, errno, lane, connection,
            kind, outcome, rows, self._worker, 0,
        )  # fmt: skip
        at += 56
        self._at = at
        if at == self._end:
            self.flush()

    def flush(self) -> None:
        """Hand what there is to the kernel: from then on it survives `kill -9`."""
        if self._at:
            with memoryview(self._buffer) as view:
                rest = view[: self._at]
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
                rest.release()
            self.written += self._at // _RECORD.size
            self._at = 0

    def close(self) -> None:
        self.flush()
        os.close(self._fd)
        self.messages.close()
