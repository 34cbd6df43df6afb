"""Frozen values that everything exchanges: what a cluster is, what was run, what was seen, what was judged.

Operations are the one thing that comes by the million; they are rows of a numpy array (`OP_DTYPE`),
in memory as on disk. All stamps are `harness.base.clock` nanoseconds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.causes import CauseRow
from harness.items import ItemsSpec
from harness.streams import StreamSpec

# ---------------------------------------------------------------- the cluster


class Role(enum.StrEnum):
    """What a process of a Vitess cluster is for."""

    ETCD = "etcd"
    VTCTLD = "vtctld"
    VTORC = "vtorc"
    MYSQLD = "mysqld"
    VTTABLET = "vttablet"
    VTGATE = "vtgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One process. `name` is unique in its cluster and is the name of its log and samples files.

    Names: `etcd`, `vtctld`, `vtorc`, `vtgate-1`, `mysqld-100`, `vttablet-100` (100 = tablet uid).
    """

    name: str
    role: Role
    version: str
    cell: str = "zone1"
    keyspace: str = ""
    shard: str = ""
    tablet_uid: int = 0

    @property
    def tablet_alias(self) -> str:
        """Vitess's own spelling, e.g. zone1-0000000100; empty for what is not a tablet."""
        return f"{self.cell}-{self.tablet_uid:010d}" if self.tablet_uid else ""


class Capability(enum.StrEnum):
    """What a backend may or may not be able to do."""

    SIGNAL = "signal"
    RESTART = "restart"
    LINKS = "links"  # drop, reset and rate
    DELAY = "delay"  # a link's delay
    CPU = "cpu"
    PODS = "pods"  # a node's whole pod can be taken away
    DISK = "disk"
    LOG_SINK = "log-sink"
    VERSIONS = "versions"  # a node may start again with another release
    PORTS = "ports"  # a node may start again at another one's ports
    KERNEL_CLEANUP = "kernel-cleanup"


class LinkEffect(enum.StrEnum):
    """What happens to what goes over a link. Existing connections are hit too."""

    DROP = "drop"  # a share of the packets never arrives
    RESET = "reset"  # connections are answered with a TCP reset
    RATE = "rate"  # packets above a rate never arrive
    DELAY = "delay"  # everything arrives later; connections that exist are reset once, and made anew


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRule:
    """What happens to what `source` sends to `target` (node names): one direction."""

    source: str
    target: str
    effect: LinkEffect = LinkEffect.DROP
    share: float = 1.0  # DROP: of the packets
    kbytes_per_s: int = 0  # RATE
    delay_ms: float = 0.0  # DELAY
    jitter_ms: float = 0.0  # DELAY: up to so much more or less


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What became of a connection that was opened from one node's place to another node's port."""

    outcome: str  # "answered", "refused" (or reset), "ended" without a word, "silent" until it was given up
    took_ms: float  # until the first byte of an answer, or until it was known that none comes
    retransmits: int = 0  # packets that its kernel sent again


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """A node's pod; `PodSeen()`: there is none."""

    uid: str = ""
    machine: str = ""  # "" = it has no place yet
    leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a node's process may have of its host; `Limits()` is no limit."""

    cpus: float = 0.0  # cores; 0 = no limit
    disk_full: bool = False  # its data directory takes no further byte
    log_bytes_per_s: int = 0  # how fast its log is taken from it; 0 = no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """What a node's limits do to it, as the kernel has it."""

    times: int = 0  # how often its CPU limit has stopped it
    writers: int = 0  # threads that sleep in a write of its log


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One act that takes a fault back, as a value: it is in the ledger before the fault is in force, so that whoever
    heals later needs nothing else. `kind` is a row of `harness.faults.remedies.REMEDIES`. Doing it twice, or when
    there is nothing to take back, does no harm.
    """

    kind: str
    target: str  # what it acts on: a node's name, a tablet's alias, keyspace/shard, …
    details: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VtgateSpec:
    """One vtgate: its version and its own flags (dashed spelling, without the leading dashes)."""

    version: str = ""  # "" = the cluster's version
    flags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """In what kind of boxes a cluster stands, and where. What a backend has no use for stays at its default."""

    image: str = ""  # of all Vitess components, `{version}` in it is replaced; "" = pulled or built, whichever works
    together: bool = False  # docker: a tablet's mysqld and vttablet in one container
    memory_mb: int = 0  # limit of each container; 0 = none
    cpus: float = 0.0  # limit of each container; 0 = none
    context: str = ""  # kubernetes: of the kubeconfig; "" = the current one
    kind: bool = False  # kubernetes: in a kind cluster of our own
    storage_class: str = ""  # kubernetes: of the tablets' volumes; "" = data that goes with the pod
    operator: bool = False  # kubernetes: as a VitessCluster, which vitess-operator stands up
    load_pods: int = 0  # kubernetes: the load runs in so many pods inside; 0 = in processes here


def key_ranges(shards: int) -> tuple[str, ...]:
    """Names of `shards` equal shards of the whole keyspace: ("0",) for one, ("-80", "80-") for two.

    Splits at the byte boundaries that Vitess's own `vtctldclient GenerateShardRanges` gives
    (go/vt/key.GenerateShardRanges, v0.24.3).
    """
    if not 1 <= shards <= 256:
        raise ValueError(f"a keyspace of this harness has 1 to 256 shards, not {shards}")
    if shards == 1:
        return ("0",)
    digits = 2
    bounds = [format(index * 256 // shards, f"0{digits}x") for index in range(shards)]
    starts = ["", *bounds[1:]]
    ends = [*bounds[1:], ""]
    return tuple(f"{start}-{end}" for start, end in zip(starts, ends, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyspaceSpec:
    """One keyspace of a cluster."""

    name: str
    shards: int = 1
    tablets_per_shard: int = 2
    schema: tuple[str, ...] = ()  # SQL, applied to every shard
    vschema: str = ""  # JSON
    whole: str = "0"  # name of the only shard; vitess-operator's is "-"
    further_shards: tuple[str, ...] = ()  # stood up with the others, but not serving: what a Reshard splits into

    @property
    def shard_names(self) -> tuple[str, ...]:
        """The shards that serve."""
        return (self.whole,) if self.shards == 1 else key_ranges(self.shards)

    @property
    def all_shards(self) -> tuple[str, ...]:
        return (*self.shard_names, *self.further_shards)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """What to stand up. Flags are in dashed spelling without leading dashes; the backend spells them for
    each binary's version. An empty flag value means the bare flag (`--flag`)."""

    keyspace: str = "ks"
    shards: int = 32
    tablets_per_shard: int = 2
    cell: str = "zone1"
    vitess: str = "24.0.3"  # a release, or a directory of binaries
    upgrade_to: str = ""  # a second release, with which nodes can be started again; "" = none
    mysql: str = ""  # "" = what fits the vttablets' release
    durability_policy: str = "semi_sync"
    vtorc: bool = False
    vtgates: tuple[VtgateSpec, ...] = (VtgateSpec(),)
    vtgate_flags: Mapping[str, str] = field(default_factory=dict)  # for all vtgates; a vtgate's own win
    vttablet_flags: Mapping[str, str] = field(default_factory=dict)
    vtctld_flags: Mapping[str, str] = field(default_factory=dict)
    mysqld_settings: Mapping[str, str] = field(default_factory=dict)  # my.cnf keys
    schema: tuple[str, ...] = ()  # SQL, applied to every shard
    vschema: str = ""  # JSON
    others: tuple[KeyspaceSpec, ...] = ()  # keyspaces beside `keyspace`, e.g. the target of MoveTables
    whole: str = "0"  # name of `keyspace`'s only shard; vitess-operator's is "-"
    further_shards: tuple[str, ...] = ()  # of `keyspace`, which do not serve (KeyspaceSpec)
    mysql_over_tcp: bool = False  # a vttablet reaches its mysqld over a link that can be cut, not over a unix socket

    @property
    def shard_names(self) -> tuple[str, ...]:
        """The shards that serve."""
        return (self.whole,) if self.shards == 1 else key_ranges(self.shards)

    @property
    def all_shards(self) -> tuple[str, ...]:
        return (*self.shard_names, *self.further_shards)

    @property
    def keyspaces(self) -> tuple[KeyspaceSpec, ...]:
        """All keyspaces, the main one first."""
        main = KeyspaceSpec(
            name=self.keyspace,
            shards=self.shards,
            tablets_per_shard=self.tablets_per_shard,
            schema=self.schema,
            vschema=self.vschema,
            whole=self.whole,
            further_shards=self.further_shards,
        )
        return (main, *self.others)

    def vtgate_version(self, index: int) -> str:
        return self.vtgates[index].version or self.vitess


# ---------------------------------------------------------------- what is planned


class Suite(enum.StrEnum):
    """Where an experiment belongs."""

    SMOKE = "smoke"
    CI = "ci"
    NIGHTLY = "nightly"
    MANUAL = "manual"


class ConnectionMode(enum.StrEnum):
    """How a client uses its connections."""

    PERSISTENT = "persistent"  # a lane keeps its own connections
    POOLED = "pooled"  # all lanes of a vtgate share one pool
    PER_OPERATION = "per-operation"  # connect, one operation, close
    TRANSACTION = "transaction"  # persistent; every operation is BEGIN … COMMIT


class Workload(enum.StrEnum):
    """What the clients work on."""

    LEDGER = "ledger"  # fresh rows, written once and read back (harness.load.ledger)
    ITEMS = "items"  # changes of the item tables (harness.items), which streams copy meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """What the clients of every vtgate do, per shard (= lane).

    `rate_per_shard` operations a second arrive at each shard's lane whatever the earlier ones do
    (open loop). An operation that finds no free connection waits in the lane for at most
    `issue_within_s` and is then recorded as NOT_ISSUED.
    """

    rate_per_shard: float = 10.0
    write_share: float = 0.5
    connections_per_shard: int = 8
    mode: ConnectionMode = ConnectionMode.PERSISTENT
    operation_timeout_s: float = 30.0
    issue_within_s: float = 5.0
    workers: int = 1  # processes
    poisson: bool = True  # exponential gaps; False = evenly spaced
    workload: Workload = Workload.LEDGER
    abrupt: bool = False  # the run kills vttablets or cuts their connections (see harness.mysql.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBug:
    """On a version in [`affected_from`, `fixed_in`) the named check must fail; elsewhere it must pass.

    `says`: only a failure whose summary or details have this text is the bug. `also` names checks in which the same
    bug may show as well; any other failure is a finding. `never`: figures of a result that the bug does not explain;
    where one of them is not 0 the failure stays a failure. Not `certain`: a race, which need not show.
    """

    issue: str
    check: str
    component: Role
    says: str = ""
    also: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    certain: bool = True
    affected_from: str = "0"
    fixed_in: str = ""  # "" = not fixed in any release


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What the service's owner promises: `percent` of what is due is answered without an error within `within_s`."""

    percent: float = 99.9
    within_s: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One fault of a recorded schedule of random faults: which draw it is (experiments/random.py), and its moments."""

    number: int
    attempt: int
    at_s: float  # from the beginning of the phase in which faults are drawn
    hold_s: float
    fault: str = ""  # what it was then, as it is told: it is another where the cluster or the table of kinds is


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a run depends on; `plan.json`. Saved before anything starts."""

    run_id: str
    experiment: str
    why: str
    backend: str
    cluster: ClusterSpec
    place: Placement = Placement()
    cluster_name: str = ""  # "" = made for this run and removed after it
    load: LoadSpec | None
    items: ItemsSpec | None = None  # tables that are filled before the load starts
    streams: tuple[StreamSpec, ...] = ()
    params: Mapping[str, float]  # the experiment's own parameters, after overrides
    checks: tuple[str, ...]
    known_bugs: tuple[KnownBug, ...] = ()
    seed: int
    timeout_s: float
    command_line: tuple[str, ...]
    harness_version: str
    notes: tuple[str, ...] = ()  # e.g. why fewer shards than asked by default
    objective: Objective = Objective()  # what the clients' availability is held against; judges nothing
    schedule: tuple[Drawn, ...] = ()  # the faults of an earlier run, instead of drawing them; () = draw
    sabotage: str = (
        ""  # how the harness is broken on purpose, to see its checks red (harness/canaries/sabotage.py); "" = it is not
    )


# ---------------------------------------------------------------- what was seen


class Outcome(enum.IntEnum):
    """FAIL: surely not applied. UNKNOWN: may be applied. NOT_ISSUED: never left the harness."""

    OK = 0
    FAIL = 1
    UNKNOWN = 2
    NOT_ISSUED = 3


class OpKind(enum.IntEnum):
    """What an operation does."""

    WRITE = 0  # INSERT of one row
    READ = 1  # SELECT by key of an acknowledged row
    TRANSACTION = 2  # BEGIN, `rows` INSERTs, COMMIT
    CHANGE = 3  # of item rows: BEGIN, `rows` UPDATEs, COMMIT; or one INSERT; or one DELETE (value = txn, 0 of a DELETE)


class ReadResult(enum.IntEnum):
    """What a READ found (field `rows` of a READ record)."""

    MISSING = 0
    FOUND = 1
    WRONG_VALUE = 2
    REPEATED = 3


OP_DTYPE = np.dtype(
    [
        ("intended_ns", "<i8"),  # when it should have started (open loop)
        ("sent_ns", "<i8"),  # when it got its connection and left; 0 if NOT_ISSUED
        ("done_ns", "<i8"),  # when its outcome was known (NOT_ISSUED: when it was given up)
        ("key", "<u8"),  # ledger id; a transaction writes key … key+rows-1
        ("value", "<u8"),  # unique value; a transaction writes value … value+rows-1
        ("message", "<u4"),  # number of the message in ops-W.messages.jsonl; 0 = none
        ("errno", "<u2"),  # 0 = none; 2xxx = of the driver (connection), others of the server
        ("lane", "<u2"),  # number in load.json
        ("connection", "<u2"),  # slot within the lane or pool
        ("kind", "u1"),
        ("outcome", "u1"),
        ("rows", "u1"),
        ("worker", "u1"),
        ("spare", "<u2"),
    ]
)
assert OP_DTYPE.itemsize == 56

ROW_DTYPE = np.dtype([("id", "<u8"), ("value", "<u8")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A stream of operations against one shard through one vtgate."""

    number: int
    vtgate: str  # node name
    shard: str
    mode: ConnectionMode
    rate: float  # operations a second
    worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpan:
    """One fault from intent to healing, folded from the ledger. A stamp that was never reached is 0.

    For a one-shot operation (PlannedReparentShard): `begin_ns` = the call left, `active_ns` = the call
    returned, nothing is healed. `error` is the operation's own error text, empty if it succeeded.
    `healed_ns`: everything was taken back; `recovered_ns`: the cluster has got over it.
    """

    number: int
    fault: str  # e.g. PlannedReparent
    targets: tuple[str, ...]  # node or shard names
    details: Mapping[str, str | int | float | bool]
    intent_ns: int
    begin_ns: int = 0
    active_ns: int = 0
    recover_ns: int = 0
    healed_ns: int = 0
    error: str = ""
    observed: bool = False  # independent evidence that it took effect
    undo: tuple[Remedy, ...] = ()
    recovered_ns: int = 0
    unrecovered: str = ""  # what was seen last when the cluster had not got over it in time
    unhealthy: str = ""  # what was wrong with the cluster afterwards
    healed_by: str = ""  # "" = the run itself; who else


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened once: a phase began, a process ended.

    Kinds: `phase` (subject = its name; it lasts until the next), `cluster`, `exit` (subject = node),
    `note`, `interrupt`, `harness-error`, `image` (subject = one of ours that the run is about to load),
    `engine` (subject = address of the one that holds the run's containers),
    `build` (subject = a folder of binaries, detail `version`: what they say they are),
    `spoiled` (something from outside makes the run prove nothing: detail `why`).
    """

    at_ns: int
    kind: str
    subject: str
    details: Mapping[str, str | int | float | bool] = field(default_factory=dict)


Scalar = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """`clean.json`: what was looked for when a run was over, and what of it was still there."""

    at_ns: int
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # kind of thing → what is left; () = nothing
    blind: Mapping[str, str] = field(default_factory=dict)  # what could not be looked for → why


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a probe read at one moment; in files and in a History only what changed since the sample before.

    `error` is set when the source did not answer (then `values` is empty).
    """

    at_ns: int
    took_ns: int
    values: Mapping[str, Scalar] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a process log that a check may want (warnings, errors, buffer messages)."""

    at_ns: int
    node: str
    level: str
    text: str


# ---------------------------------------------------------------- what was judged


class Verdict(enum.IntEnum):
    """max() composes."""

    PASS = 0
    UNKNOWN = 1
    FAIL = 2


class CheckKind(enum.StrEnum):
    """How a result weighs.

    ASSUMPTION: when it does not hold, the run proves nothing about anything that a slow host can cause.
    CONDITION: the host was slow: that may explain a promise that failed, and then the run proves nothing; it
    takes nothing from a run in which no promise failed.
    PROMISE: what Vitess promises (hides failovers …); a failed assumption or condition turns its FAIL into UNKNOWN.
    SAFETY: what no slowness may excuse (a lost acknowledged write); FAIL stays FAIL.
    """

    ASSUMPTION = "assumption"
    CONDITION = "condition"
    PROMISE = "promise"
    SAFETY = "safety"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check, for one vtgate or for the whole cluster (subject "")."""

    check: str
    kind: CheckKind
    verdict: Verdict
    summary: str  # one sentence
    subject: str = ""
    details: tuple[str, ...] = ()
    figures: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """`verdict.json`: the answer of a run."""

    run_id: str
    experiment: str
    verdict: Verdict
    exit_code: int
    headline: str
    results: tuple[CheckResult, ...]
    reproduced: tuple[str, ...] = ()  # issues of known bugs reproduced where they were expected
    causes: tuple[CauseRow, ...] = ()  # why clients waited or failed, the most operations first
