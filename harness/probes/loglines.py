"""The logs of every process, followed; what is grave or about buffering and reparents goes to loglines.jsonl.

Whole logs stay where they are (`logs/`). A line without a time of its own (a Go panic) gets that of the line
before it, or of its reading.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import time
from dataclasses import dataclass
from pathlib import Path

from harness.base.clock import ClockBase, now_ns
from harness.base.rundir import LineLog, RunDir
from harness.base.wait import hold_until
from harness.contracts import Stage
from harness.model import LogLine
from harness.vitess.logs import parse

PERIOD_NS = 500_000_000
MOST_BYTES = 1 << 20  # of one log at a time; what is left comes next time
LONGEST_TEXT = 500
KEPT_LEVELS = ("error", "fatal")
# buffer/shard_buffer.go, discovery/{,tablet_}health_check.go, reparentutil/{planned,emergency}_reparenter.go (vtctld
# logs every step as "[reparent old -> new] step"), tabletmanager/{rpc_replication,tm_state,shard_sync}.go,
# tabletserver/state_manager.go, mysqlctl/query.go, semisyncmonitor/monitor.go. Case counts: without that a line costs
# 18 us instead of 2.
KEPT_TEXTS = re.compile(
    r"[Bb]uffering|Draining finished|PlannedReparent|EmergencyReparent|ExternallyReparented|\[reparent |DemotePrimary"
    r"|PromoteReplica|WaitForPosition|SetReplicationSource|PopulateReparentJournal|TabletServer transition"
    r"|Changing Tablet Type|Updating shard record|exec SET GLOBAL (?:super_)?read_only|blocked on semi-sync"
    r"|Going unhealthy|broadcast channel|Serving State|[Pp]anic"
)


@dataclass(slots=True)
class _Follower:
    node: str
    path: Path
    at: int = 0
    last_ns: int = 0

    def read(self, clock: ClockBase) -> list[LogLine]:
        try:
            with self.path.open("rb") as log:
                log.seek(self.at)
                raw = log.read(MOST_BYTES)
        except FileNotFoundError:
            return []
        whole = raw[: raw.rfind(b"\n") + 1]
        self.at += len(whole) if whole or len(raw) < MOST_BYTES else len(raw)
        kept = (self._kept(line, clock) for line in whole.decode(errors="replace").splitlines())
        return [line for line in kept if line is not None]

    def _kept(self, line: str, clock: ClockBase) -> LogLine | None:
        parsed = parse(line, today=datetime.date.today())
        if parsed.wall_ns:
            self.last_ns = clock.monotonic(parsed.wall_ns)
        if parsed.level not in KEPT_LEVELS and not KEPT_TEXTS.search(line):
            return None
        return LogLine(
            at_ns=self.last_ns or now_ns(), node=self.node, level=parsed.level, text=parsed.text[:LONGEST_TEXT]
        )


@dataclass(frozen=True, slots=True)
class LogProbe:
    """Looks at every log twice a second; only what was appended is read."""

    name: str = "logs"

    async def run(self, stage: Stage, folder: Path) -> None:
        clock = ClockBase(monotonic_ns=time.monotonic_ns(), wall_ns=time.time_ns())
        followers = [
            _Follower(node.name, path, at=path.stat().st_size if path.exists() else 0)
            for node in stage.cluster.nodes()
            for path in [stage.cluster.log_path(node)]
        ]
        next_ns = now_ns()
        with contextlib.closing(LineLog(RunDir(folder).loglines)) as out:
            while True:
                for follower in followers:
                    for line in follower.read(clock):
                        out.append(line)
                next_ns = max(next_ns + PERIOD_NS, now_ns())
                await hold_until(next_ns)
