"""What is left of a cluster on this machine or its engine: looked for directly, and not by asking the backend."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from clusters.common.layout import ROLE_PORTS
from clusters.docker import engine, removal
from clusters.docker.labels import RUN
from clusters.kubernetes import names
from clusters.kubernetes.api import Api
from clusters.kubernetes.resources import POD, name_of
from harness.base import wait
from harness.contracts import Backend, Cluster
from tests.cluster.command import Gone, links_beside

GONE_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """By what the parts of a cluster are found. `hosts`: addresses of its nodes, as this harness reaches them."""

    run: str
    folder: Path
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, run: str, folder: Path, cluster: Cluster) -> Traces:
        hosts = {cluster.address(node, ROLE_PORTS[node.role][0])[0] for node in cluster.nodes()}
        return cls(run=run, folder=folder, hosts=frozenset(hosts))


async def of_local(traces: Traces) -> list[str]:
    left = [f"process {row}" for row in mentioning(traces.folder)]
    left += [f"link {link}" for host in traces.hosts for link in links_beside(host)]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    left += [f"mount {line}" for line in mounts if str(traces.folder) in line]
    return left + [f"folder {path}" for path in (traces.folder / "data",) if path.exists()]


async def of_docker(traces: Traces) -> list[str]:
    async with engine.connected() as docker:
        return list((await removal.labelled(docker, f"{RUN}={traces.run}")).words())


async def of_kubernetes(traces: Traces) -> list[str]:
    """In the cluster of the current context."""
    async with Api.open() as api:
        spaces = [name_of(row) for row in await api.namespaces(labels=names.selector(run=names.label_of(traces.run)))]
        pods = [f"pod {name_of(row)}" for space in spaces for row in await api.list(POD, space)]
    return [*(f"namespace {space}" for space in spaces), *pods]


LEFT_OVER: Mapping[str, Callable[[Traces], Awaitable[list[str]]]] = {
    "local": of_local,
    "docker": of_docker,
    "kubernetes": of_kubernetes,
}
"""Backend → what is there of a cluster, in words. A backend without a row fails the conformance suite."""


async def until_nothing_left(backend: Backend, traces: Traces) -> None:
    async def gone() -> Gone:
        return Gone(await LEFT_OVER[backend.name](traces))

    await wait.until(f"nothing of {traces.run} is left", gone, timeout_s=GONE_TIMEOUT_S)
    assert traces.run not in await backend.orphans()


def words_of(process: psutil.Process) -> list[str]:
    """A process's command line; empty when it is gone."""
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def mentioning(folder: Path) -> list[str]:
    """Command lines of living processes that name the folder, ours excepted."""
    mine = os.getpid()
    rows = (" ".join(words_of(row)) for row in psutil.process_iter() if row.pid != mine)
    return [row for row in rows if str(folder) in row]
