"""Our side of the supervisor: start it (or join one that runs), ask it for things, hear of exits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clusters.common.processes import Exit
from clusters.local.cpu import NO_CPU
from clusters.local.links import NO_LINKS, Means
from harness.base import procs, wait
from harness.base.errors import ClusterError

ANSWER_TIMEOUT_S = 60.0
NO_DISKS = "this cluster was stood up without a file system for each data directory"
NO_SINKS = "this cluster was stood up with nothing between its programs and their logs"
_START = "import sys; sys.path.insert(0, sys.argv[1]); from supervisor.main import main; main()"


class Supervisor:
    """A connection to the process that owns the cluster's programs.

    `no_links` is why links cannot be cut, "" if they can, and so on; the supervisor tells them before it answers
    anything.
    """

    no_links: str = NO_LINKS
    proxy: str = ""  # the program that delays
    no_proxy: str = NO_LINKS
    no_cpu: str = NO_CPU
    no_disks: str = NO_DISKS
    no_sinks: str = NO_SINKS

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: Path) -> None:
        self._reader = reader
        self._writer = writer
        self._log = log
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._next = 0
        self._on_exit: Callable[[Exit], None] = lambda _: None
        self._gone = False

    @classmethod
    @contextlib.asynccontextmanager
    async def joined(cls, channel: socket.socket, log: Path) -> AsyncIterator[Supervisor]:
        """Talk over a connected socket for as long as the block lasts."""
        reader, writer = await asyncio.open_connection(sock=channel, limit=1 << 24)
        supervisor = cls(reader, writer, log)
        listening = asyncio.create_task(supervisor._listen(), name="supervisor")
        try:
            yield supervisor
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def on_exit(self, callback: Callable[[Exit], None]) -> None:
        self._on_exit = callback

    async def spawn(
        self, name: str, argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path, gid: int = 0
    ) -> int:
        """Start a program; returns its process id as the cluster sees it. Raises ClusterError.

        `gid`: a group of its own, for a supervisor that runs its programs as another user; 0 = that user's.
        """
        words = [str(word) for word in argv]
        return int(await self._ask("spawn", name=name, argv=words, cwd=str(cwd), env=dict(env), log=str(log), gid=gid))

    async def prepare(self, folder: Path, *, template: Path | None = None, files: Mapping[str, str]) -> None:
        """Make a node's folder as the cluster's user, where the cluster sees it. Raises ClusterError."""
        await self._ask("prepare", folder=str(folder), template=str(template or ""), files=dict(files))

    async def signal(self, name: str, signum: int, *, ends: bool = False) -> bool:
        """False when the program is not running. `ends`: its end is expected."""
        return bool(await self._ask("signal", name=name, signum=int(signum), ends=ends))

    async def links(self, script: str) -> str:
        """Feed rules to nft where the cluster's network is, after those that were given before; what nft printed.
        Raises ClusterError."""
        return str(await self._ask("links", script=script))

    async def knock(
        self, address: tuple[str, int], *, gid: int, says: bytes, zeros: int, times: int, within_s: float
    ) -> list[dict[str, Any]]:
        """Open so many connections from a group's place, at once, and wait for the first byte of each answer.
        Raises ClusterError."""
        host, port = address
        order = {"host": host, "port": port, "gid": gid, "says": says.hex(), "zeros": zeros}
        return list(await self._ask("knock", **order, times=times, within_s=within_s))

    async def disk(self, folder: Path, *, full: bool) -> None:
        """Let a data folder take no further byte, or as many as there are. Raises ClusterError."""
        await self._ask("disk", folder=str(folder), full=full)

    async def sink(self, name: str, bytes_per_s: int) -> None:
        """How fast a program's log is taken from it, also after its next start; 0 = at once. Raises ClusterError."""
        await self._ask("sink", name=name, bytes_per_s=bytes_per_s)

    async def limited(self) -> dict[str, dict[str, list[int]]]:
        """What the kernel says is limited: `disks` by folder (free bytes, all bytes), `sinks` by program (bytes that
        wait, room for them, threads that wait to write)."""
        return dict(await self._ask("limited"))

    async def limit_cpu(self, name: str, cpus: float) -> None:
        """So many cores for a program, now and when it starts again; 0 = no limit. Raises ClusterError."""
        await self._ask("cpu", name=name, cpus=cpus)

    async def cpu_seen(self) -> dict[str, dict[str, float]]:
        """Of every limited program, as the kernel has it: `cpus`, and `held_back`, how often that stopped it."""
        return dict(await self._ask("cpu_seen"))

    async def running(self) -> dict[str, int]:
        return dict(await self._ask("list"))

    async def usage(self, *, pss: bool = False) -> dict[str, dict[str, float]]:
        """Per program: `cpu_s`, `rss` and, if asked for, `pss` (bytes)."""
        return dict(await self._ask("usage", pss=pss))

    async def states(self) -> dict[str, list[str]]:
        """`stopped`: programs that stand still; `strays`: processes that belong to none of the programs, in words."""
        return dict(await self._ask("states"))

    async def tie(self) -> None:
        """Let the cluster end when this connection does."""
        await self._ask("tie")

    async def untie(self) -> None:
        """Let the cluster outlive this connection."""
        await self._ask("untie")

    async def shutdown(self) -> None:
        """Ask for the end; the socket closes when it comes."""
        with contextlib.suppress(ClusterError):
            await self._ask("shutdown")

    async def _ask(self, op: str, **arguments: object) -> Any:
        if self._gone:
            raise ClusterError(self._why_gone(op))
        self._next += 1
        number = self._next
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._writer.write(json.dumps({"id": number, "op": op, **arguments}).encode() + b"\n")
        try:
            return await wait.finish(f"supervisor answers {op}", answer, timeout_s=ANSWER_TIMEOUT_S)
        finally:
            self._answers.pop(number, None)

    async def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while line := await self._reader.readline():
                self._take(json.loads(line))
        self._gone = True
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ClusterError(self._why_gone("an answer")))

    def _take(self, message: dict[str, Any]) -> None:
        if "exit" in message:
            name, status = message["exit"], message["status"]
            self._on_exit(Exit(name=name, status=status, asked=message["asked"], at_ns=message["at_ns"]))
            return
        if "no_links" in message:
            self.no_links = message["no_links"]
            self.proxy = message.get("proxy", "")
            self.no_proxy = message.get("no_proxy", NO_LINKS)
            self.no_cpu = message.get("no_cpu", NO_CPU)  # a kept cluster may be of an earlier version
            self.no_disks = message.get("no_disks", NO_DISKS)
            self.no_sinks = message.get("no_sinks", NO_SINKS)
            return
        answer = self._answers.get(message["id"])
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(ClusterError(f"the supervisor refused: {message['error']}"))
        else:
            answer.set_result(message["result"])

    def _why_gone(self, what: str) -> str:
        tail = procs.tail_of(self._log)
        return f"the cluster's supervisor is gone ({what})" + (f"; its log ends with:\n{tail.rstrip()}" if tail else "")


def command(config: Mapping[str, object]) -> list[str]:
    """The supervisor's command line: without site packages it starts in 20 ms."""
    return [sys.executable, "-S", "-E", "-c", _START, str(Path(__file__).parent), json.dumps(config)]


def connect(path: Path) -> socket.socket:
    """Connect to a listening supervisor. Raises OSError."""
    handle = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.connect(f"/proc/self/fd/{handle}/{path.name}")
    except OSError:
        channel.close()
        raise
    finally:
        os.close(handle)
    channel.setblocking(False)
    return channel


@contextlib.asynccontextmanager
async def owned(config: Mapping[str, object], *, log: Path, end_timeout_s: float = 15.0) -> AsyncIterator[Supervisor]:
    """A supervisor that ends with the block, or with us however we end.

    The control socket is the lifeline: it exists in this process and in the supervisor only.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    words = command({**config, "control_fd": theirs.fileno(), "listen": ""})
    async with procs.spawned(words, log=log, pass_fds=(theirs.fileno(),)) as process:
        theirs.close()
        async with Supervisor.joined(ours, log) as supervisor:
            try:
                yield supervisor
            finally:
                await supervisor.shutdown()
                await wait.finish("the cluster's supervisor ends", process.wait(), timeout_s=end_timeout_s)


async def detached(config: Mapping[str, object], *, socket_path: Path, log: Path) -> None:
    """A supervisor that outlives us, listening at `socket_path` when this returns. Raises ProcessError."""
    words = command({**config, "listen": str(socket_path), "log": str(log)})
    await procs.run(words, timeout_s=ANSWER_TIMEOUT_S)


def config(
    *,
    isolation: str,
    uid: int | None,
    link: str = "",
    host_address: str = "",
    cluster_address: str = "",
    memory: Path | None = None,
    remove: Sequence[Path] = (),
    links: Means | None = None,
    run: str = "",
) -> dict[str, object]:
    """What the supervisor's main reads.

    `memory` is a folder over which a file system in memory is mounted, for the cluster's eyes only;
    `remove` goes when the cluster has ended, however it ended. Without `links` there are none to cut. `run` is in the
    name of what is made on the host; without it nothing is made there.
    """
    return {
        "isolation": isolation,
        "uid": uid,
        "link": link,
        "host_address": host_address,
        "cluster_address": cluster_address,
        "memory": str(memory or ""),
        "remove": [str(path) for path in remove],
        "links": asdict(links or Means()),
        "run": run,
        "control_fd": None,
        "listen": "",
        "log": "",
    }


def probe_command(isolation: str) -> list[str]:
    """A supervisor that makes its namespaces, without a network, and ends at once: does this host permit it?"""
    return command({**config(isolation=isolation, uid=None), "probe": True})
