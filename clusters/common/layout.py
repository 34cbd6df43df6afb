"""Where everything of one cluster is: nodes, hosts, ports, folders. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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

# Fixed ports in a network of its own, all below the range of outgoing connections (32768).
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The plan of one cluster, as its nodes see it."""

    spec: ClusterSpec
    nodes: tuple[Node, ...]
    hosts: Mapping[str, str]  # node name → where the other nodes reach it (an address or a name)
    bind: str = ""  # what the nodes listen on; "" = their own host
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
        return self.hosts[node.name], self.port(node, port)

    def listens_on(self, node: Node) -> str:
        return self.bind or self.hosts[node.name]

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
        for shard in keyspace.all_shards:
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
