"""Acknowledged means durable, refused means not applied, and nothing comes from nowhere.

A reparent under semi-sync loses no acknowledged write and applies none twice: PlannedReparentShard demotes
the old primary and waits until the new one has caught up (go/vt/vtctl/reparentutil/planned_reparenter.go,
v0.24.3). Shards whose tables were not read back are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.checks.ledger import Flags, Stored, Written, stored, through, written
from harness.checks.results import Finding, failed, passed, per_vtgate, result, unknown
from harness.facts.storm import quiet_ns
from harness.facts.words import counted, listed
from harness.history import History
from harness.model import CheckKind, CheckResult, Lane, Node, Outcome

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class AcknowledgedDurable:
    """Every write that was acknowledged is stored exactly once, with its value, in its shard."""

    name: str = "durability/acknowledged"
    kind: CheckKind = CheckKind.SAFETY

    def check(self, history: History) -> tuple[CheckResult, ...]:
        writes = written(history, stored(history))
        return per_vtgate(self, history, lambda node: _acknowledged(history, writes, node))


def _acknowledged(history: History, writes: Written, node: Node) -> Finding:
    ours = (writes.outcome == Outcome.OK) & through(history, writes, node.name)
    judged = ours & writes.judged
    lost = judged & (writes.present == 0)
    twice = judged & (writes.present > 1)
    wrong = judged & (writes.present == 1) & ~writes.right
    figures = {"acknowledged": _n(ours), "lost": _n(lost), "twice": _n(twice), "wrong": _n(wrong)}
    broken = lost | twice | wrong
    if broken.any():
        return failed(
            f"Of {counted(_n(judged), 'row')} acknowledged through {node.name}, {_n(lost):,} are missing, "
            f"{_n(twice):,} stored more than once and {_n(wrong):,} stored wrongly.",
            describe(history, writes, broken),
            figures,
            _sorts({"missing": lost, "stored more than once": twice, "stored wrongly": wrong}),
        )
    return judge_rest(
        history,
        history.lanes_of(node.name),
        _n(ours),
        f"{counted(_n(judged), 'acknowledged row')} stored once.",
        figures,
    )


@dataclass(frozen=True, slots=True)
class FailedAbsent:
    """No write that was reported as surely not applied is stored."""

    name: str = "durability/failed"
    kind: CheckKind = CheckKind.SAFETY

    def check(self, history: History) -> tuple[CheckResult, ...]:
        writes = written(history, stored(history))
        return per_vtgate(self, history, lambda node: _failed(history, writes, node))


def _failed(history: History, writes: Written, node: Node) -> Finding:
    mine = through(history, writes, node.name)
    ours = mine & (writes.outcome == Outcome.FAIL)
    applied = ours & writes.judged & (writes.present > 0)
    figures = {"failed": _n(ours), "applied": _n(applied)}
    if applied.any():
        return failed(
            f"{counted(_n(applied), 'row')} reported as failed through {node.name} were applied all the same.",
            describe(history, writes, applied),
            figures,
        )
    return judge_rest(
        history,
        history.lanes_of(node.name),
        _n(mine),
        f"None of {counted(_n(ours), 'row')} reported as failed is stored.",
        figures,
    )


@dataclass(frozen=True, slots=True)
class NoPhantoms:
    """Every stored row was written by somebody, as often as it may be, and with that value.

    A write with an unknown outcome may be stored at most once; one that never left the harness, never.
    Rows of operations that were never recorded are UNKNOWN when the load was cut off: its last records are
    lost with it.
    """

    name: str = "durability/phantoms"
    kind: CheckKind = CheckKind.SAFETY

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _phantoms(history)),)


def _phantoms(history: History) -> Finding:
    table = stored(history)
    writes = written(history, table)
    there = writes.present > 0
    not_issued = (writes.outcome == Outcome.NOT_ISSUED) & there
    unsure = (writes.outcome == Outcome.UNKNOWN) & writes.judged
    doubled = unsure & (writes.present > 1)
    altered = unsure & (writes.present == 1) & ~writes.right
    strange = ~np.isin(table.key, writes.key)
    figures = {
        "rows": len(table.key),
        "unwritten": _n(strange),
        "not_issued": _n(not_issued),
        "unknown_stored": _n(unsure & there),
        "unknown_twice": _n(doubled),
        "unknown_wrong": _n(altered),
    }
    broken = not_issued | doubled | altered
    whole = _records_are_whole(history)
    if broken.any() or (strange.any() and whole):
        return failed(
            f"{counted(_n(strange) + _n(broken), 'stored row')} cannot come from any operation: "
            f"{_n(strange):,} that nobody wrote, {_n(not_issued):,} that never left the harness, "
            f"{_n(doubled):,} stored twice, {_n(altered):,} altered.",
            [*describe(history, writes, broken), *_strangers(table, strange)],
            figures,
            _sorts(
                {
                    "nobody wrote it": strange,
                    "never left the harness": not_issued,
                    "stored twice": doubled,
                    "altered": altered,
                }
            ),
        )
    if strange.any():
        return unknown(
            f"{counted(_n(strange), 'row')} belong to no recorded operation, but the load's records are not whole.",
            _strangers(table, strange),
            figures,
        )
    return judge_rest(
        history, history.lanes, len(writes.op), f"All {counted(len(table.key), 'stored row')} were written.", figures
    )


def _records_are_whole(history: History) -> bool:
    """Whether the load came to its own end, so that every operation was recorded."""
    cut = any(event.kind in ("interrupt", "harness-error") for event in history.events)
    torn = any(what.startswith("ops") and ".messages" not in what for what in history.incomplete)
    return quiet_ns(history) is not None and not cut and not torn


def _strangers(table: Stored, strange: Flags) -> list[str]:
    return [
        f"row ({int(table.key[index])}, {int(table.value[index])}) on {table.shards[int(table.shard[index])]}: "
        "nobody wrote it"
        for index in np.flatnonzero(strange)[:EXAMPLES].tolist()
    ]


def judge_rest(history: History, lanes: tuple[Lane, ...], wrote: int, said: str, figures: Mapping[str, int]) -> Finding:
    """No violation was seen. That is a PASS only if everything was looked at, and there was something to see."""
    if history.plan.load is None:
        return passed("No load was planned.", figures=figures)
    unread = sorted({lane.shard for lane in lanes} - set(history.rows))
    if unread:
        return unknown(f"The tables of {listed(unread)} were not read back.", figures=figures)
    if not wrote:
        return unknown("Nothing was written, so nothing can be missing.", figures=figures)
    return passed(said, figures=figures)


def describe(history: History, writes: Written, which: Flags) -> list[str]:
    """The first few offending writes."""
    lines = []
    for index in np.flatnonzero(which)[:EXAMPLES].tolist():
        op = history.ops[int(writes.op[index])]
        lane = history.lane_by_number.get(int(op["lane"]))
        where = f"{lane.shard} through {lane.vtgate}" if lane else f"lane {int(op['lane'])}"
        wrong = "" if writes.right[index] else ", not as it was written"
        lines.append(
            f"key {int(writes.key[index])} on {where}: {Outcome(int(op['outcome'])).name} "
            f"{(int(op['done_ns']) - history.start_ns) / 1e9:.3f} s into the run, "
            f"stored {counted(int(writes.present[index]), 'time')}{wrong}"
        )
    return lines


def _sorts(broken: Mapping[str, Flags]) -> list[str]:
    return [what for what, flags in broken.items() if flags.any()]


def _n(flags: Flags) -> int:
    return int(np.count_nonzero(flags))
