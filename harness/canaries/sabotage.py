"""The harness broken on purpose: a run that must not be green, to see that its checks can see.

One hook for each place where a run can be broken: the cluster that is started, a fault's act, the record before it is
judged. Checks, judge and attribution know nothing of it. A run in which nothing could be broken has failed as a run of
the harness (exit code 4): it says neither that a check sees nor that it is blind.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from harness import history
from harness.base import rng
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, PlanError
from harness.base.rundir import LineLog, RunDir
from harness.canaries import spoiling
from harness.canaries.spoiling import Spoil
from harness.contracts import Aim, Experiment, Fault, SpanRecorder, Stage
from harness.facts.storm import PLANNED_REPARENT, reparents
from harness.history import History
from harness.many.records import FAILURE, SABOTAGE, RunRecord
from harness.model import (
    Capability,
    ClusterSpec,
    ConnectionMode,
    Event,
    Outcome,
    Plan,
    ReadResult,
    Verdict,
    Workload,
)
from harness.planning import Overrides, build

ACKNOWLEDGED, PHANTOMS, FAILED = "durability/acknowledged", "durability/phantoms", "durability/failed"
LEDGER = (ACKNOWLEDGED, PHANTOMS, FAILED)
READS, RELIABLE = "reads/acknowledged", "vstream/reliable"
COMPLETE, PROBES, BUFFERING = "assumptions/complete", "assumptions/probes", "assumptions/buffering"
FELT, REPARENTS = "faults/felt", "assumptions/reparents"
CONTROL = "nothing"  # how a timeline is called that issues no fault

Unfit = Callable[[Plan, Experiment], str]  # why there is nothing to break; "" = there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """One way to break a run. `sees`: the checks of which one must see it; the others that it may make red say
    nothing. `red`: what those checks must say. One of `cluster`, `fault` and `record` is what is done; `missed`:
    why it could not have any effect in this run."""

    why: str  # what is broken, and what that stands for
    sees: tuple[str, ...]
    red: Verdict
    unfit: Unfit
    cluster: Callable[[ClusterSpec], ClusterSpec] | None = None
    fault: Callable[[Fault], Fault] | None = None
    record: Spoil | None = None
    missed: Callable[[History], str] = lambda _: ""

    def caught(self, record: RunRecord) -> bool:
        """A check whose business it is saw it, and the run is not green."""
        saw = any(said.check in self.sees and said.verdict is self.red for said in record.results)
        return saw and record.verdict is not Verdict.PASS


# ---------------------------------------------------------------- what fits where


def _asks(plan: Plan, *checks: str) -> str:
    return "" if set(checks) & set(plan.checks) else f"it does not ask for {' or '.join(checks)}"


def _without_ledger(plan: Plan, experiment: Experiment) -> str:
    del experiment
    if plan.load is None or plan.load.workload is not Workload.LEDGER or not plan.load.write_share:
        return "its clients write no ledger rows"
    return next(filter(None, (_asks(plan, check) for check in LEDGER)), "")


def _without_reads(plan: Plan, experiment: Experiment) -> str:
    load = plan.load
    if load is not None and (load.mode is ConnectionMode.TRANSACTION or load.write_share >= 1):
        return "its clients only write"
    return _without_ledger(plan, experiment) or _asks(plan, READS)


def _without_streams(plan: Plan, experiment: Experiment) -> str:
    del experiment
    return _asks(plan, RELIABLE) if plan.streams else "it has no streams"


def _without_load(plan: Plan, experiment: Experiment) -> str:
    del experiment
    return "" if plan.load is not None else "it has no load"


def _without_probes(plan: Plan, experiment: Experiment) -> str:
    del experiment
    return _asks(plan, PROBES)


def _without_faults(plan: Plan, experiment: Experiment) -> str:
    timeline = getattr(experiment.timeline, "func", experiment.timeline)  # of a functools.partial
    if timeline.__name__ == CONTROL or (FELT in plan.checks and not plan.params.get("faults", 1.0)):
        return "it is a control, and issues no fault"
    return _asks(plan, FELT, REPARENTS)


def _without_reparents(plan: Plan, experiment: Experiment) -> str:
    return _without_faults(plan, experiment) or _asks(plan, REPARENTS)


def _without_buffer(plan: Plan, experiment: Experiment) -> str:
    if plan.cluster_name:
        return f"the vtgates of {plan.cluster_name} are started already"
    spec = plan.cluster
    if any({**spec.vtgate_flags, **vtgate.flags}.get(BUFFER, "false") == "false" for vtgate in spec.vtgates):
        return "not all of its vtgates buffer"
    return _without_faults(plan, experiment) or _asks(plan, BUFFERING)


# ---------------------------------------------------------------- a fault's act

BUFFER = "enable-buffer"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A fault of which everything goes on (aim, intent, evidence, healing) but its act. `evidence`: what is said of it
    instead of looking; None = it is looked for."""

    fault: Fault
    evidence: bool | None = None

    @property
    def name(self) -> str:
        return self.fault.name

    @property
    def needs(self) -> frozenset[Capability]:
        return self.fault.needs

    @property
    def one_shot(self) -> bool:
        return self.fault.one_shot

    async def aim(self, stage: Stage) -> Aim:
        return await self.fault.aim(stage)

    def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AbstractAsyncContextManager[None]:
        return _nothing(stage, self.fault, span)

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        return await self.fault.observed(stage, aim) if self.evidence is None else self.evidence

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await self.fault.recovered(stage, aim)


@contextlib.asynccontextmanager
async def _nothing(stage: Stage, fault: Fault, span: SpanRecorder) -> AsyncIterator[None]:
    stage.note(f"sabotage: the act of {fault.name} was left out")
    span.begin()
    span.active()
    yield


def _lying(fault: Fault) -> Fault:
    """Of what vtctld counts itself, from the cluster's start on; of other faults nobody else could know better."""
    return LeftOut(fault, evidence=True) if fault.name == PLANNED_REPARENT else fault


def _no_fault(seen: History) -> str:
    if FELT not in seen.plan.checks:
        return _no_reparent(seen)
    return "" if any(span.begin_ns for span in seen.faults) else "no fault was issued that could have been left out"


def _no_reparent(seen: History) -> str:
    return "" if reparents(seen) else "no reparent was issued"


def _no_planned_reparent(seen: History) -> str:
    return "" if seen.spans(PLANNED_REPARENT) else "no planned reparent was issued"


def _nothing_to_buffer(seen: History) -> str:
    return "" if any(each.returned_ok for each in reparents(seen)) else "no primary moved that could have been hidden"


def _unbuffered(spec: ClusterSpec) -> ClusterSpec:
    vtgates = tuple(replace(vtgate, flags={**vtgate.flags, BUFFER: "false"}) for vtgate in spec.vtgates)
    return replace(spec, vtgates=vtgates)


# ---------------------------------------------------------------- the table

SABOTAGES: Mapping[str, Sabotage] = {
    "lost-row": Sabotage(
        why="an acknowledged row is missing from what was read back, as if MySQL had lost it",
        sees=(ACKNOWLEDGED,),
        red=Verdict.FAIL,
        unfit=_without_ledger,
        record=spoiling.an_acknowledged_row("was taken out", spoiling.without),
    ),
    "altered-row": Sabotage(
        why="an acknowledged row has another value, as after a write that overtook another",
        sees=(ACKNOWLEDGED,),
        red=Verdict.FAIL,
        unfit=_without_ledger,
        record=spoiling.an_acknowledged_row("was given another value", spoiling.altered),
    ),
    "doubled-row": Sabotage(
        why="an acknowledged row is stored twice, as after a retry that should not have been",
        sees=(ACKNOWLEDGED,),
        red=Verdict.FAIL,
        unfit=_without_ledger,
        record=spoiling.an_acknowledged_row("was put in twice", spoiling.doubled),
    ),
    "phantom-row": Sabotage(
        why="a row is stored that nobody wrote",
        sees=(PHANTOMS,),
        red=Verdict.FAIL,
        unfit=_without_ledger,
        record=spoiling.a_row_of_nobody,
    ),
    "refused-row": Sabotage(
        why="a write is told to have failed that is stored",
        sees=(FAILED,),
        red=Verdict.FAIL,
        unfit=_without_ledger,
        record=spoiling.an_operation("was told as failed", spoiling.acknowledged_writes, outcome=Outcome.FAIL),
    ),
    "unread-row": Sabotage(
        why="a read of an acknowledged row is told to have found nothing",
        sees=(READS,),
        red=Verdict.FAIL,
        unfit=_without_reads,
        record=spoiling.an_operation("found nothing", spoiling.answered_reads, rows=ReadResult.MISSING),
    ),
    "dropped-event": Sabotage(
        why="an event of a VStream is missing, as if vtgate had skipped a row",
        sees=(RELIABLE,),
        red=Verdict.FAIL,
        unfit=_without_streams,
        record=spoiling.a_copied_event,
    ),
    "torn-operation": Sabotage(
        why="the record of the load ends within an operation, as after a full disk",
        sees=(COMPLETE,),
        red=Verdict.UNKNOWN,
        unfit=_without_load,
        record=spoiling.the_last_operation,
    ),
    "deaf-probe": Sabotage(
        why="the samples of a vtgate end after the first, as if its probe had died",
        sees=(PROBES,),
        red=Verdict.UNKNOWN,
        unfit=_without_probes,
        record=spoiling.a_vtgates_samples,
    ),
    "no-op": Sabotage(
        why="the act of every fault is left out, as of a fault that stopped to work",
        sees=(FELT, REPARENTS),
        red=Verdict.UNKNOWN,
        unfit=_without_faults,
        fault=LeftOut,
        missed=_no_fault,
    ),
    "false-evidence": Sabotage(
        why="no reparent is made, and its evidence says that it was",
        sees=(REPARENTS,),
        red=Verdict.UNKNOWN,
        unfit=_without_reparents,
        fault=_lying,
        missed=_no_planned_reparent,
    ),
    "no-buffer": Sabotage(
        why="the vtgates are started with --enable-buffer=false, behind the plan's back",
        sees=(BUFFERING,),
        red=Verdict.UNKNOWN,
        unfit=_without_buffer,
        cluster=_unbuffered,
        missed=_nothing_to_buffer,
    ),
}
"""Kind → what it does."""


# ---------------------------------------------------------------- its use


def planned(plan: Plan, kind: str, experiment: Experiment) -> Plan:
    """The plan, sabotaged. Raises PlanError where that kind has nothing to break, or is none."""
    if not kind:
        return plan
    if kind not in SABOTAGES:
        raise PlanError(f"no sabotage is called {kind}; there are {', '.join(SABOTAGES)}")
    why_not = SABOTAGES[kind].unfit(plan, experiment)
    if why_not:
        raise PlanError(f"--sabotage {kind} breaks nothing in {plan.experiment}: {why_not}")
    return replace(plan, sabotage=kind)


def kinds_for(experiment: Experiment) -> tuple[str, ...]:
    """Those that have something to break in it, as it is planned without options."""
    plan = build(experiment, Overrides(), backend="", seed=0, command_line=(), harness_version="")
    return tuple(kind for kind, each in SABOTAGES.items() if not each.unfit(plan, experiment))


def cluster_of(plan: Plan) -> ClusterSpec:
    """What is started."""
    change = SABOTAGES[plan.sabotage].cluster if plan.sabotage else None
    return change(plan.cluster) if change is not None else plan.cluster


def acting(plan: Plan) -> Callable[[Fault], Fault]:
    """What a fault of the run is replaced by."""
    change = SABOTAGES[plan.sabotage].fault if plan.sabotage else None
    return change or (lambda fault: fault)


def completed(plan: Plan, run: RunDir) -> HarnessError | None:
    """Break the record of a run that came to its end, and put into it what was broken. The error of one in which there
    was nothing to break: it is on record, and the run proves nothing."""
    if not plan.sabotage:
        return None
    error: HarnessError | None = None
    try:
        what = _broken(plan, run)
        event = Event(at_ns=now_ns(), kind=SABOTAGE, subject=plan.sabotage, details={"what": what})
    except HarnessError as caught:
        error = HarnessError(f"the sabotage {plan.sabotage} came to nothing: {caught}")
        event = Event(at_ns=now_ns(), kind=FAILURE, subject=str(error))
    log = LineLog(run.events)
    log.append(event)
    log.close()
    return error


def _broken(plan: Plan, run: RunDir) -> str:
    """What was broken. Raises HarnessError."""
    sabotage, seen = SABOTAGES[plan.sabotage], history.load(run)
    missed = sabotage.missed(seen)
    if missed:
        raise HarnessError(missed)
    if sabotage.record is None:
        return sabotage.why
    return sabotage.record(run, seen, rng.child(plan.seed, SABOTAGE))
