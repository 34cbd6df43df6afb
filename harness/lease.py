"""A run on a cluster that stays holds a lease: when it dies or hangs, its watchdog takes the faults back.

The watchdog is a process in a session of its own with the other end of a pipe, into which the harness's loop writes a
byte a second. End of file: the harness is dead, even by SIGKILL. No byte for `LEASE_S`: it hangs (SIGSTOP, a debugger).
Then the watchdog closes the pipe, so that a harness that goes on after all learns of it at the next byte, and does what
`vtchaos heal` does. It also holds the lock of the kept cluster (clusters.in_use), so that no other run begins on it
before it is healed. Of a cluster made for one run everything is removed instead: see clusters.common.watchdog.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.base import procs, wait
from harness.base.clock import now_ns
from harness.base.errors import VtchaosError
from harness.base.rundir import RunDir

if TYPE_CHECKING:
    from harness.faults.remedies import Tried

LEASE_S = 10.0
RENEW_S = 1.0
HEAL_TIMEOUT_S = 120.0
END_TIMEOUT_S = 10.0
DONE, HEAL = b"D", b"H"
BY = "watchdog"
LOG = "watchdog.log"
_START = "import sys; from harness import lease; sys.exit(lease.main())"


class Lease:
    """Of one run. `held` goes around the run, `lost` is awaited beside it."""

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._why = ""
        self._lost = asyncio.Event()
        self._watchdog: asyncio.subprocess.Process | None = None

    @contextlib.asynccontextmanager
    async def held(self, lock: int) -> AsyncIterator[None]:
        """When the block is left with something in force, the watchdog heals, and we wait. `lock`: an open file that
        the watchdog keeps open as long as it lives."""
        read, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(write, False)
        try:
            words, log = command(self._run.path), self._run.logs / LOG
            async with procs.spawned(words, log=log, stdin=read, pass_fds=(lock,), die_with_us=False) as watchdog:
                os.close(read)
                read = -1
                self._watchdog = watchdog
                renewing = asyncio.create_task(self._renew(write), name="lease")
                try:
                    yield
                finally:
                    renewing.cancel()
                    await asyncio.gather(renewing, return_exceptions=True)
                    await wait.through("the run's watchdog ends", self._end(write), timeout_s=HEAL_TIMEOUT_S)
        finally:
            os.close(write)
            if read >= 0:
                os.close(read)

    async def lost(self) -> str:
        """Why nobody would heal the run any more, once that is so."""
        await self._lost.wait()
        return self._why

    async def healed(self) -> None:
        """The watchdog has done what it can. Raises WaitTimeout."""
        if self._watchdog is not None:
            await wait.finish("the run's watchdog has healed", self._watchdog.wait(), timeout_s=HEAL_TIMEOUT_S)

    async def _renew(self, write: int) -> None:
        last_ns = now_ns()
        while True:
            try:
                os.write(write, b".")
            except BlockingIOError:  # it is stopped itself, since hours
                pass
            except BrokenPipeError:
                self._lose((now_ns() - last_ns) / 1e9)
                return
            last_ns = now_ns()
            await wait.hold(RENEW_S)

    def _lose(self, silent_s: float) -> None:
        if silent_s >= LEASE_S - RENEW_S:
            self._why = f"the harness stood still for {silent_s:.0f} s, and its watchdog takes the faults back"
        else:
            self._why = "the watchdog of the run was ended by somebody: nothing would heal the cluster if the run died"
        self._lost.set()

    async def _end(self, write: int) -> None:
        from harness.undoing import unfinished  # late: the watchdog imports this module before it needs the other

        with contextlib.suppress(BrokenPipeError, BlockingIOError):  # it heals already, or somebody has killed it
            os.write(write, HEAL if unfinished(self._run) else DONE)
        assert self._watchdog is not None
        await self._watchdog.wait()


def command(run: Path, *, lease_s: float = LEASE_S) -> list[str]:
    """A watchdog's command line."""
    return [sys.executable, "-P", "-c", _START, str(run), str(lease_s)]


# ---------------------------------------------------------------- in the watchdog


def main() -> int:
    """Wait; then take back what the run's faults left in force. What was done is in the ledger and on the standard
    output.

    All that it needs is imported first: a second of processor time while the run begins, too, and 60 MB. On a host that
    is busy with what the dead run left behind it took nine seconds of the ten (seen at a load of 10 on two cores).
    """
    run, lease_s = RunDir.open(Path(sys.argv[1])), float(sys.argv[2])
    _imported()
    why = _asked(lease_s)
    if not why:
        return 0
    at_ns = now_ns()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        said = asyncio.run(wait.finish(f"healing {run.path.name}", _healed(run, at_ns), timeout_s=HEAL_TIMEOUT_S))
    except VtchaosError as error:
        said = f"{error}; `vtchaos heal {run.path}` tries again"
    _say(at_ns, f"the harness of {run.path.name} {why}: {said}")
    return 0


def _asked(lease_s: float) -> str:
    """Why it is to heal, once that is so; "" when the run has ended well."""
    while True:
        if not select.select([0], [], [], lease_s)[0]:
            return "hangs"
        said = os.read(0, 65536)
        if not said:
            return "is dead"
        if HEAL in said:
            return "could not take back its faults itself"
        if DONE in said:
            return ""


def _imported() -> None:
    """Here and below: the harness itself imports this module early, and needs none of it."""
    import clusters  # noqa: F401
    import harness.heal
    import harness.undoing  # noqa: F401


async def _healed(run: RunDir, at_ns: int) -> str:
    from harness.undoing import open_spans

    if not open_spans(run):
        return "nothing was in force"
    from clusters import KEEPERS, kept
    from harness.heal import Silent, plan_of
    from harness.undoing import undone

    name = plan_of(run).cluster_name
    _say(at_ns, f"looks for the cluster {name}")
    async with kept.attached(name, keepers=KEEPERS, observer=Silent()) as cluster:  # its lock is ours already
        _say(at_ns, "is attached")
        return (await undone(cluster, run, by=BY, hear=partial(_tell, at_ns))).text


def _tell(since_ns: int, tried: Tried) -> None:
    end = f"failed: {tried.error}" if tried.error else "done"
    _say(since_ns, f"{tried.remedy.kind} on {tried.remedy.target}: {end}", tried.begin_ns, tried.end_ns)


def _say(since_ns: int, what: str, *at_ns: int) -> None:
    """With the seconds since the harness was gone."""
    print(*(f"{(each - since_ns) / 1e9:6.2f}" for each in at_ns or (now_ns(),)), "s", what, flush=True)
