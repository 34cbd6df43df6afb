"""One load station as the driver sees it: requests and their answers, its clock, and what it says unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.base import jsonio, wait
from harness.base.clock import now_ns
from harness.base.errors import HarnessError
from harness.base.rundir import RunDir
from harness.contracts import Conversation
from harness.load.config import WorkerConfig
from harness.load.live import LANE_DTYPE, WORKER_DTYPE, LiveFile, Orders, WorkerState
from harness.load.remote_clock import ROUNDS, Reading, StationClock, boot, reading
from harness.load.remote_fetch import Fetched
from harness.load.remote_frames import PROTOCOL, Frame, Frames, encode

ANSWER_S = 10.0  # for a request that costs the station nothing
FETCH_S = 30.0  # for its files, and
FETCH_BYTES_PER_S = 500_000  # the slowest way that is waited for
LANE_STAMPS = ("last_ok_ns", "last_error_ns")


class LoadPod:
    """Follow it with `follow` in a task of its own; everything else asks it something, one thing at a time."""

    def __init__(
        self, conversation: Conversation, run: RunDir, live: LiveFile, configs: Sequence[WorkerConfig]
    ) -> None:
        self.name = conversation.name
        self.configs = tuple(sorted(configs, key=lambda config: config.worker))
        self.clock = StationClock(same_boot=False, begin=Reading(at_ns=0, offset_ns=0, uncertainty_ns=0))
        self.changed = asyncio.Event()  # set with everything that it says
        self.host = ""
        self._conversation = conversation
        self._run = run
        self._live = live
        self._lanes = [lane.number for config in self.configs for lane in config.lanes]
        self._ended: dict[int, Frame] = {}
        self._answers: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._number = 0
        self._fetched: Fetched | None = None
        self._gone = ""

    @property
    def workers(self) -> tuple[int, ...]:
        return tuple(config.worker for config in self.configs)

    # ------------------------------------------------ what it says

    async def follow(self) -> None:
        """Runs until the station or the way to it has ended; then `complaint` says so."""
        frames = Frames(self.name)
        try:
            while data := await self._conversation.read():
                for frame in frames.feed(data):
                    self._heard(frame)
            why = await self._conversation.obituary()
            self._gone = f"{self.name} ended while it was needed" + _lines(why, frames.rest())
        except HarnessError as error:
            self._gone = str(error)
        except (ValueError, KeyError, TypeError, OSError) as error:  # what it said, or where that is to be kept
            self._gone = f"what {self.name} said could not be followed: {type(error).__name__}: {error}"
        finally:
            self._gone = self._gone or f"{self.name} is not followed any more"
            self._answers.put_nowait(None)
            self.changed.set()

    def _heard(self, frame: Frame) -> None:
        match frame.say:
            case "status":
                self._status(frame)
            case "ended":
                self._ended[int(frame.head["worker"])] = frame
            case "part":
                if self._fetched is not None:  # else: of a fetch that was given up
                    self._fetched.part(str(frame.head["file"]), frame.body)
            case _:
                self._answers.put_nowait(frame)
        self.changed.set()

    def _status(self, frame: Frame) -> None:
        """Its rows into the run's own live file, where whoever watches looks."""
        workers = np.frombuffer(frame.body, dtype=WORKER_DTYPE, count=len(self.configs))
        lanes = np.frombuffer(frame.body, dtype=LANE_DTYPE, offset=workers.nbytes, count=len(self._lanes)).copy()
        for field in LANE_STAMPS:
            lanes[field] = self.clock.ours(lanes[field])
        for number, row in zip(self._lanes, lanes, strict=True):
            self._live.write_lane(number, tuple(int(value) for value in row))
        for config, row in zip(self.configs, workers, strict=True):
            self._live.write_worker(
                config.worker,
                state=WorkerState(int(row["state"])),
                wanted=int(row["wanted"]),
                connected=int(row["connected"]),
                at_ns=self.clock.our(int(row["beat_ns"])),
                note=row["note"].decode(errors="replace"),
                pid=int(row["pid"]),
            )

    # ------------------------------------------------ how it fares

    @property
    def complaint(self) -> str:
        """Why the load here is not what it should be; "" = it is, or it ended as it was asked to."""
        for worker, frame in self._ended.items():
            status = int(frame.head["status"])
            state = WorkerState(int(self._live.workers()["state"][worker]))
            if status != 0 or state is not WorkerState.STOPPED:
                how = f"by signal {-status}" if status < 0 else f"with status {status}"
                tail = str(frame.head["tail"])
                return f"load worker {worker} in {self.name} ended {how} while it was needed\n{tail}".rstrip()
        return "" if len(self._ended) == len(self.configs) and self._fetched is not None else self._gone

    @property
    def gone(self) -> bool:
        """Nothing can be asked of it any more."""
        return bool(self._gone)

    @property
    def over(self) -> bool:
        """Its workers have ended, or it is gone: nothing more will happen here."""
        return self.gone or len(self._ended) == len(self.configs)

    # ------------------------------------------------ what it is asked

    async def greet(self, *, timeout_s: float) -> None:
        """The station is there and speaks our language. Raises HarnessError, WaitTimeout."""
        ready = await wait.finish(f"{self.name} says that it is there", self._answer("ready", 0), timeout_s=timeout_s)
        if ready.head.get("protocol") != PROTOCOL:
            raise HarnessError(
                f"{self.name} runs another version of vtchaos (protocol {ready.head.get('protocol')}, "
                f"here {PROTOCOL}); its image must be made anew"
            )
        self.host = str(ready.head.get("host", ""))
        same = bool(boot()) and ready.head.get("boot") == boot()
        self.clock = StationClock(same_boot=same, begin=await self._read_clock())

    async def work(self) -> None:
        """Start its workers; they connect and wait for the order to begin."""
        live = self._live
        await self._ask(
            "work", "working", body=jsonio.line(list(self.configs)), workers=live.worker_count, lanes=live.lane_count
        )

    async def order(self, orders: Orders) -> None:
        """`orders` on our clock."""
        await self._ask(
            "orders",
            "ordered",
            start_ns=self.clock.theirs(orders.start_ns),
            stop_ns=self.clock.theirs(orders.stop_ns),
            abandon_ns=self.clock.theirs(orders.abandon_ns),
        )

    async def fetch(self) -> None:
        """Its clock once more, and everything its workers wrote into the run directory, on our clock."""
        self.clock = replace(self.clock, end=await self._read_clock())
        fetched = self._fetched = Fetched(self._run, self.workers, self.clock, self.name)
        done = await self._ask("fetch", "fetched", timeout_s=self._fetch_bound_s())
        fetched.finish({str(name): int(size) for name, size in done.head["sizes"].items()})

    def _fetch_bound_s(self) -> float:
        """By the number of operations that were recorded: 56 bytes each."""
        counts = self._live.lanes()[self._lanes]
        records = sum(int(counts[field].sum()) for field in ("issued", "not_issued"))
        return FETCH_S + records * 56 / FETCH_BYTES_PER_S

    async def _read_clock(self) -> Reading:
        rounds = []
        for _ in range(ROUNDS):
            asked_ns = now_ns()
            pong = await self._ask("ping", "pong")
            rounds.append((asked_ns, int(pong.head["at_ns"]), now_ns()))
        return reading(rounds)

    async def _ask(
        self, say: str, answer: str, *, body: bytes = b"", timeout_s: float = ANSWER_S, **head: object
    ) -> Frame:
        self._number += 1
        await self._conversation.write(encode(say, body, number=self._number, **head))
        return await wait.finish(
            f"{self.name} answers {say!r}", self._answer(answer, self._number), timeout_s=timeout_s
        )

    async def _answer(self, say: str, number: int) -> Frame:
        """The answer to a request; answers to earlier ones, which were given up, are passed over."""
        while (frame := await self._answers.get()) is not None:
            if frame.number == number:
                if frame.say != say:
                    raise HarnessError(f"{self.name} answered {frame.say!r} where {say!r} was due")
                return frame
        self._answers.put_nowait(None)  # for whoever asks next
        raise HarnessError(self._gone)


def _lines(*texts: str) -> str:
    return "".join(f"\n{text}" for text in texts if text)
