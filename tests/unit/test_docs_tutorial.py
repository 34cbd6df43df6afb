"""Goal: what a reader of the tutorial types works: its files fit this version, and its check is seen red and green."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.faults import catalogue
from harness.model import CheckResult, OpKind, Verdict
from tests.fakes import HistoryBuilder

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
FILE = re.compile(r"[Cc]reate `(?P<path>[\w/]+)\.py`.*?^```python\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture
def modules() -> Iterator[Mapping[str, Any]]:
    """The files of the page, as if they were where it puts them."""
    found = {match["path"].replace("/", "."): match["text"] for match in FILE.finditer(PAGE.read_text())}
    assert not set(found) & set(sys.modules), "the tutorial's names are taken"
    made: dict[str, ModuleType] = {}
    try:
        for name, text in found.items():
            made[name] = sys.modules[name] = ModuleType(name)
            exec(compile(text, name, "exec"), made[name].__dict__)
        yield made
    finally:
        for name in made:
            del sys.modules[name]


def judged(modules: Mapping[str, Any], builder: HistoryBuilder) -> CheckResult:
    (result,) = modules["harness.checks.backup"].ReadsGoOn().check(builder.build())
    assert isinstance(result, CheckResult)
    return result


def locked(*reads_took_s: float) -> HistoryBuilder:
    """Locked from the 5th to the 10th second, reads in the 6th."""
    builder = HistoryBuilder()
    builder.fault("BackupLock", "mysqld-100", 5.0, 10.0)
    for took_s in reads_took_s:
        builder.op(6.0, took_s=took_s, kind=OpKind.READ)
    return builder


def test_the_check_is_red_when_reads_wait(modules: Mapping[str, Any]) -> None:
    result = judged(modules, locked(0.01, 3.5))
    assert result.verdict is Verdict.FAIL
    assert result.figures == {"late": 1, "reads": 2, "worst_s": 3.5}


def test_the_check_is_green_when_they_go_on(modules: Mapping[str, Any]) -> None:
    assert judged(modules, locked(0.01, 0.2)).verdict is Verdict.PASS


def test_the_check_knows_that_nobody_read(modules: Mapping[str, Any]) -> None:
    assert judged(modules, locked()).verdict is Verdict.UNKNOWN


def test_the_check_has_nothing_to_say_of_other_runs(modules: Mapping[str, Any]) -> None:
    assert judged(modules, HistoryBuilder()).verdict is Verdict.PASS


def test_the_fault_is_one_that_the_catalogue_takes(modules: Mapping[str, Any]) -> None:
    (fault,) = modules["harness.faults.backup"].FAULTS
    assert catalogue.sample(fault).name == "BackupLock"
    assert catalogue.evidence(catalogue.sample(fault))


def test_the_experiment_asks_the_check(modules: Mapping[str, Any]) -> None:
    names = {each.name: [check.name for check in each.checks] for each in modules["experiments.backup"].EXPERIMENTS}
    assert set(names) == {"backup/control", "backup/read-lock"}
    assert all("backup/reads-go-on" in checks for checks in names.values())
