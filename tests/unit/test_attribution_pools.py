"""Goal: where shards share a pool of connections, who waits for one is told whose clients have them all."""

from __future__ import annotations

import pytest

from harness.attribution.waiting_signatures import PoolHeld
from harness.facts.pools import FullPool, full_pools
from harness.history import History
from harness.model import ConnectionMode, Outcome
from tests.fakes import HistoryBuilder, calm, ns

SIZE = 16  # 8 connections for each of 2 shards


def shared(*, held: int, mode: ConnectionMode = ConnectionMode.POOLED) -> History:
    """Operations of -80 have so many connections from 6.0 s to 9.0 s; 80- gets none, and gives up."""
    builder: HistoryBuilder = calm(storm=False, mode=mode)
    builder.ops.clear()
    for number in range(held):
        builder.op(6.0 + number / 1000, took_s=3.0, shard="-80")
    builder.op(6.5, took_s=5.0, shard="80-", outcome=Outcome.NOT_ISSUED)
    return builder.build()


def test_a_pool_of_which_one_shard_has_all() -> None:
    (found,) = full_pools(shared(held=SIZE))
    assert found == FullPool(
        vtgate="vtgate-1",
        shards=("-80", "80-"),
        from_ns=ns(6.015),
        to_ns=ns(9.0),
        connections=SIZE,
        holder="-80",
        share=1.0,
    )


@pytest.mark.parametrize(("held", "mode"), [(SIZE - 1, ConnectionMode.POOLED), (SIZE, ConnectionMode.PERSISTENT)])
def test_a_pool_with_room_and_shards_with_their_own(held: int, mode: ConnectionMode) -> None:
    assert list(full_pools(shared(held=held, mode=mode))) == []


def test_the_others_wait_for_it_and_the_holder_does_not() -> None:
    (claim,) = PoolHeld().claims(shared(held=SIZE))
    assert (claim.vtgate, claim.shard, claim.from_ns) == ("vtgate-1", "80-", ns(6.015))
    assert claim.to_ns > ns(9.0)
    assert claim.evidence[0].text == "all 16 connections to vtgate-1 were taken, 100% of the time by operations of -80"
    assert list(PoolHeld().claims(shared(held=SIZE - 1))) == []
