"""What is kept of a run when it is one of several: verdicts, figures, errors, causes, and what it ran on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.facts.affected import class_of_each, erroneous
from harness.facts.outages import availability, lane_stalls, recoveries
from harness.facts.storm import reparents, storms
from harness.history import History, Ops
from harness.model import CheckKind, Outcome, RunVerdict, Verdict

HOST = ("cores", "cpu", "memory_bytes", "kernel")  # of host.json
FAILURE, SABOTAGE = "harness-error", "sabotage"  # kinds of events
Values = Mapping[str, tuple[float, ...]]  # figure → one value a lane, reparent or run


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number a run. `source`: the values that it is made of."""

    name: str
    title: str
    unit: str  # "s", "ms", "%", "" = a count
    source: str
    reduce: str = "max"  # max, median or sum
    worse: int = 1  # 1: more is worse; -1: less is


FIGURES = (
    Figure(name="worst_stall_s", title="worst shard's longest stall", unit="s", source="stall_s"),
    Figure(name="median_stall_s", title="median shard's longest stall", unit="s", source="stall_s", reduce="median"),
    Figure(name="recovery_s", title="slowest shard's time to recover", unit="s", source="recovery_s"),
    Figure(name="errors", title="errors", unit="", source="errors", reduce="sum"),
    Figure(name="not_issued", title="operations not issued", unit="", source="not_issued", reduce="sum"),
    Figure(name="availability", title="answered in time", unit="%", source="availability", worse=-1),
    Figure(name="p99_ms", title="99th percentile of latency", unit="ms", source="p99_ms"),
    Figure(name="reparent_s", title="median reparent", unit="s", source="reparent_s", reduce="median"),
    Figure(name="slowest_reparent_s", title="slowest reparent", unit="s", source="reparent_s"),
    Figure(name="storm_s", title="longest storm", unit="s", source="storm_s"),
)
_REDUCE: Mapping[str, Callable[[Sequence[float]], Any]] = {"max": np.max, "median": np.median, "sum": np.sum}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One result of one check."""

    check: str
    kind: CheckKind
    verdict: Verdict
    subject: str = ""  # vtgate; "" = the whole cluster
    issue: str = ""  # the known bug that it reproduced
    about: str = ""  # of a red one: its summary
    symptoms: tuple[str, ...] = ()  # of a red one: what is wrong, alike in every run (CheckResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is kept of one run."""

    run_id: str
    folder: str
    experiment: str
    seed: int
    verdict: Verdict
    exit_code: int
    headline: str
    reproduced: tuple[str, ...] = ()
    failure: str = ""  # how the harness failed in it, although it was judged
    sabotaged: str = ""  # kind of what was broken in it on purpose; planned and not come to, it is none
    results: tuple[Said, ...] = ()
    vtgates: Mapping[str, str] = field(default_factory=dict)  # node → what it is called in all runs: its release
    values: Mapping[str, Values] = field(default_factory=dict)  # vtgate, or "" = the cluster → its figures' values
    errors: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # vtgate → error class → operations
    causes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # vtgate → cause → operations
    setting: Mapping[str, str] = field(default_factory=dict)  # what it ran on, and with

    @property
    def counts(self) -> bool:
        return self.verdict is not Verdict.UNKNOWN

    @property
    def shows(self) -> bool:
        """A finding, or a known bug where it was expected."""
        return self.verdict is Verdict.FAIL or (self.counts and bool(self.reproduced))

    @property
    def error_count(self) -> int:
        """Operations that came to a bad end, through all vtgates."""
        return sum(number for of_vtgate in self.errors.values() for number in of_vtgate.values())

    def figure(self, figure: Figure, vtgate: str) -> float | None:
        """None where there was nothing to measure. `vtgate`: as it is called in all runs; "" = the cluster."""
        nodes = [node for node, name in self.vtgates.items() if name == vtgate] if vtgate else [""]
        found = [value for node in nodes for value in self.values.get(node, {}).get(figure.source, ())]
        return float(_REDUCE[figure.reduce](found)) if found else None


def record(history: History, verdict: RunVerdict, folder: str) -> RunRecord:
    """What is kept of a run in `folder`."""
    names = _names(history)
    return RunRecord(
        run_id=verdict.run_id,
        folder=folder,
        experiment=verdict.experiment,
        seed=history.plan.seed,
        verdict=verdict.verdict,
        exit_code=verdict.exit_code,
        headline=verdict.headline,
        reproduced=verdict.reproduced,
        failure=_first(history, FAILURE),
        sabotaged=_first(history, SABOTAGE),
        results=tuple(_said(verdict)),
        vtgates=names,
        values={"": _cluster(history), **{node: _values(history, node) for node in names}},
        errors={node: _errors(history, node) for node in names},
        causes={node: _causes(verdict, node) for node in names},
        setting=_setting(history),
    )


def broken(folder: str, experiment: str, seed: int, exit_code: int, why: str) -> RunRecord:
    """Of a run that came to no verdict."""
    return RunRecord(
        run_id="", folder=folder, experiment=experiment, seed=seed, verdict=Verdict.UNKNOWN, exit_code=exit_code,
        headline=why,
    )  # fmt: skip


def _first(history: History, kind: str) -> str:
    """The subject of the first event of a kind."""
    return next((event.subject for event in history.events if event.kind == kind), "")


def _names(history: History) -> Mapping[str, str]:
    """The release of each vtgate; with the node's name where there are several of it."""
    releases = Counter(node.version for node in history.vtgates)
    return {
        node.name: node.version if releases[node.version] == 1 else f"{node.version} ({node.name})"
        for node in history.vtgates
    }


def _said(verdict: RunVerdict) -> Iterator[Said]:
    for result in verdict.results:
        issue = str(result.figures.get("known_bug", "")) if result.verdict is Verdict.PASS else ""
        yield Said(
            check=result.check,
            kind=result.kind,
            verdict=result.verdict,
            subject=result.subject,
            issue=issue,
            about=result.summary if result.verdict is Verdict.FAIL else "",
            symptoms=result.symptoms if result.verdict is Verdict.FAIL else (),
        )


def _cluster(history: History) -> Values:
    return {
        "reparent_s": tuple(reparent.duration_s for reparent in reparents(history) if reparent.end_ns),
        "storm_s": tuple(storm.duration_s for storm in storms(history)),
    }


def _values(history: History, vtgate: str) -> Values:
    ops = history.ops_of(history.lanes_of(vtgate))
    if not len(ops):
        return {}
    took = [found.took_s for found in recoveries(history) if found.vtgate == vtgate]
    return {
        "stall_s": tuple(lane.worst_s for lane in lane_stalls(history) if lane.vtgate == vtgate),
        "recovery_s": tuple(seconds for seconds in took if seconds is not None),
        "errors": (float(len(erroneous(ops))),),
        "not_issued": (float(np.count_nonzero(ops["outcome"] == Outcome.NOT_ISSUED)),),
        "availability": tuple(100 * found.share for found in availability(history) if found.vtgate == vtgate),
        "p99_ms": _p99_ms(ops),
    }


def _p99_ms(ops: Ops) -> tuple[float, ...]:
    good = ops[ops["outcome"] == Outcome.OK]
    return (float(np.percentile(good["done_ns"] - good["intended_ns"], 99)) / 1e6,) if len(good) else ()


def _errors(history: History, vtgate: str) -> Mapping[str, int]:
    bad = erroneous(history.ops_of(history.lanes_of(vtgate)))
    return dict(Counter(class_of_each(history, bad).tolist()))


def _causes(verdict: RunVerdict, vtgate: str) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for row in verdict.causes:
        if row.vtgate == vtgate:
            found[row.cause] += row.operations
    return dict(found)


def _setting(history: History) -> Mapping[str, str]:
    """Everything in which two runs may differ without being told."""
    plan, spec, load = history.plan, history.plan.cluster, history.plan.load
    found = {
        "experiment": plan.experiment,
        "backend": plan.backend,
        "cluster": plan.cluster_name or "its own",
        "shards": str(spec.shards),
        "tablets a shard": str(spec.tablets_per_shard),
        "vitess": spec.vitess,
        "vtgate": ", ".join(spec.vtgate_version(index) for index in range(len(spec.vtgates))),
        "mysql": spec.mysql or "fitting",
        "vtgate flags": _flags(spec.vtgate_flags),
        "vttablet flags": _flags(spec.vttablet_flags),
        "objective": f"{plan.objective.percent:g} % within {plan.objective.within_s:g} s",
        "harness": plan.harness_version,
        **{f"parameter {name}": f"{value:g}" for name, value in plan.params.items()},
        **{f"host's {name}": str(history.host[name]) for name in HOST if name in history.host},
    }
    if plan.sabotage:
        found["sabotage"] = plan.sabotage
    if load is not None:
        found |= {
            "load": f"{load.rate_per_shard:g}/s a shard, {load.write_share:.0%} writes, {load.workload}",
            "connections": f"{load.connections_per_shard} {load.mode} a shard",
        }
    return found


def _flags(flags: Mapping[str, str]) -> str:
    return " ".join(f"--{name}={value}" if value else f"--{name}" for name, value in sorted(flags.items())) or "none"
