"""Each check of an emergency holds on a failover that went well, and is seen to fail on one that did not."""

from __future__ import annotations

import dataclasses

from harness.model import FaultSpan, Node, Outcome, Role
from tests.fakes import END_S, STORM_S, HistoryBuilder, calm, ns
from tests.unit.verdicts import FAIL, PASS, UNKNOWN, only, verdict

CHECKS = ("emergency/reparents", "emergency/service", "emergency/bystanders", "emergency/one-primary")
HIT, OTHER = "-80", "80-"


def failover(*, error: str = "", took_s: float = 0.4) -> HistoryBuilder:
    """The first shard's primary is replaced by EmergencyReparentShard, and everybody is served again at its end."""
    builder = calm(storm=False)
    builder.plan = dataclasses.replace(builder.plan, params={"reparents": 1})
    for number, shard in enumerate((HIT, HIT, OTHER, OTHER), start=100):
        name = f"vttablet-{number}"
        builder.nodes.append(
            Node(name=name, role=Role.VTTABLET, version="24.0.3", keyspace="ks", shard=shard, tablet_uid=number)
        )
    end_s = STORM_S + 0.1 + took_s
    builder.reparent(HIT, STORM_S + 0.1, None if error else end_s, error=error)
    builder.faults[-1] = emergency(builder.faults[-1])
    result = "failure" if error else "success"
    builder.set("vtctld", end_s, {f"EmergencyReparentCounts:ks.{HIT}.{result}": 1})
    for shard in builder.shards:
        one, two = (node.name for node in builder.nodes if node.role is Role.VTTABLET and node.shard == shard)
        claims(builder, one, 0.0, serving=True)
        claims(builder, two, 0.0, serving=False)
        if shard == HIT:
            claims(builder, one, STORM_S, serving=False)
            claims(builder, two, end_s, serving=True)
    return builder


def emergency(span: FaultSpan) -> FaultSpan:
    details = {**span.details, "failed_ns": ns(STORM_S + 0.5)} if span.error else span.details
    return dataclasses.replace(span, fault="EmergencyReparent", details=details)


def claims(builder: HistoryBuilder, vttablet: str, at_s: float, *, serving: bool) -> None:
    kind = "primary" if serving else "replica"
    builder.set(vttablet, at_s, {"TabletType": kind, "TabletStateName": "SERVING"})


def vttablets(builder: HistoryBuilder, shard: str) -> list[str]:
    return [node.name for node in builder.nodes if node.role is Role.VTTABLET and node.shard == shard]


def test_a_failover_that_went_well() -> None:
    for name in (*CHECKS, "assumptions/reparents"):
        assert verdict(name, failover()) is PASS, only(name, failover()).summary


def test_a_run_without_a_failover() -> None:
    for name in CHECKS[:3]:
        assert verdict(name, calm(storm=False)) is PASS


# ---------------------------------------------------------------- the call


def test_a_call_that_failed_is_a_finding_and_no_broken_assumption() -> None:
    builder = failover(error="could not apply all relay logs")
    builder.plan = dataclasses.replace(builder.plan, checks=("emergency/reparents",))
    found = only("emergency/reparents", builder)
    assert found.verdict is FAIL
    assert "could not apply all relay logs" in found.summary
    assert found.figures["vtctld_failure"] == 1
    builder.set("vtctld", STORM_S + 0.5, {"ReparentShardOperationTimings:time_ns": 400_000_000})
    assert only("emergency/reparents", builder).figures["vtctld_timed_s"] == 0.4
    assert verdict("assumptions/reparents", builder) is PASS


def test_where_nobody_judges_it_a_call_that_failed_is_a_broken_assumption() -> None:
    builder = failover(error="could not apply all relay logs")
    builder.plan = dataclasses.replace(builder.plan, checks=())
    assert verdict("assumptions/reparents", builder) is UNKNOWN


def test_vtctld_counts_emergency_reparents_apart() -> None:
    builder = failover()
    builder.drop("vtctld", "EmergencyReparentCounts")
    builder.set("vtctld", STORM_S + 0.5, {f"EmergencyReparentCounts:ks.{OTHER}.success": 1})
    assert "vtctld counted 0 successes" in only("assumptions/reparents", builder).summary


def test_an_emergency_may_promote_the_same_tablet_for_a_new_term() -> None:
    builder = failover()
    span = builder.faults[-1]
    builder.faults[-1] = dataclasses.replace(
        span, details={**span.details, "promoted": str(span.details["was_primary"])}
    )
    assert verdict("assumptions/reparents", builder) is PASS
    builder.faults[-1] = dataclasses.replace(builder.faults[-1], observed=False)
    assert verdict("assumptions/reparents", builder) is UNKNOWN


# ---------------------------------------------------------------- the clients


def test_a_shard_that_is_served_late_or_never_again() -> None:
    late = failover()
    lanes = {lane.number for lane in late.lanes if lane.shard == HIT}
    late.plan = dataclasses.replace(
        late.plan,
        cluster=dataclasses.replace(late.plan.cluster, vtgate_flags={"enable-buffer": "", "buffer-window": "2s"}),
    )
    late.ops = [op for op in late.ops if op.lane not in lanes or not STORM_S < op.at_s < STORM_S + 4]
    assert "after its reparent had returned" in only("emergency/service", late).summary
    assert verdict("emergency/service", late) is FAIL
    late.ops = [op for op in late.ops if op.lane not in lanes or op.at_s < STORM_S]
    assert "no operation succeeded after" in only("emergency/service", late).summary


def test_a_shard_that_no_reparent_saved() -> None:
    assert "nobody can serve it" in only("emergency/service", failover(error="no")).summary


def test_how_buffering_ended_is_told() -> None:
    builder = failover()
    builder.buffered(HIT, STORM_S + 0.2, STORM_S + 0.5)
    assert only("emergency/service", builder).figures[f"BufferStops NewPrimarySeen {HIT}"] == 1


def test_errors_count_on_the_other_shards_only() -> None:
    builder = failover()
    builder.op(STORM_S + 0.2, shard=HIT, outcome=Outcome.UNKNOWN, errno=1105, message="primary is not serving")
    assert verdict("emergency/bystanders", builder) is PASS
    assert only("emergency/service", builder).figures[f"errors {HIT}"] == 1
    builder.op(STORM_S + 0.2, shard=OTHER, outcome=Outcome.FAIL, errno=1105, message="primary is not serving")
    assert verdict("emergency/bystanders", builder) is FAIL


# ---------------------------------------------------------------- the primaries


def test_two_primaries_for_a_while_are_told_and_two_in_the_end_are_a_finding() -> None:
    builder = failover()
    old = vttablets(builder, HIT)[0]
    claims(builder, old, STORM_S + 1, serving=True)
    assert verdict("emergency/one-primary", builder) is FAIL
    claims(builder, old, STORM_S + 3, serving=False)
    found = only("emergency/one-primary", builder)
    assert found.verdict is PASS
    assert 1.5 < float(found.figures["two_for_s"]) < 2.5
    assert old in found.summary


def test_no_primary_in_the_end() -> None:
    builder = failover()
    claims(builder, vttablets(builder, HIT)[1], END_S - 1, serving=False)
    assert "nobody said to be its serving primary" in only("emergency/one-primary", builder).summary


def test_who_does_not_answer_claims_nothing() -> None:
    builder = failover()
    old = vttablets(builder, HIT)[0]
    claims(builder, old, STORM_S, serving=True)
    builder.silence(old, STORM_S, END_S + 1)
    assert only("emergency/one-primary", builder).figures["two_for_s"] == 0.0
