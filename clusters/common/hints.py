"""How a person reaches a kept cluster: addresses and command lines that can be pasted.

Of a cluster whose nodes are this host's own processes, the paths of its programs are named. Of one in boxes
(containers, pods) nothing is named that is only inside them, but the command line that leads there.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Protocol, runtime_checkable

from clusters.common.cluster import NodesCluster
from clusters.common.mysqld import ADMIN_USER
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
    boxes = cluster.processes if isinstance(cluster.processes, Boxes) else None
    mysql_client, vtctl_client = _found() if boxes else _clients(cluster)
    rows = []
    for vtgate in cluster.nodes(Role.VTGATE):
        rows += _forwards(cluster, vtgate, "mysql", "web")
        mysql = _address(cluster, vtgate, "mysql")
        rows.append(
            f"{vtgate.name} ({vtgate.version}): {mysql_client or 'mysql'} -h {mysql[0]} -P {mysql[1]} "
            f"{cluster.spec.keyspace}"
        )
        rows.append(f"{vtgate.name}: {_url(cluster, vtgate, '/debug/status')}")
    for vtctld in cluster.nodes(Role.VTCTLD):
        rows += _forwards(cluster, vtctld, "grpc", "web")
        grpc = "{}:{}".format(*_address(cluster, vtctld, "grpc"))
        if vtctl_client:
            rows.append(f"vtctld: {vtctl_client} --server {grpc} GetTablets")
        rows.append(f"vtctld: gRPC {grpc}, {_url(cluster, vtctld, '/debug/status')}")
    for vttablet in cluster.nodes(Role.VTTABLET)[:1]:
        rows += _forwards(cluster, vttablet, "web")
        rows.append(f"{vttablet.name} ({vttablet.tablet_alias}): {_url(cluster, vttablet, '/debug/vars')}")
    for mysqld in cluster.nodes(Role.MYSQLD)[: 1 if ours else 0]:
        rows += _forwards(cluster, mysqld, "mysql")
        host, port = _address(cluster, mysqld, "mysql")
        rows.append(f"{mysqld.name} itself: {mysql_client or 'mysql'} -h {host} -P {port} -u {ADMIN_USER}")
    rows += _inside(cluster)
    rows.append(f"logs: {cluster.log_path(cluster.nodes()[0]).parent}")
    return tuple(rows)


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


def _inside(cluster: NodesCluster) -> list[str]:
    """One node of every kind of box."""
    if not isinstance(cluster.processes, Boxes):
        return []
    nodes = [cluster.nodes(role)[:1] for role in (Role.VTGATE, Role.VTTABLET, Role.MYSQLD)]
    return [
        f"inside {node.name}: {shlex.join((*cluster.processes.enter(node), 'sh'))}" for (node,) in filter(None, nodes)
    ]


def _found() -> tuple[str, str]:
    """A mysql client and a vtctldclient of this host; "" for none."""
    return shutil.which("mysql") or "", shutil.which("vtctldclient") or ""


def _clients(cluster: NodesCluster) -> tuple[str, str]:
    """Those on PATH, else those beside the cluster's own programs.

    The client of an unpacked MySQL looks for its plugins in a folder that is not there, so it is told.
    """
    mysql, vtctl = _found()
    mysqld = next(Path(cluster.commands[node.name].argv[0]) for node in cluster.nodes(Role.MYSQLD))
    beside = mysqld.parent.parent / "bin" / "mysql"
    if not mysql and beside.is_file():
        plugins = beside.parent.parent / "lib" / "mysql" / "plugin"
        mysql = f"{beside} --plugin-dir={plugins}" if plugins.is_dir() else str(beside)
    vtctld = Path(cluster.commands[cluster.nodes(Role.VTCTLD)[0].name].argv[0])
    near = vtctld.with_name("vtctldclient")
    return mysql, vtctl or (str(near) if near.is_file() else "")
