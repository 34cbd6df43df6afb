"""Goal: a vtgate that clears its plans because etcd is away is told from one that is told of a new VSchema."""

from __future__ import annotations

import dataclasses

from harness.checks import CHECKS
from harness.history import History
from harness.model import CheckResult, Node, Role
from tests.fakes import HistoryBuilder, calm
from tests.unit.verdicts import FAIL, PASS, UNKNOWN

CHECK = CHECKS["plans/kept"]
HEARD = CHECKS["plans/heard"]


def outage(*reloads: tuple[float, int], targets: tuple[str, ...] = ("etcd",)) -> History:
    """etcd is away from the 5th to the 9th second."""
    builder = calm(storm=False)
    builder.nodes.append(Node(name="etcd", role=Role.ETCD, version="3.4.23"))
    for at_s, number in reloads:
        builder.set("vtgate-1", at_s, {"VtgateVSchemaCounts:Reload": number})
    return _with_outage(builder, targets)


def _with_outage(builder: HistoryBuilder, targets: tuple[str, ...]) -> History:
    builder.fault("Killed", "etcd", 5.0, 9.0)
    *others, span = builder.faults
    builder.faults[:] = [*others, dataclasses.replace(span, targets=targets)]
    return builder.build()


def judged(history: History) -> CheckResult:
    (result,) = CHECK.check(history)
    return result


def test_without_an_outage_there_is_nothing_to_judge() -> None:
    assert judged(calm().build()).verdict is PASS


def test_plans_are_kept_when_nothing_is_reloaded_until_etcd_is_back() -> None:
    result = judged(outage((0.5, 2), (9.5, 3)))
    assert (result.verdict, result.figures["reloads"]) == (PASS, 0)


def test_plans_that_are_cleared_again_and_again_are_red() -> None:
    result = judged(outage((0.5, 2), (6.0, 3), (7.0, 4), (8.0, 5)))
    assert result.verdict is FAIL
    assert result.figures["reloads"] == 3
    assert "cleared its query plans 3 times in 4.0 s" in result.summary


def test_one_reload_may_have_been_on_its_way() -> None:
    assert judged(outage((0.5, 2), (5.1, 3))).verdict is PASS


def test_a_vtgate_that_had_etcd_all_the_time_is_not_judged() -> None:
    cut_off = outage((0.5, 2), (6.0, 3), (7.0, 4), targets=("vtgate-2", "etcd"))
    both = dataclasses.replace(cut_off, nodes=(*cut_off.nodes, Node(name="vtgate-2", role=Role.VTGATE, version="x")))
    results = {result.subject: result for result in CHECK.check(both)}
    assert results["vtgate-1"].verdict is PASS
    assert "in vtgate-1's reach" in results["vtgate-1"].summary


def test_nobody_asked_for_the_counter() -> None:
    assert judged(outage()).verdict is UNKNOWN


def written(*reloads: tuple[float, int]) -> CheckResult:
    """SrvVSchema is written at the 2nd and at the 6th second; vtgate's counter is read at the stamps given."""
    builder = calm(storm=False)
    for phase, at_s in (("written-before", 2.0), ("renamed", 4.0), ("written-after", 6.0), ("recovery", 8.0)):
        builder.phase(phase, at_s)
    for at_s, number in reloads:
        builder.set("vtgate-1", at_s, {"VtgateVSchemaCounts:Reload": number})
    (result,) = HEARD.check(builder.build())
    return result


def test_a_vtgate_that_hears_of_both_passes() -> None:
    result = written((1.0, 2), (3.0, 3), (5.5, 3), (7.0, 4))
    assert (result.verdict, result.figures) == (PASS, {"heard_before": 1, "heard_after": 1})


def test_a_vtgate_that_hears_of_the_first_only_is_red() -> None:
    result = written((1.0, 2), (3.0, 3), (5.5, 3), (7.5, 3))
    assert result.verdict is FAIL
    assert "did not hear of a SrvVSchema that was written 2.0 s before" in result.summary


def test_a_vtgate_that_heard_of_neither_proves_nothing() -> None:
    assert written((1.0, 2), (7.5, 2)).verdict is UNKNOWN
    assert written().verdict is UNKNOWN


def test_where_nothing_was_written_there_is_nothing_to_hear() -> None:
    (result,) = HEARD.check(calm().build())
    assert result.verdict is PASS
