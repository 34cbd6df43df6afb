"""`python -m ci.kills`: is everything healed when the harness dies?

Runs of random faults, each killed (SIGKILL) at a moment drawn from the seed. Nobody helps. What is promised, and fails
this script when it does not hold:

- healed within 10 s: every fault that was in force is taken back, as the run's ledger says and as is seen on the
  cluster itself (nothing stopped, cut, limited, no stray process), every node's process runs, and of the run no process
  is left but the watchdog that still looks after the next point;
- clean: when the cluster is gone, nothing of it is left on the host.

What is told beside it, because it is not the harness's alone: when the cluster has got over it. Then its shards take
writes through every vtgate, reparents that were broken off in the middle are repaired, and the watchdog is gone. A
shard may have no way back that Vitess permits (an old primary with transactions that nobody else has). Such a cluster
is replaced by a new one, as is one that was not healed: each kill is to be its own fault.

`--cluster own`: every run stands up a cluster of its own, and is killed at any moment of its life. Within 10 s nothing
of it may be left.

A row a kill, kills.json at the end; exit status 1 when a promise was not kept. The run directories of those kills stay.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from ci import aftermath
from ci.aftermath import GIVEN_UP_S, Healing
from harness.base import jsonio, procs, rng, wait
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, ProcessError
from harness.base.rundir import RunDir
from harness.faults.missing import Missing
from harness.history import fold_ledger
from harness.model import FaultSpan
from harness.undoing import open_spans

EXPERIMENT = "faults/random"
SETTINGS = {"baseline_s": 0.5, "faults": 60, "gap_s": 0.3, "hold_s": 3}
ALLOWED_S = 10.0
COMMAND_S = 600.0
BEGINS_WITHIN_S = 120.0
WATCHDOG_ENDS_WITHIN_S = 600.0
# After a primary that came back with the term it had, vtgate buffers to the end of this: by default for 20 s, in which
# a fifth of all kills would show nothing more.
BUFFER = ("--vtgate-flag", "buffer-window=4s", "--vtgate-flag", "buffer-max-failover-duration=5s")
LATEST_S = 5.0  # of a kill, after the first fault was to come
LATEST_OWN_S = 30.0  # after the harness was started
VTCHAOS = Path(sys.executable).with_name("vtchaos")
OUT = Path("kills.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One run and its end. Seconds count from the kill; 0: not within `GIVEN_UP_S`, and `missing` says what was seen
    last. `healed_s` of a cluster of its own: nothing is left of it."""

    number: int
    seed: int
    after_s: float
    in_force: tuple[str, ...] = ()
    healed_s: float = 0.0
    over_s: float | None = 0.0  # None: the cluster is gone
    missing: str = ""

    @property
    def good(self) -> bool:
        return 0 < self.healed_s <= ALLOWED_S

    @property
    def line(self) -> str:
        late = "" if self.good or not self.healed_s else " TOO LATE"
        healed = f"healed {self.healed_s:4.1f} s{late}" if self.healed_s else "NOT HEALED"
        over = f"  got over it {self.over_s:4.1f} s" if self.over_s else "  not got over it" if self.over_s == 0 else ""
        why = f"  ({self.missing})" if self.missing else ""
        return (
            f"{self.number:>4}  seed {self.seed:<10}  killed at {self.after_s:4.1f} s  {healed}{over}{why}"
            f"  in force: {', '.join(self.in_force) or 'nothing'}"
        )


@dataclass(slots=True, kw_only=True)
class Report:
    """`left`: what was left on the host of the kept clusters when they were gone, in words."""

    backend: str
    cluster: str
    seed: int
    took_s: float = 0.0
    kills: list[Kill] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        return all(kill.good for kill in self.kills) and not self.left

    @property
    def text(self) -> str:
        good = sum(kill.good for kill in self.kills)
        over = [kill.over_s for kill in self.kills if kill.over_s]
        what = "nothing was left" if self.cluster == "own" else "everything was healed"
        return "\n".join(
            (
                f"{good} of {len(self.kills)}: {what} within {ALLOWED_S:g} s"
                f" ({_spread([kill.healed_s for kill in self.kills])})",
                f"{len(over)} of {len(self.kills)}: the cluster got over it within {GIVEN_UP_S:g} s ({_spread(over)})"
                if self.cluster == "kept"
                else "every one had a cluster of its own",
                f"left in the end: {'; '.join(self.left) or 'nothing'}; took {self.took_s:.0f} s; written to {OUT}",
            )
        )


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ci.kills", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--backend", default="local", choices=("local", "docker", "kubernetes"))
    parser.add_argument("--cluster", default="kept", choices=("kept", "own"))
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--tablets", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first kill: repeats one by itself")
    given = parser.parse_args(words)
    report = Report(backend=given.backend, cluster=given.cluster, seed=given.seed)
    begun_ns = now_ns()
    asyncio.run(_of_own(given, report) if given.cluster == "own" else _on_kept(given, report))
    report.took_s = (now_ns() - begun_ns) / 1e9
    jsonio.save(OUT, report)
    print(report.text)
    return 0 if report.kept else 1


def _spread(times: Sequence[float]) -> str:
    known = sorted(time for time in times if time)
    return f"median {known[len(known) // 2]:.1f} s, slowest {known[-1]:.1f} s" if known else "never"


# ---------------------------------------------------------------- on a cluster that stays


async def _on_kept(given: argparse.Namespace, report: Report) -> None:
    """On one cluster, until a kill leaves it in a state that would be the next one's."""
    name, last = f"kills-{given.backend}", given.first + given.count - 1
    while len(report.kills) < given.count:
        async with _standing(name, given, report.left):
            for number in range(given.first + len(report.kills), last + 1):
                kill = await _kept_kill(name, number, given.seed)
                report.kills.append(kill)
                print(kill.line, flush=True)
                if not (kill.good and kill.over_s):
                    break


@contextlib.asynccontextmanager
async def _standing(name: str, given: argparse.Namespace, left: list[str]) -> AsyncIterator[None]:
    words = ("--backend", given.backend, "--shards", str(given.shards), "--tablets", str(given.tablets))
    await procs.run([VTCHAOS, "up", name, *words, *BUFFER], timeout_s=COMMAND_S)
    try:
        yield
    finally:
        marks, why = await aftermath.marks_of(name)
        await _down(name)
        found = [*why, *await aftermath.left_of(marks, given.backend)]
        left += found
        print(f"the cluster is gone; left of it: {'; '.join(found) or 'nothing'}", flush=True)


async def _down(name: str) -> None:
    """A watchdog may still be at work on what was not healed in time."""

    async def gone() -> object:
        down = await procs.run([VTCHAOS, "down", name], timeout_s=COMMAND_S, check=False)
        return down.returncode == 0 or Missing(down.output)

    await wait.until(f"{name} is gone", gone, timeout_s=WATCHDOG_ENDS_WITHIN_S, poll_s=1.0)


async def _kept_kill(name: str, number: int, seed: int) -> Kill:
    dice = rng.child(seed, f"kill {number}")
    kill = Kill(number=number, seed=dice.randrange(1 << 31), after_s=dice.uniform(0.0, LATEST_S))
    async with _folder(kill) as (run, done):
        async with _harness(run, kill.seed, "--cluster", name) as harness:
            try:
                await _begun(run, harness)
            except HarnessError as error:
                return done(replace(kill, missing=str(error)))
            await wait.hold(kill.after_s)
            killed_ns = await _ended(harness)
        in_force = tuple(f"{span.fault} on {', '.join(span.targets)}" for span in _in_force(run))
        judged = _judged(replace(kill, in_force=in_force), await aftermath.healing_of(name, run, killed_ns))
        if not (judged.good and judged.over_s):
            await asyncio.to_thread(aftermath.keep_logs, name, run)
        return done(judged)


def _judged(kill: Kill, healing: Healing) -> Kill:
    return replace(kill, healed_s=healing.healed_s, over_s=healing.over_s, missing=healing.missing)


async def _begun(run: RunDir, harness: asyncio.subprocess.Process) -> None:
    async def faults() -> bool:
        if harness.returncode is not None:
            raise ProcessError(["vtchaos", "run"], f"ended by itself: {harness.returncode}", _output(run))
        return any(row.get("subject") == "faults" for row in jsonio.read_lines(run.events))

    await wait.until("the first fault is about to come", faults, timeout_s=BEGINS_WITHIN_S)


def _in_force(run: RunDir) -> list[FaultSpan]:
    """Also operations that were under way: nothing takes those back."""
    spans = fold_ledger(jsonio.read_lines(run.faults))
    waiting = {span.number for span in open_spans(run)}
    return [span for span in spans if span.number in waiting or (span.begin_ns and not span.active_ns)]


# ---------------------------------------------------------------- with a cluster of its own


async def _of_own(given: argparse.Namespace, report: Report) -> None:
    for number in range(given.first, given.first + given.count):
        kill = await _own_kill(number, given)
        report.kills.append(kill)
        print(kill.line, flush=True)


async def _own_kill(number: int, given: argparse.Namespace) -> Kill:
    """The harness stands still while its things are noted: none is made meanwhile that would not be looked for."""
    dice = rng.child(given.seed, f"own kill {number}")
    kill = Kill(number=number, seed=dice.randrange(1 << 31), after_s=dice.uniform(0.0, LATEST_OWN_S), over_s=None)
    words = ("--backend", given.backend, "--shards", str(given.shards), "--tablets", str(given.tablets))
    async with _folder(kill) as (run, done):
        async with _harness(run, kill.seed, *words) as harness:
            await wait.hold(kill.after_s)
            with contextlib.suppress(psutil.Error):
                psutil.Process(harness.pid).suspend()
            marks = aftermath.marks_of_own(run)
            killed_ns = await _ended(harness)
        left, seconds = await aftermath.gone(marks, given.backend, killed_ns)
        in_force = (aftermath.progress(run),)
        return done(replace(kill, in_force=in_force, healed_s=seconds, missing="; ".join(left)))


# ---------------------------------------------------------------- parts


@contextlib.asynccontextmanager
async def _folder(kill: Kill) -> AsyncIterator[tuple[RunDir, Callable[[Kill], Kill]]]:
    """A run directory; it stays when a promise was not kept, or the cluster did not get over it."""
    folder = Path(tempfile.mkdtemp(prefix=f"vtchaos-kill-{kill.number}-"))
    verdicts: list[Kill] = []

    def done(judged: Kill) -> Kill:
        if judged.missing or not judged.good:
            judged = replace(judged, missing=f"{judged.missing or 'too late'}; see {folder}")
        verdicts.append(judged)
        return judged

    yield RunDir(folder / "run"), done
    if not any(kill.missing for kill in verdicts):
        shutil.rmtree(folder)


@contextlib.asynccontextmanager
async def _harness(run: RunDir, seed: int, *where: str) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    words = ["run", EXPERIMENT, *where, "--plain", "--seed", str(seed), "--out", str(run.path), *settings]
    async with procs.spawned([VTCHAOS, *words], log=run.path.with_name("output")) as harness:
        yield harness


def _output(run: RunDir) -> str:
    return procs.tail_of(run.path.with_name("output"))


async def _ended(harness: asyncio.subprocess.Process) -> int:
    """When it was gone. One that ended by itself must have healed, too."""
    with contextlib.suppress(ProcessLookupError):
        harness.kill()
    await harness.wait()
    return now_ns()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except HarnessError as error:
        sys.exit(f"ci.kills: {error}")
