"""The faults of a run in the page: the life cycle of each, and the proof that nothing of them is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.history import History
from harness.model import Clean, FaultSpan
from harness.reports.digest import Digest
from harness.reports.words import clean, duration, plural, shorten

SHOWN = 12  # the rest is folded
MOST = 1_000
MESSAGE = 400
NEVER = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One fault in words."""

    number: int
    fault: str
    targets: str
    details: str
    begin_s: float | None
    took_hold: str  # from the begin until it was in force; of a one-shot operation: until it returned
    in_force: str
    taken_back: str  # how long taking it back took
    got_over: str  # and the cluster, after that
    observed: bool
    trouble: str  # what went wrong with it


def faults_view(history: History, found: Digest) -> dict[str, Any]:
    """The values of `templates/faults.html`."""
    spans = [span for span in history.faults if span.begin_ns or span.error]
    rows = [_row(history, span, found) for span in spans[:MOST]]
    return {
        "first": rows[:SHOWN],
        "rest": rows[SHOWN:],
        "left_out": max(len(spans) - MOST, 0),
        "clean": _clean(history.clean) if history.clean is not None else None,
    }


def _row(history: History, span: FaultSpan, found: Digest) -> FaultRow:
    details = [f"{key} {value}" for key, value in sorted(span.details.items()) if not key.endswith("_ns")]
    return FaultRow(
        number=span.number,
        fault=clean(span.fault),
        targets=clean(shorten(", ".join(span.targets), MESSAGE)),
        details=clean(shorten(", ".join(details), MESSAGE)),
        begin_s=found.seconds(span.begin_ns) if span.begin_ns else None,
        took_hold=_between(span.begin_ns, span.active_ns),
        in_force=_between(span.active_ns, span.recover_ns),
        taken_back=_between(span.recover_ns, span.healed_ns),
        got_over=_between(span.healed_ns, span.recovered_ns),
        observed=span.observed,
        trouble=clean(shorten("; ".join(_trouble(history, span)), MESSAGE)),
    )


def _between(from_ns: int, to_ns: int) -> str:
    return duration(to_ns - from_ns) if from_ns and to_ns else NEVER


def _trouble(history: History, span: FaultSpan) -> list[str]:
    said = {
        "failed": span.error,
        "the cluster had not got over it": span.unrecovered,
        "unhealthy afterwards": span.unhealthy,
        "taken back by": span.healed_by,
    }
    found = [f"{words}: {what}" for words, what in said.items() if what]
    if span.active_ns and span.undo and not span.healed_ns:
        found.append("never taken back by the run")
    if not span.error and span.begin_ns and not span.active_ns:
        found.append("never in force" if history.rows else "not in force when the record ended")
    return found


def _clean(proof: Clean) -> Mapping[str, Any]:
    left = {clean(kind): [clean(shorten(row, MESSAGE)) for row in rows] for kind, rows in sorted(proof.found.items())}
    return {
        "summary": plural(len(left), "kind") + " of things looked for when the run was over",
        "left": {kind: rows for kind, rows in left.items() if rows},
        "nothing": [kind for kind, rows in left.items() if not rows],
        "blind": sorted((clean(kind), clean(shorten(why, MESSAGE))) for kind, why in proof.blind.items()),
    }
