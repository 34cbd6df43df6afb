"""Did the run do what it set out to do? Where it did not, it proves nothing, and says so.

An assumption that does not hold is UNKNOWN, never FAIL: it is no finding about Vitess. See
docs of `harness.checks.judge` for how it weighs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.checks.results import Finding, offset, passed, per_vtgate, result, unknown
from harness.facts.buffer import settings
from harness.facts.processes import faults_on, in_force
from harness.facts.storm import (
    EMERGENCY_REPARENT,
    PLANNED_REPARENT,
    REPARENTS,
    SECOND_NS,
    Reparent,
    baseline,
    quiet_ns,
    reparents,
    seconds_between,
    storms,
    trouble,
)
from harness.facts.words import counted, listed, seconds
from harness.history import History, Series
from harness.model import CheckKind, CheckResult, Lane, LoadSpec, Node, Outcome, Workload

RATE_SHARE = 0.9  # of the planned rate: below it, stalls and errors are counted on too few operations
OK_SHARE = 0.99  # in the baseline: a cluster that fails without a fault cannot show what a fault does
POISSON_SIGMAS = 3.0  # arrivals of an open loop scatter by the root of their number
SAMPLES_HZ = 4.0  # BufferStops must be told apart from the reparent's return by less than half a second
SAMPLES_JITTER = 1.15  # a timer of 250 ms gives 251 ms
COUNTERS: Mapping[str, str] = {
    PLANNED_REPARENT: "PlannedReparentCounts",
    EMERGENCY_REPARENT: "EmergencyReparentCounts",
}
JUDGES_EMERGENCIES = "emergency/reparents"
HOLE_S = 2.0  # longer, and a whole failover fits in between


@dataclass(frozen=True, slots=True)
class RateReached:
    """Every vtgate's clients got their planned rate through before the fault, and went on during it."""

    name: str = "assumptions/rate"
    kind: CheckKind = CheckKind.ASSUMPTION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        if history.plan.load is None:
            return (result(self, passed("No load was planned.")),)
        return per_vtgate(self, history, lambda node: _rate(history, history.plan.load, node))


def _rate(history: History, load: LoadSpec | None, node: Node) -> Finding:
    lanes = history.lanes_of(node.name)
    window = baseline(history)
    if not lanes or load is None:
        return unknown(f"No load was recorded against {node.name}.")
    if window is None or window[1] <= window[0]:
        return unknown("There was no baseline before the first fault, so nothing to compare with.")
    ops = history.ops_of(lanes)
    done = ops[(ops["done_ns"] >= window[0]) & (ops["done_ns"] < window[1])]
    ok = done[done["outcome"] == Outcome.OK]
    expected = sum(lane.rate for lane in lanes) * seconds_between(*window)
    figures: dict[str, str | int | float] = {
        "planned_per_s": round(sum(lane.rate for lane in lanes), 3),
        "reached_per_s": round(len(ok) / seconds_between(*window), 3),
        "ok_share": round(len(ok) / len(done), 5) if len(done) else 0.0,
    }
    short = _too_few(len(ok), expected, load)
    wrong = [short] if short else []
    if len(done) and len(ok) < OK_SHARE * len(done):
        wrong.append(f"{len(done) - len(ok)} of {len(done)} operations of the baseline were not OK")
    silent = sorted(set(_silent(history, lanes, window)))
    if silent:
        wrong.append(f"no operation of the baseline succeeded on {listed(silent)}")
    wrong += _stopped(history, load, lanes)
    if wrong:
        return unknown(f"The load on {node.name} was not what was planned: {'; '.join(wrong)}.", figures=figures)
    return passed(
        f"{figures['reached_per_s']:g} of {figures['planned_per_s']:g} operations a second before the fault.",
        figures=figures,
    )


def _too_few(number: int, expected: float, load: LoadSpec) -> str:
    scatter = POISSON_SIGMAS * math.sqrt(expected) if load.poisson else 1.0
    if number >= RATE_SHARE * expected - scatter:
        return ""
    return f"{number} operations of {expected:.0f} planned"


def _silent(history: History, lanes: tuple[Lane, ...], window: tuple[int, int]) -> list[str]:
    """Shards that gave no answer in a baseline in which at least five were due."""
    shards = []
    for lane in lanes:
        ops = history.ops_of((lane,))
        inside = (ops["done_ns"] >= window[0]) & (ops["done_ns"] < window[1]) & (ops["outcome"] == Outcome.OK)
        if lane.rate * seconds_between(*window) >= 5 and not inside.any():
            shards.append(lane.shard)
    return shards


def _stopped(history: History, load: LoadSpec, lanes: tuple[Lane, ...]) -> list[str]:
    """The load must have been *due* during the trouble, whatever became of it."""
    window = trouble(history)
    if window is None:
        return []
    ops = history.ops_of(lanes)
    due = int(np.count_nonzero((ops["intended_ns"] >= window[0]) & (ops["intended_ns"] <= window[1])))
    short = _too_few(due, sum(lane.rate for lane in lanes) * seconds_between(*window), load)
    return [f"{short} were issued during the storm"] if short else []


@dataclass(frozen=True, slots=True)
class ReparentsHappened:
    """Every reparent that was meant to happen did, by more than one account.

    Accounts: the RPC's own answer, the fault's independent evidence (`observed`), and vtctld's counters
    `PlannedReparentCounts` and `EmergencyReparentCounts` (ks.shard.success; go/vt/vtctl/reparentutil, 0.20 and
    later; TabletExternallyReparented has none). Where `emergency/reparents` is asked for, it judges the errors of
    EmergencyReparentShard. Whether each *vtgate* counted the promotion (`HealthcheckPrimaryPromoted`) is reported,
    not required: a vtgate that misses one is what some bugs look like. Parameters: `reparents` (how many at least; 0
    for a control), `expect_reparent_errors`.
    """

    name: str = "assumptions/reparents"
    kind: CheckKind = CheckKind.ASSUMPTION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _reparents(history)),)


def _reparents(history: History) -> Finding:
    found = reparents(history)
    wanted = int(history.plan.params.get("reparents", 0))
    errors_expected = bool(history.plan.params.get("expect_reparent_errors", 0))
    never_left = sum(1 for kind in REPARENTS for span in history.spans(kind) if not span.begin_ns)
    judged = EMERGENCY_REPARENT if JUDGES_EMERGENCIES in history.plan.checks else ""
    wrong = [line for r in found for line in _doubts(r, errors_expected or r.fault == judged)]
    wrong += _vtctld_disagrees(history, found)
    if never_left:
        wrong.append(f"{counted(never_left, 'reparent')} never left the harness")
    if len(found) < wanted:
        wrong.append(f"{len(found)} of {wanted} intended reparents were started")
    took = [reparent.duration_s for reparent in found if reparent.end_ns]
    figures: dict[str, str | int | float] = {
        "reparents": len(found),
        "succeeded": sum(reparent.returned_ok for reparent in found),
        "slowest_s": round(max(took), 3) if took else 0.0,
        "median_s": round(float(np.median(took)), 3) if took else 0.0,
        "start_skew_ms": _skew_ms(history),
    }
    notes = _uncounted(history, found)
    if wrong:
        return unknown(f"Not every intended reparent happened: {wrong[0]}.", [*wrong, *notes], figures)
    if not found:
        return passed("No reparent was intended.", figures=figures)
    return passed(
        f"{counted(len(found), 'reparent')} happened; the slowest took {seconds(max(took, default=0.0))}.",
        notes,
        figures,
    )


def _skew_ms(history: History) -> float:
    """How far apart the calls of the largest storm left."""
    found = storms(history)
    if not found:
        return 0.0
    begins = [reparent.begin_ns for reparent in max(found, key=lambda storm: len(storm.reparents)).reparents]
    return round((max(begins) - min(begins)) / 1e6, 3)


def _doubts(reparent: Reparent, errors_expected: bool) -> list[str]:
    if reparent.error:
        return [] if errors_expected else [f"{reparent.shard}: the call failed: {reparent.error[:300]}"]
    if not reparent.end_ns:
        return [f"{reparent.shard}: the call never returned"]
    again = reparent.promoted and reparent.promoted == reparent.was_primary
    if again and reparent.fault != EMERGENCY_REPARENT:  # which may choose the same tablet, for a new term
        return [f"{reparent.shard}: {reparent.promoted} was the primary before and after"]
    if not reparent.observed:
        return [f"{reparent.shard}: the call returned, but nothing else shows a new primary"]
    return []


def _vtctld_disagrees(history: History, found: tuple[Reparent, ...]) -> list[str]:
    return [
        line
        for kind, counter in COUNTERS.items()
        for node, series in sorted(history.series.items())
        if series.labels(counter)
        for line in _miscounted(node, series, counter, [r for r in found if r.fault == kind and r.returned_ok])
    ]


def _miscounted(node: str, series: Series, counter: str, good: list[Reparent]) -> Iterator[str]:
    for shard in dict.fromkeys(reparent.shard for reparent in good):
        own = [reparent for reparent in good if reparent.shard == shard]
        seen_ns = series.answered_ns[-1] if series.answered_ns else 0
        if seen_ns <= max(reparent.end_ns for reparent in own):
            continue
        key = f"{counter}:{own[0].keyspace}.{shard}.success"
        counts = series.growth(key, min(reparent.begin_ns for reparent in own)) or 0.0
        if counts < len(own):
            yield f"{shard}: {node} counted {counts:g} successes, {len(own)} calls returned one"


def _uncounted(history: History, found: tuple[Reparent, ...]) -> list[str]:
    """vtgates that did not count a promotion (HealthcheckPrimaryPromoted, go/vt/discovery/healthcheck.go)."""
    notes = []
    for node in history.vtgates:
        series = history.series.get(node.name)
        if series is None or not series.answered_ns:
            continue
        missed = [
            reparent.shard
            for reparent in found
            if reparent.returned_ok
            and series.answered_ns[-1] > reparent.end_ns
            and not series.growth(f"HealthcheckPrimaryPromoted:{reparent.keyspace}.{reparent.shard}", reparent.begin_ns)
        ]
        if missed:
            notes.append(f"{node.name} counted no promotion of {listed(missed)}")
    return notes


@dataclass(frozen=True, slots=True)
class ProbesAlive:
    """vtgate was watched closely enough, except while a fault was aimed at it."""

    name: str = "assumptions/probes"
    kind: CheckKind = CheckKind.ASSUMPTION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _probes(history, node))


def _probes(history: History, node: Node) -> Finding:
    series = history.series.get(node.name)
    if series is None or len(series.answered_ns) < 2:
        return unknown(f"{node.name} was not sampled.")
    stamps = np.asarray(series.answered_ns, dtype=np.int64)
    median_s = float(np.median(np.diff(stamps))) / SECOND_NS
    figures: dict[str, str | int | float] = {"samples": len(stamps), "median_interval_s": round(median_s, 4)}
    if median_s > SAMPLES_JITTER / SAMPLES_HZ:
        return unknown(
            f"{node.name} was sampled every {median_s:.2f} s; {1 / SAMPLES_HZ} s is needed.", figures=figures
        )
    window = trouble(history)
    holes = _holes(history, node.name, series, window) if window else []
    figures["longest_hole_s"] = round(max((seconds_between(*hole) for hole in holes), default=0.0), 3)
    if holes and window:
        worst = max(holes, key=lambda hole: hole[1] - hole[0])
        return unknown(
            f"{node.name} did not answer the probe for {seconds(seconds_between(*worst))} during the storm, "
            "although no fault was aimed at it.",
            figures=figures,
        )
    return passed(f"{len(stamps)} samples, one every {median_s:.2f} s.", figures=figures)


def _holes(history: History, node: str, series: Series, window: tuple[int, int]) -> list[tuple[int, int]]:
    inside = [stamp for stamp in series.answered_ns if window[0] < stamp < window[1]]
    before = [stamp for stamp in series.answered_ns if stamp <= window[0]][-1:] or [window[0]]
    after = [stamp for stamp in series.answered_ns if stamp >= window[1]][:1] or [window[1]]
    marks = [*before, *inside, *after]
    faults = faults_on(history, node)
    return [
        (begin, end)
        for begin, end in itertools.pairwise(marks)
        if seconds_between(begin, end) > HOLE_S
        and not any(in_force(span, end, slack_ns=SECOND_NS) or begin <= span.begin_ns <= end for span in faults)
    ]


@dataclass(frozen=True, slots=True)
class BufferingStarted:
    """Where buffering is on and primaries moved under load, it started on one shard at least: otherwise the
    run says nothing about buffering (too little load, or a reparent too quick to be felt)."""

    name: str = "assumptions/buffering"
    kind: CheckKind = CheckKind.ASSUMPTION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _buffering(history, node))


def _buffering(history: History, node: Node) -> Finding:
    found = [reparent for reparent in reparents(history) if reparent.end_ns]
    if not settings(history, node.name).enabled:
        return passed(f"Buffering is off on {node.name}.")
    if not found or not history.lanes_of(node.name):
        return passed("No primary moved under load; there was nothing to buffer.")
    series = history.series.get(node.name)
    if series is None or not series.labels("BufferStarts"):
        return unknown(f"{node.name} showed no BufferStarts counter.")
    shards = [
        shard
        for keyspace, shard in dict.fromkeys((reparent.keyspace, reparent.shard) for reparent in found)
        if series.growth(f"BufferStarts:{keyspace}.{shard}", found[0].begin_ns)
    ]
    figures: dict[str, str | int | float] = {"shards_buffering": len(shards)}
    if not shards:
        return unknown(
            f"{node.name} never started buffering, although {counted(len(found), 'primary', 'primaries')} moved.",
            figures=figures,
        )
    return passed(f"Buffering started on {counted(len(shards), 'shard')}.", figures=figures)


@dataclass(frozen=True, slots=True)
class RunComplete:
    """The run came to its end, and what it wrote was read back."""

    name: str = "assumptions/complete"
    kind: CheckKind = CheckKind.ASSUMPTION

    def check(self, history: History) -> tuple[CheckResult, ...]:
        missing = what_is_missing(history)
        if missing:
            return (result(self, unknown(f"The run is not complete: {missing[0]}.", missing)),)
        return (result(self, passed("The run came to its end and every table was read back.")),)


def what_is_missing(history: History) -> list[str]:
    """Why a run is not whole, most telling first; [] = it is."""
    missing = []
    for event in history.events:
        if event.kind in ("interrupt", "harness-error"):
            text = event.details.get("error") or event.details.get("text") or event.subject
            missing.append(f"{event.kind}: {text}" if text else event.kind)
        if event.kind == "exit" and event.details.get("cause"):
            at = offset(event.at_ns, history.start_ns)
            missing.append(f"{event.subject} was {event.details['cause']} ({at})")
        if event.kind == "spoiled":
            missing.append(f"{event.details.get('why', event.subject)} ({offset(event.at_ns, history.start_ns)})")
    if quiet_ns(history) is None:
        last = list(history.phases)[-1:]
        missing.append(f"it never became quiet (its last phase was {last[0]})" if last else "it never began")
    missing += _unread(history)
    open_calls = [span for span in history.faults if not _settled(span.error, span.active_ns)]
    if open_calls:
        missing.append(f"{counted(len(open_calls), 'fault')} never came into force ({open_calls[0].fault})")
    missing += [f"{what} is missing" for what in history.incomplete if _is_needed(history, what)]
    return missing


def _unread(history: History) -> list[str]:
    """Tables that the clients wrote to and that were not read back."""
    load, items = history.plan.load, history.plan.items
    found = []
    unread = sorted({lane.shard for lane in history.lanes} - set(history.rows))
    if load is not None and load.workload is Workload.LEDGER and (unread or not history.rows):
        found.append(f"the tables of {listed(unread) if unread else 'all shards'} were not read back")
    if items is not None and history.plan.streams:  # what streams are compared with; a workflow moves its tables away
        cluster = history.plan.cluster
        wanted = [(cluster.keyspace, table, shard) for table in items.names for shard in cluster.shard_names]
        absent = [
            f"{table} of {shard}" for keyspace, table, shard in wanted if (keyspace, table, shard) not in history.tables
        ]
        found += [f"{listed(absent)} was not read back"] if absent else []
    return found


def _is_needed(history: History, what: str) -> bool:
    """Whether something that the run directory lacks is missed. The ledger's rows are told of elsewhere."""
    if what.startswith(("stream", "table", "faults", "samples", "loglines")):
        return True
    return history.plan.load is not None and not what.startswith("rows")


def _settled(error: str, active_ns: int) -> bool:
    return bool(error) or active_ns > 0
