"""`vtchaos compare A B`: run directories, or folders of repeated runs."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click
from rich.console import Console

from harness import history
from harness.base import jsonio
from harness.base.errors import RunDirError
from harness.base.exit_codes import EXIT_FINDING, EXIT_PASS
from harness.base.rundir import RunDir
from harness.base.taken_up import fitting
from harness.checks.judge import judge
from harness.compare import text
from harness.compare.comparison import compare
from harness.many.records import RunRecord, record
from harness.model import Objective
from harness.options import objective_of, objective_option
from harness.repeats.command import SUMMARY
from harness.repeats.summary import Summary


@click.command("compare")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything, for programs.")
@click.option("--fail-if-worse", is_flag=True, help="Exit code 1 where B is surely worse than A in anything.")
@objective_option
def compare_command(a: Path, b: Path, as_json: bool, fail_if_worse: bool, objective: str | None) -> None:
    """Say how B differs from A, and how sure that is.

    A and B are run directories, or folders of repeated runs (`vtchaos run --count`). Rates are compared with exact
    tests, figures by ranks with a bootstrapped interval, one number a run; what could be chance is not called a
    difference. Exit code 0, or 1 with --fail-if-worse.
    """
    wanted = None if objective is None else objective_of(objective)
    found = compare(str(a), runs_in(a, wanted), str(b), runs_in(b, wanted))
    if as_json:
        click.echo(jsonio.dumps(found).decode(), nl=False)
    else:
        text.show(found, Console())
    sys.exit(EXIT_FINDING if fail_if_worse and found.worse else EXIT_PASS)


def runs_in(folder: Path, objective: Objective | None = None) -> tuple[RunRecord, ...]:
    """The runs of a folder: as its summary has them, or judged now. Raises RunDirError."""
    if objective is None and (folder / SUMMARY).is_file():
        return fitting(folder / SUMMARY, Summary).runs
    if (folder / "plan.json").is_file():
        return (_judged(folder, objective),)
    runs = sorted(plan.parent for plan in folder.glob("*/plan.json") if "-broken-off" not in plan.parent.name)
    if not runs:
        raise RunDirError(f"{folder} is no run directory, and has none in it")
    return tuple(_judged(run, objective) for run in runs)


def _judged(folder: Path, objective: Objective | None) -> RunRecord:
    seen = history.load(RunDir.open(folder))
    if objective is not None:
        seen = dataclasses.replace(seen, plan=dataclasses.replace(seen.plan, objective=objective))
    return record(seen, judge(seen), folder.name)
