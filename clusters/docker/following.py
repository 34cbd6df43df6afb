"""What an engine tells by itself: the output of containers, and their ends. A thread for every stream.

The SDK's streams block; a thread copies a container's output into its log file, another one listens to the events of
the run. They end with what they listen to, or when they are stopped. The SDK ends a stream that breaks like a whole
one, so nobody takes its end for the end of what it follows: it is opened again where it stopped, a few times in a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import docker.errors
import requests.exceptions

from clusters.docker.engine import tell
from harness.base.clock import now_ns

SIGN = b"\036vtchaos "  # of lines that we have written ourselves
AGAIN_AFTER_S = (0.1, 0.4, 1.0, 2.0, 4.0)  # an engine that is started anew is back after two or three seconds
_STEADY_NS = 30_000_000_000  # a stream that has lasted so long may break as often as a new one
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
        lost: Callable[[str], None] | None = None,
    ) -> None:
        """Starts at once. What the file has beyond `mark` is cut off: nobody knows what of it is whole. With `catch_up`
        what there is already is written first, and `caught_up` tells when it is. `streams`: the outputs it follows.
        `lost` hears why the rest cannot be followed."""
        self.mark = mark
        self.ended = asyncio.Event()  # everything is in the file
        self.caught_up = asyncio.Event()
        self._api = api
        self._path = path
        self._catch_up = catch_up
        self._streams = streams
        self._lost = lost
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
            why_not = self._follow(log)
            if why_not:
                log.write(f"vtchaos: the output could not be followed any further: {why_not}\n".encode())
                if self._lost is not None:
                    tell(self._loop, self._lost, why_not)
        tell(self._loop, self._end)

    def _follow(self, log: BinaryIO) -> str:
        """To the end of the container; "" or why not."""
        why_not = ""
        for _ in self._stream.openings():
            try:
                if self._catch_up:
                    self._write(log, self._entries(follow=False))
                    tell(self._loop, self.caught_up.set)
                self._write(log, self._stream)
                if self._stream.closed:
                    break
                if not self._runs():
                    self._write(log, self._entries(follow=False))  # the stream may have broken before
                    return ""
                why_not = "the engine has ended the stream"
            except docker.errors.APIError as error:  # its answer, no break
                return "" if error.status_code == 404 else str(error)  # 404: the container is gone
            except Exception as error:  # noqa: BLE001  the border of a thread; the SDK lets any library's errors out
                why_not = str(error)
        return "" if self._stream.closed else why_not

    def _runs(self) -> bool:
        return bool(self._api.inspect_container(self.mark.container)["State"].get("Running"))

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
    """The events of a run, handed to the loop."""

    def __init__(
        self,
        api: Any,
        *,
        wanted: Mapping[str, Any],
        since_s: float,
        heard: Callable[[Mapping[str, Any]], None],
        again: Callable[[], None],
        ended: Callable[[str], None],
    ) -> None:
        """`wanted`: the engine's filters. `since_s`: what happened from then on is told too. `again` is called when the
        stream had broken and was opened again: the engine keeps only its last 256 events, and none over a start of its
        own, so something may be missing. `ended` hears why no more will come."""
        self._since = f"{since_s:.6f}"
        self._last: Mapping[str, Any] = {}
        self._stream = _Stream(lambda: api.events(since=self._since, filters=dict(wanted), decode=True))
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._again = again
        self._ended = ended
        threading.Thread(target=self._work, name="docker events", daemon=True).start()

    def stop(self) -> None:
        self._stream.close()

    def _work(self) -> None:
        why = ""
        for number in self._stream.openings():
            try:
                events = iter(self._stream)
                if number:
                    tell(self._loop, self._again)
                self._listen(events)
                why = "the engine has ended the stream of its events"
            except Exception as error:  # noqa: BLE001  the border of a thread; the SDK lets any library's errors out
                why = f"the engine's events could not be followed any further: {error}"
        if not self._stream.closed:
            tell(self._loop, self._ended, why)

    def _listen(self, events: Iterator[Mapping[str, Any]]) -> None:
        for event in events:
            if event == self._last:
                continue  # the last one before a break comes once more
            at_ns = int(event.get("timeNano", 0))
            if at_ns:
                self._last, self._since = event, f"{at_ns // 10**9}.{at_ns % 10**9:09d}"
            tell(self._loop, self._heard, event)


class _Stream:
    """One of the SDK's streams, which can be closed from the loop at any moment, also before it is open."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        self._opened = opened
        self._open: Any = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.closed = False

    def __iter__(self) -> Any:
        stream = self._opened()
        with self._lock:
            self._open = stream
            if self.closed:
                _close(stream)
        return iter(stream)

    def openings(self) -> Iterator[int]:
        """Numbers from 0: each time that it is to be opened, until it is closed or has broken too often in a row."""
        number, waits = 0, iter(AGAIN_AFTER_S)
        while not self.closed:
            begun_ns = now_ns()
            yield number
            number += 1
            if now_ns() - begun_ns > _STEADY_NS:
                waits = iter(AGAIN_AFTER_S)
            pause_s = next(waits, None)
            if pause_s is None:
                return
            self._closing.wait(pause_s)

    def close(self) -> None:
        self._closing.set()
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
