"""`vtchaos heal`: remove what a run left whose harness was killed, and take back what its faults left in force.

Usually nothing is left: the kernel removes a local cluster with its harness, and the watchdogs
(clusters.common.watchdog, harness.lease) the rest. This is for when the watchdog was killed too, or could not finish.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import click

from clusters import BACKENDS, KEEPERS, kept
from clusters.docker import engine
from harness import orphans
from harness.base import jsonio
from harness.base.errors import ClusterError, PlanError, RunDirError, UsageError
from harness.base.owner import Owner
from harness.base.rundir import RunDir
from harness.base.taken_up import fitting
from harness.contracts import Backend
from harness.history import fold_ledger
from harness.model import Event, Plan
from harness.undoing import Undone, undone

BY = "heal"

Backends = Mapping[str, Backend]


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="The harness is dead, though that cannot be seen from this host.")
@click.option("--keep-images", is_flag=True, help="Leave the images that the run loaded.")
def heal(run_dir: Path, force: bool, keep_images: bool) -> None:
    """Remove what a run left whose harness was killed, and say what that was.

    That includes images that the run loaded and no container uses. A run on a kept cluster made nothing: there what
    its faults left in force is taken back, as its ledger says. That may be repeated.
    """
    folder = RunDir.open(run_dir)
    plan = plan_of(folder)
    require_dead(folder, force=force)
    require_engine(folder)
    found = asyncio.run(healed(plan, folder, backends=BACKENDS, keepers=KEEPERS))
    said = found.done
    if not plan.cluster_name and not keep_images:
        said += asyncio.run(orphans.images_removed(plan.backend, plan.place, only=brought(folder)))
    for what in said:
        click.echo(what)
    if found.in_force:
        raise ClusterError("; ".join(found.in_force))
    if not said:
        click.echo(f"nothing of {plan.run_id} is left")


# ---------------------------------------------------------------- one run


def plan_of(folder: RunDir) -> Plan:
    """Raises RunDirError for a plan that is not whole."""
    return fitting(folder.plan, Plan)


def require_dead(folder: RunDir, *, force: bool = False) -> None:
    """Raises UsageError while the harness of a run lives, or when that cannot be told and `force` is not given.

    Without owner.json the harness has left the cluster, or is of a version that had only the local backend.
    """
    try:
        owner = jsonio.load(folder.owner, Owner)
    except FileNotFoundError:
        return
    except ValueError as error:
        raise RunDirError(f"{folder.owner} is damaged: {error}") from None
    if owner.elsewhere:
        if not force:
            raise UsageError(
                f"the harness of {folder.path} ran on the host {owner.host} as process {owner.pid}, on another "
                "machine, in a container or before the last boot; whether it is dead cannot be seen here: heal it "
                "there, or add --force"
            )
    elif not owner.dead:
        raise UsageError(
            f"the harness of {folder.path} is alive (process {owner.pid}) and removes everything when it ends; "
            f"`kill {owner.pid}` or Ctrl-C ends it"
        )


def require_engine(folder: RunDir) -> None:
    """Raises UsageError when the run's containers are on another Docker engine than the one that is asked now."""
    for event in _events(folder, "engine"):
        if event.subject != engine.address():
            raise UsageError(
                f"the containers of {folder.path} are on the engine at {event.subject}, and {engine.address()} is the "
                f"one that is asked now: DOCKER_HOST={event.subject} vtchaos heal {folder.path}"
            )


def brought(folder: RunDir) -> tuple[str, ...]:
    """The images that the run loaded; those that were there before are not its own."""
    return tuple(event.subject for event in _events(folder, "image"))


def _events(folder: RunDir, kind: str) -> list[Event]:
    events = (jsonio.structure(row, Event) for row in jsonio.read_lines(folder.events))
    return [event for event in events if event.kind == kind]


async def healed(plan: Plan, folder: RunDir, *, backends: Backends, keepers: kept.Keepers) -> Undone:
    """Remove what the run made, and on a kept cluster take its faults back. Raises PlanError (also: another run works
    on the kept cluster), ClusterError, WaitTimeout."""
    if plan.backend not in backends and not plan.cluster_name:
        raise PlanError(f"this version of vtchaos has no backend {plan.backend}, with which {plan.run_id} was made")
    removed: list[str] = []
    if plan.backend in backends:
        removed = await orphans.removed(plan.run_id, backends[plan.backend])
    found = Undone()
    if plan.cluster_name and not _all_healed(folder):
        async with kept.used(plan.cluster_name, keepers=keepers, observer=Silent()) as cluster:
            found = await undone(cluster, folder, by=BY)
    return Undone(done=removed + found.done, in_force=found.in_force)


def _all_healed(folder: RunDir) -> bool:
    """By the run itself or its watchdog: the cluster may be gone since, or somebody else's."""
    return all(span.healed_ns for span in fold_ledger(jsonio.read_lines(folder.faults)))


class Silent:
    """Nobody looks."""

    def on_event(self, event: Event) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return
