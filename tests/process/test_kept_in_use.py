"""A killed run is in nobody's way."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from clusters import kept
from harness.base.errors import PlanError
from tests.unit.kept_fakes import FakeKeeper
from tests.unit.test_kept_in_use import start

HOLDS = """
import sys, pathlib
from clusters.in_use import using
with using(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def test_a_killed_run_holds_nothing(keepers: dict[str, FakeKeeper]) -> None:
    folder = asyncio.run(start(keepers))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"held\n"
        with pytest.raises(PlanError, match=f"in use by process {run.pid}; "):
            asyncio.run(kept.stop("a", keepers=keepers))
        run.kill()
        run.wait()
    asyncio.run(kept.stop("a", keepers=keepers))
    assert not folder.exists()
