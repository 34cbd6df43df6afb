"""The commands for clusters that stay: up, down, status; and their use by `run --cluster`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import click
from rich.table import Table

from clusters import BACKENDS, KEEPERS, kept
from clusters.common.hints import connect_hints
from clusters.common.keeping import Kept
from experiments.reparent import CLUSTER
from harness import orphans, placement, planning, refusals
from harness.base.errors import HarnessError, PlanError
from harness.contracts import Cluster, Observer
from harness.interrupts import Interrupted, Interrupts
from harness.lease import Lease
from harness.model import ClusterSpec, Placement
from harness.options import cluster_options, overrides, place_options
from harness.reports.live import PlainObserver
from harness.reports.live_state import LiveState
from harness.reports.tables import table_console

DEFAULT_SHARDS = 2


@click.command()
@click.argument("name", default="default")
@place_options
@cluster_options
def up(name: str, backend: str | None, **given: Any) -> None:
    """Stand up a cluster for manual work; it stays until `vtchaos down NAME`.

    It has the ledger table of the experiments, so that `vtchaos run EXPERIMENT --cluster NAME` works on it.
    """
    kind = backend or placement.DEFAULT_BACKEND
    placement.require_known(kind, KEEPERS if kind in BACKENDS else BACKENDS)
    wanted = overrides(given)
    place = placement.placed(kind, wanted.place)
    spec = planning.cluster_spec(replace(CLUSTER, shards=DEFAULT_SHARDS), wanted)
    refusals.refuse_cluster(spec)
    with PlainObserver(lambda: LiveState(now_ns=0), out=sys.stdout) as lines:
        asyncio.run(_up(name, kind, spec, place, lines))
    click.echo(
        f"\nThe cluster {name} serves. `vtchaos status {name}` says this again, `vtchaos down {name}` ends it.\n"
    )
    asyncio.run(_hints(name))


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--all", "every", is_flag=True, help="Every kept cluster, leftovers of dead ones too, and what dead runs left."
)
@click.option("--images", is_flag=True, help="With --all: images of ours that no container uses, too.")
def down(names: tuple[str, ...], every: bool, images: bool) -> None:
    """End kept clusters and remove their data. A cluster that was only attached to is left standing."""
    if images and not every:
        raise PlanError("--images goes with --all: other clusters may run these images")
    if every:
        asyncio.run(_down_all(images=images))
        return
    for name in names or ("default",):
        asyncio.run(_down(name))


@click.command()
@click.argument("name", required=False)
def status(name: str | None) -> None:
    """Show the kept clusters and what dead runs left, or how to connect to one cluster."""
    asyncio.run(_status() if name is None else _hints(name))


# ---------------------------------------------------------------- for runs


def attached(name: str, observer: Observer, lease: Lease | None = None) -> AbstractAsyncContextManager[Cluster]:
    """A kept cluster for a run; it stays when the run ends. Raises PlanError while another run works on it."""
    if lease is None:
        return kept.used(name, keepers=KEEPERS, observer=observer)
    return kept.used(name, keepers=KEEPERS, observer=observer, guarded=lease.held)


async def known(name: str) -> tuple[ClusterSpec, Kept]:
    """What stands under that name. Raises PlanError when nothing serves."""
    found = (await kept.standing(name, keepers=KEEPERS)).kept
    assert found is not None
    assert found.spec is not None
    return found.spec, found


# ---------------------------------------------------------------- the commands


async def _up(name: str, backend: str, spec: ClusterSpec, place: Placement, observer: Observer) -> None:
    kept.folder_of(name)  # a bad name is refused before anything is looked at
    if place.operator:
        raise PlanError("a cluster of vitess-operator cannot be kept yet: apply a VitessCluster, and `vtchaos attach`")
    reasons = await BACKENDS[backend].refusals(spec, place)
    if reasons:
        raise PlanError("; ".join(reasons))
    async with Interrupts().installed() as interrupts:
        try:
            await interrupts.may_end(kept.start(name, spec, place, keeper=backend, keepers=KEEPERS, observer=observer))
        except Interrupted:
            raise KeyboardInterrupt from None


async def _down(name: str) -> None:
    ours = await kept.stop(name, keepers=KEEPERS)
    click.echo(f"{name} is gone" if ours else f"{name} is forgotten; it was not ours, and stands on")


async def _down_all(*, images: bool) -> None:
    """All of it, whatever fails; then the first error."""
    errors: list[HarnessError | PlanError] = []
    for row in await kept.listed(KEEPERS):
        try:
            await _down(row.name)
        except (HarnessError, PlanError) as error:
            click.echo(f"{row.name} is not gone: {error}", err=True)
            errors.append(error)
    errors += await orphans.healed_orphans(BACKENDS, say=click.echo)
    if images:
        for backend in BACKENDS:
            for line in await orphans.images_removed(backend, Placement(), tell_used=True):
                click.echo(line)
    if errors:
        raise errors[0]


async def _status() -> None:
    rows, left = await asyncio.gather(kept.listed(KEEPERS), orphans.orphans_of(BACKENDS))
    if rows:
        table_console().print(_table(rows))
    else:
        click.echo("no cluster is kept; `vtchaos up NAME` stands one up")
    for line in orphans.told(left):
        click.echo(line)


def _table(rows: tuple[kept.Row, ...]) -> Table:
    table = Table("cluster", "backend", "state", "shards", "Vitess", "vtgates", box=None, padding=(0, 2, 0, 0))
    table.add_column("folder", overflow="fold")
    for row in rows:
        spec = row.kept.spec if row.kept else None
        size = " + ".join(f"{each.shards} x {each.tablets_per_shard}" for each in spec.keyspaces) if spec else ""
        vtgates = ", ".join(spec.vtgate_version(index) for index in range(len(spec.vtgates))) if spec else ""
        backend = row.kept.backend if row.kept else row.keeper
        table.add_row(row.name, backend, row.state, size, spec.vitess if spec else "", vtgates, str(row.folder))
    return table


async def _hints(name: str) -> None:
    _, found = await known(name)
    async with kept.attached(name, keepers=KEEPERS, observer=_Silent()) as cluster:
        for line in connect_hints(cluster, ours=found.ours):
            click.echo(line)


class _Silent:
    """Nobody looks."""

    def on_event(self, event: object) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return
