"""Goal: a sweep finds where clients begin to notice, from runs alone, and says what it rests on. Method: runs that are
made up by a rule that the test knows; the sweep must come back to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from harness.base import jsonio
from harness.base.errors import UsageError
from harness.facts.notice import Notice
from harness.model import Verdict
from harness.sweep import page as sweep_page
from harness.sweep import text as sweep_text
from harness.sweep.sweep import Asked, Sweep, SweptRun, axis_of, next_value, sweep

QUIET = Notice(stall_s=0.4, errors=0, not_issued=0)


def asked(text: str = "1..32", option: str = "--shards", repeat: int = 2, step: float | None = None) -> Asked:
    axis = axis_of(option, text, step)
    assert axis is not None
    return Asked(
        experiment="reparent/storm",
        words=("reparent/storm", option, axis.head + axis.text(axis.low)),
        at=2,
        axis=axis,
        seed=7,
        repeat=repeat,
        stall_s=1.0,
    )


def made(value: float, notice: Notice | None, number: int = 1, **more: object) -> SweptRun:
    return SweptRun(value=value, folder=f"{value:g}/{number:03d}", verdict=Verdict.PASS, notice=notice, **more)  # type: ignore[arg-type]


def carried_out(what: Asked, feel: Callable[[float], Notice | None]) -> list[SweptRun]:
    """The whole sweep, with runs by a rule."""
    runs: list[SweptRun] = []
    while (value := next_value(what, runs)) is not None:
        runs.append(made(value, feel(value), len(runs)))
        assert len(runs) <= 60, "it never ends"
    return runs


def stalled(stall_s: float) -> Notice:
    return Notice(stall_s=stall_s, errors=0, not_issued=0)


# ---------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("option", "text", "grid"),
    [
        ("--shards", "1..32", (1, 2, 4, 8, 16, 32)),
        ("--shards", "1..4", (1, 2, 4)),
        ("--shards", "1..20", (1, 2, 4, 8, 16, 20)),
        ("--window", "1s..12s", (1, 2, 4, 8, 12)),
        ("--shards", "10..12", (10, 11, 12)),
        ("--set", "reparents=10..30", (10, 15, 20, 25, 30)),
    ],
)
def test_the_grid_has_both_ends(option: str, text: str, grid: tuple[float, ...]) -> None:
    axis = axis_of(option, text, None)
    assert axis is not None
    assert axis.grid() == grid


@pytest.mark.parametrize("text", ["4", "reparent/storm", "10s", "a..b", "1...3", "--plain"])
def test_what_is_no_range_is_none(text: str) -> None:
    assert axis_of("--shards", text, None) is None


@pytest.mark.parametrize(
    ("text", "said"), [("4..1", "from the smaller to the larger"), ("1s..5m", "the same unit"), ("3..3", "from the")]
)
def test_a_range_that_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        axis_of("--window", text, None)


def test_a_value_takes_its_place_in_the_words_of_run() -> None:
    assert asked().words_at(8) == ("reparent/storm", "--shards", "8")
    assert asked("reparents=1..8", "--set").words_at(3) == ("reparent/storm", "--set", "reparents=3")
    assert asked("1s..12s", "--window").words_at(4.0) == ("reparent/storm", "--window", "4s")
    assert asked("1s..12s", "--window").command.startswith("reparent/storm --window 1s..12s --repeat 2 --stall 1")


# ---------------------------------------------------------------- finding the border


@pytest.mark.parametrize("border", [1, 2, 3, 5, 11, 17, 31, 32])
def test_bisection_finds_the_smallest_value_that_is_noticed(border: int) -> None:
    what = asked()
    runs = carried_out(what, lambda value: stalled(2.0 if value >= border else 0.5))
    found = sweep(what, runs)
    assert found.noticed_from == border
    assert found.quiet_to == (border - 1 or None)


@pytest.mark.parametrize("border", [1, 4, 7, 11])
def test_of_a_window_the_largest_that_is_noticed(border: int) -> None:
    what = asked("1s..12s", "--window", repeat=1)
    found = sweep(what, carried_out(what, lambda value: stalled(2.0 if value <= border else 0.5)))
    assert (found.quiet_to, found.noticed_from) == (border + 1, border)
    assert "Use at least window" in found.advice


def test_nobody_notices_anything() -> None:
    what = asked("1..4", repeat=3)
    found = sweep(what, carried_out(what, lambda _: QUIET))
    assert (found.quiet_to, found.noticed_from) == (4, None)
    assert found.answer.startswith("Clients noticed nothing, up to shards 4: 0 of 3 runs noticed (0% to 56%")
    assert found.advice.startswith("Use at most shards 4: none of 3 runs")
    assert "in fewer than 63% of runs" in found.advice


def test_everything_is_noticed() -> None:
    what = asked("1..4")
    found = sweep(what, carried_out(what, lambda _: Notice(stall_s=0.1, errors=1, not_issued=0)))
    assert (found.quiet_to, found.noticed_from) == (None, 1)
    assert "No value of shards is known" in found.advice


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--shards", "1..4", "there are no smaller ones; try another plan."),
        ("--shards", "2..4", "try smaller ones, or another plan."),
        ("--window", "1s..4s", "try larger ones, or another plan."),
    ],
)
def test_other_values_are_advised_only_where_there_are_some(option: str, text: str, said: str) -> None:
    what = asked(text, option)
    assert sweep(what, carried_out(what, lambda _: stalled(2.0))).advice.endswith(said)


def test_every_error_and_everything_not_issued_is_noticed() -> None:
    assert not QUIET.beyond(1.0)
    assert Notice(stall_s=0.0, errors=1, not_issued=0).beyond(1.0)
    assert Notice(stall_s=0.0, errors=0, not_issued=1).beyond(1.0)
    assert stalled(1.01).beyond(1.0)
    assert not stalled(1.01).beyond(2.0)


def test_advice_stays_below_a_value_that_only_some_runs_noticed() -> None:
    what = asked("1..4", repeat=3)
    runs = [made(value, QUIET, number) for value in (1.0, 2.0, 4.0) for number in range(3)]
    runs[4] = made(2.0, stalled(3.0), 1)
    found = sweep(what, runs)
    assert found.noticed_from is None
    assert found.advice.startswith("Use at most shards 1:")


# ---------------------------------------------------------------- doubts


def test_what_a_starved_host_made_clients_notice_is_said_to_be_that() -> None:
    what = asked("1..2", repeat=2)
    starved = "the host was starved: time without a free core: 8 s"
    runs = [
        made(1.0, QUIET),
        made(1.0, QUIET, 2),
        made(2.0, stalled(5.0), doubts=(starved,)),
        made(2.0, stalled(5.0), 2),
    ]
    found = sweep(what, runs)
    assert found.points[1].starved == 1
    assert any("2 (1 of 2)" in doubt and starved in doubt for doubt in found.doubts)
    quiet = sweep(what, [made(1.0, QUIET, doubts=(starved,))])
    assert not quiet.doubts, "nobody noticed, so the slow host excuses nothing"


def test_a_busy_host_is_named_where_clients_begin_to_notice() -> None:
    what = asked("1..2", repeat=1)
    busy = [made(1.0, QUIET, without_core_s=0.3), made(2.0, stalled(2.0), without_core_s=1.5)]
    assert any("no core was free for 1.5 s" in doubt for doubt in sweep(what, busy).doubts)
    idle = [made(1.0, QUIET, without_core_s=0.3), made(2.0, stalled(2.0), without_core_s=0.5)]
    assert not sweep(what, idle).doubts


def test_runs_that_came_to_nothing_count_nowhere_and_are_told() -> None:
    what = asked("1..2", repeat=2)
    found = sweep(what, [made(1.0, None, why="it ended with exit code 4"), made(1.0, QUIET, 2)])
    assert (found.points[0].runs, found.points[0].failed) == (1, 1)
    assert any("1 run came to nothing: it ended with exit code 4" in doubt for doubt in found.doubts)
    assert sweep(what, []).answer == "No run came to a result."


def test_a_sweep_that_was_ended_early_says_what_it_did_not_try() -> None:
    what = asked()
    runs = [made(value, stalled(value / 5)) for value in (1.0, 2.0, 4.0, 8.0) for _ in range(2)]
    assert any("Between 4 and 8 nothing was tried" in doubt for doubt in sweep(what, runs).doubts)
    assert next_value(what, runs) == 16


# ---------------------------------------------------------------- what is shown


def whole(tmp_path: Path) -> Sweep:
    what = asked("1..8")
    found = sweep(what, carried_out(what, lambda value: stalled(value / 4 + 0.05 * (value == 2))))
    jsonio.save(tmp_path / "sweep.json", found)
    return found


def test_the_curve_never_falls_and_the_record_reads_back(tmp_path: Path) -> None:
    found = whole(tmp_path)
    curve = [point.fitted_s for point in found.points]
    assert curve == sorted(curve, key=lambda value: value or 0.0)
    assert jsonio.load(tmp_path / "sweep.json", Sweep) == found


def test_the_page_asks_nobody_and_escapes_what_it_shows(tmp_path: Path) -> None:
    what = asked("1..2", repeat=1)
    evil = "</script><b>x"
    found = sweep(what, [made(1.0, QUIET), made(2.0, stalled(3.0), doubts=(evil,), cause=evil)])
    page = sweep_page.render(found, tmp_path / "sweep.html").read_text()
    assert evil not in page
    assert "default-src 'none'" in page
    assert page == sweep_page.render(found, tmp_path / "again.html").read_text()


def test_the_terminal_shows_the_curve_and_the_advice(tmp_path: Path) -> None:
    found = whole(tmp_path)
    console = Console(width=110, record=True, file=(tmp_path / "out").open("w"))
    sweep_text.show(found, console, folder=tmp_path)
    text = console.export_text()
    console.file.close()
    assert "Clients begin to notice at shards 5" in text
    assert "Use at most shards 4" in text
    assert "█" in text
