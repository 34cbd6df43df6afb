"""A killed process is told from a living one."""

from __future__ import annotations

import os
import subprocess
import sys

from harness.base.owner import process


def test_a_killed_process_is_dead_before_it_is_reaped() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = process(child.pid)
        assert not owner.dead
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
        assert owner.dead
