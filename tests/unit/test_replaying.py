"""Goal: the plan of a replay is the recorded one, on a new cluster; what cannot be as it was is refused or told; the
answer says what differs."""

from __future__ import annotations

import dataclasses
import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click.testing
import pytest
from rich.console import Console

from clusters import BACKENDS
from experiments import EXPERIMENTS
from harness import one_run, planning
from harness.base import jsonio
from harness.base.errors import PlanError, RunDirError, UsageError
from harness.base.rundir import RunDir
from harness.base.taken_up import owned
from harness.checks import CHECKS
from harness.checks.judge import judge
from harness.cli import main
from harness.history import load
from harness.many.records import RunRecord
from harness.model import Drawn, Plan
from harness.planning import Overrides
from harness.replay import text as replay_text
from harness.replay.command import PLAN, Replays, source_of
from harness.replay.replaying import Compared, again, is_alike, on_cluster
from harness.replay.schedule import Issued, Pair
from tests.golden.record import FOLDER, unpack
from tests.unit.test_repeats import FOUND, PASSED, UNSURE

SCHEDULE = (Drawn(number=2, attempt=1, at_s=1.5, hold_s=4.0), Drawn(number=5, attempt=3, at_s=9.0, hold_s=2.0))


def a_plan(name: str = "faults/random", **more: object) -> Plan:
    made = planning.build(
        EXPERIMENTS[name],
        Overrides(),
        backend="local",
        seed=7,
        command_line=("vtchaos", "run"),
        harness_version="0.1.0",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def replayed(plan: Plan, *, own: bool = True) -> Plan:
    return again(
        plan,
        EXPERIMENTS,
        checks=CHECKS,
        takes_schedule=plan.experiment == "faults/random",
        command_line=("vtchaos", "replay", "there"),
        harness_version="0.1.0",
        own=own,
    )


# ---------------------------------------------------------------- the plan


def test_everything_is_as_recorded() -> None:
    plan = a_plan(schedule=SCHEDULE)
    made = replayed(plan)
    theirs = {
        field.name for field in dataclasses.fields(Plan) if getattr(plan, field.name) != getattr(made, field.name)
    }
    assert theirs == {"run_id", "command_line", "notes", "params"}
    assert made.params == {**plan.params, "faults": 2.0}, "as many as the schedule has"
    assert f"the plan of {plan.run_id}, 2 faults at their moments" in made.notes[0]


def test_of_a_replay_only_the_last_source_is_told() -> None:
    first = replayed(a_plan(notes=("fewer shards",)))
    second = replayed(first)
    assert second.notes == (f"issued again: the plan of {first.run_id}", "fewer shards")


def test_a_run_on_a_kept_cluster_gets_one_of_its_own_and_says_so() -> None:
    made = replayed(a_plan(cluster_name="mine"))
    assert made.cluster_name == ""
    assert "on a cluster of its own, as the kept cluster mine was" in made.notes[1]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"experiment": "faults/gone"}, "no experiment is called faults/gone"),
        ({"checks": ("bogus/check",)}, "bogus/check, which this version does not have"),
        ({"params": {"bogus": 1.0}}, "has no parameter bogus"),
        ({"params": {}}, "which the recorded plan does not have"),
        ({"cluster_name": "theirs", "backend": "kubernetes"}, "name one like it with --cluster"),
    ],
)
def test_what_cannot_be_as_it_was_is_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(PlanError, match=why):
        replayed(a_plan(**changed))


def test_a_schedule_that_nobody_would_issue_is_refused() -> None:
    with pytest.raises(PlanError, match="draws no faults"):
        replayed(a_plan("reparent/storm-2", schedule=SCHEDULE))


def test_a_plan_that_was_changed_into_one_that_cannot_be_is_refused() -> None:
    plan = a_plan()
    with pytest.raises(PlanError, match="--shards 0"):
        replayed(replace(plan, cluster=replace(plan.cluster, shards=0)))


def test_new_checks_of_the_experiment_and_another_version_are_told() -> None:
    plan = a_plan()
    made = replayed(replace(plan, checks=plan.checks[1:], harness_version="0.0.1"))
    assert f"{plan.checks[0]}" in " ".join(made.notes)
    assert "recorded by vtchaos 0.0.1" in " ".join(made.notes)


def test_a_cluster_that_stands_must_be_as_that_of_the_run_was() -> None:
    plan = a_plan(cluster_name="theirs", backend="kubernetes")
    made = replayed(plan, own=False)
    assert on_cluster(made, "like-it", plan.cluster).cluster_name == "like-it"
    with pytest.raises(PlanError, match="it has another shards, vitess"):
        on_cluster(made, "other", replace(plan.cluster, shards=7, vitess="21.0.2"))


# ---------------------------------------------------------------- where it comes from


def test_a_plan_of_another_version_is_refused_with_what_does_not_fit(tmp_path: Path) -> None:
    plain = jsonio.plain(a_plan()) | {"flavour": 1}
    jsonio.save(tmp_path / PLAN, plain)
    with pytest.raises(RunDirError, match=r"does not fit this version of vtchaos: .*flavour"):
        source_of(tmp_path / PLAN)


def test_what_is_neither_a_run_nor_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="neither a run directory nor a plan"):
        source_of(tmp_path / "nothing")
    with pytest.raises(RunDirError, match="it is not a run directory"):
        source_of(tmp_path)


def test_a_run_that_never_began_is_no_more_than_its_plan(tmp_path: Path) -> None:
    jsonio.save(tmp_path / PLAN, a_plan(schedule=SCHEDULE))
    assert source_of(tmp_path).seen is None
    assert source_of(tmp_path).plan.schedule == SCHEDULE


# ---------------------------------------------------------------- what is told


def test_what_showed_then_and_now() -> None:
    one = Issued(fault="Killed", targets=("vtgate-1",), at_s=1.0, hold_s=2.0)
    pairs = (Pair(then=one, now=replace(one, at_s=1.2)), Pair(then=one, now=None), Pair(then=None, now=one))
    assert [is_alike(pair) for pair in pairs] == [True, False, False]
    found = Compared(source="run-1", pairs=pairs, then=("a", "b"), now=("b", "c"))
    text = io.StringIO()
    replay_text.show(found, Console(file=text, width=160), judged=True)
    said = text.getvalue()
    assert "1 of 3 faults on the same targets at the same time" in said
    assert "vtgate-1 (only then)" in said
    assert "Of 2 things that had shown 1 showed again, and 1 that had not." in said
    assert [line.strip() for line in said.splitlines()[-3:]] == ["then: a", "both: b", "now: c"]
    assert jsonio.structure(jsonio.plain(found), Compared) == found


def test_how_often_it_showed_again() -> None:
    text = io.StringIO()
    replay_text.show_times(FOUND, [FOUND, FOUND, PASSED, UNSURE], Console(file=text, width=160))
    assert text.getvalue().endswith(
        "  showed again in 2 of 3 runs, 67% (21% to 94%): reparent/storm clients/stall 24.0.3\n"
    )


def test_what_had_not_shown_is_told_too() -> None:
    text = io.StringIO()
    replay_text.show_times(UNSURE, [FOUND, PASSED], Console(file=text, width=160))
    assert "That run had proved nothing." in text.getvalue()
    assert "showed in 1 of 2 runs, 50% (9% to 91%): reparent/storm clients/stall 24.0.3 (had not shown)" in (
        text.getvalue()
    )


def times(then: RunRecord | None, *runs: RunRecord) -> list[str]:
    text = io.StringIO()
    replay_text.show_times(then, runs, Console(file=text, width=160))
    return text.getvalue().splitlines()[1:]


def test_of_a_plan_alone_it_is_said_how_often_something_shows() -> None:
    found = times(None, FOUND, PASSED)
    assert found[0] == "How often it showed (95 % confidence)"
    assert found[1] == "  showed in 1 of 2 runs, 50% (9% to 91%): reparent/storm clients/stall 24.0.3"
    assert times(None, PASSED, PASSED)[-1] == "Nothing showed in 2 runs."
    assert times(FOUND, UNSURE, UNSURE)[-1] == "None of 2 runs proves anything, so how often it shows is not known."


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "The same showed again."),
        ({"now": ()}, "Of 1 thing that had shown 0 showed again."),
        ({"then": (), "now": ()}, "Neither of them showed anything."),
        ({"then": ()}, "Now something showed that had not."),
        (
            {"now": (), "now_counts": False, "then_errors": 53, "now_errors": 1055},
            "This run proves nothing, so whether the same shows is not known. "
            "Clients saw 53 errors then and 1,055 now.",
        ),
        (
            {"then": (), "now": (), "then_counts": False, "now_counts": False, "then_errors": 1},
            "Neither of the two runs proves anything. Clients saw 1 error then and 0 now.",
        ),
        ({"then": (), "then_counts": False}, "That run had proved nothing; now 1 thing showed."),
    ],
)
def test_a_run_that_proves_nothing_is_not_one_in_which_nothing_showed(changed: dict[str, Any], said: str) -> None:
    found = replace(Compared(source="run-1", pairs=(), then=("a",), now=("a",)), **changed)
    assert replay_text.showed_sentence(found) == said
    assert found.same is (said in ("The same showed again.", "Neither of them showed anything."))


# ---------------------------------------------------------------- several times


def replays(folder: Path, plan: Plan) -> Replays:
    (folder / "source").mkdir(parents=True, exist_ok=True)
    jsonio.save(folder / "source" / PLAN, plan)
    return Replays(folder / "runs", source_of(folder / "source" / PLAN), plan, times=2, plain=True)


def test_runs_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    plan = a_plan("reparent/storm-2")
    unpacked = []
    for number in (1, 2):
        folder = tmp_path / "runs" / f"{number:03d}"
        folder.mkdir(parents=True)
        run = unpack(FOLDER / "made-calm.tar.zst", folder)
        jsonio.save(run.verdict, judge(load(run)))
        unpacked.append(run)
    jsonio.save(tmp_path / "runs" / PLAN, plan)
    assert replays(tmp_path, plan).run() == 0
    assert (tmp_path / "runs" / "summary.json").is_file()


def test_ctrl_c_on_the_way_to_the_first_new_one_leaves_the_answer(tmp_path: Path) -> None:
    plan = a_plan("reparent/storm-2")
    for number in (1, 2):
        folder = tmp_path / "runs" / f"{number:03d}"
        folder.mkdir(parents=True)
        run = unpack(FOLDER / "made-calm.tar.zst", folder)
        jsonio.save(run.verdict, judge(load(run)))
    jsonio.save(tmp_path / "runs" / PLAN, plan)
    made = replays(tmp_path, plan)
    made.run()
    answer = (tmp_path / "runs" / "summary.json").read_bytes()
    again = replays(tmp_path, plan)
    one = again._one

    def interrupted(number: int) -> RunRecord | None:
        again._stopping.asked = True
        return one(number)

    again._one = interrupted  # type: ignore[method-assign]
    assert again.run() == 130
    assert (tmp_path / "runs" / "summary.json").read_bytes() == answer


def test_two_do_not_replay_into_one_folder(tmp_path: Path) -> None:
    second = replays(tmp_path, a_plan("reparent/storm-2"))
    with owned(tmp_path / "runs"), pytest.raises(RunDirError, match="another vtchaos is at work"):
        second.run()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    plan = a_plan("reparent/storm-2")
    (tmp_path / "runs").mkdir()
    jsonio.save(tmp_path / "runs" / PLAN, replace(plan, seed=8))
    with pytest.raises(UsageError, match="replays of another plan"):
        replays(tmp_path, plan).run()
    (tmp_path / "runs" / PLAN).write_text("{")
    with pytest.raises(UsageError, match="does not fit this version"):
        replays(tmp_path, plan).run()
    (tmp_path / "runs" / PLAN).rename(tmp_path / "runs" / "holiday.json")
    with pytest.raises(UsageError, match="holds no replays"):
        replays(tmp_path, plan).run()
    RunDir(tmp_path / "runs").clock.touch()
    jsonio.save(tmp_path / "runs" / PLAN, plan)
    with pytest.raises(UsageError, match="is a run directory"):
        replays(tmp_path, plan).run()


# ---------------------------------------------------------------- the command


def a_run(folder: Path, name: str = "own-reparent") -> RunDir:
    folder.mkdir(parents=True)
    return unpack(FOLDER / f"{name}.tar.zst", folder)


def as_if_run(monkeypatch: pytest.MonkeyPatch, *, exit_code: int = 0) -> list[Plan]:
    """Plans that would have been run; what they left is a recorded run."""
    asked: list[Plan] = []

    def made(plan: Plan, _: object, folder: RunDir, **more: object) -> int:
        asked.append(plan)
        unpack(FOLDER / "own-reparent.tar.zst", folder.path)
        return exit_code

    async def no_refusals(*_: object) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(one_run, "made", made)
    monkeypatch.setattr(type(BACKENDS["local"]), "refusals", no_refusals)
    return asked


def test_a_run_is_issued_again_and_told_beside_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = a_run(tmp_path / "first")
    asked = as_if_run(monkeypatch, exit_code=3)
    monkeypatch.chdir(tmp_path)
    words = ["replay", "first", "--out", str(tmp_path / "again"), "--plain"]
    monkeypatch.setattr(sys, "argv", ["vtchaos", *words])
    done = click.testing.CliRunner().invoke(main, words)
    assert done.exit_code == 3, done.output
    (plan,) = asked
    assert (plan.seed, plan.cluster) == (load(first).plan.seed, load(first).plan.cluster)
    assert plan.command_line[:3] == ("vtchaos", "replay", str(first.path)), "found from elsewhere, too"
    assert "1 fault, on the same targets at the same time." in done.output
    found = jsonio.load(tmp_path / "again" / "replay.json", Compared)
    assert (found.source, found.same, found.same_faults) == (load(first).plan.run_id, True, True)


def test_a_plan_alone_is_issued_and_compared_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jsonio.save(tmp_path / PLAN, a_plan("reparent/storm-2"))
    asked = as_if_run(monkeypatch)
    words = ["replay", str(tmp_path / PLAN), "--out", str(tmp_path / "run"), "--plain"]
    assert click.testing.CliRunner().invoke(main, words).exit_code == 0
    assert len(asked) == 1
    assert not (tmp_path / "run" / "replay.json").exists()


def test_a_sabotaged_run_is_sabotaged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jsonio.save(tmp_path / PLAN, a_plan("reparent/storm-2", sabotage="lost-row"))
    asked = as_if_run(monkeypatch)
    words = ["replay", str(tmp_path / PLAN), "--out", str(tmp_path / "run"), "--plain"]
    done = click.testing.CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert asked[0].sabotage == "lost-row"
    assert "SABOTAGED on purpose: lost-row" in done.output
