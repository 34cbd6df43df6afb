"""What is left after a run whose harness was killed: on its cluster, and on this host. It only looks."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psutil

from clusters import BACKENDS, KEEPERS, kept
from clusters.common.cluster import NodesCluster
from harness import clean
from harness.base import jsonio, procs, wait
from harness.base.clock import now_ns
from harness.base.errors import VtchaosError, WaitTimeout
from harness.base.rundir import RunDir
from harness.clean import Marks
from harness.contracts import Ground
from harness.faults import health
from harness.faults.missing import Missing
from harness.heal import Silent, plan_of
from harness.history import fold_ledger
from harness.lease import LOG
from harness.model import Placement, Role
from harness.mysql.session import admin_session
from harness.undoing import DeadRun, open_spans

GIVEN_UP_S = 60.0
STATEMENT_S = 3.0
LOOK_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """In seconds since the kill; 0: not within `GIVEN_UP_S`, and `missing` is what was seen last."""

    healed_s: float = 0.0
    over_s: float = 0.0
    missing: str = ""


async def healing_of(name: str, run: RunDir, killed_ns: int) -> Healing:
    """Of a run on a kept cluster. Attached anew for every look: whoever was attached before the watchdog started a
    program again knows its last container as ended."""

    async def still_in_force() -> Missing:
        async with kept.attached(name, keepers=KEEPERS, observer=Silent()) as cluster, DeadRun.on(cluster) as ground:
            return await unhealed(ground, run)

    async def still_sick() -> Missing:
        async with kept.attached(name, keepers=KEEPERS, observer=Silent()) as cluster:
            return await sick(cluster, run)

    healed_s = 0.0
    try:
        await _until("everything is healed", still_in_force, killed_ns)
        healed_s = _since(killed_ns)
        await _until("the cluster has got over it", still_sick, killed_ns)
    except WaitTimeout as error:
        said = procs.tail_of(run.logs / LOG).strip() or "nothing"
        return Healing(healed_s=healed_s, missing=f"{error.last!r}; the watchdog: {said}")
    return Healing(healed_s=healed_s, over_s=_since(killed_ns))


async def _until(what: str, look: Callable[[], Awaitable[Missing]], killed_ns: int) -> None:
    """Nothing is missing. A look that fails or hangs has not seen that."""

    async def seen() -> Missing:
        try:
            return await wait.finish(f"a look whether {what}", look(), timeout_s=LOOK_S)
        except (VtchaosError, OSError) as error:
            return Missing(str(error))

    await wait.until(what, seen, timeout_s=GIVEN_UP_S - _since(killed_ns))


def _since(killed_ns: int) -> float:
    return (now_ns() - killed_ns) / 1e9


# ---------------------------------------------------------------- on a kept cluster


async def unhealed(ground: Ground, run: RunDir) -> Missing:
    """Faults in force by the ledger, or as seen; nodes that do not run; processes of the run but its watchdog."""
    spans = fold_ledger(jsonio.read_lines(run.faults))
    unhealed = [f"{span.fault} is in force" for span in spans if span.undo and not span.healed_ns]
    left = [f"process {row.pid} is left" for row in _processes(run) if not _is_watchdog(row)]
    wrong = await health.wrong(ground)
    return Missing(*unhealed, *left, *filter(None, [wrong]))


async def sick(cluster: NodesCluster, run: RunDir) -> Missing:
    """Operations that were broken off; a watchdog at work; shards that take no writes through some vtgate."""
    broken = [f"{span.fault} was broken off" for span in open_spans(run)]
    left = [f"process {row.pid} is left" for row in _processes(run)]
    shards = [(host, port, shard) for host, port in _vtgates(cluster) for shard in cluster.spec.shard_names]
    said = await asyncio.gather(*(_unwritable(cluster, *shard) for shard in shards))
    return Missing(*broken, *left, *filter(None, said))


def _vtgates(cluster: NodesCluster) -> list[tuple[str, int]]:
    return [cluster.address(vtgate, "mysql") for vtgate in cluster.nodes(Role.VTGATE)]


async def _unwritable(cluster: NodesCluster, host: str, port: int, shard: str) -> str:
    async with admin_session(host, port, database=f"{cluster.spec.keyspace}:{shard}@primary") as session:
        answer = await session.query(f"INSERT INTO ledger (id, value) VALUES ({now_ns()}, 1)", timeout_s=STATEMENT_S)
    return "" if answer.ok else f"{shard} takes no write through {host}:{port}: {answer.message}"


def keep_logs(name: str, run: RunDir) -> None:
    """The cluster's, which go with it, beside the run that it did not get over."""
    with contextlib.suppress(OSError, shutil.Error):
        shutil.copytree(kept.folder_of(name) / kept.LOGS, run.path.with_name("cluster-logs"))


def _processes(run: RunDir) -> list[psutil.Process]:
    rows = psutil.process_iter(["cmdline"])
    return [row for row in rows if str(run.path) in " ".join(row.info["cmdline"] or ())]


def _is_watchdog(process: psutil.Process) -> bool:
    return any("lease.main" in word for word in process.info["cmdline"] or ())


# ---------------------------------------------------------------- on this host


async def marks_of(name: str) -> tuple[Marks, list[str]]:
    """By what a kept cluster's things are found when it is gone, and why that may not be all."""
    folder = kept.folder_of(name)
    marks = Marks(run=name, folder=str(folder))
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in " ".join(process.info["cmdline"] or ()):
            marks.add(process)
    try:
        async with kept.attached(name, keepers=KEEPERS, observer=Silent()) as cluster:
            marks.note(cluster)
    except VtchaosError as error:
        return marks, [f"its ports and links could not be noted: {error}"]
    return marks, []


async def left_of(marks: Marks, backend: str) -> list[str]:
    """In words."""
    seen = await clean.over(marks, Placement(), BACKENDS[backend])
    return [
        *(f"{kind}: {', '.join(rows)}" for kind, rows in seen.found.items() if rows),
        *(f"{kind} cannot be looked for: {why}" for kind, why in seen.blind.items()),
    ]


def marks_of_own(run: RunDir) -> Marks:
    """Of a run of ours, which stands still while we look; also one that has not made anything yet."""
    name = ""
    with contextlib.suppress(VtchaosError, OSError):
        name = plan_of(run).run_id
    marks = Marks(run=name or "no run", folder=str(run.path))
    marks.note()
    return marks


async def gone(marks: Marks, backend: str, killed_ns: int) -> tuple[list[str], float]:
    """What is left after all that time, and the seconds until nothing was; 0 when something is."""
    left: list[str] = ["not looked"]

    async def nothing() -> bool:
        nonlocal left
        left = await left_of(marks, backend)
        return not left

    with contextlib.suppress(WaitTimeout):
        await wait.until("nothing is left", nothing, timeout_s=GIVEN_UP_S)
    return left, 0.0 if left else _since(killed_ns)


def progress(run: RunDir) -> str:
    """How far a run had come."""
    phases = [str(row.get("subject")) for row in jsonio.read_lines(run.events) if row.get("kind") == "phase"]
    spans = fold_ledger(jsonio.read_lines(run.faults))
    return f"{phases[-1] if phases else 'before the first phase'}, {sum(not span.healed_ns for span in spans)} faults"
