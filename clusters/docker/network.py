"""The bridge network of a run: a subnet of its own, and how this process reaches what is in it."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import random
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from docker.types import IPAMConfig, IPAMPool

from clusters.docker.engine import Engine, Refused
from clusters.docker.labels import Marks
from harness.base.errors import ClusterError

# RFC 2544's benchmarking range: the half that the local backend leaves free.
RANGE = ipaddress.IPv4Network("198.18.0.0/16")
LARGEST = 1000  # a Linux bridge has 1024 ports
TRIES = 20
PROBE_TIMEOUT_S = 2.0
_PROBED_PORT = 9  # "discard": nobody listens in a box that has just been made
_ROUTES = Path("/proc/net/route")
_DRIVER = "bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One bridge network. The first address is the bridge's own."""

    name: str
    subnet: ipaddress.IPv4Network

    @property
    def gateway(self) -> str:
        return str(self.subnet[1])

    def address(self, index: int) -> str:
        return str(self.subnet[2 + index])


async def made(engine: Engine, marks: Marks, *, boxes: int) -> Network:
    """A network for so many addresses. Raises ClusterError when there is no room for it."""
    if boxes > LARGEST:
        raise ClusterError(f"a Docker network holds {LARGEST} addresses, this cluster would need {boxes}")
    refused: Refused | None = None
    for subnet in candidates(boxes, routed(), random.SystemRandom()):
        network = Network(name=f"vtchaos-{marks.run}", subnet=subnet)
        try:
            await engine.call("make a network", engine.api.create_network, **_asked(network, marks))
        except Refused as error:  # somebody else's network has these addresses
            if "overlap" not in str(error):
                raise
            refused = error
            continue
        return network
    raise ClusterError(f"no free subnet in {RANGE}: {refused or 'routes of this machine take all of it'}")


def candidates(
    boxes: int, taken: Iterable[ipaddress.IPv4Network], source: random.Random
) -> list[ipaddress.IPv4Network]:
    """Subnets to try, in a random order, so that runs that start together rarely meet."""
    prefix = 24 if boxes <= 250 else 22
    used = [network for network in taken if network.prefixlen]  # without the default route
    free = [subnet for subnet in RANGE.subnets(new_prefix=prefix) if not any(map(subnet.overlaps, used))]
    return source.sample(free, min(TRIES, len(free)))


def routed(table: Path = _ROUTES) -> list[ipaddress.IPv4Network]:
    """The networks that this machine routes (Linux; elsewhere the engine's networks are in a machine of their own)."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    return [ipaddress.IPv4Network(f"{_ipv4(row[1])}/{_ipv4(row[7])}", strict=False) for row in rows]


def _ipv4(hexadecimal: str) -> str:
    """Of /proc/net/route: an address as the machine has it in memory."""
    return socket.inet_ntoa(struct.pack("=I", int(hexadecimal, 16)))


def _asked(network: Network, marks: Marks) -> dict[str, Any]:
    pool = IPAMPool(subnet=str(network.subnet), gateway=network.gateway)
    return {
        "name": network.name,
        "driver": _DRIVER,
        "ipam": IPAMConfig(pool_configs=[pool]),
        "labels": marks.plain(),
        "check_duplicate": True,
    }


# ---------------------------------------------------------------- reaching it


def on_this_machine(network: Network) -> bool:
    """Whether the bridge is an interface of ours: then its addresses are not somebody else's by chance."""
    return any(row.address == network.gateway for rows in psutil.net_if_addrs().values() for row in rows)


async def reaches(address: str) -> bool:
    """Whether packets go to and fro: a port on which nobody listens refuses at once."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(address, _PROBED_PORT)
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False
    except OSError as error:
        return error.errno == errno.ECONNREFUSED
    writer.close()
    return True
