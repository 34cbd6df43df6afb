"""Goal: a sabotage is refused where it has nothing to break, acts where it should, and is never mistaken.

That each kind is caught is shown in tests/golden/test_sabotage.py and tests/cluster/test_sabotage.py.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from experiments import EXPERIMENTS
from harness import planning
from harness.base import jsonio
from harness.base.errors import PlanError
from harness.base.rundir import RunDir
from harness.canaries import sabotage
from harness.canaries.sabotage import SABOTAGES, LeftOut
from harness.checks.judge import judge
from harness.contracts import Fault
from harness.faults.process import Killed
from harness.faults.reparent import PlannedReparent
from harness.faults.targets import Targets
from harness.history import History
from harness.model import Plan, Role
from harness.planning import Overrides
from harness.reports import junit, markdown, terminal
from harness.reports.html import view
from harness.stage import EventLog, RunStage
from tests.fakes import calm
from tests.unit.run_fakes import Diary, DiaryFault, FakeCluster, Watcher, a_stage, spans, steps
from tests.unit.run_fakes import plan as a_plan

DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "canaries.md"


def planned(name: str, kind: str, **more: object) -> Plan:
    experiment = EXPERIMENTS[name]
    made = planning.build(experiment, Overrides(), backend="local", seed=7, command_line=(), harness_version="")
    return sabotage.planned(replace(made, **more), kind, experiment)  # type: ignore[arg-type]


# ---------------------------------------------------------------- where it fits


@pytest.mark.parametrize(
    ("name", "kind", "why_not"),
    [
        ("reparent/control", "no-op", "it is a control"),
        ("reparent/control", "no-buffer", "it is a control"),
        ("faults/none", "no-op", "it is a control"),
        ("faults/random", "no-buffer", "it does not ask for assumptions/buffering"),
        ("faults/random", "false-evidence", "it does not ask for assumptions/reparents"),
        ("faults/random", "dropped-event", "it has no streams"),
        ("vstream/copy-cycles", "lost-row", "its clients write no ledger rows"),
        ("reparent/storm-2", "bogus", "no sabotage is called bogus"),
    ],
)
def test_it_is_refused_where_there_is_nothing_to_break(name: str, kind: str, why_not: str) -> None:
    with pytest.raises(PlanError, match=why_not):
        planned(name, kind)


def test_vtgates_that_are_started_already_cannot_be_started_otherwise() -> None:
    with pytest.raises(PlanError, match="are started already"):
        planned("reparent/storm-2", "no-buffer", cluster_name="there")


@pytest.mark.parametrize("kind", SABOTAGES)
def test_it_is_planned_where_there_is(kind: str) -> None:
    fitting = [experiment for experiment in EXPERIMENTS.values() if kind in sabotage.kinds_for(experiment)]
    assert fitting
    for experiment in fitting:
        assert planned(experiment.name, kind).sabotage == kind


def test_nothing_is_broken_unless_it_is_asked_for() -> None:
    plan = planned("reparent/storm-2", "")
    assert plan.sabotage == ""
    assert sabotage.cluster_of(plan) is plan.cluster
    fault = PlannedReparent(shard="-80")
    assert sabotage.acting(plan)(fault) is fault
    assert sabotage.completed(plan, None) is None  # type: ignore[arg-type]


# ---------------------------------------------------------------- what it does


def test_the_buffer_is_off_in_what_is_started_and_on_in_the_plan() -> None:
    plan = planned("reparent/storm-2", "no-buffer")
    started = sabotage.cluster_of(plan)
    assert {vtgate.flags[sabotage.BUFFER] for vtgate in started.vtgates} == {"false"}
    assert plan.cluster.vtgate_flags[sabotage.BUFFER] == ""
    assert all(sabotage.BUFFER not in vtgate.flags for vtgate in plan.cluster.vtgates)


@pytest.mark.parametrize("observed", [False, True])
async def test_only_the_act_is_left_out(observed: bool, tmp_path: Path) -> None:
    async def evidence() -> bool:
        return observed

    diary: Diary = []
    fault = DiaryFault(diary, evidence=evidence)
    async with a_stage(tmp_path / "run", FakeCluster()) as stage, stage.inject(LeftOut(fault)):
        pass
    assert diary == ["aim", "look"]
    assert steps(tmp_path / "run") == ["intent", "begin", "active", "observed", "recover", "healed", "recovered"]
    (span,) = spans(tmp_path / "run")
    assert (span.fault, span.observed, span.error) == ("Diary", observed, "")
    notes = [str(line["subject"]) for line in jsonio.read_lines(tmp_path / "run" / "events.jsonl")]
    assert notes == ["sabotage: the act of Diary was left out"]


async def test_a_runs_stage_issues_what_the_sabotage_makes_of_a_fault(tmp_path: Path) -> None:
    diary: Diary = []
    run = RunDir.create(tmp_path / "run")
    events = EventLog(run, Watcher())
    acting = sabotage.acting(planned("reparent/storm-2", "no-op"))
    made = RunStage(FakeCluster(), run, events, plan=a_plan(), acting=acting)
    async with made as stage, stage.inject(DiaryFault(diary)):
        pass
    events.close()
    assert "act" not in diary


def test_evidence_is_false_only_where_somebody_else_knows_better() -> None:
    lie = sabotage.acting(planned("reparent/storm-2", "false-evidence"))
    killed: Fault = Killed(targets=Targets(role=Role.VTGATE))
    assert lie(killed) is killed
    assert lie(PlannedReparent(shard="0")) == LeftOut(PlannedReparent(shard="0"), evidence=True)


# ---------------------------------------------------------------- nobody mistakes it


def a_sabotaged_run() -> History:
    seen = calm().build()
    return replace(seen, plan=replace(seen.plan, sabotage="lost-row"))


def test_a_sabotaged_run_says_so_everywhere(tmp_path: Path) -> None:
    seen = a_sabotaged_run()
    verdict = judge(seen)
    text = io.StringIO()
    terminal.show(seen, verdict, Console(file=text, width=200), folder=tmp_path)
    assert "SABOTAGED on purpose (lost-row)" in text.getvalue()
    assert "SABOTAGED on purpose" in markdown.page(seen, verdict)
    assert "SABOTAGED on purpose" in view(seen, verdict)["sentence"]
    suite = junit.render(seen, verdict, tmp_path / "junit.xml").read_text()
    assert '<property name="sabotage" value="lost-row"' in suite


def test_every_kind_is_in_the_how_to() -> None:
    text = DOCS.read_text()
    assert [kind for kind in SABOTAGES if f"`{kind}`" not in text] == []
