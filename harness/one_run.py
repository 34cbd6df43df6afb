"""One run from its plan to its verdict: make it, judge it, tell it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import click
from rich.console import Console

from clusters import BACKENDS
from harness import history, kept, scratch
from harness.base import jsonio
from harness.base.errors import HarnessError
from harness.base.hostfacts import host_facts
from harness.base.owner import this_process
from harness.base.rundir import RunDir
from harness.canaries import sabotage
from harness.checks.judge import judge
from harness.clean import Marks
from harness.contracts import Cluster, Experiment
from harness.lease import Lease
from harness.live_files import lane_counters, stream_states
from harness.model import Objective, Plan, RunVerdict
from harness.reports import render_all, terminal
from harness.reports.live import LiveView, PlainObserver
from harness.reports.tail import RunTail
from harness.runner import Ended, Runner


def made(plan: Plan, experiment: Experiment, folder: RunDir, *, plain: bool, turn: str = "") -> int:
    """Exit code. `folder`: new and empty. `turn`: which of several runs it is; they are told together."""
    jsonio.save(folder.plan, plan)
    jsonio.save(folder.host, host_facts())
    jsonio.save(folder.owner, this_process())
    broken = f"  SABOTAGED: {plan.sabotage}" if plan.sabotage else ""
    title = f"{f'{turn}: ' if turn else ''}{plan.experiment}  seed {plan.seed}{broken}"
    ended = asyncio.run(_run(plan, experiment, folder, plain=plain, title=title))
    folder.owner.unlink()  # from here on nothing of the cluster is ours any more
    if ended.error is None and not ended.interrupted:
        ended = dataclasses.replace(ended, error=sabotage.completed(plan, folder))
    return _closed(folder, ended, quiet=bool(turn))


async def _run(plan: Plan, experiment: Experiment, folder: RunDir, *, plain: bool, title: str) -> Ended:
    with contextlib.ExitStack() as stack:
        snapshot = RunTail(folder, lane_counters(folder), stream_states(folder))
        view: LiveView | PlainObserver
        if plain or not sys.stdout.isatty():
            view = PlainObserver(snapshot, out=sys.stdout)
        else:
            view = LiveView(snapshot, title=title)
        stack.enter_context(view)
        lease = Lease(folder) if plan.cluster_name else None
        marks = Marks(run=plan.run_id, folder=scratch.folder_name())
        own = None if plan.cluster_name else BACKENDS[plan.backend]
        acting = sabotage.acting(plan)
        runner = Runner(plan, experiment, folder, view, lease=lease, marks=marks, backend=own, acting=acting)
        opened = stack.enter_context(_opened(plan, folder, runner, lease))
        watching = asyncio.create_task(view.run(), name="live view")
        try:
            return await runner.run(opened)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@contextlib.contextmanager
def _opened(
    plan: Plan, folder: RunDir, runner: Runner, lease: Lease | None
) -> Iterator[AbstractAsyncContextManager[Cluster]]:
    """The cluster of the plan: a kept one, or one of its own in a short-lived folder."""
    if plan.cluster_name:
        yield kept.attached(plan.cluster_name, runner.cluster_observer, lease)
        return
    with scratch.scratch_folder() as folder_of_cluster:
        yield BACKENDS[plan.backend].cluster(
            sabotage.cluster_of(plan),
            plan.place,
            run=plan.run_id,
            folder=folder_of_cluster,
            logs=folder.logs,
            observer=runner.cluster_observer,
        )


def _closed(folder: RunDir, ended: Ended, *, quiet: bool = False) -> int:
    """Judge, save, tell. Returns the exit code."""
    verdict = judged(folder, quiet=quiet)
    if ended.error is not None:
        click.echo(f"vtchaos: {ended.error}", err=True)
        return ended.error.exit_code
    return verdict.exit_code


def judged(folder: RunDir, *, objective: Objective | None = None, quiet: bool = False) -> RunVerdict:
    """`quiet`: of one run of several; they are told together."""
    seen = history.load(folder)
    if objective is not None:
        seen = dataclasses.replace(seen, plan=dataclasses.replace(seen.plan, objective=objective))
    verdict = judge(seen)
    try:
        jsonio.save(folder.verdict, verdict)
        render_all(seen, verdict, folder)
    except OSError as error:  # a full disk: what was found is told all the same
        terminal.show(seen, verdict, Console(), folder=folder.path)
        raise HarnessError(f"the verdict could not be written into {folder.path}: {error.strerror}") from error
    if not quiet:
        terminal.show(seen, verdict, Console(), folder=folder.path)
    return verdict
