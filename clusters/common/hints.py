"""How a person reaches a kept cluster: addresses and command lines that can be pasted.

Of a cluster whose nodes are this host's own processes, the paths of its programs are named. Of one in boxes
(containers, pods) nothing is named that is only inside them, but the command line that leads there.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from clusters.common.cluster import NodesCluster
from clusters.common.mysqld import ADMIN_USER
from clusters.software import Sources, mysql_layout
from clusters.software.mysql_server import SERIES
from harness.base.errors import ClusterError
from harness.model import Node, Role

LOCALHOST = "127.0.0.1"


@runtime_checkable
class Boxes(Protocol):
    """What processes in boxes tell in addition to `clusters.common.processes.Processes`."""

    def enter(self, node: Node) -> tuple[str, ...]: ...  # what follows these words runs in the node's box
    def forward(self, node: Node, port: str) -> tuple[str, ...]: ...

    # ^ brings the port to the same number of 127.0.0.1 while it runs; () = `outside` lasts longer than this process


def connect_hints(cluster: NodesCluster, *, ours: bool = True) -> tuple[str, ...]:
    """Lines that tell a person how to reach the cluster, with programs that are there. Not `ours`: its mysqlds do
    not have our user."""
    mysql, vtctl = _installed(cluster) if isinstance(cluster.processes, Boxes) else _clients(cluster)
    parts = (
        *(_vtgate(cluster, node, mysql or "mysql") for node in cluster.nodes(Role.VTGATE)),
        *(_vtctld(cluster, node, vtctl) for node in cluster.nodes(Role.VTCTLD)),
        *(_vttablet(cluster, node) for node in cluster.nodes(Role.VTTABLET)[:1]),
        *(_mysqld(cluster, node, mysql or "mysql") for node in cluster.nodes(Role.MYSQLD)[: 1 if ours else 0]),
        *(_inside(cluster, node) for node in _one_of_each(cluster)),
    )
    rows = [row for lines in parts for row in _told(lines)]
    return (*rows, f"logs: {cluster.log_path(cluster.nodes()[0]).parent}")


def _told(lines: Iterator[str]) -> list[str]:
    """What can be told of a node; the reason where it has no address at the moment."""
    try:
        return list(lines)
    except ClusterError as error:
        return [str(error)]


def _vtgate(cluster: NodesCluster, node: Node, client: str) -> Iterator[str]:
    yield from _forwards(cluster, node, "mysql", "web")
    host, port = _address(cluster, node, "mysql")
    yield f"{node.name} ({node.version}): {client} -h {host} -P {port} {cluster.spec.keyspace}"
    yield f"{node.name}: {_url(cluster, node, '/debug/status')}"


def _vtctld(cluster: NodesCluster, node: Node, client: str) -> Iterator[str]:
    yield from _forwards(cluster, node, "grpc", "web")
    grpc = "{}:{}".format(*_address(cluster, node, "grpc"))
    if client:
        yield f"{node.name}: {client} --server {grpc} GetTablets"
    yield f"{node.name}: gRPC {grpc}, {_url(cluster, node, '/debug/status')}"


def _vttablet(cluster: NodesCluster, node: Node) -> Iterator[str]:
    yield from _forwards(cluster, node, "web")
    yield f"{node.name} ({node.tablet_alias}): {_url(cluster, node, '/debug/vars')}"


def _mysqld(cluster: NodesCluster, node: Node, client: str) -> Iterator[str]:
    yield from _forwards(cluster, node, "mysql")
    host, port = _address(cluster, node, "mysql")
    yield f"{node.name} itself: {client} -h {host} -P {port} -u {ADMIN_USER}"


def _inside(cluster: NodesCluster, node: Node) -> Iterator[str]:
    if isinstance(cluster.processes, Boxes):
        yield f"inside {node.name}: {shlex.join((*cluster.processes.enter(node), 'sh'))}"


def _one_of_each(cluster: NodesCluster) -> Iterator[Node]:
    """Of every kind of box."""
    for role in (Role.VTGATE, Role.VTTABLET, Role.MYSQLD):
        yield from cluster.nodes(role)[:1]


def _address(cluster: NodesCluster, node: Node, port: str) -> tuple[str, int]:
    if _forward(cluster, node, port):
        return LOCALHOST, cluster.layout.port(node, port)
    return cluster.address(node, port)


def _url(cluster: NodesCluster, node: Node, path: str) -> str:
    host, port = _address(cluster, node, "web")
    return f"http://{host}:{port}{path}"


def _forwards(cluster: NodesCluster, node: Node, *ports: str) -> list[str]:
    """What must run meanwhile for the addresses that follow."""
    words = dict.fromkeys(_forward(cluster, node, port) for port in ports)
    return [f"{node.name}, in a terminal of its own: {shlex.join(line)}" for line in words if line]


def _forward(cluster: NodesCluster, node: Node, port: str) -> tuple[str, ...]:
    return cluster.processes.forward(node, port) if isinstance(cluster.processes, Boxes) else ()


def _found() -> tuple[str, str]:
    """A mysql client and a vtctldclient of this host; "" for none."""
    return shutil.which("mysql") or "", shutil.which("vtctldclient") or ""


def _clients(cluster: NodesCluster) -> tuple[str, str]:
    """Those on PATH, else those beside the cluster's own programs.

    The client of an unpacked MySQL looks for its plugins in a folder that is not there, so it is told.
    """
    mysqld = next(Path(cluster.commands[node.name].argv[0]) for node in cluster.nodes(Role.MYSQLD))
    vtctld = Path(cluster.commands[cluster.nodes(Role.VTCTLD)[0].name].argv[0])
    return _or_beside(mysqld, vtctld)


def _installed(cluster: NodesCluster) -> tuple[str, str]:
    """Those on PATH, else those of the software that is installed on this host; it need not be what the boxes run."""
    kept = Sources.of_environment().store
    mysql = mysql_layout.installed(kept, SERIES)
    vtctld = kept.path(f"vitess-{cluster.spec.vitess.rpartition('/')[2]}") / "bin" / "vtctld"
    return _or_beside(mysql.mysqld if mysql else None, vtctld)


def _or_beside(mysqld: Path | None, vtctld: Path) -> tuple[str, str]:
    mysql, vtctl = _found()
    if not mysql and mysqld is not None:
        beside = mysqld.parent.parent / "bin" / "mysql"
        plugins = beside.parent.parent / "lib" / "mysql" / "plugin"
        if beside.is_file():
            mysql = f"{beside} --plugin-dir={plugins}" if plugins.is_dir() else str(beside)
    near = vtctld.with_name("vtctldclient")
    return mysql, vtctl or (str(near) if near.is_file() else "")
