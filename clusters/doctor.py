"""What this machine has for the backends that need more than the machine, and what each backend can do here."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping

from clusters.docker import engine
from clusters.kubernetes.api import Api
from clusters.software import HostRow
from harness.base.errors import ClusterError, HarnessError, PlanError
from harness.contracts import Backend
from harness.model import ClusterSpec, Placement

SMALL = ClusterSpec(shards=1, tablets_per_shard=2)


async def backend_rows(backends: Mapping[str, Backend]) -> list[HostRow]:
    """Every call is bounded by its own client's timeouts."""
    parts = (_docker(), _kubernetes(), _tools(), *(_backend(name, backend) for name, backend in backends.items()))
    return [row for rows in await asyncio.gather(*parts) for row in rows]


async def _docker() -> list[HostRow]:
    meaning = "the backend docker stands clusters up in its containers; `--kind` needs it, too"
    try:
        async with engine.connected() as docker:
            facts = await docker.facts()
    except ClusterError as error:
        return [HostRow(name="Docker engine", state="warn", value=str(error), meaning=meaning)]
    where = "" if facts.here else ", with a kernel of its own"
    value = f"{facts.version} at {docker.where}{where}"
    return [HostRow(name="Docker engine", state="ok", value=value, meaning=meaning)]


async def _kubernetes() -> list[HostRow]:
    meaning = "the backend kubernetes uses this context; --context names another one, --kind makes a cluster"
    try:
        async with Api.open() as api:
            return [HostRow(name="Kubernetes", state="ok", value=f"{api.context} ({api.server})", meaning=meaning)]
    except (HarnessError, PlanError) as error:
        return [HostRow(name="Kubernetes", state="warn", value=str(error), meaning=meaning)]


async def _tools() -> list[HostRow]:
    return [
        _tool("kubectl", "not needed by vtchaos itself, but by people: `vtchaos status NAME` prints lines for it"),
        _tool("kind", "for --kind; where it is missing it is built with Go when it is first wanted"),
    ]


def _tool(name: str, meaning: str) -> HostRow:
    path = shutil.which(name)
    return HostRow(name=name, state="ok" if path else "warn", value=path or "not on PATH", meaning=meaning)


async def _backend(name: str, backend: Backend) -> list[HostRow]:
    """Whether a small cluster would be refused. That its software is still to be installed is no refusal."""
    try:
        reasons = list(await backend.refusals(SMALL, Placement()))
    except (HarnessError, PlanError) as error:
        reasons = [str(error)]
    return [
        HostRow(
            name=f"backend {name}",
            state="warn" if reasons else "ok",
            value="; ".join(reasons) or "can stand a cluster up here",
            meaning=f"`vtchaos run reparent/storm --shards 2 --backend {name}`",
        )
    ]
