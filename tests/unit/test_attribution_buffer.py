"""What holds clients in the buffer or keeps them out of it: each cause is claimed where it is, and nowhere else.

The lines are those of recorded runs of 24.0.3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from harness.attribution.buffer_signatures import BUFFER
from harness.attribution.defect_signatures import DEFECTS
from harness.attribution.signature import Claim
from harness.facts.buffering import Ending, bufferings, pendings
from harness.history import History
from harness.model import LogLine
from harness.probes.loglines import KEPT_TEXTS
from tests.fakes import HistoryBuilder, calm, ns

Line = tuple[float, str]
Span = tuple[str, float, float]  # shard, from, to
OWN = {signature.name: signature for signature in (*DEFECTS, *BUFFER)}
IN_TIME, GIVEN_UP = (
    "a primary promotion has been detected",
    "stopping buffering because failover did not finish in time (20s)",
)


def began(at_s: float, shard: str) -> Line:
    return at_s, (
        f"buffer/shard_buffer.go:321 Starting buffering for shard: ks/{shard} (window: 10s, size: 1000, max failover "
        "duration: 20s) (A failover was detected by this seen error: operation not allowed in state NOT_SERVING.)"
    )


def ended(at_s: float, shard: str, why: str = IN_TIME) -> Line:
    return at_s, (
        f"buffer/shard_buffer.go:592 Stopping buffering for shard: ks/{shard} after: 2.0 seconds due to: {why}. "
        "Draining 4 buffered requests now."
    )


def drained(at_s: float, shard: str) -> Line:
    return (
        at_s,
        f"buffer/shard_buffer.go:651 Draining finished for shard: ks/{shard} Took: 14.454355ms for: 4 requests.",
    )


def promoted(at_s: float, shard: str, tablet: int = 101) -> Line:
    return at_s, (
        f'discovery/healthcheck.go:625 Adding 1 to PrimaryPromoted counter for target: keyspace:"ks" shard:"{shard}" '
        f"tablet_type:REPLICA, tablet: zone1-0000000{tablet}, tabletType: PRIMARY"
    )


def stops(at_s: float, shard: str, tablet: int) -> Line:
    return at_s, (
        f"discovery/tablet_health_check.go:112 HealthCheckUpdate(Serving State): tablet: zone1-{tablet} (10.0.0.1) "
        f"serving true => false for ks/{shard} (PRIMARY) reason: healthCheck update"
    )


def told(builder: HistoryBuilder, *lines: Line) -> History:
    logs = tuple(LogLine(at_ns=ns(at_s), node="vtgate-1", level="info", text=text) for at_s, text in lines)
    return dataclasses.replace(builder.build(), logs=logs)


def one(end_s: float = 7.0, **more: object) -> HistoryBuilder:
    """-80 alone is reparented, from 5.0 on."""
    builder = calm(storm=False, **more)  # type: ignore[arg-type]
    builder.reparent("-80", 5.0, end_s)
    return builder


def both(first_s: float = 7.0, second_s: float = 11.0) -> HistoryBuilder:
    builder = one(first_s)
    builder.reparent("80-", 5.0, second_s)
    return builder


def claims(history: History) -> dict[str, list[Claim]]:
    found = {name: list(signature.claims(history)) for name, signature in OWN.items()}
    assert all(claim.evidence for made in found.values() for claim in made)
    return {name: made for name, made in found.items() if made}


def spans(made: list[Claim]) -> list[Span]:
    return sorted((claim.shard, seconds(claim.from_ns), seconds(claim.to_ns)) for claim in made)


def seconds(at_ns: int) -> float:
    return round((at_ns - ns(0)) / 1e9, 3)


PLAIN = (began(5.2, "-80"), promoted(6.9, "-80"), ended(7.3, "-80"), drained(7.35, "-80"))


def test_nothing_is_claimed_of_a_run_without_a_reparent() -> None:
    assert claims(calm(storm=False).build()) == {}


def test_an_own_reparent_lasts_until_its_requests_go_on() -> None:
    found = claims(told(one(), *PLAIN))
    assert set(found) == {"own-reparent", "inconsistent-state"}  # the latter for one class of errors alone
    assert spans(found["own-reparent"]) == [("-80", 5.0, 7.3)]
    assert [evidence.source for evidence in found["own-reparent"][0].evidence] == [
        "faults.jsonl",
        *["loglines.jsonl"] * 2,
    ]


def test_an_own_reparent_that_nobody_buffered_ends_with_the_promotion_or_its_call() -> None:
    assert spans(claims(told(one(), promoted(6.9, "-80")))["own-reparent"]) == [("-80", 5.0, 6.9)]
    assert spans(claims(one().build())["own-reparent"]) == [("-80", 5.0, 7.0)]


def test_the_keyspace_holds_a_shard_from_its_own_promotion_to_the_last_one() -> None:
    lines = (began(5.2, "-80"), promoted(6.9, "-80"), promoted(10.9, "80-", 103), ended(11.0, "-80"))
    found = claims(told(both(), *lines))
    assert spans(found["keyspace-wide-consistency"]) == [("-80", 6.9, 11.0)]
    assert spans(found["own-reparent"]) == [("-80", 5.0, 6.9), ("80-", 5.0, 10.9)]
    (claim,) = found["keyspace-wide-consistency"]
    assert "PlannedReparent of 80-" in claim.evidence[0].text


def test_a_shard_that_is_not_reparented_waits_for_the_keyspace_from_its_buffering_on() -> None:
    found = claims(told(one(11.0), began(6.0, "80-"), promoted(10.9, "-80"), ended(11.0, "80-")))
    assert spans(found["keyspace-wide-consistency"]) == [("80-", 6.0, 11.0)]


def test_without_buffering_nobody_waits_for_other_shards() -> None:
    assert "keyspace-wide-consistency" not in claims(told(both(), promoted(6.9, "-80"), promoted(10.9, "80-", 103)))


def evicts(builder: HistoryBuilder, reason: str, at_s: float = 8.0) -> HistoryBuilder:
    builder.buffered("-80", 5.2, at_s, evicted={reason: 3}, promoted=False)
    return builder


def test_a_window_shorter_than_the_reparent_explains_errors_alone() -> None:
    builder = evicts(one(12.0, flags={"buffer-window": "2s"}), "WindowExceeded")
    (claim,) = claims(told(builder, *PLAIN[:1], promoted(12.0, "-80")))["window-shorter-than-reparent"]
    assert (claim.waits, "reparent-in-progress" in claim.errors, "deadlock" in claim.errors) == (False, True, False)
    assert "WindowExceeded +3" in claim.evidence[0].text


@pytest.mark.parametrize("builder", [one(12.0), evicts(one(12.0), "WindowExceeded"), evicts(one(7.0), "BufferFull")])
def test_a_window_that_is_long_enough_or_evicts_nobody_is_no_cause(builder: HistoryBuilder) -> None:
    assert "window-shorter-than-reparent" not in claims(told(builder, *PLAIN))


def test_buffering_that_is_given_up_before_the_reparent_is_over() -> None:
    lines = (began(5.2, "-80"), ended(25.2, "-80", GIVEN_UP), promoted(30.0, "-80"))
    found = claims(told(one(30.0), *lines))
    assert spans(found["max-failover-duration"]) == [("-80", 25.2, 31.5)]
    assert spans(found["own-reparent"]) == [("-80", 5.0, 30.0)]
    assert "max-failover-duration" not in claims(told(one(), *PLAIN))


def test_a_full_buffer_is_claimed_where_it_was_counted() -> None:
    (claim,) = claims(evicts(one(), "BufferFull").build())["buffer-full"]
    assert seconds(claim.from_ns) < 8.0 <= seconds(claim.to_ns)
    assert claim.errors == {"buffer-full", "buffer-evicted"}
    assert "buffer-full" not in claims(evicts(one(), "WindowExceeded").build())


def test_no_buffering_is_the_cause_of_what_a_reparent_costs_then() -> None:
    found = claims(one(buffering=False).build())
    assert spans(found["buffering-disabled"]) == [("-80", 5.0, 8.5)]
    assert not found["buffering-disabled"][0].waits
    assert found["buffering-disabled"][0].at_once
    assert "buffering-disabled" not in claims(one().build())


@pytest.mark.parametrize("reason", ["LastFailoverTooRecent", "LastReparentTooRecent"])
def test_a_skip_so_soon_after_the_last_failover(reason: str) -> None:
    builder = one()
    key = f"BufferRequestsSkipped:ks.-80.{reason}"
    builder.set("vtgate-1", 0.0, {key: 0})
    builder.set("vtgate-1", 6.0, {key: 4})
    (claim,) = claims(builder.build())["too-soon-after-the-last"]
    assert (claim.shard, claim.waits, f"{reason} +4" in claim.evidence[0].text) == ("-80", False, True)
    assert claim.at_once
    assert "too-soon-after-the-last" not in claims(one().build())


def test_a_drain_that_lasts_holds_its_shard_and_one_that_does_not_holds_nobody() -> None:
    slow = claims(told(one(), *PLAIN[:3], drained(9.3, "-80")))
    assert spans(slow["draining"]) == [("-80", 7.3, 9.3)]
    assert "draining" not in claims(told(one(), *PLAIN))


LATE = (began(5.2, "-80"), promoted(6.9, "-80"), ended(25.2, "-80", GIVEN_UP))


def test_buffering_after_the_last_promotion_is_a_defect_and_the_most_special_one_goes_first() -> None:
    found = claims(told(one(), *LATE))
    assert spans(found["promotion-unheard"]) == spans(found["buffering-outlasted-reparents"]) == [("-80", 6.9, 25.2)]
    names = [signature.name for signature in DEFECTS]
    assert names.index("promotion-unheard") < names.index("buffering-outlasted-reparents")


@pytest.mark.parametrize(
    ("late", "name"),
    [
        ((began(8.0, "-80"), ended(28.0, "-80", GIVEN_UP)), "late-error-of-old-primary"),
        ((stops(8.0, "-80", 100), began(8.0, "-80"), ended(12.0, "-80")), "late-health-of-old-primary"),
        (((7.0, "HealthCheck broadcast channel is full for x, dropping message"), LATE[2]), "lost-health-update"),
    ],
)
def test_the_log_tells_the_forms_of_17629_apart(late: tuple[Line, ...], name: str) -> None:
    first = LATE[:2] if name == "lost-health-update" else PLAIN
    found = set(claims(told(one(), *first, *late)))
    assert found & {signature.name for signature in DEFECTS[:5]} == {name}


def test_buffering_that_never_ends_is_claimed_to_the_end_of_the_run() -> None:
    history = told(one(), *LATE[:2])
    assert spans(claims(history)["promotion-unheard"]) == [("-80", 6.9, seconds(history.end_ns))]


def test_where_only_counters_tell_it_is_the_same_defect() -> None:
    builder = one()
    builder.buffered("-80", 5.2, 25.2, reason="MaxDurationExceeded")
    assert [shard for shard, *_ in spans(claims(builder.build())["buffering-outlasted-reparents"])] == ["-80"]


def test_something_else_in_force_is_something_to_wait_for() -> None:
    builder = one()
    builder.buffered("-80", 5.2, 25.2, reason="MaxDurationExceeded")
    builder.fault("Killed", "vttablet-101", 6.0, 20.0)
    assert "buffering-outlasted-reparents" not in claims(builder.build())


def test_a_contradiction_is_claimed_where_the_views_changed_and_for_its_own_error_alone() -> None:
    found = claims(told(one(), *PLAIN))["inconsistent-state"]
    assert {claim.errors for claim in found} == {frozenset({"inconsistent-state"})}
    assert not any(claim.waits for claim in found)
    assert min(seconds(claim.from_ns) for claim in found) == 3.7


# ---------------------------------------------------------------- the facts beneath


@pytest.mark.parametrize(
    ("why", "ending"),
    [
        (IN_TIME, Ending.PROMOTED),
        (GIVEN_UP, Ending.TIMED_OUT),
        ("shutdown", Ending.SHUTDOWN),
        ("the target shard is missing after a resharding operation", Ending.RESHARDED),
        ("MoveTables has switched writes", Ending.SWITCHED),
    ],
)
def test_a_stretch_of_buffering_is_read_from_the_log(why: str, ending: Ending) -> None:
    (found,) = bufferings(told(one(), began(5.2, "-80"), ended(7.3, "-80", why), drained(7.5, "-80")))
    assert (found.shard, found.ending, found.requests) == ("-80", ending, 4)
    assert [seconds(at_ns) for at_ns in (found.from_ns, found.to_ns, found.drained_ns)] == [5.2, 7.3, 7.5]


def test_what_had_not_ended_lasts_to_the_end_of_the_run() -> None:
    history = told(one(), began(5.2, "-80"), began(6.0, "80-"), ended(7.0, "80-"))
    first, second = bufferings(history)
    assert (first.ending, first.to_ns, first.ended) == (Ending.OPEN, history.end_ns, None)
    assert (second.shard, second.drained_ns) == ("80-", 0)


def test_without_a_log_it_is_read_from_counters() -> None:
    builder = one()
    builder.buffered("-80", 5.2, 7.3)
    (found,) = bufferings(builder.build())
    assert (found.shard, found.ending, found.began) == ("-80", Ending.PROMOTED, None)
    assert found.from_ns <= ns(5.2)
    assert found.to_ns >= ns(7.3)


def test_a_reparent_is_pending_until_the_vtgate_knows_the_new_primary() -> None:
    (found,) = pendings(told(one(7.0), promoted(6.4, "-80")))["vtgate-1"]
    assert (seconds(found.from_ns), seconds(found.to_ns)) == (5.0, 6.4)
    (found,) = pendings(told(one(7.0), promoted(4.0, "-80"), promoted(6.0, "80-", 103)))["vtgate-1"]
    assert (seconds(found.to_ns), found.seen) == (7.0, None)


@pytest.mark.parametrize("line", [began, ended, drained, promoted])
def test_the_probe_keeps_what_is_read_here(line: Callable[[float, str], Line]) -> None:
    at_s, text = line(5.0, "-80")
    assert KEPT_TEXTS.search(text) or "Adding 1 to" in text, at_s  # the latter is logged as an error, which is kept
