"""`vtchaos advise`: what recorded runs say vtgate's buffer should be set to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from harness import history
from harness.attribution.advice import Advice, advised, flags, observed
from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.facts.words import listed
from harness.reports.text_parts import hanging, line, title


@click.command("advise")
@click.argument("run_dirs", metavar="RUN_DIR…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def advise(run_dirs: tuple[Path, ...], as_json: bool) -> None:
    """Recommend vtgate's buffer flags, and how many shards to reparent at once, from recorded runs.

    Every value comes with the figures behind it, its margin, and what it does not know. Runs on a starved host, runs
    that were cut short and runs without a reparent are left out; where nothing is left, nothing is recommended.
    """
    found = advised([observed(history.load(RunDir.open(path))) for path in run_dirs])
    if as_json:
        plain = {"flags": flags(found), "advice": [_plain(each) for each in found]}
        click.echo(jsonio.dumps(plain).decode(), nl=False)
        return
    show(found, Console())


def _plain(each: Advice) -> dict[str, object]:
    plain: dict[str, object] = jsonio.plain(each)
    return {**plain, "flag": each.flag}


def _alike(found: Sequence[Advice]) -> dict[str, list[Advice]]:
    silent = [each for each in found if not each.value and not each.measured]
    reasons = Counter(each.why_not for each in silent)
    return {why: [each for each in silent if each.why_not == why] for why, knobs in reasons.items() if knobs > 1}


def show(found: Sequence[Advice], console: Console) -> None:
    """Knob by knob, then the flags in one line. A reason for several knobs without a figure is said once."""
    alike = _alike(found)
    for why_not, silent in alike.items():
        title(console, f"No advice for {listed((each.knob for each in silent), len(silent))}")
        console.print(hanging("–", why_not, "yellow"))
    for each in found:
        if each.why_not in alike and not each.measured:
            continue
        title(console, each.knob)
        now = f" (it was {each.now})" if each.now and each.now != each.value else ""
        if each.value:
            console.print(hanging("→", Text.assemble((each.value, "bold green"), now), "green"))
        else:
            console.print(hanging("–", f"no advice{now}: {each.why_not}", "yellow"))
        for measured in each.measured:
            console.print(hanging("·", f"{measured.what}: {measured.words}", "dim"))
        line(console, f"Rule: {each.rule}.")
        line(console, f"Margin: {each.margin}." if each.margin else "")
        for unknown in each.unknown:
            console.print(hanging("?", f"not known: {unknown}", "yellow"))
    if flags(found):
        title(console, "To paste into vtgate's command line")
        console.print(Text(flags(found)), soft_wrap=True)
