"""Goal: what was measured of several backends stands side by side, and what could not be is told with its reason."""

from __future__ import annotations

import math

from rich.console import Console

from ci.bench.backends import Measured, Round, _median, figures, table


def a_round(start_s: float, **more: float) -> Round:
    return Round(start_s=start_s, end_s=0.5, memory_mb=900, **more)


def test_the_median_is_of_each_field_where_it_was_measured() -> None:
    rounds = [a_round(2.0, cpu_us=300), a_round(9.0), a_round(3.0)]
    assert _median(rounds).start_s == 3.0
    assert _median(rounds).cpu_us == 300
    assert math.isnan(_median(rounds).round_trip_ms)


def test_backends_stand_side_by_side() -> None:
    measured = {
        "local": Measured(small=a_round(2.25, round_trip_ms=0.7), large=a_round(3.5)),
        "docker": Measured(small=a_round(5.0), large=a_round(8.0)),
        "moon": Measured(why_not="it is too far"),
    }
    console = Console(width=120, record=True)
    console.print(table(measured))
    lines = console.export_text().splitlines()
    assert lines[0].split() == ["local", "docker", "moon"]
    (start,) = [line for line in lines if line.strip().startswith("2 x 2 tablets: start")]
    assert start.split()[-3:] == ["2.25", "5", "-"]
    assert any("moon: it is too far" in line for line in lines)


def test_every_row_is_a_figure() -> None:
    rows = figures("local", Measured(small=a_round(2.25), large=a_round(3.5)))
    assert rows[0].line().strip() == "local: 2 x 2 tablets: start to serving: 2.25 s"
    assert len(rows) == 8
    (missing,) = figures("moon", Measured(why_not="it is too far"))
    assert missing.detail == "it is too far"
