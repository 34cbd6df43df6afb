"""One planned reparent of -80 as logs, samples and topology tell it: 100 → 101, begun at 5 s, over at 6 s.

The lines are those of recorded runs, shortened; vttablets of 24.0.3 (text), and the same from 23.0.5 (glog).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from harness.history import History, Series
from harness.model import LogLine, Node, Role, Sample, Scalar
from tests.fakes import HistoryBuilder, calm, ns

Line = tuple[float, str, str]  # seconds, node, text
NODES = tuple(
    Node(name=f"{role}-{uid}", role=role, version="24.0.3", keyspace="ks", shard=shard, tablet_uid=uid)
    for shard, uids in (("-80", (100, 101)), ("80-", (102,)))
    for uid in uids
    for role in (Role.VTTABLET, Role.MYSQLD)
)

LOCK = "topo/locks.go:167 Locking shard ks/-80 for action PlannedReparentShard(<nil>, AvoidPrimary = <nil>) with"
STEP = "syslogger/syslogger.go:133 ks/-80 [reparent {}] {} ()"
NOBODY, BOTH = "<nil> -> <nil>", "zone1-0000000100 -> zone1-0000000101"
TRANSITION = "tabletserver/state_manager.go:675 TabletServer transition: {} for tablet :ks/-80"
TO_PRIMARY = TRANSITION.format("REPLICA: Serving -> PRIMARY: Serving, Nov 21, 2026 at 04:14:04 (UTC)")
TO_REPLICA = TRANSITION.format("PRIMARY: Not Serving, Jan 1, 0001 at 00:00:00 (UTC) -> REPLICA: Serving")
JOURNAL = "tabletmanager/rpc_replication.go:447 PopulateReparentJournal: action: PlannedReparentShard parent: cell"
RETURNED = (
    "tabletmanager/rpc_server.go:83 TabletManager.{}(on zone1-0000000101 from ): (*tabletmanagerdata.Response)(nil)"
)
WRITABLE = "mysqlctl/query.go:91 exec SET GLOBAL read_only = OFF"

STEPS: tuple[Line, ...] = (
    (5.00, "vtctld", LOCK),
    (5.05, "vtctld", STEP.format(NOBODY, "reading tablet map")),
    (5.08, "vtctld", STEP.format(NOBODY, "electing a primary candidate")),
    (5.08, "vtctld", STEP.format(NOBODY, "elected new primary candidate")),
    (5.20, "vtctld", STEP.format(BOTH, "demoting old primary")),
    (5.60, "vtctld", STEP.format(BOTH, "reparenting all tablets")),
    (5.95, "vtctld", STEP.format(BOTH, "finished PlannedReparentShard")),
)
CALLS: tuple[Line, ...] = (
    (5.21, "vttablet-100", "tabletmanager/rpc_replication.go:553 DemotePrimary"),
    (5.25, "vttablet-100", "tabletmanager/rpc_replication.go:614 DemotePrimary disabling query service"),
    (5.45, "vttablet-100", RETURNED.format("DemotePrimary()")),
    (5.50, "vttablet-101", "rpc_replication.go:222] WaitForPosition: MySQL56/b8068f1b-e5ab-11f1-b872-4ee943e42704:1-9"),
    (
        5.55,
        "vttablet-101",
        RETURNED.format('WaitForPosition(position:"MySQL56/b8068f1b-e5ab-11f1-b872-4ee943e42704:1-9")'),
    ),
    (5.61, "vttablet-101", "PromoteReplica"),  # as the message of a JSON line
    (5.70, "vttablet-101", WRITABLE),
    (5.80, "vttablet-101", RETURNED.format("PromoteReplica(semiSync:true)")),
    (5.82, "vttablet-101", JOURNAL),
    (5.85, "vttablet-101", RETURNED.format("PopulateReparentJournal(time_created_ns:1795234444686175834)")),
)
TRANSITIONS: tuple[Line, ...] = ((5.65, "vttablet-100", TO_REPLICA), (5.78, "vttablet-101", TO_PRIMARY))


def lines(*wanted: Iterable[Line], level: str = "info") -> tuple[LogLine, ...]:
    flat = sorted(line for part in wanted for line in part)
    return tuple(LogLine(at_ns=ns(at_s), node=node, level=level, text=text) for at_s, node, text in flat)


def sampled(*seen: tuple[float, Mapping[str, Scalar] | str]) -> Series:
    """Samples: what changed, or the error that came instead."""
    return Series(
        [
            Sample(at_ns=ns(at_s), took_ns=1_000_000, error=what)
            if isinstance(what, str)
            else Sample(at_ns=ns(at_s), took_ns=1_000_000, values=what)
            for at_s, what in seen
        ]
    )


def state(serving: bool, kind: str) -> dict[str, Scalar]:
    return {"TabletStateName": "SERVING" if serving else "NOT_SERVING", "TabletType": kind}


OLD = sampled((0.5, state(True, "primary")), (5.4, state(False, "primary")), (5.9, state(True, "replica")), (9.0, {}))
YOUNG = sampled((0.6, state(True, "replica")), (5.65, {"TabletType": "primary"}), (9.0, {}))
SAMPLES = {"vttablet-100": OLD, "vttablet-101": YOUNG}


def builder() -> HistoryBuilder:
    """A run in which -80 is reparented from 5 s to 6 s, and nothing else happens."""
    found = calm(storm=False)
    found.reparent("-80", 5.0, 6.0)
    return found


def history(*logs: LogLine, **series: Series) -> History:
    """`series`: of sources with - as _."""
    made = builder().build()
    named = {source.replace("_", "-"): each for source, each in series.items()}
    return dataclasses.replace(
        made,
        nodes=(*made.nodes, *NODES),
        logs=logs or lines(STEPS, CALLS, TRANSITIONS),
        series={**made.series, **SAMPLES, **named},
    )
