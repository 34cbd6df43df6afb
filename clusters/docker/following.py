"""What an engine tells by itself: the output of containers, and their ends. A thread for every stream.

The SDK's streams block; a thread copies a container's output into its log file, another one listens to the events of
the run. They end with what they listen to, or when they are stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import docker.errors
import requests.exceptions

from clusters.docker.engine import tell

SIGN = b"\036vtchaos "  # of lines that we have written ourselves
_BROKEN = (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a log file follows a container: up to the entry with this stamp, which ends at this size."""

    container: str
    stamp: str = ""  # the engine's, RFC 3339 with nine digits, so that they can be compared as text; "" = nothing yet
    size: int = 0
    seen: int = 0  # entries of the stamp's millisecond: parts of one long line have one stamp


class LogFollower:
    """Appends what a container writes to a file until it ends; goes on where another follower stopped."""

    def __init__(
        self,
        api: Any,
        path: Path,
        mark: Mark,
        *,
        catch_up: bool = False,
        streams: Mapping[str, bool] = MappingProxyType({"stdout": True, "stderr": True}),
    ) -> None:
        """Starts at once. What the file has beyond `mark` is cut off: nobody knows what of it is whole. With `catch_up`
        what there is already is written first, and `caught_up` tells when it is. `streams`: the outputs it follows."""
        self.mark = mark
        self.ended = asyncio.Event()  # everything is in the file
        self.caught_up = asyncio.Event()
        self._api = api
        self._path = path
        self._catch_up = catch_up
        self._streams = streams
        self._awaited: dict[bytes, asyncio.Event] = {}
        self._stream = _Stream(lambda: self._entries(follow=True))
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._work, name=f"log of {path.stem}", daemon=True).start()

    def reached(self, text: bytes) -> asyncio.Event:
        """Set when a text that begins with SIGN has come. It, or what comes after it in its line, is not kept."""
        return self._awaited.setdefault(text, asyncio.Event())

    def stop(self) -> None:
        """What has not come yet is not waited for."""
        self._stream.close()

    def _work(self) -> None:
        with self._path.open("ab", buffering=0) as log:
            log.truncate(self.mark.size)
            try:
                if self._catch_up:
                    self._write(log, self._entries(follow=False))
                    tell(self._loop, self.caught_up.set)
                self._write(log, self._stream)
            except _BROKEN as error:
                log.write(f"vtchaos: the output could not be followed any further: {error}\n".encode())
        tell(self._loop, self._end)

    def _end(self) -> None:
        self.caught_up.set()
        self.ended.set()

    def _entries(self, *, follow: bool) -> Any:
        since = {"since": _seconds(self.mark.stamp)} if self.mark.stamp else {}
        return self._api.logs(
            self.mark.container, stream=True, follow=follow, timestamps=True, **self._streams, **since
        )

    def _write(self, log: BinaryIO, entries: Iterable[bytes]) -> None:
        again = self.mark.seen  # what comes once more, as the engine's `since` is not as fine as its stamps
        for entry in entries:
            stamp, _, text = entry.partition(b" ")
            when = stamp.decode(errors="replace")
            if again:
                again -= _moment(when) >= _moment(self.mark.stamp)
                continue
            log.write(self._without_sign(text))
            self.mark = _past(self.mark, when, log.tell())

    def _without_sign(self, text: bytes) -> bytes:
        begin = text.find(SIGN)
        if begin < 0:
            return text
        event = self._awaited.get(text[begin:])
        if event is not None:
            tell(self._loop, event.set)
        return text[:begin]


class EventFollower:
    """The events of a run's containers, handed to the loop."""

    def __init__(
        self,
        api: Any,
        *,
        label: str,
        since_s: float,
        heard: Callable[[Mapping[str, Any]], None],
        ended: Callable[[str], None],
    ) -> None:
        """`since_s`: what happened from then on is told too. `ended` hears why no more will come."""
        wanted = {"type": "container", "label": label, "event": ["die", "exec_die"]}
        self._stream = _Stream(lambda: api.events(since=int(since_s) or None, filters=wanted, decode=True))
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._ended = ended
        threading.Thread(target=self._work, name="docker events", daemon=True).start()

    def stop(self) -> None:
        self._stream.close()

    def _work(self) -> None:
        why = "the engine has ended the stream of its events"
        try:
            for event in self._stream:
                tell(self._loop, self._heard, event)
        except (*_BROKEN, json.JSONDecodeError) as error:
            why = f"the engine's events could not be followed any further: {error}"
        if not self._stream.closed:
            tell(self._loop, self._ended, why)


class _Stream:
    """One of the SDK's streams, which can be closed from the loop at any moment, also before it is open."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        self._opened = opened
        self._open: Any = None
        self._lock = threading.Lock()
        self.closed = False

    def __iter__(self) -> Any:
        stream = self._opened()
        with self._lock:
            self._open = stream
            if self.closed:
                _close(stream)
        return iter(stream)

    def close(self) -> None:
        with self._lock:
            self.closed = True
            if self._open is not None:
                _close(self._open)


def _past(mark: Mark, stamp: str, size: int) -> Mark:
    """The mark behind one more entry. A part of a long line may be older than what another output wrote meanwhile."""
    if _moment(stamp) > _moment(mark.stamp):
        return replace(mark, stamp=stamp, size=size, seen=1)
    return replace(mark, size=size, seen=mark.seen + (_moment(stamp) == _moment(mark.stamp)))


def _moment(stamp: str) -> str:
    """To the millisecond, as `_seconds` has it."""
    return stamp[:23]


def _close(stream: Any) -> None:
    with contextlib.suppress(*_BROKEN):  # it has ended by itself
        stream.close()


def _seconds(stamp: str) -> float:
    """Since the epoch, rounded down to what a float holds."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return seconds + int(fraction[:3].ljust(3, "0")) / 1000
