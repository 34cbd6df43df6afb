"""When trouble was made: reparents, the storms they form, and the windows that checks look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.history import History
from harness.model import FaultSpan

SECOND_NS = 1_000_000_000
PLANNED_REPARENT = "PlannedReparent"
EMERGENCY_REPARENT = "EmergencyReparent"
EXTERNAL_REPARENT = "TabletExternallyReparented"
REPARENTS = (PLANNED_REPARENT, EMERGENCY_REPARENT, EXTERNAL_REPARENT)
CALM_PHASES = ("baseline", "recovery", "settle", "quiet")  # in which nothing is done to the cluster


def seconds_between(from_ns: int, to_ns: int) -> float:
    return (to_ns - from_ns) / SECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reparent:
    """One call that moves a shard's primary and that left. `end_ns` is 0 when it never returned."""

    number: int
    fault: str  # one of REPARENTS
    keyspace: str
    shard: str
    begin_ns: int
    end_ns: int
    error: str
    was_primary: str
    promoted: str
    observed: bool

    @property
    def returned_ok(self) -> bool:
        return self.end_ns > 0 and not self.error

    @property
    def duration_s(self) -> float:
        return seconds_between(self.begin_ns, self.end_ns) if self.end_ns else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """Reparents that overlap in time, directly or through each other; rolling ones are a storm each."""

    reparents: tuple[Reparent, ...]
    begin_ns: int
    end_ns: int

    @property
    def duration_s(self) -> float:
        return seconds_between(self.begin_ns, self.end_ns)

    @property
    def shards(self) -> tuple[str, ...]:
        return tuple(reparent.shard for reparent in self.reparents)


def reparents(history: History) -> tuple[Reparent, ...]:
    """Every reparent whose call left, in that order."""
    found = [_reparent(history, span) for kind in REPARENTS for span in history.spans(kind) if span.begin_ns]
    return tuple(sorted(found, key=lambda reparent: (reparent.begin_ns, reparent.number)))


def _reparent(history: History, span: FaultSpan) -> Reparent:
    details = span.details
    target = span.targets[0] if span.targets else ""
    return Reparent(
        number=span.number,
        fault=span.fault,
        keyspace=str(details.get("keyspace", history.plan.cluster.keyspace)),
        shard=str(details.get("shard", target)).rpartition("/")[2],
        begin_ns=span.begin_ns,
        end_ns=span.active_ns or int(details.get("failed_ns", 0)),
        error=span.error,
        was_primary=str(details.get("was_primary", "")),
        promoted=str(details.get("promoted", "")),
        observed=span.observed,
    )


def reparents_of_shards(history: History) -> Mapping[str, tuple[Reparent, ...]]:
    """Shard → its reparents."""
    by_shard: dict[str, list[Reparent]] = {}
    for reparent in reparents(history):
        by_shard.setdefault(reparent.shard, []).append(reparent)
    return {shard: tuple(found) for shard, found in by_shard.items()}


def storms(history: History) -> tuple[Storm, ...]:
    """The reparents of a run, grouped by overlap. One that never returned lasts to the end of the run."""
    groups: list[tuple[list[Reparent], int]] = []
    for reparent in reparents(history):
        end_ns = reparent.end_ns or history.end_ns
        if groups and reparent.begin_ns <= groups[-1][1]:
            groups[-1] = ([*groups[-1][0], reparent], max(groups[-1][1], end_ns))
        else:
            groups.append(([reparent], end_ns))
    return tuple(Storm(reparents=tuple(group), begin_ns=group[0].begin_ns, end_ns=end_ns) for group, end_ns in groups)


def first_fault_ns(history: History) -> int | None:
    """When the first fault of the run began to act; None for a control."""
    begins = [span.begin_ns for span in history.faults if span.begin_ns]
    return min(begins) if begins else None


def last_fault_ns(history: History) -> int | None:
    """When the last fault was over."""
    ends = [max(span.begin_ns, span.active_ns, span.recover_ns, span.healed_ns) for span in history.faults]
    ends = [end for end in ends if end]
    return max(ends) if ends else None


def trouble(history: History) -> tuple[int, int] | None:
    """From the first fault to the end of the last one. For a control, which has none: its phases between
    baseline and recovery, so that it is looked at in the same way. In a run with streams, the copy is trouble of
    its own: all phases until the load has ended, and the faults. None when the run never came so far."""
    begin, end = first_fault_ns(history), last_fault_ns(history)
    faults = [(begin, max(begin, end))] if begin is not None and end is not None else []
    spans = [span for name, span in history.phases.items() if name not in CALM_PHASES]
    windows = faults + spans if history.plan.streams or not faults else faults
    return (min(window[0] for window in windows), max(window[1] for window in windows)) if windows else None


def aftermath(history: History) -> tuple[int, int] | None:
    """From the first fault to the end of the load: what a client of a disturbed cluster saw."""
    window = trouble(history)
    return (window[0], max(window[1], history.end_ns)) if window else None


def quiet_ns(history: History) -> int | None:
    """When the phase "quiet" began: everything is over and has settled."""
    return history.phases["quiet"][0] if "quiet" in history.phases else None


def baseline(history: History) -> tuple[int, int] | None:
    """The undisturbed time before the first fault, or before the streams begin."""
    span = history.phases.get("baseline")
    if span is None:
        return None
    begin = first_fault_ns(history)
    return span[0], min(span[1], begin) if begin is not None else span[1]
