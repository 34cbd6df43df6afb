"""The table of how long faults take."""

from __future__ import annotations

import math
from dataclasses import replace

from rich.console import Console

from ci.bench.faults import Took, figures, table, took
from harness.model import FaultSpan

SECOND = 1_000_000_000
SPAN = FaultSpan(
    number=1,
    fault="Killed",
    targets=("vtgate-1",),
    details={},
    intent_ns=SECOND,
    begin_ns=SECOND,
    active_ns=2 * SECOND,
    recover_ns=5 * SECOND,
    healed_ns=8 * SECOND,
    recovered_ns=12 * SECOND,
)


def test_the_parts_of_a_faults_life() -> None:
    assert took(SPAN) == Took(in_force_s=1.0, taken_back_s=3.0, got_over_s=4.0)
    once = took(replace(SPAN, recover_ns=0, healed_ns=0, recovered_ns=0))
    assert (once.in_force_s, math.isnan(once.taken_back_s), math.isnan(once.got_over_s)) == (1.0, True, True)
    assert [figure.name for figure in figures("Killed", once)] == ["Killed: in force"]


def test_what_was_not_measured_is_told_with_its_reason() -> None:
    never = took(replace(SPAN, recovered_ns=0, unrecovered="it does not serve"))
    assert [(figure.name, figure.detail) for figure in figures("Killed", never)] == [
        ("Killed: not measured", "it does not serve")
    ]
    console = Console(width=80)
    with console.capture() as printed:
        console.print(table({"Killed": never, "Paused": took(SPAN)}))
    assert "Killed: it does not serve" in printed.get()
    assert "1.00" in printed.get()
