"""kind clusters: a Kubernetes in containers of a Docker engine, made for one run and removed with it.

The program is the machine's own or built from its pinned Go module. The image of its nodes must be there or be pulled;
no image of ours takes its place. The user's own kubeconfig is not touched.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from clusters.software import Progress, Silent, Sources, kubernetes_programs, versions
from harness.base import procs, wait
from harness.base.errors import ClusterError, PlanError, ProcessError

PREFIX = "vtchaos-"  # of the names of our clusters: what `orphans` and `heal` may remove
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
OLDEST = (0, 20)  # the first that loads archives into the nodes' containerd by the digest of the platform's image
VERSION_TIMEOUT_S = 20.0
CREATE_TIMEOUT_S = 600.0  # the node image is about 400 MB
READY_TIMEOUT_S = 180.0
DELETE_TIMEOUT_S = 120.0
LOAD_TIMEOUT_S = 600.0
ASK_TIMEOUT_S = 30.0

_NO_ENGINE = re.compile(
    r"Cannot connect to the \w+ daemon|failed to get \w+ info|command not found|executable file not"
)
_NO_IMAGE = re.compile(r"failed to pull image \"([^\"]+)\"")
_WORDS = tuple(
    re.compile(row)
    for row in (r"Error response from daemon: .*", r"Cannot connect to .*", r"exec: .*", r"(?<=ERROR: ).*")
)  # what says most comes first


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind command. `image` is of its nodes; "" = the one that this kind was released with."""

    program: Path
    image: str = ""

    async def names(self) -> tuple[str, ...]:
        """Every kind cluster of the engine. Raises ClusterError when no engine answers."""
        said = await self._run("get", "clusters", timeout_s=ASK_TIMEOUT_S, what="listing kind clusters")
        return tuple(line for line in said.splitlines() if NAME.fullmatch(line))

    async def refusal(self) -> str:
        """Why no cluster could be made, so far as that shows beforehand; "" when it could."""
        try:
            await self.names()
        except ClusterError as error:
            return str(error)
        return ""

    async def create(self, name: str, kubeconfig: Path) -> None:
        """A cluster of one node, ready; its kubeconfig is written to that file. A failed or cancelled start leaves
        nothing.

        Raises PlanError for a bad name or one that is taken, ClusterError without an engine or the node image.
        """
        if not NAME.fullmatch(name):
            raise PlanError(f"{name!r} is no name for a kind cluster: small letters, digits and dashes, at most 41")
        if name in await self.names():
            raise PlanError(f"there is a kind cluster {name} already; `kind delete cluster --name {name}` removes it")
        image = ["--image", self.image] if self.image else []
        ready = ["--wait", f"{READY_TIMEOUT_S:g}s", "--kubeconfig", str(kubeconfig)]
        try:
            words = ["create", "cluster", "--name", name, *ready, *image]
            await self._run(*words, timeout_s=CREATE_TIMEOUT_S, what=f"making the kind cluster {name}")
        except BaseException:
            await wait.finish(f"removal of the kind cluster {name}", self._withdrawn(name), timeout_s=DELETE_TIMEOUT_S)
            raise

    async def delete(self, name: str) -> None:
        """Its containers and volumes are gone; nothing is done when there is none. Raises ClusterError."""
        words = ["delete", "cluster", "--name", name, "--kubeconfig", os.devnull]
        await self._run(*words, timeout_s=DELETE_TIMEOUT_S, what=f"removing the kind cluster {name}")

    async def load(self, name: str, archive: Path) -> None:
        """Bring a docker-archive to its nodes. Raises ClusterError."""
        words = ["load", "image-archive", str(archive), "--name", name]
        await self._run(*words, timeout_s=LOAD_TIMEOUT_S, what=f"loading {archive.name} into the kind cluster {name}")

    async def kubeconfig(self, name: str) -> str:
        """The text of its kubeconfig. Raises ClusterError when there is no such cluster."""
        words = ["get", "kubeconfig", "--name", name]
        return await self._run(*words, timeout_s=ASK_TIMEOUT_S, what=f"reading the kubeconfig of {name}") + "\n"

    @contextlib.asynccontextmanager
    async def cluster(self, name: str, kubeconfig: Path) -> AsyncIterator[None]:
        """A cluster for as long as the block lasts."""
        await self.create(name, kubeconfig)
        try:
            yield
        finally:
            await self.delete(name)

    async def _withdrawn(self, name: str) -> None:
        with contextlib.suppress(ClusterError):  # the error that brought us here is the one to tell
            await self.delete(name)

    async def _run(self, *words: str, timeout_s: float, what: str) -> str:
        try:
            return (await procs.run([self.program, *words], timeout_s=timeout_s)).output
        except ProcessError as error:
            raise ClusterError(f"{what} failed: {explained(error)}") from None


def context(name: str) -> str:
    """What a kind cluster's context is called in its kubeconfig."""
    return f"kind-{name}"


def explained(error: ProcessError) -> str:
    """kind's own words, and for the two usual reasons what would be right."""
    lost = _NO_IMAGE.search(error.tail)
    if lost:
        return (
            f"the image of its nodes, {lost[1].partition('@')[0]}, is not here and cannot be pulled: "
            f"{_last_words(error)}; pull it where there is a registry and `docker load` it, or use a cluster that "
            "runs (--context)"
        )
    if _NO_ENGINE.search(error.tail):
        return f"kind finds no container engine: {_last_words(error)}; start one (`dockerd`, or Docker Desktop)"
    return f"{error.why}: {_last_words(error)}" if error.tail else error.why


def _last_words(error: ProcessError) -> str:
    """The part of kind's answer that tells of the error."""
    found = next((match for match in (row.search(error.tail) for row in _WORDS) if match), None)
    return found[0].strip() if found else (error.tail.strip().splitlines() or [error.why])[-1]


async def kind(*, sources: Sources, progress: Progress | None = None, image: str = "") -> Kind:
    """The kind of a given folder, of PATH, or built from its Go module. Raises SoftwareError."""
    for path, _ in sources.candidates("kind"):
        version = await _version(path)
        if version is not None and versions.key(version) >= OLDEST:
            return Kind(path, image)
    built = await kubernetes_programs.programs(kubernetes_programs.KIND, sources=sources, progress=progress or Silent())
    return Kind(built.programs["kind"], image)


async def _version(path: Path) -> str | None:
    """`kind version` says: kind v0.33.0 go1.26.8 linux/amd64."""
    try:
        done = await procs.run([path, "version"], timeout_s=VERSION_TIMEOUT_S)
    except (ProcessError, OSError):
        return None
    found = re.match(r"kind v(\d+\.\d+\.\d+)", done.output)
    return found[1] if found else None
