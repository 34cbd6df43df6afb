"""How large a cluster this host can hold, from measured figures.

Proportional shares (PSS) in a serving cluster of Vitess 24.0.3 and MySQL 9.7, measured by ci/bench/startup.py.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from clusters.local import host
from harness.base.errors import PlanError
from harness.model import ClusterSpec

MIB = 1 << 20
MYSQLD_BYTES = 130 * MIB  # 119 when it begins to serve
VTTABLET_BYTES = 40 * MIB  # 20 when it begins to serve
VTGATE_BYTES = 110 * MIB
VTORC_BYTES = 60 * MIB
DATA_BYTES = 50 * MIB  # of one tablet after the start, with what the kernel keeps for it; grows with what is written
REST_BYTES = 700 * MIB  # etcd, vtctld, the harness with its load workers
SPARE_SHARE = 0.10  # of what is available: caches of the data files, growth under load
AIO_PER_MYSQLD = 1100  # io_setup requests of one mysqld with native AIO
LARGEST = 256


def tablets_of(spec: ClusterSpec) -> int:
    """The tablets of all keyspaces."""
    return sum(len(keyspace.all_shards) * keyspace.tablets_per_shard for keyspace in spec.keyspaces)


def needed_bytes(spec: ClusterSpec) -> int:
    """What a cluster of this size takes."""
    per_tablet = _mysqld_bytes(spec) + VTTABLET_BYTES
    return (
        REST_BYTES
        + tablets_of(spec) * per_tablet
        + len(spec.vtgates) * VTGATE_BYTES
        + (VTORC_BYTES if spec.vtorc else 0)
    )


def data_fits_in_memory(spec: ClusterSpec, isolation: host.Isolation) -> bool:
    """Whether the data may live in memory too; without a mount namespace it would outlive us there."""
    data = tablets_of(spec) * DATA_BYTES
    return isolation.own_mounts and needed_bytes(spec) + data <= available_bytes() * (1 - SPARE_SHARE)


def largest_shard_count(tablets_per_shard: int, available_bytes: int, *, vtgates: int = 1) -> int:
    """The largest power of two of shards that fits (shards of equal size); 0 when not even one does."""
    usable = available_bytes * (1 - SPARE_SHARE) - REST_BYTES - vtgates * VTGATE_BYTES
    fits = int(usable // (tablets_per_shard * (MYSQLD_BYTES + VTTABLET_BYTES)))
    return 0 if fits < 1 else min(LARGEST, 1 << (fits.bit_length() - 1))


def available_bytes() -> int:
    """Memory that can be had without swapping, within our cgroup's limit."""
    return min(psutil.virtual_memory().available, _cgroup_left())


async def refusals(spec: ClusterSpec, *, isolation: str = "") -> Sequence[str]:
    """Why this host cannot hold the cluster; empty when it can."""
    reasons = [*_memory(spec), *_aio(spec), *_files(spec)]
    try:
        await host.isolation(isolation)
    except PlanError as error:
        reasons.append(str(error))
    return tuple(reasons)


def _memory(spec: ClusterSpec) -> list[str]:
    need, have = needed_bytes(spec), available_bytes()
    if need <= have * (1 - SPARE_SHARE):
        return []
    others = needed_bytes(spec) - needed_bytes(replace(spec, others=()))
    fits = largest_shard_count(spec.tablets_per_shard, have - others, vtgates=len(spec.vtgates))
    hint = f": --shards {fits} would fit" if 0 < fits < spec.shards else ""
    sizes = (f"{keyspace.shards} shards x {keyspace.tablets_per_shard} tablets" for keyspace in spec.keyspaces)
    return [f"{' and '.join(sizes)} need about {need / 1e9:.1f} GB of memory, {have / 1e9:.1f} GB are available{hint}"]


def _aio(spec: ClusterSpec) -> list[str]:
    if spec.mysqld_settings.get("innodb_use_native_aio", "0").upper() in ("0", "OFF"):
        return []
    used, limit = (int(Path(f"/proc/sys/fs/{name}").read_text()) for name in ("aio-nr", "aio-max-nr"))
    tablets = tablets_of(spec)
    if used + tablets * AIO_PER_MYSQLD <= limit:
        return []
    return [
        f"{tablets} mysqlds with innodb_use_native_aio need about {tablets * AIO_PER_MYSQLD} aio requests, "
        f"{limit - used} are left (fs.aio-max-nr): leave the setting at 0"
    ]


def _files(spec: ClusterSpec) -> list[str]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = 4096
    if hard == resource.RLIM_INFINITY or hard >= need:
        return []
    return [f"a mysqld needs {need} open files, the limit of this session is {hard} (ulimit -Hn)"]


def _mysqld_bytes(spec: ClusterSpec) -> int:
    """The measured figure plus what a larger buffer pool than ours would take."""
    text = spec.mysqld_settings.get("innodb_buffer_pool_size", "")
    unit = {"k": 1 << 10, "m": MIB, "g": 1 << 30}.get(text[-1:].lower(), 1)
    digits = text.rstrip("kKmMgG")
    extra = int(digits) * unit - 24 * MIB if digits.isdigit() else 0
    return MYSQLD_BYTES + max(extra, 0)


def _cgroup_left() -> int:
    """What our memory cgroup leaves (v2, then v1); the whole address space where there is no limit."""
    for limit, usage in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            top, used = Path(limit).read_text().strip(), Path(usage).read_text().strip()
        except OSError:
            continue
        if top.isdigit() and int(top) < 1 << 60:
            return int(top) - int(used)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
