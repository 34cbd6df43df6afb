"""Goal: `ci/regression` answers one question about one Vitess, and never calls infrastructure a finding, a finding
infrastructure, or what was not run passed. Method: values."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ci.suite import building, deciding, words
from ci.suite.deciding import answer, chosen, exit_code, pace
from ci.suite.table import LEFT_OUT, SUITE, Part
from ci.suite.values import Asked, Build, Outcome, Result, Strictness
from clusters import software
from clusters.software import VitessInstall
from experiments import EXPERIMENTS
from harness.base import checkout
from harness.model import Suite
from tests.unit.suite_runs import (
    ABSENT,
    BROKEN_OFF,
    FINDING,
    HARNESS,
    NOT_BEGUN,
    PASSED,
    REFUSED,
    UNKNOWN,
    attempts,
    told,
)

# ---------------------------------------------------------------- the table


def test_the_table_names_experiments_each_once_and_says_why() -> None:
    names = [part.experiment for part in SUITE]
    assert len(set(names)) == len(names)
    assert set(names) <= set(EXPERIMENTS)
    assert all(part.why and part.takes_s > 0 for part in SUITE)


def test_every_experiment_of_the_suite_ci_is_in_the_table_or_has_a_reason_not_to_be() -> None:
    tagged = {name for name, experiment in EXPERIMENTS.items() if Suite.CI in experiment.suites}
    assert tagged <= {part.experiment for part in SUITE} | set(LEFT_OUT)
    assert not set(LEFT_OUT) & {part.experiment for part in SUITE}


def test_the_suite_fits_into_half_an_hour_with_room_for_second_attempts() -> None:
    assert sum(part.takes_s for part in SUITE) <= 20 * 60


def test_some_of_the_suite() -> None:
    assert [part.experiment for part in chosen(SUITE, ["storm-8"])] == ["reparent/storm-8"]
    vstreams = {part.experiment for part in chosen(SUITE, ["vstream/*"])}
    assert "vstream/copy-cycles" in vstreams
    assert all(name.startswith("vstream/") for name in vstreams)
    assert chosen(SUITE, ["nothing"]) == ()
    assert chosen(SUITE, []) == SUITE


# ---------------------------------------------------------------- decisions


@pytest.mark.parametrize(
    ("outcomes", "interrupted", "code"),
    [
        ((PASSED, PASSED), False, 0),
        ((PASSED, REFUSED), False, 0),
        ((PASSED, UNKNOWN), False, 3),
        ((PASSED, NOT_BEGUN), False, 3),
        ((PASSED, BROKEN_OFF), False, 3),
        ((PASSED, UNKNOWN, HARNESS), False, 4),
        ((PASSED, UNKNOWN, HARNESS, FINDING), False, 1),
        ((PASSED, HARNESS, ABSENT), False, 1),
        ((REFUSED, NOT_BEGUN), False, 3),  # nothing ran: no answer, but nothing failed either
        ((NOT_BEGUN,), False, 3),
        ((REFUSED,), False, 3),
        ((), False, 4),
        ((PASSED, NOT_BEGUN), True, 130),
        ((PASSED, PASSED), True, 0),  # Ctrl-C in the last run, which came to its end
        ((PASSED, UNKNOWN), True, 3),
        ((NOT_BEGUN,), True, 130),
        ((FINDING, NOT_BEGUN), True, 1),
        ((HARNESS, NOT_BEGUN), True, 4),
    ],
)
def test_the_exit_code(outcomes: tuple[Outcome, ...], interrupted: bool, code: int) -> None:
    assert exit_code(told(*outcomes), interrupted=interrupted) == code


def test_only_what_says_nothing_about_vitess_is_run_again_and_once() -> None:
    assert deciding.again(attempts(UNKNOWN))
    assert deciding.again(attempts(HARNESS))
    assert not deciding.again(attempts(FINDING))
    assert not deciding.again(attempts(PASSED))
    assert not deciding.again(attempts(UNKNOWN, UNKNOWN))
    assert not deciding.again(attempts(ABSENT))


def test_what_an_earlier_call_could_not_prove_is_made_anew() -> None:
    earlier = [dataclasses.replace(made, taken_over=True) for made in attempts(UNKNOWN, HARNESS)]
    assert deciding.again(earlier)
    assert deciding.again([*earlier, *attempts(UNKNOWN)])
    assert not deciding.again([*earlier, *attempts(UNKNOWN, UNKNOWN)])
    assert not deciding.again([dataclasses.replace(attempts(PASSED)[0], taken_over=True)])


def test_how_slow_this_machine_is() -> None:
    assert pace([]) == 1.0
    assert pace([(30, 60), (30, 30)]) == 1.5
    assert pace([(30, 10)]) == 1.0  # a quick one says nothing about the next


def test_a_harness_that_fails_again_and_again_is_not_asked_on() -> None:
    assert deciding.failing(told(PASSED, HARNESS, HARNESS, HARNESS))
    assert not deciding.failing(told(HARNESS, HARNESS))
    assert not deciding.failing(told(HARNESS, HARNESS, PASSED))


def test_which_known_bugs_are_findings_all_the_same() -> None:
    assert deciding.unwanted("vitess#9433", Strictness(every=True))
    assert deciding.unwanted("vitess#9433", Strictness(fixed=("vitess#9433",)))
    assert not deciding.unwanted("vitess#9433", Strictness())
    assert not deciding.unwanted("so it is, by design", Strictness(every=True))


def test_the_answer_says_what_was_not_answered() -> None:
    rows = told(PASSED, FINDING, HARNESS, NOT_BEGUN)
    said = answer("Vitess 24.0.3", rows, exit_code(rows))
    assert said.startswith("Vitess 24.0.3 did not protect its clients in 1 experiment: e/1.")
    assert "The harness failed in e/2." in said
    assert "Not run: e/3." in said
    rows = told(PASSED, HARNESS)
    assert answer("Vitess 24.0.3", rows, 4).startswith("Infrastructure, which says nothing about Vitess 24.0.3")
    rows = told(PASSED)
    assert answer("Vitess 24.0.3", rows, 0, of=1) == "Vitess 24.0.3 protected its clients: 1 of 1 experiment passed."
    assert answer("Vitess 24.0.3", rows, 0, of=9) == (
        "Vitess 24.0.3 passed what was asked: 1 of 1 experiment passed. "
        "Only 1 of the suite's 9 experiments was asked for."
    )
    rows = told(PASSED, NOT_BEGUN)
    assert answer("Vitess 24.0.3", rows, 3).startswith("No finding, and no whole answer about Vitess 24.0.3: 1 of 2")


def test_a_known_bug_that_stayed_away_is_no_word_against_this_vitess() -> None:
    rows = told(PASSED, ABSENT, ABSENT)
    assert answer("Vitess 24.0.3", rows, exit_code(rows)) == (
        "A known bug of Vitess 24.0.3 was not where it was expected, in 2 experiments: e/1, e/2. "
        "Nothing else is a finding."
    )
    rows = told(FINDING, ABSENT)
    said = answer("Vitess 24.0.3", rows, exit_code(rows))
    assert "did not protect its clients in 1 experiment: e/0. A known bug was not where it was expected" in said


def test_a_suite_without_time_is_not_told_as_infrastructure() -> None:
    rows = told(NOT_BEGUN)
    said = answer("Vitess 24.0.3", rows, exit_code(rows))
    assert said == "No finding, and no whole answer about Vitess 24.0.3: 0 of 1 experiment passed. Not run: e/0."


def test_every_vtgate_of_an_experiment_is_of_the_release_in_question() -> None:
    part = Part(experiment="topology/cut-from-vtgate", takes_s=1, why="")
    assert Asked(vtgate="21.0.2").words(part, 2) == ("topology/cut-from-vtgate", "--vtgate", "21.0.2,21.0.2")
    assert Asked(vtgate="21.0.2, 24.0.3").words(part, 1)[-1] == "21.0.2,24.0.3"
    assert Asked(vitess="/bin", backend="docker").words(part, 2)[1:] == ("--backend", "docker", "--vitess", "/bin")
    assert Asked().command == "ci/regression --seed 1"


# ---------------------------------------------------------------- words


def test_a_line_tells_of_the_last_attempt_in_two_reasons() -> None:
    made = dataclasses.replace(attempts(UNKNOWN)[0], why=("a: b.", "c: d.", "e"), took_s=50)
    (row,) = told(UNKNOWN)
    row = dataclasses.replace(row, attempts=(*attempts(HARNESS), dataclasses.replace(made, number=2)))
    assert words.line(1, 3, row) == "[1/3] PROVED NOTHING e/0 50 s, attempt 2 of 2: a: b; c: d; and 1 more."
    assert words.once_more(made) == "attempt 1: proved nothing: a: b; c: d; and 1 more. Once more, with the same seed."


@pytest.mark.parametrize(
    ("made", "over", "said"),
    [
        (2, 0, "2 runs in 2.5 min, of 1 s that they may take; seed 1."),
        (0, 3, "3 runs taken over from an earlier call, none made now; seed 1."),
        (1, 1, "1 run in 2.5 min, of 1 s that they may take; 1 run taken over from an earlier call; seed 1."),
    ],
)
def test_what_was_run_and_what_was_not(made: int, over: int, said: str) -> None:
    rows = [
        dataclasses.replace(attempts(PASSED)[0], folder="x", taken_over=number < over) for number in range(over + made)
    ]
    part = dataclasses.replace(told(PASSED)[0], attempts=tuple(rows))
    found = Result(asked=Asked(), answer="", exit_code=0, budget_s=1, took_s=150, parts=(part,))
    assert words.budget(found) == said


# ---------------------------------------------------------------- the build


def test_a_folder_of_binaries_is_told_with_its_release() -> None:
    asked = Asked(vitess="/bin", vtgate="/other,24.0.3")
    assert (
        asked.title({"/bin": "25.0.0", "/other": "21.0.2"})
        == "Vitess /bin (25.0.0) with vtgate /other (21.0.2), 24.0.3"
    )
    assert asked.title({}) == "Vitess /bin with vtgate /other, 24.0.3"


def test_in_what_two_builds_differ() -> None:
    before = Build(commit="a", programs={"vtgate of /bin": "1", "vtorc of /bin": "1"}, said={"/bin": "24.0.3"})
    assert list(building.differences(before, before)) == []
    later = Build(programs={"vtgate of /bin": "2"}, said={"/bin": "21.0.2"})
    assert list(building.differences(before, later)) == ["vtgate of /bin is another file now", "/bin was 24.0.3"]
    assert list(building.differences(before, Build(commit="b"))) == [
        "they were made with a of this project, and this is b"
    ]
    assert building.both(before, later) == dataclasses.replace(
        before, programs={"vtgate of /bin": "2", "vtorc of /bin": "1"}, said={"/bin": "21.0.2"}
    )


async def test_a_build_is_known_by_what_is_in_its_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def found(version: str, programs: list[str], *, sources: object) -> VitessInstall:
        return VitessInstall(version="24.0.3", programs=dict.fromkeys(programs, tmp_path / "vtgate"), source="")

    monkeypatch.setattr(software, "vitess", found)
    monkeypatch.setattr(checkout, "commit", lambda: "abc")
    asked, parts = Asked(vitess=str(tmp_path)), SUITE[:1]
    builds = []
    for number in (1, 2):
        (tmp_path / f"{number}").write_text(str(number))
        (tmp_path / "vtgate").unlink(missing_ok=True)
        (tmp_path / "vtgate").symlink_to(tmp_path / f"{number}")
        builds.append(await building.build(asked, parts))
    assert builds[0].said == {str(tmp_path): "24.0.3"}
    assert f"vtgate of {tmp_path} is another file now" in building.differences(*builds)
    assert (await building.build(dataclasses.replace(asked, vitess="24.0.3", backend="docker"), parts)).programs == {}
