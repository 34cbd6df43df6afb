"""Runs that a fake of `vtchaos run` writes, and outcomes, for the tests of ci/suite."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from junitparser import JUnitXml, TestCase

from ci.suite import building, command, making
from ci.suite.table import Part
from ci.suite.values import Asked, Attempt, Build, Outcome, Result, Told
from harness.base import jsonio
from harness.checks.judge import judge
from harness.history import load
from harness.many.children import Stopping
from harness.model import KnownBug, Role
from harness.reports.junit import render as render_junit
from tests.fakes import HistoryBuilder, calm
from tests.unit.test_checks_judge import buffer_off

PASSED, FINDING, ABSENT = Outcome.PASSED, Outcome.FINDING, Outcome.ABSENT
UNKNOWN, HARNESS = Outcome.UNKNOWN, Outcome.HARNESS
NOT_BEGUN, REFUSED, BROKEN_OFF = Outcome.NOT_BEGUN, Outcome.REFUSED, Outcome.BROKEN_OFF


def told(*outcomes: Outcome) -> list[Told]:
    return [
        Told(experiment=f"e/{number}", why="", outcome=outcome, attempts=attempts(outcome))
        for number, outcome in enumerate(outcomes)
    ]


def attempts(*outcomes: Outcome) -> tuple[Attempt, ...]:
    return tuple(Attempt(number=number, outcome=outcome) for number, outcome in enumerate(outcomes, start=1))


Writes = Callable[[], HistoryBuilder]
BUG = KnownBug(issue="vitess#1", check="clients/errors", component=Role.VTGATE)
CHECKS = ("clients/errors", "assumptions/rate")


def good() -> HistoryBuilder:
    return calm(checks=CHECKS)


def red() -> HistoryBuilder:
    builder = buffer_off()
    builder.plan = dataclasses.replace(builder.plan, checks=CHECKS)
    return builder


def known() -> HistoryBuilder:
    builder = red()
    builder.plan = dataclasses.replace(builder.plan, known_bugs=(BUG,))
    return builder


def absent() -> HistoryBuilder:
    """The known bug must show, and does not."""
    builder = good()
    builder.plan = dataclasses.replace(builder.plan, known_bugs=(BUG,))
    return builder


def unproved() -> HistoryBuilder:
    builder = good()
    builder.incomplete = ["rows of -80"]
    builder.unread = {"-80"}
    builder.plan = dataclasses.replace(builder.plan, checks=(*CHECKS, "durability/acknowledged"))
    return builder


def failed() -> HistoryBuilder:
    builder = good()
    builder.event("harness-error", "vtgate-1 did not start", 3.0)
    return builder


class Runs:
    """Stands for `vtchaos run`: writes the runs of an experiment in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plans: dict[str, list[Writes | int]] = {}
        self.made: list[str] = []
        self.refused: dict[str, str] = {}
        self.codes: dict[str, int] = {}  # what a run ends with although its verdict says something else
        self.build = Build(commit="abc", programs={"vtgate of 24.0.3": "1"})
        monkeypatch.setattr(Stopping, "ran", lambda _, words, turn, within_s: self(words))
        monkeypatch.setattr(making, "refusal", lambda words: self.refused.get(words[0], ""))
        monkeypatch.setattr(command, "refusal", lambda words: "")
        monkeypatch.setattr(building, "build", self._built)

    def __call__(self, command: Sequence[str]) -> int:
        experiment, folder = command[4], Path(command[command.index("--out") + 1])
        self.made.append(experiment)
        turns = self.plans.setdefault(experiment, [good])
        turn = turns.pop(0) if len(turns) > 1 else turns[0]
        if isinstance(turn, int):
            return turn
        run = turn().write(folder)
        seen = load(run)
        verdict = judge(seen)
        jsonio.save(run.verdict, verdict)
        render_junit(seen, verdict, folder / "junit.xml")
        code = 4 if any(event.kind == "harness-error" for event in seen.events) else verdict.exit_code
        return self.codes.pop(experiment, code)

    async def _built(self, asked: Asked, parts: Sequence[Part]) -> Build:
        return self.build


ONE = ("--only", "storm-2")


def suite(out: Path, *words: str) -> tuple[int, Result]:
    code = command.main([*(words or ONE), "--out", str(out)])
    return code, jsonio.load(out / "result.json", Result)


def cases(out: Path) -> list[TestCase]:
    return [case for each in JUnitXml.fromfile(str(out / "junit.xml")) for case in each]


def marks(out: Path) -> set[type]:
    return {type(result) for case in cases(out) for result in case.result}
