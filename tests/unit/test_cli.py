"""Goal: the command line refuses what cannot be with one sentence and exit code 2, never a traceback; and `list`,
`plan`, `check` and `report` do what they say without a cluster."""

from __future__ import annotations

import shutil
from pathlib import Path

import click.testing
import pytest

from experiments import EXPERIMENTS
from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.cli import main
from harness.model import OpKind, RunVerdict
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


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "words", ["fly", "plan", "plan reparent/storm-2 --fly", f"plan x --seed {2**63}", "report . -x"]
)
def test_words_that_are_no_command(words: str) -> None:
    done = vtchaos(*words.split())
    assert done.exit_code == 2
    assert "Usage:" in done.stderr


def test_run_refuses_before_it_makes_anything(tmp_path: Path) -> None:
    assert "no parameter nope" in refused("run", "reparent/storm-2", "--set", "nope=1", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
