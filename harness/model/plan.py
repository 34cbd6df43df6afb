"""What is planned: everything that a run depends on."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.items import ItemsSpec
from harness.model.cluster import ClusterSpec, Placement
from harness.model.nodes import Role
from harness.streams import StreamSpec


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
    place: Placement = field(default_factory=Placement)
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
