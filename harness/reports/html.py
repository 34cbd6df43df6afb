"""report.html: one file that opens offline, in light and dark, on a wide screen and on a phone.

Data is binned here (`bins`), so a run of a million operations makes a page of the same size as a small
one; nearly all of it is plotly's own script. A Content-Security-Policy in the page forbids every request
to anywhere, and all text of the run is escaped: messages are whatever a server chose to say.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from harness.base.files import write_text
from harness.facts.storm import storms
from harness.history import History
from harness.model import CheckKind, CheckResult, Outcome, RunVerdict, Verdict
from harness.reports import charts, words
from harness.reports.bins import STATE_WORDS, Binned, Counts, Grid, binned, grid_for, overall
from harness.reports.cut_short import folded_names, split
from harness.reports.digest import Digest, LaneFacts, digest
from harness.reports.fault_stretches import Stretch, all_stretches, begun, only_reparents, stretches_by_shard
from harness.reports.html_causes import causes_view
from harness.reports.html_faults import faults_view
from harness.reports.html_service import advice_view, objective_words, service_rows
from harness.reports.html_streams import shown_streams, stream_figures, stream_tiles, stream_view
from harness.reports.known import excused_nothing, reproduced_issue, told
from harness.reports.pages import json_in_script, template
from harness.reports.pressure import pressure_sentence
from harness.reports.state_charts import SHARD_WORDS, phase_chart, shown_phases, stall_chart, state_map
from harness.reports.workflow_chart import watched, workflow_chart, workflow_view

Values = dict[str, Any]
FILTERS: Mapping[str, Callable[..., Any]] = {
    "clean": words.clean,
    "duration": words.duration,
    "count": words.count,
    "tally": words.tally,
    "named": words.key_words,
    "factor": lambda value: "–" if value is None else f"{value:.1f}",
}
_KINDS = {
    CheckKind.ASSUMPTION: "when it does not hold, the run proves nothing about what a slow host can cause",
    CheckKind.CONDITION: "a slow host may explain a promise that failed; it takes nothing from a run without one",
    CheckKind.PROMISE: "what Vitess promises; not judged when an assumption failed",
    CheckKind.SAFETY: "what no slowness excuses",
}


def render(history: History, verdict: RunVerdict, out: Path) -> Path:
    """Write the page whole or not at all; the same run gives the same bytes."""
    write_text(out, template("harness.reports", "report.html", FILTERS).render(view(history, verdict)))
    return out


def view(history: History, verdict: RunVerdict) -> Values:
    """Everything that the template shows."""
    found = digest(history)
    rate = min((lane.rate for lane in history.lanes), default=0.0)
    grid = grid_for(found.from_ns, found.until_ns, len(history.lanes), rate)
    cells = binned(history, grid, open_stalls(found))
    shown = shown_streams(found)
    figures = _figures(history, found, cells) | stream_figures(history, found, shown)
    of_workflow = watched(history)
    if of_workflow:
        figures["workflow-streams"] = workflow_chart(history, found, of_workflow)
    shown_checks, folded = split(history, verdict.results)
    return {
        "plan": history.plan,
        "verdict": verdict,
        "word": words.verdict_word(verdict),
        "sentence": words.run_sentence(history, verdict),
        "meaning": words.EXIT_MEANING.get(verdict.exit_code, ""),
        "shape": words.shape(history),
        "pressure": pressure_sentence(history),
        "began": history.clock.wall(history.start_ns).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "took_ns": history.end_ns - history.start_ns,
        "digest": found,
        "tiles": _tiles(history, found),
        "Outcome": Outcome,
        "causes": causes_view(history, verdict, found),
        "faults": faults_view(history, found),
        "service": service_rows(history),
        "objective": objective_words(history),
        "advice": advice_view(history),
        "phases": shown_phases(history),
        "shard_states": [(state.value, text) for state, text in SHARD_WORDS.items()],
        "checks": _checks(shown_checks),
        "folded": _checks(folded),
        "folded_names": folded_names(folded),
        "streams": stream_view(history, found, shown),
        "workflow": workflow_view(history, found, of_workflow),
        "stream_run": bool(found.streams or history.plan.streams),
        "digest_faults": bool(begun(history)),
        "only_reparents": only_reparents(history),
        "reparents": bool(storms(history)),
        "kinds": _KINDS,
        "stall": lambda lane: words.stall_words(lane.stall.span_ns, lane.stall.open),
        "reparent": _reparent_words,
        "ended": words.buffering_ended,
        "reproduce": words.reproduce(history),
        "command_line": words.command_line(history),
        "versions": words.versions(history),
        "host": words.host_facts(history),
        "incomplete": history.incomplete,
        "states": [(state.value, text) for state, text in STATE_WORDS.items()],
        "vtgate_colours": {vtgate.name: index % 4 for index, vtgate in enumerate(found.vtgates)},
        "charts": frozenset(figures),
        "host_lines": charts.host_legend(history) if "host" in figures else (),
        "data": json_in_script({"figures": figures, "detail": _detail(history, found, cells)}),
        "plotly": Markup(get_plotlyjs()),  # our own dependency's script, as it is
    }


def open_stalls(found: Digest) -> dict[int, int]:
    """Row of `History.lanes` → since when it had been waiting when the record ended."""
    return {row: lane.stall.from_ns for row, lane in enumerate(found.lanes) if lane.stall.open}


def _tiles(history: History, found: Digest) -> list[tuple[str, str, str]]:
    """(figure, what it is, class)."""
    outcomes, worst = found.outcomes, next(iter(found.worst_lanes), None)
    tiles = stream_tiles(found)
    if found.ops or history.plan.load:
        tiles += [
            (words.count(found.ops), "operations on record", ""),
            (words.count(outcomes[Outcome.FAIL]), "failed", "bad" if outcomes[Outcome.FAIL] else ""),
            (words.count(outcomes[Outcome.UNKNOWN]), "outcome unknown", "bad" if outcomes[Outcome.UNKNOWN] else ""),
            (words.count(outcomes[Outcome.NOT_ISSUED]), "not issued", "odd" if outcomes[Outcome.NOT_ISSUED] else ""),
        ]
    if worst:
        where = f"longest stall: {worst.shard} through {worst.vtgate}"
        tiles.append((words.stall_words(worst.stall.span_ns, worst.stall.open), where, ""))
    for number, storm in enumerate(storms(history)[:2]):
        name = "storm" if number == 0 else "second storm"
        called = f"{name}: {words.plural(len(storm.reparents), 'reparent')}"
        if len(storm.reparents) == 1:
            called = f"reparent of {words.clean(storm.shards[0])}"
        still_open = any(not reparent.end_ns for reparent in storm.reparents)
        tiles.append((words.stall_words(storm.end_ns - storm.begin_ns, still_open), called, ""))
    return tiles


def _reparent_words(lane: LaneFacts) -> str:
    if lane.reparent and lane.reparent.error:
        return f"failed after {words.duration(lane.reparent_ns)}"
    if lane.reparent and not lane.reparent.end_ns:
        return "not returned"
    return words.duration(lane.reparent_ns)


def _checks(results: Sequence[CheckResult]) -> list[Values]:
    """The worst first, otherwise in the order of the checks."""
    rows = [_check(result, reproduced_issue(result)) for result in results]
    return sorted(rows, key=lambda row: -int(row["weight"]))


def _check(result: CheckResult, issue: str) -> Values:
    word = {Verdict.PASS: "PASS", Verdict.UNKNOWN: "UNKNOWN", Verdict.FAIL: "FAIL"}[result.verdict]
    return {
        "result": result,
        "word": "REPRODUCED" if issue else "DID NOT HOLD" if excused_nothing(result) else word,
        "issue": issue,
        "told": told(result),
        "weight": result.verdict * 2 + bool(issue),
        "figures": [
            (key, words.key_words(key), words.figure_words(key, n)) for key, n in sorted(result.figures.items())
        ],
    }


def _figures(history: History, found: Digest, cells: Binned) -> Values:
    """Element id → figure."""
    figures: Values = {}
    if len(history.ops):
        for index, vtgate in enumerate(found.vtgates):
            figures[f"heat-{index}"] = charts.heat_map(history, found, cells, vtgate.name)
    for index, vtgate in enumerate(found.vtgates):
        states = state_map(history, found, cells, vtgate.name)
        figures |= {f"states-{index}": states} if states else {}
    if begun(history):
        figures["gantt"] = charts.gantt(history, found)
    for name, made in (
        ("buffer", charts.buffer_chart(history, found, cells.grid) if found.buffered else None),
        ("host", charts.host_chart(history, found)),
        ("phases", phase_chart(history)),
        ("stalls", stall_chart(history, found)),
    ):
        if made is not None:
            figures[name] = made
    return figures


def _detail(history: History, found: Digest, cells: Binned) -> Values:
    """What the page's script needs to draw latency and errors of any one shard, or of all together."""
    shards = list(dict.fromkeys(lane.shard for lane in history.lanes))
    vtgates = [vtgate.name for vtgate in found.vtgates]
    grid = cells.grid
    return {
        "x0": found.seconds(grid.from_ns),
        "dx": grid.width_ns / 1e9,
        "bins": grid.bins,
        "layout": charts.base_layout(history, found, 430),
        "shards": shards,
        "vtgates": vtgates,
        "lanes": [[vtgates.index(lane.vtgate), shards.index(lane.shard)] for lane in history.lanes],
        "max": _packed(cells.max_ms, "<f4"),
        "p99": _packed(cells.p99_ms, "<f4"),
        "bad": _packed(np.minimum(cells.bad, 65535), "<u2"),
        "given_up": _packed(np.minimum(cells.not_issued, 65535), "<u2"),
        "all": [_overall(history, cells, vtgate, grid) for vtgate in vtgates],
        "faults": _seconds(found, all_stretches(history)),
        "faults_of": {shard: _seconds(found, each) for shard, each in stretches_by_shard(history).items()},
    }


def _overall(history: History, cells: Binned, vtgate: str, grid: Grid) -> Values:
    rows = [row for row, lane in enumerate(history.lanes) if lane.vtgate == vtgate]
    max_ms, p99_ms = overall(history, vtgate, grid)
    return {
        "max": charts.numbers(max_ms),
        "p99": charts.numbers(p99_ms),
        "bad": _summed(cells.bad, rows),
        "given_up": _summed(cells.not_issued, rows),
    }


def _summed(counts: Counts, rows: list[int]) -> list[int]:
    return [int(number) for number in counts[rows].sum(axis=0)]


def _seconds(found: Digest, stretches: Sequence[Stretch]) -> list[list[float]]:
    return [[found.seconds(from_ns), found.seconds(to_ns)] for from_ns, to_ns in stretches]


def _packed(values: Any, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
