"""A load station: `python -m harness.load.remote`, where the load is to run, driven over its stdin and stdout.

It runs ordinary load workers (harness.load.worker) in a folder of its own and follows the driver's requests:

    ping                      what time is it? (see remote_clock)
    work {workers, lanes}     body = [WorkerConfig]; starts them
    orders {start_ns, …}      when to begin and end, on this machine's clock
    fetch                     everything that the workers wrote

Unasked it says how its workers fare (`status`, twice a second) and when one ended (`ended`). What it says goes to
stdout as frames (remote_frames); stderr is for people. When stdin ends, the driver is gone: the station ends its
workers and itself, so nothing goes on without a harness.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import orjson

from harness.base import jsonio, wait
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, WaitTimeout
from harness.base.procs import spawned, tail_of
from harness.base.rundir import RunDir
from harness.load.config import WorkerConfig
from harness.load.live import NAME, LiveFile, Orders
from harness.load.remote_clock import boot
from harness.load.remote_frames import PROTOCOL, Frame, Frames, encode

STATUS_S = 0.5
PART_BYTES = 1 << 20  # of a file in one frame
END_WORKERS_S = 3.0
READ_BYTES = 1 << 16

Say = Callable[[bytes], Awaitable[None]]


class Station:
    """The workers of one place. `say` delivers frames to the driver."""

    def __init__(self, folder: Path, say: Say) -> None:
        self._run = RunDir.create(folder)
        self._say = say
        self._stack = AsyncExitStack()
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._lanes: list[int] = []
        self._live: LiveFile | None = None

    async def follow(self, frames: Callable[[], Awaitable[list[Frame]]]) -> None:
        """Do what comes until there is no more (an empty list). Raises HarnessError for what cannot be done."""
        requests: Mapping[str, Callable[[Frame], Awaitable[None]]] = {
            "ping": self._ping,
            "work": self._work,
            "orders": self._orders,
            "fetch": self._fetch,
        }
        async with self._stack, asyncio.TaskGroup() as watchers:
            tasks: list[asyncio.Task[None]] = []
            try:
                while asked := await frames():
                    for frame in asked:
                        if frame.say not in requests:
                            raise HarnessError(f"the driver asked for {frame.say!r}, which a load station cannot do")
                        await requests[frame.say](frame)
                        if frame.say == "work":
                            tasks += [watchers.create_task(self._watch(worker)) for worker in self._processes]
                            tasks.append(watchers.create_task(self._tell()))
            finally:
                for task in tasks:
                    task.cancel()
                await self._end_workers()

    # ------------------------------------------------ requests

    async def _ping(self, frame: Frame) -> None:
        await self._say(encode("pong", number=frame.number, at_ns=now_ns()))

    async def _work(self, frame: Frame) -> None:
        if self._live is not None:
            raise HarnessError("the driver asked for work twice")
        live = self._run.path / NAME
        self._live = LiveFile.create(live, workers=int(frame.head["workers"]), lanes=int(frame.head["lanes"]))
        for config in jsonio.structure(orjson.loads(frame.body), list[WorkerConfig]):
            mine = replace(config, run=self._run.path, live=live)
            self._lanes += [lane.number for lane in mine.lanes]
            await self._start(mine)
        await self._say(encode("working", number=frame.number))

    async def _start(self, config: WorkerConfig) -> None:
        path = self._run.path / f"load-worker-{config.worker}.json"
        jsonio.save(path, config)
        log = self._run.logs / f"load-{config.worker}.log"
        argv: list[str | Path] = [sys.executable, "-P", "-m", "harness.load.worker", path]
        self._processes[config.worker] = await self._stack.enter_async_context(spawned(argv, log=log))

    async def _orders(self, frame: Frame) -> None:
        live = self._working()
        live.order(
            Orders(
                start_ns=int(frame.head["start_ns"]),
                stop_ns=int(frame.head["stop_ns"]),
                abandon_ns=int(frame.head["abandon_ns"]),
            )
        )
        await self._say(encode("ordered", number=frame.number))

    async def _fetch(self, frame: Frame) -> None:
        """Every file of every worker in parts; those that are not there (it died early) are left out."""
        self._working()
        sizes: dict[str, int] = {}
        for worker in self._processes:
            for path in files_of(self._run, worker):
                if path.is_file():
                    sizes[path.name] = await self._send(path)
        await self._say(encode("fetched", number=frame.number, sizes=sizes))

    async def _send(self, path: Path) -> int:
        sent = 0
        with path.open("rb") as file:
            while part := file.read(PART_BYTES):
                await self._say(encode("part", part, file=path.name))
                sent += len(part)
        return sent

    def _working(self) -> LiveFile:
        if self._live is None:
            raise HarnessError("the driver gave no work yet")
        return self._live

    # ------------------------------------------------ unasked

    async def _tell(self) -> None:
        while True:
            await self._status()
            await wait.hold(STATUS_S)

    async def _status(self) -> None:
        live = self._working()
        workers, lanes = live.workers()[sorted(self._processes)], live.lanes()[self._lanes]
        await self._say(encode("status", workers.tobytes() + lanes.tobytes()))

    async def _watch(self, worker: int) -> None:
        status = await self._processes[worker].wait()
        await self._status()
        await self._say(
            encode("ended", worker=worker, status=status, tail=tail_of(self._run.logs / f"load-{worker}.log"))
        )

    async def _end_workers(self) -> None:
        """The driver is gone, or everything is over. Whoever does not end in time is killed on leaving the stack."""
        alive = [process for process in self._processes.values() if process.returncode is None]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        try:
            await wait.finish(
                "workers ended", asyncio.gather(*(process.wait() for process in alive)), timeout_s=END_WORKERS_S
            )
        except WaitTimeout as error:
            print(error, file=sys.stderr)


def files_of(run: RunDir, worker: int) -> tuple[Path, ...]:
    """What a worker writes."""
    return (
        run.ops(worker),
        run.messages(worker),
        run.samples(f"load-{worker}"),
        run.logs / f"load-{worker}.log",
    )


async def serve() -> None:
    """Follow the driver on stdin and stdout to its end."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb"))
    speaking = asyncio.Lock()

    async def say(data: bytes) -> None:
        async with speaking:
            await asyncio.to_thread(_write_out, data)

    incoming = Frames("the driver")

    async def frames() -> list[Frame]:
        while data := await reader.read(READ_BYTES):
            if found := list(incoming.feed(data)):
                return found
        return []

    with tempfile.TemporaryDirectory(prefix="vtchaos-load-") as folder:
        await say(encode("ready", protocol=PROTOCOL, boot=boot(), pid=os.getpid(), host=os.uname().nodename))
        await Station(Path(folder), say).follow(frames)


def _write_out(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


def main() -> int:
    failed = False
    try:
        asyncio.run(serve())
    except* (HarnessError, ValueError, OSError) as errors:
        failed = True
        print(f"load station: {errors!r}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
