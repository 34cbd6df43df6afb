"""`python -m ci.lane up | status | down`: see the package."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from ci.lane import life, tools
from ci.lane.place import Lane
from clusters.software import Sources, shown
from harness.base.errors import VtchaosError


def main() -> int:
    """Run one command; exit status 0 when it did what it says."""
    parser = argparse.ArgumentParser(prog="python -m ci.lane", description="a one-node Kubernetes for the tests")
    parser.add_argument("command", choices=("up", "status", "down"))
    parser.add_argument("--folder", type=Path, help="where it lives; default: lane in the cache folder")
    parser.add_argument("--no-install", action="store_true", help="take only programs that are there")
    words = parser.parse_args()
    sources = Sources.of_environment(install=not words.no_install)
    lane = Lane.of(sources, words.folder)
    commands = {"up": lambda: _up(lane, sources), "status": lambda: _status(lane), "down": lambda: _down(lane)}
    try:
        return asyncio.run(commands[words.command]())
    except VtchaosError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


async def _up(lane: Lane, sources: Sources) -> int:
    with shown() as progress:
        obtained = await tools.obtained(sources, progress)
    await life.up(lane, obtained, say=_say)
    _say(f"export KUBECONFIG={lane.kubeconfig}")
    _say(f"kubectl is {obtained.kubectl}")
    return 0


async def _status(lane: Lane) -> int:
    status = await life.status(lane)
    _say(f"ready, kubeconfig {lane.kubeconfig}" if status.ready else "not up")
    for name, pid in sorted(status.services.items()):
        _say(f"  {name} (process {pid} of the lane)")
    for row in status.left:
        _say(f"  {row}")
    return 0 if status.ready else 1


async def _down(lane: Lane) -> int:
    removed = await life.down(lane)
    for row in removed:
        _say(f"removed: {row}")
    if not removed:
        _say("nothing of a lane is here")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
