"""The smallest plan that still shows a finding, in worlds of which it is known what the finding needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import orjson
import pytest

from experiments import EXPERIMENTS
from harness.base import jsonio
from harness.base.errors import UsageError
from harness.checks.judge import judge, weighed
from harness.model import CheckKind, CheckResult, Drawn, KnownBug, Plan, Role, RunVerdict, Verdict, VtgateSpec
from harness.narrowing.plan_options import run_words
from harness.narrowing.plan_sizes import knobs, least_of, size, told
from harness.narrowing.shrinking import (
    OWN,
    PROVES_NOTHING,
    Asked,
    Decision,
    Smaller,
    Tried,
    answer,
    decide,
    how_often,
    key,
    often_enough,
    shows_of,
    shrunk,
    smaller,
    unproven,
)
from harness.narrowing.sought import Sought
from harness.planning import Overrides, build
from harness.statistics.rates import rate
from tests.fakes import calm

ASKED = Asked(source="run-1", sought=Sought(check="clients/errors"), rate=0.5, confidence=0.95, trials=5)


def plan(experiment: str = "reparent/storm", **overrides: object) -> Plan:
    return build(
        EXPERIMENTS[experiment],
        Overrides(**overrides),  # type: ignore[arg-type]
        backend="local",
        seed=7,
        command_line=("vtchaos", "run", experiment),
        harness_version="0.1.0",
    )


class World:
    """Counts what it is asked, so that a test sees what a search costs."""

    def __init__(self, shows: Callable[[Plan], bool]) -> None:
        self._shows = shows
        self.asked: list[str] = []

    def __call__(self, plan: Plan, what: str) -> bool:
        self.asked.append(what)
        return self._shows(plan)


def rate_of(made: Plan) -> float:
    assert made.load is not None
    return made.load.rate_per_shard


# ---------------------------------------------------------------- one plan


@pytest.mark.parametrize(
    ("shown", "silent", "nothing", "decision"),
    [
        (5, 0, 0, Decision.TAKEN),
        (4, 0, 0, Decision.OPEN),  # sure enough, but five were asked for
        (4, 1, 0, Decision.OPEN),  # 89 %
        (6, 1, 0, Decision.TAKEN),
        (0, 1, 0, Decision.OPEN),
        (0, 2, 0, Decision.LEFT),
        (1, 3, 0, Decision.LEFT),
        (8, 7, 0, Decision.LEFT),  # too near to the limit to be waited for
        (0, 0, PROVES_NOTHING, Decision.LEFT),
        (0, 0, PROVES_NOTHING - 1, Decision.OPEN),
        (4, 0, 11, Decision.LEFT),
    ],
)
def test_a_plan_is_taken_slowly_and_left_early(shown: int, silent: int, nothing: int, decision: Decision) -> None:
    assert decide(ASKED, shown, silent, nothing) is decision


def test_how_probable_a_rate_is_that_is_high_enough() -> None:
    assert often_enough(0.5, 0, 0) == pytest.approx(0.5)
    assert often_enough(0.5, 5, 0) == pytest.approx(1 - 0.5**6)
    assert often_enough(0.9, 5, 0) == pytest.approx(1 - 0.9**6)


# ---------------------------------------------------------------- the search


def test_where_the_least_of_everything_does_nothing_else_is_tried() -> None:
    world = World(lambda made: True)
    found = shrunk(plan(shards=8), world)
    assert world.asked == ["everything at its least"]
    assert (found.cluster.shards, found.cluster.tablets_per_shard, rate_of(found)) == (1, 2, 1)
    assert found.params["baseline_s"] == 1
    assert knobs(found) == ()


def test_what_the_finding_needs_is_left_and_no_more() -> None:
    def shows(made: Plan) -> bool:
        return made.cluster.shards >= 3 and made.cluster.tablets_per_shard >= 2 and rate_of(made) >= 4

    world = World(shows)
    found = shrunk(plan(shards=8), world)
    assert shows(found)
    assert (found.cluster.shards, found.cluster.tablets_per_shard) == (3, 2)
    assert rate_of(found) == 4
    assert found.load is not None
    assert found.load.connections_per_shard == 1
    assert found.params["recovery_s"] == 1
    assert len(world.asked) < 25
    assert "shards 8 → 4" in world.asked


def test_a_plan_is_never_asked_about_twice() -> None:
    seen: list[str] = []

    def ask(made: Plan, what: str) -> bool:
        seen.append(key(made))
        return made.cluster.shards >= 5

    shrunk(plan(shards=8), ask)
    assert len(seen) == len(set(seen))


def test_the_faults_that_matter_are_left_with_their_numbers() -> None:
    drawn = tuple(Drawn(number=number, attempt=1, at_s=2.0 * number, hold_s=4.0) for number in range(1, 9))
    start = dataclasses.replace(plan("faults/random"), schedule=drawn)

    def shows(made: Plan) -> bool:
        longest = max(each.hold_s for each in made.schedule)
        return {3, 6} <= {each.number for each in made.schedule} and longest >= 1.5

    found = shrunk(start, World(shows))
    assert [each.number for each in found.schedule] == [3, 6]
    assert found.schedule[0].at_s < 6.0  # their moments came nearer, in the same order
    assert told(found)["faults"] == "2"


def test_the_vtgate_that_showed_it_stays() -> None:
    start = plan(vtgates=("24.0.3", "21.0.2", "23.0.5"), shards=2)
    old = VtgateSpec(version="21.0.2")
    found = shrunk(start, World(lambda made: old in made.cluster.vtgates), keep=old)
    assert found.cluster.vtgates == (old,)


def test_a_primary_that_wants_an_acknowledgement_is_never_alone() -> None:
    assert least_of(plan("vstream/copy-cycles")).cluster.tablets_per_shard == 2
    assert least_of(plan("vstream/copy-cycles", durability="none")).cluster.tablets_per_shard == 1


def test_a_plan_that_was_written_and_read_is_the_same() -> None:
    """Its folder and its command line are found by it."""
    for start in (plan(shards=8, params={"reparents": 6.0}), plan("vstream/tables-cut")):
        made = least_of(start)
        assert key(jsonio.structure(orjson.loads(jsonio.dumps(made)), Plan)) == key(made)


def test_reparents_follow_the_shards() -> None:
    start = plan(shards=8, params={"reparents": 6.0})
    (shards,) = [knob for knob in knobs(start) if knob.name == "shards"]
    assert shards.smaller() == (1, 2, 4)
    assert shards.change(start, 2).params["reparents"] == 2
    assert least_of(start).params["reparents"] == 1


def test_of_a_stream_rows_and_tables_too_but_no_bound_of_a_wait() -> None:
    start = plan("vstream/tables-cut")
    names = [knob.name for knob in knobs(start)]
    assert {"rows", "item tables", "replicate_s"} - {"replicate_s"} <= set(names)
    assert "copied_within_s" not in names
    assert size(least_of(start)) < size(start)
    rows = next(knob for knob in knobs(start) if knob.name == "rows")
    assert rows.smaller()[0] == rows.least
    assert len(rows.smaller()) <= 4


# ---------------------------------------------------------------- what is shrunk, and what is said


def judged(*results: CheckResult) -> RunVerdict:
    return RunVerdict(run_id="r", experiment="x/y", verdict=Verdict.FAIL, exit_code=1, headline="", results=results)


def red(check: str, kind: CheckKind = CheckKind.PROMISE, subject: str = "vtgate-1", text: str = "gone") -> CheckResult:
    return CheckResult(check=check, kind=kind, verdict=Verdict.FAIL, summary=text, subject=subject)


def green(result: CheckResult) -> CheckResult:
    return dataclasses.replace(result, verdict=Verdict.PASS)


def test_a_finding_comes_before_a_known_bug_and_a_lost_write_before_both() -> None:
    known = KnownBug(issue="vitess#1", check="clients/errors", component=Role.VTGATE, says="gone")
    start = dataclasses.replace(plan(), known_bugs=(known,))
    errors, stall = red("clients/errors"), red("clients/stall", subject="items-1@vtgate-2")
    lost = red("durability/acknowledged", CheckKind.SAFETY, subject="")
    expected = judged(green(errors), stall)
    assert shows_of(start, judged(errors, stall), expected) == (Sought(check="clients/stall"), "vtgate-2")
    assert shows_of(start, judged(errors, stall), expected, "clients/errors")[0].issue == "vitess#1"
    assert shows_of(start, judged(errors, stall, lost), judged(errors, stall, lost))[0].check == lost.check
    with pytest.raises(UsageError, match="nothing is red"):
        shows_of(start, judged(green(errors)), judged(green(errors)))


def test_a_recorded_run_without_a_finding_cannot_be_shrunk() -> None:
    history = calm(checks=("clients/errors",)).build()
    with pytest.raises(UsageError, match="clients/errors is not red in this run"):
        shows_of(history.plan, judge(history), judge(history), "clients/errors")


def test_what_became_smaller_is_said_with_how_often_it_shows() -> None:
    before = plan(shards=8)
    after = least_of(before)
    less = tuple(smaller(before, after))
    assert (less[0].name, less[0].before, less[0].after) == ("shards", "8", "1")
    own = Tried(what=OWN, folder="tried/own", decision=Decision.TAKEN, shown=5, counted=5)
    other = dataclasses.replace(own, what="shards 8 → 1", decision=Decision.LEFT, shown=0)
    refused = dataclasses.replace(other, folder="", counted=0, why="refused")

    def said(*tried: Tried, found: tuple[Smaller, ...] = (), shows: bool | None = True, ended: str = "") -> str:
        return answer(ASKED, found, tried, shows=shows, ended=ended)

    assert said(own, found=less).startswith("Smaller: shards 8 → 1; rate 10/s a shard → 1/s a shard")
    assert said(own, found=less, ended="the budget ended").endswith(" There may be less: the budget ended.")
    assert said(own, other) == "Nothing smaller shows it often enough."
    assert said(own, refused, ended="the budget ended") == "Nothing smaller was tried: the budget ended."
    assert said(own, other, ended="the budget ended") == "Nothing smaller was found yet: the budget ended."
    assert said(shows=None, ended="the budget ended").endswith("is not known: the budget ended.")
    assert "does not show it in 50%" in said(other, shows=False)
    nothing = dataclasses.replace(other, counted=0, why="No read was answered.")
    assert said(nothing, shows=False) == "No run of the run's own plan proves anything: No read was answered."


def test_how_often_it_shows_is_said_with_the_host_that_it_was_seen_on() -> None:
    assert how_often(rate(5, 5), 0) == "It shows in 5 of 5 runs made for this (57% to 100%, 95 % confidence)."
    assert how_often(rate(5, 5), 2).endswith(" 95 % confidence), 2 of them on a slow host.")
    assert "not measured" in how_often(None, 0)


def test_a_run_that_proves_nothing_is_told_from_one_in_which_nothing_is_red() -> None:
    host = CheckResult(
        check="assumptions/host", kind=CheckKind.CONDITION, verdict=Verdict.UNKNOWN, summary="slow", subject=""
    )
    slow = judged(*weighed([host, red("clients/errors")]))
    assert unproven(slow, "", any_host=False) == "r proves nothing: assumptions/host did not hold; --any-host counts it"
    assert unproven(slow, "", any_host=True) == ""
    assert unproven(slow, "clients/stall", any_host=False) == ""
    late = dataclasses.replace(host, check="assumptions/rate", kind=CheckKind.ASSUMPTION)
    both = judged(*weighed([late, red("clients/errors")]))
    for any_host in (False, True):
        assert unproven(both, "", any_host=any_host) == "r proves nothing: assumptions/rate did not hold"
    assert unproven(judged(red("clients/errors")), "", any_host=False) == ""


# ---------------------------------------------------------------- as a command line


def test_a_plan_as_words_of_run() -> None:
    made = plan(shards=2, rate=2.0, vtgates=("21.0.2",), params={"baseline_s": 2.5}, vtgate_flags={"buffer-size": "7"})
    words = run_words(made, EXPERIMENTS["reparent/storm"])
    said = "--shards 2 --vtgate 21.0.2 --vtgate-flag buffer-size=7 --rate 2 --set baseline_s=2.5 --seed 7"
    assert words == ("reparent/storm", *said.split())


def test_words_of_an_unchanged_plan_are_its_name_and_seed() -> None:
    for experiment in EXPERIMENTS.values():
        assert run_words(plan(experiment.name), experiment) == (experiment.name, "--seed", "7")
