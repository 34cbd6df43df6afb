"""Goal: the command line refuses what cannot be with one sentence and exit code 2, never a traceback; and `list`,
`plan`, `check` and `report` do what they say without a cluster."""

from __future__ import annotations

import shutil
from pathlib import Path

import click.testing
import orjson
import pytest

from experiments import EXPERIMENTS
from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.cli import main
from harness.model import OpKind, Plan, RunVerdict
from harness.reports import RENDERERS
from tests.fakes import HistoryBuilder, calm
from tests.golden.record import FOLDER, unpack

CALM, BUG = FOLDER / "made-calm.tar.zst", FOLDER / "made-17629.tar.zst"


def vtchaos(*words: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, [str(word) for word in words])


def refused(*words: str | Path) -> str:
    """What it said; it must be one sentence of ours on stderr, nothing on stdout, exit code 2."""
    done = vtchaos(*words)
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("vtchaos: ")
    return done.stderr


# ---------------------------------------------------------------- what there is


def test_list_shows_every_experiment_and_what_it_asks() -> None:
    done = vtchaos("list")
    assert done.exit_code == 0
    assert all(name in done.stdout for name in EXPERIMENTS)


def test_help_says_what_the_exit_codes_mean() -> None:
    done = vtchaos("--help")
    assert done.exit_code == 0
    assert "Exit codes: 0 passed" in done.stdout


def test_doctor_cuts_no_path_in_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    (folder / "vtgate").write_text('#!/bin/sh\necho "vtgate version Version: 24.0.3 (x)"\n')
    (folder / "vtgate").chmod(0o755)
    monkeypatch.setenv("VTROOT", str(tmp_path))
    (tmp_path / "bin").symlink_to(folder)
    done = vtchaos("doctor")
    assert done.exit_code == 0
    assert str(tmp_path / "bin" / "vtgate") in done.stdout
    assert "…" not in done.stdout


def test_plan_as_json_is_a_whole_plan() -> None:
    done = vtchaos("plan", "reparent/storm-2", "--json", "--seed", "7", "--vtgate", "24.0.3,21.0.2", "--rate", "5")
    assert done.exit_code == 0
    plan = jsonio.structure(orjson.loads(done.stdout), Plan)
    assert plan.seed == 7
    assert [vtgate.version for vtgate in plan.cluster.vtgates] == ["24.0.3", "21.0.2"]
    assert plan.load is not None
    assert plan.load.rate_per_shard == 5


def test_plan_for_people() -> None:
    done = vtchaos("plan", "reparent/storm-2", "--seed", "7", "--vtgate", "24.0.3,21.0.2")
    assert done.exit_code == 0
    assert "2 shards x 2 tablets on local, Vitess 24.0.3, vtgate 24.0.3, 21.0.2" in done.stdout
    assert "seed 7" in done.stdout


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "words, said",
    [
        ("reparent/strom", "no experiment is called reparent/strom; did you mean reparent/storm"),
        ("reparent/storm-2 --set nope=1", "reparent/storm-2 has no parameter nope; --set takes baseline_s"),
        ("reparent/storm-2 --set baseline_s=long", "--set baseline_s=long: it takes a number"),
        ("reparent/storm-2 --set baseline_s", "--set takes a name and a value, as in baseline_s=10"),
        ("reparent/storm-2 --window 10", "--window takes a duration such as 10s, 1m30s or 500ms, not '10'"),
        ("reparent/storm-2 --vtgate-flag =5", "--vtgate-flag takes a name and a value, as in buffer-size=500"),
        ("reparent/storm-2 --vitess 99.0.0", "Vitess 99.0.0 is not one of the releases that vtchaos can build (24.0.3"),
        ("reparent/storm-2 --vtgate 24.0.3,1.0", "Vitess 1.0 is not one of the releases"),
        ("reparent/storm-2 --vitess ./no/such", "./no/such is not a folder of Vitess binaries"),
        ("reparent/storm-2 --backend moon", "no backend is called moon; there"),
        ("reparent/storm-2 --shards 0", "--shards 0: a keyspace has 1 to 256 shards"),
        ("reparent/storm-2 --tablets 1", "one tablet has nothing to reparent to; use --tablets 2 or more"),
        ("reparent/storm-2 --tablets 10000", "2 shards x 10000 tablets need about"),
        ("reparent/storm-2 --durability sometimes", "no durability policy is called sometimes; there are none"),
        ("reparent/storm-2 --seed 99999999999999999999", "a seed is a whole number from 0 to"),
        ("reparent/storm-2 --rate nan", "--rate nan"),
    ],
)
def test_a_plan_that_cannot_be(words: str, said: str) -> None:
    assert said in refused("plan", *words.split())


@pytest.mark.parametrize("words", [("fly",), ("plan",), ("plan", "reparent/storm-2", "--fly"), ("report", ".", "-x")])
def test_words_that_are_no_command(words: tuple[str, ...]) -> None:
    done = vtchaos(*words)
    assert done.exit_code == 2
    assert "Usage:" in done.stderr


def test_run_refuses_before_it_makes_anything(tmp_path: Path) -> None:
    assert "no parameter nope" in refused("run", "reparent/storm-2", "--set", "nope=1", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_run_never_writes_into_somebody_elses_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "is not empty; give another --out" in refused("run", "reparent/storm-2", "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("below", ["", "further/down"])
def test_run_cannot_make_its_folder_of_a_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refused("run", "reparent/storm-2", "--out", tmp_path / "file" / below)


def test_an_unknown_kept_cluster() -> None:
    assert "there is no cluster 'never-made' that serves" in refused(
        "run", "reparent/storm-2", "--cluster", "never-made"
    )


# ---------------------------------------------------------------- recorded runs


def test_check_judges_a_recorded_run_again(tmp_path: Path) -> None:
    run = unpack(CALM, tmp_path)
    done = vtchaos("check", run.path)
    assert done.exit_code == 0, done.output
    assert "PASS" in done.stdout
    verdict = jsonio.load(run.verdict, RunVerdict)
    assert verdict.exit_code == 0
    assert jsonio.dumps(verdict).decode() == CALM.with_name("made-calm.verdict.json").read_text()


def test_a_finding_ends_with_exit_code_1(tmp_path: Path) -> None:
    builder = calm(checks=("durability/acknowledged",))
    next(op for op in builder.ops if op.kind is OpKind.WRITE).stored = 0
    run = builder.write(tmp_path / "run")
    done = vtchaos("check", run.path)
    assert done.exit_code == 1
    assert jsonio.load(run.verdict, RunVerdict).exit_code == 1
    assert "durability/acknowledged" in done.stdout


def test_a_known_bug_that_was_reproduced_is_no_failure(tmp_path: Path) -> None:
    run = unpack(BUG, tmp_path)
    done = vtchaos("check", run.path)
    assert done.exit_code == 0
    assert jsonio.load(run.verdict, RunVerdict).reproduced


def test_report_renders_all_and_says_where(tmp_path: Path) -> None:
    run = unpack(CALM, tmp_path)
    done = vtchaos("report", run.path)
    assert done.exit_code == 0, done.output
    files = [Path(line) for line in done.stdout.split()]
    assert [path.name for path in files] == [name for _, name in RENDERERS.values()]
    assert all(path.stat().st_size for path in files)


def test_report_renders_only_what_was_asked_for(tmp_path: Path) -> None:
    run = unpack(CALM, tmp_path)
    assert vtchaos("report", run.path, "--format", "junit").exit_code == 0
    assert run.junit.is_file()
    assert not run.html.exists()


def test_a_run_that_was_cut_off_before_it_started_is_unknown(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    jsonio.save(run.plan, HistoryBuilder(checks=("durability/acknowledged",)).plan)
    done = vtchaos("check", run.path)
    assert done.exit_code == 3, done.output
    assert "UNKNOWN" in done.stdout
    assert "clock.json" in done.stdout


@pytest.mark.parametrize("command", ["check", "report"])
def test_what_is_no_run_directory(command: str, tmp_path: Path) -> None:
    assert "holds no plan.json; it is not a run directory" in refused(command, tmp_path)
    assert "is not a directory" in refused(command, tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    assert "is not a directory" in refused(command, tmp_path / "file")


@pytest.mark.parametrize("command", ["check", "report"])
@pytest.mark.parametrize(
    "file, content, said",
    [
        ("plan.json", b"{", "plan.json does not fit this version of vtchaos"),
        ("plan.json", b'{"shards": 3}', "plan.json does not fit this version of vtchaos"),
        ("nodes.json", b"[{}]", "is not whole"),
        ("clock.json", b"\0\0\0", "clock.json is not JSON"),
        ("events.jsonl", b'{"at_ns": 1, "kind"\n{}\n', "events.jsonl, line 1 is not JSON"),
        ("faults.jsonl", b'{"step": "intent"}\n', "is not whole"),
        ("samples-vtgate-1.jsonl", b'{"colour": "blue"}\n', "is not whole"),
        ("ops-first.bin", b"", "is not whole"),
    ],
)
def test_a_broken_run_directory(command: str, file: str, content: bytes, said: str, tmp_path: Path) -> None:
    run = unpack(CALM, tmp_path)
    (run.path / file).write_bytes(content)
    assert said in refused(command, run.path)


def test_a_plan_with_a_check_that_this_version_does_not_have(tmp_path: Path) -> None:
    run = calm(checks=("durability/telepathy",)).write(tmp_path / "run")
    assert "asks for the check 'durability/telepathy', which this version does not have" in refused("check", run.path)


def test_a_torn_last_line_is_what_a_killed_harness_leaves(tmp_path: Path) -> None:
    run = unpack(CALM, tmp_path)
    with run.events.open("ab") as events:
        events.write(b'{"at_ns": 12')
    assert vtchaos("check", run.path).exit_code == 0
    with run.ops(0).open("ab") as ops:
        ops.write(b"\1\2\3")
    done = vtchaos("check", run.path)  # it can be read, and what is lost of its operations is no finding
    assert done.exit_code == 3
    assert "Incomplete: ops-0.bin: its end" in done.stdout


def test_a_run_directory_may_be_moved(tmp_path: Path) -> None:
    run = unpack(CALM, tmp_path / "here")
    shutil.move(run.path, tmp_path / "there")
    assert vtchaos("check", tmp_path / "there").exit_code == 0
