"""What differs between two groups of runs: seen where there is something, silent where there is not."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import click.testing
import orjson
import pytest
from rich.console import Console

from harness.cli import main
from harness.compare import text as compare_text
from harness.compare.comparison import Comparison, compare, runs_needed
from harness.many.records import RunRecord
from harness.model import Verdict
from tests.fakes import calm
from tests.unit.test_repeats import FOUND, PASSED, UNSURE, made, said


def group(stalls: list[float], **more: object) -> list[RunRecord]:
    """A passed run of each worst stall."""
    runs = [made(Verdict.PASS, said(Verdict.PASS), stall_s=stall_s, **more) for stall_s in stalls]
    return [dataclasses.replace(run, seed=number) for number, run in enumerate(runs)]


def compared(a: list[RunRecord], b: list[RunRecord]) -> Comparison:
    return compare("a", a, "b", b)


A = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
SLOWER = [3.0, 3.1, 3.2, 3.3, 3.4, 3.5]


def test_slower_runs_are_worse_and_the_other_way_round_better() -> None:
    found = compared(group(A), group(SLOWER))
    row = next(row for row in found.rows if row.name == "worst_stall_s")
    assert row.difference is not None
    assert row.difference.change == pytest.approx(2.0)
    assert 1.6 < row.difference.low < 2.0 < row.difference.high < 2.4
    assert found.worse
    assert found.answer.startswith("B is worse in: worst shard's longest stall (24.0.3)")
    back = compared(group(SLOWER), group(A))
    assert not back.worse
    assert back.answer.startswith("B is better in:")


def test_the_same_runs_do_not_differ() -> None:
    found = compared(group(A), group(A))
    assert not found.worse
    assert found.answer == "No difference shows between 6 runs and 6 runs."
    assert found.warnings == ()


def test_too_few_runs_show_nothing_however_far_apart() -> None:
    found = compared(group(A[:3]), group(SLOWER[:3]))
    assert found.answer.startswith("No difference can be shown with so few runs (3 and 3)")
    assert "at least 4 of each" in found.answer
    assert runs_needed() == 4
    assert not found.worse


def test_two_single_runs_are_compared_by_their_shards_and_nothing_is_said_of_others() -> None:
    values = {"vtgate-1": {"stall_s": tuple(A), "errors": (0.0,)}}
    slower = {"vtgate-1": {"stall_s": tuple(SLOWER), "errors": (9.0,)}}
    found = compared([dataclasses.replace(PASSED, values=values)], [dataclasses.replace(PASSED, values=slower)])
    row = next(row for row in found.rows if row.kind == "lanes")
    assert row.clear
    assert not row.is_worse
    assert not found.worse
    assert "so few runs (1 and 1)" in found.answer


def test_rates_differ_by_an_exact_test() -> None:
    found = compared([PASSED] * 20, [FOUND] * 12 + [PASSED] * 8)
    rows = [row for row in found.rows if row.kind == "rate"]
    assert [(row.name, row.clear) for row in rows] == [("any", True), ("clients/stall", True)]
    assert found.worse
    few = compared([PASSED] * 20, [FOUND] + [PASSED] * 19)
    assert not any(row.clear for row in few.rows if row.kind == "rate")


def test_runs_that_prove_nothing_are_left_out_and_said() -> None:
    found = compared([PASSED, UNSURE], [UNSURE])
    assert (found.a.counted, found.b.counted) == (1, 0)
    assert found.answer == "Nothing can be compared: no run of B proves anything."
    assert any("1 run of A proved nothing and is left out" in warning for warning in found.warnings)


def test_other_hosts_sizes_and_seeds_are_warned_of() -> None:
    a = [dataclasses.replace(PASSED, setting={"shards": "2", "vitess": "24.0.3", "host's cores": "2"})]
    b = [dataclasses.replace(PASSED, seed=2, setting={"shards": "4", "vitess": "21.0.2", "host's cores": "64"})]
    found = compared(a, b)
    assert found.unlike == {"shards": ("2", "4"), "vitess": ("24.0.3", "21.0.2"), "host's cores": ("2", "64")}
    assert any("more than their releases: shards, host's cores" in warning for warning in found.warnings)
    assert any("other seeds" in warning for warning in found.warnings)
    mixed = compared(a, [*a, *b])
    assert any("The runs of B differ among themselves" in warning for warning in mixed.warnings)


def test_other_releases_are_compared_with_each_other() -> None:
    old = group(A, vtgates={"vtgate-1": "21.0.2"})
    found = compared(old, group(SLOWER))
    assert {row.vtgate for row in found.rows if row.name == "worst_stall_s"} == {"21.0.2 → 24.0.3"}
    assert found.worse


def test_errors_and_causes_are_counted_a_run() -> None:
    clean = group(A)
    bad = [
        dataclasses.replace(run, errors={"vtgate-1": {"read-only": 5 + run.seed}}, causes={"vtgate-1": {"x": 7}})
        for run in clean
    ]
    found = compared(clean, bad)
    rows = {(row.kind, row.name): row for row in found.rows}
    assert rows["error", "read-only"].is_worse
    assert rows["cause", "x"].is_worse
    assert not rows["figure", "worst_stall_s"].clear


def test_a_comparison_for_people() -> None:
    out = io.StringIO()
    compare_text.show(compared(group(A), group(SLOWER)), Console(file=out, width=120, color_system=None))
    text = out.getvalue()
    assert "worst shard's longest stall" in text
    assert "+2.00 s" in text
    assert "worse" in text


def test_names_of_others_are_neither_markup_nor_escape_sequences() -> None:
    evil = "24.0.3 \x1b[31m[red]"
    runs = [
        [
            dataclasses.replace(run, vtgates={"vtgate-1": evil}, setting={evil: evil, "seed": str(each)})
            for run in group(each)
        ]
        for each in (A, SLOWER)
    ]
    found = compared(*runs)
    out = io.StringIO()
    shown = dataclasses.replace(found, unlike={evil: (evil, evil)})
    compare_text.show(shown, Console(file=out, width=200, color_system=None))
    assert "[red]" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_the_command(tmp_path: Path) -> None:
    calm(checks=("clients/errors",)).write(tmp_path / "a")
    calm(checks=("clients/errors",)).write(tmp_path / "b")
    runner = click.testing.CliRunner()
    said = runner.invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--fail-if-worse"])
    assert said.exit_code == 0
    assert "so few runs" in said.stdout
    as_json = runner.invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path), "--json", "--objective", "99@1s"])
    assert orjson.loads(as_json.stdout)["b"]["runs"] == 2
    nothing = runner.invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path / "a" / "logs")])
    assert nothing.exit_code != 0
    assert "is no run directory" in nothing.stderr
