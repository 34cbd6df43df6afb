"""The live view as lines of (text, style) pieces that fit a given width and height.

No tables and no markup: laying out a rich table of 32 rows four times a second costs more than everything
else the harness does, on a machine that it shares with the system under test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.reports.live_state import (
    Line,
    LiveLane,
    LiveReparent,
    LiveState,
    Piece,
    Rates,
    RowState,
    row_state,
    silent_ns,
)
from harness.reports.live_streams import stream_lines, totals_line
from harness.reports.progress import Step, Story

STYLES = {
    RowState.IDLE: "dim",
    RowState.SERVING: "green",
    RowState.REPARENTING: "cyan",
    RowState.BUFFERING: "yellow",
    RowState.STALLED: "bold yellow",
    RowState.ERRORS: "bold red",
}
_WEIGHT = {state: weight for weight, state in enumerate(RowState)}
_BAR = 24
_LEAST_STREAMS = 3  # lines, with their heading
REMARK_NS = 20_000_000_000
_GAP = "   "


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a vtgate's part of a row."""

    title: str
    width: int  # without the blank before it


STATE = Column("state", 11)
OK = Column("ok/s", 5)
ERRORS = Column("error", 5)
HELD = Column("held", 4)
SILENT = Column("silent", 6)
NOT_ISSUED = Column("unissued", 8)
PENDING = Column("pending", 7)  # due and not answered yet
_BY_WORTH = (STATE, ERRORS, HELD, OK, SILENT, NOT_ISSUED, PENDING)
_IN_ORDER = (STATE, SILENT, HELD, OK, ERRORS, NOT_ISSUED, PENDING)
_SHARD, _REPARENT = 7, 9
NARROWEST = 1 + _SHARD + 1 + _REPARENT + sum(column.width + 1 for column in (STATE, ERRORS, HELD, OK, SILENT))


def seconds(span_ns: float) -> str:
    value = span_ns / 1e9
    return f"{value:.1f}s" if value < 99.95 else f"{value:.0f}s"


def frame(title: str, story: Story, state: LiveState, rates: Rates, *, width: int, height: int) -> list[Line]:
    """The whole picture: at most `height` lines, none wider than `width`."""
    head = head_lines(title, story, state)
    foot = [*step_lines(story, state.now_ns), *remark_lines(story, state.now_ns)]
    left = height - len(head) - len(foot)
    streams = stream_lines(state, rates, height=max(_LEAST_STREAMS, left // 2) if state.lanes else left)
    body = shard_lines(state, rates, width=width, height=left - len(streams)) if state.lanes else []
    body = [*streams, *body]
    return [cut(line, width) for line in [*head, *body, *foot]][:height]


def head_lines(title: str, story: Story, state: LiveState) -> list[Line]:
    """Title and elapsed time; phases; totals and host."""
    first: Line = [(title, "bold"), ("  ", ""), (seconds(state.now_ns - story.begun_ns), "bold")]
    lines = [first]
    if story.phases:
        first.append(("  ", ""))
        first += phase_pieces(story, state.now_ns)
    if state.lanes:
        lines.append(total_pieces(state))
    if state.streams:
        lines.append(totals_line(state.streams))
    if context := context_pieces(state):
        lines.append(context)
    if state.faults:
        lines.append([("in force: " + "; ".join(state.faults), "magenta")])
    return lines


def phase_pieces(story: Story, now_ns: int) -> Line:
    pieces: Line = []
    marks = story.phases
    for index, (name, begun_ns) in enumerate(marks):
        last = index + 1 == len(marks)
        ended_ns = now_ns if last else marks[index + 1][1]
        pieces.append((f"{name} {seconds(ended_ns - begun_ns)}  ", "bold cyan" if last else "dim"))
    return pieces


def total_pieces(state: LiveState) -> Line:
    lanes = state.lanes.values()
    pieces: Line = [(f"{sum(lane.issued for lane in lanes):,} issued: ", "")]
    for number, word, style in (
        (sum(lane.failed for lane in lanes), "failed", "bold red"),
        (sum(lane.unknown for lane in lanes), "unknown", "bold red"),
        (sum(lane.not_issued for lane in lanes), "unissued", "magenta"),
        (sum(lane.in_flight + lane.queued for lane in lanes), "pending", ""),
    ):
        pieces += [(f"{number:,} {word}", style if number else "dim"), (", ", "")]
    return pieces[:-1]


def context_pieces(state: LiveState) -> Line:
    ends = [reparent.end_ns for reparent in state.reparents.values()]
    told = [f"reparents returned {sum(1 for end in ends if end)}/{len(ends)}"] if ends else []
    told += [f"host: {state.host}"] if state.host else []
    return [("  ".join(told), "dim")] if told else []


def step_lines(story: Story, now_ns: int) -> list[Line]:
    """While the cluster starts all steps; later only those under way."""
    steps = story.open_steps() if story.phases else list(story.steps.values())[-14:]
    wide = max((len(step.what) for step in steps), default=0)
    return [step_line(step, now_ns, wide) for step in steps]


def step_line(step: Step, now_ns: int, wide: int) -> Line:
    took = seconds((step.ended_ns or now_ns) - step.begun_ns)
    if step.share is None:
        return [(f"  {step.what:<{wide}}  ", ""), (f"{'…':<{_BAR}}", "dim"), (f"  {took:>7}", "dim")]
    full = round(step.share * _BAR)
    counted = f"  {step.done}/{step.total}" if step.total else ""
    style = "green" if step.ended_ns else "cyan"
    bar = [("━" * full, style), ("─" * (_BAR - full), "dim")]
    return [(f"  {step.what:<{wide}}  ", ""), *bar, (f"  {took:>7}", "dim"), (counted, "")]


def remark_lines(story: Story, now_ns: int) -> list[Line]:
    """What happened lately; the end of a process and an error of ours stay."""
    return [
        [
            (f"{seconds(remark.at_ns - story.begun_ns):>7} ", "dim"),
            (remark.text, "bold red" if remark.grave else "yellow"),
        ]
        for remark in story.remarks
        if remark.grave or now_ns - remark.at_ns < REMARK_NS
    ]


def shard_lines(state: LiveState, rates: Rates, *, width: int, height: int) -> list[Line]:
    """A row a shard; side by side where they do not fit below each other but the terminal is wide; otherwise
    the ones in trouble, and how many are not shown."""
    several = len(state.versions) > 1
    head_height = 2 if several else 1
    room = max(1, height - head_height)
    abreast = 1
    while len(state.shards) > room * abreast and (width + len(_GAP)) // (abreast + 1) >= NARROWEST + len(_GAP):
        abreast += 1
    each = (width - (abreast - 1) * len(_GAP)) // abreast
    columns = chosen_columns(each, max(1, len(state.versions)))
    shown, hidden = fitting(state, room * abreast)
    heads = [vtgate_head(state, columns)] if several else []
    heads.append(column_head(state, columns))
    per = -(-len(shown) // abreast)
    blocks = [shown[start : start + per] for start in range(0, len(shown), per)] if shown else []
    lines = [beside([head] * max(1, len(blocks)), each) for head in heads]
    rows = [[shard_line(state, rates, shard, columns) for shard in block] for block in blocks]
    lines += [beside([block[index] for block in rows if index < len(block)], each) for index in range(per)]
    if hidden:
        lines.append([(f"… and {hidden} more shards", "dim")])
    return lines


def chosen_columns(width: int, vtgates: int) -> tuple[Column, ...]:
    """For each vtgate the columns that fit, the most telling first."""
    left = (width - 1 - _SHARD - 1 - _REPARENT) // vtgates - (2 if vtgates > 1 else 0)
    chosen = []
    for column in _BY_WORTH:
        if left >= column.width + 1:
            chosen.append(column)
            left -= column.width + 1
    return tuple(column for column in _IN_ORDER if column in chosen)


def fitting(state: LiveState, room: int) -> tuple[list[str], int]:
    """The shards that are shown, in their own order, and how many are not."""
    if len(state.shards) <= room:
        return list(state.shards), 0
    kept = sorted(state.shards, key=lambda shard: -_trouble(state, shard))[: room - 1]
    return [shard for shard in state.shards if shard in set(kept)], len(state.shards) - len(kept)


def _trouble(state: LiveState, shard: str) -> int:
    lanes = [lane for (_, name), lane in state.lanes.items() if name == shard]
    reparent = state.reparents.get(shard)
    return max((_WEIGHT[row_state(lane, reparent, state.now_ns)] for lane in lanes), default=0)


def vtgate_head(state: LiveState, columns: Sequence[Column]) -> Line:
    wide = sum(column.width + 1 for column in columns)
    line: Line = [(" " * (1 + _SHARD + 1 + _REPARENT), "")]
    for vtgate, version in state.versions.items():
        line += [("│ ", "dim"), (f" {vtgate} {version}"[:wide].ljust(wide), "bold")]
    return line


def column_head(state: LiveState, columns: Sequence[Column]) -> Line:
    titles = "".join(
        " " + (f"{column.title:<{column.width}}" if column is STATE else f"{column.title:>{column.width}}")
        for column in columns
    )
    line: Line = [(f" {'shard':<{_SHARD}} {'reparent':>{_REPARENT}}", "dim")]
    for _ in state.versions or ("",):
        line += [("│ ", "dim")] if len(state.versions) > 1 else []
        line.append((titles, "dim"))
    return line


def shard_line(state: LiveState, rates: Rates, shard: str, columns: Sequence[Column]) -> Line:
    reparent = state.reparents.get(shard)
    line: Line = [(f" {shard:<{_SHARD}} ", ""), reparent_piece(reparent, state.now_ns)]
    for vtgate in state.versions or ("",):
        line += [("│ ", "dim")] if len(state.versions) > 1 else []
        lane = state.lanes.get((vtgate, shard))
        if lane is None:
            line.append((" " * sum(column.width + 1 for column in columns), ""))
        else:
            line += lane_pieces(lane, reparent, state.now_ns, rates.ok_per_s((vtgate, shard)), columns)
    return line


def reparent_piece(reparent: LiveReparent | None, now_ns: int) -> Piece:
    if reparent is None:
        return " " * _REPARENT, ""
    took = seconds((reparent.end_ns or now_ns) - reparent.begin_ns)
    if reparent.error:
        return f"{'✗ ' + took:>{_REPARENT}}", "bold red"
    return (f"{took:>{_REPARENT}}", "green") if reparent.end_ns else (f"{'▶ ' + took:>{_REPARENT}}", "bold cyan")


def lane_pieces(
    lane: LiveLane, reparent: LiveReparent | None, now_ns: int, ok_per_s: float | None, columns: Sequence[Column]
) -> Line:
    judged = row_state(lane, reparent, now_ns)
    silent = silent_ns(lane, now_ns)
    shown: dict[Column, Piece] = {
        STATE: (judged.value, STYLES[judged]),
        OK: ("" if ok_per_s is None else f"{ok_per_s:.{1 if ok_per_s < 1000 else 0}f}", ""),
        ERRORS: (str(lane.errors or "·"), "bold red" if lane.errors else "dim"),
        HELD: (str(lane.held or "·"), "yellow" if lane.held else "dim"),
        SILENT: (seconds(silent) if silent > 500_000_000 else "·", "yellow" if silent > 500_000_000 else "dim"),
        NOT_ISSUED: (str(lane.not_issued or "·"), "magenta" if lane.not_issued else "dim"),
        PENDING: (str(lane.in_flight + lane.queued or "·"), ""),
    }
    pieces: Line = []
    for column in columns:
        text, style = shown[column]
        aligned = f"{text:<{column.width}}" if column is STATE else f"{text:>{column.width}}"
        pieces.append((" " + aligned, style))
    return pieces


def beside(lines: Sequence[Line], each: int) -> Line:
    """Several rows in one line, each padded to its share."""
    joined: Line = []
    for index, line in enumerate(lines):
        line = cut(line, each)
        pad = each - sum(len(text) for text, _ in line) if index + 1 < len(lines) else 0
        joined += [*line, (" " * pad + (_GAP if index + 1 < len(lines) else ""), "")]
    return joined


def cut(line: Line, width: int) -> Line:
    """The line, cut off at `width` characters."""
    kept: Line = []
    for text, style in line:
        if width <= 0:
            break
        kept.append((text[:width], style))
        width -= len(text)
    return kept
