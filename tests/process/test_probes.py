"""Probes of processes that answer, hang or answer nonsense."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.rundir import RunDir
from harness.model import Role
from harness.probes import VarsProbe
from harness.probes.variables import VTGATE_VARS
from harness.vitess import debug_vars
from tests.unit.recorded import payload
from tests.unit.run_fakes import FakeCluster
from tests.unit.test_probes import lines, probed, series, until_lines
from tests.unit.web_fakes import FakeWeb

VTGATES = VarsProbe(name="vtgate", role=Role.VTGATE, keep=VTGATE_VARS, period_s=0.01)


async def test_the_first_sample_is_whole_and_the_next_ones_only_what_changed(tmp_path: Path) -> None:
    path = RunDir(tmp_path / "run").samples("vtgate-1")
    variables = payload("vtgate-24.0.3")
    async with FakeWeb(variables).serving() as web:
        cluster = FakeCluster(ports={("vtgate-1", "web"): web.port, ("vtgate-2", "web"): web.port})
        async with probed(VTGATES, tmp_path / "run", cluster):
            await until_lines(path, lambda found: len(found) >= 3)
            variables["BufferStarts"] = {"ks.-80": 1, "ks.80-": 0}
            await until_lines(path, lambda found: "BufferStarts:ks.-80" in found[-1]["values"])
            await until_lines(path, lambda found: not found[-1]["values"])
    first, *rest = lines(path)
    assert first["values"]["BufferSize"] == 1000
    assert [line["values"] for line in rest if line["values"]] == [{"BufferStarts:ks.-80": 1}]
    assert all(line["took_ns"] > 0 and not line["error"] for line in (first, *rest))
    assert series(tmp_path / "run", "vtgate-1").last("BufferStarts:ks.-80") == 1
    assert series(tmp_path / "run", "vtgate-2").last("BufferStarts:ks.-80") == 1


async def test_a_process_that_does_not_answer_is_a_sample_and_not_the_end(tmp_path: Path) -> None:
    path = RunDir(tmp_path / "run").samples("vtgate-1")
    async with FakeWeb(payload("vtgate-24.0.3")).serving() as web:
        cluster = FakeCluster(ports={("vtgate-1", "web"): web.port, ("vtgate-2", "web"): 1})
        async with probed(VTGATES, tmp_path / "run", cluster):
            await until_lines(path, lambda found: len(found) >= 2)
            web.status = 503
            await until_lines(path, lambda found: bool(found[-1]["error"]))
            web.status = 200
            await until_lines(path, lambda found: not found[-1]["error"])
    assert series(tmp_path / "run", "vtgate-1").last("BufferSize") == 1000
    assert "503" in series(tmp_path / "run", "vtgate-1").failures()[0].error
    refused = lines(RunDir(tmp_path / "run").samples("vtgate-2"))
    assert all("ClientConnectorError" in line["error"] and not line["values"] for line in refused)


async def test_one_process_that_hangs_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debug_vars, "ANSWER_WITHIN_S", 0.2)
    async with FakeWeb(hangs=True).serving() as hung, FakeWeb(payload("vtgate-24.0.3")).serving() as well:
        cluster = FakeCluster(ports={("vtgate-1", "web"): hung.port, ("vtgate-2", "web"): well.port})
        async with probed(VTGATES, tmp_path / "run", cluster):
            await until_lines(RunDir(tmp_path / "run").samples("vtgate-1"), lambda found: bool(found))
    assert lines(RunDir(tmp_path / "run").samples("vtgate-1"))[0]["error"].startswith("TimeoutError")
    assert len(lines(RunDir(tmp_path / "run").samples("vtgate-2"))) > 1


async def test_an_answer_that_is_no_object_is_a_sample(tmp_path: Path) -> None:
    path = RunDir(tmp_path / "run").samples("vtgate-1")
    async with FakeWeb(raw=b"[]").serving() as web:
        cluster = FakeCluster(ports={("vtgate-1", "web"): web.port, ("vtgate-2", "web"): web.port})
        async with probed(VTGATES, tmp_path / "run", cluster):
            await until_lines(path, lambda found: len(found) >= 2)
    assert lines(path)[0]["error"].startswith("ValueError")
