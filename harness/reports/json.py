"""verdict.json: the answer of a run for programs. Same verdict, same bytes."""

from __future__ import annotations

from pathlib import Path

from harness.base import jsonio
from harness.history import History
from harness.model import RunVerdict


def render(history: History, verdict: RunVerdict, out: Path) -> Path:
    """Write the verdict; `out` is replaced whole or not at all."""
    del history
    jsonio.save(out, verdict)
    return out
