"""`python -m ci.kills --count 100 --cluster local`: does a cluster get over the death of its harness?

Runs of random faults on one kept cluster; at a moment drawn from the seed the harness is killed. Nobody helps:
within 10 s the run's watchdog must have taken everything back, so that nothing is left in force (as seen on the
cluster, not as told), every node runs, a write goes through every shard, and no process of the run is left.

A row a kill, kills.json at the end; exit status 1 when one of them was not healed in time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from clusters import KEEPERS, kept
from clusters.common.cluster import NodesCluster
from harness.base import jsonio, procs, rng, wait
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, ProcessError, VtchaosError, WaitTimeout
from harness.base.rundir import RunDir
from harness.faults import health
from harness.heal import Silent
from harness.history import fold_ledger
from harness.model import FaultSpan
from harness.mysql.session import admin_session
from harness.undoing import DeadRun, open_spans

EXPERIMENT = "faults/random"
SETTINGS = {"baseline_s": 1, "faults": 40, "gap_s": 0.7, "hold_s": 4}
ALLOWED_S = 10.0
GIVEN_UP_S = 60.0
UP_TIMEOUT_S = 600.0
BEGINS_WITHIN_S = 120.0
STATEMENT_S = 3.0
LATEST_KILL_S = 15.0  # after the first fault was to come
VTCHAOS = Path(sys.executable).with_name("vtchaos")
OUT = Path("kills.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One run and its end. `healed_s` 0: not within `GIVEN_UP_S`; then `missing` says what was seen last."""

    number: int
    seed: int
    after_s: float
    in_force: tuple[str, ...]
    healed_s: float = 0.0
    missing: str = ""

    @property
    def good(self) -> bool:
        return 0 < self.healed_s <= ALLOWED_S

    @property
    def line(self) -> str:
        end = f"healed in {self.healed_s:.1f} s" if self.healed_s else f"NOT HEALED: {self.missing}"
        late = "" if self.good or not self.healed_s else "  TOO LATE"
        what = ", ".join(self.in_force) or "nothing"
        return f"{self.number:>4}  seed {self.seed:<11} killed at {self.after_s:5.2f} s  {end}{late}  in force: {what}"


@dataclass(frozen=True, slots=True)
class _Missing:
    """True when nothing is."""

    what: str

    def __bool__(self) -> bool:
        return not self.what

    def __repr__(self) -> str:
        return self.what


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.kills", description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--cluster", default="local", help="the backend: local, docker, kubernetes")
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first kill: repeats one by itself")
    given = parser.parse_args(words)
    kills = asyncio.run(_kills(given))
    jsonio.save(OUT, {"backend": given.cluster, "seed": given.seed, "kills": kills})
    bad = [kill for kill in kills if not kill.good]
    times = sorted(kill.healed_s for kill in kills if kill.healed_s)
    middle = times[len(times) // 2] if times else 0.0
    print(
        f"{len(kills) - len(bad)} of {len(kills)} healed within {ALLOWED_S:g} s"
        f" (median {middle:.1f} s, slowest {max(times, default=0.0):.1f} s); written to {OUT}"
    )
    return 1 if bad else 0


async def _kills(given: argparse.Namespace) -> list[Kill]:
    """After one that was not healed the cluster is made anew: each is to be its own fault."""
    name, last = f"kills-{given.cluster}", given.first + given.count - 1
    done: list[Kill] = []
    while len(done) < given.count:
        async with _standing(name, given.cluster, given.shards):
            for number in range(given.first + len(done), last + 1):
                with tempfile.TemporaryDirectory(prefix="vtchaos-kills-", ignore_cleanup_errors=True) as folder:
                    done.append(await _kill(name, number, given.seed, Path(folder)))
                print(done[-1].line, flush=True)
                if not done[-1].good:
                    break
    return done


@contextlib.asynccontextmanager
async def _standing(name: str, backend: str, shards: int) -> AsyncIterator[None]:
    words = ("up", name, "--backend", backend, "--shards", str(shards), "--tablets", "2")
    await procs.run([VTCHAOS, *words], timeout_s=UP_TIMEOUT_S)
    try:
        yield
    finally:
        await procs.run([VTCHAOS, "down", name], timeout_s=UP_TIMEOUT_S)


async def _kill(name: str, number: int, seed: int, folder: Path) -> Kill:
    dice = rng.child(seed, f"kill {number}")
    run, own_seed, after_s = RunDir(folder / "run"), dice.randrange(1 << 31), dice.uniform(0.0, LATEST_KILL_S)
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    words = ["run", EXPERIMENT, "--cluster", name, "--plain", "--seed", str(own_seed), "--out", run.path, *settings]
    async with procs.spawned([VTCHAOS, *map(str, words)], log=folder / "output") as harness:
        try:
            await _begun(run, harness, folder / "output")
        except HarnessError as error:
            return Kill(number=number, seed=own_seed, after_s=0.0, in_force=(), missing=str(error))
        await wait.hold(after_s)
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself: then it must have healed
            harness.kill()
        await harness.wait()
        killed_ns = now_ns()
    in_force = tuple(f"{span.fault} on {', '.join(span.targets)}" for span in _in_force(run))
    healed_s, missing = await _until_healed(name, run, killed_ns)
    if missing:
        missing += "; the watchdog: " + (procs.tail_of(run.logs / "watchdog.log").strip() or "nothing")
    return Kill(number=number, seed=own_seed, after_s=after_s, in_force=in_force, healed_s=healed_s, missing=missing)


async def _begun(run: RunDir, harness: asyncio.subprocess.Process, output: Path) -> None:
    async def faults() -> bool:
        if harness.returncode is not None:
            raise ProcessError(["vtchaos", "run"], f"ended by itself: {harness.returncode}", procs.tail_of(output))
        return any(row.get("subject") == "faults" for row in jsonio.read_lines(run.events))

    await wait.until("the first fault is about to come", faults, timeout_s=BEGINS_WITHIN_S)


def _in_force(run: RunDir) -> list[FaultSpan]:
    """Also operations that were under way: nothing takes those back."""
    spans = fold_ledger(jsonio.read_lines(run.faults))
    waiting = {span.number for span in open_spans(run)}
    return [span for span in spans if span.number in waiting or (span.begin_ns and not span.active_ns)]


async def _until_healed(name: str, run: RunDir, killed_ns: int) -> tuple[float, str]:
    """Seconds since the kill, or 0 and what was missing in the end."""

    async def healed() -> _Missing:
        try:
            return _Missing(await _missing(name, run))
        except (VtchaosError, OSError) as error:
            return _Missing(str(error))

    try:
        await wait.until("the cluster is healed", healed, timeout_s=GIVEN_UP_S)
    except WaitTimeout as error:
        return 0.0, repr(error.last)
    return (now_ns() - killed_ns) / 1e9, ""


async def _missing(name: str, run: RunDir) -> str:
    mine = [row.pid for row in psutil.process_iter(["cmdline"]) if str(run.path) in " ".join(row.info["cmdline"] or ())]
    if mine:
        return f"processes of the run are left: {mine}"
    unhealed = [span.fault for span in open_spans(run)]
    if unhealed:
        return f"not healed: {', '.join(unhealed)}"
    async with kept.attached(name, keepers=KEEPERS, observer=Silent()) as cluster:
        async with DeadRun.on(cluster) as ground:
            sick = await health.wrong(ground)
        return sick or await _unwritable(cluster)


async def _unwritable(cluster: NodesCluster) -> str:
    for shard in cluster.spec.shard_names:
        for vtgate in cluster.nodes():
            if not vtgate.name.startswith("vtgate"):
                continue
            host, port = cluster.address(vtgate, "mysql")
            async with admin_session(host, port, database=f"{cluster.spec.keyspace}:{shard}@primary") as session:
                row = f"({now_ns()}, 1)"
                answer = await session.query(f"INSERT INTO ledger (id, value) VALUES {row}", timeout_s=STATEMENT_S)
            if not answer.ok:
                return f"{vtgate.name} takes no write of {shard}: {answer.message}"
    return ""


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except HarnessError as error:
        sys.exit(f"ci.kills: {error}")
