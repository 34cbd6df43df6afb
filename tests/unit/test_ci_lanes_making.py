"""Goal: lanes make what is missing, in turn and in time, and count what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ci.lanes import __main__ as command
from ci.lanes import folders, making, results
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
        self.code = 0
        self.fit = PASS  # the host
        self.verdicts = True

    def make(self, stopping: Stopping, words: Sequence[str], *, seed: int, folder: Path, **_: Any) -> int:
        del stopping
        self.made.append((f"{folder.parts[-3]} {folder.parts[-2]} {folder.name}", seed))
        results_of = (premise(self.fit), shown(), said(subject="items-1@vtgate-2"))
        if self.verdicts:
            recorded(folder, verdict(*results_of), plan(words[0], *words[1:-1]))
        return self.code


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setattr(Stopping, "made", lambda *args, **words: found.make(*args, **words))
    monkeypatch.setattr(results, "recorded", lambda: ())
    monkeypatch.setattr(checkout, "commit", lambda: "abc1234")
    return found


def lanes(tmp_path: Path, *chosen: Any, budget_s: float = 60.0) -> Lanes:
    return Lanes(chosen or (STREAMS,), tmp_path, budget_s, Console(quiet=True))


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
