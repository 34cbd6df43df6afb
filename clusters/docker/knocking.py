"""Knocks from a container's place: a program of ours in the container's network, which this machine's kernel holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from clusters.common.knocks import Says
from clusters.local import supervisor
from harness.base import procs
from harness.base.errors import ClusterError, ProcessError
from harness.model import Knock

SLACK_S = 10.0  # to start a Python
_START = (
    "import json, sys; sys.path.insert(0, sys.argv[1]); from supervisor.knocks import knock; "
    "print(json.dumps(knock(json.loads(sys.argv[2]))))"
)


async def knocked(pid: int, address: tuple[str, int], says: Says, *, times: int, within_s: float) -> tuple[Knock, ...]:
    """So many connections at once from the network of process `pid`. Raises ClusterError."""
    host, port = address
    order = {"host": host, "port": port, "says": says.words.hex(), "zeros": says.zeros}
    request = json.dumps({**order, "times": times, "within_s": within_s})
    words = ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-S", "-E", "-c", _START]
    try:
        done = await procs.run(
            [*words, str(Path(supervisor.__file__).parents[1]), request], timeout_s=within_s + SLACK_S
        )
    except ProcessError as error:
        raise ClusterError(f"nobody can knock from a container's place: {error}") from None
    return tuple(Knock(**row) for row in json.loads(done.output))
