"""Which processes ended or began anew during a run."""

from __future__ import annotations

from harness.facts.storm import REPARENTS
from harness.history import History
from harness.model import Event, FaultSpan

# Counters of a vtgate that only ever grow while it lives.
_GROWING = ("BufferStarts", "BufferRequestsBuffered", "BufferRequestsDrained", "HealthcheckPrimaryPromoted")


def exits(history: History) -> tuple[Event, ...]:
    return tuple(event for event in history.events if event.kind == "exit")


def faults_on(history: History, node: str) -> tuple[FaultSpan, ...]:
    """The faults that were aimed at a process (a reparent is aimed at a shard, not at a process)."""
    return tuple(
        span for span in history.faults if span.begin_ns and node in span.targets and span.fault not in REPARENTS
    )


def in_force(span: FaultSpan, at_ns: int, slack_ns: int = 0) -> bool:
    """Whether a fault was acting at a moment; one that was never healed acts to the end."""
    return span.begin_ns <= at_ns and (span.healed_ns == 0 or at_ns <= span.healed_ns + slack_ns)


def restarted(history: History, node: str) -> bool:
    """Whether a process ended, or its counters fell, at any time of the run: what it counted is lost then."""
    if any(event.subject == node for event in exits(history)):
        return True
    series = history.series.get(node)
    if series is None:
        return False
    return any(
        series.growth(f"{name}:{label}", history.start_ns) is None for name in _GROWING for label in series.labels(name)
    )
