"""Nights of soaks, made up."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.base import jsonio
from harness.many.records import Said
from harness.model import CheckKind, Verdict
from harness.nights.night import Item, Night, Shown, Sighting, Watched, night
from harness.soak.values import RUNS, SOAK, Soak, SoakRun
from tests.unit.soak_runs import WEIGHTS, soak_run

ERRORS = Watched(experiment="reparent/storm", check="clients/errors", release="24.0.3")
FOUND = Item(watched=ERRORS, symptom="no-healthy-tablet")
KNOWN = Item(watched=replace(ERRORS, check="", release="21.0.2"), issue="vitess#17629")


def stamp(day: int, number: int = 0) -> str:
    """The moment at which run `number` of the night of November `day` begins."""
    minutes = number - 1 if number else 0
    return f"2026-11-{day + minutes // 1440:02d}T{minutes // 60 % 24:02d}:{minutes % 60:02d}:00+00:00"


def soak(day: int = 1, **more: object) -> Soak:
    made = Soak(
        name=f"n{day}",
        seed=7,
        budget_s=28_800.0,
        most_runs=0,
        keep_bytes=20_000_000_000,
        weights=WEIGHTS,
        begin=stamp(day),
        until=stamp(day + 1),
        harness_version="0.1.0",
        commit="0123456789abcdef",
        host={"cores": 2, "cpu": "a cpu"},
    )
    return replace(made, **more)  # type: ignore[arg-type]


def sighting(day: int, number: int = 1) -> Sighting:
    return Sighting(folder=f"runs/n{day}/{number:04d}", begin=stamp(day, number), seed=number)


def counted(day: int, shown: int, judged: int, item: Item = FOUND) -> Night:
    """A night in which `item` showed in so many of the runs in which it could have."""
    seen = {item: Shown(runs=shown, first=sighting(day, 1), last=sighting(day, shown))} if shown else {}
    return Night(
        path=f"runs/n{day}",
        begin=stamp(day),
        seed=day,
        setting={"commit": f"c{day}"},
        exit_code=1 if shown and not item.issue else 0,
        runs=judged,
        found=0 if item.issue else shown,
        reproduced=shown if item.issue else 0,
        passed=judged - shown,
        judged={item.watched: judged} if judged else {},
        shown=seen,
    )


# ---------------------------------------------------------------- runs


def run(
    number: int,
    *said: Said,
    day: int = 1,
    verdict: Verdict | None = None,
    stall_s: float = 1.0,
    vtgates: Mapping[str, str] | None = None,
    reproduced: Sequence[str] = (),
    **more: object,
) -> SoakRun:
    """Through one vtgate of 24.0.3, unless told otherwise; red where one of its checks is."""
    red = max((each.verdict for each in said), default=Verdict.PASS)
    made = soak_run(number, red if verdict is None else verdict, *(said or (errors(Verdict.PASS),)))
    nodes = vtgates or {"vtgate-1": "24.0.3"}
    values = {node: {"stall_s": (stall_s,), "p99_ms": (20.0 * stall_s,)} for node in nodes}
    record = replace(
        made.record,
        vtgates=nodes,
        values={**values, "": {"reparent_s": (0.5,)}},
        setting={"vitess": "24.0.3"},
        reproduced=tuple(reproduced),
    )
    return replace(made, begin=stamp(day, number), record=record, **more)  # type: ignore[arg-type]


def errors(
    verdict: Verdict,
    subject: str = "vtgate-1",
    about: str = "3 errors of 282 operations reached the clients of vtgate-1: no-healthy-tablet.",
    issue: str = "",
    symptoms: tuple[str, ...] = ("no-healthy-tablet",),
) -> Said:
    return Said(
        check="clients/errors",
        kind=CheckKind.PROMISE,
        verdict=verdict,
        subject=subject,
        about=about if verdict is Verdict.FAIL else "",
        symptoms=symptoms if verdict is Verdict.FAIL else (),
        issue=issue,
    )


def gathered(*runs: SoakRun, day: int = 1) -> Night:
    return night(f"runs/n{day}", soak(day), runs)


def noisy(count: int, day: int, *, around_s: float, seed: int) -> Iterator[SoakRun]:
    """Runs whose longest stall is drawn: most near `around_s`, one in twenty far above."""
    draw = random.Random(seed)
    for number in range(1, count + 1):
        far = 10.0 if draw.random() < 0.05 else 1.0
        yield run(number, day=day, stall_s=far * draw.lognormvariate(0, 0.15) * around_s)


def written(folder: Path, runs: Iterable[SoakRun], day: int = 1, **more: object) -> Path:
    """A soak's folder."""
    folder.mkdir(parents=True)
    jsonio.save(folder / SOAK, soak(day, **more))
    (folder / RUNS).write_bytes(b"".join(jsonio.line(each) for each in runs))
    return folder
