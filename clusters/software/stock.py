"""What there is and what is missing, without installing anything: for `vtchaos doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clusters.software import (
    debian,
    etcd_server,
    gobuild,
    maven,
    mysql_server,
    nft_program,
    releases,
    sysbench_program,
    toxiproxy_program,
    vitess_release,
)
from clusters.software.go_program import ETCD, TOXIPROXY
from clusters.software.sources import Sources

State = Literal["found", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRow:
    """One program. `where` says where it is, or how it would be obtained, or why it cannot be."""

    name: str
    wanted: str
    state: State
    version: str = ""
    where: str


async def inventory(
    releases_wanted: Sequence[str] = (releases.DEFAULT_RELEASE,),
    programs: Sequence[str] = vitess_release.PROGRAMS,
    *,
    sources: Sources,
    mysql_wanted: Sequence[str] = mysql_server.SERIES,
) -> list[InventoryRow]:
    """Every program that clusters of these releases need. Raises PlanError for an unknown release."""
    rows: list[InventoryRow] = []
    for version in releases_wanted:
        rows += await _vitess(version, programs, sources)
    return [
        *rows,
        await _mysql(mysql_wanted, sources),
        await _etcd(sources),
        await _nft(sources),
        await _toxiproxy(sources),
        await _sysbench(sources),
    ]


def verify(sources: Sources) -> list[str]:
    """Everything wrong with what vtchaos installed, by checksum; reads it all (seconds)."""
    return [problem for name in sources.store.names("") for problem in sources.store.verify(name)]


async def _vitess(version: str, programs: Sequence[str], sources: Sources) -> list[InventoryRow]:
    if "/" in version:
        return await _given(version, programs, sources)
    wanted = releases.release(version)
    found = await vitess_release.find(wanted.version, programs, sources=sources)
    how = await _go_plan(wanted.go, sources)
    return [
        InventoryRow(
            name=program,
            wanted=wanted.version,
            state="found" if program in found.programs else "missing",
            version=wanted.version if program in found.programs else "",
            where=str(found.programs[program]) if program in found.programs else "; ".join([how, *found.seen(program)]),
        )
        for program in programs
    ]


async def _given(folder: str, programs: Sequence[str], sources: Sources) -> list[InventoryRow]:
    found = await vitess_release.vitess(folder, programs, sources=sources)
    return [
        InventoryRow(name=name, wanted=folder, state="found", version=found.version, where=str(path))
        for name, path in found.programs.items()
    ]


async def _mysql(wanted: Sequence[str], sources: Sources) -> InventoryRow:
    words = " or ".join(wanted)
    found = await mysql_server.find(wanted, sources=sources)
    if found is not None:
        return InventoryRow(
            name="mysqld", wanted=words, state="found", version=found.version, where=f"{found.mysqld} ({found.source})"
        )
    from_maven = mysql_server.maven_serves(wanted)
    reason = (maven.why_not() if from_maven else "") or debian.why_not()
    source = f"{maven.VERSION} from Maven" if from_maven else f"unpacked from Debian {debian.SUITE}"
    return InventoryRow(name="mysqld", wanted=words, state="missing", where=_plan(source, reason))


async def _etcd(sources: Sources) -> InventoryRow:
    found = await etcd_server.find(sources=sources)
    if found is not None:
        return InventoryRow(name="etcd", wanted="3.4+", state="found", version=found.version, where=str(found.etcd))
    where = await _go_plan(ETCD.go, sources)
    return InventoryRow(name="etcd", wanted="3.4+", state="missing", where=where)


async def _nft(sources: Sources) -> InventoryRow:
    found = await nft_program.find(sources=sources)
    if found is not None:
        return InventoryRow(name="nft", wanted="any", state="found", version=found.version, where=str(found.nft))
    where = f"for cutting links: {_plan(f'unpacked from Debian {debian.SUITE}', debian.why_not())}"
    return InventoryRow(name="nft", wanted="any", state="missing", where=where)


async def _toxiproxy(sources: Sources) -> InventoryRow:
    name, wanted = TOXIPROXY.program, "2.0+"
    found = await toxiproxy_program.find(sources=sources)
    if found is not None:
        return InventoryRow(name=name, wanted=wanted, state="found", version=found.version, where=str(found.server))
    where = f"for delays: {await _go_plan(TOXIPROXY.go, sources)}"
    return InventoryRow(name=name, wanted=wanted, state="missing", where=where)


async def _sysbench(sources: Sources) -> InventoryRow:
    found = await sysbench_program.find(sources=sources)
    if found is not None:
        where = str(found.sysbench)
        return InventoryRow(name="sysbench", wanted="1.0+", state="found", version=found.version, where=where)
    where = f"for benchmarks only: {_plan(f'unpacked from Debian {debian.SUITE}', debian.why_not())}"
    return InventoryRow(name="sysbench", wanted="1.0+", state="missing", where=where)


async def _go_plan(go_version: str, sources: Sources) -> str:
    """How a Go program would be obtained; building takes minutes, so it is said beforehand."""
    go = await gobuild.find(sources)
    compiler = f"with {go}" if go else f"with Go {_bootstrap_version()} from PyPI, as there is no Go here"
    return _plan(f"built from its Go module by Go {go_version} (started {compiler})", "")


def _bootstrap_version() -> str:
    """The Go that would be installed where there is none."""
    return gobuild.bootstrap_name().partition("-")[2]


def _plan(source: str, reason: str) -> str:
    return f"cannot be installed: {reason}" if reason else f"would be {source}"
