"""What a soak says on the terminal; its report is that of `vtchaos nights`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from harness.many.findings import findings
from harness.soak.limits import Came, Tally, came_to
from harness.soak.values import Drawing, Ended, SoakRun

_STYLES = {Came.PASSED: "green", Came.CAUGHT: "green", Came.FOUND: "red", Came.UNCAUGHT: "bold red"}


def run_line(run: SoakRun) -> Text:
    """`run 12  reparent/storm  passed  42 s  reused cluster`, and what it found."""
    came = came_to(run)
    canary = f" [{run.drawing.sabotage}]" if run.is_canary else ""
    text = (
        f"run {run.number:<4} {run.drawing.experiment}{canary}: {came.value}, {run.took_s:.0f} s, {run.cluster} cluster"
    )
    more = [*(finding.name for finding in findings(run.record) if not run.is_canary), *run.record.reproduced]
    if came in (Came.FAILED, Came.UNKNOWN, Came.UNSURE, Came.UNCAUGHT):
        more.append(run.record.headline)
    if run.replaced and run.cluster != "own":
        more.append(f"its cluster is replaced: {run.replaced}")
    return Text("\n         ".join((text, *more)), style=_STYLES.get(came, "yellow"))


def drawing_line(drawing: Drawing) -> str:
    """For --dry-run: what can be typed."""
    where = f"  on: vtchaos up {' '.join(drawing.cluster)}" if drawing.cluster else ""
    return f"{drawing.number:>4}  vtchaos run {' '.join(drawing.words)} --seed {drawing.seed}{where}"


def go_on(folder: Path, ended: Ended) -> str:
    """What can be typed to have more of it."""
    return f"go on with: vtchaos soak --resume {shlex.quote(str(folder))} {ended.more}".rstrip()


def answer(tally: Tally, ended: Ended) -> str:
    return "\n".join(_lines(tally, ended))


def _lines(tally: Tally, ended: Ended) -> Iterator[str]:
    if tally.came[Came.UNCAUGHT]:
        yield (
            f"{_count(tally.came[Came.UNCAUGHT], 'canary was', 'canaries were')} NOT caught: the checks did not see "
            "what was broken on purpose, so nothing that they passed can be trusted"
        )
    parts = (f"{count} {came.value}" for came, count in tally.came.items() if count)
    yield f"{_count(tally.runs, 'run', 'runs')}: {', '.join(parts) or 'none'}"
    yield f"ended: {ended.why}"


def _count(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
