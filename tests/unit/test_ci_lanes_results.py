"""Goal: counts add up over sessions, nothing counts twice, and the table and the exit code say what they come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from ci.lanes import answers, results, words
from ci.lanes.lane import Lane
from ci.lanes.results import GREEN, RED, Batch, Run, merged
from ci.lanes.table import LANES
from ci.lanes.votes import Said, Vote
from harness.base.checkout import ROOT
from harness.facts.words import counted
from tests.unit.lane_runs import STREAMS

RACE = next(lane for lane in LANES if not lane.certain)


def run(arm: str, release: str, said: Said, *causes: str, date: str = "2026-11-21", commit: str = "abc") -> Run:
    return Run(
        folder=f"{arm}/001",
        run_id="r",
        arm=arm,
        date=date,
        commit=commit,
        took_s=14.0,
        exit_code=0,
        votes=(Vote(release=release, said=said, causes=causes),),
    )


def of_folder(folder: str, *runs: Run, lane: Lane = STREAMS) -> tuple[Batch, ...]:
    return results.batches(lane, runs, folder=folder, machine="2 cores")


def reds(number: int, said: Said = Said.SHOWN, **more: str) -> list[Run]:
    return [run(RED, "21.0.2", said, **more) for _ in range(number)]


def greens(number: int, said: Said = Said.SILENT) -> list[Run]:
    return [run(GREEN, "24.0.3", said) for _ in range(number)]


def test_batches_add_up_over_sessions() -> None:
    known = merged(of_folder("a", *reds(3), *reds(1, Said.UNKNOWN)), of_folder("b", *reds(2), *reds(1, Said.SILENT)))
    total = results.total(STREAMS, RED, "21.0.2", known)
    assert (total.rate.shown, total.rate.counted, total.said[Said.UNKNOWN]) == (5, 6, 1)


def test_the_same_folder_counts_once_and_never_less() -> None:
    three, five, cleared = of_folder("a", *reds(3)), of_folder("a", *reds(5)), of_folder("a", *reds(2))
    known = merged(merged(three, five), cleared)
    assert results.total(STREAMS, RED, "21.0.2", known).rate.counted == 5


def test_the_last_reproduction_is_told_with_its_commit() -> None:
    older, newer = reds(1, date="2026-11-20", commit="old"), reds(1, date="2026-11-22", commit="new")
    silent = reds(1, Said.SILENT, date="2026-11-23", commit="later")
    last = results.last_shown(STREAMS, of_folder("a", *older, *newer, *silent))
    assert last is not None
    assert (last.shown, last.shown_by) == ("2026-11-22", "new")


def test_runs_of_another_experiment_do_not_add_up() -> None:
    known = of_folder("a", *reds(3))
    moved = dataclasses.replace(STREAMS, experiment="vstream/tables-cut")
    assert results.total(STREAMS, RED, "21.0.2", known).rate.counted == 3
    assert results.total(moved, RED, "21.0.2", known).rate.counted == 0


def test_causes_are_those_of_the_runs_that_showed_it() -> None:
    seen = run(RED, "21.0.2", Said.SHOWN, "late-error"), run(RED, "21.0.2", Said.STARVED, "late-error")
    assert results.total(STREAMS, RED, "21.0.2", of_folder("a", *seen)).causes == {"late-error": 1}


def test_the_record_survives_its_file(tmp_path: Path) -> None:
    known = of_folder("a", *reds(2), run(GREEN, "24.0.3", Said.SILENT, "late-error"))
    results.record(known, tmp_path / "results.json")
    assert results.recorded(tmp_path / "results.json") == known
    assert results.recorded(tmp_path / "none.json") == ()


def table_of(known: Sequence[Batch]) -> list[str]:
    """The rows of the one lane."""
    return words.table((STREAMS,), known).splitlines()[2:]


def test_a_row_tells_rates_intervals_and_what_does_not_count() -> None:
    known = of_folder("a", *reds(3), *reds(1, Said.UNKNOWN), *reds(1, Said.STRAY), *greens(4))
    (row,) = table_of(known)
    assert "(`17778`, red in `vstream/uninterrupted`)" in row
    assert "21.0.2: 3 of 4 (30 % to 95 %), 1 red elsewhere, 1 more proved nothing" in row
    assert "24.0.3: 4 of 4 (51 % to 100 %)" in row
    assert row.endswith("| 2026-11-21 | abc |")


def test_every_lane_has_a_row_and_what_was_not_measured_says_so() -> None:
    rows = words.table(LANES, of_folder("a", *reds(1))).splitlines()[2:]
    assert len(rows) == len(LANES)
    assert all(f"(`{lane.name}`, " in row for lane, row in zip(LANES, rows, strict=True))
    assert sum("| not measured |" in row for row in rows) == len(LANES) - 1


def test_a_row_says_whether_the_lane_holds() -> None:
    def state(*runs: Run) -> str:
        (row,) = table_of(of_folder("a", *runs))
        return row.split(" | ")[1]

    assert state(*reds(1), *greens(1)) == "holds"
    assert state(*reds(1)) == "open: 24.0.3 (green)"
    assert state(*reds(1, Said.STARVED), *greens(1)) == "open: 21.0.2 (red)"
    assert state(*reds(1), *greens(1, Said.STRAY)) == "**does not hold**: 24.0.3: red elsewhere in 1 of 1 run"


def test_an_arm_that_was_not_measured_says_so() -> None:
    (row,) = table_of(of_folder("a", *greens(1)))
    assert "21.0.2: not measured" in row
    assert row.endswith("| not in a run that counts here | - |"), "it may have shown elsewhere"
    unproven = of_folder("a", *reds(2, Said.UNKNOWN), *reds(1, Said.STARVED))
    expected = "21.0.2: no run that counts, 1 on a starved host, red all the same, 2 that proved nothing"
    assert expected in words.table(LANES, unproven)


def test_the_page_keeps_what_is_around_the_table() -> None:
    page = f"before\n{words.BEGIN}\nold\n{words.END}\nafter\n"
    found = words.filled(page, LANES, of_folder("a", *reds(1)))
    assert found.startswith("before\n<!-- lanes -->\n| bug |")
    assert found.endswith("|\n<!-- /lanes -->\nafter\n")
    with pytest.raises(ValueError, match="no place for the lanes"):
        words.filled("nothing", LANES, ())


def test_the_track_record_is_what_was_measured() -> None:
    page = (ROOT / "docs" / "track-record.md").read_text(encoding="utf-8")
    assert page == words.filled(page, LANES, results.recorded()), "write it with `python -m ci.lanes --write`"


def test_the_record_is_of_lanes_that_there_are() -> None:
    assert {batch.lane for batch in results.recorded()} <= {lane.name for lane in LANES}


def test_the_list_tells_what_a_run_takes() -> None:
    text = "\n".join(words.listed((STREAMS,), of_folder("a", *reds(1), *greens(1))))
    assert "red and green, about 14 s a run: vtchaos run vstream/copy-cycles --vtgate 21.0.2,24.0.3" in text
    assert "fixed in 22.0.0" in text
    assert text.endswith("one run of each takes 0 min, without 0 not measured")
    assert "not measured" in "\n".join(words.listed((STREAMS,), ()))


# ---------------------------------------------------------------- whether a lane holds


def holds(*runs: Run, lane: Lane = STREAMS) -> int:
    return answers.exit_code((lane,), of_folder("a", *runs, lane=lane), ())


def test_a_lane_holds_when_red_is_red_and_green_is_green() -> None:
    assert holds(*reds(2), *greens(2)) == 0
    assert holds(*reds(2)) == 3
    assert holds(*reds(2), *greens(1, Said.UNKNOWN)) == 3


@pytest.mark.parametrize(
    "wrong", [reds(1, Said.SILENT), reds(1, Said.STRAY), greens(1, Said.SHOWN), greens(1, Said.STRAY)]
)
def test_a_bug_that_stays_away_or_shows_elsewhere_is_a_finding(wrong: list[Run]) -> None:
    assert holds(*reds(2), *greens(2), *wrong) == 1


def test_a_race_need_not_show_in_every_run() -> None:
    red, green = RACE.red.releases[0], RACE.green.releases[0]
    fine = [run(GREEN, green, Said.SILENT)]
    assert holds(run(RED, red, Said.SHOWN), run(RED, red, Said.SILENT), *fine, lane=RACE) == 0
    assert holds(run(RED, red, Said.SILENT), *fine, lane=RACE) == 3


def test_a_failure_of_the_harness_is_no_finding() -> None:
    known = of_folder("a", *reds(1), *greens(1))
    assert answers.exit_code((STREAMS,), known, (0, 4)) == 4
    assert answers.exit_code((STREAMS,), known, (-9,)) == 4
    assert answers.exit_code((STREAMS,), known, (), interrupted=True) == 130
    assert answers.exit_code((STREAMS,), of_folder("a", *reds(1, Said.STRAY)), (4,)) == 1


def test_why_a_lane_does_not_hold_is_said() -> None:
    known = of_folder("a", *reds(2), *reds(1, Said.SILENT), *greens(1))
    line = words.lane_line(STREAMS, known, answers.wrong(STREAMS, known), answers.unsure(STREAMS, known))
    assert f"17778 DOES NOT HOLD (21.0.2: the bug did not show in 1 of {counted(3, 'run')})" in line
