"""Goal: lanes make what is missing, in turn and in time, and count what is there."""

from __future__ import annotations

import io
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import pytest
from rich.console import Console

from ci.lanes import command, folders, making, results
from ci.lanes.making import Lanes, measured
from ci.lanes.table import LANES
from harness.base import checkout, jsonio
from harness.many.children import Stopping
from tests.unit.lane_runs import PASS, STREAMS, UNKNOWN, plan, premise, recorded, said, shown, verdict

WINDOW = next(lane for lane in LANES if lane.name == "9433")  # two command lines


class World:
    """Runs that come to a verdict at once."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []
        self.logs: list[Path | None] = []
        self.together: Callable[[], object] = lambda: None  # what a run waits for
        self.code = 0
        self.fit = PASS  # the host
        self.verdicts = True

    def run(self, argv: Sequence[str], log: Path | None) -> int:
        """The command of a run: python -m harness.cli run EXPERIMENT … --plain --seed SEED --out FOLDER."""
        words = argv[argv.index("run") + 1 :]
        seed, folder = int(words[-3]), Path(words[-1])
        self.made.append((f"{folder.parts[-3]} {folder.parts[-2]} {folder.name}", seed))
        self.logs.append(log)
        self.together()
        results_of = (premise(self.fit), shown(), said(subject="items-1@vtgate-2"))
        if self.verdicts:
            recorded(folder, verdict(*results_of), plan(words[0], *words[1:-5]))
        return self.code


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setattr(Stopping, "ran", lambda _, argv, turn, within_s, log: found.run(argv, log))
    monkeypatch.setattr(results, "recorded", lambda: ())
    monkeypatch.setattr(checkout, "commit", lambda: "abc1234")
    return found


def lanes(tmp_path: Path, *chosen: Any, budget_s: float = 60.0, jobs: int = 1, out: TextIO | None = None) -> Lanes:
    console = Console(file=out or io.StringIO())
    return Lanes(chosen or (STREAMS,), tmp_path, budget_s, console, jobs=jobs)


def test_one_run_of_each_command_line_after_the_other(tmp_path: Path, world: World) -> None:
    lanes(tmp_path, WINDOW, STREAMS).run(2)
    assert [name for name, _ in world.made][:6] == [
        "9433 red 001", "9433 green 001", "17778 both 001",
        "9433 red 002", "9433 green 002", "17778 both 002",
    ]  # fmt: skip
    seeds = [seed for _, seed in world.made]
    assert seeds[0] == seeds[1]
    assert seeds[0] != seeds[3]


def test_what_is_there_is_not_made_again(tmp_path: Path, world: World) -> None:
    assert lanes(tmp_path).run(2) == 0
    world.made.clear()
    assert lanes(tmp_path).run(3) == 0
    assert [name for name, _ in world.made] == ["17778 both 003"]
    (red, green) = measured((STREAMS,), tmp_path)
    assert (red.runs, green.runs) == (3, 3)
    assert red.machine == "2 cores, 24 GiB, a cpu"


def test_runs_that_prove_nothing_are_made_up_for_up_to_half_as_many(tmp_path: Path, world: World) -> None:
    world.fit = UNKNOWN
    assert lanes(tmp_path).run(4) == 3
    assert len(world.made) == 6
    world.fit = PASS
    assert lanes(tmp_path).run(6) == 0
    assert [name for name, _ in world.made[6:]] == ["17778 both 007", "17778 both 008", "17778 both 009"]


def test_a_run_that_comes_to_no_verdict_is_not_tried_for_ever(tmp_path: Path, world: World) -> None:
    world.verdicts, world.code = False, 3
    assert lanes(tmp_path).run(2) == 3
    assert [name for name, _ in world.made] == ["17778 both 001"] * 3


@pytest.mark.parametrize("more", ["--set reparents=2", "--vtgate-flag enable-buffer=false", "--vitess 21.0.2"])
@pytest.mark.parametrize("before", [True, False])
def test_a_run_with_one_word_more_is_of_another_line(tmp_path: Path, more: str, before: bool) -> None:
    (line,) = folders.lines(STREAMS)
    experiment, *words = line.words
    others = (*more.split(), *words) if before else (*words, *more.split())
    recorded(tmp_path / "001", verdict(shown()), plan(experiment, *words))
    recorded(tmp_path / "002", verdict(shown()), plan(experiment, *others))
    assert (folders.is_of(line, tmp_path / "001"), folders.is_of(line, tmp_path / "002")) == (True, False)


def test_a_run_of_other_words_is_set_aside(tmp_path: Path, world: World) -> None:
    recorded(tmp_path / "17778" / "both" / "001", verdict(shown()), plan("vstream/copy-cycles", "--shards", "1"))
    lanes(tmp_path).run(1)
    assert [name for name, _ in world.made] == ["17778 both 001"]
    assert (tmp_path / "17778" / "both" / "001-broken-off-1").is_dir()


def test_what_does_not_fit_is_not_begun(tmp_path: Path, world: World) -> None:
    recorded(tmp_path / "17778" / "both" / "001", verdict(shown()), plan(*folders.lines(STREAMS)[0].words))
    made = folders.Made(commit="abc", took_s=100.0, exit_code=0)
    jsonio.save(folders.made_of(tmp_path / "17778" / "both" / "001"), made)
    lanes(tmp_path, budget_s=60.0).run(2)
    assert world.made == []


def test_a_lane_that_the_harness_fails_in_is_given_up(tmp_path: Path, world: World) -> None:
    world.code = 4
    assert lanes(tmp_path).run(9) == 4
    assert len(world.made) == making.GIVEN_UP_AFTER


def test_a_command_line_that_is_refused_is_not_tried_again(tmp_path: Path, world: World) -> None:
    world.code = 2
    assert lanes(tmp_path, WINDOW, STREAMS).run(9) == 2
    assert len(world.made) == 3


def test_several_at_once_are_of_different_command_lines(tmp_path: Path, world: World) -> None:
    """The first three wait for each other; with two of one line, or fewer at once, they would wait in vain."""

    def all_there() -> None:
        world.together = lambda: None

    world.together = threading.Barrier(3, all_there, timeout=30.0).wait
    out = io.StringIO()
    lanes(tmp_path, WINDOW, STREAMS, jobs=3, out=out).run(1)
    assert {name for name, _ in world.made[:3]} == {"17778 both 001", "9433 green 001", "9433 red 001"}
    assert world.logs.count(tmp_path / "17778" / "both" / "001.log") == 1
    assert sum("17778 both/001" in line for line in out.getvalue().splitlines()) == 2, "a line for each arm"


def test_one_at_a_time_speaks_where_we_do(tmp_path: Path, world: World) -> None:
    lanes(tmp_path).run(1)
    assert world.logs == [None]


def test_ctrl_c_begins_nothing_more_and_keeps_what_ends(tmp_path: Path, world: World) -> None:
    found = lanes(tmp_path, WINDOW, STREAMS, jobs=2)
    world.together = found._stopping.end
    assert found.run(5) in (1, 130)
    assert len(world.made) <= 2
    assert len(list(tmp_path.glob("*/*/001/verdict.json"))) == len(world.made)


def test_a_run_that_cannot_be_begun_ends_all(tmp_path: Path, world: World) -> None:
    def broken() -> None:
        raise OSError("no room")

    world.together = broken
    found = lanes(tmp_path, WINDOW, STREAMS, jobs=2)
    with pytest.raises(OSError, match="no room"):
        found.run(5)
    assert found._stopping.asked


def test_a_run_without_a_verdict_has_a_line(tmp_path: Path, world: World) -> None:
    world.verdicts, world.code, out = False, 4, io.StringIO()
    lanes(tmp_path, out=out).run(1)
    assert out.getvalue().startswith("17778 both 1: no verdict, exit code 4 (harness error)")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("17778 --out {}/torn", 2, "does not fit this version of vtchaos"),
        ("17778 --out /dev/null/x", 2, "ci.lanes: /dev/null/x cannot be made"),
        ("17778 --out {}/defect", 4, "ci.lanes: the harness itself failed: ZeroDivisionError: nothing"),
    ],
)
def test_what_goes_wrong_here_is_no_lane_that_does_not_hold(
    tmp_path: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    code: int,
    said: str,
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("nothing")

    world.together = broken
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "torn" / "17778").mkdir(parents=True)
    (tmp_path / "torn" / "17778" / "lane.json").write_text("{")
    assert command.guarded(words.format(tmp_path).split()) == code
    assert said in capsys.readouterr().err


def test_a_run_whose_plan_is_torn_is_made_again(tmp_path: Path, world: World) -> None:
    lanes(tmp_path).run(1)
    (tmp_path / "17778" / "both" / "001" / "plan.json").write_text("{")
    assert lanes(tmp_path).run(1) == 0
    assert len(world.made) == 2


def test_the_command_lists_and_writes(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, page = tmp_path / "results.json", tmp_path / "track-record.md"
    page.write_text("<!-- lanes -->\n<!-- /lanes -->\n")
    monkeypatch.setattr(command, "TRACK_RECORD", page)
    monkeypatch.setattr(results, "record", lambda found: jsonio.save(kept, results.Record(batches=found)))
    assert command.main(["--list", "17778"]) == 0
    assert "vstream/uninterrupted" in capsys.readouterr().out
    lanes(tmp_path / "lanes").run(2)
    assert command.main(["--write", "--out", str(tmp_path / "lanes")]) == 0
    assert "21.0.2: 2 of 2" in page.read_text()
    assert len(results.Record.__dataclass_fields__) == len(jsonio.load(kept, dict))
    with pytest.raises(SystemExit):
        command.main(["no-such-bug"])
