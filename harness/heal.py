"""`vtchaos heal`: remove what a run left whose harness was killed; and the same for all dead runs (`down --all`).

Usually nothing is left: the kernel removes a local cluster with its harness, and the watchdog
(clusters.common.watchdog) the rest. This is for when the watchdog was killed too, or could not finish.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from clusters import BACKENDS, KEEPERS, kept
from clusters.common.cluster import NodesCluster
from clusters.docker import engine
from clusters.images import removal, shelves
from harness.base import jsonio, wait
from harness.base.errors import ClusterError, HarnessError, PlanError, RunDirError, UsageError
from harness.base.owner import Owner
from harness.base.rundir import RunDir
from harness.contracts import Backend
from harness.history import fold_ledger
from harness.model import Capability, Event, FaultSpan, Node, Placement, Plan

HEAL_TIMEOUT_S = 300.0
LOOK_TIMEOUT_S = 30.0
START_TIMEOUT_S = 60.0
ONE_SHOT = ("PlannedReparent", "PurgedBinlogs")  # nothing of these stays in force

Backends = Mapping[str, Backend]


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="The harness is dead, though that cannot be seen from this host.")
@click.option("--keep-images", is_flag=True, help="Leave the images that the run loaded.")
def heal(run_dir: Path, force: bool, keep_images: bool) -> None:
    """Remove what a run left whose harness was killed, and say what that was.

    That includes images that the run loaded and no container uses. A run on a kept cluster made nothing: there the
    nodes that its faults stopped are started again.
    """
    folder = RunDir.open(run_dir)
    plan = plan_of(folder)
    require_dead(folder, force=force)
    require_engine(folder)
    said, in_force = asyncio.run(healed(plan, folder, backends=BACKENDS, keepers=KEEPERS))
    if not plan.cluster_name and not keep_images:
        said += asyncio.run(images_removed(plan.backend, plan.place, only=brought(folder)))
    for what in said:
        click.echo(what)
    if in_force:
        raise ClusterError("; ".join(in_force))
    if not said:
        click.echo(f"nothing of {plan.run_id} is left")


# ---------------------------------------------------------------- one run


def plan_of(folder: RunDir) -> Plan:
    """Raises RunDirError for a plan that is not whole."""
    try:
        return jsonio.load(folder.plan, Plan)
    except ValueError as error:
        raise RunDirError(f"{folder.plan} does not fit this version of vtchaos: {error}") from None


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


def _events(folder: RunDir, kind: str) -> list[Event]:
    events = (jsonio.structure(row, Event) for row in jsonio.read_lines(folder.events))
    return [event for event in events if event.kind == kind]


async def healed(
    plan: Plan, folder: RunDir, *, backends: Backends, keepers: kept.Keepers
) -> tuple[list[str], list[str]]:
    """What was done, a line each, and what may still be in force. Raises PlanError, ClusterError, WaitTimeout."""
    if plan.backend not in backends and not plan.cluster_name:
        raise PlanError(f"this version of vtchaos has no backend {plan.backend}, with which {plan.run_id} was made")
    lines: list[str] = []
    in_force: list[str] = []
    if plan.backend in backends:
        lines += await _removed(plan.run_id, backends[plan.backend])
    if plan.cluster_name:
        done, in_force = await _mended(plan.cluster_name, fold_ledger(jsonio.read_lines(folder.faults)), keepers)
        lines += done
    return lines, in_force


async def _removed(run: str, backend: Backend) -> list[str]:
    what = await wait.finish(f"removing what {run} left", backend.heal(run), timeout_s=HEAL_TIMEOUT_S)
    return [f"removed: {each}" for each in what]


# ---------------------------------------------------------------- a kept cluster


async def _mended(name: str, spans: Sequence[FaultSpan], keepers: kept.Keepers) -> tuple[list[str], list[str]]:
    """Links whole, stopped targets started, paused ones continued; of the rest it is said what may be in force."""
    open_spans = [span for span in spans if not span.healed_ns and span.fault not in ONE_SHOT]
    async with kept.attached(name, keepers=keepers, observer=_Silent()) as cluster:
        if not cluster.capabilities.get(Capability.LINKS, "unknown"):
            await cluster.set_links(())
        nodes = {node.name: node for node in cluster.nodes()}
        lines = []
        for target in dict.fromkeys(target for span in open_spans for target in span.targets if target in nodes):
            lines += await _running_again(cluster, nodes[target])
    return lines, list(_in_force(name, open_spans, nodes))


async def _running_again(cluster: NodesCluster, node: Node) -> list[str]:
    try:
        await cluster.signal(node, signal.SIGCONT)
    except ClusterError:  # it is not running
        await cluster.start(node, timeout_s=START_TIMEOUT_S)
        return [f"started again: {node.name}"]
    return []


def _in_force(name: str, spans: Sequence[FaultSpan], nodes: Mapping[str, Node]) -> Iterator[str]:
    for span in spans:
        if not all(target in nodes for target in span.targets):
            yield (
                f"{span.fault} on {', '.join(span.targets)} may still be in force: undo it by hand, or make the "
                f"cluster anew where it is yours (`vtchaos down {name}`, `vtchaos up {name}`)"
            )


class _Silent:
    """Nobody looks."""

    def on_event(self, event: Event) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return


# ---------------------------------------------------------------- all dead runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """What dead harnesses left with one backend: run → things. `problem`: it could not be asked, and why."""

    backend: str
    runs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problem: str = ""


async def orphans_of(backends: Backends) -> tuple[Orphans, ...]:
    """Of every backend; one that is not there is no error."""
    return tuple(await asyncio.gather(*(_orphans(name, backend) for name, backend in backends.items())))


async def _orphans(name: str, backend: Backend) -> Orphans:
    try:
        runs = await wait.finish(f"looking for what {name} has", backend.orphans(), timeout_s=LOOK_TIMEOUT_S)
    except (HarnessError, PlanError) as error:
        return Orphans(backend=name, problem=str(error))
    return Orphans(backend=name, runs=runs)


def told(found: Sequence[Orphans]) -> Iterator[str]:
    """For people; nothing when nothing is left. That a backend could not be asked is told only by what is to remove
    everything: most people use one backend."""
    for each in found:
        for run, things in each.runs.items():
            yield (
                f"left by {run}, whose harness is dead ({each.backend}): {_few(things)}; "
                "`vtchaos down --all` removes it"
            )


def _few(things: Sequence[str]) -> str:
    """The first ones, and how many more."""
    shown = ", ".join(things[:3])
    return shown if len(things) <= 3 else f"{shown} and {len(things) - 3} more"


async def healed_orphans(backends: Backends, *, say: Callable[[str], None]) -> list[HarnessError]:
    """Remove what dead harnesses left, everywhere, whatever fails; what could not be removed."""
    errors: list[HarnessError] = []
    for each in await orphans_of(backends):
        if each.problem:
            say(f"{each.backend} was not looked at: {each.problem}")
        for run in each.runs:
            try:
                for line in await _removed(run, backends[each.backend]):
                    say(f"{run}: {line}")
            except HarnessError as error:
                say(f"{run}: not removed: {error}")
                errors.append(error)
    return errors


# ---------------------------------------------------------------- images


def brought(folder: RunDir) -> tuple[str, ...]:
    """The images that a run loaded; those that were there before are not its own."""
    return tuple(event.subject for event in _events(folder, "image"))


async def images_removed(
    backend: str, place: Placement, *, only: Sequence[str] | None = None, tell_used: bool = False
) -> list[str]:
    """Those of ours (`only`: of these) that no container uses, wherever runs of this backend put them; a line each.
    One in use stays, which is told when `tell_used`."""
    lines: list[str] = []
    if only is not None and not only:
        return lines
    try:
        async with shelves.opened(backend, place) as found:
            for shelf in found:
                done = await removal.remove_all(shelf, only=only)
                lines += [f"removed: image {reference}" for reference in done.gone]
                used = done.kept if tell_used else {}
                lines += [f"the image {reference} stays: {why_not}" for reference, why_not in used.items()]
    except (ClusterError, PlanError) as error:
        lines.append(f"images: {backend} was not looked at: {error}")
    return lines
