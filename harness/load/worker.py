"""One load process: `python -m harness.load.worker CONFIG`. Its event loop does nothing but load.

One timer paces everything: it is set to the next arrival of any lane, or to the next look around
(every 20 ms), and never to less than a millisecond. The garbage collector is off, because nothing in
the hot path makes cycles; what errors leave behind is collected every ten seconds, young objects only.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from time import monotonic_ns  # what clock.now_ns is, with one call less
from typing import Any

import uvloop

from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.scheduling import wake_in_time
from harness.load.config import WorkerConfig
from harness.load.engine import Engine
from harness.load.live import LiveFile, WorkerState
from harness.load.pauses import Pauses
from harness.load.recorder import Recorder
from harness.model import Scalar
from harness.mysql.wire import Wire, WireOwner

LOOK_NS = 20_000_000  # timeouts, orders of the driver
FLUSH_NS = 50_000_000  # records and live counters
SAMPLE_NS = 250_000_000
COLLECT_NS = 10_000_000_000


_RUNNING = WorkerState.RUNNING


class Worker:
    """Runs an Engine on a real loop, follows the driver's orders, writes the files."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._live = LiveFile(config.live, write=True)
        run = config.run_dir
        self._recorder = Recorder(run.ops(config.worker), run.messages(config.worker), worker=config.worker)
        self._pauses = Pauses(run.samples(f"load-{config.worker}"))
        self._engine = Engine(config, connect=self._connect, recorder=self._recorder, clock=monotonic_ns)
        self._state = WorkerState.STARTING
        self._stop_ns = 1 << 62
        self._abandon_ns = 1 << 62
        self._look_ns = self._flush_ns = self._sample_ns = self._collect_ns = 0
        self._due_ns = 0
        self.finished: asyncio.Future[None] = self._loop.create_future()

    def _connect(self, owner: WireOwner) -> Wire:
        target = self._config.target
        wire = Wire(owner, user=target.user, password=target.password, database=self._config.database)
        wire.dial(target.host, target.port)
        return wire

    def open(self, scheduling: str) -> None:
        """Begin: connect, and tick from now on."""
        self._sample(pid=os.getpid(), scheduling=scheduling)
        self._engine.open()
        gc.collect()
        gc.freeze()
        gc.disable()
        self._due_ns = now_ns()
        self._tick()

    def abandon(self) -> None:
        """Asked to end at once (SIGTERM): write what there is."""
        self._stop_ns = self._abandon_ns = now_ns()

    def failed(self, error: str) -> None:
        """A defect of our own: leave its text where the driver looks, and end."""
        with suppress(OSError):
            self._pauses.failed(now_ns(), error)
            self._write_live(now_ns(), note=error)
            self._recorder.close()

    def _sample(self, **more: Scalar) -> None:
        self._pauses.sample(now_ns(), self._engine.late_ns, **more)

    # ------------------------------------------------ the pacing tick

    def _tick(self) -> None:
        at_ns = monotonic_ns()
        if at_ns < self._due_ns:  # the loop's clock has milliseconds and may be early
            self._again(at_ns)
            return
        self._pauses.ticks_ns.append(at_ns - self._due_ns)
        if self._state is _RUNNING:
            self._engine.issue(min(at_ns, self._stop_ns))
        if at_ns >= self._look_ns:
            self._look_ns = at_ns + LOOK_NS
            if self._look_around(at_ns):
                return
        self._again(monotonic_ns())

    def _again(self, at_ns: int) -> None:
        due_ns = self._look_ns
        if self._state is _RUNNING:
            due_ns = min(due_ns, self._engine.next_ns)
        self._due_ns = max(due_ns, at_ns)
        delay_ms = max(1, -(-(due_ns - at_ns) // 1_000_000))  # up: too early would mean one more round
        self._loop.call_later(delay_ms / 1000, self._tick)

    # ------------------------------------------------ every 20 ms

    def _look_around(self, at_ns: int) -> bool:
        """Timeouts, orders, files. Returns whether this was the last time."""
        self._engine.scan(at_ns)
        self._follow_orders(at_ns)
        if at_ns >= self._flush_ns:
            self._flush_ns = at_ns + FLUSH_NS
            self._recorder.flush()
            self._write_live(at_ns)
        if at_ns >= self._sample_ns:
            self._sample_ns = at_ns + SAMPLE_NS
            self._sample()
        if at_ns >= self._collect_ns:
            self._collect_ns = at_ns + COLLECT_NS
            gc.collect(0)
        if at_ns >= self._abandon_ns or (at_ns >= self._stop_ns and self._engine.idle):
            self._end()
            return True
        return False

    def _follow_orders(self, at_ns: int) -> None:
        if self._state is WorkerState.STARTING and self._engine.connected == self._engine.wanted:
            self._state = WorkerState.READY
        orders = self._live.orders
        if orders.start_ns and self._state is not WorkerState.RUNNING:
            self._engine.begin(orders.start_ns)
            self._state = WorkerState.RUNNING
        if orders.stop_ns:
            self._stop_ns = min(self._stop_ns, orders.stop_ns)
        if orders.abandon_ns:
            self._abandon_ns = min(self._abandon_ns, orders.abandon_ns)

    def _write_live(self, at_ns: int, note: str = "") -> None:
        engine = self._engine
        for lane in engine.lanes:
            self._live.write_lane(lane.number, lane.counters(min(at_ns, self._stop_ns)))
        self._live.write_worker(
            self._config.worker,
            state=self._state,
            wanted=engine.wanted,
            connected=engine.connected,
            at_ns=at_ns,
            note=note or engine.trouble,
        )

    def _end(self) -> None:
        self._engine.abandon()
        self._recorder.close()
        self._sample()
        self._pauses.close()
        self._state = WorkerState.STOPPED
        self._write_live(now_ns())
        self.finished.set_result(None)


async def run(config: WorkerConfig) -> None:
    """Work until stopped. Raises what a callback raised: a defect here must not look like a calm database."""
    scheduling = wake_in_time()
    worker = Worker(config)
    loop = asyncio.get_running_loop()

    def broken(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception") or RuntimeError(str(context.get("message")))
        if not worker.finished.done():
            worker.finished.set_exception(error)

    loop.set_exception_handler(broken)
    loop.add_signal_handler(signal.SIGTERM, worker.abandon)
    worker.open(scheduling)
    try:
        await worker.finished
    except Exception as error:
        worker.failed("".join(traceback.format_exception_only(error)).strip())
        raise


def main(argv: list[str]) -> int:
    uvloop.run(run(jsonio.load(Path(argv[0]), WorkerConfig)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
