"""The commands for clusters that stay: up, down, status; and their use by `run --cluster`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import click
from rich.table import Table

from clusters.local import named
from clusters.local.backend import LocalBackend
from experiments.reparent import CLUSTER
from harness import planning
from harness.base.errors import PlanError
from harness.contracts import Cluster, Observer
from harness.interrupts import Interrupted, Interrupts
from harness.model import ClusterSpec
from harness.options import cluster_options, overrides
from harness.reports.live import PlainObserver
from harness.reports.live_state import LiveState
from harness.reports.tables import table_console

DEFAULT_SHARDS = 2


@click.command()
@click.argument("name", default="default")
@cluster_options
def up(name: str, **given: Any) -> None:
    """Stand up a cluster for manual work; it stays until `vtchaos down NAME`.

    It has the ledger table of the experiments, so that `vtchaos run EXPERIMENT --cluster NAME` works on it.
    """
    spec = planning.cluster_spec(replace(CLUSTER, shards=DEFAULT_SHARDS), overrides(given))
    planning.refuse_cluster(spec)
    with PlainObserver(lambda: LiveState(now_ns=0), out=sys.stdout) as lines:
        asyncio.run(_up(name, spec, lines))
    click.echo(
        f"\nThe cluster {name} serves. `vtchaos status {name}` says this again, `vtchaos down {name}` ends it.\n"
    )
    asyncio.run(_hints(name))


@click.command()
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every kept cluster, leftovers of dead ones too.")
def down(names: tuple[str, ...], every: bool) -> None:
    """End kept clusters and remove their data."""
    if not names and not every:
        names = ("default",)
    for name in names or [row.name for row in asyncio.run(named.listed())]:
        asyncio.run(named.stop(name))
        click.echo(f"{name} is gone")


@click.command()
@click.argument("name", required=False)
def status(name: str | None) -> None:
    """Show the kept clusters, or how to connect to one."""
    if name is not None:
        asyncio.run(_hints(name))
        return
    rows = asyncio.run(named.listed())
    if not rows:
        click.echo("no cluster is kept; `vtchaos up NAME` stands one up")
        return
    table = Table("cluster", "state", "shards", "Vitess", "vtgates", box=None, padding=(0, 2, 0, 0))
    table.add_column("folder", overflow="fold")
    for row in rows:
        state = "serving" if row.serving and not row.stopped else "starting" if row.alive and not row.serving else ""
        state = state or (f"stopped: {', '.join(row.stopped)}" if row.alive else f"gone; `vtchaos down {row.name}`")
        spec = row.state.spec if row.state else None
        size = " + ".join(f"{each.shards} x {each.tablets_per_shard}" for each in spec.keyspaces) if spec else ""
        vtgates = ", ".join(spec.vtgate_version(index) for index in range(len(spec.vtgates))) if spec else ""
        table.add_row(row.name, state, size, spec.vitess if spec else "", vtgates, str(row.folder))
    table_console().print(table)


def attached(name: str, observer: Observer) -> AbstractAsyncContextManager[Cluster]:
    """A kept cluster for a run; it stays when the run ends."""
    return named.attached(name, observer=observer)


async def spec_of(name: str) -> ClusterSpec:
    """The spec of a kept cluster. Raises PlanError when none of that name serves."""
    async with named.attached(name, observer=_Silent()) as cluster:
        return cluster.spec


async def _up(name: str, spec: ClusterSpec, observer: Observer) -> None:
    reasons = await LocalBackend().refusals(spec)
    if reasons:
        raise PlanError("; ".join(reasons))
    async with Interrupts().installed() as interrupts:
        try:
            await interrupts.may_end(named.start(name, spec, observer=observer))
        except Interrupted:
            raise KeyboardInterrupt from None


async def _hints(name: str) -> None:
    async with named.attached(name, observer=_Silent()) as cluster:
        for line in named.connect_hints(cluster):
            click.echo(line)


class _Silent:
    """Nobody looks."""

    def on_event(self, event: object) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return
