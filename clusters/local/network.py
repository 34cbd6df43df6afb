"""The addresses and ports of a local cluster: a pair of a network of its own, or what is free on the host."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from clusters.common.layout import ROLE_PORTS
from harness.base.errors import ClusterError
from harness.model import Node

# RFC 2544's benchmarking range; its upper half, because some proxies hand out the lower one.
_NETWORK = ipaddress.ip_network("198.19.0.0/16")
_SCAN_PORTS = range(20000, 32768)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Address of the cluster and, with a network namespace of its own, the host's end of the veth pair."""

    cluster: str
    host: str = ""
    link: str = ""


def free_ports(nodes: tuple[Node, ...], address: str) -> dict[str, dict[str, int]]:
    """Ports that nobody listens on, for a cluster in the host's own network. Raises ClusterError."""
    candidates = _free(address)
    try:
        return {node.name: {port: next(candidates) for port in ROLE_PORTS[node.role]} for node in nodes}
    except StopIteration:
        raise ClusterError(f"not enough free ports on {address} between 20000 and 32767") from None


def _free(address: str) -> Iterator[int]:
    start = random.SystemRandom().randrange(len(_SCAN_PORTS))  # clusters that start together rarely meet
    for step in range(len(_SCAN_PORTS)):
        port = _SCAN_PORTS[(start + step) % len(_SCAN_PORTS)]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
        yield port


def free_network() -> Network:
    """Two neighbouring addresses that no interface of this host has."""
    used = {row.address for rows in psutil.net_if_addrs().values() for row in rows}
    source = random.SystemRandom()
    for _ in range(1000):
        index = source.randrange(_NETWORK.num_addresses // 2)
        host, cluster = str(_NETWORK[2 * index]), str(_NETWORK[2 * index + 1])
        if host not in used and cluster not in used:
            return Network(cluster=cluster, host=host, link=f"vtc{index:x}")
    raise ClusterError(f"no free pair of addresses in {_NETWORK}")
