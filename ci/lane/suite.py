"""The tests that need a Kubernetes, on a lane that is made for them and goes with them."""

from __future__ import annotations

import os
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from ci.lane import life
from ci.lane.place import Lane
from ci.lane.standup import Say
from ci.lane.tools import Tools
from harness.base import procs

TIMEOUT_S = 5400.0
TESTS = ("tests/cluster", "tests/faults", "-k", "kubernetes", "-p", "no:cacheprovider", "--timeout", "900")
NOTHING_PROVEN = 3


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the tests."""

    passed: int
    failed: int
    skipped: int


async def run(lane: Lane, tools: Tools, *, say: Say) -> int:
    """pytest's exit status; not 0 either when no test passed. The lane's logs stay unless it is 0.

    Raises PlanError, ClusterError, ProcessError.
    """
    async with life.standing(lane, tools, say=say):
        with tempfile.TemporaryDirectory(prefix="vtchaos-lane-") as folder:
            report = Path(folder) / "junit.xml"
            env = {
                "KUBECONFIG": str(lane.kubeconfig),
                "PATH": f"{tools.kubectl.parent}{os.pathsep}{os.environ['PATH']}",
            }
            argv = [sys.executable, "-m", "pytest", *TESTS, f"--junitxml={report}"]
            done = await procs.run(argv, timeout_s=TIMEOUT_S, env=env, on_line=say, check=False)
            seen = counts(report.read_text()) if report.is_file() else Counts(0, 0, 0)
    code = verdict(done.returncode, seen, say)
    if code == 0:
        await life.down(lane)
    else:
        say(f"the lane's logs are in {lane.logs}")
    return code


def counts(junit: str) -> Counts:
    """Of the cases in a JUnit report."""
    kinds = [
        {child.tag for child in case} & {"failure", "error", "skipped"}
        for case in ET.fromstring(junit).iter("testcase")
    ]
    skipped = sum(kind == {"skipped"} for kind in kinds)
    passed = sum(not kind for kind in kinds)
    return Counts(passed=passed, failed=len(kinds) - skipped - passed, skipped=skipped)


def verdict(returncode: int, seen: Counts, say: Say) -> int:
    """A run in which everything was skipped proves nothing: it is not green."""
    say(f"on the lane: {seen.passed} passed, {seen.failed} failed, {seen.skipped} skipped")
    if returncode == 0 and seen.passed == 0:
        say("no test has passed, so nothing is proven")
        return NOTHING_PROVEN
    return returncode
