"""Causes as a verdict of the made-up storm could have them: one of every kind of evidence, one unexplained."""

from __future__ import annotations

import dataclasses

from harness.causes import UNEXPLAINED, Blame, CauseRow, Evidence
from harness.history import History
from harness.model import LogLine, RunVerdict
from tests.unit.storm_history import ns, storm_verdict

STOPPING = Evidence(
    source="loglines.jsonl",
    subject="vtgate-1",
    at_ns=ns(51.2),
    text="Stopping buffering for shard: ks/-08 after: 10.0 seconds due to: a primary promotion has been detected",
)
STEP = Evidence(
    source="samples-vtgate-1.jsonl",
    subject="vtgate-1",
    at_ns=ns(51.25),
    text="BufferRequestsEvicted:ks.-08.WindowExceeded 0 → 8",
)
SPAN = Evidence(source="faults.jsonl", subject="-08", at_ns=ns(41.5), text="PlannedReparent -08 took 2.9 s")


def with_logs(history: History) -> History:
    """The storm with lines around the one that is evidence."""
    texts = ("Starting buffering for shard: ks/-08", STOPPING.text, "Draining 8 requests")
    lines = tuple(
        LogLine(at_ns=ns(41.2 + 10 * number / 2), node="vtgate-1", level="I", text=text)
        for number, text in ((0, texts[0]), (2, texts[1]), (3, texts[2]))
    )
    return dataclasses.replace(history, logs=lines)


def storm_causes() -> tuple[CauseRow, ...]:
    return (
        _row("keyspace-wide-consistency", Blame.DESIGN, "waited for other shards' reparents", 360, evidence=(SPAN,)),
        _row(
            "window-shorter-than-reparent", Blame.SETTING, "the buffer's window was shorter than the reparent", 48,
            errors=48, evidence=(STEP, STOPPING), classes={"evicted": 48}, advice="Set --buffer-window to 12s or more.",
        ),
        _row("own-reparent", Blame.RUN, "waited for its own shard's reparent", 30, "vtgate-2", evidence=(SPAN,)),
        _row("host-starved", Blame.HOST, "the host had no free core", 8, through={"own-reparent": 8}, evidence=(SPAN,)),
        _row(UNEXPLAINED, Blame.NOBODY, "unexplained", 4, errors=4, classes={"lost-connection": 4}),
    )  # fmt: skip


def verdict_with_causes(history: History) -> RunVerdict:
    return dataclasses.replace(storm_verdict(history), causes=storm_causes())


def _row(
    cause: str, blame: Blame, title: str, operations: int, vtgate: str = "vtgate-1", errors: int = 0, **more: object
) -> CauseRow:
    return dataclasses.replace(
        CauseRow(
            cause=cause, blame=blame, vtgate=vtgate, title=title, operations=operations, errors=errors,
            waited_s=operations * 2.5, worst_s=8.25, from_ns=ns(41.2), to_ns=ns(51.9),
            shards={"-08": operations - 1, "08-10": 1},
            classes={"": operations - errors} if operations > errors else {},
        ),
        **more,  # type: ignore[arg-type]
    )  # fmt: skip
