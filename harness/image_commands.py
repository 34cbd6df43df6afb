"""The commands for container images: build, list, remove."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import click
from rich.table import Table

from clusters import software
from clusters.docker import engine
from clusters.docker.labels import Marks
from clusters.docker.store import DockerImageStore
from clusters.images import built, provide, removal
from clusters.images.shelf import EngineShelf
from clusters.software import Progress, Sources
from experiments.reparent import CLUSTER
from harness import planning
from harness.base.errors import ClusterError, PlanError
from harness.model import ClusterSpec, Event, KeyspaceSpec, VtgateSpec
from harness.planning import Overrides
from harness.reports.tables import table_console

MB = 1_000_000


@click.group()
def image() -> None:
    """Container images of Vitess and MySQL, made of the software that a local cluster runs."""


@image.command()
@click.option("--vitess", metavar="RELEASE|DIR", help="Release of all components, or a folder of binaries.")
@click.option("--mysql", metavar="SERIES|DIR", help="MySQL server, e.g. 9.7 or 8.0.")
@click.option("--vtgate", "vtgates", metavar="RELEASE[,RELEASE…]", help="Releases of vtgates beside it.")
@click.option("--keyspace", "keyspaces", multiple=True, metavar="NAME", help="Keyspaces that it holds data folders of.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a file for `docker load`, `ctr images import` or `kind load image-archive`; no engine is needed.",
)
def build(
    vitess: str | None, mysql: str | None, vtgates: str | None, keyspaces: tuple[str, ...], archive: Path | None
) -> None:
    """Build the images of a cluster, and load them into the Docker engine. From then on runs use them."""
    spec = wanted(vitess, mysql, vtgates, keyspaces)
    with software.shown() as progress:
        references = asyncio.run(_into_file(spec, archive, progress) if archive else _into_engine(spec, progress))
    for reference in references:
        click.echo(reference)


@image.command("list")
def list_() -> None:
    """Show the images of ours in the Docker engine."""
    asyncio.run(_list())


@image.command()
@click.argument("references", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of ours, and the packed layers in the cache.")
def remove(references: tuple[str, ...], every: bool) -> None:
    """Remove images of ours from the Docker engine."""
    if bool(references) == every:
        raise PlanError("name the images to remove, or say --all; `vtchaos image list` shows them")
    asyncio.run(_remove_all() if every else _remove(references))


def wanted(vitess: str | None, mysql: str | None, vtgates: str | None, keyspaces: tuple[str, ...]) -> ClusterSpec:
    """The cluster that the images are for: any durability policy, a vtgate of the main release and of the others.

    Raises PlanError.
    """
    others = tuple(text.strip() for text in (vtgates or "").split(",") if text.strip())
    words = Overrides(vitess=vitess, mysql=mysql, vtgates=others)
    spec = planning.cluster_spec(replace(CLUSTER, vtgates=(), durability_policy="none"), words)
    spec = replace(spec, vtgates=(VtgateSpec(), *spec.vtgates))
    if not keyspaces:
        return spec
    first, *more = dict.fromkeys(keyspaces)
    return replace(spec, keyspace=first, others=tuple(KeyspaceSpec(name=name) for name in more))


async def _into_file(spec: ClusterSpec, file: Path, progress: Progress) -> tuple[str, ...]:
    made = await built.built(spec, observer=_Told(progress), sources=Sources.of_environment())
    part = file.with_name(f".{file.name}.part")
    try:
        await built.write(made.all, part, progress)
        part.replace(file)
    except OSError as error:
        raise PlanError(f"{file} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return tuple(each.reference for each in made.all)


async def _into_engine(spec: ClusterSpec, progress: Progress) -> tuple[str, ...]:
    observer, sources = _Told(progress), Sources.of_environment()
    async with engine.connected() as docker:
        store = DockerImageStore(docker, Marks(run="image-build"), observer)
        images = await provide.build(spec, store=store, observer=observer, sources=sources)
    return tuple(images.of_version.values())


async def _list() -> None:
    cached = removal.cached_bytes(Sources.of_environment())
    async with engine.connected() as docker:
        rows = await EngineShelf(docker).ours()
    if rows:
        table = Table("image", "for", "Vitess", box=None, padding=(0, 2, 0, 0))
        table.add_column("MB", justify="right")
        for row in rows:
            table.add_row(row.reference, row.purpose, row.vitess, f"{row.size_bytes / MB:.0f}")
        table_console().print(table)
    else:
        click.echo("the Docker engine has no image of ours; `vtchaos image build` makes one")
    if cached:
        click.echo(f"packed layers in the cache: {cached / MB:.0f} MB")


async def _remove(references: tuple[str, ...]) -> None:
    async with engine.connected() as docker:
        shelf = EngineShelf(docker)
        ours = {row.reference for row in await shelf.ours()}
        foreign = [reference for reference in references if reference not in ours]
        if foreign:
            raise PlanError(f"{foreign[0]} is no image of ours in the Docker engine; `vtchaos image list` shows them")
        for reference in references:
            why_not = await shelf.remove(reference)
            if why_not:
                raise ClusterError(why_not)
            click.echo(f"{reference} is gone")


async def _remove_all() -> None:
    """The cache first: it is ours whether an engine answers or not."""
    freed = await removal.clear_cache(Sources.of_environment())
    click.echo(f"packed layers: {freed / MB:.0f} MB are free again")
    async with engine.connected() as docker:
        removed = await removal.remove_all(EngineShelf(docker))
    for reference in removed.gone:
        click.echo(f"{reference} is gone")
    for reference, why_not in removed.kept.items():
        raise ClusterError(f"{reference} stays: {why_not}")


class _Told:
    """Progress of a build as that of an installation: a bar on a terminal, lines elsewhere."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_event(self, event: Event) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        self._progress.step(what, done, total)
