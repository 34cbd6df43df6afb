"""What the containers print, into the run's logs; and what the agents among it say of their programs' ends.

An end comes after all that the program wrote, in the same stream: when it is known, the log is complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clusters.kubernetes.api import Api
from clusters.kubernetes.names import Box
from clusters.kubernetes.pods import POD_DELETED, Instance, Pods
from clusters.kubernetes.requests import ApiError

FOLLOW_AGAIN_S = 0.2
REST_S = 1.0  # what a container that is gone has printed comes within this
_MARK = b"\x1evtchaos-exit "


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The program of an order ended. `number` 0: with its container. `cause`: as `Exit` has it."""

    number: int
    status: int  # of a shell: 128 + n for signal n
    cause: str = ""

    @property
    def negative(self) -> int:
        """The status with signals as negative numbers."""
        return 128 - self.status if self.status > 128 else self.status


class Printed:
    """Stamped lines in, the program's own lines out. One container's, over all its streams."""

    def __init__(self, out: BinaryIO, on_end: Callable[[Ended], None]) -> None:
        self._out = out
        self._on_end = on_end
        self._rest = b""
        self._blank = False  # a line end that the agent may have put before its mark
        self._known = ""  # lines up to this stamp came already
        self.last = ""  # the stamp of the last line

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        self._out.flush()

    def again(self) -> None:
        """Another stream follows, which begins with lines that came already."""
        self._rest, self._known = b"", self.last

    def _line(self, line: bytes) -> None:
        stamp, _, text = line.partition(b" ")
        moment = stamp.decode(errors="replace")
        if self._known and moment <= self._known:
            return
        self.last = moment
        if text.startswith(_MARK):
            self._blank = False
            number, status = text[len(_MARK) :].split()
            self._out.flush()
            self._on_end(Ended(number=int(number), status=int(status)))
            return
        if self._blank:
            self._out.write(b"\n")
        self._blank = not text
        if text:
            self._out.write(text + b"\n")


@contextlib.asynccontextmanager
async def followed(
    api: Api, namespace: str, box: Box, pods: Pods, *, log: Path, since: str | None, on_end: Callable[[Ended], None]
) -> AsyncIterator[Printed]:
    """A running container's lines are written to `log` while the block lasts, those after the stamp `since`.

    "": all that the cluster still has; the file is made anew then. None: nobody has written before us. `on_end` hears
    of old ends too. What there was before the block began is in the file when it begins. Raises ApiError.
    """
    with log.open("ab" if since else "wb") as out:
        printed = Printed(out, on_end)
        printed.last = since or ""
        if since is not None:
            printed.again()
            async for piece in api.log(namespace, box.pod, box.container, stamps=True, since=printed.last):
                printed.take(piece)
        task = asyncio.create_task(_follow(api, namespace, box, pods, printed, on_end), name=f"log {box.pod}")
        try:
            yield printed
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _follow(
    api: Api, namespace: str, box: Box, pods: Pods, printed: Printed, on_end: Callable[[Ended], None]
) -> None:
    """A stream that ends while the container lives is taken up again: the API server was away."""
    while True:
        life = pods.instance(box)
        if life is None:
            await pods.changed()
            continue
        while pods.instance(box) == life:
            await _one_stream(api, namespace, box, pods, printed, life)
        cause = POD_DELETED if pods.deleted(box.pod, life) else ""
        on_end(Ended(number=0, status=128 + signal.SIGKILL, cause=cause))


async def _one_stream(api: Api, namespace: str, box: Box, pods: Pods, printed: Printed, life: Instance) -> None:
    """To its end. When the container's life is over it has a moment for the rest: of a machine that died nothing ever
    comes, not even an end."""
    printed.again()
    reading = asyncio.create_task(_read(api, namespace, box, printed), name=f"stream of {box.pod}")
    over = asyncio.create_task(_until_over(pods, box, life), name=f"life of {box.pod}")
    try:
        await asyncio.wait({reading, over}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({reading if over.done() else over}, timeout=REST_S if over.done() else FOLLOW_AGAIN_S)
    finally:
        for task in (reading, over):
            task.cancel()
        await asyncio.gather(reading, over, return_exceptions=True)
    if not reading.cancelled():
        reading.result()  # a disk that is full


async def _read(api: Api, namespace: str, box: Box, printed: Printed) -> None:
    with contextlib.suppress(ApiError):  # the container ended meanwhile, or the API server is away
        stream = api.log(namespace, box.pod, box.container, follow=True, stamps=True, since=printed.last)
        async for piece in stream:
            printed.take(piece)


async def _until_over(pods: Pods, box: Box, life: Instance) -> None:
    while pods.instance(box) == life:
        await pods.changed()
