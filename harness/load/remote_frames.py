"""What the driver and a load station say to each other: frames, in both directions the same.

    {"say": "pong", "number": 3, …, "bytes": 5}\n   then 5 raw bytes

A frame is one line of JSON with the key `say`, and as many raw bytes as its `bytes` tells (none without it). The
driver's requests carry a number, which the answer repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from harness.base.errors import HarnessError

PROTOCOL = 1  # both sides must have the same; raised with every change of what is said
MAX_HEAD = 1 << 16  # bytes of a line; what is longer is no frame
MAX_BODY = 1 << 26  # the largest is the configuration of a pod: 256 workers with their lanes
SHOWN = 300  # characters of what is no frame


@dataclass(frozen=True, slots=True)
class Frame:
    """One thing said. `head` has everything but `say` and `bytes`."""

    say: str
    head: Mapping[str, Any]
    body: bytes = b""

    @property
    def number(self) -> int:
        return int(self.head.get("number", 0))


def encode(say: str, body: bytes = b"", **head: object) -> bytes:
    """A frame as it goes over the wire."""
    return orjson.dumps({"say": say, **head, "bytes": len(body)}, option=orjson.OPT_APPEND_NEWLINE) + body


class Frames:
    """Cuts what comes in into frames."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._pending = bytearray()
        self._head: dict[str, Any] | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now. Raises HarnessError for what is no frame, e.g. a shell's complaint."""
        self._pending += data
        while (frame := self._next()) is not None:
            yield frame

    def rest(self) -> str:
        """What came and is no whole frame: often the reason why nothing else will come."""
        return bytes(self._pending[:SHOWN]).decode(errors="replace").strip()

    def _next(self) -> Frame | None:
        if self._head is None:
            end = self._pending.find(b"\n")
            if end < 0 and len(self._pending) <= MAX_HEAD:
                return None
            self._head = self._parsed(bytes(self._pending[:end]) if 0 <= end <= MAX_HEAD else b"")
            del self._pending[: end + 1]
        size = self._head["bytes"]
        if len(self._pending) < size:
            return None
        body = bytes(self._pending[:size])
        del self._pending[:size]
        head, self._head = self._head, None
        return Frame(str(head.pop("say")), {key: value for key, value in head.items() if key != "bytes"}, body)

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            head = orjson.loads(line)
        except orjson.JSONDecodeError:
            head = None
        if not isinstance(head, dict) or "say" not in head or not 0 <= head.get("bytes", -1) <= MAX_BODY:
            shown = self.rest()
            raise HarnessError(f"{self._who} said something that is no frame of a load station: {shown}")
        return head
