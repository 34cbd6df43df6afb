"""Goal: however a run is ended, nothing of it stays on the host, and what it saw until then can be judged.

Method: the real command line, stopped at a moment that its own events name; what it had on the host (processes,
namespaces, mounts, ports, links) is noted while it runs, and looked for when it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import history
from harness.base import jsonio, procs, wait
from harness.base.rundir import RunDir
from harness.contracts import Backend
from harness.model import Plan, Verdict
from tests.cluster.command import (
    RUN_WITHIN_S,
    SHORT,
    TELL_WITHIN_S,
    VTCHAOS,
    Traces,
    events_of,
    results,
    started,
    until_event,
    verdict_of,
)
from tests.cluster.leftover import LEFT_OVER, until_nothing_left
from tests.cluster.leftover import Traces as Traced

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S + 100)]

ENDS_WITHIN_S = 60.0
LONG_BASELINE = ("reparent/storm-2", "--plain", "--set", "baseline_s=300")


@dataclass(frozen=True, slots=True)
class Running:
    """A run that goes on."""

    process: asyncio.subprocess.Process
    folder: Path
    log: Path
    traces: Traces

    async def until(self, kind: str, subject: str) -> None:
        await until_event(self.folder, kind, subject, self.process, log=self.log)

    async def ended(self) -> int:
        return await wait.finish("vtchaos ends", self.process.wait(), timeout_s=ENDS_WITHIN_S)

    def interruptions(self) -> list[str]:
        return [event.subject for event in events_of(self.folder) if event.kind == "interrupt"]


@contextlib.asynccontextmanager
async def running(folder: Path, *words: str) -> AsyncIterator[Running]:
    """A run whose load has issued operations."""
    run, log = folder / "run", folder / "output"
    async with started("run", *words, "--out", run, log=log) as process:
        await until_event(run, "phase", "baseline", process, log=log)

        async def recorded() -> int:
            return sum(path.stat().st_size for path in run.glob("ops-*.bin"))

        await wait.until("operations are recorded", recorded, timeout_s=TELL_WITHIN_S)
        traces = Traces.of(process.pid, run)
        assert len(traces.left()) > 10, "the test sees nothing of a running cluster"
        yield Running(process, run, log, traces)


async def told(*words: str | Path) -> procs.Completed:
    return await procs.run([VTCHAOS, *words], timeout_s=TELL_WITHIN_S, check=False, env={"COLUMNS": "120"})


async def test_kill_9_in_mid_storm(tmp_path: Path) -> None:
    """The kernel removes everything; what was recorded until then is judged UNKNOWN, and says what is missing."""
    async with running(tmp_path, "reparent/storm-2", "--plain", "--set", "baseline_s=3") as run:
        await run.until("phase", "storm")
        run.process.kill()
        assert await run.ended() == -signal.SIGKILL
        await run.traces.until_gone()
    assert not RunDir(run.folder).verdict.exists()

    report = await told("report", run.folder)
    assert report.returncode == 0, report.output
    assert all(Path(line).stat().st_size for line in report.output.split())
    check = await told("check", run.folder)
    assert check.returncode == 3, check.output
    verdict = verdict_of(run.folder)
    assert verdict.verdict is Verdict.UNKNOWN
    (complete,) = results(verdict, "assumptions/complete")
    assert complete.verdict is Verdict.UNKNOWN
    assert "never became quiet (its last phase was storm)" in complete.summary
    assert "the tables of -80, 80- were not read back" in complete.details
    assert "never became quiet" in check.output
    assert len(history.load(RunDir.open(run.folder)).ops) > 0


async def test_ctrl_c_in_the_baseline(tmp_path: Path) -> None:
    """It is collected and judged, and everything is removed."""
    async with running(tmp_path, *LONG_BASELINE) as run:
        run.process.send_signal(signal.SIGINT)
        assert await run.ended() == 130, run.log.read_text()
        await run.traces.until_gone()
    assert run.interruptions() == ["while the experiment ran"]
    seen = history.load(RunDir.open(run.folder))
    assert set(seen.rows) == {"-80", "80-"}
    assert seen.incomplete == ()
    verdict = verdict_of(run.folder)
    assert verdict.verdict is Verdict.UNKNOWN
    assert all(r.verdict is not Verdict.FAIL for r in verdict.results), run.log.read_text()
    assert RunDir(run.folder).html.is_file()
    assert not list(Path(run.traces.folder).parent.glob(Path(run.traces.folder).name + "*"))


async def test_a_second_ctrl_c_skips_collecting(tmp_path: Path) -> None:
    """But never removing. More of them change nothing."""
    async with running(tmp_path, *LONG_BASELINE) as run:

        async def collecting_was_skipped() -> bool:
            if run.process.returncode is None and len(run.interruptions()) < 2:
                run.process.send_signal(signal.SIGINT)
            return len(run.interruptions()) == 2 or run.process.returncode is not None

        await wait.until("collecting was skipped", collecting_was_skipped, timeout_s=ENDS_WITHIN_S)
        assert await run.ended() == 130, run.log.read_text()
        await run.traces.until_gone()
    assert run.interruptions() == ["while the experiment ran", "while collecting"]
    assert set(history.load(RunDir.open(run.folder)).rows) < {"-80", "80-"}
    assert verdict_of(run.folder).verdict is Verdict.UNKNOWN


async def test_sigterm_is_a_ctrl_c(tmp_path: Path) -> None:
    """What a CI job sends when it runs out of time."""
    async with running(tmp_path, *LONG_BASELINE) as run:
        run.process.terminate()
        assert await run.ended() == 130, run.log.read_text()
        await run.traces.until_gone()
    assert run.interruptions() == ["while the experiment ran"]


async def test_a_component_that_crashes_is_a_finding_with_the_tail_of_its_log(tmp_path: Path) -> None:
    words = ("reparent/control", "--shards", "2", *SHORT, "--set", "hold_s=1")
    async with running(tmp_path, *words) as run:
        (replica,) = [
            process
            for process in run.traces.processes
            if process.name() == "vttablet" and "zone1-0000000101" in " ".join(process.cmdline())
        ]
        replica.kill()
        exit_code = await run.ended()
        await run.traces.until_gone()
    (crash,) = results(verdict_of(run.folder), "processes/crashes")
    if exit_code == 3:  # a starved machine: the result says what it would have been
        assert crash.figures["without_assumptions"] == "FAIL"
    else:
        assert (exit_code, crash.verdict) == (1, Verdict.FAIL), run.log.read_text()
    assert "vttablet-101" in crash.summary
    (end,) = [event for event in events_of(run.folder) if event.kind == "exit" and not event.details["expected"]]
    assert (end.subject, end.details["how"]) == ("vttablet-101", "signal 9")
    assert " INF " in str(end.details["tail"])
    assert "vttablet-101" in run.log.read_text()


# ---------------------------------------------------------------- in boxes


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("signum, status", [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
async def test_of_containers_and_pods_nothing_is_left(
    backend: Backend, signum: int, status: int, tmp_path: Path
) -> None:
    """A killed harness's watchdog removes them; `heal` finds nothing more to do."""
    if backend.name == "local":
        pytest.skip("local: the tests above look at its processes, namespaces, mounts and links")
    run, log = tmp_path / "run", tmp_path / "log"
    async with started("run", *LONG_BASELINE, "--backend", backend.name, "--out", run, log=log) as process:
        await until_event(run, "phase", "baseline", process, log=log)
        made = jsonio.load(RunDir(run).plan, Plan)
        traces = Traced(run=made.run_id, folder=run)
        assert await LEFT_OVER[backend.name](traces), "the test sees nothing of a running cluster"
        process.send_signal(signum)
        assert await wait.finish("vtchaos ends", process.wait(), timeout_s=ENDS_WITHIN_S) == status, log.read_text()
    assert RunDir(run).owner.exists() is (signum == signal.SIGKILL)
    await until_nothing_left(backend, traces)
    healed = await told("heal", run)
    assert (healed.returncode, healed.output) == (0, f"nothing of {made.run_id} is left")
    assert (await told("report", run)).returncode == 0
