"""Knocks from a container's place: a program of ours in the container's network, which this machine's kernel holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from clusters.common.knocks import Says
from clusters.docker.engine import Engine
from clusters.local import supervisor
from harness.base import procs
from harness.base.errors import ClusterError, ProcessError
from harness.model import Knock

SLACK_S = 10.0  # to start a Python
NOBODY = "nobody can knock from a container's place: "
_PROC = Path("/proc")
_START = (
    "import json, sys; sys.path.insert(0, sys.argv[1]); from supervisor.knock import knock; "
    "print(json.dumps(knock(json.loads(sys.argv[2]))))"
)


async def place_of(engine: Engine, container: str, *, proc: Path = _PROC) -> int:
    """A container's first process, as this process may name it. Raises ClusterError.

    The engine tells the number that the process has for the engine. Ours is another one where the two do not share
    their pid namespace, as when we run in a container that was handed the engine's socket; it may be anybody's then.
    """
    if not engine.local:
        raise ClusterError(f"{NOBODY}the engine at {engine.where} is not on this machine")
    if not (await engine.facts()).here:
        raise ClusterError(f"{NOBODY}the engine at {engine.where} does not run on this machine's kernel")
    said = await engine.call("describe a container", engine.api.inspect_container, container)
    pid = int(said["State"]["Pid"])
    if not pid:
        raise ClusterError(f"{NOBODY}container {container[:12]} does not run")
    if not holds(proc / str(pid), container):
        raise ClusterError(
            f"{NOBODY}process {pid}, as the engine at {engine.where} numbers it, is not the container's here: the"
            " engine is in another pid namespace"
        )
    return pid


def holds(process: Path, container: str) -> bool:
    """Whether a folder of /proc is of a process in this container: the engine mounts resolv.conf, hostname and hosts
    into every one, from a folder with its whole id."""
    try:
        return container in (process / "mountinfo").read_text()
    except OSError:
        return False


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
        raise ClusterError(f"{NOBODY}{error}") from None
    return tuple(Knock(**row) for row in json.loads(done.output))
