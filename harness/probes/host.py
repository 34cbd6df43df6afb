"""How busy the machine is: pressure stall information, CPU shares, memory left. Source "host".

PSI (`/proc/pressure`, kernel documentation accounting/psi) counts microseconds since boot in which at least
one task waited; a kernel without it leaves those keys absent, and a check that needs them says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.base.clock import now_ns
from harness.base.rundir import RunDir
from harness.base.wait import hold_until
from harness.contracts import Stage
from harness.model import Scalar
from harness.probes.samples import SampleLog

PERIOD_NS = 250_000_000


@dataclass(frozen=True, slots=True)
class HostProbe:
    """One sample of the whole machine every 250 ms."""

    name: str = "host"

    async def run(self, stage: Stage, folder: Path) -> None:
        with contextlib.closing(SampleLog(RunDir(folder).samples("host"))) as log:
            before = psutil.cpu_times()
            next_ns = now_ns()
            while True:
                next_ns = max(next_ns + PERIOD_NS, now_ns())
                await hold_until(next_ns)
                began_ns = now_ns()
                times = psutil.cpu_times()
                values: dict[str, Scalar] = dict(_pressure())
                values.update(_shares(before, times))
                values["memory_available_bytes"] = psutil.virtual_memory().available
                log.add(values, began_ns=began_ns)
                before = times


def _pressure() -> Iterator[tuple[str, Scalar]]:
    for resource in ("cpu", "memory", "io"):
        with contextlib.suppress(OSError):
            first = Path(f"/proc/pressure/{resource}").read_text().splitlines()[0]
            yield f"{resource}_some_us", int(first.rpartition("total=")[2])


def _shares(before: psutil._common.scputimes, now: psutil._common.scputimes) -> dict[str, Scalar]:  # type: ignore[name-defined]
    total = sum(now) - sum(before)
    if total <= 0:
        return {}
    idle = (now.idle + now.iowait) - (before.idle + before.iowait)
    return {
        "cpu_busy_share": round(1 - idle / total, 3),
        "cpu_steal_share": round((now.steal - before.steal) / total, 3),
    }
