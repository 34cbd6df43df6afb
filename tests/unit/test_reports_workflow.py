"""A VReplication workflow in the page and in the summary: its streams, their states, and what went wrong."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import orjson
import plotly.graph_objects as go
from rich.console import Console

from harness.checks.judge import judge
from harness.history import History, Series
from harness.model import Node, Role, Sample, Scalar
from harness.reports import html, terminal
from harness.reports.workflow_chart import COLOURS
from tests.unit.stream_report_history import ns, stream_history
from tests.unit.test_reports_streams import HOSTILE, _with_colours, figures, page, told

ERROR = "Error Code: 3024 maximum statement execution time exceeded"


def workflow_history(message: str = ERROR) -> History:
    """Two target shards: one stream runs in the end, the other one stopped with an error."""
    log = orjson.dumps([2, "Message", "Error", 3, message]).decode()
    good = _series(1, {0: ("Copying", 0, "item_1"), 1: ("Copying", 900, "item_1"), 2: ("Running", 1000, "")})
    bad = _series(
        2, {0: ("Copying", 0, "item_1,item_2"), 3: ("Error", 400, "item_2")}, {"log:1": log, "message:2": message}
    )
    tablet = Node(
        name="vttablet-104", role=Role.VTTABLET, version="24.0.3", keyspace="target", shard="-80", tablet_uid=104
    )
    counted = {"VReplicationCopyLoopCount:target.-80.move.MoveTables.1": 7}
    series = {"workflow-target.-80": good, "workflow-target.80-": bad, "workflow-target": Series([])}
    whole = stream_history([])
    return dataclasses.replace(
        whole,
        plan=dataclasses.replace(whole.plan, streams=(), experiment="movetables/cut"),
        nodes=(*whole.nodes, tablet),
        series=series | {"vttablet-104": Series([Sample(at_ns=ns(3), took_ns=1, values=counted)])},
    )


def _series(number: int, steps: dict[int, tuple[str, int, str]], more: dict[str, Scalar] | None = None) -> Series:
    samples = []
    for at, (state, rows, left) in steps.items():
        values: dict[str, Scalar] = {"tablet": "zone1-0000000104", f"source:{number}": "-80", f"message:{number}": ""}
        values |= {f"state:{number}": state, f"rows_copied:{number}": rows, f"left:{number}": left}
        samples.append(Sample(at_ns=ns(2 + at), took_ns=1, values=values))
    samples[-1] = dataclasses.replace(samples[-1], values={**samples[-1].values, **(more or {})})
    return Series([*samples, Sample(at_ns=ns(10), took_ns=1)])


def summary(history: History) -> str:
    out = io.StringIO()
    terminal.show(history, judge(history), Console(file=out, width=100, color_system=None), folder=Path("r"))
    return out.getvalue()


def test_page_tells_streams_states_and_errors(tmp_path: Path) -> None:
    text = page(workflow_history(), tmp_path)
    assert "target/-80 #1 -80 zone1-0000000104 1,000 7 0 – Running" in told(text)
    assert "target/80- #2 -80 zone1-0000000104 400 0 0 item_2 Error" in told(text)
    assert f"target/80- #2 3 {ERROR}" in told(text)
    assert "Copy cycles" not in told(text)


def test_chart_has_states_and_rows(tmp_path: Path) -> None:
    figure = figures(page(workflow_history(), tmp_path))["workflow-streams"]
    states, first, second = figure["data"]
    assert states["marker"]["color"] == [
        COLOURS[name] for name in ("Copying", "Copying", "Running", "Copying", "Error")
    ]
    assert states["x"] == [1, 1, 6, 3, 5]
    assert first["y"] == [0, 900, 1000, 1000]
    assert second["y"][-1] == 400
    go.Figure(data=_with_colours(figure["data"]), layout=_with_colours(figure["layout"]))


def test_summary_tells_the_stream_in_trouble_first() -> None:
    text = summary(workflow_history())
    lines = [line for line in text.splitlines() if line.startswith("target/")]
    assert [line.split()[:4] for line in lines] == [
        ["target/80-", "#2", "-80", "400"],
        ["target/-80", "#1", "-80", "1,000"],
    ]
    assert f"3 × target/80- #2, +3.5 s: {ERROR}" in " ".join(text.split())


def test_no_workflow_no_section(tmp_path: Path) -> None:
    text = page(stream_history(), tmp_path)
    assert "Workflow" not in told(text) + summary(stream_history())
    assert "workflow-streams" not in figures(text)


def test_hostile_messages_stay_text(tmp_path: Path) -> None:
    history = workflow_history(HOSTILE)
    text = html.render(history, judge(history), tmp_path / "p.html").read_text()
    assert "<img" not in text.partition("<body>")[2].partition('<script type="application/json"')[0]
    assert "onerror=alert(2)" in text
    assert "\x1b" not in summary(history)
