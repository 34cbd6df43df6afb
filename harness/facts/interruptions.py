"""Whether the user ended the run early, and where; and whether its harness lived to its end."""

from __future__ import annotations

from harness.facts.storm import quiet_ns
from harness.history import History

LEFT = ("removing", "left running")  # what the runner says of the cluster when every fault is taken back


def interruptions(history: History) -> tuple[str, ...]:
    """Where each interruption fell, in words; empty for a run that came to its own end."""
    return tuple(event.subject for event in history.events if event.kind == "interrupt")


def was_interrupted(history: History) -> bool:
    return bool(interruptions(history))


def harness_died(history: History) -> bool:
    """Nothing on record is from the end of the run: its harness was killed, or its host was, and nobody was there to
    take a fault back."""
    if quiet_ns(history) is not None or history.clean is not None:
        return False
    return not any(
        event.kind == "harness-error" or (event.kind == "cluster" and event.subject in LEFT) for event in history.events
    )
