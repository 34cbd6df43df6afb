"""A tablet's mysqld and vttablet together in one container, their box: as in an image that runs a whole tablet.

Each is started beside the box's own program, and writes to one of the box's two outputs: mysqld to the first, vttablet
to the second. So the engine keeps their logs apart, and a kept cluster's programs go on when nobody is attached.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Mapping
from typing import Any

import docker.errors

from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.docker import boxes
from clusters.docker.boxes import Boxes
from clusters.docker.engine import Engine
from clusters.docker.programs import Ended, Found, Logs
from harness.base.errors import ClusterError
from harness.model import Node, Role

OUTPUT = {Role.MYSQLD: 1, Role.VTTABLET: 2}  # of the box's first process
NOT_RUNNING = 3

# $1 the output, $2 where its process number goes, $3 the node's name (for who looks), then the program.
RUN = """exec >"/proc/1/fd/$1" 2>&1 </dev/null; echo $$ >"$2"; shift 3; exec "$@" """
# $1 the signal, $2 where the process number is; it is written within milliseconds of the start.
_KILL = f"""
tries=0
until [ -s "$2" ]; do tries=$((tries+1)); [ $tries -lt 100 ] || exit {NOT_RUNNING}; sleep 0.05; done
kill -"$1" "$(cat "$2")" 2>/dev/null || exit {NOT_RUNNING}
"""
_SAY = """printf '%s\\n' "$2" >"/proc/1/fd/$1" """


class InBoxes:
    """`clusters.docker.programs.Programs` of tablets whose two programs share a container."""

    def __init__(self, engine: Engine, layout: Layout, made: Boxes) -> None:
        self.logs = Logs(engine, layout, streams=lambda node: _streams(node.role))
        self._engine = engine
        self._layout = layout
        self._boxes = made
        self._running: dict[str, str] = {}  # what the engine calls it → node
        self._asked: set[str] = set()  # nodes
        self._containers: dict[str, str] = {}  # node → box

    def container(self, name: str) -> str:
        return self._containers[name] if name in self._running.values() else ""

    async def start(self, node: Node, command: Command) -> None:
        box = self._containers[node.name] = await self._boxes.ready(node)
        if node.name not in self.logs.followers:
            self.logs.begin(node.name, box)
        await self._engine.exec(box, ("/bin/sh", "-c", 'rm -f "$1"', "forget", self._number(node)), user=boxes.ROOT)
        words = (str(OUTPUT[node.role]), self._number(node), node.name, *command.argv)
        await self._engine.call(f"start {node.name}", self._begun, node.name, box, command, words)

    async def signal(self, name: str, signum: int, *, ends: bool) -> bool:
        box = self.container(name)
        if not box:
            return False
        if ends:
            self._asked.add(name)
        words = (boxes.SHELL, "-c", _KILL, "signal", str(int(signum)), self._number(self._layout.node(name)))
        status, output = await self._engine.status_of(box, words, user=boxes.ROOT)
        if status not in (0, NOT_RUNNING):
            raise ClusterError(f"{name} cannot be sent a signal: {output.strip()}")
        return status == 0

    def heard(self, event: Mapping[str, Any]) -> Ended | None:
        attributes = event["Actor"]["Attributes"]
        key = str(attributes.get("execID", ""))
        if event.get("Action") != "exec_die" or key not in self._running:
            return None
        name = self._running.pop(key)
        asked = name in self._asked
        self._asked.discard(name)
        container, status = str(event["Actor"]["ID"]), int(attributes.get("exitCode", 0))
        return Ended(name=name, container=container, status=status, asked=asked)

    async def missed(self) -> list[Mapping[str, Any]]:
        return list(await self._engine.call("look at programs", self._ended_unheard, dict(self._running)))

    async def written(self, name: str) -> None:
        """What is written now comes after all that the program wrote."""
        sign = f"\036vtchaos {secrets.token_hex(8)}"
        words = (boxes.SHELL, "-c", _SAY, "say", str(OUTPUT[self._layout.node(name).role]), sign)
        user = f"{self._boxes.ground.user}:{self._boxes.ground.user}"
        reached = asyncio.ensure_future(self.logs.awaiting(name, f"{sign}\n".encode()))
        try:
            await self._engine.exec(self._containers[name], words, user=user)
            await reached
        finally:
            reached.cancel()

    def adopt(self, found: Mapping[str, Found]) -> None:
        """`key` is the box's container; what runs there is asked for by `look`."""
        self._containers |= {name: each.key for name, each in found.items()}

    async def look(self) -> None:
        """Find what runs in the adopted boxes."""
        for box in set(self._containers.values()):
            for key, name in (await running_in(self._engine, box)).items():
                self._running[key] = name

    async def close(self, *, kill: bool) -> None:
        if kill:
            names = list(self._running.values())
            await asyncio.gather(*(self.signal(name, signal.SIGKILL, ends=True) for name in names))
            await asyncio.gather(*(self.written(name) for name in names))
        self.logs.stop()

    def _ended_unheard(self, running: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """In a thread."""
        found: list[Mapping[str, Any]] = []
        for key, name in running.items():
            try:
                said = self._engine.api.exec_inspect(key)
            except docker.errors.APIError as error:
                if error.status_code != 404:
                    raise
                said = {"Running": False}  # the engine was started anew, or the box removed
            if not said.get("Running") and said.get("Pid", 1):  # without a number it is yet to begin
                attributes = {"execID": key, "exitCode": str(said.get("ExitCode") or 0)}
                found.append({"Action": "exec_die", "Actor": {"ID": self._containers[name], "Attributes": attributes}})
        return found

    def _begun(self, name: str, box: str, command: Command, words: tuple[str, ...]) -> None:
        """In a thread. The end may be heard before the engine's answer."""
        api, user = self._engine.api, self._boxes.ground.user
        made = api.exec_create(
            box,
            [boxes.SHELL, "-c", RUN, "run", *words],
            user=f"{user}:{user}",
            environment=dict(command.env),
            workdir=str(command.cwd),
        )
        self._running[made["Id"]] = name
        try:
            api.exec_start(made["Id"], detach=True)
        except BaseException:
            self._running.pop(made["Id"], None)
            raise

    def _number(self, node: Node) -> str:
        return str(self._layout.folder(node) / f"{node.name}.process")


async def running_in(engine: Engine, box: str) -> dict[str, str]:
    """What the engine calls it → node, of the programs that run in a box."""

    def work() -> dict[str, str]:
        ids = engine.api.inspect_container(box).get("ExecIDs") or ()
        said = {key: engine.api.exec_inspect(key) for key in ids}
        return {key: _node_of(row) for key, row in said.items() if row.get("Running") and _node_of(row)}

    return dict(await engine.call("look into a container", work))


def _node_of(said: Mapping[str, Any]) -> str:
    words = (said.get("ProcessConfig") or {}).get("arguments") or []
    return str(words[5]) if len(words) > 5 and words[1] == RUN else ""


def _streams(role: Role) -> Mapping[str, bool]:
    return {"stdout": role is Role.MYSQLD, "stderr": role is not Role.MYSQLD}
