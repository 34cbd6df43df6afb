"""Ctrl-C and a kill reach the run that goes on, as processes."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from harness.base.wait import until
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


def test_a_kill_ends_all_that_run_at_once_each_with_its_own_log(tmp_path: Path) -> None:
    stopping = Stopping(Console(file=io.StringIO()))
    script = "import signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit(7)); print('1', flush=True); "
    argv = [sys.executable, "-c", f"{script} signal.pause()"]
    logs = [tmp_path / "first.log", tmp_path / "second.log"]

    async def begun() -> bool:
        return all(log.is_file() and log.read_text() for log in logs)

    with stopping.installed(), ThreadPoolExecutor(len(logs)) as threads:
        running = [threads.submit(stopping.ran, argv, "1 of 2", 60.0, log=log) for log in logs]
        asyncio.run(until("both have begun", begun, timeout_s=30.0))
        os.kill(os.getpid(), signal.SIGTERM)
        assert [each.result(60.0) for each in running] == [7, 7]
    assert stopping.asked
