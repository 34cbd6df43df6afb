"""Goal: the command says what the ledger says, and its exit code is what became of the fault.

Method: a cluster of names instead of a kept one; the real stage and ledger. Against a real one: tests/cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness import fault_commands
from harness.base import jsonio
from harness.base.clock import ClockBase
from harness.base.errors import ClusterError
from harness.base.rundir import LineLog, RunDir
from harness.checks.judge import judge
from harness.cli import main
from harness.history import load
from harness.model import Verdict
from tests.unit.run_fakes import Diary, DiaryFault, FakeCluster, plan, spans

HOLD_S = 0.05


class NoLease:
    """A cluster that nobody else would heal."""

    def __init__(self, _: RunDir) -> None:
        return

    async def lost(self) -> str:
        await asyncio.Event().wait()
        return ""

    async def healed(self) -> None:
        return


class LostLease(NoLease):
    async def lost(self) -> str:
        return "the watchdog was ended by somebody"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    @contextlib.asynccontextmanager
    async def attached(*_: object) -> AsyncIterator[FakeCluster]:
        yield FakeCluster()

    monkeypatch.setattr(fault_commands, "attached", attached)
    monkeypatch.setattr(fault_commands, "Lease", NoLease)
    run = RunDir.create(tmp_path / "run")
    jsonio.save(run.plan, plan(cluster_name="demo"))
    jsonio.save(run.clock, ClockBase.take())
    return run


async def injected(fault: DiaryFault, folder: RunDir, hold_s: float = HOLD_S) -> int:
    return await fault_commands._injected(fault, plan(cluster_name="demo"), folder, hold_s)


def never(value: Any) -> Callable[[], Awaitable[Any]]:
    async def says() -> Any:
        return value

    return says


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        ({}, 0, ("Diary on vttablet-100 (was primary)", "in force", "holding for", "taken back", "has got over it")),
        ({"evidence": never(False)}, 3, ("NO EVIDENCE that it took effect", "taken back")),
        ({"gone": never(())}, 1, ("has NOT got over it",)),
        ({"one_shot": True}, 0, ("done", "felt")),
    ],
)
async def test_its_story(
    folder: RunDir, capsys: pytest.CaptureFixture[str], more: dict[str, Any], code: int, says: tuple[str, ...]
) -> None:
    assert await injected(DiaryFault([], **more), folder) == code
    told = capsys.readouterr().out
    assert [text for text in says if text not in told] == []


@pytest.mark.parametrize(("more", "verdict"), [({}, Verdict.PASS), ({"evidence": never(False)}, Verdict.UNKNOWN)])
async def test_it_is_judged_as_any_run(folder: RunDir, more: dict[str, Any], verdict: Verdict) -> None:
    made = fault_commands._planned(DiaryFault([], **more), FakeCluster().spec, "local", "demo", seed=1)
    jsonio.save(folder.plan, made)
    await fault_commands._injected(DiaryFault([], **more), made, folder, HOLD_S)
    judged = judge(load(folder))
    assert judged.verdict is verdict, judged
    assert judged.headline.startswith("Diary on vttablet-100: ")


async def test_it_holds_as_long_as_was_said(folder: RunDir) -> None:
    await injected(DiaryFault([]), folder, 0.3)
    (span,) = spans(folder.path)
    assert 0.3 <= (span.recover_ns - span.active_ns) / 1e9 < 1.0


async def test_a_lost_lease_ends_it(folder: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_commands, "Lease", LostLease)
    diary: Diary = []
    with pytest.raises(ClusterError, match="the watchdog was ended by somebody"):
        await injected(DiaryFault(diary), folder, 60.0)
    assert diary[-1] == "heal"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("inject", "Paused", "--node", "vtgate-1", "--role", "vtgate"), "--node names the very processes"),
        (("inject", "Paused", "--set", "nonsense"), "--set takes a name and a value"),
        (("inject", "Paused", "--for", "0s"), "--for 0s: it takes seconds"),
        (("inject", "PlannedReparent", "--shard", "0", "--for", "5s"), "over when it has returned"),
        (("list", "Pausd"), "did you mean Paused"),
        (("list", "--cluster", "demo", "--backend", "docker"), "a cluster stands on a backend already"),
    ],
)
def test_refused(words: tuple[str, ...], says: str) -> None:
    done = CliRunner().invoke(main, ["fault", *words])
    assert (done.exit_code, says in done.output) == (2, True), done.output


def test_the_list_has_parameters_and_needs() -> None:
    done = CliRunner().invoke(main, ["fault", "list", "slowed"])
    assert "targets=vtgate, cpus=0.1" in done.output
    assert "needs: cpu" in done.output


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("SlowLink", "not on docker: delay: links are delayed on the local backend only"),
        ("Slowed", "possible on docker, where its host permits it"),
        ("VSchemaChurn", "possible on docker\n"),
    ],
)
def test_the_list_says_what_a_backend_never_can(fault: str, says: str) -> None:
    done = CliRunner().invoke(main, ["fault", "list", "--backend", "docker", fault])
    assert says in done.output


def test_the_parts_of_a_fault_are_told_and_not_judged(folder: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    """A rolling restart reparents: each reparent has a span of its own in the ledger."""
    told = fault_commands._Told(DiaryFault([], one_shot=True), "ks", folder)
    ledger = LineLog(folder.faults)
    for number, fault, target in ((1, "Diary", "vttablet-100"), (2, "PlannedReparent", "-80")):
        about = {"number": number, "at_ns": 5, "fault": fault, "targets": [target], "details": {}}
        for line in ({**about, "step": "intent"}, {"number": number, "step": "observed", "observed": True, "at_ns": 6}):
            ledger.append(line)
            told.step(line)
    ledger.close()
    said = [line.partition("] ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said[0] == "Diary on vttablet-100"
    assert said[1].startswith("felt: ")
    assert said[2:] == ["PlannedReparent on -80"]
    assert told.span.fault == "Diary"
