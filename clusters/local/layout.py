"""Where everything of one local cluster is: nodes, ports, folders. Pure, but for the search for free ports."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from harness.base.errors import ClusterError
from harness.model import ClusterSpec, Node, Role

FIRST_TABLET_UID = 100
ROLE_PORTS: Mapping[Role, tuple[str, ...]] = {
    Role.ETCD: ("client", "peer"),
    Role.VTCTLD: ("web", "grpc"),
    Role.VTORC: ("web",),
    Role.MYSQLD: ("mysql",),
    Role.VTTABLET: ("web", "grpc"),
    Role.VTGATE: ("web", "grpc", "mysql"),
}

# Fixed ports in a network namespace of its own, all below the range of outgoing connections (32768).
_FIXED = {
    (Role.ETCD, "client"): 2379,
    (Role.ETCD, "peer"): 2380,
    (Role.VTCTLD, "web"): 15000,
    (Role.VTCTLD, "grpc"): 15999,
    (Role.VTORC, "web"): 16000,
    (Role.VTGATE, "web"): 15000,  # + number of the vtgate
    (Role.VTGATE, "grpc"): 15150,
    (Role.VTGATE, "mysql"): 15305,
    (Role.VTTABLET, "web"): 17000,  # + tablet uid
    (Role.VTTABLET, "grpc"): 22000,
    (Role.MYSQLD, "mysql"): 27000,
}

# RFC 2544's benchmarking range; its upper half, because some proxies hand out the lower one.
_NETWORK = ipaddress.ip_network("198.19.0.0/16")
_SCAN_PORTS = range(20000, 32768)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Address of the cluster and, with a network namespace of its own, the host's end of the veth pair."""

    cluster: str
    host: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The plan of one cluster on this host."""

    spec: ClusterSpec
    network: Network
    nodes: tuple[Node, ...]
    ports: Mapping[str, Mapping[str, int]]  # node name → port name → number
    data: Path
    logs: Path

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def of(self, *roles: Role) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.role in roles)

    def port(self, node: Node, port: str) -> int:
        """Raises ClusterError for a port that the node does not have."""
        try:
            return self.ports[node.name][port]
        except KeyError:
            has = ", ".join(self.ports.get(node.name, {})) or "none"
            raise ClusterError(f"{node.name} has no port {port!r}; it has: {has}") from None

    def address(self, node: Node, port: str) -> tuple[str, int]:
        return self.network.cluster, self.port(node, port)

    def folder(self, node: Node) -> Path:
        """The node's data; a tablet's mysqld and vttablet share one."""
        return self.data / (f"vt_{node.tablet_uid:010d}" if node.tablet_uid else node.name)

    def log(self, node: Node) -> Path:
        return self.logs / f"{node.name}.log"

    def mysqld_of(self, vttablet: Node) -> Node:
        return self.node(f"mysqld-{vttablet.tablet_uid}")


def nodes_of(spec: ClusterSpec, *, mysql: str = "", etcd: str = "") -> tuple[Node, ...]:
    """All nodes in start order; versions of Vitess come from the spec."""
    cell = spec.cell
    nodes = [
        Node(name="etcd", role=Role.ETCD, version=etcd, cell=cell),
        Node(name="vtctld", role=Role.VTCTLD, version=spec.vitess, cell=cell),
    ]
    for uid, keyspace, shard in tablets(spec):
        tablet = partial(Node, cell=cell, keyspace=keyspace, shard=shard, tablet_uid=uid)
        nodes.append(tablet(name=f"mysqld-{uid}", role=Role.MYSQLD, version=mysql))
        nodes.append(tablet(name=f"vttablet-{uid}", role=Role.VTTABLET, version=spec.vitess))
    if spec.vtorc:
        nodes.append(Node(name="vtorc", role=Role.VTORC, version=spec.vitess, cell=cell))
    vtgates = (
        Node(name=f"vtgate-{index + 1}", role=Role.VTGATE, version=spec.vtgate_version(index), cell=cell)
        for index in range(len(spec.vtgates))
    )
    return (*nodes, *vtgates)


def tablets(spec: ClusterSpec) -> Iterator[tuple[int, str, str]]:
    """(uid, keyspace, shard) of every tablet: a shard's tablets have consecutive uids, 100 is the first, and one
    keyspace's follow those of the other."""
    uid = FIRST_TABLET_UID
    for keyspace in spec.keyspaces:
        for shard in keyspace.shard_names:
            for _ in range(keyspace.tablets_per_shard):
                yield uid, keyspace.name, shard
                uid += 1


def number_of(node: Node) -> int:
    """What tells nodes of one role apart: the tablet's uid or the vtgate's number; 0 for a single one."""
    if node.tablet_uid:
        return node.tablet_uid
    return int(node.name.rsplit("-", 1)[1]) if node.role is Role.VTGATE else 0


def fixed_ports(nodes: tuple[Node, ...]) -> dict[str, dict[str, int]]:
    """The same ports in every cluster: each has a network namespace of its own."""
    return {
        node.name: {port: _FIXED[node.role, port] + number_of(node) for port in ROLE_PORTS[node.role]} for node in nodes
    }


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
