"""Spawns, signals and reaps the programs of one cluster, as asked over unix sockets in JSON lines.

One thread, one selector. Requests carry an `id` that the answer repeats; exits are told to every client. Each is told
first what cannot be done here, and why.
The first client may be an inherited socket: it is the lifeline, and when its other end is gone (the owner
was killed, even with SIGKILL) the server ends, and with it the pid namespace and everything in it.

All programs stay in the supervisor's session: the kernel's autogroups weigh sessions alike, and 130 of
them would leave the harness 4 % of a core.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import datadir, kernel, states
from .cgroups import CpuGroups
from .disks import Disks
from .knocks import Knocks
from .links import Links
from .sinks import Sinks

Request = dict[str, Any]

OPEN_FILES = 16384  # more costs memory: mysqld keeps a table of all that it may open
OOM_SCORE = "500"


class Program:
    """One spawned program."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.process = process
        self.asked = False  # somebody asked for its end


class Server:
    """State of the supervisor; `serve` returns when the cluster shall end."""

    def __init__(
        self,
        *,
        lifeline: socket.socket | None,
        listener: socket.socket | None,
        uid: int | None,
        links: Links,
        disks: Disks,
        cpu: CpuGroups,
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._sinks = Sinks(self._selector)
        self._disks = disks
        self._lifeline = lifeline
        self._uid = uid
        self._links = links
        self._knocks = Knocks(uid)
        self._cpu = cpu
        self._programs: dict[str, Program] = {}
        self._helpers: dict[int, tuple[socket.socket, Request]] = {}
        self._buffers: dict[socket.socket, bytearray] = {}
        self._ending = False
        self._wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._reap)
        if listener is not None:
            self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))
        if lifeline is not None:
            self._join(lifeline)

    def serve(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select(self._sinks.wait_s()):
                key.data()
            self._sinks.take_due()

    def kill_all(self) -> None:
        """SIGKILL every program's process group and reap. In a pid namespace the kernel does it faster."""
        for program in self._programs.values():
            _signal_group(program.process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def _on_terminate(self, *_: object) -> None:
        self._ending = True

    # ------------------------------------------------------------ clients

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        self._join(client)

    def _join(self, client: socket.socket) -> None:
        client.settimeout(5)  # for sends: a client that does not read is dropped
        self._buffers[client] = bytearray()
        self._selector.register(client, selectors.EVENT_READ, lambda: self._receive(client))
        told = {**self._links.announced(), "no_disks": self._disks.why_not, "no_sinks": ""}
        self._send(client, {**told, "no_cpu": self._cpu.why_not})

    def _leave(self, client: socket.socket) -> None:
        if self._buffers.pop(client, None) is None:
            return
        self._selector.unregister(client)
        client.close()
        if client is self._lifeline:
            self._ending = True

    def _receive(self, client: socket.socket) -> None:
        if client not in self._buffers:
            return
        try:
            data = client.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self._leave(client)
            return
        buffer = self._buffers[client]
        buffer += data
        *lines, rest = bytes(buffer).split(b"\n")
        buffer[:] = rest
        for line in lines:
            request = json.loads(line)
            if request["op"] == "prepare":
                self._prepare(client, request)  # answers later
            elif request["op"] == "links":
                self._links.order(request["script"], self._later(client, request))
            elif request["op"] == "knock":
                self._knocks.order(request, self._later(client, request))
            else:
                self._send(client, self._answer(client, request))

    def _send(self, client: socket.socket, message: Request) -> None:
        try:
            client.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._leave(client)

    # ------------------------------------------------------------ requests

    def _answer(self, client: socket.socket, request: Request) -> Request:
        operations: dict[str, Callable[[Request], Any]] = {
            "spawn": self._spawn,
            "signal": self._signal,
            "list": self._list,
            "tie": lambda _: self._tie(client),
            "untie": lambda _: self._tie(None),
            "usage": self._usage,
            "states": lambda _: states.seen(self._list({})),
            "cpu": self._limit_cpu,
            "cpu_seen": lambda _: self._cpu.seen(),
            "disk": lambda request: self._disks.order(request["folder"], full=request["full"]),
            "sink": lambda request: self._sinks.limit(request["name"], request["bytes_per_s"]),
            "limited": self._limited,
            "shutdown": self._shutdown,
        }
        try:
            return {"id": request["id"], "result": operations[request["op"]](request)}
        except Exception as error:  # noqa: BLE001  told to the client, which raises it
            return {"id": request.get("id"), "error": f"{type(error).__name__}: {error}"}

    def _spawn(self, request: Request) -> int:
        name = request["name"]
        if name in self._programs:
            raise ValueError(f"{name} is already running")
        with self._sinks.opened(name, request["log"]) as output:
            process = subprocess.Popen(
                request["argv"],
                cwd=request["cwd"],
                env=request["env"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,  # not a session, see the module's last paragraph
                preexec_fn=lambda: self._prepare_child(name, request["gid"]),  # noqa: PLW1509  one thread
            )
        self._programs[name] = Program(name, process)
        return process.pid

    def _prepare_child(self, name: str, gid: int) -> None:
        _limit()
        self._cpu.enter(name)
        if self._uid is not None:
            kernel.become(self._uid, gid)
        kernel.signal_when_parent_dies(signal.SIGKILL)

    def _signal(self, request: Request) -> bool:
        """False when it is not running. `ends` says that the sender expects its end."""
        program = self._programs.get(request["name"])
        if program is None:
            return False
        program.asked = program.asked or bool(request.get("ends"))
        _signal_group(program.process.pid, request["signum"])
        return True

    def _list(self, _: Request) -> dict[str, int]:
        return {name: program.process.pid for name, program in self._programs.items()}

    def _usage(self, request: Request) -> dict[str, dict[str, float]]:
        return {
            name: _usage_of(program.process.pid, pss=bool(request.get("pss")))
            for name, program in self._programs.items()
        }

    def _limited(self, _: Request) -> dict[str, Any]:
        """What is smaller than it was made: data folders, and the programs' pipes."""
        pids = self._list({})
        return {"disks": self._disks.limited(), "sinks": self._sinks.limited(lambda name: pids.get(name, 0))}

    def _limit_cpu(self, request: Request) -> bool:
        program = self._programs.get(request["name"])
        self._cpu.limit(request["name"], program.process.pid if program else 0, request["cpus"])
        return True

    def _tie(self, client: socket.socket | None) -> bool:
        """From here on we end when this client goes: a start that is broken off leaves nothing behind."""
        self._lifeline = client
        return True

    def _shutdown(self, _: Request) -> bool:
        self._ending = True
        return True

    # ------------------------------------------------------------ helpers

    def _prepare(self, client: socket.socket, request: Request) -> None:
        """Make a node's folder in a process of its own, as the cluster's user; the answer comes with its end.

        `folder` is made, `template` (if any) copied to its `data`, `files` written into it.
        """
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self._make_folder(request)
                code = 0
            except BaseException as error:  # noqa: BLE001  a forked child must not return into the server
                os.write(2, f"prepare {request['folder']}: {error!r}\n".encode())
            finally:
                os._exit(code)
        self._helpers[pid] = (client, request)

    def _make_folder(self, request: Request) -> None:
        folder = Path(request["folder"])
        folder.mkdir(parents=True)
        self._disks.make(folder)
        if self._uid is not None:
            os.chown(folder, self._uid, self._uid)
            kernel.become(self._uid)
        (folder / "tmp").mkdir()
        if request["template"]:
            datadir.copy_tree(Path(request["template"]), folder / "data")
        for name, text in request["files"].items():
            (folder / name).write_text(text)

    def _later(self, client: socket.socket, request: Request) -> Callable[[str, object], None]:
        def done(error: str, result: object) -> None:
            outcome = {"error": error} if error else {"result": result}
            if client in self._buffers:
                self._send(client, {"id": request["id"], **outcome})

        return done

    # ------------------------------------------------------------ exits

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, status: int) -> None:
        if pid in self._helpers:
            client, request = self._helpers.pop(pid)
            outcome = {"result": True} if status == 0 else {"error": f"cannot prepare {request['folder']}"}
            if client in self._buffers:
                self._send(client, {"id": request["id"], **outcome})
            return
        if self._links.ended(pid, status) or self._knocks.ended(pid, status):
            return
        program = next((each for each in self._programs.values() if each.process.pid == pid), None)
        if program is None:  # an orphan of one of the programs
            return
        program.process.returncode = status  # reaped here; Popen must not wait for it
        del self._programs[program.name]
        self._sinks.ended(program.name)
        report = {
            "exit": program.name,
            "status": status,
            "asked": program.asked,
            "at_ns": time.monotonic_ns(),
        }
        for client in list(self._buffers):
            self._send(client, report)


def _limit() -> None:
    """Enough files for a mysqld; no core files in memory; if memory ends, a program of ours goes first."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(OOM_SCORE)


def _signal_group(pid: int, signum: int) -> None:
    """Every program leads a process group; a helper that it started gets the signal too."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signum)


def _usage_of(pid: int, *, pss: bool) -> dict[str, float]:
    """Seconds of CPU, bytes resident and (dearer to read) the proportional share in bytes."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ticks = os.sysconf("SC_CLK_TCK")
        usage = {
            "cpu_s": (int(fields[11]) + int(fields[12])) / ticks,
            "rss": int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        }
        if pss:
            with open(f"/proc/{pid}/smaps_rollup") as smaps:
                usage["pss"] = next(int(line.split()[1]) * 1024 for line in smaps if line.startswith("Pss:"))
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return usage
