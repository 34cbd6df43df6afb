"""What a Reshard's targets and its switch cost the clients is claimed where it is, and nowhere else.

The lines are those of recorded runs of 24.0.3.
"""

from __future__ import annotations

import dataclasses

from harness.attribution import SIGNATURES
from harness.attribution.reshard_signatures import NeverConsistent, TriedAgain
from harness.attribution.signature import Claim, Signature
from harness.history import History
from tests.fakes import HistoryBuilder, calm, ns
from tests.unit.test_attribution_buffer import GIVEN_UP, LATE, PLAIN, Line, began, ended, one, told

RESHARDED = "the keyspace has been resharded"
FURTHER = ("-40", "40-80")


def beside(builder: HistoryBuilder, *serving: str) -> HistoryBuilder:
    """The keyspace has two shards beside those that serve; `serving`: whose primaries the vtgate has for serving."""
    cluster = dataclasses.replace(builder.plan.cluster, further_shards=FURTHER)
    builder.plan = dataclasses.replace(builder.plan, cluster=cluster)
    found = {f"HealthcheckConnections:ks.{shard}.primary": int(shard in serving) for shard in cluster.all_shards}
    builder.set("vtgate-1", 0.0, found)
    return builder


def claims(signature: Signature, history: History) -> list[Claim]:
    found = list(signature.claims(history))
    assert all(claim.evidence for claim in found)
    return found


def test_a_reparent_that_nobody_hears_of_while_the_targets_stand_by() -> None:
    builder = one()
    serving = (*builder.plan.cluster.shard_names, *FURTHER)
    (claim,) = claims(NeverConsistent(), told(beside(builder, *serving), *LATE))
    assert (claim.shard, claim.from_ns, claim.to_ns) == ("-80", ns(6.9), ns(25.2))
    assert ["PrimaryPromoted" in each.text or each.text.startswith("Health") for each in claim.evidence] == [True] * 3


def test_it_is_another_defect_where_no_target_serves_or_the_source_does_not() -> None:
    shards = one().plan.cluster.shard_names
    assert claims(NeverConsistent(), told(beside(one(), *shards), *LATE)) == []
    assert claims(NeverConsistent(), told(beside(one(), *shards[1:], *FURTHER), *LATE)) == []
    assert claims(NeverConsistent(), told(one(), *LATE)) == []


def test_buffering_that_ends_in_time_is_no_defect() -> None:
    shards = one().plan.cluster.shard_names
    assert claims(NeverConsistent(), told(beside(one(), *shards, *FURTHER), *PLAIN)) == []


def test_it_goes_before_the_forms_of_17629() -> None:
    names = [signature.name for signature in SIGNATURES]
    assert names.index("keyspace-never-consistent") < names.index("promotion-unheard")


def switched(why: str, shard: str = "-80") -> tuple[Line, ...]:
    return began(5.2, shard), ended(6.3, shard, why)


def test_writes_that_waited_for_a_reshard_are_refused_when_it_is_over() -> None:
    (claim,) = claims(TriedAgain(), told(calm(storm=False), *switched(RESHARDED, "-40")))
    assert (claim.vtgate, claim.shard, claim.waits) == ("vtgate-1", "", False)
    assert claim.errors == {"autocommit-spent"}
    assert claim.from_ns < ns(6.3) < claim.to_ns


def test_no_other_end_of_buffering_refuses_them() -> None:
    assert claims(TriedAgain(), told(calm(storm=False), *switched(GIVEN_UP))) == []
    assert claims(TriedAgain(), told(one(), *PLAIN)) == []
