"""One VStream client: what it does with its stream, and what it does when the stream ends.

Ordinarily that is one stream of all tables. `one_by_one` is what people do to keep every copy below the copy phase
duration: a stream for the first table; when that is copied, a second one for the next, while the first goes on
replicating; and so on. Each of these parts has a checkpoint and a policy of its own; their attempts are counted, and
limited, together. Every part asks for the mark table as well: its row says that a stream has seen what was committed
before, and one that came through another table's stream says nothing about this one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from harness.base.clock import now_ns
from harness.base.wait import hold
from harness.load.stream_decode import Decoder, Progress
from harness.load.stream_record import StreamFiles
from harness.streams import Attempt, Resume, StreamLane, StreamState
from harness.vitess.vstream import Checkpoint, StreamEnd, VStreamClient, request

# Before a new attempt after one that failed. A vtgate that refuses at once must not be asked in a busy loop, and 200
# attempts must outlast a reparent or a restart (some 10 s); but the cuts that are studied come every 50 ms to 5 s,
# and the workaround that is measured should not be mostly waiting.
PAUSE_S = 0.1
LEFT, STOPPED, EOF = "LEFT", "STOPPED", "EOF"  # Attempt.code beside gRPC's own


class Follower:
    """One stream of a run."""

    def __init__(self, lane: StreamLane, client: VStreamClient, files: StreamFiles) -> None:
        self.lane = lane
        self.attempts = 0
        self.message = ""  # of the last attempt that did not end by our own will
        self._client = client
        self._files = files
        self._stopped = False
        self._parts: list[_Part] = []
        self._portions = (
            [(table, lane.tables[-1]) for table in lane.tables[:-1]] if lane.spec.one_by_one else [lane.tables]
        )

    @property
    def state(self) -> StreamState:
        if self._stopped:
            return StreamState.STOPPED
        if any(part.over for part in self._parts):
            return StreamState.ENDED
        if not self._parts:
            return StreamState.WAITING
        whole = len(self._parts) == len(self._portions) and all(part.progress.complete for part in self._parts)
        return StreamState.COPIED if whole else StreamState.COPYING

    @property
    def marks(self) -> int:
        """Shards of which every part has seen the mark."""
        if len(self._parts) < len(self._portions):
            return 0
        return len(set.intersection(*(part.progress.marks for part in self._parts)))

    def total(self, count: str) -> int:
        """The sum of a count of `Progress`."""
        return sum(getattr(part.progress, count) for part in self._parts)

    async def run(self) -> None:
        """Until all of it has ended and nothing is tried again, or until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for tables in self._portions:
                    part = _Part(self, self._client, self._files, tables)
                    self._parts.append(part)
                    group.create_task(part.run())
                    await part.settled.wait()
                    if part.over:
                        break
        finally:
            self._stopped = not any(part.over for part in self._parts)

    def may_try_again(self) -> bool:
        return self.attempts < self.lane.spec.attempts


class _Part:
    """A stream of some tables, attempt after attempt."""

    def __init__(self, whole: Follower, client: VStreamClient, files: StreamFiles, tables: tuple[str, ...]) -> None:
        self.progress = Progress()
        self.over = False
        self.settled = asyncio.Event()  # copied, or over
        self._whole = whole
        self._lane = whole.lane
        self._client = client
        self._files = files
        self._tables = tables

    async def run(self) -> None:
        while self._again(await self._attempt()):
            pass
        self.over = True
        self.settled.set()

    def _again(self, end: StreamEnd) -> bool:
        """What the spec says. A stream that the server ended without an error (stop on reshard) is at its end."""
        return end.code == LEFT or (
            end.code != EOF and self._lane.spec.resume is not Resume.NONE and self._whole.may_try_again()
        )

    async def _attempt(self) -> StreamEnd:
        spec, whole = self._lane.spec, self._whole
        if whole.attempts and spec.resume is Resume.SCRATCH:
            self.progress.restart()
        checkpoint = None if self.progress.vgtid is None else Checkpoint(self.progress.vgtid)
        whole.attempts += 1
        attempt = Attempt(
            number=whole.attempts,
            begin_ns=now_ns(),
            resume="scratch" if checkpoint is None else "checkpoint",
            start=() if checkpoint is None else checkpoint.positions(),
            tables=self._tables,
        )
        self._files.begin(attempt)
        cpu_ns = time.process_time_ns()
        decoder = Decoder(self._lane, attempt.number, self._files.buffers, self.progress, checkpoint)
        try:
            end = await self._read(decoder, checkpoint)
        except asyncio.CancelledError:
            self._ended(attempt, StreamEnd(code=STOPPED), decoder, cpu_ns)
            raise
        self._ended(attempt, end, decoder, cpu_ns)
        if end.code != LEFT:
            whole.message = f"{end.code}: {end.message}".removesuffix(": ")
            if self._again(end):
                await hold(PAUSE_S)
        return end

    async def _read(self, decoder: Decoder, checkpoint: Checkpoint | None) -> StreamEnd:
        spec = self._lane.spec
        call = self._client.stream(
            request(
                spec,
                keyspace=self._lane.keyspace,
                shards=self._lane.shards,
                tables=self._tables,
                checkpoint=checkpoint,
            )
        )
        try:
            while True:
                response = await call.read()
                if isinstance(response, StreamEnd):
                    return response
                decoder.receive(response, now_ns())
                self._files.flush_full()
                if self.progress.complete:
                    self.settled.set()
                if self._leaves(decoder):
                    return StreamEnd(code=LEFT)
                if spec.pause_ms:
                    await hold(spec.pause_ms / 1000)
        finally:
            call.cancel()

    def _leaves(self, decoder: Decoder) -> bool:
        """Never in the last attempt; and not before there is something to resume from, or the same would begin anew
        again and again."""
        spec = self._lane.spec
        if not spec.leave_after or decoder.responses < spec.leave_after or not self._whole.may_try_again():
            return False
        return spec.resume is Resume.SCRATCH or decoder.checkpoints > 0

    def _ended(self, attempt: Attempt, end: StreamEnd, decoder: Decoder, cpu_ns: int) -> None:
        self._files.end(
            replace(
                attempt,
                end_ns=now_ns(),
                code=end.code,
                message=end.message,
                errno=end.errno,
                cpu_ns=time.process_time_ns() - cpu_ns,
                responses=decoder.responses,
            )
        )
