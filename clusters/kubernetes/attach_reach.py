"""How the ports of other people's pods are reached from here: their addresses, where this host has a way to them, else
port-forwards. That something answers at a pod's address does not say that it is the pod: networks overlap."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from clusters.common import answers
from clusters.kubernetes.api import Api
from clusters.kubernetes.discovery import Program
from harness.model import Role

Address = tuple[str, int]
UPTIME_DIFFERS_NS = 5_000_000_000
AT_ONCE = 8


class Reach:
    """Addresses of the programs' ports. Forwards last until the block of `opened` is left."""

    def __init__(self, api: Api, namespace: str, stack: contextlib.AsyncExitStack) -> None:
        self._api = api
        self._namespace = namespace
        self._stack = stack
        self._forwards: dict[tuple[str, int], Address] = {}
        self.direct = False

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, api: Api, namespace: str, programs: Iterable[Program]) -> AsyncIterator[Reach]:
        """Raises ApiError: ports may not be forwarded, and nothing else works."""
        async with contextlib.AsyncExitStack() as stack:
            reach = cls(api, namespace, stack)
            vtgate = next((each for each in programs if each.role is Role.VTGATE), None)
            reach.direct = vtgate is not None and await reach._is_direct(vtgate)
            yield reach

    async def address(self, pod: str, ip: str, port: int) -> Address:
        """Where a pod's port is for this host."""
        if self.direct:
            return ip, port
        if (pod, port) not in self._forwards:
            forward = self._api.port_forward(self._namespace, pod, port)
            self._forwards[pod, port] = await self._stack.enter_async_context(forward)
        return self._forwards[pod, port]

    async def of(self, program: Program, port: str) -> Address:
        return await self.address(program.pod, program.ip, program.ports[port])

    async def _is_direct(self, program: Program) -> bool:
        """The process behind the address is the one behind the port-forward: same command line, same age."""
        there = await answers.variables((program.ip, program.ports["web"]))
        if not there:
            return False
        async with self._api.port_forward(self._namespace, program.pod, program.ports["web"]) as forward:
            known = await answers.variables(forward)
        return _same_process(there, known)


def _same_process(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    age = abs(int(one.get("Uptime", 0)) - int(other.get("Uptime", 1 << 62)))
    return bool(one.get("cmdline")) and one.get("cmdline") == other.get("cmdline") and age < UPTIME_DIFFERS_NS


async def versions_of(reach: Reach, programs: Iterable[Program]) -> dict[tuple[str, str], str]:
    """(pod, container) → the release that the process itself tells; without those that do not answer."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(program: Program) -> tuple[tuple[str, str], str]:
        async with gate:
            return (program.pod, program.container), await _version(reach, program)

    found = await asyncio.gather(*(one(each) for each in programs))
    return {where: version for where, version in found if version}


async def clients_of(reach: Reach, programs: Iterable[Program]) -> int:
    """Connections that clients have to the vtgates now."""
    counts = [
        (await answers.variables(await reach.of(each, "web"))).get("MysqlServerConnCount", 0)
        for each in programs
        if each.role is Role.VTGATE
    ]
    return sum(int(count) for count in counts)


async def _version(reach: Reach, program: Program) -> str:
    match program.role:
        case Role.MYSQLD:
            return (await answers.greets(await reach.of(program, "mysql"))).partition("-")[0]
        case Role.ETCD:
            body = await answers.get(await reach.of(program, "client"), "/version") or b"{}"
            return str(json.loads(body).get("etcdserver", ""))
        case _:
            variables = await answers.variables(await reach.of(program, "web"))
            return str(variables.get("BuildVersion", "")).removeprefix("v").partition("-")[0]
