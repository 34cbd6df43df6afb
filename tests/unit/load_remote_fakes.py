"""A LoadPlace that is this machine: every place a process with pipes for stdin and stdout. `skew_s` sets its
monotonic clock ahead (a time namespace), so that it has another clock than ours although it runs here."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.base.errors import HarnessError
from harness.base.procs import spawned, tail_of
from harness.contracts import Conversation, Observer
from harness.model import Node


@dataclass
class PipeConversation:
    """The Conversation with a process here."""

    name: str
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    stdin: int
    log: Path
    written: list[bytes] = field(default_factory=list)

    async def read(self) -> bytes:
        return await self.reader.read(1 << 16)

    async def write(self, data: bytes) -> None:
        self.written.append(data)
        try:
            await asyncio.to_thread(os.write, self.stdin, data)
        except OSError as error:
            raise HarnessError(f"{self.name} cannot be reached: {error}") from None

    async def obituary(self) -> str:
        return tail_of(self.log)


@dataclass
class LocalPlace:
    """Places on this machine. `program` runs instead of the station; `ports`: node name → port."""

    skew_s: float = 0.0
    program: str = ""  # of the shell; "" = the module that is asked for
    conversations: list[PipeConversation] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    prepared: int = 0

    def address(self, node: Node, port: str) -> tuple[str, int]:
        return "127.0.0.1", self.ports[node.name]

    async def prepare(self, observer: Observer) -> None:
        self.prepared += 1

    @asynccontextmanager
    async def programs(self, module: str, *, count: int, logs: Path) -> AsyncIterator[Sequence[Conversation]]:
        async with AsyncExitStack() as stack:
            for number in range(1, count + 1):
                self.conversations.append(await self._start(stack, module, f"load pod {number}", logs))
            yield self.conversations[-count:]

    async def _start(self, stack: AsyncExitStack, module: str, name: str, logs: Path) -> PipeConversation:
        their_in, our_out = os.pipe()
        our_in, their_out = os.pipe()
        stack.callback(_close, our_out)
        shift = f"unshare --time --monotonic {self.skew_s:.0f} -- " if self.skew_s else ""
        program = self.program or f"{shift}{sys.executable} -m {module}"
        log = logs / f"{name.replace(' ', '-')}.log"
        process = await stack.enter_async_context(
            spawned(
                ["/bin/sh", "-c", f"exec {program} >/proc/self/fd/{their_out}"],
                stdin=their_in,
                pass_fds=(their_out,),
                log=log,
                env={"TMPDIR": str(logs)},  # leaving kills it with its folder
            )
        )
        os.close(their_in)
        os.close(their_out)
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(our_in, "rb")
        )
        stack.callback(transport.close)
        return PipeConversation(name, process, reader, our_out, log)


def _close(fd: int) -> None:
    with suppress(OSError):  # a test closed it: the driver is gone
        os.close(fd)


def can_skew() -> bool:
    """Whether a process can be given a monotonic clock of its own here."""
    if shutil.which("unshare") is None:
        return False
    asked = subprocess.run(
        ["unshare", "--time", "--monotonic", "100", "--", "true"], capture_output=True, check=False, timeout=10
    )
    return asked.returncode == 0
