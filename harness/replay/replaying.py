"""From the plan of an earlier run to the plan of one that is the same again, or a sentence that says why not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from harness.base.errors import PlanError
from harness.base.taken_up import new_name
from harness.contracts import Experiment
from harness.facts.words import counted, listed
from harness.many.findings import findings
from harness.many.records import RunRecord
from harness.model import ClusterSpec, Plan
from harness.planning import choose
from harness.refusals import refuse_plan
from harness.replay.schedule import Pair

AGAIN = "issued again"  # how the notes of a replay begin
BEGAN_APART_S = 1.0  # beyond it a fault was not issued at the same time


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """`replay.json`: an earlier run and the one that issued the same again."""

    source: str  # run id
    pairs: tuple[Pair, ...]
    then: tuple[str, ...]  # what showed: names of findings, and known bugs where they were expected
    now: tuple[str, ...]
    then_counts: bool = True  # False: that run proves nothing, so that nothing could show
    now_counts: bool = True
    then_errors: int = 0  # operations that came to a bad end
    now_errors: int = 0

    @property
    def same(self) -> bool:
        return self.then_counts and self.now_counts and set(self.then) == set(self.now)

    @property
    def same_faults(self) -> bool:
        return all(is_alike(pair) for pair in self.pairs)


def is_alike(pair: Pair) -> bool:
    """The same fault on the same targets at the same time."""
    then, now = pair.then, pair.now
    if then is None or now is None:
        return False
    return set(then.targets) == set(now.targets) and abs(then.at_s - now.at_s) <= BEGAN_APART_S


def shown(run: RunRecord) -> tuple[str, ...]:
    """What a run showed, under names that are the same in every run that shows it."""
    return (
        *(finding.name for finding in findings(run)),
        *(f"{issue}, where it was expected" for issue in run.reproduced),
    )


# ---------------------------------------------------------------- the plan


def again(
    plan: Plan,
    experiments: Mapping[str, Experiment],
    *,
    checks: Collection[str],
    takes_schedule: bool,
    command_line: Sequence[str],
    harness_version: str,
    own: bool = True,
) -> Plan:
    """The plan of a new run: everything as recorded, but on a cluster of its own. `own`: it stays there (otherwise see
    `on_cluster`). `checks`: all that there are; `takes_schedule`: the experiment issues a schedule. Raises PlanError
    for what this version cannot do as it was."""
    experiment = choose(plan.experiment, experiments)
    _require_params(plan, experiment)
    _require_checks(plan, checks)
    if plan.schedule and not takes_schedule:
        raise PlanError(f"{plan.experiment} draws no faults, so that its plan's schedule means nothing; leave it out")
    if own and plan.cluster_name and plan.backend == "kubernetes" and not plan.place.kind:
        raise PlanError(
            f"{plan.run_id} ran on the cluster {plan.cluster_name} in a Kubernetes: name one like it with --cluster"
        )
    made = replace(
        plan,
        run_id=new_name(plan.experiment),
        cluster_name="",
        params=_scheduled_params(plan),
        command_line=tuple(command_line),
        harness_version=harness_version,
        notes=(*_notes(plan, experiment, harness_version, own=own), *_kept_notes(plan)),
    )
    refuse_plan(made)
    return made


def on_cluster(plan: Plan, name: str, running: ClusterSpec) -> Plan:
    """The same on a cluster that stands. Raises PlanError unless it is as the recorded one was."""
    differs = [each.name for each in fields(running) if getattr(running, each.name) != getattr(plan.cluster, each.name)]
    if differs:
        raise PlanError(f"the cluster {name} is not as that of the run was: it has another {listed(differs)}")
    return replace(plan, cluster_name=name)


def _require_params(plan: Plan, experiment: Experiment) -> None:
    unknown, missing = set(plan.params) - set(experiment.params), set(experiment.params) - set(plan.params)
    if unknown:
        raise PlanError(f"{plan.experiment} has no parameter {listed(sorted(unknown))} in this version")
    if missing:
        raise PlanError(f"{plan.experiment} needs {listed(sorted(missing))}, which the recorded plan does not have")


def _require_checks(plan: Plan, known: Collection[str]) -> None:
    gone = [name for name in plan.checks if name not in known]
    if gone:
        raise PlanError(f"the recorded plan asks for the check {listed(gone)}, which this version does not have")


def _scheduled_params(plan: Plan) -> Mapping[str, float]:
    """As many faults are wanted as the schedule has."""
    if plan.schedule and "faults" in plan.params:
        return {**plan.params, "faults": float(len(plan.schedule))}
    return plan.params


def _notes(plan: Plan, experiment: Experiment, harness_version: str, *, own: bool) -> list[str]:
    scheduled = f", {counted(len(plan.schedule), 'fault')} at their moments" if plan.schedule else ""
    notes = [f"{AGAIN}: the plan of {plan.run_id}{scheduled}"]
    if own and plan.cluster_name:
        notes.append(f"{AGAIN}: on a cluster of its own, as the kept cluster {plan.cluster_name} was")
    if plan.harness_version != harness_version:
        notes.append(f"{AGAIN}: recorded by vtchaos {plan.harness_version}, issued by {harness_version}")
    asked = {check.name for check in experiment.checks}
    new = sorted(asked - set(plan.checks))
    if new:
        notes.append(f"{AGAIN}: the experiment now has the checks {listed(new)} as well, which are not asked here")
    return notes


def _kept_notes(plan: Plan) -> list[str]:
    return [note for note in plan.notes if not note.startswith(AGAIN)]
