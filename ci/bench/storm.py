"""The main job as its user starts it: the 32-shard storm, from start to report, and how well it was driven."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from ci.bench.figure import Figure
from harness.base.errors import HarnessError
from harness.base.procs import run
from harness.base.rundir import RunDir
from harness.history import History, load

SHARDS = 32
WHOLE_RUN_S = 180.0
SKEW_MS = 10.0


async def measure() -> list[Figure]:
    """Run it once. A finding or an UNKNOWN is a result here; a run that broke off is not."""
    with tempfile.TemporaryDirectory(prefix="vtchaos-bench-") as folder:
        out = Path(folder) / "run"
        began_s = time.monotonic()
        words = [sys.executable, "-m", "harness.cli", "run", "reparent/storm", "--shards", str(SHARDS), "--plain"]
        done = await run([*words, "--out", str(out)], timeout_s=600, check=False)
        took_s = time.monotonic() - began_s
        if done.returncode not in (0, 1, 3):
            raise HarnessError(f"the storm broke off with status {done.returncode}:\n{done.output[-2000:]}")
        return _figures(load(RunDir.open(out)), took_s, done.returncode)


def _figures(history: History, took_s: float, status: int) -> list[Figure]:
    spans = history.spans("PlannedReparent")
    first_ns = min(span.begin_ns for span in spans)
    skew_ms = (max(span.begin_ns for span in spans) - first_ns) / 1e6
    bound_ms = (max(int(span.details["left_by_ns"]) for span in spans) - first_ns) / 1e6
    slowest_s = max((span.active_ns - span.begin_ns) / 1e9 for span in spans)
    pause_ms = max(float(value) for value in history.series["harness"].steps("loop_lag_max_ms")[1])
    return [
        Figure(
            name=f"whole {SHARDS}-shard storm, start to report",
            value=took_s,
            unit="s",
            bound=f"< {WHOLE_RUN_S:g} s",
            met=took_s < WHOLE_RUN_S,
            detail=f"exit status {status}",
        ),
        Figure(
            name=f"{len(spans)} calls left within",
            value=skew_ms,
            unit="ms",
            bound=f"≤ {SKEW_MS:g} ms",
            met=skew_ms <= SKEW_MS,
            detail=f"all had surely left after {bound_ms:.1f} ms; slowest reparent {slowest_s:.1f} s",
        ),
        Figure(name="longest pause of the harness in that run", value=pause_ms, unit="ms"),
        _schedule_lag(history),
    ]


def _schedule_lag(history: History) -> Figure:
    lags = [
        float(value)
        for source, series in history.series.items()
        if source.startswith("load-")
        for value in series.steps("schedule_lag_p99_ms")[1]
    ]
    lags.sort()
    return Figure(
        name="schedule lag p99 in that run, median of its quarter seconds",
        value=lags[len(lags) // 2] if lags else float("nan"),
        unit="ms",
        detail=f"worst {lags[-1]:.1f} ms, also while the storm saturated the machine" if lags else "not measured",
    )
