"""A shrinking in the terminal, and the page for whoever is to see the finding."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.facts.words import counted
from harness.model import Plan
from harness.narrowing.plan_sizes import told
from harness.narrowing.shrinking import Asked, Decision, Shrink, Trial, Tried, how_often
from harness.reports.text_parts import copyable, table, title

MARKS = {True: ("!", "red", "shows it"), False: ("✓", "green", "does not"), None: ("?", "yellow", "proves nothing")}


def begin(asked: Asked, plan: Plan, console: Console, *, folder: Path) -> None:
    """What is shrunk, and what counts."""
    console.print(f"shrinking {plan.run_id} into {folder}", highlight=False, soft_wrap=True)
    console.print(
        f"looked for: {asked.sought.name}, in {asked.rate:.0%} of runs or more with {asked.confidence:.0%} confidence",
        highlight=False,
        soft_wrap=True,
    )


def turn_line(turn: str, console: Console) -> None:
    """Which run is made now."""
    console.print(Text(f"  {turn}", style="dim"), soft_wrap=True)


def run_line(trial: Trial, folder: str, console: Console) -> None:
    mark, style, word = MARKS[trial.shown]
    why = f": {trial.why}" if trial.why else ""
    console.print(Text(f"  {mark} {word} ({folder}){why}", style=style), soft_wrap=True)


def tried_line(tried: Tried, console: Console) -> None:
    """What became of a plan."""
    taken = tried.decision is Decision.TAKEN
    mark, style = ("↓", "bold") if taken else ("·", "dim")
    console.print(Text(f"{mark} {tried.what}: {_outcome(tried)}", style=style), soft_wrap=True)


def _outcome(tried: Tried) -> str:
    if tried.why:
        return f"{tried.decision}, {tried.why}"
    return f"{tried.decision}, shown in {tried.shown} of {counted(tried.counted, 'run')}"


def show(found: Shrink, console: Console, *, folder: Path, again: str) -> None:
    """Everything. `again`: the command line that goes on."""
    console.rule(found.asked.source, characters="─")
    console.print(Text(found.asked.sought.name, style="dim"))
    console.print(Text(found.answer, style="bold"))
    if found.smallest:
        console.print(Text(how_often(found.rate, found.slow)))
    if found.smaller:
        title(console, "From what to what")
        rows = table("what", ">found with", ">smallest")
        for each in found.smaller:
            rows.add_row(each.name, each.before, each.after)
        console.print(rows)
    title(console, f"{counted(len(found.tried), 'plan')} tried")
    rows = table("how it differs", ">shown", "")
    for tried in found.tried:
        rows.add_row(tried.what, f"{tried.shown} of {tried.counted}", f"{tried.decision} {tried.why}".strip())
    console.print(rows)
    console.print()
    if (folder / "smallest" / "README.md").is_file():
        copyable(console, "smallest", str(folder / "smallest" / "README.md"))
    copyable(console, "figures", str(folder / "shrink.json"))
    if found.ended:
        copyable(console, "go on", again)


# ---------------------------------------------------------------- the page


def readme(found: Shrink, before: Plan, after: Plan, words: Sequence[str] | None) -> str:
    """How to see it, how often it shows, what it was reduced from. `words`: of `vtchaos run`; None: only the plan says
    it."""
    return "\n".join([*_head(found, after), *_how(words), *_sizes(found, after), *_source(found, before), ""])


def _head(found: Shrink, plan: Plan) -> Iterator[str]:
    issue = f", {found.asked.sought.issue}" if found.asked.sought.issue else ""
    yield f"# {plan.experiment}: {found.asked.sought.check} is red{issue}"
    yield ""
    yield plan.why
    yield ""


def _how(words: Sequence[str] | None) -> Iterator[str]:
    yield f"    vtchaos {shlex.join(('run', *words)) if words else 'replay plan.json'}"
    yield ""
    if not words:
        yield "`plan.json` is beside this page; no command line says the same."
        yield ""


def _sizes(found: Shrink, plan: Plan) -> Iterator[str]:
    spec = plan.cluster
    vtgates = ", ".join(spec.vtgate_version(index) for index in range(len(spec.vtgates)))
    yield how_often(found.rate, found.slow)
    if found.asked.sought.any_host:
        yield "Runs on a slow host count here (`--any-host`). There `vtchaos run` ends with UNKNOWN (exit code 3)"
        yield "when a promise is broken, and names the check that is red."
    if found.run_s is not None:
        yield f"A run takes about {found.run_s:.0f} s, with its cluster's start and end."
    yield f"Vitess {spec.vitess}, vtgate {vtgates}, on {plan.backend}. All moments are drawn from seed {plan.seed}."
    yield ""
    yield "| what | found with | here |"
    yield "|---|---|---|"
    before = {each.name: each.before for each in found.smaller}
    for name, value in told(plan).items():
        yield f"| {name} | {before.get(name, value)} | {value} |"
    yield ""


def _source(found: Shrink, before: Plan) -> Iterator[str]:
    yield f"Reduced from the run {found.asked.source} (`{shlex.join(before.command_line)}`) by `vtchaos shrink`:"
    tried = len(found.tried)
    runs = sum(each.counted for each in found.tried)
    yield f"{counted(tried, 'plan')} tried in {counted(runs, 'run')} that count; `shrink.json` has them all."
