"""Rates of a defect over releases, and their intervals."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci import rates
from harness.base import jsonio
from harness.model import CheckKind, CheckResult, RunVerdict, Scalar, Verdict

VTGATES = ("21.0.2", "24.0.3")


def result(vtgate: str, **figures: Scalar) -> CheckResult:
    return CheckResult(
        check=rates.CHECK,
        kind=CheckKind.PROMISE,
        verdict=Verdict.FAIL if figures.get("late") else Verdict.PASS,
        summary="",
        subject=vtgate,
        figures=figures,
    )


def assumption(verdict: Verdict, subject: str = "") -> CheckResult:
    return CheckResult(check="assumptions/x", kind=CheckKind.ASSUMPTION, verdict=verdict, summary="", subject=subject)


def run(*results: CheckResult) -> RunVerdict:
    return RunVerdict(run_id="r", experiment="x", verdict=Verdict.PASS, exit_code=0, headline="", results=results)


def test_nothing_measured_says_nothing() -> None:
    assert "not measured" in rates.table(rates.rates([], VTGATES))


def test_each_vtgate_is_counted_on_its_own() -> None:
    hit = {"late": 2, "cause_late-error": 1, "longest_s": 14.25}
    verdicts = [
        run(assumption(Verdict.PASS), result("vtgate-1", late=0), result("vtgate-2", **hit)),
        run(assumption(Verdict.PASS), result("vtgate-1", late=0), result("vtgate-2", late=0)),
    ]
    found = rates.rates(verdicts, VTGATES)
    assert [(rate.runs, rate.shown) for rate in found.values()] == [(2, 0), (2, 1)]
    assert "| 24.0.3 | 2 | 1 | 50% (9% to 91%) | 14.2 s | late-error 1 |" in rates.table(found)
    assert "| 21.0.2 | 2 | 0 | 0% (0% to 66%) | - | - |" in rates.table(found)


def test_a_run_that_proves_nothing_does_not_count_for_whom_it_concerns() -> None:
    hit = result("vtgate-2", late=1)
    assert not list(rates.seen(run(assumption(Verdict.UNKNOWN), hit), VTGATES))
    assert not list(rates.seen(run(assumption(Verdict.UNKNOWN, "vtgate-2"), hit), VTGATES))
    assert list(rates.seen(run(assumption(Verdict.UNKNOWN, "vtgate-1"), hit), VTGATES))
    assert not list(rates.seen(run(assumption(Verdict.PASS)), VTGATES))


def test_runs_that_are_there_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "001"
    folder.mkdir()
    jsonio.save(folder / "verdict.json", run(assumption(Verdict.PASS), result("vtgate-1", late=1)))
    monkeypatch.setattr("ci.rates.subprocess.run", lambda *_, **__: None)  # the second comes to no verdict
    monkeypatch.setattr("sys.argv", ["rates", "x/y", "--runs", "2", "--out", str(tmp_path), "--vtgate", "24.0.3"])
    (tmp_path / "002").mkdir()
    assert rates.main() == 0
    told = capsys.readouterr()
    assert "| 24.0.3 | 1 | 1 |" in told.out
    assert "002: no verdict" in told.err
