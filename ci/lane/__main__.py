"""`python -m ci.lane up | status | down | may | test`: see the package."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ci.lane import life, permits, place, suite, tools
from ci.lane.place import Lane
from ci.lane.tools import Tools
from clusters.software import Sources, shown
from harness.base.errors import ClusterError, VtchaosError
from harness.base.exit_codes import EXIT_INTERRUPTED

SKIPPED = 77  # what other test runners say for it too; no failure of Python's or ours has that status


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The command line."""

    command: str
    sources: Sources
    number: int | None
    folder: Path | None

    def lane(self, default: int = 0) -> Lane:
        number = self.number if self.number is not None else default
        there = Lane.of(self.sources, number)
        return there if self.folder is None else Lane(folder=self.folder.absolute(), number=number)


def main() -> int:
    """Run one command; exit status 0 when it did what it says."""
    words = _words()
    try:
        return asyncio.run(_ended_by_term(COMMANDS[words.command](words)))
    except VtchaosError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED


def _words() -> Words:
    parser = argparse.ArgumentParser(prog="python -m ci.lane", description="a one-node Kubernetes for the tests")
    parser.add_argument("command", choices=tuple(COMMANDS))
    parser.add_argument(
        "--number", type=int, choices=place.NUMBERS, help="lanes of different numbers stand side by side"
    )
    parser.add_argument("--folder", type=Path, help="where it lives; default: lane in the cache folder")
    parser.add_argument("--no-install", action="store_true", help="take only programs that are there")
    given = parser.parse_args()
    sources = Sources.of_environment(install=not given.no_install)
    return Words(command=given.command, sources=sources, number=given.number, folder=given.folder)


async def _ended_by_term(work: Awaitable[int]) -> int:
    """SIGTERM ends a command as Ctrl-C does: in order."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _obtained(words: Words) -> Tools:
    with shown() as progress:
        return await tools.obtained(words.sources, progress)


async def _up(words: Words) -> int:
    lane = words.lane()
    await permits.demand(lane)  # before minutes of building
    obtained = await _obtained(words)
    await life.up(lane, obtained, say=_say)
    _say(f"export KUBECONFIG={lane.kubeconfig}")
    _say(f"kubectl is {obtained.kubectl}")
    return 0


async def _status(words: Words) -> int:
    lane = words.lane()
    status = await life.status(lane)
    _say(f"ready, kubeconfig {lane.kubeconfig}" if status.ready else "not up")
    for name, pid in sorted(status.services.items()):
        _say(f"  {name} (process {pid} of the lane)")
    for row in () if status.ready else status.left:
        _say(f"  left behind: {row}")
    return 0 if status.ready else 1


async def _down(words: Words) -> int:
    """The one that is named; otherwise every lane of the cache folder, but not one that a living `test` uses."""
    named = words.number is not None or words.folder is not None
    lanes = [words.lane()] if named else [Lane.of(words.sources, number) for number in place.NUMBERS]
    removed, code = [], 0
    for lane in lanes:
        try:
            removed += await life.down(lane)
        except ClusterError as error:
            _say(str(error))
            code = error.exit_code
    for row in removed:
        _say(f"removed: {row}")
    if not removed and code == 0:
        _say("nothing of a lane is here")
    return code


async def _may(words: Words) -> int:
    """Whether a lane can stand here, for the Makefile: 77 when it cannot."""
    reason = await permits.why_not(words.lane(default=1))
    if reason:
        _say(f"SKIPPED: the Kubernetes tests: no Kubernetes lane can stand on this machine: {reason}")
    return SKIPPED if reason else 0


async def _test(words: Words) -> int:
    return await suite.run(words.lane(default=1), await _obtained(words), say=_say)


def _say(line: str) -> None:
    print(line, flush=True)


COMMANDS: dict[str, Callable[[Words], Awaitable[int]]] = {
    "up": _up,
    "status": _status,
    "down": _down,
    "may": _may,
    "test": _test,
}

if __name__ == "__main__":
    sys.exit(main())
