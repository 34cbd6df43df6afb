"""The command line and the composition root: it alone looks names up in BACKENDS and EXPERIMENTS."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.metadata
import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from clusters import BACKENDS, sizing, software
from clusters.doctor import backend_rows
from clusters.kubernetes import kubeconfig
from clusters.local import capacity
from experiments import EXPERIMENTS
from harness import history, kept, one_run, placement, plan_words, planning, refusals
from harness.advise_command import advise
from harness.attach_command import attach
from harness.base import jsonio, unexpected
from harness.base.errors import PlanError, VtchaosError
from harness.base.exit_codes import EXIT_INTERRUPTED
from harness.base.rundir import RUNS, RunDir
from harness.canaries import sabotage
from harness.checks.judge import judge
from harness.compare.command import compare_command
from harness.contracts import Backend, Experiment
from harness.fault_commands import fault
from harness.heal import heal
from harness.image_commands import image
from harness.many.children import TURN, words_of
from harness.model import ClusterSpec, Placement, Plan
from harness.narrowing.bisect_command import bisect_command
from harness.narrowing.shrink_command import shrink_command
from harness.nights.command import nights_command
from harness.options import (
    SEED,
    cluster_options,
    load_options,
    objective_of,
    objective_option,
    overrides,
    place_options,
)
from harness.repeats import command as repeat_command
from harness.repeats.command import repeat_options
from harness.replay.command import replay
from harness.reports import RENDERERS, render_all, tables
from harness.soak.command import soak_command
from harness.sweep.command import sweep_command
from harness.timeline_command import timeline

STATES = {"found": "green", "ok": "green", "warn": "yellow", "missing": "red"}  # of doctor's rows → colours

sabotage_option = click.option(
    "--sabotage",
    type=click.Choice(list(sabotage.SABOTAGES)),
    help="Break the harness on purpose: a run that must not be green, to see that its checks can see.",
)


class _Group(click.Group):
    """Errors as one sentence and their exit code; never a traceback for the user's mistake, and never 1, which means
    a finding, for ours."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VtchaosError as error:
            click.echo(f"vtchaos: {error}", err=True)
            sys.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            click.echo("vtchaos: interrupted", err=True)
            sys.exit(EXIT_INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            sys.exit(unexpected.unread("vtchaos"))
        except SystemExit as ended:
            unread = isinstance(ended.__context__, BrokenPipeError)  # rich has seen it
            sys.exit(unexpected.unread("vtchaos") if unread else ended.code)
        except Exception as error:  # noqa: BLE001  the border of the command line
            sys.exit(unexpected.told(error, "vtchaos"))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(importlib.metadata.version("vitess-chaos"), prog_name="vtchaos")
def main() -> None:
    """Chaos and fault injection for real Vitess clusters.

    Exit codes: 0 passed, or a known bug reproduced where it was expected; 1 finding; 2 usage; 3 unknown (the
    run proves nothing); 4 the harness failed; 130 interrupted.
    """


@main.command("list")
def list_() -> None:
    """Show the experiments."""
    console = _console()
    for experiment in EXPERIMENTS.values():
        suites = ", ".join(sorted(suite.value for suite in experiment.suites))
        shards = f"{experiment.cluster.shards} shard{'s' if experiment.cluster.shards > 1 else ''}"
        console.print(f"[bold]{experiment.name}[/bold]  [dim]{shards}; {suites}[/dim]", highlight=False)
        console.print(Padding(Text(experiment.why), (0, 0, 0, 4)))


@main.command()
@click.argument("experiment")
@place_options
@cluster_options
@load_options
@sabotage_option
@click.option("--seed", type=SEED)
@click.option("--json", "as_json", is_flag=True, help="The whole plan as JSON.")
def plan(experiment: str, seed: int | None, backend: str | None, as_json: bool, **given: Any) -> None:
    """Say what `run` would do, and refuse what it would refuse; starts nothing."""
    made, _ = asyncio.run(_planned(experiment, given, backend_name=backend, seed=seed, cluster_name=""))
    if as_json:
        click.echo(jsonio.dumps(made).decode(), nl=False)
    else:
        plan_words.show(made, _console())


@main.command()
@click.argument("experiment")
@place_options
@cluster_options
@load_options
@click.option("--seed", type=SEED, help="Seed of everything that is drawn; printed in every report.")
@click.option("--cluster", "cluster_name", default="", metavar="NAME", help="A cluster made by `vtchaos up`.")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory; default: runs/<run id>.")
@click.option("--plain", is_flag=True, help="Plain lines instead of the live view.")
@sabotage_option
@repeat_options
@click.pass_context
def run(
    context: click.Context,
    /,
    *,
    experiment: str,
    seed: int | None,
    backend: str | None,
    cluster_name: str,
    out: Path | None,
    plain: bool,
    count: int | None,
    until_clear: bool,
    limit: float | None,
    **given: Any,
) -> None:
    """Run an experiment and judge it.

    With --count, N times: each run has a new cluster (unless --cluster) and a seed drawn from --seed. Says how often
    something showed, with confidence intervals, and writes summary.json, summary.txt and junit.xml beside the run
    directories. The exit code is the worst of the runs': 1 a finding, then 4, 130, 3, 0. Ctrl-C ends after the
    running one; the same command with --out FOLDER takes it up again.
    """
    if count is None and (until_clear or limit is not None):
        raise PlanError("--until-clear and --rate-limit are about several runs; give --count too")
    before = repeat_command.batch_of(out) if count is not None else None
    seed = before.seed if before is not None and seed is None else seed
    made, chosen = asyncio.run(_planned(experiment, given, backend_name=backend, seed=seed, cluster_name=cluster_name))
    if count is not None:
        words = words_of(context, repeat_command.OURS)
        if given["shards"] is None and made.cluster.shards != EXPERIMENTS[experiment].cluster.shards:
            words = (*words, "--shards", str(made.cluster.shards))  # of all runs, whatever memory there is later
        asked = repeat_command.Asked(count=count, until_clear=until_clear, plain=plain)
        limit = limit or (before.limit if before is not None else repeat_command.DEFAULT_LIMIT)
        place = out or RUNS / f"{made.run_id}-x{count}"
        sys.exit(repeat_command.repeated(experiment, words, asked, seed=made.seed, limit=limit, folder=place))
    folder = RunDir.create((out or RUNS / made.run_id).absolute())
    turn = os.environ.get(TURN, "")
    if not turn:
        plan_words.show(made, _console())
    sys.exit(one_run.made(made, chosen, folder, plain=plain, turn=turn))


@main.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@objective_option
def check(run_dir: Path, objective: str | None) -> None:
    """Judge a recorded run (again), with the checks of this version."""
    folder = RunDir.open(run_dir)
    verdict = one_run.judged(folder, objective=None if objective is None else objective_of(objective))
    sys.exit(verdict.exit_code)


@main.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("--format", "formats", multiple=True, type=click.Choice(list(RENDERERS)), help="Only these.")
def report(run_dir: Path, formats: tuple[str, ...]) -> None:
    """Render the reports of a recorded run, also of one whose harness was killed."""
    folder = RunDir.open(run_dir)
    seen = history.load(folder)
    for path in render_all(seen, judge(seen), folder, formats or tuple(RENDERERS)).values():
        click.echo(path)


@main.command()
@click.option("--vitess", "releases", default=software.DEFAULT_RELEASE, show_default=True, metavar="RELEASE[,…]")
def doctor(releases: str) -> None:
    """Say what is installed, what is missing, and what this host permits."""
    sources = software.Sources.of_environment()
    wanted = tuple(release.strip() for release in releases.split(","))
    found = asyncio.run(software.inventory(wanted, sources=sources))
    permits = [*asyncio.run(software.host_permits(sources)), *asyncio.run(backend_rows(BACKENDS))]
    console = Console()
    head = ("program", "wanted", "state", "version", "where, or how it will be obtained")
    rows = [(row.name, row.wanted, row.state, row.version, row.where) for row in found]
    tables.show(console, head, rows, STATES)
    console.print()
    permitted = [(each.name, each.state, f"{each.value}; {each.meaning}") for each in permits]
    tables.show(console, ("host", "state", "value; meaning"), permitted, STATES)


for _command in (kept.up, kept.down, kept.status, heal, attach, image, fault, timeline, compare_command):
    main.add_command(_command)
for _command in (advise, sweep_command, replay, soak_command, nights_command, bisect_command, shrink_command):
    main.add_command(_command)


# ---------------------------------------------------------------- planning


async def _planned(
    name: str, given: dict[str, Any], *, backend_name: str | None, seed: int | None, cluster_name: str
) -> tuple[Plan, Experiment]:
    experiment = planning.choose(name, EXPERIMENTS)
    broken = given.pop("sabotage", None) or ""
    wanted = overrides(given)
    if backend_name is not None:
        placement.require_known(backend_name, BACKENDS)
    where = await _where(wanted, backend_name, cluster_name)
    if not where.ours:
        refusals.refuse_on_theirs(cluster_name, experiment.name, experiment.items, where.place)
    notes: list[str] = []
    if not cluster_name and wanted.shards is None and where.holds_here:
        experiment, notes = _sized(experiment, planning.cluster_spec(experiment.cluster, wanted), where.backend)
    made = planning.build(
        experiment,
        wanted,
        backend=where.backend,
        place=where.place,
        seed=seed,
        command_line=("vtchaos", *sys.argv[1:]),
        harness_version=importlib.metadata.version("vitess-chaos"),
        running=where.running,
        cluster_name=cluster_name,
    )
    if not cluster_name:
        reasons = await _backend(where.backend).refusals(made.cluster, made.place)
        if reasons:
            raise PlanError("; ".join(reasons))
    made = sabotage.planned(dataclasses.replace(made, notes=(*notes, *made.notes)), broken, experiment)
    return made, experiment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """The backend and place of a run; `running`: what stands there already."""

    backend: str
    place: Placement
    running: ClusterSpec | None = None
    ours: bool = True  # False: only attached to

    @property
    def holds_here(self) -> bool:
        """The cluster's memory is this machine's."""
        return self.backend in ("local", "docker") or self.place.kind


async def _where(wanted: planning.Overrides, backend_name: str | None, cluster_name: str) -> _Where:
    """As the options say; a kept cluster stands where it stands. Raises PlanError."""
    if not cluster_name:
        backend = backend_name or placement.DEFAULT_BACKEND
        return _Where(backend=backend, place=_named(backend, placement.placed(backend, wanted.place)))
    running, found = await kept.known(cluster_name)
    if backend_name not in (None, found.backend):
        raise PlanError(f"the cluster {cluster_name} stands on {found.backend}, not on {backend_name}")
    place = placement.on_kept(cluster_name, found.backend, found.place, wanted.place)
    return _Where(backend=found.backend, place=place, running=running, ours=found.ours)


def _named(backend: str, place: Placement) -> Placement:
    """With the context that is the current one now: on record it must not become another by itself."""
    if backend != "kubernetes" or place.kind or place.context:
        return place
    current = kubeconfig.load("", "")
    return dataclasses.replace(place, context=current.context) if current.file else place  # no file: in a pod


def _sized(experiment: Experiment, spec: ClusterSpec, backend: str) -> tuple[Experiment, list[str]]:
    """Fewer shards than the experiment has by default where memory does not hold them, with the reason. `spec`: what
    it would be."""
    available = capacity.available_bytes()
    fits = sizing.shards_that_fit(backend, spec, available)
    if fits in (spec.shards, 0):
        return experiment, []
    why = (
        f"{fits} shards instead of {spec.shards}: {available / 1e9:.1f} GB of memory are available, "
        f"which holds {fits} x {spec.tablets_per_shard} tablets"
    )
    return dataclasses.replace(experiment, cluster=dataclasses.replace(experiment.cluster, shards=fits)), [why]


def _backend(name: str) -> Backend:
    placement.require_known(name, BACKENDS)
    return BACKENDS[name]


def _console() -> Console:
    return Console()


if __name__ == "__main__":
    main()
