"""Goal: the command `sweep` makes the runs that are missing and no other, and refuses what it cannot sweep before it
starts anything. Method: runs are written by a fake; everything else is the real command."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Sequence
from pathlib import Path

import click.testing
import pytest

from harness.base import jsonio
from harness.checks.judge import judge
from harness.cli import main
from harness.history import load
from harness.many.children import Stopping
from harness.sweep import command as sweep_command
from harness.sweep.sweep import Sweep
from tests.fakes import calm


class Runs:
    """Stands for `vtchaos run`: from `border` shards on, a shard is without an answer for more than a second."""

    def __init__(self, border: int) -> None:
        self.border = border
        self.made: list[tuple[int, int]] = []  # (shards, seed)
        self.broken: set[int] = set()  # shards with which the harness fails

    def __call__(self, command: Sequence[str], turn: str) -> int:
        words = list(command)
        shards, seed = int(words[words.index("--shards") + 1]), int(words[words.index("--seed") + 1])
        self.made.append((shards, seed))
        if shards in self.broken:
            return 4
        builder = calm(shards=shards, storm=shards < self.border)
        if shards >= self.border:
            first = builder.shards[0]
            builder.reparent(first, 5.1, 7.5)
            builder.ops = [
                dataclasses.replace(op, took_s=7.5 - op.at_s) if op.lane == 0 and 5.2 <= op.at_s < 7.5 else op
                for op in builder.ops
            ]
        folder = builder.write(Path(words[words.index("--out") + 1]))
        jsonio.save(folder.verdict, judge(load(folder)))
        return 0


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs(border=3)
    monkeypatch.setattr(Stopping, "ran", lambda _, command, turn, within_s: made(command, turn))
    monkeypatch.setattr(sweep_command, "_refuse", lambda asked: None)
    return made


def swept(*words: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, ["sweep", "reparent/storm", *(str(word) for word in words)])


def test_a_sweep_finds_the_border_and_is_taken_up_where_it_was(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    done = swept("--shards", "1..4", "--repeat", "2", "--seed", "7", "--out", out)
    assert done.exit_code == 0, done.output
    found = jsonio.load(out / "sweep.json", Sweep)
    assert (found.quiet_to, found.noticed_from) == (2, 3)
    assert "Clients begin to notice at shards 3" in done.stdout
    assert [shards for shards, _ in runs.made] == [1, 1, 2, 2, 4, 4, 3, 3]
    assert len({seed for _, seed in runs.made}) == 2  # the same repetition, the same seed
    assert (out / "shards-3" / "002" / "verdict.json").is_file()
    assert (out / "sweep.html").is_file()
    again = swept("--shards", "1..4", "--repeat", "2", "--out", out)
    assert again.exit_code == 0, again.output
    assert len(runs.made) == 8
    more = swept("--shards=1..4", "--repeat", "3", "--out", out)
    assert more.exit_code == 0, more.output
    assert len(runs.made) == 12


def test_a_folder_of_another_sweep_is_refused(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    swept("--shards", "1..2", "--repeat", "1", "--out", out)
    other = swept("--shards", "1..2", "--repeat", "1", "--rate", "5", "--out", out)
    assert other.exit_code == 2
    assert "has a sweep of `vtchaos sweep reparent/storm --shards 1..2" in other.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    assert "holds no sweep" in swept("--shards", "1..2", "--out", tmp_path / "full").stderr


def test_a_sweep_that_comes_to_nothing_ends_and_says_so(runs: Runs, tmp_path: Path) -> None:
    runs.broken = {1, 2, 4, 8}
    done = swept("--shards", "1..8", "--out", tmp_path / "sweep")
    assert done.exit_code == 4
    assert len(runs.made) == 3
    assert "3 runs in a row came to nothing" in done.stdout


def test_a_sweep_is_bounded(runs: Runs, tmp_path: Path) -> None:
    done = swept("--shards", "1..8", "--most-runs", "2", "--out", tmp_path / "sweep")
    assert len(runs.made) == 2
    assert "2 runs were made (--most-runs)" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--shards", "4"), "no option has one"),
        (("--shards", "1..4", "--rate", "5..10"), "there are shards and rate"),
        (("--seed", "1..4"), "only an option of `vtchaos run` can be swept"),
        (("--shards", "4..1"), "from the smaller to the larger"),
        (("--shards", "1..1.5"), "--shards 1..1.5 in steps of 0.03125: whole numbers are needed, as in 1..32"),
        (("--shards", "1..2", "--step", "0.5"), "--shards 1..2 in steps of 0.5: whole numbers are needed"),
        (("--shards", "a..b"), "a..b is no range; a range is two numbers with .. between them, the smaller first"),
        (("--shards=1..",), "--shards=1.. is no range; a range is two numbers"),
        (("--window", "a..b"), "a range for one option, two numbers with .. between them, the smaller first, as in"),
    ],
)
def test_what_cannot_be_swept_is_refused(runs: Runs, words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = swept(*words, "--out", tmp_path / "sweep")
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Usage:" not in done.stderr
    assert not runs.made


def test_what_the_plan_says_is_said_without_its_usage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = "Usage: python -m harness.cli plan [OPTIONS]\nTry --help\n\nError: Invalid value for '--rows': too many\n"
    refused = subprocess.CompletedProcess((), returncode=2, stdout="", stderr=told)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    done = swept("--shards", "1..4", "--out", tmp_path / "sweep")
    assert done.exit_code == 2
    assert "at shards 1: Invalid value for '--rows': too many" in done.stderr
    assert "Usage" not in done.stderr
