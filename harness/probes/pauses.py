"""The harness's own pauses: how late its loop wakes. Source "harness".

Every stamp of a reparent and of vtgate's samples is taken by this loop, so a pause here is an error bar there.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.base.clock import now_ns
from harness.base.rundir import RunDir
from harness.base.wait import hold_until
from harness.contracts import Stage
from harness.probes.samples import SampleLog

TICK_NS = 20_000_000
SAMPLE_NS = 250_000_000


@dataclass(frozen=True, slots=True)
class PauseProbe:
    """Wakes 50 times a second and notes by how much it was late."""

    name: str = "harness"

    async def run(self, stage: Stage, folder: Path) -> None:
        process = psutil.Process()
        with contextlib.closing(SampleLog(RunDir(folder).samples("harness"))) as log:
            worst_ns, sample_ns = 0, now_ns() + SAMPLE_NS
            while True:
                due_ns = now_ns() + TICK_NS
                await hold_until(due_ns)
                worst_ns = max(worst_ns, now_ns() - due_ns)
                if now_ns() >= sample_ns:
                    began_ns = now_ns()
                    values = {
                        "loop_lag_max_ms": round(worst_ns / 1e6, 2),
                        "cpu_s": round(time.process_time(), 3),
                        "memory_bytes": process.memory_info().rss,
                    }
                    log.add(values, began_ns=began_ns)
                    worst_ns, sample_ns = 0, now_ns() + SAMPLE_NS
