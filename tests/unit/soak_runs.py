"""Runs of a soak, made up."""

from __future__ import annotations

from dataclasses import replace

from harness.many.records import RunRecord, Said
from harness.model import CheckKind, Verdict
from harness.soak.values import Drawing, Lot, Resources, SoakRun, Values, Weights

CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 3}
LEVEL = Resources(
    rss_bytes=80_000_000,
    handles=9,
    children=0,
    own_rss_bytes=80_000_000,
    own_handles=9,
    folder_bytes=1_000_000,
    free_bytes=100_000_000_000,
    available_bytes=20_000_000_000,
)
WEIGHTS = Weights(
    lots=(
        Lot(
            name="storms",
            experiment="reparent/storm",
            weight=3,
            kept=True,
            cluster={"shards": Values(choices=("1", "2")), "vtgate": Values(choices=("", "24.0.3,RELEASE"))},
            load={"rate": Values(low=5, high=20, step=5)},
            params={"reparents": Values(choices=("0", "1"))},
        ),
        Lot(name="random", experiment="faults/random", weight=2, kept=True),
        Lot(name="late", experiment="health/late-request", weight=1),
    ),
    releases=("21.0.2", "24.0.3"),
    block=5,
    kept_in_block=2,
    kept_cluster={"shards": Values(choices=("1", "2"))},
    sabotages={"lost-row": ("storms", "random"), "no-buffer": ("storms",)},
)


def record(verdict: Verdict, *results: Said, run_id: str = "r", headline: str = "so it went") -> RunRecord:
    return RunRecord(
        run_id=run_id,
        folder="0001",
        experiment="reparent/storm",
        seed=1,
        verdict=verdict,
        exit_code=CODES[verdict],
        headline=headline,
        results=results,
    )


def said(check: str, verdict: Verdict, kind: CheckKind = CheckKind.PROMISE) -> Said:
    return Said(check=check, kind=kind, verdict=verdict, about=f"{check} went wrong")


def soak_run(number: int, verdict: Verdict = Verdict.PASS, *results: Said, **more: object) -> SoakRun:
    drawing = Drawing(number=number, lot="storms", experiment="reparent/storm", words=("reparent/storm",), seed=number)
    run = SoakRun(
        drawing=drawing,
        folder=f"{number:04d}",
        begin="2026-11-21T00:00:00+00:00",
        took_s=40.0,
        exit_code=CODES[verdict],
        record=record(verdict, *results),
        before=LEVEL,
        after=LEVEL,
    )
    return replace(run, **more)  # type: ignore[arg-type]


def found(number: int, check: str = "clients/errors") -> SoakRun:
    return soak_run(number, Verdict.FAIL, said(check, Verdict.FAIL))


def broken(number: int, exit_code: int = 4) -> SoakRun:
    run = soak_run(number, Verdict.UNKNOWN)
    return replace(run, exit_code=exit_code, record=record(Verdict.UNKNOWN, run_id="", headline=f"it died at {number}"))


def canary(number: int, caught: bool | None, verdict: Verdict = Verdict.FAIL) -> SoakRun:
    run = soak_run(number, verdict, said("durability/acknowledged", Verdict.FAIL, CheckKind.SAFETY))
    return replace(run, drawing=replace(run.drawing, sabotage="lost-row"), caught=caught)
