"""Ctrl-C and a kill reach the run that goes on, as processes."""

from __future__ import annotations

import io
import signal
import sys

import pytest
from rich.console import Console

from harness.many.children import Stopping


@pytest.mark.parametrize(
    ("number", "then", "code"),
    [("SIGINT", "sys.exit(0)", 0), ("SIGTERM", "signal.pause()", 7)],
)
def test_ctrl_c_lets_the_run_end_and_what_ends_all_ends_it_in_order(number: str, then: str, code: int) -> None:
    """The run's process tells its parent to stop; what reaches the run itself is SIGINT, or nothing."""
    stopping = Stopping(Console(file=io.StringIO()))
    script = (
        "import os, signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit(7)); "
        f"os.kill(os.getppid(), signal.{number}); {then}"
    )
    before = signal.getsignal(signal.SIGINT)
    with stopping.installed():
        assert stopping.ran([sys.executable, "-c", script], "1 of 2") == code
    assert stopping.asked
    assert signal.getsignal(signal.SIGINT) is before
