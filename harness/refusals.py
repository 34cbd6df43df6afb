"""What cannot be run, as a sentence that says what would be right. Starts nothing."""

from __future__ import annotations

from collections.abc import Mapping

from harness.base.errors import PlanError
from harness.base.goduration import seconds_of
from harness.items import MAX_TABLES, ItemsSpec
from harness.load.config import MIN_ITEM_ROWS
from harness.model import ClusterSpec, LoadSpec, Placement, Plan
from harness.streams import Resume, StreamSpec

MAX_RATE = 20_000.0  # operations a second in all: above it one machine measures only its own load
MAX_ITEM_ROWS = 10_000_000  # 2.5 GB of tablespaces in each of a shard's tablets
MAX_STREAMS = 200
MAX_PAUSE_MS = 60_000.0
MAX_OPERATION_TIMEOUT_S = 3600.0
# go/vt/vtctl/policy/durability.go (v0.21 to v0.24)
DURABILITY_POLICIES = ("none", "semi_sync", "cross_cell", "semi_sync_with_rdonly_ack", "cross_cell_with_rdonly_ack")
DEFAULT_WINDOW, DEFAULT_MAX_DURATION = "10s", "20s"  # go/vt/vtgate/buffer/flags.go, v0.19 to v0.24


def refuse_plan(plan: Plan) -> None:
    """Raises PlanError for a plan that was changed into one that cannot be."""
    refuse_run(plan.cluster, plan.load, plan.params)
    refuse_streams(plan.cluster, plan.items, plan.streams)
    refuse_load_pods(plan.place.load_pods, plan.cluster, plan.load)


def refuse_on_theirs(name: str, experiment: str, items: ItemsSpec | None, place: Placement) -> None:
    """Raises PlanError for what is not done to a cluster that is only attached to."""
    if items is not None:
        raise PlanError(
            f"{experiment} makes item tables anew and replaces the vschema: that is not done to {name}, which is not "
            "ours"
        )
    if place.load_pods:
        raise PlanError(f"--load-pods makes pods beside the cluster: that is not done to {name}, which is not ours")


def refuse_cluster(spec: ClusterSpec) -> None:
    """Raises PlanError for a cluster that cannot be."""
    if not 1 <= spec.shards <= 256:
        raise PlanError(f"--shards {spec.shards}: a keyspace has 1 to 256 shards here")
    if spec.tablets_per_shard < 1:
        raise PlanError(f"--tablets {spec.tablets_per_shard}: a shard has at least one tablet, 2 or more to reparent")
    if spec.durability_policy not in DURABILITY_POLICIES:
        raise PlanError(
            f"no durability policy is called {spec.durability_policy}; there are {', '.join(DURABILITY_POLICIES)}"
        )
    _refuse_flags(spec)


def refuse_run(spec: ClusterSpec, load: LoadSpec | None, params: Mapping[str, float]) -> None:
    refuse_cluster(spec)
    if spec.tablets_per_shard < 2 and "reparents" in params:
        raise PlanError("a shard with one tablet has nothing to reparent to; use --tablets 2 or more")
    if params.get("reparents", 0) % 1:
        raise PlanError(f"--set reparents={params['reparents']:g}: it takes a whole number of shards, 0 for all")
    if params.get("reparents", 0) > spec.shards:
        raise PlanError(f"--set reparents={params['reparents']:g}: there are only {spec.shards} shards")
    if load is not None:
        _refuse_load(load, spec)


def refuse_streams(spec: ClusterSpec, items: ItemsSpec | None, streams: tuple[StreamSpec, ...]) -> None:
    if items is not None:
        if not 1 <= items.tables <= MAX_TABLES:
            raise PlanError(f"--item-tables {items.tables}: it takes 1 to {MAX_TABLES}")
        least = MIN_ITEM_ROWS * spec.shards
        if not least <= items.rows <= MAX_ITEM_ROWS:
            raise PlanError(f"--rows {items.rows}: it takes {least} ({MIN_ITEM_ROWS} a shard) to {MAX_ITEM_ROWS}")
        if items.rows * items.tables > MAX_ITEM_ROWS:
            raise PlanError(f"{items.tables} tables of {items.rows} rows are more than {MAX_ITEM_ROWS} rows in all")
    for stream in streams:
        if not (stream.count >= 1 and stream.count * len(spec.vtgates) <= MAX_STREAMS):
            raise PlanError(f"--streams {stream.count}: it takes at least 1, and at most {MAX_STREAMS} of all vtgates")
        if not 0 <= stream.pause_ms <= MAX_PAUSE_MS:
            raise PlanError(f"--reader-pause {stream.pause_ms:g}: it takes milliseconds, 0 to {MAX_PAUSE_MS:g}")
        if stream.leave_after and stream.resume is Resume.NONE:
            raise PlanError("--resume none: the streams of this experiment leave on purpose, and must resume")
        if stream.tablet_type != "primary" and spec.tablets_per_shard < 2:
            raise PlanError(f"--tablet-type {stream.tablet_type}: a shard with one tablet has only a primary")


def _refuse_flags(spec: ClusterSpec) -> None:
    for number, vtgate in enumerate(spec.vtgates, start=1):
        flags = {**spec.vtgate_flags, **vtgate.flags}
        _refuse_misread(flags)
        window = seconds_of(flags.get("buffer-window", DEFAULT_WINDOW), "buffer-window")
        longest = seconds_of(
            flags.get("buffer-max-failover-duration", DEFAULT_MAX_DURATION), "buffer-max-failover-duration"
        )
        if not 1 <= window <= longest:  # vtgate itself refuses to start (buffer/flags.go verifyFlags)
            raise PlanError(
                f"vtgate-{number}: buffer-window ({window:g} s) must be at least 1 s and at most "
                f"buffer-max-failover-duration ({longest:g} s)"
            )


def _refuse_misread(flags: Mapping[str, str]) -> None:
    """The checks read these flags, so they must mean what vtgate reads in them."""
    for flag in ("buffer-size", "buffer-drain-concurrency"):
        try:
            int(flags.get(flag, "1"), 0)
        except ValueError:
            raise PlanError(f"--vtgate-flag {flag} takes a whole number, not {flags[flag]!r}") from None
    if "buffer-min-time-between-failovers" in flags:
        seconds_of(flags["buffer-min-time-between-failovers"], "buffer-min-time-between-failovers")
    if flags.get("enable-buffer", "").lower() not in ("", "true", "false", "1", "0", "t", "f"):
        raise PlanError(f"--vtgate-flag enable-buffer takes true or false, not {flags['enable-buffer']!r}")


def _refuse_load(load: LoadSpec, spec: ClusterSpec) -> None:
    total = load.rate_per_shard * spec.shards * len(spec.vtgates)
    if not (load.rate_per_shard > 0 and total <= MAX_RATE):
        raise PlanError(
            f"--rate {load.rate_per_shard:g} a shard makes {total:g} operations a second in all; "
            f"it must be above 0 and at most {MAX_RATE:g}"
        )
    if not 0 <= load.write_share <= 1:
        raise PlanError(f"--write-share {load.write_share:g}: a share is between 0 and 1")
    if load.connections_per_shard < 1 or load.workers < 1:
        raise PlanError("--connections and --workers must be at least 1")
    if not 0 < load.operation_timeout_s <= MAX_OPERATION_TIMEOUT_S:
        raise PlanError(
            f"--operation-timeout {load.operation_timeout_s:g}: it takes seconds, above 0 and at most "
            f"{MAX_OPERATION_TIMEOUT_S:g}"
        )


def refuse_load_pods(pods: int, spec: ClusterSpec, load: LoadSpec | None) -> None:
    if pods and load is None:
        raise PlanError("--load-pods: this experiment has no load that could run in pods")
    lanes = spec.shards * len(spec.vtgates)
    if pods > lanes:
        raise PlanError(
            f"--load-pods {pods}: the load has {lanes} lanes, one a vtgate and shard, and a lane runs in one pod"
        )
