"""Buffering after the new primaries were known: what a vtgate's log tells of it, and which cause it names.

The lines are those of recorded runs (21.0.2 and 24.0.3), the names of hosts shortened.
"""

from __future__ import annotations

import dataclasses

import pytest

from harness.checks import CHECKS
from harness.facts.promotions import ends
from harness.history import History
from harness.model import CheckResult, LogLine, Verdict
from harness.probes.loglines import KEPT_TEXTS
from tests.fakes import calm, ns

NEW = 'Adding 1 to PrimaryPromoted counter for target: keyspace:"ks" shard:"{}" tablet_type:REPLICA, tablet: {}, x'
STOPS = (
    "HealthCheckUpdate(Serving State): tablet: {} (10.0.0.1) serving true => false for ks/{} (PRIMARY) reason: "
    "healthCheck update"
)
BEGINS = (
    "Starting buffering for shard: ks/{} (window: 10s, size: 1000, max failover duration: 20s) (A failover was "
    "detected by this seen error: vttablet: rpc error: code = Code(17) desc = operation not allowed in state X.)"
)
ENDS = "Stopping buffering for shard: ks/{} after: 20.0 seconds due to: {}. Draining 1 buffered requests now."
IN_TIME = "a primary promotion has been detected"
TIMED_OUT = "stopping buffering because failover did not finish in time (20s)"
OLD, YOUNG = "zone1-100", "zone1-0000000101"
Line = tuple[float, str]


def logged(*lines: Line, storm: bool = True) -> History:
    logs = tuple(LogLine(at_ns=ns(at_s), node="vtgate-1", level="info", text=text) for at_s, text in lines)
    return dataclasses.replace(calm(storm=storm).build(), logs=logs)


def judged(*lines: Line) -> CheckResult:
    (result,) = CHECKS["buffering/promotions"].check(logged(*lines))
    return result


A_PLAIN_REPARENT: tuple[Line, ...] = (
    (5.1, STOPS.format(OLD, "-80")),
    (5.2, BEGINS.format("-80")),
    (5.5, NEW.format("-80", YOUNG)),
    (5.5, ENDS.format("-80", IN_TIME)),
)
AN_OTHER_ONE: tuple[Line, ...] = (  # its own promotion is seen, and does not end it
    (5.0, BEGINS.format("80-")),
    (5.5, NEW.format("-80", YOUNG)),
)


def test_pass_when_each_ended_with_its_promotion_and_when_nothing_was_buffered() -> None:
    for lines in ((), A_PLAIN_REPARENT):
        assert judged(*lines).verdict is Verdict.PASS


@pytest.mark.parametrize("why", [IN_TIME, TIMED_OUT])
def test_an_end_long_after_the_last_promotion_is_red(why: str) -> None:
    result = judged(*A_PLAIN_REPARENT[:3], (9.0, ENDS.format("-80", why)))
    assert result.verdict is Verdict.FAIL
    assert result.figures["longest_s"] == 3.5
    assert result.figures["cause_unheard"] == 1


def test_a_late_error_of_the_old_primary() -> None:
    result = judged(
        *AN_OTHER_ONE,
        (6.0, BEGINS.format("-80")),
        (6.5, NEW.format("80-", "zone1-0000000103")),
        (25.0, ENDS.format("80-", TIMED_OUT)),
        (26.0, ENDS.format("-80", TIMED_OUT)),
    )
    assert result.verdict is Verdict.FAIL
    assert (result.figures["late"], result.figures["cause_late-error"]) == (2, 1)
    assert "-80: an error of its old primary came after" in result.summary
    assert "buffered 80-, -80" in result.summary


def test_a_late_health_message_of_the_old_primary() -> None:
    result = judged(
        *AN_OTHER_ONE,
        (6.0, STOPS.format(OLD, "-80")),
        (6.5, NEW.format("80-", "zone1-0000000103")),
        (25.0, ENDS.format("80-", TIMED_OUT)),
    )
    assert result.figures["cause_late-health"] == 1
    assert "cause_late-error" not in result.figures


@pytest.mark.parametrize(("why", "cause"), [(TIMED_OUT, "late-error"), (IN_TIME, "late-health")])
def test_both_at_once_are_told_apart_by_what_ended_it(why: str, cause: str) -> None:
    result = judged(
        *A_PLAIN_REPARENT,
        (9.0, STOPS.format(OLD, "-80")),
        (9.0, BEGINS.format("-80")),
        (24.5, ENDS.format("-80", why)),
    )
    assert result.verdict is Verdict.FAIL
    assert result.figures[f"cause_{cause}"] == 1


def test_of_both_the_later_one_counts_where_the_log_tells_which() -> None:
    late_error_last = ((8.0, STOPS.format(OLD, "-80")), (9.0, BEGINS.format("-80")))
    for late, cause in ((late_error_last, "late-error"), (_swapped(*late_error_last), "late-health")):
        result = judged(*A_PLAIN_REPARENT, *late, (29.0, ENDS.format("-80", TIMED_OUT)))
        assert result.figures[f"cause_{cause}"] == 1


def _swapped(first: Line, second: Line) -> tuple[Line, Line]:
    return (first[0], second[1]), (second[0], first[1])


def test_a_full_channel_is_a_dropped_promotion() -> None:
    full = "HealthCheck broadcast channel is full for KeyspaceEventWatcher, dropping message for zone1-101"
    result = judged(*A_PLAIN_REPARENT[:3], (5.6, full), (25.2, ENDS.format("-80", TIMED_OUT)))
    assert (result.figures["cause_dropped"], result.figures["dropped"]) == (1, 1)


def test_a_late_error_stays_until_the_shard_is_reparented_again() -> None:
    """The second reparent is another shard's, and has nothing in its way."""
    lines = (
        *AN_OTHER_ONE,
        (6.0, BEGINS.format("-80")),
        (6.5, NEW.format("80-", "zone1-0000000103")),
        (26.0, ENDS.format("-80", TIMED_OUT)),
        (50.0, BEGINS.format("80-")),
        (50.3, NEW.format("80-", "zone1-0000000102")),
        (70.0, ENDS.format("80-", TIMED_OUT)),
        (90.0, STOPS.format(YOUNG.replace("0000000", ""), "-80")),
        (90.3, NEW.format("-80", "zone1-0000000100")),
        (120.0, BEGINS.format("80-")),
        (120.3, NEW.format("80-", "zone1-0000000103")),
        (120.4, ENDS.format("80-", IN_TIME)),
    )
    found = ends(logged(*lines), "vtgate-1")
    assert [(ended.shard, ended.late, dict(ended.causes)) for ended in found] == [
        ("-80", True, {"-80": "late-error"}),
        ("80-", True, {"-80": "late-error"}),
        ("80-", False, {}),
    ]


def test_a_reparent_that_still_runs_is_something_to_wait_for() -> None:
    history = logged(*A_PLAIN_REPARENT[:3], (9.0, ENDS.format("-80", TIMED_OUT)))
    running = dataclasses.replace(history.faults[1], active_ns=ns(10.0))
    history = dataclasses.replace(history, faults=(history.faults[0], running))
    (result,) = CHECKS["buffering/promotions"].check(history)
    assert result.verdict is Verdict.PASS


def test_a_promotion_that_was_never_seen_is_somebody_elses_finding() -> None:
    result = judged((5.1, STOPS.format(OLD, "-80")), (5.2, BEGINS.format("-80")), (25.2, ENDS.format("-80", TIMED_OUT)))
    assert result.verdict is Verdict.PASS


def test_unknown_when_vtgate_restarted() -> None:
    builder = calm()
    builder.event("exit", "vtgate-1", 6.0)
    (result,) = CHECKS["buffering/promotions"].check(builder.build())
    assert result.verdict is Verdict.UNKNOWN


def test_what_a_health_message_ended_was_no_wait_for_a_reparent() -> None:
    """A request that began to buffer at the moment of its promotion; another shard's late health held them both."""
    lines = (
        (5.0, NEW.format("80-", "zone1-0000000103")),
        (5.0, NEW.format("-80", YOUNG)),
        (5.1, BEGINS.format("-80")),
        (5.2, STOPS.format("zone1-102", "80-")),
        (25.0, ENDS.format("-80", IN_TIME)),
    )
    result = judged(*lines)
    assert result.verdict is Verdict.FAIL
    assert [name for name in result.figures if name.startswith("cause_")] == ["cause_late-health"]
    alone = judged(*lines[:3], lines[4])
    assert [name for name in alone.figures if name.startswith("cause_")] == ["cause_dropped"]


def test_the_log_probe_keeps_what_is_read_here() -> None:
    """The promotion's line is an error to Vitess, and kept as such."""
    for text in (STOPS, BEGINS, ENDS, "broadcast channel is full"):
        assert KEPT_TEXTS.search(text), text


@pytest.mark.parametrize(("ended_s", "cause"), [(16.5, "stood-still"), (25.5, "dropped")])
def test_who_begins_to_buffer_shows_that_the_watcher_goes_on(ended_s: float, cause: str) -> None:
    """Recorded with etcd's answers held back: 24.0.3 ended at once what 21.0.2 ended with the next health message."""
    began = (STOPS.format(OLD, "-80"), NEW.format("-80", YOUNG), BEGINS.format("-80"))
    result = judged((5.1, began[0]), (5.5, began[1]), (16.5, began[2]), (ended_s, ENDS.format("-80", IN_TIME)))
    assert result.verdict is Verdict.FAIL
    assert result.figures[f"cause_{cause}"] == 1
    assert result.figures["longest_s"] == ended_s - 5.5


# ---------------------------------------------------------------- buffering/updates: a dropped promotion alone


def lost(*lines: Line) -> CheckResult:
    (result,) = CHECKS["buffering/updates"].check(logged(*lines))
    return result


HEARD_LATE: tuple[Line, ...] = (  # who was let in to begin buffering: the watcher goes on, and buffering does too
    (5.1, STOPS.format(OLD, "-80")),
    (5.5, NEW.format("-80", YOUNG)),
    (8.0, BEGINS.format("-80")),
)


def test_a_promotion_that_only_the_next_health_message_repeats_was_dropped() -> None:
    result = lost(*HEARD_LATE, (25.5, ENDS.format("-80", IN_TIME)))
    assert result.verdict is Verdict.FAIL
    assert (result.figures["held"], result.figures["longest_s"]) == (1, 20.0)
    assert "was dropped" in result.summary


@pytest.mark.parametrize(
    "lines",
    [
        (),
        A_PLAIN_REPARENT,
        (*HEARD_LATE, (8.1, ENDS.format("-80", IN_TIME))),  # the watcher stood still, and then it knew
        (*A_PLAIN_REPARENT, (9.0, BEGINS.format("-80")), (29.0, ENDS.format("-80", TIMED_OUT))),  # a late error
    ],
)
def test_what_else_holds_the_buffer_is_not_its_business(lines: tuple[Line, ...]) -> None:
    assert lost(*lines).verdict is Verdict.PASS
