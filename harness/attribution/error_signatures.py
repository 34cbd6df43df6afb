"""Errors that say themselves what they are, where the vttablet that gave them counted them.

A vttablet counts what it answers with an error by the code that the error becomes (`Errors`: go/mysql/sqlerror,
VtRpcErrorCode, v0.24.3) and what it kills (`Kills`). The counter that rises between two samples is the evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.attribution.evidence import of_counter, of_reparent, of_setting
from harness.attribution.reach import GET_OVER_NS
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame
from harness.facts.storm import SECOND_NS, reparents
from harness.history import History
from harness.model import ConnectionMode, Node, Role, Workload

TOLD_NS = SECOND_NS // 4  # between the tablet's count and the client's stamp, in either direction
BENEATH_FAULTS = Rank.FAULT - 3  # a fault of the run is why, where one is in force

# What a transaction is told that was open when its primary stepped down: vtgate buffers only what is not in one
# (opts.InTransaction in tabletgateway.go withRetry, v0.24.3).
LOST_WITH_PRIMARY = (
    "reparent-in-progress",
    "not-serving",
    "wrong-tablet",
    "tx-engine-closed",
    "transaction-gone",
    "tablet-gone",
    "read-only",
    "no-healthy-tablet",
    "interrupted",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Errors of a class, where a counter of the shard's vttablets rose."""

    name: str
    title: str
    blame: Blame
    counters: tuple[str, ...]
    errors: frozenset[str]
    rank: int = Rank.REFUSED
    waits: bool = False
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for node in history.nodes:
            if node.role is Role.VTTABLET and node.keyspace == history.plan.cluster.keyspace:
                yield from self._of(history, node)

    def _of(self, history: History, node: Node) -> Iterator[Claim]:
        series = history.series.get(node.name)
        if series is None:
            return
        for counter in self.counters:
            for from_ns, to_ns, rise in series.rises(counter, history.start_ns):
                yield Claim(
                    vtgate="",
                    shard=node.shard,
                    from_ns=from_ns - TOLD_NS,
                    to_ns=to_ns + TOLD_NS,
                    evidence=(of_counter(node.name, counter, to_ns, rise),),
                    waits=self.waits,
                    errors=self.errors,
                )


COUNTED: tuple[Counted, ...] = (
    Counted(
        name="deadlock",
        title="InnoDB rolled one of two transactions back that waited for each other",
        blame=Blame.DESIGN,
        counters=("Errors:ABORTED",),
        errors=frozenset({"deadlock"}),
        advice="the client's to repeat",
    ),
    Counted(
        name="lock-wait",
        title="another transaction held a row for longer than innodb_lock_wait_timeout",
        blame=Blame.DESIGN,
        counters=("Errors:DEADLINE_EXCEEDED",),
        errors=frozenset({"lock-wait"}),
        rank=BENEATH_FAULTS,
        advice="shorter transactions",
    ),
    Counted(
        name="connections-exhausted",
        title="vttablet's pool or MySQL had no connection left",
        blame=Blame.SETTING,
        counters=("Errors:RESOURCE_EXHAUSTED",),
        errors=frozenset({"pool-exhausted", "mysqld-full"}),
        rank=BENEATH_FAULTS,
        advice="larger pools (--queryserver-config-pool-size, -transaction-cap) below MySQL's max_connections (#7038)",
    ),
    Counted(
        name="query-killed",
        title="vttablet killed what took too long",
        blame=Blame.SETTING,
        counters=("Kills:Queries", "Kills:Transactions", "Kills:ReservedConnection"),
        errors=frozenset({"interrupted", "deadline-or-cancelled", "transaction-gone"}),
        rank=BENEATH_FAULTS,
        advice="--queryserver-config-query-timeout, --queryserver-config-transaction-timeout",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LostWithPrimary:
    """Transactions that were open on a primary when it stepped down."""

    name: str = "transaction-lost-with-its-primary"
    title: str = "the transaction was open when its primary stepped down"
    blame: Blame = Blame.DESIGN
    rank: int = Rank.REPARENT + 2
    advice: str = "the client's to repeat: vtgate buffers nothing inside a transaction"

    def claims(self, history: History) -> Iterator[Claim]:
        load = history.plan.load
        if load is None or not (load.mode is ConnectionMode.TRANSACTION or load.workload is Workload.ITEMS):
            return
        for reparent in reparents(history):
            yield Claim(
                vtgate="",
                shard=reparent.shard,
                from_ns=reparent.begin_ns,
                to_ns=(reparent.end_ns or history.end_ns) + GET_OVER_NS,
                evidence=(of_reparent(reparent), of_setting("load", reparent.begin_ns, "clients work in transactions")),
                waits=False,
                errors=frozenset(LOST_WITH_PRIMARY),
            )


ERRORS: tuple[Signature, ...] = (*COUNTED, LostWithPrimary())
