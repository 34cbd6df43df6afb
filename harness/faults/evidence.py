"""What can be seen of a process from outside, whatever anybody remembers to have done to it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from harness.base import wait
from harness.base.errors import ClusterError
from harness.contracts import Ground
from harness.faults import mysql_servers
from harness.model import Node, Role
from harness.vitess.debug_vars import vars_of

CONNECT_WITHIN_S = 2.0
ANSWER_WITHIN_S = 2.0
STOPS_WITHIN_S = 1.0
PORTS: Mapping[Role, str] = {Role.ETCD: "client", Role.MYSQLD: "mysql"}  # of all others: "web"
PAGES: Mapping[Role, str] = {Role.ETCD: "/metrics"}  # of all others: /debug/vars
_STARTED = re.compile(r"^process_start_time_seconds (\S+)", re.MULTILINE)


async def variables(ground: Ground, node: Node) -> Mapping[str, Any]:
    """Its /debug/vars. Raises ClusterError when it does not answer, or with something else."""
    client = await ground.shared(vars_of)
    try:
        return await client.read(ground.cluster.address(node, "web"))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ClusterError(f"{node.name} does not tell its variables: {error!r}") from None


async def refuses(ground: Ground, node: Node) -> bool:
    """The kernel refuses connections: nobody listens there. To a process that only hangs they are made."""
    host, port = ground.cluster.address(node, PORTS.get(node.role, "web"))
    try:
        async with asyncio.timeout(CONNECT_WITHIN_S):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):
        return False
    writer.close()
    return False


async def hangs(ground: Ground, node: Node) -> bool:
    """The kernel accepts connections, and nobody says anything."""
    host, port = ground.cluster.address(node, PORTS.get(node.role, "web"))
    try:
        async with asyncio.timeout(CONNECT_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    with contextlib.closing(writer):
        if node.role is not Role.MYSQLD:  # which greets who connects
            writer.write(_request(PAGES.get(node.role, "/debug/vars"), host))
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await reader.read(1)
        except TimeoutError:
            return True
        except OSError:
            return False
    return False


async def stands_still(ground: Ground, node: Node) -> bool:
    """It hangs, or comes to it in a moment: the kernel has sent a SIGSTOP when kill(2) returns, and a program of many
    threads still answers until one of them has received it (signal(7); seen on a busy host)."""
    deadline_s = time.monotonic() + STOPS_WITHIN_S
    while not await hangs(ground, node):
        if time.monotonic() > deadline_s:
            return False
        await wait.hold(wait.POLL_S)
    return True


async def page(ground: Ground, node: Node, path: str) -> str:
    """A page of a node's web port (etcd: its client port); "" while it does not answer with 200."""
    host, port = ground.cluster.address(node, PORTS.get(node.role, "web"))
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, port, limit=1 << 24)
            with contextlib.closing(writer):
                writer.write(_request(path, host))
                answer = await reader.read(-1)
    except (OSError, TimeoutError):
        return ""
    head, _, body = answer.partition(b"\r\n\r\n")
    return body.decode(errors="replace") if b" 200" in head.split(b"\r\n")[0] else ""


async def busied(ground: Ground, node: Node) -> None:
    """Let it work for some tens of milliseconds: a process that rests is not held back."""
    if node.role is Role.MYSQLD:
        await asyncio.gather(*(_computed(ground, node) for _ in range(4)))
    else:
        await asyncio.gather(*(page(ground, node, PAGES.get(node.role, "/debug/vars")) for _ in range(24)))


async def started_s(ground: Ground, node: Node) -> float:
    """When its process began, in seconds of the wall clock; 0 = it does not say. MySQL tells whole seconds of its age,
    all others the kernel's stamp (Prometheus' process_start_time_seconds)."""
    if node.role is Role.MYSQLD:
        try:
            rows = await mysql_servers.ask(ground, node, "SHOW GLOBAL STATUS LIKE 'Uptime'")
        except ClusterError:
            return 0.0
        return time.time() - float(rows[0]["Value"])
    found = _STARTED.search(await page(ground, node, "/metrics"))
    return float(found.group(1)) if found else 0.0


async def _computed(ground: Ground, node: Node) -> None:
    with contextlib.suppress(ClusterError):
        await mysql_servers.ask(ground, node, "SELECT BENCHMARK(20000, SHA2('x', 512))")


def _request(path: str, host: str) -> bytes:
    return f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()
