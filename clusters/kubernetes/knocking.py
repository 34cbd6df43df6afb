"""Knocks from a pod's place: the program that knocks everywhere, run by the Python of the image in the pod."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from clusters.common.knocks import Says
from clusters.kubernetes import orders
from clusters.kubernetes.shells import Shell
from clusters.local.supervisor import knock as program
from harness.base.errors import ClusterError
from harness.model import Knock

SLACK_S = 10.0  # to start a Python
_PROGRAM = Path(program.__file__)


async def knocked(
    shell: Shell, address: tuple[str, int], says: Says, *, times: int, within_s: float
) -> tuple[Knock, ...]:
    """So many connections at once from the network of the shell's pod. Raises ClusterError."""
    script = knocking(address, says, times=times, within_s=within_s)
    said = await shell.order(script, timeout_s=within_s + SLACK_S)
    try:
        return tuple(Knock(**row) for row in json.loads(said))
    except (ValueError, TypeError):
        raise ClusterError(f"nobody can knock from a pod's place: {said.strip()[:200]}") from None


def knocking(address: tuple[str, int], says: Says, *, times: int, within_s: float) -> str:
    """What is fed to the shell: the program itself, so that images of every version of ours do."""
    host, port = address
    order = {"host": host, "port": port, "says": says.words.hex(), "zeros": says.zeros}
    request = json.dumps({**order, "times": times, "within_s": within_s})
    first, *rest = orders.file("/dev/null", _PROGRAM.read_text())
    python = f"python3 -I -S - {shlex.quote(request)}"
    return "\n".join([first.replace("cat > /dev/null", python), *rest])
