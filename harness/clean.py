"""The proof that a run leaves nothing behind: what it has on this host is noted while it stands, and looked for when it
is over. Seen by the kernel and by the backends' engines, and not told by who removed it.

What is not the run's own (foreign processes, rules, links) is not looked at, and never touched: this only looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness.base import procs, wait
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, PlanError, ProcessError, WaitTimeout
from harness.contracts import Cluster, OffersProof, OffersTraces
from harness.model import Clean, Node, Placement

GONE_WITHIN_S = 10.0  # the kernel takes a moment to remove a network
NFT_TIMEOUT_S = 5.0
OUR_TABLES = "vtchaos"
LISTENS = "0A"  # proc(5), /proc/net/tcp
_SPACES = ("net", "mnt", "pid")
_NOT_OURS_TO_SEE = "no program nft here to look with"


@dataclass(slots=True)
class Marks:
    """By what the things of a run are found when it is over. Noted more than once: what came later is added."""

    run: str
    folder: str = ""  # of the cluster's data, as it shows in mounts; "" = none of its own
    processes: dict[tuple[int, float], str] = field(default_factory=dict)  # (number, start) → words
    spaces: dict[str, str] = field(default_factory=dict)  # net:[4026532310] → of which process
    links: set[str] = field(default_factory=set)
    ports: set[tuple[str, int]] = field(default_factory=set)

    def note(self, cluster: Cluster | None = None) -> None:
        """What is there now: everything that this process has started, and what that has of its own."""
        for child in _children():
            self.add(child)
        if cluster is not None:
            self.ports |= {address for node in cluster.nodes() for address in _addresses(cluster, node)}
            self.links |= {link for host in {host for host, _ in self.ports} for link in links_beside(host)}

    def add(self, process: psutil.Process) -> None:
        """A process of the run, and the namespaces that it does not share with us."""
        with contextlib.suppress(psutil.Error):
            name = process.name()
            self.processes[process.pid, process.create_time()] = f"{name} (process {process.pid})"
            self.spaces |= dict.fromkeys(_spaces(process.pid) - _spaces(os.getpid()), name)


async def over(marks: Marks, place: Placement, backend: object | None) -> Clean:
    """What is left of a run whose cluster is gone, or never was its own. Waits a moment for what goes by itself."""
    seen = Clean(at_ns=0)

    async def nothing() -> bool:
        nonlocal seen
        seen = await _looked(marks, place, backend)
        return not any(seen.found.values())

    with contextlib.suppress(WaitTimeout):
        await wait.until(f"nothing of {marks.run} is left", nothing, timeout_s=GONE_WITHIN_S)
    return seen


async def standing(cluster: Cluster) -> Clean:
    """What is in force on a cluster that stays. Never raises for a sick cluster."""
    found: dict[str, tuple[str, ...]] = {}
    blind: dict[str, str] = {}
    dead = await asyncio.gather(*(_dead(cluster, node) for node in cluster.nodes()))
    found["nodes that do not run"] = tuple(filter(None, dead))
    if isinstance(cluster, OffersTraces):
        try:
            found["faults in force"] = tuple(await cluster.traces())
        except HarnessError as error:
            blind["faults in force"] = str(error)
    else:
        blind["faults in force"] = "this cluster cannot be looked at"
    return Clean(at_ns=now_ns(), found=found, blind=blind)


def both(one: Clean, other: Clean) -> Clean:
    return Clean(
        at_ns=max(one.at_ns, other.at_ns), found={**one.found, **other.found}, blind={**one.blind, **other.blind}
    )


async def _looked(marks: Marks, place: Placement, backend: object | None) -> Clean:
    found: dict[str, tuple[str, ...]] = {
        "processes": tuple(_processes_left(marks)),
        "namespaces": tuple(_spaces_left(marks)),
        "links": tuple(sorted(marks.links & set(psutil.net_if_addrs()))),
        "mounts": tuple(_mounts_left(marks)),
        "listening ports": tuple(_ports_left(marks)),
    }
    blind: dict[str, str] = {}
    tables = await _tables()
    if tables is None:
        blind["packet rules"] = _NOT_OURS_TO_SEE
    else:
        found["packet rules"] = tables
    if isinstance(backend, OffersProof):
        try:
            found |= {kind: tuple(rows) for kind, rows in (await backend.left(marks.run, place)).items()}
        except (HarnessError, PlanError) as error:
            blind["the backend's own"] = str(error)
    return Clean(at_ns=now_ns(), found=found, blind=blind)


async def _dead(cluster: Cluster, node: Node) -> str:
    try:
        await cluster.signal(node, 0)
    except HarnessError as error:
        return str(error)
    return ""


# ---------------------------------------------------------------- on this host


def links_beside(address: str) -> Iterator[str]:
    """The host's interface whose address is the neighbour of a cluster's; none when it shares the host's network."""
    with contextlib.suppress(ValueError):  # a name
        if ipaddress.ip_address(address).is_loopback:
            return
        neighbours = {str(row) for row in ipaddress.ip_network(f"{address}/31", strict=False)} - {address}
        for name, rows in psutil.net_if_addrs().items():
            if neighbours & {row.address for row in rows}:
                yield name


def _processes_left(marks: Marks) -> Iterator[str]:
    for pid, start in marks.processes:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            state = process.status()
            if process.create_time() == start and state != psutil.STATUS_ZOMBIE:
                yield f"{marks.processes[pid, start]}, {state}"


def _spaces_left(marks: Marks) -> Iterator[str]:
    """One lives as long as somebody is in it; those that only a mount or an open file holds are not seen."""
    if not marks.spaces:
        return
    seen = dict.fromkeys(space for pid in psutil.pids() for space in _spaces(pid))
    yield from (f"{space} of {marks.spaces[space]}" for space in seen if space in marks.spaces)


def _mounts_left(marks: Marks) -> Iterator[str]:
    if marks.folder:
        rows = Path("/proc/self/mountinfo").read_text().splitlines() if Path("/proc/self/mountinfo").exists() else []
        yield from (row.split()[4] for row in rows if marks.folder in row)


def _ports_left(marks: Marks) -> Iterator[str]:
    """Of this host's own network; a namespace's ports go with it."""
    with contextlib.suppress(FileNotFoundError):
        for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = row.split()
            host, port = _address(words[1])
            if words[3] == LISTENS and (host, port) in marks.ports:
                yield f"{host}:{port}"


def _address(text: str) -> tuple[str, int]:
    """0100007F:1F90 → 127.0.0.1, 8080."""
    host, _, port = text.partition(":")
    return str(ipaddress.IPv4Address(bytes.fromhex(host)[::-1])), int(port, 16)


async def _tables() -> tuple[str, ...] | None:
    """Packet rules of ours in the host's own network, where we never put any; None: they cannot be listed."""
    nft = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if nft is None:
        return None
    try:
        said = await procs.run([nft, "list", "tables"], timeout_s=NFT_TIMEOUT_S)
    except ProcessError:
        return None
    return tuple(row for row in said.output.splitlines() if OUR_TABLES in row)


def _children() -> Sequence[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _spaces(pid: int) -> frozenset[str]:
    found = set()
    for kind in _SPACES:
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
    return frozenset(found)


def _addresses(cluster: Cluster, node: Node) -> Iterator[tuple[str, int]]:
    for port in ("mysql", "grpc", "web", "client"):
        with contextlib.suppress(HarnessError, LookupError):
            yield cluster.address(node, port)
