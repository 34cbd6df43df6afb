"""Where a Docker engine's containers take their images from: the engine itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from clusters.docker.engine import Engine, Refused, errors_told, tell
from clusters.docker.labels import Marks
from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import ClusterError, WaitTimeout
from harness.contracts import Observer

PULL_TIMEOUT_S = 900.0
FIRST_PROGRESS_TIMEOUT_S = 20.0
TOLD_EVERY_NS = 200_000_000
MB = 1_000_000
_LOADING = "loading the image into the Docker engine (MB)"
# What an engine says when the registry's host cannot be reached at all.
_UNREACHABLE = (
    "no such host",
    "connection refused",
    "network is unreachable",
    "i/o timeout",
    "no route to host",
    "Client.Timeout",
    "TLS handshake timeout",
    "server misbehaving",
)
_unreachable: dict[str, str] = {}
"""Registry → why it could not be reached when this process asked it first."""


class DockerImageStore:
    """`clusters.common.images.ImageStore` of an engine."""

    def __init__(self, engine: Engine, marks: Marks, observer: Observer) -> None:
        """`marks`: of the containers that `run` makes."""
        self._engine = engine
        self._marks = marks
        self._observer = observer

    async def has(self, reference: str) -> bool:
        try:
            await self._engine.call("look for an image", self._engine.api.inspect_image, reference)
        except Refused as refused:
            if refused.gone:
                return False
            raise
        return True

    async def pull(self, reference: str) -> str:
        registry = registry_of(reference)
        if registry in _unreachable:
            return _unreachable[registry]
        pulling = _Pull(self._engine, reference, self._observer)
        try:
            why_not = await wait.finish(f"pulling {reference}", pulling.done(), timeout_s=PULL_TIMEOUT_S)
        except WaitTimeout as error:
            return str(error)
        finally:
            pulling.stop()
        if any(sign in why_not for sign in _UNREACHABLE) or pulling.silent:
            _unreachable[registry] = why_not
        return why_not

    async def load(self, archive: Path) -> None:
        total = archive.stat().st_size // MB
        loop = asyncio.get_running_loop()

        def read(done: int) -> None:
            tell(loop, self._observer.on_progress, _LOADING, done // MB, total)

        def work() -> list[Mapping[str, Any]]:
            with archive.open("rb") as source:
                return list(self._engine.patient.load_image(_Counted(source, read)) or ())

        said = await self._engine.call("load an image", work)
        for line in said:
            why_not = line.get("error") or line.get("message")
            if why_not:
                raise ClusterError(f"the Docker engine cannot load {archive.name}: {why_not}")
        self._observer.on_progress(_LOADING, total, total)

    async def run(self, reference: str, argv: tuple[str, ...], *, timeout_s: float) -> str:
        """In a container of its own without a network, as the image's own user. Raises ClusterError."""
        api = self._engine.api
        made = await self._engine.call(
            f"make a container of {reference}",
            api.create_container,
            image=reference,
            entrypoint=list(argv),
            labels=self._marks.plain(),
            host_config=api.create_host_config(network_mode="none"),
            use_config_proxy=False,
        )
        try:
            await self._engine.call(f"start {argv[0]}", api.start, made["Id"])
            ended = await self._engine.call(f"wait for {argv[0]}", api.wait, made["Id"], timeout=timeout_s)
            output = (await self._engine.call("read the output", api.logs, made["Id"])).decode(errors="replace")
        finally:
            await self._engine.remove_container(made["Id"])
        if ended["StatusCode"] != 0:
            raise ClusterError(
                f"{' '.join(argv)} in {reference} ended with exit status {ended['StatusCode']}: {output.strip()}"
            )
        return str(output)


def registry_of(reference: str) -> str:
    """The host of a reference; "" is Docker's own."""
    first, slash, _ = reference.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""


class _Pull:
    """One pull, in a thread that can be left behind: the engine stops pulling when nobody listens."""

    def __init__(self, engine: Engine, reference: str, observer: Observer) -> None:
        self._engine = engine
        self._reference = reference
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._progress = asyncio.Event()
        self._end: asyncio.Future[str] = self._loop.create_future()
        self.silent = False  # not even a first sign came

    async def done(self) -> str:
        """ "" when the image is there; else why not."""
        threading.Thread(target=self._work, name=f"pull {self._reference}", daemon=True).start()
        first = asyncio.ensure_future(self._progress.wait())
        try:
            both: set[asyncio.Future[Any]] = {self._end, first}
            await asyncio.wait(both, timeout=FIRST_PROGRESS_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if not self._end.done() and not first.done():
                self.silent = True
                return f"nothing of {self._reference} has come within {FIRST_PROGRESS_TIMEOUT_S:g} s"
            return await self._end
        finally:
            first.cancel()

    def stop(self) -> None:
        self._stopped = True

    def _work(self) -> None:
        try:
            with errors_told(f"pull {self._reference}", self._engine.where):
                why_not = self._pulled()
        except ClusterError as error:
            why_not = str(error)
        tell(self._loop, self._ended, why_not)

    def _pulled(self) -> str:
        shown = _Shown(self._observer, self._loop, f"pulling {self._reference} (MB)")
        for line in self._engine.patient.pull(self._reference, stream=True, decode=True):
            tell(self._loop, self._progress.set)
            if self._stopped:
                return "nobody waits for it any more"
            if "error" in line:
                return str(line["error"])
            shown.add(line)
        return ""

    def _ended(self, why_not: str) -> None:
        if not self._end.done():
            self._end.set_result(why_not)


class _Shown:
    """The progress of all layers together."""

    def __init__(self, observer: Observer, loop: asyncio.AbstractEventLoop, what: str) -> None:
        self._observer = observer
        self._loop = loop
        self._what = what
        self._layers: dict[str, tuple[int, int]] = {}
        self._told_ns = 0

    def add(self, line: Mapping[str, Any]) -> None:
        detail = line.get("progressDetail") or {}
        if line.get("status") != "Downloading" or not detail.get("total"):
            return
        self._layers[str(line.get("id"))] = (int(detail.get("current", 0)), int(detail["total"]))
        if now_ns() - self._told_ns < TOLD_EVERY_NS:
            return
        self._told_ns = now_ns()
        done, total = (sum(column) // MB for column in zip(*self._layers.values(), strict=True))
        tell(self._loop, self._observer.on_progress, self._what, done, total)


class _Counted:
    """A file that tells how much of it was read, a few times a second."""

    def __init__(self, source: BinaryIO, tell: Callable[[int], None]) -> None:
        self._source = source
        self._tell = tell
        self._told_ns = 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        if now_ns() - self._told_ns > TOLD_EVERY_NS:
            self._told_ns = now_ns()
            self._tell(self._source.tell())
        return data

    def __iter__(self) -> Any:
        while piece := self.read(1 << 20):
            yield piece
