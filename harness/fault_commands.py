"""`vtchaos fault`: single faults by hand, on a cluster that `vtchaos up` made.

No load, and no verdict of its own: what is said is what the ledger says (`vtchaos report` judges it as any run). It is
the same stage with the same life cycle as in an experiment, in a run directory of its own, under the same lease: after
`kill -9` the watchdog takes the fault back, and `vtchaos heal` does it at any later time.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import shutil
import signal
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from clusters import BACKENDS, KEEPERS, kept
from harness import planning
from harness.base import jsonio
from harness.base.clock import ClockBase, now_ns
from harness.base.errors import ClusterError, PlanError
from harness.base.exit_codes import EXIT_FINDING, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN
from harness.base.hostfacts import host_facts
from harness.base.owner import this_process
from harness.base.rundir import RUNS, RunDir
from harness.checks.faults import FaultsFelt
from harness.contracts import Experiment, Fault, Stage
from harness.faults import catalogue
from harness.faults.process import STARTED
from harness.heal import Silent
from harness.history import fold_ledger
from harness.interrupts import Interrupted, Interrupts
from harness.kept import attached, known
from harness.lease import Lease
from harness.model import Capability, ClusterSpec, FaultSpan, Plan, Role
from harness.planning import Overrides
from harness.runner import ClusterEvents
from harness.stage import EventLog, RunStage

FOR_EVER_S = 365 * 86_400.0
INDENT = "    "
WIDTH = 110
STAMP = " " * len("[   0.00 s] ")


@click.group("fault")
def fault() -> None:
    """Single faults, by hand, on a cluster made by `vtchaos up`."""


@fault.command("list")
@click.option("--cluster", "cluster_name", metavar="NAME", help="Say which of them this cluster can do, and why not.")
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="Say what no cluster of it can do, and why.")
@click.argument("names", nargs=-1)
def list_(cluster_name: str | None, backend: str | None, names: tuple[str, ...]) -> None:
    """Show the faults: what they do, their parameters with their defaults, and what they need of a backend."""
    kinds = [catalogue.chosen(name) for name in names] or list(catalogue.FAULTS.values())
    if cluster_name and backend:
        raise PlanError("a cluster stands on a backend already: give --cluster or --backend")
    cannot = asyncio.run(_cannot(cluster_name)) if cluster_name else BACKENDS[backend].never if backend else None
    where = cluster_name or backend or ""
    width = min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH)
    for kind in kinds:
        click.secho(kind.__name__, bold=True)
        for line in (catalogue.says(kind), *_facts(kind, where, cannot)):
            click.echo(textwrap.fill(line, width, initial_indent=INDENT, subsequent_indent=INDENT))


def _facts(kind: type[Fault], where: str, cannot: Mapping[Capability, str] | None) -> list[str]:
    sample = catalogue.sample(kind)
    lines = [f"parameters: {', '.join(field.text for field in catalogue.fields(kind)) or 'none'}"]
    if sample.one_shot:
        lines.append("one-shot: there is nothing to take back")
    if sample.needs:
        lines.append(f"needs: {', '.join(sorted(sample.needs))}")
    if cannot is not None:
        missing = [f"{need}: {cannot[need]}" for need in sorted(sample.needs) if need in cannot]
        lines.append(f"not on {where}: {'; '.join(missing)}" if missing else _possible(sample, where))
    return lines


def _possible(sample: Fault, where: str) -> str:
    """What a backend can do may not be had on every host; a cluster that stands has been asked."""
    return f"possible on {where}{', where its host permits it' if sample.needs and where in BACKENDS else ''}"


async def _cannot(name: str) -> Mapping[Capability, str]:
    async with kept.attached(name, keepers=KEEPERS, observer=Silent()) as cluster:
        said = cluster.capabilities
    return {need: why for need in Capability if (why := said.get(need, "this backend does not know it"))}


# ---------------------------------------------------------------- inject


@fault.command()
@click.argument("name", metavar="FAULT")
@click.option("--cluster", "cluster_name", default="default", show_default=True, metavar="NAME")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Who is hit: processes of this role …")
@click.option("--tablet-type", type=click.Choice(["primary", "replica", "rdonly"]), help="… of tablets of this type …")
@click.option("--shard", "shards", multiple=True, metavar="SHARD", help="… in this shard (may be repeated) …")
@click.option("--keyspace", metavar="NAME", help="… of this keyspace;")
@click.option("--number", type=int, metavar="N", help="the Nth of each shard, in the order of their names;")
@click.option("--count", type=int, metavar="N", help="or so many of them, drawn from the seed;")
@click.option("--share", type=float, metavar="SHARE", help="or this share of them, 0 to 1, drawn.")
@click.option("--node", "names", multiple=True, metavar="NODE", help="Or this very process (may be repeated).")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter of the fault.")
@click.option("--for", "hold", metavar="SECONDS", help="How long, e.g. 10s; default: until Ctrl-C.")
@click.option("--seed", type=int, help="Seed of what is drawn.")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory; default: runs/<run id>.")
def inject(
    name: str,
    cluster_name: str,
    settings: tuple[str, ...],
    hold: str | None,
    seed: int | None,
    out: Path | None,
    **targets: Any,
) -> None:
    """Inject one fault, say when it is felt, hold it, take it back, and wait until the cluster has got over it.

    Exit codes: 0 it was felt, and all is as before; 1 the operation failed, or the cluster did not get over it; 3 there
    was no evidence that it took effect; 4 it could not be taken back; 130 interrupted before its time.
    """
    made = catalogue.made(catalogue.chosen(name), dict(_pair(text) for text in settings), _asked(targets))
    hold_s = _seconds(hold) if hold else FOR_EVER_S
    if hold and made.one_shot:
        raise PlanError(f"{made.name} is over when it has returned: there is nothing to hold with --for")
    plan = _planned(made, *asyncio.run(_standing(cluster_name)), cluster_name, seed)
    folder = RunDir.create((out or RUNS / plan.run_id).absolute())
    jsonio.save(folder.plan, plan)
    jsonio.save(folder.host, host_facts())
    jsonio.save(folder.clock, ClockBase.take())
    jsonio.save(folder.owner, this_process())
    try:
        code = asyncio.run(_injected(made, plan, folder, hold_s))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over: one Ctrl-C too many would spoil only the exit code
        folder.owner.unlink()
        click.echo(f"run {folder.path}")
    sys.exit(EXIT_INTERRUPTED if code == EXIT_PASS and hold and _interrupted(folder) else code)


async def _standing(name: str) -> tuple[ClusterSpec, str]:
    spec, found = await known(name)
    return spec, found.backend


def _planned(made: Fault, spec: ClusterSpec, backend: str, cluster_name: str, seed: int | None) -> Plan:
    _refuse_unknown_shards(made, spec)
    experiment = Experiment(
        name=f"fault/{made.name}",
        why=f"By hand: {catalogue.told(made)}.",
        suites=frozenset(),
        timeout_s=FOR_EVER_S,
        cluster=spec,
        load=None,
        probes=(),
        checks=(FaultsFelt(),),
        timeline=_nothing,
    )
    return planning.build(
        experiment,
        Overrides(),
        backend=backend,
        seed=seed,
        command_line=("vtchaos", *sys.argv[1:]),
        harness_version=importlib.metadata.version("vitess-chaos"),
        running=spec,
        cluster_name=cluster_name,
    )


def _refuse_unknown_shards(made: Fault, spec: ClusterSpec) -> None:
    """Before anything is made. A keyspace of the cluster's own is looked at by the fault."""
    known = {shard for keyspace in spec.keyspaces for shard in keyspace.all_shards}
    for shard in catalogue.shards_of(made):
        if shard not in known:
            raise PlanError(f"there is no shard {shard}; there are {', '.join(sorted(known))}")


async def _nothing(_: Stage) -> None:
    """The timeline is this command."""


# ---------------------------------------------------------------- what the user gave


def _asked(given: Mapping[str, Any]) -> dict[str, Any]:
    asked = {name: value for name, value in given.items() if value not in (None, ())}
    if "names" in asked and len(asked) > 1:
        raise PlanError("--node names the very processes: leave --role, --shard and the others out")
    return asked | ({"role": Role(asked["role"])} if "role" in asked else {})


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise PlanError(f"--set takes a name and a value, as in delay_ms=100, not {text!r}")
    return name.replace("-", "_"), value


def _seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < FOR_EVER_S:
        raise PlanError(f"--for {text}: it takes seconds, as in 10s")
    return seconds


# ---------------------------------------------------------------- its story


async def _injected(made: Fault, plan: Plan, folder: RunDir, hold_s: float) -> int:
    told = _Told(made, plan.cluster.keyspace, folder)
    events = EventLog(folder, told)
    lease = Lease(folder)
    try:
        async with Interrupts().installed() as interrupts, contextlib.AsyncExitStack() as stack:
            opened = attached(plan.cluster_name, ClusterEvents(events, folder), lease)
            cluster = await interrupts.may_end(stack.enter_async_context(opened))
            jsonio.save(folder.nodes, list(cluster.nodes()))
            async with RunStage(cluster, folder, events, plan=plan, heard=told.step) as stage:
                await _held(made, stage, told, interrupts, lease, hold_s)
        told.well()
    except Interrupted:
        events.add("interrupt", "before it was in force")
        told.say("interrupted")
        return EXIT_INTERRUPTED
    finally:
        events.close()
    return _judged(made, told.span)


async def _held(made: Fault, stage: RunStage, told: _Told, interrupts: Interrupts, lease: Lease, hold_s: float) -> None:
    """From the intent to the recovery. Ctrl-C ends the holding; healing and recovery, which are bounded, go on."""
    stage.phase("fault")
    async with contextlib.AsyncExitStack() as stack:
        await interrupts.may_end(stack.enter_async_context(stage.inject(made)))
        if not made.one_shot:
            told.say(f"holding {f'for {hold_s:g} s' if hold_s < FOR_EVER_S else 'until Ctrl-C'}")
            await _until_over(stage, told, interrupts, lease, hold_s)
    stage.phase("quiet")


async def _until_over(stage: RunStage, told: _Told, interrupts: Interrupts, lease: Lease, hold_s: float) -> None:
    losing = asyncio.create_task(lease.lost())
    try:
        await interrupts.may_end(_either(losing, hold_s))
    except Interrupted:
        stage.note("interrupted")
        told.say("Ctrl-C: taking it back")
    finally:
        losing.cancel()
    if losing.done() and not losing.cancelled():
        await lease.healed()
        raise ClusterError(losing.result())


async def _either(task: asyncio.Task[str], seconds: float) -> None:
    await asyncio.wait((task,), timeout=seconds)


class _Told:
    """Says what happens when the ledger has it."""

    def __init__(self, made: Fault, keyspace: str, folder: RunDir) -> None:
        self._made = made
        self._keyspace = keyspace
        self._folder = folder
        self._begun_ns = now_ns()
        self._width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else 0

    def on_event(self, event: Any) -> None:
        if event.kind == "exit":
            self.say(f"{event.subject} ended ({event.details.get('how', '')})", event.at_ns)

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return

    def say(self, text: str, at_ns: int = 0) -> None:
        line = f"[{((at_ns or now_ns()) - self._begun_ns) / 1e9:7.2f} s] {text}"
        click.echo(textwrap.fill(line, self._width, subsequent_indent=STAMP) if self._width else line)

    @property
    def span(self) -> FaultSpan:
        """Of the fault itself; a rollout's reparents have spans of their own."""
        return fold_ledger(jsonio.read_lines(self._folder.faults))[0]

    def step(self, line: Mapping[str, Any]) -> None:
        """A line of the ledger, as it is written."""
        words = self._words(line) if line["number"] == 1 else _of_its_parts(line)
        if words:
            self.say(words, line["at_ns"])

    def _words(self, line: Mapping[str, Any]) -> str:
        lasts = not self._made.one_shot
        match line["step"]:
            case "intent":
                return _whom(line)
            case "active":
                return "in force" if lasts else "done"
            case "failed":
                return f"it failed: {line['error']}"
            case "observed":
                how = catalogue.evidence(self._made)
                return f"felt: {how}" if line["observed"] else f"NO EVIDENCE that it took effect; looked for: {how}"
            case "healed" if lasts:
                return "taken back"
            case "recovered":
                return f"{self._keyspace} has got over it"
            case "unrecovered":
                return f"{self._keyspace} has NOT got over it: {line['why']}"
            case "unhealthy":
                return f"afterwards: {line['why']}"
        return ""

    def well(self) -> None:
        """It is over, and nothing was found that is not as before."""
        if not (self._made.one_shot or self.span.unhealthy):
            self.say("every node runs, nothing is left in force")


def _whom(line: Mapping[str, Any]) -> str:
    """Without what only its own evidence and remedies have a use for."""
    told = {name: value for name, value in line["details"].items() if value != "" and not name.startswith(STARTED)}
    words = ", ".join(f"{name} {f'{value:.4g}' if isinstance(value, float) else value}" for name, value in told.items())
    return f"{line['fault']} on {', '.join(line['targets'])}{f' ({words})' if words else ''}"


def _of_its_parts(line: Mapping[str, Any]) -> str:
    """A rollout reparents: what it is at now, and what goes wrong."""
    if line["step"] == "intent":
        return _whom(line)
    return f"it failed: {line['error']}" if line["step"] == "failed" else ""


def _judged(made: Fault, span: FaultSpan) -> int:
    if span.unrecovered or span.unhealthy or (made.one_shot and span.error):
        return EXIT_FINDING
    return EXIT_PASS if span.observed else EXIT_UNKNOWN


def _interrupted(folder: RunDir) -> bool:
    return any(line["subject"] == "interrupted" for line in jsonio.read_lines(folder.events))
