"""The names inside a run directory, and the appending of facts to it.

plan.json            what was to be run: experiment, cluster, versions, seed, command line   (save 0)
clock.json           the monotonic base
host.json            what the machine was
owner.json           the harness's process, so that `vtchaos heal` can tell a dead one from a living one
nodes.json           the nodes of the cluster with their addresses
load.json            lanes of the load: number → vtgate, shard, workload, mode, rate
load-pods.json       where the load ran, if in pods beside the cluster: clocks, their offsets and how well known
load-worker-W.json   what load worker W was told; load-live.bin its counters while it ran
ops-W.bin            fixed-size operation records of load worker W (harness.model.OP_DTYPE)
ops-W.messages.jsonl distinct error messages of worker W
rows-S.bin           the ledger rows of shard S read after the run (harness.model.ROW_DTYPE)
streams.json         the VStream clients; streams-live.bin, streams-worker-W.json what their processes share
stream-N.*           what stream N received: .bin, .vgtids.jsonl, .attempts.jsonl (harness.streams)
tables.json          which item tables were read after the run; table-KEYSPACE.TABLE.SHARD.bin their rows
faults.jsonl         fault ledger: intent (fsync) before the act, then what happened
events.jsonl         phases, cluster start, node exits
loglines.jsonl       lines of the processes' logs that checks and reports want, with their stamps
samples-N.jsonl      probe samples of source N: only what changed
logs/                one log a process
clean.json           what was looked for when the run was over, and what was left
verdict.json         what was judged (save 2)
replay.json          of a run that issued again what another had: what differs
report.html          the reports: beside it junit.xml for CI, summary.txt as the terminal showed it
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from harness.base import jsonio
from harness.base.errors import HarnessError, RunDirError

RUNS = Path("runs")  # where run directories are made, unless told otherwise


@dataclass(frozen=True, slots=True)
class RunDir:
    """Paths of one run. Nothing is created by merely naming it."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> RunDir:
        """A new, empty run directory. Raises RunDirError if something is already there, or nothing can be."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise RunDirError(f"{path} exists and is not empty; give another --out")
            (path / "logs").mkdir()
        except OSError as error:
            raise RunDirError(f"{path} cannot be made ({error.strerror}); give another --out") from None
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunDir:
        """An existing run directory. Raises RunDirError with what is missing."""
        if not path.is_dir():
            raise RunDirError(
                f"{path} is not a directory; a run directory is what `vtchaos run` printed as its last line"
            )
        run = cls(path)
        if not run.plan.is_file():
            raise RunDirError(f"{path} holds no plan.json; it is not a run directory of vtchaos")
        return run

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def clock(self) -> Path:
        return self.path / "clock.json"

    @property
    def host(self) -> Path:
        return self.path / "host.json"

    @property
    def owner(self) -> Path:
        return self.path / "owner.json"

    @property
    def nodes(self) -> Path:
        return self.path / "nodes.json"

    @property
    def load(self) -> Path:
        return self.path / "load.json"

    @property
    def load_pods(self) -> Path:
        return self.path / "load-pods.json"

    @property
    def faults(self) -> Path:
        return self.path / "faults.jsonl"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def loglines(self) -> Path:
        return self.path / "loglines.jsonl"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def clean(self) -> Path:
        return self.path / "clean.json"

    @property
    def verdict(self) -> Path:
        return self.path / "verdict.json"

    @property
    def junit(self) -> Path:
        return self.path / "junit.xml"

    @property
    def html(self) -> Path:
        return self.path / "report.html"

    def ops(self, worker: int) -> Path:
        return self.path / f"ops-{worker}.bin"

    def messages(self, worker: int) -> Path:
        return self.path / f"ops-{worker}.messages.jsonl"

    def rows(self, shard: str) -> Path:
        return self.path / f"rows-{shard}.bin"

    @property
    def streams(self) -> Path:
        return self.path / "streams.json"

    def stream(self, number: int) -> Path:
        return self.path / f"stream-{number}.bin"

    def vgtids(self, number: int) -> Path:
        return self.path / f"stream-{number}.vgtids.jsonl"

    def attempts(self, number: int) -> Path:
        return self.path / f"stream-{number}.attempts.jsonl"

    @property
    def tables(self) -> Path:
        return self.path / "tables.json"

    def table(self, keyspace: str, table: str, shard: str) -> Path:
        return self.path / f"table-{keyspace}.{table}.{shard}.bin"

    def samples(self, source: str) -> Path:
        return self.path / f"samples-{source}.jsonl"


class LineLog:
    """An append-only JSON-lines file. Each line reaches the kernel before `append` returns, so it
    survives `kill -9` of the harness; after `synced` it also survives the machine. Of a file that is there a torn
    end is cut off: what is appended to it would be lost with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.truncate(self._fd, path.read_bytes().rfind(b"\n") + 1)

    def append(self, value: object) -> None:
        """Raises HarnessError when there is no room for all of it; nothing of it is in the file then."""
        left, taken = jsonio.line(value), 0
        try:
            while left:  # a disk that is nearly full takes a part, and says so in no other way
                taken += (wrote := os.write(self._fd, left))
                left = left[wrote:]
        except OSError as error:
            os.truncate(self._fd, os.fstat(self._fd).st_size - taken)
            raise HarnessError(f"{self._path} cannot be written: {error.strerror}") from error

    async def synced(self) -> None:
        """Wait for the disk, in a thread: 32 of these in the loop were seen to stop it for 1.6 s."""
        await asyncio.to_thread(os.fsync, self._fd)

    def close(self) -> None:
        os.close(self._fd)
