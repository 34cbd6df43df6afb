"""What this host can hold, said before anything starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clusters.local import capacity
from clusters.local.host import PROCESS_GROUP, Isolation
from harness.model import ClusterSpec, KeyspaceSpec, VtgateSpec

GB = 10**9


def test_the_build_machine_holds_32_shards_of_two_tablets() -> None:
    assert capacity.largest_shard_count(2, 23 * GB) >= 32


@pytest.mark.parametrize(("available", "shards"), [(GB // 2, 0), (3 * GB // 2, 1), (16 * GB, 32), (10**15, 256)])
def test_largest_shard_count(available: int, shards: int) -> None:
    assert capacity.largest_shard_count(2, available) == shards


async def test_refusal_says_what_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "available_bytes", lambda: 6 * GB)
    (reason,) = await capacity.refusals(ClusterSpec(shards=32), isolation=PROCESS_GROUP)
    assert "32 shards x 2 tablets need about" in reason
    assert "6.0 GB are available" in reason
    assert ": --shards 8 would fit" in reason


async def test_what_is_said_to_fit_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "available_bytes", lambda: 6 * GB)
    fits = capacity.largest_shard_count(2, 6 * GB)
    assert await capacity.refusals(ClusterSpec(shards=fits), isolation=PROCESS_GROUP) == ()


async def test_further_keyspaces_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "available_bytes", lambda: 6 * GB)
    alone = ClusterSpec(shards=capacity.largest_shard_count(2, 6 * GB))
    both = replace(alone, others=(KeyspaceSpec(name="target", shards=8, tablets_per_shard=2),))
    assert await capacity.refusals(alone, isolation=PROCESS_GROUP) == ()
    (reason,) = await capacity.refusals(both, isolation=PROCESS_GROUP)
    assert "8 shards x 2 tablets and 8 shards x 2 tablets need about" in reason
    assert ": --shards 4 would fit" in reason
    assert await capacity.refusals(replace(both, shards=4), isolation=PROCESS_GROUP) == ()


async def test_native_aio_is_refused_where_it_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "available_bytes", lambda: 64 * GB)
    monkeypatch.setattr(capacity, "AIO_PER_MYSQLD", 10**9)
    spec = ClusterSpec(shards=2, mysqld_settings={"innodb_use_native_aio": "1"})
    (reason,) = await capacity.refusals(spec, isolation=PROCESS_GROUP)
    assert "fs.aio-max-nr" in reason


async def test_unknown_isolation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "available_bytes", lambda: 64 * GB)
    (reason,) = await capacity.refusals(ClusterSpec(shards=1), isolation="jail")
    assert "unknown isolation 'jail'" in reason


def test_larger_buffer_pools_and_more_vtgates_count() -> None:
    small = capacity.needed_bytes(ClusterSpec(shards=1))
    pool = capacity.needed_bytes(ClusterSpec(shards=1, mysqld_settings={"innodb_buffer_pool_size": "1G"}))
    gates = capacity.needed_bytes(ClusterSpec(shards=1, vtgates=(VtgateSpec(), VtgateSpec())))
    assert pool - small > 1.9 * GB
    assert gates - small == capacity.VTGATE_BYTES


def test_data_stay_on_disk_without_a_mount_namespace() -> None:
    assert not capacity.data_fits_in_memory(ClusterSpec(shards=1), Isolation(kind=PROCESS_GROUP))
