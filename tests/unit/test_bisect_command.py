"""Goal: the command `bisect` makes the runs that are missing and no other, and ends in order. Method: runs are written
by a fake; everything else is the real command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click.testing
import pytest

from harness.base import jsonio
from harness.base.taken_up import owned
from harness.checks.judge import judge
from harness.cli import main
from harness.history import load
from harness.many.children import Stopping
from harness.model import Outcome
from harness.narrowing import bisect_command
from harness.narrowing.bisecting import Bisection
from tests.fakes import calm


class Runs:
    """Stands for `vtchaos run`: clients of a vtgate of a bad release see an error."""

    def __init__(self, *bad: str) -> None:
        self.bad = bad
        self.made: list[tuple[str, int]] = []  # (releases, seed)
        self.code = 0

    def __call__(self, command: Sequence[str], turn: str) -> int:
        words = list(command)
        releases, seed = words[words.index("--vtgate") + 1], int(words[words.index("--seed") + 1])
        self.made.append((releases, seed))
        if self.code:
            return self.code
        builder = calm(vtgates=releases.split(","), checks=("clients/errors",))
        for number, release in enumerate(releases.split(","), start=1):
            if release in self.bad:
                builder.op(6.0, vtgate=f"vtgate-{number}", outcome=Outcome.FAIL, errno=1105, message="gone")
        folder = builder.write(Path(words[words.index("--out") + 1]))
        jsonio.save(folder.verdict, judge(load(folder)))
        return 0


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs("21.0.2", "21.0.3")
    monkeypatch.setattr(Stopping, "ran", lambda _, command, turn, within_s: made(command, turn))
    return made


def bisected(*words: str | Path, standing: bool = True) -> click.testing.Result:
    """`standing`: until it ends by itself."""
    arguments = ["bisect", "reparent/storm", "--check", "clients/errors", *(str(word) for word in words)]
    return click.testing.CliRunner().invoke(main, arguments, catch_exceptions=standing)


ENDS = ("--bad", "21.0.2", "--good", "22.0.0", "--seed", "7")


def test_the_release_is_found_alone_and_taken_up_where_it_was(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "bisect"
    done = bisected(*ENDS, "--alone", "--out", out)
    assert done.exit_code == 0, done.output
    found = jsonio.load(out / "bisect.json", Bisection)
    assert (found.last_bad, found.first_good) == ("21.0.3", "22.0.0")
    assert "Fixed after 21.0.3, in 22.0.0 at the latest" in done.stdout
    assert {releases for releases, _ in runs.made} == {"21.0.2", "21.0.3", "22.0.0"}
    assert (out / "21.0.3" / "001" / "verdict.json").is_file()
    by_release = {release: [seed for each, seed in runs.made if each == release] for release, _ in runs.made}
    assert by_release["21.0.2"][:3] == by_release["22.0.0"][:3]  # the same repetition, the same seed
    made = len(runs.made)
    again = bisected(*ENDS, "--alone", "--out", out)
    assert again.exit_code == 0, again.output
    assert len(runs.made) == made
    more = bisected(*ENDS, "--alone", "--trials", "4", "--out", out)
    assert more.exit_code == 0, more.output
    assert made < len(runs.made) <= made + 3


def test_side_by_side_a_run_votes_on_each_of_its_vtgates(runs: Runs, tmp_path: Path) -> None:
    done = bisected("--bad", "21.0.2", "--good", "24.0.3", "--seed", "7", "--out", tmp_path / "bisect")
    assert done.exit_code == 0, done.output
    found = jsonio.load(tmp_path / "bisect" / "bisect.json", Bisection)
    assert (found.last_bad, found.first_good) == ("21.0.3", "22.0.0")
    assert all(releases.startswith("21.0.2,") for releases, _ in runs.made)
    assert max(releases.count(",") for releases, _ in runs.made) == 3


def test_an_end_that_is_not_as_it_was_said_is_no_answer(runs: Runs, tmp_path: Path) -> None:
    runs.bad = ("22.0.0", *runs.bad)
    done = bisected(*ENDS, "--out", tmp_path / "bisect")
    assert done.exit_code == 3, done.output
    assert "22.0.0 is not good" in done.stdout


def test_runs_of_which_none_comes_to_a_result_end_it(runs: Runs, tmp_path: Path) -> None:
    runs.code = 4
    done = bisected(*ENDS, "--out", tmp_path / "bisect")
    assert done.exit_code == 4, done.output
    assert "5 runs in a row proved nothing" in done.stdout
    runs.made.clear()
    runs.code = 2
    assert bisected(*ENDS, "--out", tmp_path / "refused").exit_code == 2
    assert len(runs.made) == 1


def test_ctrl_c_ends_it_after_the_running_run(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked_to_stop(stopping: Stopping, command: Sequence[str], turn: str, within_s: float) -> int:
        stopping.asked = True
        return runs(command, turn)

    with monkeypatch.context() as patched:
        patched.setattr(Stopping, "ran", asked_to_stop)
        done = bisected(*ENDS, "--alone", "--out", tmp_path / "bisect")
    assert done.exit_code == 130, done.output
    assert len(runs.made) == 1
    assert jsonio.load(tmp_path / "bisect" / "bisect.json", Bisection).tallies[0].rate.shown == 1
    assert bisected(*ENDS, "--alone", "--out", tmp_path / "bisect").exit_code == 0


def test_a_finished_answer_stays_until_there_is_more_than_it_knows(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bisect"
    bisected(*ENDS, "--alone", "--out", out)
    answer = (out / "bisect.json").read_bytes()
    made = len(runs.made)
    monkeypatch.setattr(bisect_command, "vote", killed)
    with pytest.raises(Killed):
        bisected(*ENDS, "--alone", "--out", out, standing=False)
    assert (out / "bisect.json").read_bytes() == answer
    monkeypatch.undo()
    fewer = bisected(*ENDS, "--alone", "--most-runs", "1", "--out", out)
    assert fewer.exit_code == 0, fewer.output
    assert (out / "bisect.json").read_bytes() == answer
    assert len(runs.made) == made


def test_an_answer_stays_when_a_run_before_it_has_to_be_made_again_and_may_not(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "bisect"
    bisected(*ENDS, "--alone", "--out", out)
    answer = (out / "bisect.json").read_bytes()
    (out / "21.0.2" / "002" / "verdict.json").unlink()
    made = len(runs.made)
    ended = bisected(*ENDS, "--alone", "--most-runs", "1", "--out", out)
    assert ended.exit_code == 0, ended.output
    assert "Fixed after 21.0.3" in ended.stdout
    assert (out / "bisect.json").read_bytes() == answer
    assert len(runs.made) == made


def test_ctrl_c_on_the_way_to_the_first_new_run_leaves_the_answer(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bisect"
    bisected(*ENDS, "--alone", "--out", out)
    answer, made = (out / "bisect.json").read_bytes(), Stopping.made

    def asked_to_stop(stopping: Stopping, words: Sequence[str], **more: object) -> int:
        stopping.asked = True
        return made(stopping, words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Stopping, "made", asked_to_stop)
    walked = bisected(*ENDS, "--alone", "--trials", "9", "--out", out)
    assert walked.exit_code == 130
    assert walked.stdout.count("shows it (") == 1, "it does not walk on"
    assert (out / "bisect.json").read_bytes() == answer


class Killed(BaseException):
    """SIGKILL: nothing of ours runs any more."""


def killed(*_: object) -> None:
    raise Killed


def test_two_do_not_bisect_in_one_folder(runs: Runs, tmp_path: Path) -> None:
    with owned(tmp_path / "bisect"):
        second = bisected(*ENDS, "--out", tmp_path / "bisect")
    assert second.exit_code == 2
    assert "another vtchaos is at work" in second.stderr
    assert not runs.made


def test_a_bisection_is_bounded(runs: Runs, tmp_path: Path) -> None:
    done = bisected(*ENDS, "--alone", "--most-runs", "2", "--out", tmp_path / "bisect")
    assert done.exit_code == 3
    assert "2 runs were made (--most-runs)" in done.stdout
    assert "Not known yet: " in done.stdout


def test_what_cannot_be_bisected_is_refused(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "bisect"
    bisected(*ENDS, "--out", out, "--most-runs", "1")
    other = bisected(*ENDS, "--rate", "5", "--out", out)
    assert other.exit_code == 2
    assert "has a bisection of `vtchaos run reparent/storm`" in other.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    assert "holds no bisection" in bisected(*ENDS, "--out", tmp_path / "full").stderr
    for words, said in (
        (("--bad", "x", "--good", "22.0.0"), "x is no release"),
        (("--bad", "22.0.0", "--good", "22.0.0"), "both 22.0.0"),
        ((*ENDS, "--vtgate", "24.0.3"), "--vtgate is what is bisected"),
        ((*ENDS, "--component", "vitess", "--side-by-side"), "only vtgates stand side by side"),
        (("--bad", "/nowhere/bin", "--good", "22.0.0"), "is not a folder"),
        ((*ENDS, "--seed", str(10**23)), "is not in the range"),
        ((*ENDS, "--out", "/dev/null/x"), "/dev/null/x cannot be made"),
    ):
        refused = bisected("--out", tmp_path / "none", *words)
        assert refused.exit_code == 2
        assert said in refused.stderr
