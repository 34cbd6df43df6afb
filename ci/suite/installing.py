"""The software of a suite's local clusters, before its clock starts: a build takes minutes, and is no run."""

from __future__ import annotations

from collections.abc import Iterable

from ci.suite.table import Part
from ci.suite.values import Asked
from clusters import software
from clusters.common.commands import VITESS_ROLES, startable
from clusters.common.obtained import programs_for
from experiments import EXPERIMENTS
from harness.model import ClusterSpec, Event
from harness.planning import Overrides, cluster_spec


class _Nobody:
    """The programs are there by then."""

    def on_event(self, event: Event) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return


async def installed(asked: Asked, parts: Iterable[Part]) -> None:
    """Find or install. Raises PlanError for what does not exist, SoftwareError where it cannot be had."""
    specs = [spec(asked, part) for part in parts]
    sources = software.Sources.of_environment()
    with software.shown() as progress:
        for version, programs in wanted(specs).items():
            await software.vitess(version, sorted(programs), sources=sources, progress=progress)
        await software.nft(sources=sources, progress=progress)
        await software.toxiproxy(sources=sources, progress=progress)
    for each in {(one.vitess, one.mysql): one for one in specs}.values():
        await programs_for(each, observer=_Nobody())


def wanted(specs: Iterable[ClusterSpec]) -> dict[str, set[str]]:
    """The programs of each release, so that each is built at once and not one by one."""
    found: dict[str, set[str]] = {}
    for each in specs:
        for node in startable(each):
            if node.role in VITESS_ROLES:
                found.setdefault(node.version, set()).add(node.role.value)
    return found


def spec(asked: Asked, part: Part) -> ClusterSpec:
    """The cluster of an experiment, of the releases that are asked for. Raises PlanError."""
    cluster = EXPERIMENTS[part.experiment].cluster
    words = asked.words(part, len(cluster.vtgates))
    vtgates = words[words.index("--vtgate") + 1].split(",") if "--vtgate" in words else ()
    return cluster_spec(
        cluster, Overrides(vitess=asked.vitess or None, vtgates=tuple(vtgates), mysql=asked.mysql or None)
    )
