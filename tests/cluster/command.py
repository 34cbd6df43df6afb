"""The real command line as a subprocess, and what a running harness has on this host."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.base import jsonio, procs, wait
from harness.base.procs import Completed
from harness.base.rundir import RunDir
from harness.load.config import WorkerConfig
from harness.model import PREMISES, CheckResult, Event, RunVerdict, Verdict
from harness.scratch import FOLDER_PREFIX

VTCHAOS = Path(sys.executable).with_name("vtchaos")
RUN_WITHIN_S = 1500.0  # a first run installs software; one with everything there takes 15 s
TELL_WITHIN_S = 60.0
GONE_WITHIN_S = 30.0

# Phases that are long enough for what the assumptions want to see, and no longer.
SHORT = ("--plain", "--set", "baseline_s=4", "--set", "recovery_s=4", "--set", "quiet_s=2")


def vtchaos(*words: str | Path, within_s: float = TELL_WITHIN_S) -> Completed:
    """Run a command to its end."""
    return asyncio.run(procs.run([VTCHAOS, *words], timeout_s=within_s, check=False, env={"COLUMNS": "120"}))


@contextlib.asynccontextmanager
async def started(*words: str | Path, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command that runs; killed when the block is left before its end."""
    async with procs.spawned([VTCHAOS, *words], log=log, env={"COLUMNS": "120"}) as process:
        yield process


# ---------------------------------------------------------------- what it recorded


def verdict_of(run: Path) -> RunVerdict:
    return jsonio.load(RunDir(run).verdict, RunVerdict)


def events_of(run: Path) -> list[Event]:
    return [jsonio.structure(line, Event) for line in jsonio.read_lines(RunDir(run).events)]


def results(verdict: RunVerdict, check: str) -> list[CheckResult]:
    return [result for result in verdict.results if result.check == check]


# What Vitess 24.0.3 itself does in some runs of any size: a finding of the run, and no failure of this project.
# See docs/track-record.md: TabletGateway.withRetry gives up on a race between its two views of a shard.
KNOWN_RACES = ("inconsistent-state",)


def _of_vitess(result: CheckResult) -> bool:
    """Errors of the clients of which every kind is a known race of Vitess."""
    kinds = result.summary.rpartition(": ")[2].rstrip(".").split(", ")
    return result.check == "clients/errors" and all(kind in KNOWN_RACES for kind in kinds)


def require_honest(verdict: RunVerdict, summary: str) -> None:
    """A run that went well is a PASS, on a starved host UNKNOWN with the premise that did not hold. Anything else,
    a finding above all, fails the test with the run's own summary."""
    failed = [result for result in verdict.results if result.verdict is Verdict.FAIL]
    assert all(_of_vitess(result) for result in failed), f"a finding:\n{summary}"
    if failed:
        assert verdict.exit_code == 1, summary
        return
    unheld = [r.check for r in verdict.results if r.kind in PREMISES and r.verdict is not Verdict.PASS]
    assert bool(unheld) is (verdict.verdict is Verdict.UNKNOWN), f"{verdict.verdict.name} with {unheld}:\n{summary}"
    assert verdict.exit_code == (3 if unheld else 0), summary


async def until_event(run: Path, kind: str, subject: str, process: asyncio.subprocess.Process, *, log: Path) -> None:
    """Wait until a running harness has recorded an event; its premature end is an error."""

    async def there() -> bool:
        assert process.returncode is None, f"vtchaos ended early:\n{log.read_text()}"
        return any((event.kind, event.subject) == (kind, subject) for event in events_of(run))

    await wait.until(f"{kind} {subject}", there, timeout_s=RUN_WITHIN_S)


# ---------------------------------------------------------------- what it has on this host


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a running harness has on this host, to be looked for when it is gone."""

    processes: frozenset[psutil.Process]
    namespaces: frozenset[str]  # e.g. net:[4026532310]
    ports: frozenset[tuple[str, int]]
    links: frozenset[str]
    folder: str  # as it shows in mounts and command lines

    @classmethod
    def of(cls, harness: int, run: Path) -> Traces:
        """Taken while the load runs."""
        process = psutil.Process(harness)
        own = _namespaces(os.getpid())
        processes = frozenset({process, *process.children(recursive=True)})
        config = jsonio.load(run / "load-worker-0.json", WorkerConfig)
        return cls(
            processes=processes,
            namespaces=frozenset(space for each in processes for space in _namespaces(each.pid)) - own,
            ports=frozenset({(config.target.host, config.target.port)}),
            links=frozenset(links_beside(config.target.host)),
            folder=str(Path(tempfile.gettempdir()) / f"{FOLDER_PREFIX}run-{harness}-"),
        )

    def left(self) -> list[str]:
        """What is still there, in words; a process that waits to be reaped is not."""
        found = [f"process {each}" for each in self.processes if _runs(each)]
        found += [f"link {link}" for link in self.links & set(psutil.net_if_addrs())]
        found += [f"port {host}:{port}" for host, port in self.ports if _greets(host, port)]
        for pid in psutil.pids():
            found += [f"namespace {space} of process {pid}" for space in _namespaces(pid) & self.namespaces]
            with contextlib.suppress(OSError):
                if self.folder in Path(f"/proc/{pid}/mounts").read_text():
                    found.append(f"a mount of {self.folder} seen by process {pid}")
            with contextlib.suppress(OSError, psutil.Error):
                if self.folder in " ".join(psutil.Process(pid).cmdline()):
                    found.append(f"process {pid} of {self.folder}")
        return found

    async def until_gone(self) -> None:
        async def gone() -> Gone:
            return Gone(self.left())

        await wait.until("nothing of it is left", gone, timeout_s=GONE_WITHIN_S)


class Gone(list[str]):
    """True when empty; shows what is left."""

    def __bool__(self) -> bool:
        return not len(self)


def _namespaces(pid: int) -> frozenset[str]:
    found = set()
    for kind in ("net", "pid", "mnt"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
    return frozenset(found)


def links_beside(address: str) -> Iterator[str]:
    """The host's interface whose address is the neighbour of a cluster's; none when it shares the host's network."""
    if ipaddress.ip_address(address).is_loopback:
        return
    neighbours = {str(row) for row in ipaddress.ip_network(f"{address}/31", strict=False)} - {address}
    for name, rows in psutil.net_if_addrs().items():
        if neighbours & {row.address for row in rows}:
            yield name


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _greets(host: str, port: int) -> bool:
    """A MySQL server says hello. That something accepts is no sign of one: the address is no longer ours, and
    between us and wherever it leads now, a proxy may accept anything."""
    try:
        with socket.create_connection((host, port), timeout=1.0) as connection:
            return connection.recv(5)[4:] == b"\x0a"
    except OSError:
        return False
