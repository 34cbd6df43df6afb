"""Every signature outside the buffer claims where its cause is, with evidence, and nowhere else."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import pytest

from harness.attribution import SIGNATURES
from harness.attribution.error_signatures import COUNTED, ERRORS, LostWithPrimary
from harness.attribution.fault_signatures import (
    CHURN,
    EVERYBODYS,
    FAULTS,
    NobodyListens,
    PlansAnew,
    ProcessDied,
    TrafficSwitch,
)
from harness.attribution.host_signatures import HOSTS, HarnessPaused, HostStarved, NoFreeCore
from harness.attribution.reparent_signatures import FAILOVERS
from harness.attribution.signature import Claim, Signature
from harness.attribution.stream_signatures import REFUSED, STREAMS, SourceHit
from harness.attribution.tablet_signatures import (
    TABLETS,
    EndedByAnotherShard,
    LeftWithoutPrimary,
    NoPrimary,
    ReadOnlyRouted,
    WaitsForAcknowledgement,
)
from harness.attribution.topology_signatures import TOPOLOGY, TopologyUnreachable, WithoutTopology
from harness.attribution.waiting_signatures import WAITING, Backlog, HeldByAnotherShard, NothingToWaitFor, PastTheSwitch
from harness.facts.storm import REPARENTS
from harness.faults.catalogue import FAULTS as CATALOGUE
from harness.history import History, Series
from harness.model import ConnectionMode, LogLine, Node, Remedy, Role, Sample
from harness.streams import EVENT_DTYPE, StreamLane, StreamRecord, StreamSpec
from tests.fakes import HistoryBuilder, calm, ns

HIT, OTHER = "-80", "80-"
PRIMARY, REPLICA = "vttablet-100", "vttablet-101"
SINGLE: tuple[Signature, ...] = (*FAULTS, *COUNTED, *REFUSED, *FAILOVERS)
BY_NAME = {each.name: each for each in SINGLE}
ALL: tuple[Signature, ...] = (
    *FAULTS,
    *EVERYBODYS,
    *FAILOVERS,
    *TABLETS,
    *TOPOLOGY,
    *ERRORS,
    *STREAMS,
    *HOSTS,
    *WAITING,
)


def tablets(builder: HistoryBuilder, *, replicas: int = 1) -> HistoryBuilder:
    """With vttablets and mysqlds; the first of each shard is its primary."""
    builder.nodes.append(Node(name="etcd", role=Role.ETCD, version="3.4.23"))
    number = 100
    for shard in builder.shards:
        for index in range(replicas + 1):
            for role in (Role.MYSQLD, Role.VTTABLET):
                name = f"{role.value}-{number}"
                builder.nodes.append(
                    Node(name=name, role=role, version="24.0.3", keyspace="ks", shard=shard, tablet_uid=number)
                )
            shows(builder, f"vttablet-{number}", 0.0, "replica" if index else "primary")
            number += 1
    return builder


def shows(builder: HistoryBuilder, node: str, at_s: float, kind: str, state: str = "SERVING") -> None:
    builder.set(node, at_s, {"TabletType": kind, "TabletStateName": state})


def quiet(**more: int) -> HistoryBuilder:
    return tablets(calm(storm=False), **more)


def undone(builder: HistoryBuilder, **more: object) -> HistoryBuilder:
    """The last fault can be taken back, as all that hold are."""
    undo = (Remedy(kind="runs", target="x"),)
    builder.faults[-1] = dataclasses.replace(builder.faults[-1], undo=undo, **more)  # type: ignore[arg-type]
    return builder


def hit(name: str, target: str, from_s: float = 5.0, to_s: float = 7.0, **more: int) -> History:
    builder = quiet(**more)
    builder.fault(name, target, from_s, to_s)
    return undone(builder, recovered_ns=ns(to_s + 1)).build()


def claims(signature: Signature, history: History) -> list[Claim]:
    found = list(signature.claims(history))
    assert all(claim.evidence and claim.from_ns < claim.to_ns for claim in found)
    return found


def lanes(signature: Signature, history: History) -> set[tuple[str, str]]:
    return {(claim.vtgate, claim.shard) for claim in claims(signature, history)}


# ---------------------------------------------------------------- the tables


def test_every_fault_has_one_row_or_is_a_reparent() -> None:
    rows = [name for each in FAULTS for name in each.faults]
    others = [*REPARENTS, "SwitchedTraffic", *CHURN]
    assert sorted([*rows, *others]) == sorted(CATALOGUE)


def test_all_of_them_are_in_the_table() -> None:
    assert set(ALL) <= set(SIGNATURES)


@pytest.mark.parametrize("signature", ALL, ids=lambda each: each.name)
@pytest.mark.parametrize("storm", [False, True])
def test_silent_where_all_went_well(signature: Signature, storm: bool) -> None:
    assert claims(signature, well(storm)) == []


@functools.cache
def well(storm: bool) -> History:
    return tablets(calm(storm=storm)).build()


# ---------------------------------------------------------------- faults


DOWN, STILL, BROKEN = BY_NAME["process-down"], BY_NAME["process-stood-still"], BY_NAME["link-broken"]


def test_a_fault_claims_its_shard_until_the_cluster_has_got_over_it() -> None:
    (claim,) = claims(DOWN, hit("Killed", PRIMARY))
    assert (claim.vtgate, claim.shard, claim.from_ns, claim.to_ns) == ("", HIT, ns(5.0), ns(9.0))
    assert "Killed of vttablet-100 for 2.0 s" in claim.evidence[0].text


def test_a_fault_claims_in_its_own_name_only() -> None:
    history = hit("Killed", PRIMARY)
    silent = {"process-died", *BY_NAME} - {"process-down"}
    assert not [each.name for each in ALL if each.name in silent and claims(each, history)]


def test_a_vtgate_is_on_the_way_of_all_its_shards_and_of_no_other_vtgates() -> None:
    assert lanes(STILL, hit("Paused", "vtgate-1")) == {("vtgate-1", "")}


@pytest.mark.parametrize(("replicas", "expected"), [(1, {("", HIT)}), (2, set())])
def test_a_replica_is_on_the_way_when_no_other_is_left_to_acknowledge(
    replicas: int, expected: set[tuple[str, str]]
) -> None:
    assert lanes(DOWN, hit("Killed", REPLICA, replicas=replicas)) == expected


def test_a_replica_is_on_nobodys_way_without_semi_sync() -> None:
    builder = quiet()
    cluster = dataclasses.replace(builder.plan.cluster, durability_policy="none")
    builder.plan = dataclasses.replace(builder.plan, cluster=cluster)
    builder.fault("Killed", REPLICA, 5.0, 7.0)
    assert lanes(DOWN, undone(builder).build()) == set()


def test_mysql_is_named_by_its_alias_too() -> None:
    assert lanes(BY_NAME["lock-held"], hit("HeldTransaction", "zone1-0000000100")) == {("", HIT)}
    assert lanes(BY_NAME["disk-full"], hit("FullDisk", "mysqld-100")) == {("", HIT)}


def test_a_fault_that_is_not_got_over_lasts_to_the_end() -> None:
    builder = quiet()
    builder.fault("Killed", PRIMARY, 5.0, 7.0)
    history = undone(builder, unrecovered="vttablet-100 does not serve").build()
    (claim,) = claims(DOWN, history)
    assert claim.to_ns == history.end_ns
    assert "not got over" in claim.evidence[0].text


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ("vtgate-1 > vttablet-100, vttablet-100 > vtgate-1", {("vtgate-1", HIT)}),
        ("vtgate-1 > vttablet-101", set()),
        ("mysqld-100 > mysqld-101", {("", HIT)}),
        ("mysqld-100 > vttablet-100", {("", HIT)}),
        ("etcd > vtgate-1", set()),
    ],
)
def test_whose_way_a_link_lies_on(links: str, expected: set[tuple[str, str]]) -> None:
    builder = quiet()
    builder.fault("Partition", "vtgate-1", 5.0, 7.0)
    assert lanes(BROKEN, undone(builder, details={"links": links}).build()) == expected


def test_a_connection_over_a_broken_link_may_come_back_as_late_again() -> None:
    builder = quiet()
    builder.fault("Partition", "vtgate-1", 5.0, 7.0)
    (claim,) = claims(BROKEN, undone(builder, details={"links": "vtgate-1 > vttablet-100"}).build())
    assert claim.to_ns == ns(10.0)


def test_churn_and_a_traffic_switch_are_felt_by_all() -> None:
    assert lanes(PlansAnew(), hit("VSchemaChurn", "ks")) == {("", "")}
    assert lanes(TrafficSwitch(), hit("SwitchedTraffic", "target.move")) == {("", "")}


def test_a_fault_of_another_version_is_in_force_too() -> None:
    history = hit("HeldBack", PRIMARY)
    assert {each.name for each in FAULTS if claims(each, history)} == {"fault-in-force"}


def test_a_process_that_nobody_ended() -> None:
    builder = quiet()
    builder.event("exit", PRIMARY, 6.0, status=-11)
    (claim,) = claims(ProcessDied(), builder.build())
    assert claim.shard == HIT
    assert "status -11" in claim.evidence[0].text


@pytest.mark.parametrize("details", [{"expected": True}, {}])
def test_a_process_that_was_ended(details: dict[str, bool]) -> None:
    builder = quiet()
    builder.event("exit", PRIMARY, 6.0, **details)
    if not details:
        builder.fault("Killed", PRIMARY, 5.9, 7.0)
    assert claims(ProcessDied(), builder.build()) == []


@pytest.mark.parametrize(("error", "expected"), [("ClientConnectorError: refused", 1), ("TimeoutError: ", 0)])
def test_a_vtgate_that_nobody_stopped_and_that_is_not_there(error: str, expected: int) -> None:
    history = quiet().build()
    samples = (*history.series["vtgate-1"].samples[:30], Sample(at_ns=ns(6.0), took_ns=1, error=error))
    found = claims(NobodyListens(), dataclasses.replace(history, series={"vtgate-1": Series(samples)}))
    assert len(found) == expected


# ---------------------------------------------------------------- reparents and primaries


def test_an_emergency_reparent_is_its_shards() -> None:
    builder = quiet()
    builder.reparent(HIT, 5.0, 5.5)
    builder.faults[-1] = dataclasses.replace(builder.faults[-1], fault="EmergencyReparent")
    history = builder.build()
    (claim,) = claims(BY_NAME["own-emergency-reparent"], history)
    assert (claim.vtgate, claim.shard, claim.from_ns) == ("vtgate-1", HIT, ns(5.0))
    assert claims(BY_NAME["own-external-reparent"], history) == []


def leaderless(*, error: str) -> History:
    """The primary stops serving in the middle of a reparent, and serves again 4 s later."""
    builder = quiet()
    builder.reparent(HIT, 5.0, 6.0, error=error)
    shows(builder, PRIMARY, 5.4, "primary", "NOT_SERVING")
    shows(builder, PRIMARY, 9.4, "primary")
    return builder.build()


def test_a_reparent_that_failed_left_the_shard_without_a_primary() -> None:
    (claim,) = claims(LeftWithoutPrimary(), leaderless(error="deadline exceeded"))
    assert claim.shard == HIT
    assert ns(6.0) <= claim.from_ns < claim.to_ns <= ns(10.5)
    assert "deadline exceeded" in claim.evidence[0].text


def test_without_a_primary_and_no_reparent_failed() -> None:
    history = leaderless(error="")
    assert claims(LeftWithoutPrimary(), history) == []
    assert lanes(NoPrimary(), history) == {("", HIT)}


def read_only(*, fault: str = "", until_s: float = 8.0) -> HistoryBuilder:
    builder = quiet()
    for number in range(100, 104):
        builder.set(f"mysqld-{number}", 0.0, {"super_read_only": number % 2, "read_only": number % 2})
    builder.set("mysqld-100", 6.0, {"super_read_only": 1, "read_only": 1})
    builder.set("mysqld-100", until_s, {"super_read_only": 0, "read_only": 0})
    if fault:
        builder.fault(fault, "mysqld-100", 5.9, until_s)
    return builder


def test_a_serving_primary_whose_mysql_is_read_only() -> None:
    (claim,) = claims(ReadOnlyRouted(), read_only().build())
    assert claim.shard == HIT
    assert claim.errors == {"read-only"}


def test_one_that_the_run_made_read_only() -> None:
    history = undone(read_only(fault="ReadOnlyPrimary")).build()
    assert claims(ReadOnlyRouted(), history) == []
    assert lanes(BY_NAME["made-read-only"], history) == {("", HIT)}


BEGINS = "Starting buffering for shard: ks/{} (window: 10s, size: 1000, max failover duration: 20s) (seen error: x)"
ENDS = "Stopping buffering for shard: ks/{} after: 1.0 seconds due to: {}. Draining 1 buffered requests now."
FOUND, TIMED_OUT = "a primary promotion has been detected", "stopping buffering because failover did not finish in time"


def logged(builder: HistoryBuilder, *lines: tuple[float, str]) -> History:
    logs = tuple(LogLine(at_ns=ns(at_s), node="vtgate-1", level="info", text=text) for at_s, text in lines)
    return dataclasses.replace(builder.build(), logs=logs)


def other_shards_reparent(own: tuple[float, float] | None, why: str = FOUND) -> History:
    builder = quiet()
    builder.reparent(OTHER, 5.0, 6.0)
    if own:
        builder.reparent(HIT, *own)
    return logged(builder, (5.2, BEGINS.format(HIT)), (6.1, ENDS.format(HIT, why)))


def test_another_shards_reparent_ended_the_buffering() -> None:
    (claim,) = claims(EndedByAnotherShard(), other_shards_reparent((7.0, 8.0)))
    assert (claim.vtgate, claim.shard, claim.to_ns) == ("vtgate-1", HIT, ns(8.0))
    assert not claim.waits
    assert claim.errors == {"read-only"}


@pytest.mark.parametrize(("own", "why"), [((5.0, 6.0), FOUND), ((5.5, 6.05), FOUND), (None, TIMED_OUT)])
def test_its_own_reparent_or_the_clock_ended_it(own: tuple[float, float] | None, why: str) -> None:
    assert claims(EndedByAnotherShard(), other_shards_reparent(own, why)) == []


def test_the_semi_sync_monitor_finds_writes_blocked() -> None:
    builder = quiet()
    builder.set(PRIMARY, 6.0, {"SemiSyncMonitorWritesBlocked": 3})
    builder.set(PRIMARY, 8.0, {"SemiSyncMonitorWritesBlocked": 0})
    (claim,) = claims(WaitsForAcknowledgement(), builder.build())
    assert (claim.shard, claim.from_ns, claim.to_ns) == (HIT, ns(5.0), ns(9.0))


# ---------------------------------------------------------------- buffering


def read_only_for_a_moment(ended_s: float, *, why: str = TIMED_OUT, other: bool = False) -> History:
    builder = read_only(fault="ReadOnlyPrimary")
    lines = [(6.0, BEGINS.format(HIT)), (ended_s, ENDS.format(HIT, why))]
    if other:
        lines += [(6.2, BEGINS.format(OTHER)), (ended_s, ENDS.format(OTHER, why))]
    return logged(undone(builder), *sorted(lines))


def test_buffered_on_though_the_same_primary_served_again() -> None:
    (claim,) = claims(NothingToWaitFor(), read_only_for_a_moment(13.0))
    assert (claim.vtgate, claim.shard, claim.from_ns, claim.to_ns) == ("vtgate-1", HIT, ns(9.0), ns(13.0))


def test_buffering_that_ended_with_its_cause() -> None:
    assert claims(NothingToWaitFor(), read_only_for_a_moment(8.5)) == []


def test_buffering_that_a_promotion_should_have_ended() -> None:
    history = read_only_for_a_moment(13.0)
    reparented = quiet()
    reparented.reparent(HIT, 6.5, 7.5)
    faults = (*history.faults, *reparented.build().faults)
    assert claims(NothingToWaitFor(), dataclasses.replace(history, faults=faults)) == []


def test_a_shard_that_waits_for_one_that_a_fault_hit() -> None:
    history = read_only_for_a_moment(13.0, other=True)
    found = claims(HeldByAnotherShard(), history)
    assert {(claim.shard, claim.from_ns, claim.to_ns) for claim in found} == {(OTHER, ns(6.2), ns(13.0))}
    assert claims(HeldByAnotherShard(), read_only_for_a_moment(13.0)) == []


@pytest.mark.parametrize(("ended_s", "expected"), [(12.0, 1), (6.2, 0)])
def test_buffered_past_the_switch(ended_s: float, expected: int) -> None:
    builder = quiet()
    builder.fault("SwitchedTraffic", "target.move", 5.0, 6.0)
    history = logged(builder, (5.2, BEGINS.format(HIT)), (ended_s, ENDS.format(HIT, FOUND)))
    assert len(claims(PastTheSwitch(), history)) == expected


def test_a_backlog_is_served_after_the_buffer() -> None:
    (claim,) = claims(Backlog(), logged(quiet(), (5.2, BEGINS.format(HIT)), (6.0, ENDS.format(HIT, FOUND))))
    assert (claim.shard, claim.from_ns, claim.to_ns) == (HIT, ns(6.0), ns(7.0))


# ---------------------------------------------------------------- the topology


def without_topology(took_s: float | None, error: str = "") -> History:
    builder = quiet()
    builder.fault("Killed", "etcd", 5.0, 10.0)
    undone(builder, recovered_ns=ns(11.0))
    builder.reparent(HIT, 5.5, None if took_s is None else 5.5 + took_s, error=error)
    return builder.build()


@pytest.mark.parametrize(("took_s", "error"), [(None, ""), (2.0, "deadline"), (6.0, "")])
def test_a_reparent_that_the_topology_held(took_s: float | None, error: str) -> None:
    (claim,) = claims(TopologyUnreachable(), without_topology(took_s, error))
    assert (claim.shard, claim.from_ns, claim.to_ns) == (HIT, ns(5.5), ns(12.0))


def test_a_reparent_that_it_did_not_hold() -> None:
    assert claims(TopologyUnreachable(), without_topology(0.5)) == []


@pytest.mark.parametrize("target", ["vtgate-1", PRIMARY])
def test_only_what_hits_the_topology_is_called_so(target: str) -> None:
    history = hit("Paused", target)
    assert claims(WithoutTopology(), history) == []
    assert claims(TopologyUnreachable(), history) == []


def test_vtgates_without_a_topology() -> None:
    assert lanes(WithoutTopology(), hit("Paused", "etcd")) == {("", "")}
    assert lanes(WithoutTopology(), without_links("etcd > vtgate-1")) == {("vtgate-1", "")}


def test_a_primary_without_anybody_is_no_vtgate_without_topology() -> None:
    assert lanes(WithoutTopology(), without_links("etcd > vttablet-100, vtgate-1 > vttablet-100")) == set()


def without_links(links: str) -> History:
    builder = quiet()
    builder.fault("Partition", "etcd", 5.0, 7.0)
    return undone(builder, details={"links": links}).build()


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("signature", COUNTED, ids=lambda each: each.name)
def test_errors_that_a_tablet_counted(signature: Signature) -> None:
    counter = next(each for each in COUNTED if each.name == signature.name).counters[0]
    builder = quiet()
    builder.set(PRIMARY, 0.0, {counter: 0})
    builder.set(PRIMARY, 6.0, {counter: 4})
    (claim,) = claims(signature, builder.build())
    assert claim.shard == HIT
    assert not claim.waits
    assert claim.from_ns < ns(6.0) < claim.to_ns
    assert claim.evidence[0].text == f"{counter} +4"


@pytest.mark.parametrize(("mode", "expected"), [(ConnectionMode.TRANSACTION, 2), (ConnectionMode.PERSISTENT, 0)])
def test_transactions_are_lost_with_their_primary(mode: ConnectionMode, expected: int) -> None:
    found = claims(LostWithPrimary(), calm(mode=mode).build())
    assert len(found) == expected
    assert not any(claim.waits for claim in found)


CUT = (
    'vstream_manager.go:379] Error in vstream for keyspace:"ks" shard:"-80": target: ks.-80.primary: vttablet: '
    "rpc error: code = Unknown desc = Query execution was interrupted, "
    "maximum statement execution time exceeded (errno 3024)"
)
EOF = 'Error in vstream for keyspace:"ks" shard:"-80": vttablet: rpc error: code = Unknown desc = EOF'


def streaming(*lines: tuple[float, str]) -> History:
    spec = StreamSpec(name="items")
    where = {"vtgate": "vtgate-1", "keyspace": "ks", "shards": (HIT, OTHER), "tables": ("t",)}
    lane = StreamLane(number=1, name="items-1@vtgate-1", spec=spec, **where)  # type: ignore[arg-type]
    record = StreamRecord(lane=lane, events=np.empty(0, dtype=EVENT_DTYPE))
    return dataclasses.replace(logged(quiet(), *lines), streams=(record,))


@pytest.mark.parametrize(
    ("text", "name"), [(CUT, "query-killed-by-the-copy-limit"), (EOF, "catch-up-past-its-stop"), ("vstream ended", "")]
)
def test_what_vtgate_said_of_a_stream(text: str, name: str) -> None:
    assert {each.name for each in STREAMS if claims(each, streaming((6.0, text)))} == ({name} if name else set())


@pytest.mark.parametrize(("target", "expected"), [(REPLICA, {("", HIT)}), ("vtgate-1", set())])
def test_a_tablet_that_a_stream_may_have_read_from(target: str, expected: set[tuple[str, str]]) -> None:
    history = hit("Killed", target, replicas=2)
    assert lanes(SourceHit(), dataclasses.replace(history, streams=streaming().streams)) == expected
    assert lanes(SourceHit(), history) == set()


def test_the_copy_limit_of_somebody_elses_stream() -> None:
    assert not [each for each in STREAMS if claims(each, logged(quiet(), (6.0, CUT)))]


# ---------------------------------------------------------------- host and harness


def pressed(from_s: float, to_s: float, share: float = 1.0) -> History:
    """All tasks find a core but in a stretch, in which somebody waits for this share of the time."""
    builder = tablets(calm(flags={"buffer-window": "5s"}))
    waited_us = 0
    for tick in range(71):
        waited_us += round(200_000 * share) if from_s < tick / 5 <= to_s else 4_000
        builder.set("host", tick / 5, {"cpu_some_us": waited_us})
    return builder.build()


def test_a_starved_host() -> None:
    (claim,) = claims(HostStarved(), pressed(5.0, 13.5))
    assert abs(claim.from_ns - ns(5.0)) <= 5e8
    assert abs(claim.to_ns - ns(13.5)) <= 5e8
    assert "without a free core" in claim.evidence[1].text


def test_a_busy_host_is_no_starved_one() -> None:
    assert claims(HostStarved(), pressed(5.0, 8.0)) == []


def test_a_busy_host_holds_what_nothing_else_holds_and_no_error() -> None:
    (claim,) = claims(NoFreeCore(), pressed(5.0, 8.0))
    assert abs(claim.from_ns - ns(5.0)) <= 5e8
    assert (claim.waits, claim.explains_errors) == (True, False)
    assert claims(NoFreeCore(), pressed(5.0, 5.0)) == []


@pytest.mark.parametrize(("share", "number"), [(0.75, 1), (0.65, 0)])
def test_a_host_may_be_busy_without_being_so_all_the_time(share: float, number: int) -> None:
    found = claims(NoFreeCore(), pressed(5.0, 5.6, share))
    assert len(found) == number
    assert all(claim.to_ns - claim.from_ns >= 0.5e9 for claim in found), "as long as the shortest wait that counts"
    assert claims(HostStarved(), pressed(5.0, 13.5, share)) == []


def paused(lag_ms: float, key: str = "loop_lag_max_ms") -> History:
    builder = tablets(calm())
    builder.set("load-0", 7.0, {key: lag_ms})
    builder.set("load-0", 7.2, {key: 2.0})
    return builder.build()


def test_a_load_worker_that_stood_still() -> None:
    found = claims(HarnessPaused(), paused(800))
    assert {(claim.vtgate, claim.shard) for claim in found} == {("vtgate-1", HIT), ("vtgate-1", OTHER)}
    assert all(claim.from_ns == ns(7.0 - 0.25 - 0.8) and claim.to_ns == ns(7.0) for claim in found)


@pytest.mark.parametrize("history", [lambda: paused(100), lambda: paused(100, "schedule_lag_max_ms")])
def test_a_load_worker_that_came_a_little_late(history: Callable[[], History]) -> None:
    assert claims(HarnessPaused(), history()) == []
