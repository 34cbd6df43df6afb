"""Goal: faults that were not felt, taken back or got over make a run red or worthless, and nothing else does."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from harness.checks.faults import FaultsFelt, FaultsHealed, ServedAgain
from harness.history import History
from harness.model import Event, FaultSpan, Outcome, Remedy, Verdict
from tests.fakes import calm, ns

UNDO = (Remedy(kind="runs", target="vttablet-100"),)


def span(number: int = 1, **more: Any) -> FaultSpan:
    whole: dict[str, Any] = {
        "number": number,
        "fault": "Killed",
        "targets": ("vttablet-100",),
        "details": {},
        "intent_ns": ns(12),
        "begin_ns": ns(12),
        "active_ns": ns(12.1),
        "recover_ns": ns(15),
        "healed_ns": ns(16),
        "recovered_ns": ns(18),
        "observed": True,
        "undo": UNDO,
    }
    return FaultSpan(**{**whole, **more})


def history(*spans: FaultSpan, faults: int = 0) -> History:
    built = calm(storm=False).build()
    params = {**built.plan.params, "faults": float(faults)}
    return dataclasses.replace(built, faults=spans, plan=dataclasses.replace(built.plan, params=params))


@pytest.mark.parametrize(
    ("spans", "wanted", "verdict", "says"),
    [
        ((), 0, Verdict.PASS, "No fault."),
        ((span(), span(2)), 2, Verdict.PASS, "2 faults in force: 2 Killed."),
        ((span(),), 2, Verdict.UNKNOWN, "Only 1 of 2 faults came into force."),
        ((span(), span(2, error="vtctld was gone")), 2, Verdict.PASS, "1 fault in force"),
        ((span(error="vtctld was gone"),), 1, Verdict.UNKNOWN, "Only 0 of 1 fault"),
        ((span(), span(2, error="gone"), span(3, error="gone")), 3, Verdict.UNKNOWN, "Only 1 of 3"),
        ((span(), span(2, active_ns=0)), 2, Verdict.UNKNOWN, "Only 1 of 2"),
        ((span(), span(2, observed=False)), 2, Verdict.PASS, "2 faults in force"),
        ((span(), span(2, observed=False), span(3, observed=False)), 3, Verdict.UNKNOWN, "Only 1 of 3 faults showed"),
    ],
)
def test_felt(spans: tuple[FaultSpan, ...], wanted: int, verdict: Verdict, says: str) -> None:
    (result,) = FaultsFelt().check(history(*spans, faults=wanted))
    assert (result.verdict, says in result.summary) == (verdict, True), result


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"healed_ns": 0, "recovered_ns": 0}, "never taken back"),
        ({"healed_ns": 0, "recovered_ns": 0, "error": "it hangs"}, "never taken back (it hangs)"),
        ({"recovered_ns": 0, "unrecovered": "primary NOT_SERVING"}, "did not get over it: primary NOT_SERVING"),
        ({"unhealthy": "vttablet-101 is stopped"}, "afterwards: vttablet-101 is stopped"),
    ],
)
def test_not_healed(more: dict[str, Any], says: str) -> None:
    (result,) = FaultsHealed().check(history(span(), span(2, **more)))
    assert result.verdict is Verdict.FAIL
    assert says in result.summary


def test_whether_a_fault_is_taken_back_nobody_knows_of_a_harness_that_died() -> None:
    seen = history(span(), span(2, healed_ns=0, recovered_ns=0))
    events = tuple(event for event in seen.events if event.subject != "quiet")
    died = dataclasses.replace(seen, events=events)
    (result,) = FaultsHealed().check(died)
    assert result.verdict is Verdict.UNKNOWN
    assert "the harness died before it could heal; `vtchaos heal RUN_DIR`" in result.summary
    ended = Event(at_ns=ns(9), kind="cluster", subject="removing")
    (result,) = FaultsHealed().check(dataclasses.replace(died, events=(*events, ended)))
    assert result.verdict is Verdict.FAIL
    tried = dataclasses.replace(died, faults=(span(2, healed_ns=0, recovered_ns=0, error="it hangs"),))
    (result,) = FaultsHealed().check(tried)
    assert result.verdict is Verdict.FAIL
    (result,) = FaultsHealed().check(dataclasses.replace(died, faults=(span(),)))
    assert result.verdict is Verdict.PASS


def test_a_ledger_that_is_not_whole_does_not_tell_whether_all_is_healed() -> None:
    torn = dataclasses.replace(history(span(2, healed_ns=0)), incomplete=("faults.jsonl: its end",))
    (result,) = FaultsHealed().check(torn)
    assert (result.verdict, "vtchaos heal" in result.summary) == (Verdict.UNKNOWN, True)
    (result,) = FaultsHealed().check(dataclasses.replace(torn, faults=(span(unhealthy="it is stopped"),)))
    assert result.verdict is Verdict.FAIL


def test_healed() -> None:
    one_shot = span(2, undo=(), recover_ns=0, healed_ns=0, recovered_ns=0)
    (result,) = FaultsHealed().check(history(span(), one_shot))
    assert result.verdict is Verdict.PASS
    assert result.figures == {"healed": 1, "slowest_healing_s": 1.0, "slowest_recovery_s": 2.0}


# ---------------------------------------------------------------- clients


QUIET_S = (80.0, 84.0)


def quiet(bad: Outcome | None = None) -> History:
    """Ten operations on each lane in the quiet phase; the last of them goes wrong."""
    made = calm()
    made.phase("quiet", QUIET_S[0])
    made.phase("over", QUIET_S[1])
    shards = [lane.shard for lane in made.build().lanes]
    for shard in shards:
        for step in range(9):
            made.op(QUIET_S[0] + 0.3 * step, shard=shard)
    made.op(QUIET_S[0] + 2.8, shard=shards[0], outcome=bad or Outcome.OK, errno=1105 if bad else 0)
    return made.build()


def served(seen: History) -> tuple[Verdict, str]:
    (result,) = ServedAgain().check(seen)
    return result.verdict, result.summary


def test_every_client_is_served() -> None:
    assert served(quiet()) == (Verdict.PASS, "19 operations when all was over, all of them good.")


@pytest.mark.parametrize("bad", [Outcome.FAIL, Outcome.UNKNOWN, Outcome.NOT_ISSUED])
def test_one_operation_that_goes_wrong_when_all_is_over(bad: Outcome) -> None:
    assert served(quiet(bad)) == (Verdict.FAIL, "1 of 19 operations failed when all was over.")


def test_a_shard_of_which_nothing_was_asked() -> None:
    seen = quiet()
    lane = seen.lanes[0]
    ops = seen.ops[(seen.ops["lane"] != lane.number) | (seen.ops["intended_ns"] < ns(QUIET_S[0]))]
    verdict, says = served(dataclasses.replace(seen, ops=ops))
    assert (verdict, lane.shard in says) == (Verdict.UNKNOWN, True)


def test_a_run_that_never_became_quiet() -> None:
    built = calm().build()
    events = tuple(event for event in built.events if event.subject != "quiet")
    (result,) = ServedAgain().check(dataclasses.replace(built, events=events))
    assert result.verdict is Verdict.UNKNOWN
