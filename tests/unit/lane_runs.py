"""Lanes, verdicts and run directories for the tests of ci/lanes."""

from __future__ import annotations

from pathlib import Path

from ci.lanes.table import LANES
from harness.base import jsonio
from harness.model import CheckKind, CheckResult, ClusterSpec, Plan, RunVerdict, Verdict, VtgateSpec

PASS, UNKNOWN, FAIL = Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL
STREAMS = next(lane for lane in LANES if lane.name == "17778")  # of vtgate: 21.0.2 and 24.0.3 side by side
ISSUE, NAMED = STREAMS.issue, STREAMS.check
TWO = ClusterSpec(vtgates=(VtgateSpec(version="21.0.2"), VtgateSpec()))
HOST = {"cores": 2, "memory_bytes": 24 * 2**30, "cpu": "a cpu"}


def said(
    check: str = NAMED,
    verdict: Verdict = PASS,
    subject: str = "",
    kind: CheckKind = CheckKind.PROMISE,
    *,
    known_bug: str = "",
) -> CheckResult:
    figures = {"known_bug": known_bug} if known_bug else {}
    return CheckResult(check=check, kind=kind, verdict=verdict, summary="", subject=subject, figures=figures)


def shown() -> CheckResult:
    """The bug, where it was expected."""
    return said(subject="items-1@vtgate-1", known_bug=ISSUE)


def premise(verdict: Verdict, subject: str = "") -> CheckResult:
    return said("assumptions/x", verdict, subject, CheckKind.ASSUMPTION)


def verdict(*results: CheckResult, exit_code: int = 0) -> RunVerdict:
    return RunVerdict(run_id="r", experiment="x", verdict=PASS, exit_code=exit_code, headline="", results=results)


def plan(experiment: str, *words: str, cluster: ClusterSpec = TWO, number: int = 1) -> Plan:
    return Plan(
        run_id=f"20261121-00000{number}-x",
        experiment=experiment,
        why="",
        backend="local",
        cluster=cluster,
        load=None,
        params={},
        checks=(),
        seed=1,
        timeout_s=1.0,
        command_line=("vtchaos", "run", experiment, *words, "--plain", "--seed", "1"),
        harness_version="1",
    )


def recorded(folder: Path, made: RunVerdict, of: Plan) -> None:
    """A run directory, as far as lanes look at it."""
    folder.mkdir(parents=True)
    jsonio.save(folder / "plan.json", of)
    jsonio.save(folder / "host.json", HOST)
    jsonio.save(folder / "verdict.json", made)
