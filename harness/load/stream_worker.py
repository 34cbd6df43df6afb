"""One process with all streams through one vtgate: `python -m harness.load.stream_worker CONFIG`.

Ordinary scheduling, unlike the load's workers: a VStream client of its own right to the processor is not what
anybody runs, and one that reads flat out at real-time priority would take it from the servers that feed it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
import traceback
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.rundir import LineLog
from harness.base.wait import hold, hold_until
from harness.load.pauses import quantile_ms
from harness.load.stream_config import StreamWorkerConfig
from harness.load.stream_follow import Follower
from harness.load.stream_live import LiveFile, WorkerState
from harness.load.stream_record import StreamFiles
from harness.model import Sample, Scalar
from harness.vitess.vstream import VStreamClient

LOOK_S = 0.02  # orders of the driver
FLUSH_NS = 100_000_000  # records and live counters
SAMPLE_NS = 250_000_000


class Worker:
    """Runs the followers, follows the driver's orders, writes the files."""

    def __init__(self, config: StreamWorkerConfig) -> None:
        self._config = config
        self._live = LiveFile(config.live, write=True)
        self._samples = LineLog(config.run_dir.samples(f"streams-{config.worker}"))
        self._files = [StreamFiles(config.run_dir, lane.number) for lane in config.lanes]
        self._followers: list[Follower] = []
        self._state = WorkerState.STARTING
        self._asked_to_end = False
        self._ticks_ns: list[int] = []

    def end(self) -> None:
        """Asked to end at once (SIGTERM)."""
        self._asked_to_end = True

    async def run(self) -> None:
        """Until the driver or SIGTERM says stop. Raises what a follower raised: a defect here must not look like
        a stream that ended."""
        try:
            async with AsyncExitStack() as stack:
                for lane, files in zip(self._config.lanes, self._files, strict=True):
                    client = await stack.enter_async_context(VStreamClient.open(self._config.address))
                    self._followers.append(Follower(lane, client, files))
                gc.collect()
                gc.freeze()
                self._enter(WorkerState.READY)
                if await self._ordered():
                    await self._follow()
        except BaseException as error:
            self._flush(now_ns())
            self._live.write_worker(
                self._config.worker,
                state=self._state,
                at_ns=now_ns(),
                note="".join(traceback.format_exception_only(error)).strip(),
            )
            raise
        for files in self._files:
            files.close()
        self._sample(now_ns(), peak_rss_bytes=peak_rss_bytes())
        self._samples.close()
        self._enter(WorkerState.STOPPED)

    async def _ordered(self) -> bool:
        """Wait for the order to begin; False = to stop before that."""
        while not self._live.orders.begin_ns:
            if self._to_end():
                return False
            await hold(LOOK_S)
        self._enter(WorkerState.RUNNING)
        await hold_until(self._live.orders.begin_ns)
        return True

    async def _follow(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follower.run()) for follower in self._followers]
            await self._look_after()
            for task in tasks:
                task.cancel()

    async def _look_after(self) -> None:
        """Until the order to stop: write what came."""
        flush_ns = sample_ns = now_ns()
        while not self._to_end():
            due_ns = now_ns() + int(LOOK_S * 1e9)
            await hold_until(due_ns)
            at_ns = now_ns()
            self._ticks_ns.append(at_ns - due_ns)
            if at_ns >= flush_ns:
                flush_ns = at_ns + FLUSH_NS
                self._flush(at_ns)
            if at_ns >= sample_ns:
                sample_ns = at_ns + SAMPLE_NS
                self._sample(at_ns)

    def _to_end(self) -> bool:
        return self._asked_to_end or bool(self._live.orders.stop_ns)

    def _flush(self, at_ns: int) -> None:
        for files in self._files:
            files.flush()
        for follower in self._followers:
            self._live.write_stream(
                follower.lane.number,
                rows=follower.total("rows"),
                responses=follower.total("responses"),
                state=follower.state,
                attempts=follower.attempts,
                marks=follower.marks,
                cycles=follower.total("cycles"),
                message=follower.message,
            )
        self._live.write_worker(self._config.worker, state=self._state, at_ns=at_ns)

    def _enter(self, state: WorkerState) -> None:
        self._state = state
        self._flush(now_ns())

    def _sample(self, at_ns: int, **more: Scalar) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        values: dict[str, Scalar] = {
            "loop_lag_max_ms": quantile_ms(self._ticks_ns, 1.0),
            "loop_lag_p99_ms": quantile_ms(self._ticks_ns, 0.99),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 6),
            "involuntary_switches": usage.ru_nivcsw,
            "rss_bytes": _status_bytes("VmRSS"),
            "pid": os.getpid(),
            **more,
        }
        self._ticks_ns.clear()
        self._samples.append(Sample(at_ns=at_ns, took_ns=0, values=values))


def peak_rss_bytes() -> int:
    """The most memory this process had. Not ru_maxrss: that remembers the parent that forked us (Linux, exec_mmap)."""
    return max(_status_bytes("VmHWM"), _status_bytes("VmRSS"))  # the first is brought up to date only now and then


def _status_bytes(name: str) -> int:
    """A size of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


async def run(config: StreamWorkerConfig) -> None:
    """Work until stopped."""
    worker = Worker(config)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.end)
    await worker.run()


def main(argv: list[str]) -> int:
    uvloop.run(run(jsonio.load(Path(argv[0]), StreamWorkerConfig)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
