"""The command line, folder and environment of every node. Flags are spelled by the binary's own `--help`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from clusters import flags
from clusters.common.layout import Layout, nodes_of, number_of
from clusters.common.mysqld import ADMIN_USER
from clusters.flags import Binary
from clusters.software.installs import EtcdInstall, MysqlInstall, VitessInstall
from harness.model import ClusterSpec, Node, Role

TOPO_ROOT = "/vitess/global"
VITESS_ROLES = (Role.VTCTLD, Role.VTTABLET, Role.VTORC, Role.VTGATE)

_TABLET_SERVICES = "grpc-queryservice,grpc-tabletmanager,grpc-updatestream,grpc-throttler"

# Flags that some supported releases do not have: left out there.
#   log-format   24: structured JSON on stderr is the default; text is for people (and for our log parsers)
#   logtostderr  up to 24: glog otherwise writes files into /tmp and only errors to stderr
#   cell         vtorc has it from 24 on
_IF_KNOWN = ("log-format", "logtostderr", "cell")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What a cluster is made of: found or installed, one Vitess per version named in the spec."""

    etcd: EtcdInstall
    mysql: MysqlInstall
    vitess: Mapping[str, VitessInstall]
    binaries: Mapping[tuple[str, str], Binary]  # (version as the spec names it, program)

    def binary(self, node: Node) -> Binary:
        return self.binaries[node.version, node.role.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is started for a node; paths are as the node sees them."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]


def startable(spec: ClusterSpec) -> tuple[Node, ...]:
    """Every node, in each of the releases that it may be started with."""
    nodes = nodes_of(spec)
    if not spec.upgrade_to:
        return nodes
    return (*nodes, *(replace(node, version=spec.upgrade_to) for node in nodes if node.role in VITESS_ROLES))


async def inspected(
    *, etcd: EtcdInstall, mysql: MysqlInstall, vitess: Mapping[str, VitessInstall], nodes: tuple[Node, ...]
) -> Programs:
    """Ask every Vitess binary that the nodes need for its flags."""
    wanted = sorted({(node.version, node.role.value) for node in nodes if node.role in VITESS_ROLES})
    binaries = {(version, name): await flags.inspect(vitess[version].programs[name]) for version, name in wanted}
    return Programs(etcd=etcd, mysql=mysql, vitess=vitess, binaries=binaries)


def command(layout: Layout, programs: Programs, node: Node) -> Command:
    """Raises UsageError for a flag of the spec that the node's binary does not know."""
    folder = layout.folder(node)
    match node.role:
        case Role.ETCD:
            return Command(argv=_etcd(layout, programs, node), cwd=folder, env=_environment(layout, folder))
        case Role.MYSQLD:
            argv = (str(programs.mysql.mysqld), f"--defaults-file={folder / 'my.cnf'}")
            return Command(argv=argv, cwd=folder / "data", env=_mysql_environment(layout, programs, folder))
        case Role.VTTABLET:  # in mysqld's folder, where the socket is
            env = {"VT_MYSQL_ROOT": str(programs.mysql.basedir), **_mysql_environment(layout, programs, folder)}
            return Command(argv=_vitess(layout, programs, node), cwd=folder / "data", env=env)
        case _:
            return Command(argv=_vitess(layout, programs, node), cwd=folder, env=_environment(layout, folder))


def at_ports_of(layout: Layout, command: Command, node: Node, other: Node) -> Command:
    """The same command line, listening where another node of its role does."""
    ends = {f"={number}": f"={layout.port(other, port)}" for port, number in layout.ports[node.name].items()}
    return replace(command, argv=tuple(_moved(word, ends) for word in command.argv))


def _moved(word: str, ends: Mapping[str, str]) -> str:
    flag, equals, value = word.partition("=")
    return f"{flag}{ends.get(equals + value, equals + value)}" if flag.endswith("port") else word


def upgraded(layout: Layout, programs: Programs) -> dict[str, Command]:
    """The command lines of the spec's second release, by node; {} when there is none. Raises UsageError."""
    if not layout.spec.upgrade_to:
        return {}
    nodes = [replace(node, version=layout.spec.upgrade_to) for node in layout.of(*VITESS_ROLES)]
    return {node.name: command(layout, programs, node) for node in nodes}


def wanted_flags(layout: Layout, node: Node) -> dict[str, str]:
    """A Vitess node's flags in dashed spelling: ours, then the spec's, which win."""
    spec = layout.spec
    address = layout.listens_on(node)
    etcd_host, etcd_port = layout.address(layout.node("etcd"), "client")
    common = {
        "topo-implementation": "etcd2",
        "topo-global-server-address": f"{etcd_host}:{etcd_port}",
        "topo-global-root": TOPO_ROOT,
        "log-format": "text",
        "logtostderr": "",
        "bind-address": address,
        "port": str(layout.port(node, "web")),
    }
    if node.role is not Role.VTORC:
        common |= {"grpc-port": str(layout.port(node, "grpc")), "grpc-bind-address": address}
    match node.role:
        case Role.VTCTLD:
            ours = {"cell": node.cell, "service-map": "grpc-vtctl,grpc-vtctld"}
        case Role.VTTABLET:
            ours = _vttablet(layout, node)
        case Role.VTGATE:
            ours = _vtgate(layout, node)
        case _:
            ours = {"cell": node.cell}
    return common | ours | flags_of_spec(spec, node)


def flags_of_spec(spec: ClusterSpec, node: Node) -> dict[str, str]:
    """What the spec wants of this node in particular; a vtgate's own flags win over those of all vtgates."""
    match node.role:
        case Role.VTCTLD:
            return dict(spec.vtctld_flags)
        case Role.VTTABLET:
            return dict(spec.vttablet_flags)
        case Role.VTGATE:
            return dict(spec.vtgate_flags) | dict(spec.vtgates[number_of(node) - 1].flags)
        case _:
            return {}


def _vttablet(layout: Layout, node: Node) -> dict[str, str]:
    return {
        **(_over_tcp(layout, node) if layout.spec.mysql_over_tcp else {}),
        "tablet-path": node.tablet_alias,
        "tablet-hostname": layout.hosts[node.name],
        "init-keyspace": node.keyspace,
        "init-shard": node.shard,
        "init-tablet-type": "replica",
        "service-map": _TABLET_SERVICES,
        "mycnf-file": str(layout.folder(node) / "my.cnf"),
        "enable-replication-reporter": "",
    }


def _over_tcp(layout: Layout, node: Node) -> dict[str, str]:
    """A vttablet that is told a host takes no socket from my.cnf (go/cmd/vttablet/cli/cli.go, v0.24.3). Vitess's own
    users may come from localhost only; ours has all their rights."""
    host, port = layout.address(layout.mysqld_of(node), "mysql")
    users = {f"db-{role}-user": ADMIN_USER for role in ("app", "appdebug", "allprivs", "dba", "filtered")}
    return {"db-host": host, "db-port": str(port), **users}


def _vtgate(layout: Layout, node: Node) -> dict[str, str]:
    return {
        "cell": node.cell,
        "cells-to-watch": node.cell,
        "tablet-types-to-wait": "PRIMARY,REPLICA" if _replicas_everywhere(layout.spec) else "PRIMARY",
        "service-map": "grpc-vtgateservice",
        "mysql-server-port": str(layout.port(node, "mysql")),
        "mysql-server-bind-address": layout.listens_on(node),
        "mysql-auth-server-impl": "none",
    }


def _replicas_everywhere(spec: ClusterSpec) -> bool:
    """vtgate waits for the tablet types in every shard of every keyspace."""
    return all(keyspace.tablets_per_shard > 1 for keyspace in spec.keyspaces)


def _vitess(layout: Layout, programs: Programs, node: Node) -> tuple[str, ...]:
    binary = programs.binary(node)
    wanted = wanted_flags(layout, node)
    if binary.knows("log-format"):
        wanted.pop("logtostderr")
    return (str(binary.path), *binary.arguments(wanted, if_known=_IF_KNOWN))


def _etcd(layout: Layout, programs: Programs, node: Node) -> tuple[str, ...]:
    """Without fsync: what etcd has written outlives its death, and the cluster is not to outlive the machine."""
    client = "http://{}:{}".format(*layout.address(node, "client"))
    peer = "http://{}:{}".format(*layout.address(node, "peer"))
    listens = f"http://{layout.listens_on(node)}"
    return (
        str(programs.etcd.etcd),
        "--name=etcd",
        f"--data-dir={layout.folder(node) / 'data'}",
        f"--listen-client-urls={listens}:{layout.port(node, 'client')}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={listens}:{layout.port(node, 'peer')}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=etcd={peer}",
        "--logger=zap",
        "--log-level=warn",
        *(("--unsafe-no-fsync",) if tuple(map(int, programs.etcd.version.split(".")[:2])) >= (3, 5) else ()),
    )


def _environment(layout: Layout, folder: Path) -> dict[str, str]:
    """Nothing of ours leaks in: the same cluster whoever starts it."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), "VTDATAROOT": str(layout.data)}


def _mysql_environment(layout: Layout, programs: Programs, folder: Path) -> dict[str, str]:
    """Debian's mysqld uses tcmalloc: what it needed only to start goes back to the kernel (20 MB, measured)."""
    env = {"TMPDIR": str(folder / "tmp"), "TCMALLOC_AGGRESSIVE_DECOMMIT": "1"}
    return {**_environment(layout, folder), **env, **programs.mysql.env}
