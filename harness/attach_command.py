"""`vtchaos attach`: a Vitess on Kubernetes that is there already, kept under a name once it was agreed to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from clusters import KEEPERS, kept
from clusters.kubernetes import attach as attaching
from clusters.kubernetes import names, rbac, safety
from clusters.kubernetes.api import Api
from clusters.kubernetes.attach import Asked, Survey
from clusters.kubernetes.attach_schema import LoadTable
from clusters.kubernetes.safety import Showing, Target
from clusters.software import Sources
from harness.base import jsonio
from harness.base.errors import PlanError
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import Placement

KEEPER = "attached"
LEDGER = LoadTable(name="ledger", sql=LEDGER_SQL, vschema=LEDGER_VSCHEMA)


@click.command()
@click.argument("name", required=False)
@click.option("--namespace", metavar="NAMESPACE", help="Where the Vitess is.")
@click.option("--context", default="", metavar="CONTEXT", help="Of the kubeconfig; default: the current one.")
@click.option(
    "--cluster", default="", metavar="VITESSCLUSTER", help="vitess-operator's object, where there are several."
)
@click.option("--keyspace", default="", metavar="KEYSPACE", help="For the load, where there are several.")
@click.option(
    safety.OPTION,
    "answer",
    default="",
    metavar="NAME",
    help="The context's or the namespace's name, spelled out: this cluster is yours to break.",
)
@click.option(
    "--rbac",
    "kit",
    type=click.Choice(list(rbac.KITS)),
    is_flag=False,
    flag_value="attach",
    help="Print the rights that suffice as YAML: to attach, to attach with faults, for clusters of our own.",
)
def attach(name: str | None, kit: str | None, answer: str, **given: Any) -> None:
    """Run experiments on a Vitess that is there already, deployed by vitess-operator or by hand.

    Shows what was found and what would be done, and stops there, until --i-own-this-cluster names it. Then
    `vtchaos run EXPERIMENT --cluster NAME` works on it; `vtchaos down NAME` takes back what was put into it, and
    leaves it standing.
    """
    if given["namespace"]:
        names.require_namespace(given["namespace"])
    if kit:
        click.echo(rbac.manifest(kit, namespace=given["namespace"] or "default"), nl=False)
        return
    if not name or not given["namespace"]:
        raise PlanError("attach takes a name to give it and --namespace; `vtchaos attach --help`")
    asked = Asked(
        name=name,
        namespace=given["namespace"],
        context=given["context"],
        vitess_cluster=given["cluster"],
        keyspace=given["keyspace"],
    )
    asyncio.run(_attach(asked, answer))


async def _attach(asked: Asked, answer: str) -> None:
    await _refuse_taken(asked.name)
    logs = kept.folder_of(asked.name) / attaching.LOGS
    async with Api.open(asked.context) as api:
        seen = await attaching.survey(api, asked, logs=logs)
        attaching.refuse_second(kept.folder_of(asked.name), seen.target, seen.found.layout.spec.keyspace)
        shown = attaching.showing(asked, seen, LEDGER)
        for line in safety.lines(shown):
            click.echo(line)
        _bound(asked.name, shown)
        safety.confirm(shown, answer)
        await _registered(api, asked, seen)
    _shown_file(asked.name).unlink(missing_ok=True)
    click.echo(
        f"\nattached as {asked.name}. `vtchaos run EXPERIMENT --cluster {asked.name}` works on it, "
        f"`vtchaos down {asked.name}` takes back what was put into it."
    )


async def _registered(api: Api, asked: Asked, seen: Survey) -> None:
    place = Placement(context=api.context)
    async with kept.claimed(asked.name, KEEPER, place, keepers=KEEPERS) as folder:
        await attaching.attach(api, asked, seen, LEDGER, folder=folder)


async def _refuse_taken(name: str) -> None:
    if kept.folder_of(name).is_dir() and any(row.name == name and row.serving for row in await kept.listed(KEEPERS)):
        raise PlanError(f"a cluster {name!r} stands already; `vtchaos down {name}` ends it")


def _bound(name: str, shown: Showing) -> None:
    """What was shown under this name before, and not answered, must be what is shown now: a context may have been
    switched in between. What is shown now is what the next answer is for. Raises Changed."""
    path = _shown_file(name)
    before = _earlier(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    jsonio.save(path, shown.target)
    if before is not None:
        safety.same(before, shown.target, when="the plan was shown")


def _earlier(path: Path) -> Target | None:
    return jsonio.load_if_whole(path, Target)


def _shown_file(name: str) -> Path:
    return Sources.of_environment().cache_dir / "shown" / f"{name}.json"
