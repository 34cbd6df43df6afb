"""Everything that happened in a run, on its one clock: what clients felt beside what was done and what was going on."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from harness.attribution.moments import Kind, Moment, instant
from harness.facts import tablet_states
from harness.facts.affected import Affected, affected
from harness.facts.buffering import bufferings
from harness.facts.host_limits import saturated
from harness.facts.reparent_phases import ReparentPhases, phases
from harness.facts.storm import SECOND_NS, reparents
from harness.facts.words import counted, seconds
from harness.history import History, Series
from harness.model import FaultSpan, Role, Scalar

EPISODE_GAP_NS = SECOND_NS  # affected operations of a lane that are closer than this are one trouble
PAUSED_MS = 100.0  # a loop that came later than this is worth a line; less is the rule on a busy host
LONGEST_TEXT = 300
# What a vtgate counts of its buffer, of its health check, and of errors
COUNTERS = (
    "BufferStarts",
    "BufferStops",
    "BufferRequestsBuffered",
    "BufferRequestsDrained",
    "BufferRequestsEvicted",
    "BufferRequestsSkipped",
    "HealthcheckErrors",
    "HealthcheckPrimaryPromoted",
    "HealthCheckChannelFullErrors",
    "VtgateApiErrorCounts",
    "VttabletCallErrorCount",
)
_REPLICATION = ("source", "io_running", "sql_running", "io_errno", "sql_errno")


class Timeline:
    """All moments of a run in order of their beginning."""

    def __init__(self, moments: Iterable[Moment]) -> None:
        self.moments = tuple(sorted(moments, key=lambda moment: (moment.at_ns, moment.kind, moment.subject)))
        self._at_ns = np.array([moment.at_ns for moment in self.moments], dtype=np.int64)
        self._until_ns = np.array([moment.until_ns for moment in self.moments], dtype=np.int64)

    @classmethod
    def of(cls, history: History) -> Timeline:
        return cls(itertools.chain.from_iterable(source(history) for source in _SOURCES))

    def between(
        self, from_ns: int, to_ns: int, kinds: Collection[str] = (), subjects: Collection[str] = ()
    ) -> tuple[Moment, ...]:
        """What began, ended or lasted between two stamps, both included. `subjects` names subjects or shards; of what
        is empty, all."""
        inside = (self._at_ns <= to_ns) & (self._until_ns >= from_ns)
        return self._chosen(inside, kinds, subjects)

    def at(self, at_ns: int, kinds: Collection[str] = (), subjects: Collection[str] = ()) -> tuple[Moment, ...]:
        """What was going on at a moment."""
        return self.between(at_ns, at_ns, kinds, subjects)

    def before(self, at_ns: int, kind: str, subject: str = "") -> Moment | None:
        """The last that began before a moment; None if there is none."""
        for index in range(int(np.searchsorted(self._at_ns, at_ns)) - 1, -1, -1):
            if _is_of(self.moments[index], (kind,), (subject,) if subject else ()):
                return self.moments[index]
        return None

    def _chosen(
        self, inside: npt.NDArray[np.bool_], kinds: Collection[str], subjects: Collection[str]
    ) -> tuple[Moment, ...]:
        found = (self.moments[index] for index in np.flatnonzero(inside).tolist())
        return tuple(moment for moment in found if _is_of(moment, kinds, subjects))


def _is_of(moment: Moment, kinds: Collection[str], subjects: Collection[str]) -> bool:
    if kinds and moment.kind not in kinds:
        return False
    return not subjects or moment.subject in subjects or moment.details.get("shard") in subjects


# ---------------------------------------------------------------- what the run did


def _phases(history: History) -> Iterator[Moment]:
    for name, (from_ns, to_ns) in history.phases.items():
        yield Moment(at_ns=from_ns, until_ns=to_ns, kind=Kind.PHASE, subject=name, text=f"phase {name}")


def _events(history: History) -> Iterator[Moment]:
    for event in history.events:
        if event.kind != "phase":
            said = "".join(f", {name} {value}" for name, value in event.details.items())
            yield instant(event.at_ns, Kind.EVENT, event.subject, f"{event.kind}: {event.subject}{said}")


def _faults(history: History) -> Iterator[Moment]:
    for span in history.faults:
        if span.begin_ns:
            yield Moment(
                at_ns=span.begin_ns,
                until_ns=_over_ns(history, span),
                kind=Kind.FAULT,
                subject=span.fault,
                text=f"{span.fault} on {', '.join(span.targets)}" + (f": {span.error}" if span.error else ""),
                details={"number": span.number, "shard": str(span.details.get("shard", ""))},
            )
        for step in ("intent", "begin", "active", "recover", "healed", "recovered"):
            at_ns: int = getattr(span, f"{step}_ns")
            if at_ns:
                where: dict[str, Scalar] = {"number": span.number, "shard": str(span.details.get("shard", ""))}
                yield instant(at_ns, Kind.FAULT_STEP, span.fault, f"{span.fault} #{span.number}: {step}", where)


def _over_ns(history: History, span: FaultSpan) -> int:
    """One that was never taken back lasts to the end of the run; a one-shot one, until its call returned."""
    failed_ns = int(span.details.get("failed_ns", 0))
    return span.healed_ns or (span.active_ns if not span.undo else 0) or failed_ns or history.end_ns


def _reparents(history: History) -> Iterator[Moment]:
    for reparent in reparents(history):
        how = f"{reparent.fault} of {reparent.shard}: {reparent.was_primary or '?'} → {reparent.promoted or '?'}"
        yield Moment(
            at_ns=reparent.begin_ns,
            until_ns=reparent.end_ns or history.end_ns,
            kind=Kind.REPARENT,
            subject=reparent.shard,
            text=how + (f", failed: {reparent.error[:LONGEST_TEXT]}" if reparent.error else ""),
            details={"shard": reparent.shard, "keyspace": reparent.keyspace, "number": reparent.number},
        )
    for each in phases(history):
        yield from _reparent_phases(history, each)


def _reparent_phases(history: History, each: ReparentPhases) -> Iterator[Moment]:
    for span in each.spans:
        how = "failed" if span.failed else "" if span.to_ns else "no end"
        yield Moment(
            at_ns=span.from_ns,
            until_ns=span.to_ns or history.end_ns,
            kind=Kind.REPARENT_PHASE,
            subject=each.reparent.shard,
            text=f"{span.phase} ({', '.join(filter(None, (span.node, how)))})",
            details={"shard": each.reparent.shard, "phase": span.phase, "node": span.node},
        )


# ---------------------------------------------------------------- what clients felt


def _clients(history: History) -> Iterator[Moment]:
    for lane in affected(history):
        if len(lane):
            yield from _episodes(lane)


def _episodes(lane: Affected) -> Iterator[Moment]:
    """Affected operations that overlap, or nearly do, as one."""
    order = np.argsort(lane.from_ns, kind="stable")
    from_ns, to_ns = lane.from_ns[order], lane.to_ns[order]
    reached_ns = np.maximum.accumulate(to_ns)
    begins = np.flatnonzero(from_ns[1:] > reached_ns[:-1] + EPISODE_GAP_NS) + 1
    for part in np.split(np.arange(len(order)), begins):
        classes = Counter(name for name in lane.classes[order[part]].tolist() if name)
        worst_s = float((to_ns[part] - from_ns[part]).max()) / SECOND_NS
        said = [f"{counted(len(part), 'operation')} of {lane.where} through {lane.vtgate} affected"]
        said += [f"the longest for {seconds(worst_s)}"] if worst_s else []
        said += [f"{number} {name}" for name, number in sorted(classes.items())]
        yield Moment(
            at_ns=int(from_ns[part[0]]),
            until_ns=int(to_ns[part].max()),
            kind=Kind.CLIENTS,
            subject=lane.vtgate,
            text=", ".join(said),
            details={"shard": lane.where, "operations": len(part), "worst_s": round(worst_s, 3)},
        )


# ---------------------------------------------------------------- vtgates


def _bufferings(history: History) -> Iterator[Moment]:
    for each in bufferings(history):
        why = f"ended by {each.ending}" if each.ending else "never ended"
        yield Moment(
            at_ns=each.from_ns,
            until_ns=each.to_ns,
            kind=Kind.BUFFERING,
            subject=each.vtgate,
            text=f"{each.vtgate} buffers {each.shard}, {why}",
            details={"shard": each.shard, "keyspace": each.keyspace, "ending": str(each.ending)},
        )


def _counters(history: History) -> Iterator[Moment]:
    for node in history.vtgates:
        series = history.series.get(node.name)
        for name in COUNTERS if series is not None else ():
            assert series is not None
            yield from _steps_of(history, node.name, series, name)


def _steps_of(history: History, vtgate: str, series: Series, name: str) -> Iterator[Moment]:
    keys = [f"{name}:{label}" for label in series.labels(name)] or [name]
    for key in keys:
        label = key.removeprefix(name).removeprefix(":")
        for before_ns, after_ns, rise in series.rises(key, history.start_ns):
            yield Moment(
                at_ns=before_ns,
                until_ns=after_ns,
                kind=Kind.COUNTER,
                subject=vtgate,
                text=f"{key} +{rise:g}",
                details={"counter": key, "by": rise, "shard": _shard_in(label)},
            )


def _shard_in(label: str) -> str:
    """Of ks.-80, ks.-80.primary, ks.-80.NewPrimarySeen; errors have the operation first: Execute.ks.-80.…"""
    return next((part for part in label.split(".") if "-" in part or part == "0"), "")


# ---------------------------------------------------------------- tablets and their servers


def _tablets(history: History) -> Iterator[Moment]:
    for each in tablet_states.stretches(history):
        yield Moment(
            at_ns=each.from_ns,
            until_ns=each.to_ns,
            kind=Kind.TABLET,
            subject=each.node,
            text=f"{each.node} {each.type or '?'} {each.state}",
            details={"shard": each.shard, "state": each.state.value, "type": each.type},
        )
    for gap in tablet_states.unserved(history):
        yield Moment(
            at_ns=gap.from_ns,
            until_ns=gap.to_ns,
            kind=Kind.NO_PRIMARY,
            subject=gap.shard,
            text=f"{gap.shard} has no serving primary ({gap.before or '?'} → {gap.after or '?'})",
            details={"shard": gap.shard, "keyspace": gap.keyspace},
        )
    for one in tablet_states.read_only_primaries(history):
        yield Moment(
            at_ns=one.from_ns,
            until_ns=one.to_ns,
            kind=Kind.READ_ONLY,
            subject=one.node,
            text=f"{one.node} is a serving primary, and its MySQL is read-only",
            details={"shard": one.shard, "keyspace": one.keyspace, "seen_ns": one.seen_ns},
        )


def _servers(history: History) -> Iterator[Moment]:
    for node in history.nodes:
        series = history.series.get(node.name)
        if node.role is not Role.MYSQLD or series is None:
            continue
        where = {"shard": node.shard}
        for at_ns, number in zip(*series.steps("transactions"), strict=True):
            behind = series.number("behind_s", at_ns)
            said = f", {behind:g} s behind" if behind is not None and behind > 0 else ""
            text = f"{node.name} has executed {counted(float(number), 'transaction')}{said}"
            yield instant(at_ns, Kind.POSITION, node.name, text, {**where, "transactions": number})
        for at_ns in sorted({at_ns for key in _REPLICATION for at_ns in series.steps(key)[0]}):
            yield instant(at_ns, Kind.REPLICATION, node.name, f"{node.name} {_replication(series, at_ns)}", where)


def _replication(series: Series, at_ns: int) -> str:
    source = series.at("source", at_ns)
    if not source:
        return "replicates from nobody"
    io, sql = series.at("io_running", at_ns), series.at("sql_running", at_ns)
    errors = [f"errno {number:g}" for key in _REPLICATION[3:] if (number := series.number(key, at_ns) or 0)]
    return ", ".join([f"replicates from {source}: receiver {io}, applier {sql}", *errors])


def _records(history: History) -> Iterator[Moment]:
    for record in tablet_states.records(history):
        yield instant(
            record.at_ns,
            Kind.TOPOLOGY,
            record.shard,
            f"the record of {record.shard} names {record.primary or 'nobody'}",
            {"shard": record.shard, "keyspace": record.keyspace, "primary": record.primary},
        )


# ---------------------------------------------------------------- everything else


def _unanswered(history: History) -> Iterator[Moment]:
    """Looks that followed each other without an answer are one stretch, from the asking to the last giving up."""
    for source, series in sorted(history.series.items()):
        for silent, group in itertools.groupby(series.samples, key=lambda sample: bool(sample.error)):
            if silent:
                samples = list(group)
                yield Moment(
                    at_ns=samples[0].at_ns - samples[0].took_ns,
                    until_ns=samples[-1].at_ns,
                    kind=Kind.UNANSWERED,
                    subject=source,
                    text=f"{source} did not answer its probe: {samples[0].error[:LONGEST_TEXT]}",
                )


def _logs(history: History) -> Iterator[Moment]:
    shards = {node.name: node.shard for node in history.nodes}
    names = "|".join(re.escape(keyspace.name) for keyspace in history.plan.cluster.keyspaces)
    named = re.compile(rf"\b(?:{names})/([^/\s,:()\]]+)")
    for line in history.logs:
        shard = shards.get(line.node, "")
        if not shard and (found := named.search(line.text)):
            shard = found[1]
        where = {"level": line.level, "shard": shard}
        yield instant(line.at_ns, Kind.LOG, line.node, line.text[:LONGEST_TEXT], where)


def _host(history: History) -> Iterator[Moment]:
    series = history.series.get("host")
    for from_ns, to_ns in saturated(series) if series is not None else ():
        yield Moment(
            at_ns=from_ns, until_ns=to_ns, kind=Kind.HOST, subject="host", text="a task waited for a core all the time"
        )


def _harness(history: History) -> Iterator[Moment]:
    """A pause lies between two samples."""
    for source, series in sorted(history.series.items()):
        before_ns = 0
        for sample in series.samples:
            lag_ms = sample.values.get("loop_lag_max_ms", 0.0)
            if isinstance(lag_ms, int | float) and lag_ms >= PAUSED_MS:
                yield Moment(
                    at_ns=before_ns or sample.at_ns,
                    until_ns=sample.at_ns,
                    kind=Kind.HARNESS,
                    subject=source,
                    text=f"{source} stood still for {lag_ms:,.0f} ms",
                    details={"lag_ms": lag_ms},
                )
            before_ns = sample.at_ns


_SOURCES = (
    _phases,
    _events,
    _faults,
    _reparents,
    _clients,
    _bufferings,
    _counters,
    _tablets,
    _servers,
    _records,
    _unanswered,
    _logs,
    _host,
    _harness,
)
