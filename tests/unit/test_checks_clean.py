"""Goal: what a run left is a finding that names it; what could not be looked for is told; without a proof no result."""

from __future__ import annotations

import dataclasses

from harness.checks.clean import NothingLeft
from harness.history import History
from harness.model import CheckKind, Clean, Verdict
from tests.fakes import HistoryBuilder


def judged(clean: Clean | None) -> list[tuple[Verdict, str, tuple[str, ...]]]:
    history: History = dataclasses.replace(HistoryBuilder().build(), clean=clean)
    found = NothingLeft().check(history)
    assert all(result.kind is CheckKind.SAFETY for result in found)
    return [(result.verdict, result.summary, result.details) for result in found]


def test_nothing_left() -> None:
    clean = Clean(at_ns=1, found={"processes": (), "links": ()}, blind={"packet rules": "no nft"})
    says = "Nothing is left: 2 kinds of things looked for."
    assert judged(clean) == [(Verdict.PASS, says, ("not looked for: packet rules: no nft",))]


def test_something_left() -> None:
    clean = Clean(at_ns=1, found={"processes": ("vtgate (process 7), stopped",), "links": ()})
    ((verdict, says, details),) = judged(clean)
    assert verdict is Verdict.FAIL
    assert says == "The run left something behind: processes: vtgate (process 7), stopped."
    assert details == ("processes: vtgate (process 7), stopped",)


def test_a_run_of_an_earlier_version_has_no_proof() -> None:
    assert judged(None) == []
