"""The release next to a change, found from runs that show it by chance, in worlds of which the truth is known."""

from __future__ import annotations

import dataclasses
import io
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness.base.errors import UsageError
from harness.narrowing import bisect_text
from harness.narrowing.bisecting import (
    Asked,
    Bisection,
    BisectRun,
    Candidate,
    bisection,
    next_places,
    release_key,
    row_of,
)
from harness.narrowing.release_gaps import missing_between
from harness.narrowing.sought import Sought, Vote
from harness.statistics.border import Seen, bad_chances, chances, surprise, tells

Rates = Mapping[str, float]  # release → how often a run of it shows the thing
MOST_RUNS = 200


def asked(*versions: str, beside: int = 1, **more: object) -> Asked:
    made = Asked(
        experiment="vstream/copy-cycles",
        words=("vstream/copy-cycles", "--rate", "5"),
        component="vtgate",
        sought=Sought(check="vstream/uninterrupted"),
        row=tuple(Candidate(version=version, word=version) for version in versions),
        seed=7,
        confidence=0.95,
        trials=3,
        rarest=0.2,
        beside=beside,
    )
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def walked(what: Asked, shows: Callable[[str], bool | None], why: str = "") -> Bisection:
    """Every run that it asks for, until it asks for none."""
    runs: list[BisectRun] = []
    while len(runs) < MOST_RUNS and (places := next_places(what, runs)):
        versions = [what.row[place].version for place in places]
        votes = {version: Vote(shown=shows(version), why=why) for version in versions}
        runs.append(BisectRun(folder="", seed=0, exit_code=0, votes=votes))
    return bisection(what, runs)


def world(rates: Rates, seed: int) -> Callable[[str], bool]:
    dice = random.Random(seed)
    return lambda version: dice.random() < rates.get(version, 0.0)


ROW = tuple(f"{major}.0.0" for major in range(21, 27))


# ---------------------------------------------------------------- the probability of a place


def test_before_anything_was_seen_every_place_is_as_likely() -> None:
    assert chances([Seen()] * 4) == pytest.approx([0.25] * 4)
    assert bad_chances([Seen()] * 4) == pytest.approx([1, 0.75, 0.5, 0.25])


def test_what_was_seen_weighs_as_bayes_has_it() -> None:
    """Five shown runs and two silent ones of a neighbour: B(6, 3) against B(6, 1)."""
    found = chances([Seen(shown=5), Seen(silent=2)])
    assert found[1] / found[0] == pytest.approx((1 / 168) / (1 / 6))
    assert chances([Seen(shown=1), Seen(shown=1), Seen()])[0] == 0  # the second one is bad for sure


def test_the_middle_tells_most_where_a_bad_release_shows_it_for_sure() -> None:
    bits = tells([Seen(shown=1000), *[Seen()] * 4, Seen(silent=1000)])
    assert bits.index(max(bits)) in (2, 3)
    assert bits[0] < 0.01
    assert bits[-1] < 0.01


def test_one_that_is_silent_among_those_that_show_it_is_a_surprise() -> None:
    assert surprise(Seen(silent=10), Seen(shown=9, silent=1)) < 0.001
    assert surprise(Seen(silent=1), Seen(shown=1, silent=1)) > 0.3


# ---------------------------------------------------------------- simulated worlds


@given(bad=st.integers(1, 5), beside=st.sampled_from((1, 4)), fixed=st.booleans())
@settings(max_examples=15, deadline=None)
def test_what_every_bad_release_shows_is_found(bad: int, beside: int, fixed: bool) -> None:
    row = ROW if fixed else ROW[::-1]
    found = walked(asked(*row, beside=beside), world(dict.fromkeys(row[:bad], 1.0), seed=1))
    assert (found.last_bad, found.first_good) == (row[bad - 1], row[bad])
    assert found.wrong < 0.05
    assert len(found.runs) <= (6 if beside > 1 else 16)
    assert all(found.tallies[place].rate.counted >= 3 for place in (0, bad - 1, bad, -1))


@pytest.mark.parametrize("beside", [1, 4])
def test_races_are_found_as_surely_as_was_asked_for(beside: int) -> None:
    """1 of 20 may be wrong (250 worlds of each rate: 0 to 13 were, the rarest race the most)."""
    worlds = [(rate, seed) for rate in (0.9, 0.6, 0.4, 0.3) for seed in range(15)]
    wrong = known = 0
    for rate, seed in worlds:
        bad = 1 + seed % 5
        found = walked(asked(*ROW, beside=beside), world(dict.fromkeys(ROW[:bad], rate), seed))
        known += bool(found.last_bad)
        wrong += found.last_bad not in ("", ROW[bad - 1])
    assert wrong <= 0.05 * len(worlds)
    assert known >= 0.9 * len(worlds)


def test_more_confidence_takes_more_runs() -> None:
    made = [
        walked(asked(*ROW, confidence=confidence), world(dict.fromkeys(ROW[:3], 0.6), seed=4))
        for confidence in (0.8, 0.999)
    ]
    assert len(made[0].runs) < len(made[1].runs)
    assert made[1].wrong < 0.001


# ---------------------------------------------------------------- what there is to say


def test_the_answer_names_both_releases_what_they_showed_and_what_was_not_run() -> None:
    found = walked(asked("21.0.2", "21.0.3", "22.0.0"), world({"21.0.2": 1, "21.0.3": 1}, seed=1))
    assert found.answer.startswith(
        "Fixed after 21.0.3, in 22.0.0 at the latest: 21.0.3 shows it in 3 of 3 runs; 22.0.0"
    )
    assert "The probability that this is wrong is below" in found.answer
    assert "Not run, so the change may be in any of them: 21.0.4 and later of the series 21.0." in found.answer


def test_where_nothing_lies_between_the_answer_names_one_release() -> None:
    found = walked(asked("21.0.1", "21.0.2", "21.0.3"), world({"21.0.1": 1, "21.0.2": 1}, seed=1))
    assert found.answer.startswith("Fixed in 21.0.3 (last bad 21.0.2): ")


def test_a_regression_is_found_from_the_other_side() -> None:
    found = walked(asked("23.0.1", "23.0.0", "22.0.4"), world({"23.0.1": 1}, seed=1))
    assert found.answer.startswith("Broken in 23.0.1 (last good 23.0.0): ")
    later = walked(asked("23.0.5", "22.0.4", "21.0.3"), world({"23.0.5": 1}, seed=1))
    assert later.answer.startswith("Broken after 22.0.4, in 23.0.5 at the latest: ")


def test_what_too_few_runs_say_is_no_answer() -> None:
    """A single run of the bad end makes the border likely enough for a confidence of 50 %."""
    what = asked("21.0.2", "22.0.0", confidence=0.5)
    runs = [of("21.0.2", True), *[of("22.0.0", None)] * 3]
    found = bisection(what, runs)
    assert (found.last_bad, found.first_good) == ("", "")
    said = "between 21.0.2 and 22.0.0, but too few runs count: 21.0.2 1 of 3, 22.0.0 0 of 3."
    assert found.answer == f"Not known yet. The change seems to be {said}"
    known = bisection(what, [*[of("21.0.2", True)] * 3, *[of("22.0.0", False)] * 3])
    assert (known.last_bad, known.first_good) == ("21.0.2", "22.0.0")


def of(version: str, shown: bool | None) -> BisectRun:
    return BisectRun(folder="", seed=0, exit_code=0, votes={version: Vote(shown=shown, why="")})


def test_in_words_a_release_is_what_it_more_likely_is() -> None:
    what = asked("21.0.2", "21.0.3", "22.0.0")
    assert lines_of(what, [of("21.0.2", None)])[-1] == "  no run counts yet"
    good = [*[of("21.0.2", True)] * 3, *[of("22.0.0", False)] * 3]
    assert lines_of(what, good)[-1].startswith("  21.0.2 bad  21.0.3 bad with ")
    assert "22.0.0 good with 9" in lines_of(what, good)[-1]


def lines_of(what: Asked, runs: list[BisectRun]) -> list[str]:
    text = io.StringIO()
    bisect_text.run_line(bisection(what, runs), runs[-1], Console(file=text, width=160))
    return text.getvalue().splitlines()


def test_on_a_narrow_screen_nothing_is_cut_off() -> None:
    what = asked("21.0.2", "21.0.3", "22.0.0", beside=4)
    found = walked(what, world({"21.0.2": 1, "21.0.3": 1}, seed=1))
    text = io.StringIO()
    bisect_text.show(found, Console(file=text, width=80), file=Path("bisect.json"))
    assert "…" not in text.getvalue()
    assert "proved nothing" in text.getvalue()


def test_ends_that_are_not_what_they_are_said_to_be_end_it() -> None:
    silent = walked(asked("21.0.2", "22.0.0"), world({}, seed=1))
    assert "21.0.2 is not bad: nothing showed in 14 runs, so in fewer than 19% of runs" in silent.answer
    everywhere = walked(asked("21.0.2", "22.0.0"), world({"21.0.2": 1, "22.0.0": 1}, seed=1))
    assert everywhere.last_bad == ""
    assert "22.0.0 is not good: it shows it in 1 of 1 run" in everywhere.answer


def test_more_than_one_change_is_told() -> None:
    rates = {"21.0.0": 1.0, "22.0.0": 1.0, "24.0.0": 1.0}
    found = walked(asked(*ROW, trials=6, beside=4), world(rates, seed=1))
    assert (found.last_bad, found.first_good) == ("24.0.0", "25.0.0")
    runs = [BisectRun(folder="", seed=0, exit_code=0, votes={"23.0.0": Vote(shown=False, why="")})] * 6
    told = bisection(found.asked, [*found.runs, *runs])
    assert "23.0.0 shows it in none of" in told.doubts[0]
    assert "more than one change" in told.doubts[0]


def test_runs_that_prove_nothing_do_not_count_and_are_told() -> None:
    once: list[str] = []

    def shows(version: str) -> bool | None:
        once.append(version)
        return None if len(once) == 1 else version == "21.0.2"

    found = walked(asked("21.0.2", "22.0.0"), shows, why="the host was starved")
    assert found.last_bad == "21.0.2"
    assert found.tallies[0].uncounted == 1
    assert found.doubts[-1] == "1 result proved nothing, and did not count; 1 of them: the host was starved"


def test_side_by_side_the_bad_end_is_in_every_run() -> None:
    what = asked(*ROW, beside=4)
    found = walked(what, world(dict.fromkeys(ROW[:2], 1.0), seed=1))
    assert all(ROW[0] in run.votes and len(run.votes) <= 4 for run in found.runs)
    assert what.words_of((0, 2)) == ("vstream/copy-cycles", "--rate", "5", "--vtgate", "21.0.0,23.0.0")


# ---------------------------------------------------------------- the row of releases


def test_the_row_goes_from_the_bad_end_to_the_good_one_in_the_order_of_releases() -> None:
    every = [Candidate(version=version, word=version) for version in ("24.0.3", "21.0.10", "21.0.2", "21.0.9")]
    bad, good = Candidate(version="21.0.1", word="21.0.1"), Candidate(version="22.0.0", word="/opt/mine")
    assert [each.version for each in row_of(bad, good, every)] == ["21.0.1", "21.0.2", "21.0.9", "21.0.10", "22.0.0"]
    assert [each.word for each in row_of(good, bad, every)] == ["/opt/mine", "21.0.10", "21.0.9", "21.0.2", "21.0.1"]
    with pytest.raises(UsageError, match=r"both 22\.0\.0"):
        row_of(good, good, every)
    assert release_key("22.0.0-SNAPSHOT") < release_key("22.0.0") < release_key("22.0.1-SNAPSHOT")
    with pytest.raises(UsageError, match="main is no release"):
        release_key("main")


@pytest.mark.parametrize(
    ("older", "newer", "words"),
    [
        ("21.0.2", "21.0.3", ""),
        ("21.0.2", "21.0.5", "21.0.3, 21.0.4"),
        ("21.0.3", "22.0.0", "21.0.4 and later of the series 21.0"),
        ("21.0.3", "23.0.1", "21.0.4 and later of the series 21.0, the series 22.0, 23.0.0"),
        ("22.0.4", "23.0.5", "22.0.5 and later of the series 22.0, 23.0.0 to 23.0.4"),
        ("22.0.0-SNAPSHOT", "22.0.0", ""),
    ],
)
def test_what_there_may_be_between_two_releases(older: str, newer: str, words: str) -> None:
    assert missing_between(older, newer) == words
