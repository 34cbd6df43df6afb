"""Tablets over time: the log to the millisecond, the samples where it is silent, and what neither tells is not told."""

from __future__ import annotations

from harness.facts import tablet_states
from harness.facts.tablet_states import TabletState, TabletStretch
from harness.history import History, Series
from tests.fakes import START, ns
from tests.unit.tablet_history import CALLS, STEPS, TRANSITIONS, WRITABLE, history, lines, sampled, state

REFUSED = "ClientConnectorError: Cannot connect to host 10.0.0.1:17100 ssl:default [Connect call failed]"
WRITES = {"super_read_only": 0, "read_only": 0}
READS = {"super_read_only": 1, "read_only": 1}


def told(found: tuple[TabletStretch, ...], node: str) -> list[tuple[float, str, TabletState]]:
    return [(at(each.from_ns), each.type, each.state) for each in found if each.node == node]


def at(stamp_ns: int) -> float:
    return round((stamp_ns - START) / 1e9, 2)


def test_a_reparent_of_which_the_log_tells() -> None:
    found = tablet_states.stretches(history())
    assert told(found, "vttablet-100") == [
        (0.5, "primary", TabletState.SERVING),
        (5.25, "primary", TabletState.NOT_SERVING),
        (5.65, "replica", TabletState.SERVING),
    ]
    # its type was seen to be primary at 5.65, before it took writes
    assert told(found, "vttablet-101") == [
        (0.6, "replica", TabletState.SERVING),
        (5.78, "primary", TabletState.SERVING),
    ]
    assert [each.logged for each in found if each.node == "vttablet-101"] == [False, True]


def test_a_record_without_transitions_has_the_calls_and_one_without_those_has_the_samples() -> None:
    calls = tablet_states.stretches(history(*lines(STEPS, CALLS)))
    assert told(calls, "vttablet-101")[1:] == [(5.8, "primary", TabletState.SERVING)]
    none = tablet_states.stretches(history(*lines(STEPS)))
    assert told(none, "vttablet-100")[1:] == [
        (5.4, "primary", TabletState.NOT_SERVING),
        (5.9, "replica", TabletState.SERVING),
    ]
    assert told(none, "vttablet-101")[1:] == [(5.65, "primary", TabletState.SERVING)]


def test_a_promotion_that_failed_makes_no_primary() -> None:
    failed = lines([line for line in CALLS if "TabletManager.PromoteReplica" in line[2]], level="warning")
    young = sampled((0.6, state(True, "replica")))
    assert told(tablet_states.stretches(history(*failed, vttablet_101=young)), "vttablet-101") == [
        (0.6, "replica", TabletState.SERVING)
    ]


def test_who_was_primary_and_when_nobody_served() -> None:
    run = history()
    (gap,) = tablet_states.unserved(run)
    assert (gap.shard, at(gap.from_ns), at(gap.to_ns)) == ("-80", 5.25, 5.78)
    assert (gap.before, gap.after) == ("vttablet-100", "vttablet-101")
    assert [(term.alias, at(term.from_ns)) for term in tablet_states.terms(run)] == [
        ("zone1-0000000100", 0.5),
        ("zone1-0000000101", 5.78),
    ]
    assert tablet_states.primary_at(run, "ks", "-80", ns(3)) == "vttablet-100"
    assert tablet_states.primary_at(run, "ks", "-80", ns(8)) == "vttablet-101"
    assert tablet_states.primary_at(run, "ks", "-80", ns(0.1)) == ""
    assert tablet_states.primary_at(run, "ks", "80-", ns(8)) == ""  # nobody looked at it
    now = tablet_states.state_at(run, "vttablet-100", ns(5.3))
    assert now is not None
    assert now.state is TabletState.NOT_SERVING


def test_a_primary_that_is_gone_serves_nobody_and_one_that_is_silent_may() -> None:
    def run(error: str) -> History:
        old = sampled((0.5, state(True, "primary")), (7.0, error), (7.2, error), (8.0, {}))
        young = sampled((0.6, state(True, "replica")))
        return history(*lines(STEPS), vttablet_100=old, vttablet_101=young)

    gone, silent = run(REFUSED), run("TimeoutError: ")
    assert told(tablet_states.stretches(gone), "vttablet-100")[1:] == [
        (7.0, "primary", TabletState.GONE),
        (8.0, "primary", TabletState.SERVING),
    ]
    assert [(at(gap.from_ns), at(gap.to_ns)) for gap in tablet_states.unserved(gone)] == [(7.0, 8.0)]
    assert told(tablet_states.stretches(silent), "vttablet-100")[1][2] is TabletState.SILENT
    assert not tablet_states.unserved(silent)


def test_a_run_without_samples_of_tablets() -> None:
    run = history(*lines(STEPS), vttablet_100=Series([]), vttablet_101=Series([]))
    assert not tablet_states.stretches(run)
    assert not tablet_states.unserved(run)
    assert not tablet_states.terms(run)
    assert not tablet_states.records(run)
    assert not tablet_states.read_only_primaries(run)


# ---------------------------------------------------------------- read-only


def servers(old: Series, young: Series) -> History:
    return history(mysqld_100=old, mysqld_101=young)


def test_an_ordinary_reparent_has_no_read_only_primary() -> None:
    """The young one's server is asked just before it becomes writable, and a second later: no word of between."""
    old = sampled((4.9, WRITES), (5.9, READS))
    run = servers(old, sampled((4.6, READS), (5.65, {}), (6.65, WRITES)))
    assert not tablet_states.read_only_primaries(run)
    (old_one, young) = tablet_states.read_only(run)
    assert (young.node, at(young.seen_ns), at(young.to_ns)) == ("mysqld-101", 4.6, 5.7)  # its vttablet's own word
    assert (old_one.node, at(old_one.from_ns), at(old_one.seen_ns)) == ("mysqld-100", 4.9, 5.9)


def test_a_primary_whose_server_turns_read_only_behind_its_back() -> None:
    """#20160: the reparent timed out, super_read_only came afterwards."""
    young = sampled((4.6, READS), (6.6, WRITES), (7.6, READS), (8.6, {}), (9.6, WRITES))
    (found,) = tablet_states.read_only_primaries(servers(sampled(), young))
    assert (found.node, found.shard) == ("vttablet-101", "-80")
    assert (at(found.from_ns), at(found.seen_ns), at(found.to_ns)) == (6.6, 7.6, 9.6)


def test_a_server_that_is_still_read_only_at_the_end() -> None:
    (found,) = tablet_states.read_only_primaries(servers(sampled(), sampled((6.6, WRITES), (7.6, READS), (8.6, {}))))
    assert (at(found.seen_ns), at(found.to_ns)) == (7.6, 8.6)


def test_a_promoted_tablet_that_never_made_its_server_writable() -> None:
    logs = lines(STEPS, [line for line in CALLS if line[2] != WRITABLE], TRANSITIONS)
    run = history(*logs, mysqld_101=sampled((4.6, READS), (6.6, {}), (7.6, {})))
    (found,) = tablet_states.read_only_primaries(run)
    assert (at(found.from_ns), at(found.to_ns)) == (5.78, 7.6)


# ---------------------------------------------------------------- topology


def test_the_shard_records() -> None:
    term_ns = 1_785_000_006 * 1_000_000_000  # 6 s into the run, by the wall
    topology = sampled(
        (1.0, {"primary:ks/-80": "zone1-0000000100", "term_ns:ks/-80": 0}),
        (6.5, {"primary:ks/-80": "zone1-0000000101", "term_ns:ks/-80": term_ns}),
    )
    first, second = tablet_states.records(history(topology=topology))
    assert (first.keyspace, first.shard, first.primary, first.term_ns) == ("ks", "-80", "zone1-0000000100", 0)
    assert (at(second.at_ns), second.primary, at(second.term_ns)) == (6.5, "zone1-0000000101", 6.0)
