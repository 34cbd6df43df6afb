"""Goal: a probe writes what changed and nothing else, survives a source that does not answer, and ends when told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from harness import history
from harness.base import jsonio, wait
from harness.base.rundir import RunDir
from harness.contracts import Probe
from harness.history import Series
from harness.probes import STANDARD, HostProbe, LogProbe, PauseProbe, host, loglines, pauses
from harness.probes.variables import known_tablets
from tests.unit.run_fakes import FakeCluster, a_stage


@contextlib.asynccontextmanager
async def probed(probe: Probe, folder: Path, cluster: FakeCluster) -> AsyncIterator[None]:
    """The probe runs for as long as the block; a probe that ended by itself is an error."""
    async with a_stage(folder, cluster) as stage:
        running = asyncio.create_task(probe.run(stage, folder))
        try:
            yield
        finally:
            assert not running.done() or running.exception() is None
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running


def lines(path: Path) -> list[dict[str, Any]]:
    return list(jsonio.read_lines(path))


async def until_lines(path: Path, enough: Callable[[list[dict[str, Any]]], bool]) -> None:
    async def there() -> list[dict[str, Any]]:
        found = lines(path)
        return found if enough(found) else []

    await wait.until(f"{path.name} has what is waited for", there, timeout_s=10, poll_s=0.005)


def series(folder: Path, source: str) -> Series:
    return history.load(RunDir.open(folder)).series[source]


# ---------------------------------------------------------------- /debug/vars


def test_a_shard_of_which_no_tablet_is_known_any_more_is_counted_on() -> None:
    shards: set[str] = set()
    stem = "HealthcheckConnections:ks.-80"
    assert known_tablets({f"{stem}.primary": 1, f"{stem}.replica": 2, "Uptime": 7}, shards) == {
        "known tablets:ks.-80": 3
    }
    assert known_tablets({f"{stem}.replica": 2}, shards) == {"known tablets:ks.-80": 2}
    assert known_tablets({"Uptime": 8}, shards) == {"known tablets:ks.-80": 0}
    assert known_tablets({"TabletType": "replica"}, set()) == {}


# ---------------------------------------------------------------- the host and ourselves


async def test_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "PERIOD_NS", 20_000_000)
    path = RunDir(tmp_path / "run").samples("host")
    async with probed(HostProbe(), tmp_path / "run", FakeCluster()):
        await until_lines(path, lambda found: len(found) >= 3)
    seen = series(tmp_path / "run", "host")
    memory = seen.number("memory_available_bytes")
    busy = seen.number("cpu_busy_share")
    assert memory is not None
    assert memory > 0
    assert busy is not None
    assert 0 <= busy <= 1


async def test_a_kernel_without_pressure_information_leaves_those_keys_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "PERIOD_NS", 20_000_000)
    monkeypatch.setattr(host, "Path", lambda _: tmp_path / "no such file")
    async with probed(HostProbe(), tmp_path / "run", FakeCluster()):
        await until_lines(RunDir(tmp_path / "run").samples("host"), lambda found: len(found) >= 2)
    keys = series(tmp_path / "run", "host").keys()
    assert "memory_available_bytes" in keys
    assert not [key for key in keys if key.endswith("_some_us")]


async def test_our_own_pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "TICK_NS", 1_000_000)
    monkeypatch.setattr(pauses, "SAMPLE_NS", 10_000_000)
    async with probed(PauseProbe(), tmp_path / "run", FakeCluster()):
        await until_lines(RunDir(tmp_path / "run").samples("harness"), lambda found: len(found) >= 2)
    seen = series(tmp_path / "run", "harness")
    lag = seen.number("loop_lag_max_ms")
    assert lag is not None
    assert lag >= 0
    assert seen.number("memory_bytes")


# ---------------------------------------------------------------- logs

BUFFERING = "2026-11-21 02:57:51.762 UTC INF buffer/shard_buffer.go:321 Starting buffering for shard: ks/-80"
TORN = "2026-11-21 02:57:52.000 UTC ERR discovery/healthcheck.go:625 gone"


async def test_what_is_grave_or_about_buffering_is_kept_once_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loglines, "PERIOD_NS", 10_000_000)
    log = tmp_path / "vtgate-1.log"
    log.write_text("2026-11-21 02:57:40.000 UTC ERR x.go:1 from before the probe\n")
    out = tmp_path / "run" / "loglines.jsonl"
    async with probed(LogProbe(), tmp_path / "run", FakeCluster(tmp_path)):
        await until_open(out)
        with log.open("a", buffering=1) as writing:
            writing.write("2026-11-21 02:57:50.000 UTC INF x.go:1 nothing of interest\n")
            writing.write(BUFFERING + "\n" + TORN[:40])
            await until_lines(out, lambda found: len(found) == 1)
            writing.write(TORN[40:] + "\n" + "panic: runtime error\n")
            await until_lines(out, lambda found: len(found) == 3)
    kept = history.load(RunDir.open(tmp_path / "run")).logs
    assert [(line.node, line.level) for line in kept] == [
        ("vtgate-1", "info"),
        ("vtgate-1", "error"),
        ("vtgate-1", "fatal"),
    ]
    assert kept[0].text == "buffer/shard_buffer.go:321 Starting buffering for shard: ks/-80"
    assert kept[1].text == "discovery/healthcheck.go:625 gone"
    assert kept[1].at_ns - kept[0].at_ns == 238_000_000
    assert kept[2].at_ns == kept[1].at_ns  # a panic has no time of its own


async def until_open(path: Path) -> None:
    """The probe has noted where every log ends."""

    async def there() -> bool:
        return path.exists()

    await wait.until(f"{path.name} is there", there, timeout_s=10, poll_s=0.005)


async def test_the_log_of_a_process_that_has_not_started_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loglines, "PERIOD_NS", 10_000_000)
    out = tmp_path / "run" / "loglines.jsonl"
    async with probed(LogProbe(), tmp_path / "run", FakeCluster(tmp_path)):
        await until_open(out)
        (tmp_path / "vttablet-100.log").write_text(TORN + "\n")
        await until_lines(out, lambda found: len(found) == 1)
    assert lines(out)[0]["node"] == "vttablet-100"


# ---------------------------------------------------------------- the table


def test_probes_of_an_experiment_have_names_of_their_own() -> None:
    names = [probe.name for probe in STANDARD]
    assert len(names) == len(set(names))
