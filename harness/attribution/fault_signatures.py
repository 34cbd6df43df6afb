"""What the run itself did to the cluster, by what clients feel of it.

A fault explains what lies on the way it was aimed at, while it is in force and until the cluster has got over it; and
only errors that such a thing causes. All of it ranks low: what Vitess makes of a fault is the more specific cause.
Reparents have signatures of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from harness.attribution.reach import (
    TABLET_ROLES,
    evidence_of,
    lanes_of,
    spans_of,
    tablets_hit,
    until_ns,
    until_served_ns,
)
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame, Evidence
from harness.facts.affected import NOT_ISSUED
from harness.facts.processes import exits, faults_on
from harness.facts.storm import REPARENTS, SECOND_NS
from harness.history import History
from harness.model import Event, FaultSpan, Role

# Whoever waits too long gives up, whatever it waits for.
GAVE_UP = frozenset({NOT_ISSUED, "client-timeout", "deadline-or-cancelled", "expired-before-start", "buffer-cancelled"})
# Somebody on the way is gone, or does not answer: as clients, vtgate and vttablet say it.
GONE = GAVE_UP | frozenset(
    {
        "connection-lost",
        "vttablet-refused",
        "vttablet-connection-lost",
        "no-healthy-tablet",
        "no-connection",
        "tablet-gone",
        "not-serving",
        "wrong-tablet",
        "reparent-in-progress",
        "transaction-gone",
        "tx-engine-closed",
        "interrupted",
        "vtgate-shutdown",
        "mysqld-unreachable",
        "pool-exhausted",
    }
)
SWITCH = "SwitchedTraffic"
CHURN = ("VSchemaChurn", "RoutingRulesChurn", "RoutingRule")
STREAM_ENDED = frozenset({"stream UNAVAILABLE", "stream UNKNOWN", "stream CANCELLED", "stream DEADLINE_EXCEEDED"})
_REFUSED = re.compile(r"ClientConnectorError\b")  # of aiohttp: the connection was refused
READ_ONLY = frozenset({"read-only"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInForce:
    """Faults that clients feel in the same way."""

    blame: ClassVar[Blame] = Blame.RUN
    name: str
    title: str
    faults: frozenset[str]
    errors: frozenset[str] = GONE
    rank: int = Rank.FAULT
    advice: str = ""
    others: bool = False  # faults that no row names: those of a run that another version recorded

    def _spans(self, history: History) -> Iterator[FaultSpan]:
        yield from spans_of(history, self.faults)
        if self.others:
            yield from spans_of(history, {span.fault for span in history.faults} - NAMED)

    def claims(self, history: History) -> Iterator[Claim]:
        for span in self._spans(history):
            for vtgate, shard in sorted(lanes_of(history, span)):
                yield Claim(
                    vtgate=vtgate,
                    shard=shard,
                    from_ns=span.begin_ns,
                    to_ns=until_served_ns(history, span, shard),
                    evidence=(evidence_of(history, span),),
                    errors=self.errors | _of_mysql(history, span),
                )


def _of_mysql(history: History, span: FaultSpan) -> frozenset[str]:
    """A MySQL server that was started anew is read-only until it is put into service again."""
    return READ_ONLY if any(node.role is Role.MYSQLD for node in tablets_hit(history, span)) else frozenset()


FAULTS: tuple[FaultInForce, ...] = (
    FaultInForce(
        name="process-down",
        title="the run had ended a process on the way",
        faults=frozenset(
            {
                "Killed",
                "Terminated",
                "Restarted",
                "CrashLoop",
                "KilledPod",
                "EvictedPod",
                "RollingRestart",
                "RollingUpgrade",
                "TakenAddress",
            }
        ),
        errors=GONE | STREAM_ENDED,
    ),
    FaultInForce(
        name="host-lost",
        title="everything of a tablet was gone or stood still, which the run had seen to",
        faults=frozenset({"LostHost"}),
        errors=GONE | STREAM_ENDED,
    ),
    FaultInForce(
        name="process-stood-still",
        title="the run let a process on the way stand still",
        faults=frozenset({"Paused", "Slowed", "SlowLog"}),
        errors=GONE | STREAM_ENDED,
    ),
    FaultInForce(
        name="link-broken",
        title="the run had broken a link on the way",
        faults=frozenset({"Partition", "LossyLink", "NarrowLink", "ResetLink", "SlowLink", "HalfOpen"}),
        errors=GONE | STREAM_ENDED,
    ),
    FaultInForce(
        name="disk-full",
        title="the run had filled the disk of a MySQL server",
        faults=frozenset({"FullDisk"}),
        errors=GONE,
    ),
    FaultInForce(
        name="commits-not-acknowledged",
        title="no replica acknowledged the primary's commits, which the run had seen to",
        faults=frozenset({"SemiSyncWithoutAck", "StoppedReplication"}),
        errors=GONE,
        advice="rpl_semi_sync_source_timeout is as good as endless by design; a further replica that may acknowledge",
    ),
    FaultInForce(
        name="made-read-only",
        title="the run had set the primary's MySQL read-only",
        faults=frozenset({"ReadOnlyPrimary"}),
        errors=GAVE_UP | READ_ONLY | frozenset({"reparent-in-progress"}),
    ),
    FaultInForce(
        name="lock-held",
        title="a session of the run held a lock",
        faults=frozenset({"HeldMetadataLock", "HeldTransaction"}),
        errors=GAVE_UP | frozenset({"lock-wait", "interrupted", "pool-exhausted"}),
    ),
    FaultInForce(
        name="connections-taken",
        title="sessions of the run had taken every connection of the primary's MySQL",
        faults=frozenset({"ExhaustedConnections"}),
        errors=GONE | frozenset({"mysqld-full"}),
        advice="room in max_connections for the pools of vttablet and those who come beside it (#7038)",
    ),
    FaultInForce(
        name="pool-taken",
        title="queries of the run had taken every connection of the vttablet's pool",
        faults=frozenset({"AbandonedQueries"}),
        errors=GAVE_UP | frozenset({"interrupted", "pool-exhausted"}),
        advice="room in --queryserver-config-pool-size",
    ),
    FaultInForce(
        name="statement-time-limit",
        title="the run had limited the time of statements",
        faults=frozenset({"StatementTimeLimit"}),
        errors=GAVE_UP | frozenset({"interrupted"}),
    ),
    FaultInForce(
        name="fault-in-force",
        title="a fault of the run was in force on the way",
        faults=frozenset(
            {
                "BrokenApplier",
                "ChangedTabletType",
                "ErrantTransaction",
                "LaggingReplicas",
                "LostCell",
                "PurgedBinlogs",
                "RenamedCell",
                "WrongCandidate",
            }
        ),
        errors=GONE | STREAM_ENDED,
        others=True,
    ),
)
NAMED = frozenset({*REPARENTS, *CHURN, SWITCH}.union(*(each.faults for each in FAULTS)))


# ---------------------------------------------------------------- for everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class PlansAnew:
    """A new VSchema makes every vtgate throw its plans away, which all its clients may feel."""

    name: str = "plans-made-anew"
    title: str = "the run had changed the VSchema or the routing rules"
    blame: Blame = Blame.RUN
    rank: int = Rank.FAULT
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for span in spans_of(history, CHURN):
            yield Claim(
                vtgate="",
                shard="",
                from_ns=span.begin_ns,
                to_ns=until_ns(history, span),
                evidence=(evidence_of(history, span),),
                errors=GAVE_UP,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSwitch:
    """MoveTables denies the tables at the source, waits until the target has everything, and only then changes the
    routing rules; Reshard does it with whole shards and the keyspace's partition. vtgate holds the requests meanwhile
    (go/vt/vtctl/workflow/traffic_switcher.go, v0.24.3)."""

    name: str = "traffic-switch"
    title: str = "a workflow was switching the traffic of tables or shards"
    blame: Blame = Blame.RUN
    rank: int = Rank.REPARENT
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for span in spans_of(history, (SWITCH,)):
            yield Claim(
                vtgate="",
                shard="",
                from_ns=span.begin_ns,
                to_ns=until_ns(history, span),
                evidence=(evidence_of(history, span),),
                errors=GAVE_UP
                | frozenset({"denied-by-rule", "shard-missing", "resharding", "reparent-in-progress", "no-shards"}),
            )


# ---------------------------------------------------------------- nobody's order


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessDied:
    """A process that no fault was aimed at ended all the same, and with it what it served."""

    name: str = "process-died"
    title: str = "a process on the way ended, and nobody had asked for it"
    blame: Blame = Blame.VITESS
    rank: int = Rank.FAULT
    advice: str = "see the end of its log"

    def claims(self, history: History) -> Iterator[Claim]:
        nodes = {node.name: node for node in history.nodes}
        for event in exits(history):
            node = nodes.get(event.subject)
            if node is None or event.details.get("expected") or _asked_for(history, event):
                continue
            if node.role is Role.VTGATE:
                yield _died(history, event, node.name, "")
            elif node.role in TABLET_ROLES and node.keyspace == history.plan.cluster.keyspace:
                yield _died(history, event, "", node.shard)


def _asked_for(history: History, event: Event) -> bool:
    """By a fault that names it, or that ends more than it names."""
    by_others = spans_of(history, ("RollingRestart", "RollingUpgrade", "HalfOpen", "KilledPod", "EvictedPod"))
    spans = (*faults_on(history, event.subject), *by_others)
    return any(span.begin_ns <= event.at_ns <= until_ns(history, span) for span in spans)


def _died(history: History, event: Event, vtgate: str, shard: str) -> Claim:
    said = ", ".join(f"{name} {value}" for name, value in sorted(event.details.items()))
    text = f"{event.subject} ended{': ' if said else ''}{said}"
    return Claim(
        vtgate=vtgate,
        shard=shard,
        from_ns=event.at_ns - SECOND_NS,
        to_ns=history.end_ns,
        evidence=(Evidence(source="events.jsonl", subject=event.subject, at_ns=event.at_ns, text=text),),
        errors=GONE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NobodyListens:
    """A vtgate's port refused its probe, between two answers: where no fault of the run says why, it is this."""

    name: str = "connection-refused"
    title: str = "nobody listened at vtgate's port"
    blame: Blame = Blame.DESIGN
    rank: int = Rank.FAULT - 3
    advice: str = "clients that know more than one vtgate"

    def claims(self, history: History) -> Iterator[Claim]:
        for node in history.vtgates:
            series = history.series.get(node.name)
            refused = [sample for sample in series.failures() if _REFUSED.match(sample.error)] if series else []
            for sample in refused:
                seen = Evidence(
                    source=f"samples-{node.name}.jsonl", subject=node.name, at_ns=sample.at_ns, text=sample.error
                )
                yield Claim(
                    vtgate=node.name,
                    shard="",
                    from_ns=sample.at_ns - SECOND_NS,
                    to_ns=sample.at_ns + SECOND_NS,
                    evidence=(seen,),
                    errors=GAVE_UP | frozenset({"mysqld-unreachable", "connection-lost", "vtgate-shutdown"}),
                )


EVERYBODYS: tuple[Signature, ...] = (PlansAnew(), TrafficSwitch(), ProcessDied(), NobodyListens())
