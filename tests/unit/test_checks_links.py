"""What a faulty link costs: every check is green on a run that it should pass, and red on one that it should not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness.checks.links import LinkBystanders, LinkCost, LinkServedAgain
from harness.facts.links import touched
from harness.history import History, Ops
from harness.model import FaultSpan, Outcome, Verdict
from tests.unit.storm_history import SECOND, ns, storm_history

FROM_S, TO_S = 45.0, 55.0
LINK = "vtgate-1 > vttablet-100, vttablet-100 > vtgate-1"


def span(links: str = LINK) -> FaultSpan:
    return FaultSpan(
        number=1,
        fault="Partition",
        targets=("vtgate-1", "vttablet-100"),
        details={"links": links, "shard": "-80"},
        intent_ns=ns(FROM_S),
        begin_ns=ns(FROM_S),
        active_ns=ns(FROM_S),
        healed_ns=ns(TO_S),
    )


def calm(links: str = LINK, **params: float) -> History:
    """Two vtgates and two shards; every operation takes 10 ms."""
    history = storm_history(shards=2)
    ops = history.ops.copy()
    ops["outcome"], ops["errno"], ops["message"] = Outcome.OK, 0, 0
    ops["done_ns"] = ops["intended_ns"] + SECOND // 100
    plan = replace(history.plan, params=params)
    return replace(history, plan=plan, ops=ops, faults=(span(links),), messages={})


def bounded(params: dict[str, float]) -> History:
    history = calm()
    return replace(history, plan=replace(history.plan, params=params))


def of(history: History, vtgate: str, shard: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    (lane,) = history.lanes_of(vtgate, shard)
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = history.ops["lane"] == lane.number
    return found


def with_ops(history: History, change: Callable[[Ops], None]) -> History:
    ops = history.ops.copy()
    change(ops)
    return replace(history, ops=ops)


def waits(history: History, vtgate: str, shard: str, *, until_s: float) -> History:
    """What was due while the link was faulty is answered only then."""

    def change(ops: Ops) -> None:
        late = of(history, vtgate, shard) & (ops["intended_ns"] >= ns(FROM_S)) & (ops["intended_ns"] < ns(until_s))
        ops["done_ns"][late] = ns(until_s)

    return with_ops(history, change)


def fails(history: History, vtgate: str, shard: str) -> History:
    def change(ops: Ops) -> None:
        bad = of(history, vtgate, shard) & (ops["intended_ns"] >= ns(FROM_S)) & (ops["intended_ns"] < ns(TO_S))
        ops["outcome"][bad], ops["errno"][bad] = Outcome.FAIL, 1105

    return with_ops(history, change)


def verdicts(check: LinkBystanders | LinkCost | LinkServedAgain, history: History) -> dict[str, Verdict]:
    return {result.subject: result.verdict for result in check.check(history)}


# ---------------------------------------------------------------- who is touched


@pytest.mark.parametrize(
    ("links", "who"),
    [
        (LINK, {("vtgate-1", "-80")}),
        ("vttablet-110 > vtgate-2", {("vtgate-2", "80-")}),
        ("mysqld-100 > mysqld-101", {("vtgate-1", "-80"), ("vtgate-2", "-80")}),
        ("etcd > vtgate-1", set()),
        ("vttablet-100 > vttablet-110", set()),
        ("vtctld > vttablet-100", set()),
    ],
)
def test_whose_way_a_link_lies_on(links: str, who: set[tuple[str, str]]) -> None:
    assert touched(calm(links)) == who


def test_a_fault_that_never_came_into_force_touches_nobody() -> None:
    history = calm()
    assert touched(replace(history, faults=(replace(span(), active_ns=0),))) == frozenset()


# ---------------------------------------------------------------- the checks


def test_a_calm_run_passes() -> None:
    for check in (LinkBystanders(), LinkCost(), LinkServedAgain()):
        assert set(verdicts(check, calm()).values()) == {Verdict.PASS}
        assert set(verdicts(check, replace(calm(), faults=())).values()) == {Verdict.PASS}


@pytest.mark.parametrize(("vtgate", "shard"), [("vtgate-1", "80-"), ("vtgate-2", "-80")])
def test_bystanders_must_not_wait_or_fail(vtgate: str, shard: str) -> None:
    for history in (waits(calm(), vtgate, shard, until_s=TO_S), fails(calm(), vtgate, shard)):
        judged = verdicts(LinkBystanders(), history)
        assert judged.pop(vtgate) is Verdict.FAIL
        assert set(judged.values()) == {Verdict.PASS}


def test_who_needs_the_link_is_no_bystander() -> None:
    history = fails(waits(calm(), "vtgate-1", "-80", until_s=TO_S), "vtgate-1", "-80")
    assert set(verdicts(LinkBystanders(), history).values()) == {Verdict.PASS}


@pytest.mark.parametrize(
    ("bound", "mutated"),
    [
        ({"errors_at_most": 0.0}, lambda history: fails(history, "vtgate-1", "-80")),
        ({"stall_at_most_s": 5.0}, lambda history: waits(history, "vtgate-1", "-80", until_s=TO_S)),
        ({"p50_at_most_ms": 50.0}, lambda history: waits(history, "vtgate-1", "-80", until_s=TO_S)),
    ],
)
def test_a_cost_is_judged_by_the_bounds_that_are_set(
    bound: dict[str, float], mutated: Callable[[History], History]
) -> None:
    assert set(verdicts(LinkCost(), bounded(bound)).values()) == {Verdict.PASS}
    assert verdicts(LinkCost(), mutated(bounded(bound)))["vtgate-1"] is Verdict.FAIL
    assert verdicts(LinkCost(), mutated(calm()))["vtgate-1"] is Verdict.PASS


def test_its_figures_are_of_the_clients_that_needed_the_link() -> None:
    results = {each.subject: each for each in LinkCost().check(waits(calm(), "vtgate-1", "-80", until_s=TO_S))}
    assert results["vtgate-1"].figures["stall_s"] == pytest.approx(TO_S - FROM_S, abs=0.3)
    assert results["vtgate-1"].figures["p50_before_ms"] == 10.0
    assert results["vtgate-1"].figures["p50_ms"] == pytest.approx(5000, abs=500)
    assert results["vtgate-2"].figures == {}


def test_service_must_come_back_soon_after_the_link_did() -> None:
    assert verdicts(LinkServedAgain(), waits(calm(), "vtgate-1", "-80", until_s=TO_S + 4))["vtgate-1"] is Verdict.PASS
    late = verdicts(LinkServedAgain(), waits(calm(), "vtgate-1", "-80", until_s=TO_S + 6))
    assert late == {"vtgate-1": Verdict.FAIL, "vtgate-2": Verdict.PASS}
    patient = waits(calm(again_within_s=7.0), "vtgate-1", "-80", until_s=TO_S + 6)
    assert verdicts(LinkServedAgain(), patient)["vtgate-1"] is Verdict.PASS


def test_service_that_never_comes_back() -> None:
    history = calm()

    def change(ops: Ops) -> None:
        ops["outcome"][of(history, "vtgate-1", "-80") & (ops["intended_ns"] >= ns(FROM_S))] = Outcome.FAIL

    (found, _) = LinkServedAgain().check(with_ops(history, change))
    assert found.verdict is Verdict.FAIL
    assert "the rest of the run" in found.summary
