"""What the clients saw from the first fault on: errors by class, and time without service.

The promise judged is that of vtgate's buffer (`--enable-buffer`, "buffer client traffic during
failovers"): a planned reparent costs clients a wait, no errors, and the wait is bounded by
`--buffer-window`. A vtgate without a buffer promises nothing about waits, but its clients' errors are
errors all the same: that is how a run with the buffer off is seen to be red.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.attribution.error_signatures import LOST_WITH_PRIMARY
from harness.checks.results import Finding, failed, offset, passed, per_vtgate, unknown
from harness.facts.affected import Flags, class_of_each, erroneous
from harness.facts.buffer import BufferSettings, settings
from harness.facts.service import ShardService, service
from harness.facts.storm import Reparent, reparents_of_shards, trouble
from harness.facts.words import counted, listed, seconds
from harness.history import History, Ops
from harness.model import CheckKind, CheckResult, ConnectionMode, Node, OpKind, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Errors that are no broken promise: at most `per_connection_and_reparent` for each connection and
    each reparent of its shard that had begun, in lanes of `mode`."""

    mode: ConnectionMode
    classes: tuple[str, ...]
    per_connection_and_reparent: int
    why: str


LONG_REPARENT, LONG_STALL = "the reparent outlasted the window", "its reparent was shorter, or there was none"

TOLERANCES: tuple[Tolerance, ...] = (
    Tolerance(
        mode=ConnectionMode.TRANSACTION,
        classes=LOST_WITH_PRIMARY,
        per_connection_and_reparent=1,
        why="vtgate buffers only what is not in a transaction (opts.InTransaction in tabletgateway.go withRetry, "
        "v0.24.3); one that is open when its primary steps down is lost, once (Vitess's own buffer test allows it)",
    ),
)


@dataclass(frozen=True, slots=True)
class ClientErrors:
    """Operations that failed, or whose outcome is unknown, from the first fault on."""

    name: str = "clients/errors"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _errors(history, node))


def _errors(history: History, node: Node) -> Finding:
    lanes = history.lanes_of(node.name)
    if not lanes:
        return unknown(f"No load was recorded against {node.name}.")
    window = trouble(history)
    since_ns = window[0] if window else history.start_ns
    ops = history.ops_of(lanes)
    ops = ops[ops["done_ns"] >= since_ns]
    bad = erroneous(ops)
    not_issued = int(np.count_nonzero(ops["outcome"] == Outcome.NOT_ISSUED))
    figures: dict[str, str | int | float] = {
        "operations": len(ops),
        "errors": len(bad),
        "failed": int(np.count_nonzero(bad["outcome"] == Outcome.FAIL)),
        "unknown": int(np.count_nonzero(bad["outcome"] == Outcome.UNKNOWN)),
        "not_issued": not_issued,
    }
    if not len(ops):
        return unknown(f"No operation on {node.name} ended after the first fault.", figures=figures)
    if not len(bad):
        return passed(f"{counted(len(ops), 'operation')}, no error.", figures=figures)
    classes = class_of_each(history, bad)
    tolerated = _tolerated(history, bad, classes)
    figures["tolerated"] = int(np.count_nonzero(tolerated))
    details = _described(history, bad, classes, tolerated, since_ns)
    if tolerated.all():
        return passed(
            f"{counted(len(bad), 'error')} of {counted(len(ops), 'operation')}, all of them tolerated.",
            details,
            figures,
        )
    left = int(np.count_nonzero(~tolerated))
    kinds = dict.fromkeys(classes[~tolerated].tolist())
    return failed(
        f"{counted(left, 'error')} of {counted(len(ops), 'operation')} reached the clients of {node.name}: "
        f"{listed(kinds, 3)}.",
        details,
        figures,
        kinds,
    )


def _tolerated(history: History, bad: Ops, classes: npt.NDArray[np.str_]) -> Flags:
    """Which errors a row of TOLERANCES covers: the first ones of every connection."""
    own = reparents_of_shards(history)
    allowed = np.zeros(len(bad), dtype=np.bool_)
    for row in TOLERANCES:
        covered = np.isin(classes, row.classes) & (bad["kind"] == OpKind.TRANSACTION)
        used: dict[tuple[int, int], int] = defaultdict(int)
        for index in np.flatnonzero(covered)[np.argsort(bad["done_ns"][covered], kind="stable")].tolist():
            op = bad[index]
            lane = history.lane_by_number.get(int(op["lane"]))
            if lane is None or lane.mode is not row.mode:
                continue
            slot = (int(op["lane"]), int(op["connection"]))
            begun = sum(reparent.begin_ns <= op["done_ns"] for reparent in own.get(lane.shard, ()))
            if used[slot] < begun * row.per_connection_and_reparent:
                used[slot] += 1
                allowed[index] = True
    return allowed


def _described(history: History, bad: Ops, classes: npt.NDArray[np.str_], tolerated: Flags, since_ns: int) -> list[str]:
    """One line for each class, outcome and toleration, most frequent first."""
    lines: list[tuple[int, str]] = []
    for name in np.unique(classes).tolist():
        for outcome in (Outcome.FAIL, Outcome.UNKNOWN):
            for excused in (False, True):
                of_kind = bad[(classes == name) & (bad["outcome"] == outcome) & (tolerated == excused)]
                if len(of_kind):
                    lines.append((len(of_kind), _line(history, of_kind, name, outcome, excused, since_ns)))
    return [line for _, line in sorted(lines, key=lambda item: (-item[0], item[1]))]


def _line(history: History, ops: Ops, name: str, outcome: Outcome, excused: bool, since_ns: int) -> str:
    numbers, counts = np.unique(ops["lane"], return_counts=True)
    shards: dict[str, int] = defaultdict(int)
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        lane = history.lane_by_number.get(number)
        shards[lane.shard if lane else f"lane {number}"] += count
    worst = sorted(shards.items(), key=lambda item: (-item[1], item[0]))
    first = ops[int(np.argmin(ops["done_ns"]))]
    when = f"{offset(int(first['done_ns']), since_ns)} to {offset(int(ops['done_ns'].max()), since_ns)}"
    where = listed((f"{shard}: {count}" for shard, count in worst), 6)
    note = " [tolerated]" if excused else ""
    message = " ".join(history.message(first).split())[:240]
    errno = f" (errno {int(first['errno'])})" if first["errno"] else ""
    return f"{len(ops)} × {name} ({outcome.name}){note}, {when}; {where}; first: {message or 'no message'}{errno}"


@dataclass(frozen=True, slots=True)
class ClientStall:
    """The longest time in which a shard's clients got nothing, against the buffer window."""

    name: str = "clients/stall"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _stall(history, node))


def _stall(history: History, node: Node) -> Finding:
    if not history.lanes_of(node.name):
        return unknown(f"No load was recorded against {node.name}.")
    window = trouble(history)
    found = service(history, node.name, window[0] if window else history.start_ns)
    buffer = settings(history, node.name)
    own = reparents_of_shards(history)
    by_stall = sorted(found, key=lambda item: (-item.stall_s, item.shard))
    worst = by_stall[0]
    latency = max(found, key=lambda item: item.worst_latency_s)
    beyond = [item for item in by_stall if item.stall_s > buffer.window_s]
    not_issued = sum(item.not_issued for item in found)
    figures: dict[str, str | int | float] = {
        "worst_stall_s": round(worst.stall_s, 3),
        "worst_stall_shard": worst.shard,
        "median_stall_s": round(float(np.median([item.stall_s for item in found])), 3),
        "worst_latency_s": round(latency.worst_latency_s, 3),
        "worst_latency_shard": latency.shard,
        "not_issued": not_issued,
        "shards_beyond_window": len(beyond) if buffer.enabled else 0,
    }
    if not sum(item.due for item in found):
        return unknown(f"Nothing was due on {node.name} after the first fault.", figures=figures)
    details = [_stall_line(item, own, window) for item in by_stall if item.stall_s >= 0.5]
    if not_issued:
        details.append(
            f"{counted(not_issued, 'operation')} found no free connection in time and never left the harness"
        )
    return _stall_finding(node, worst, beyond, buffer, own, details, figures)


def _stall_finding(
    node: Node,
    worst: ShardService,
    beyond: list[ShardService],
    buffer: BufferSettings,
    own: Mapping[str, tuple[Reparent, ...]],
    details: list[str],
    figures: Mapping[str, str | int | float],
) -> Finding:
    said = f"shard {worst.shard} went {seconds(worst.stall_s)} without an answer"
    if not buffer.enabled:
        return passed(f"At worst {said}; buffering is off, so nothing was promised.", details, figures)
    if not beyond:
        return passed(f"At worst {said}, within the window of {seconds(buffer.window_s)}.", details, figures)
    slow = [item.shard for item in beyond if _own_s(own, item.shard) > buffer.window_s]
    symptoms = [LONG_REPARENT] * bool(slow) + [LONG_STALL] * (len(slow) < len(beyond))
    why = f" On {listed(slow)} the reparent itself took longer than the window (#9433)." if slow else ""
    return failed(
        f"{counted(len(beyond), 'shard')} stalled for longer than the buffer window of {seconds(buffer.window_s)} "
        f"on {node.name}; at worst {said}.{why}",
        details,
        figures,
        symptoms,
    )


def _own_s(own: Mapping[str, tuple[Reparent, ...]], shard: str) -> float:
    return max((reparent.duration_s for reparent in own.get(shard, ())), default=0.0)


def _stall_line(item: ShardService, own: Mapping[str, tuple[Reparent, ...]], window: tuple[int, int] | None) -> str:
    since_ns = window[0] if window else item.stall_from_ns
    took = _own_s(own, item.shard)
    reparent = f"its own reparent took {seconds(took)}" if took else "not reparented"
    return (
        f"{item.shard}: {seconds(item.stall_s)} without an answer from {offset(item.stall_from_ns, since_ns)} "
        f"({reparent}); slowest answer {seconds(item.worst_latency_s)}; {item.not_issued} not issued"
    )
