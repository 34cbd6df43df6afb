"""Goal: `vtchaos heal` removes what a killed run left, says what that was, may be repeated, and never touches a run
whose harness lives; `down --all` and `status` know the dead runs of every backend, also while one does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click.testing
import pytest

import harness.heal
import harness.kept
from clusters import in_use, kept
from clusters.common.images import Held
from clusters.images import shelves
from harness import undoing
from harness.base import jsonio, owner
from harness.base.errors import ClusterError, PlanError
from harness.base.rundir import LineLog, RunDir
from harness.cli import main
from harness.faults import broken_off
from harness.model import Event, Placement, Remedy
from harness.orphans import Orphans, told
from tests.unit.kept_fakes import SPEC, FakeBackend, FakeKeeper, MendedCluster
from tests.unit.local_fakes import Recorder
from tests.unit.run_fakes import plan, spans

RUN = "run-1"  # of run_fakes.plan
CONTAINERS = ["container etcd", "network vtchaos-run-1"]
HERE = owner.this_process()
DEAD = replace(HERE, started=1)


@pytest.fixture
def docker() -> FakeBackend:
    return FakeBackend(left={RUN: list(CONTAINERS)}, dead=(RUN,))


@pytest.fixture
def keeper() -> FakeKeeper:
    return FakeKeeper()


@pytest.fixture(autouse=True)
def no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a test says so: the real engine of this machine is none of these tests' business."""

    @contextlib.asynccontextmanager
    async def opened(backend: str, place: Placement) -> AsyncIterator[tuple[Shelf, ...]]:
        yield ()

    monkeypatch.setattr(shelves, "opened", opened)


@pytest.fixture(autouse=True)
def tables(
    docker: FakeBackend, keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Mapping[str, FakeBackend]:
    """What the commands look names up in."""
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path / "cache"))
    backends = {"docker": docker, "kubernetes": FakeBackend(name="kubernetes")}
    for module in (harness.heal, harness.kept):
        monkeypatch.setattr(module, "BACKENDS", backends)
        monkeypatch.setattr(module, "KEEPERS", {"docker": keeper})
    return backends


def killed(folder: Path, *, by: owner.Owner | None = DEAD, **changes: Any) -> RunDir:
    """The directory of a run whose harness was killed."""
    run = RunDir.create(folder)
    jsonio.save(run.plan, replace(plan(), backend="docker", **changes))
    if by is not None:
        jsonio.save(run.owner, by)
    return run


def vtchaos(*words: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, [str(word) for word in words])


# ---------------------------------------------------------------- one run


def test_it_says_what_it_removed_and_the_second_time_that_nothing_is_left(tmp_path: Path) -> None:
    run = killed(tmp_path / "run")
    first, second = vtchaos("heal", run.path), vtchaos("heal", run.path)
    assert (first.exit_code, first.output) == (0, "removed: container etcd\nremoved: network vtchaos-run-1\n")
    assert (second.exit_code, second.output) == (0, f"nothing of {RUN} is left\n")


def test_another_engine_is_not_asked(tmp_path: Path, docker: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would say that nothing is left."""
    run = killed(tmp_path / "run")
    LineLog(run.events).append(Event(at_ns=1, kind="engine", subject="unix:///one.sock"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///two.sock")
    done = vtchaos("heal", run.path)
    assert done.exit_code == 2
    assert f"DOCKER_HOST=unix:///one.sock vtchaos heal {run.path}" in done.stderr
    assert docker.left
    monkeypatch.setenv("DOCKER_HOST", "unix:///one.sock")
    assert vtchaos("heal", run.path).exit_code == 0
    assert docker.left == {}


def test_a_living_harness_is_not_disturbed(tmp_path: Path, docker: FakeBackend) -> None:
    run = killed(tmp_path / "run", by=HERE)
    for words in (("heal", run.path), ("heal", run.path, "--force")):
        done = vtchaos(*words)
        assert done.exit_code == 2
        assert f"is alive (process {HERE.pid})" in done.stderr
    assert docker.left == {RUN: CONTAINERS}


def test_of_another_host_it_must_be_said(tmp_path: Path, docker: FakeBackend) -> None:
    run = killed(tmp_path / "run", by=replace(HERE, host="other.example"))
    refused = vtchaos("heal", run.path)
    assert refused.exit_code == 2
    assert "ran on the host other.example" in refused.stderr
    assert docker.left
    assert vtchaos("heal", run.path, "--force").exit_code == 0
    assert docker.left == {}


def test_a_run_that_came_to_its_end_has_no_owner(tmp_path: Path) -> None:
    assert vtchaos("heal", killed(tmp_path / "run", by=None).path).exit_code == 0


def test_an_engine_that_does_not_answer_is_no_success(tmp_path: Path, docker: FakeBackend) -> None:
    docker.broken = "no Docker engine answers"
    done = vtchaos("heal", killed(tmp_path / "run").path)
    assert (done.exit_code, done.stderr) == (4, "vtchaos: no Docker engine answers\n")


@pytest.mark.parametrize(
    "file, text, said",
    [
        ("plan.json", "{}", "plan.json does not fit this version"),
        ("owner.json", "{", "owner.json is damaged"),
    ],
)
def test_a_damaged_run_directory(tmp_path: Path, docker: FakeBackend, file: str, text: str, said: str) -> None:
    run = killed(tmp_path / "run")
    (run.path / file).write_text(text)
    done = vtchaos("heal", run.path)
    assert done.exit_code == 2
    assert said in done.stderr
    assert docker.left


def test_what_is_no_run_directory(tmp_path: Path) -> None:
    assert "holds no plan.json" in vtchaos("heal", tmp_path).stderr


def test_a_backend_that_this_version_does_not_have(tmp_path: Path) -> None:
    run = killed(tmp_path / "run")
    jsonio.save(run.plan, replace(plan(), backend="moon"))
    assert "has no backend moon" in vtchaos("heal", run.path).stderr


# ---------------------------------------------------------------- a run on a kept cluster


async def stands(keeper: FakeKeeper) -> None:
    await kept.start("mine", SPEC, plan().place, keeper="docker", keepers={"docker": keeper}, observer=Recorder())


def intents(run: RunDir, *rows: tuple[str, str, bool]) -> None:
    """(fault, target, healed) in the fault ledger."""
    ledger = LineLog(run.faults)
    for number, (fault, target, healed) in enumerate(rows, start=1):
        ledger.append(
            {"number": number, "at_ns": 1, "step": "intent", "fault": fault, "targets": [target], "details": {}}
        )
        ledger.append({"number": number, "at_ns": 2, "step": "active"})
        if healed:
            ledger.append({"number": number, "at_ns": 3, "step": "healed"})
    ledger.close()


async def mended(run: RunDir, keeper: FakeKeeper) -> tuple[list[str], list[str]]:
    if not keeper.alive:
        await stands(keeper)
    made = harness.heal.plan_of(run)
    found = await harness.heal.healed(made, run, backends={"docker": FakeBackend()}, keepers={"docker": keeper})
    return found.done, found.in_force


def remedies(run: RunDir, *rows: tuple[str, str]) -> None:
    """(kind, target) of faults in force, one remedy each, in a ledger that has all that takes them back."""
    ledger = LineLog(run.faults)
    for number, (kind, target) in enumerate(rows, start=1):
        intent = {"fault": f"Fault{number}", "targets": [target], "undo": [Remedy(kind=kind, target=target)]}
        ledger.append({"number": number, "at_ns": 1, "step": "intent", "details": {}, **intent})
    ledger.close()


async def test_faults_are_taken_back_as_the_ledger_says_and_once(tmp_path: Path) -> None:
    cluster = MendedCluster(running={"vtgate-1", "vttablet-100"})
    keeper = FakeKeeper(cluster=cluster)
    run = killed(tmp_path / "run", cluster_name="mine")
    remedies(run, ("runs", "vtgate-2"), ("runs", "vtgate-1"))
    done = ["taken back: Fault1 on vtgate-2", "taken back: Fault2 on vtgate-1"]
    assert await mended(run, keeper) == (done, [])
    assert {"start vtgate-2", f"signal {int(signal.SIGCONT)} vtgate-1"} < set(cluster.done)
    assert [span.healed_by for span in spans(run.path)] == ["heal", "heal"]
    assert await mended(run, keeper) == ([], [])
    assert cluster.done.count("start vtgate-2") == 1


async def test_a_cluster_on_which_all_is_taken_back_may_be_gone(tmp_path: Path) -> None:
    run = killed(tmp_path / "run", cluster_name="nowhere")
    assert await mended(run, FakeKeeper()) == ([], [])
    remedies(run, ("runs", "vttablet-100"))
    with pytest.raises(PlanError, match="no cluster"):
        await mended(run, FakeKeeper())


async def test_vtgates_come_after_the_tablets_that_they_look_for(tmp_path: Path) -> None:
    cluster = MendedCluster(running={"vtgate-1"})
    run = killed(tmp_path / "run", cluster_name="mine")
    remedies(run, ("runs", "vttablet-100"), ("runs", "vtgate-2"))
    await mended(run, FakeKeeper(cluster=cluster))
    assert [what for what in cluster.done if what.startswith("start")] == ["start vttablet-100", "start vtgate-2"]


async def test_who_dies_at_its_start_is_started_again(tmp_path: Path) -> None:
    cluster = MendedCluster(running={"vtgate-1"}, die=["vttablet-100"])
    run = killed(tmp_path / "run", cluster_name="mine")
    remedies(run, ("runs", "vttablet-100"))
    assert (await mended(run, FakeKeeper(cluster=cluster)))[1] == []
    assert cluster.done.count("start vttablet-100") == 2


async def test_what_cannot_be_taken_back_hinders_nothing_else_and_may_be_tried_again(tmp_path: Path) -> None:
    cluster = MendedCluster(running={"vtgate-1"})
    keeper = FakeKeeper(cluster=cluster)
    run = killed(tmp_path / "run", cluster_name="mine")
    remedies(run, ("runs", "vtctld"), ("of another version", "x"), ("runs", "vtgate-2"))
    done, (line,) = await mended(run, keeper)
    assert done == ["taken back: Fault1 on vtctld", "taken back: Fault3 on vtgate-2"]
    assert line.startswith("Fault2 on x may still be in force: of another version on x: this version of vtchaos does")
    assert (await mended(run, keeper))[1] == [line]


async def test_a_cluster_that_another_run_works_on_is_left_alone(tmp_path: Path) -> None:
    keeper = FakeKeeper()
    await stands(keeper)
    run = killed(tmp_path / "run", cluster_name="mine")
    remedies(run, ("runs", "vttablet-100"))
    with in_use.using(kept.folder_of("mine")), pytest.raises(PlanError, match=f"in use by process {HERE.pid}"):
        await mended(run, keeper)
    assert keeper.cluster.done == []


@pytest.mark.parametrize(
    "steps, open_, by_itself",
    [
        ([{"step": "begin"}], True, True),  # nobody heard how it ended
        ([{"step": "begin"}, {"step": "failed", "error": "CancelledError: "}], True, True),  # Ctrl-C
        ([{"step": "begin"}, {"step": "active"}], False, False),
        ([{"step": "begin"}, {"step": "failed", "error": "PlannedReparentShard: UNKNOWN: no"}], True, False),
    ],
)
def test_an_operation_that_was_broken_off_is_brought_to_an_end(
    tmp_path: Path, steps: list[dict[str, str]], open_: bool, by_itself: bool
) -> None:
    """A shard that has lost its old primary and got no new one takes no writes until somebody does something; after a
    run that lives, which has a finding then, only when somebody asks for it."""
    run = killed(tmp_path / "run", cluster_name="mine")
    ledger = LineLog(run.faults)
    intent = {"fault": "PlannedReparent", "targets": ["-80"], "details": {"keyspace": "ks", "shard": "-80"}, "undo": []}
    ledger.append({"number": 1, "at_ns": 1, "step": "intent", **intent})
    for step in steps:
        ledger.append({"number": 1, "at_ns": 2, **step})
    assert bool(undoing.unfinished(run)) is by_itself
    found = [remedy for span in undoing.open_spans(run) for remedy in undoing.remedies_of(span)]
    assert found == ([Remedy(kind=broken_off.WRITABLE, target="ks/-80")] if open_ else [])


# ---------------------------------------------------------------- ledgers of earlier versions


async def test_a_target_that_does_not_run_is_started(tmp_path: Path) -> None:
    cluster = MendedCluster(running={"vtgate-1", "vtgate-2"})
    run = killed(tmp_path / "run", cluster_name="mine")
    intents(run, ("KilledVttablet", "vttablet-100", False), ("KilledVttablet", "vtctld", True))
    assert await mended(run, FakeKeeper(cluster=cluster)) == (["started again: vttablet-100"], [])
    assert cluster.done == ["links []", "start vttablet-100"]


async def test_a_paused_target_is_continued(tmp_path: Path) -> None:
    cluster = MendedCluster(links="no nft")
    run = killed(tmp_path / "run", cluster_name="mine")
    intents(run, ("PausePrimary", "vttablet-100", False))
    assert await mended(run, FakeKeeper(cluster=cluster)) == ([], [])
    assert cluster.done == [f"signal {int(signal.SIGCONT)} vttablet-100"]


async def test_what_is_no_process_is_told(tmp_path: Path) -> None:
    run = killed(tmp_path / "run", cluster_name="mine")
    intents(run, ("LaggingReplicas", "zone1-0000000101", False), ("PlannedReparent", "zone1-0000000100", False))
    done, (line,) = await mended(run, FakeKeeper())
    assert done == []
    assert line.startswith("LaggingReplicas on zone1-0000000101 may still be in force: undo it by hand")


def test_what_may_still_be_in_force_is_no_success(tmp_path: Path, keeper: FakeKeeper) -> None:
    asyncio.run(stands(keeper))
    run = killed(tmp_path / "run", cluster_name="mine")
    intents(run, ("LaggingReplicas", "zone1-0000000101", False))
    done = vtchaos("heal", run.path)
    assert done.exit_code == ClusterError.exit_code
    assert "LaggingReplicas on zone1-0000000101 may still be in force" in done.stderr


# ---------------------------------------------------------------- all dead runs


def test_status_tells_what_dead_runs_left_and_what_removes_it() -> None:
    done = vtchaos("status")
    assert done.exit_code == 0
    assert (
        f"left by {RUN}, whose harness is dead (docker): {', '.join(CONTAINERS)}; `vtchaos down --all` removes it"
        in done.stdout
    )


def test_down_all_removes_it_beside_the_kept_clusters(docker: FakeBackend, keeper: FakeKeeper, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "clusters" / "old"
    folder.mkdir(parents=True)
    jsonio.save(folder / kept.MADE, kept.Made(keeper="docker", place=plan().place))
    docker.left["alive"] = ["container of a run that goes on"]
    done = vtchaos("down", "--all")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["old is gone", *(f"{RUN}: removed: {each}" for each in CONTAINERS)]
    assert keeper.stopped == ["old"]
    assert docker.left == {"alive": ["container of a run that goes on"]}
    assert vtchaos("down", "--all").exit_code == 0


def test_a_backend_that_is_not_there_is_said_and_no_error(tables: dict[str, FakeBackend], docker: FakeBackend) -> None:
    tables["kubernetes"].broken = "no cluster answers"
    seen, done = vtchaos("status"), vtchaos("down", "--all")
    assert (seen.exit_code, done.exit_code) == (0, 0), seen.output + done.output
    assert "no cluster answers" not in seen.output, "most people use one backend"
    assert "kubernetes was not looked at: no cluster answers" in done.stdout
    assert docker.left == {}


def test_a_cluster_that_cannot_be_ended_hinders_nothing_else(
    docker: FakeBackend, keeper: FakeKeeper, tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / "clusters" / "old"
    folder.mkdir(parents=True)
    jsonio.save(folder / kept.MADE, kept.Made(keeper="docker", place=plan().place))
    keeper.broken = "the engine is gone"
    done = vtchaos("down", "--all")
    assert done.exit_code == 4
    assert "old is not gone: the engine is gone" in done.stderr
    assert docker.left == {}


def test_much_is_told_in_few_words() -> None:
    (line,) = told([Orphans(backend="docker", runs={"r": ["a", "b", "c", "d", "e"]})])
    assert "a, b, c and 2 more; `vtchaos" in line


# ---------------------------------------------------------------- images


class Shelf:
    """Holds two images of ours, of which a container uses one."""

    def __init__(self) -> None:
        self.held = {"vtchaos/vitess:a": "", "vtchaos/vitess:b": "a container uses it"}

    async def ours(self) -> list[Held]:
        return [Held(reference=row, purpose="", vitess="", size_bytes=0) for row in self.held]

    async def remove(self, reference: str) -> str:
        why_not = self.held[reference]
        if not why_not:
            del self.held[reference]
        return why_not


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """What docker holds; the other backends hold nothing."""
    held = Shelf()

    @contextlib.asynccontextmanager
    async def opened(backend: str, place: Placement) -> AsyncIterator[tuple[Shelf, ...]]:
        yield (held,) if backend == "docker" else ()

    monkeypatch.setattr(shelves, "opened", opened)
    return held


def test_images_that_a_run_loaded_and_nobody_uses_go_with_it(tmp_path: Path, shelf: Shelf) -> None:
    shelf.held["vtchaos/vitess:c"] = ""
    run = killed(tmp_path / "run")
    events = LineLog(run.events)
    for reference in ("vtchaos/vitess:a", "vtchaos/vitess:b"):
        events.append(Event(at_ns=1, kind="image", subject=reference))
    assert "vtchaos/vitess" not in vtchaos("heal", run.path, "--keep-images").output
    assert "removed: image vtchaos/vitess:a\n" in vtchaos("heal", run.path).output
    assert list(shelf.held) == ["vtchaos/vitess:b", "vtchaos/vitess:c"]  # in use; there before
    again = vtchaos("heal", run.path)
    assert (again.exit_code, again.output.startswith("nothing of ")) == (0, True), again.output


def test_images_go_with_all_clusters_only_when_asked_for(shelf: Shelf) -> None:
    assert "vtchaos/vitess" not in vtchaos("down", "--all").output
    done = vtchaos("down", "--all", "--images")
    assert done.exit_code == 0, done.output
    assert "removed: image vtchaos/vitess:a\nthe image vtchaos/vitess:b stays: a container uses it\n" in done.output
    assert list(shelf.held) == ["vtchaos/vitess:b"]


def test_images_of_an_engine_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def opened(backend: str, place: Placement) -> AsyncIterator[tuple[Shelf, ...]]:
        raise ClusterError("no Docker engine answers")
        yield ()

    monkeypatch.setattr(shelves, "opened", opened)
    done = vtchaos("down", "--all", "--images")
    assert done.exit_code == 0
    assert "images: docker was not looked at: no Docker engine answers" in done.stdout


def test_images_of_others_are_not_removed_with_one_cluster() -> None:
    assert "--images goes with --all" in vtchaos("down", "x", "--images").stderr
