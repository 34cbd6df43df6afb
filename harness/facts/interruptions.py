"""Whether the user ended the run early, and where."""

from __future__ import annotations

from harness.history import History


def interruptions(history: History) -> tuple[str, ...]:
    """Where each interruption fell, in words; empty for a run that came to its own end."""
    return tuple(event.subject for event in history.events if event.kind == "interrupt")


def was_interrupted(history: History) -> bool:
    return bool(interruptions(history))
