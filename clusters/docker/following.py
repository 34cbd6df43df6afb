"""What an engine tells by itself: the output of containers, and their ends. A thread for every stream.

The SDK's streams block; a thread copies a container's output into its log file, another one listens to the events of
the run. They end with what they listen to, or when they are stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import docker.errors
import requests.exceptions

from clusters.docker.engine import tell

_BROKEN = (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError)


class LogFollower:
    """Appends what a container writes to a file, from its beginning or from a moment on, until it ends."""

    def __init__(self, api: Any, container: str, path: Path, *, since_s: float = 0.0) -> None:
        """`since_s`: the engine's wall clock; 0 = from the beginning. Starts at once."""
        self._stream = _Stream(lambda: api.logs(container, stream=True, follow=True, **_since(since_s)))
        self._path = path
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()  # everything is in the file
        threading.Thread(target=self._work, name=f"log of {path.stem}", daemon=True).start()

    def stop(self) -> None:
        """What has not come yet is not waited for."""
        self._stream.close()

    def _work(self) -> None:
        with self._path.open("ab", buffering=0) as log:
            try:
                for piece in self._stream:
                    log.write(piece)
            except _BROKEN as error:
                log.write(f"vtchaos: the output could not be followed any further: {error}\n".encode())
        tell(self._loop, self.ended.set)


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
        wanted = {"type": "container", "label": label, "event": ["die", "oom"]}
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


def _close(stream: Any) -> None:
    with contextlib.suppress(*_BROKEN):  # it has ended by itself
        stream.close()


def _since(since_s: float) -> dict[str, float]:
    return {"since": since_s} if since_s else {}
