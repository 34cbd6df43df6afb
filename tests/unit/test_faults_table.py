"""Goal: no fault without its smoke and no-op test: every one has a row in tests/faults/rows.py."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import harness.faults
from tests.faults.rows import ELSEWHERE, ROWS


def test_every_fault_has_a_row() -> None:
    found = set()
    for module in pkgutil.iter_modules(harness.faults.__path__, "harness.faults."):
        for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if kind.__module__ == module.name and hasattr(kind, "inject") and not name.startswith("_"):
                found.add(name)
    assert found == set(ROWS) | ELSEWHERE


def test_a_fault_is_called_what_its_row_is_called() -> None:
    assert [row.fault.name for row in ROWS.values()] == list(ROWS)
