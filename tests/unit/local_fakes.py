"""What the tests of the local backend share: a plan of a cluster with made-up programs."""

from __future__ import annotations

from pathlib import Path

from clusters.common import layout
from clusters.common.commands import Programs
from clusters.common.layout import Layout
from clusters.flags import Binary
from clusters.software import EtcdInstall, MysqlInstall, VitessInstall
from harness.model import ClusterSpec, Event

_WORDS = (
    "topo_implementation topo_global_server_address topo_global_root logtostderr bind-address port grpc_port "
    "grpc_bind_address cell cells_to_watch tablet_types_to_wait service_map mysql_server_port "
    "mysql_server_bind_address mysql_auth_server_impl tablet-path tablet_hostname init_keyspace init_shard "
    "init_tablet_type mycnf-file enable_replication_reporter enable_buffer buffer_window"
)
OLD_FLAGS = frozenset(_WORDS.split())
NEW_FLAGS = frozenset(flag.replace("_", "-") for flag in OLD_FLAGS) | {"log-format"}


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.progress: list[str] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        self.progress.append(what)


def mysql_install(version: str = "9.7.4", *, semi_sync: bool = True) -> MysqlInstall:
    base = Path("/opt/mysql")
    return MysqlInstall(
        version=version,
        flavour="mysql",
        basedir=base,
        mysqld=base / "bin/mysqld",
        mysql=None,
        plugin_dir=base / "lib/plugin",
        messages_dir=base / "share",
        semi_sync=semi_sync,
        source="made up",
    )


def programs(*versions: str) -> Programs:
    """Old releases know underscores, those from 23 on dashes."""
    vitess: dict[str, VitessInstall] = {}
    binaries: dict[tuple[str, str], Binary] = {}
    for version in versions or ("24.0.3",):
        names = ("vtctld", "vttablet", "vtgate", "vtorc")
        paths = {name: Path(f"/opt/vitess-{version}/{name}") for name in names}
        vitess[version] = VitessInstall(version=version, programs=paths, source="made up")
        known = NEW_FLAGS if int(version.split(".")[0]) >= 23 else OLD_FLAGS
        binaries |= {(version, name): Binary(path=path, version=version, flags=known) for name, path in paths.items()}
    etcd = EtcdInstall(version="3.6.10", etcd=Path("/opt/etcd"), source="made up")
    return Programs(etcd=etcd, mysql=mysql_install(), vitess=vitess, binaries=binaries)


def plan(spec: ClusterSpec, folder: Path = Path("/run/x")) -> Layout:
    nodes = layout.nodes_of(spec, mysql="9.7.4", etcd="3.6.10")
    return Layout(
        spec=spec,
        hosts={node.name: "198.19.0.1" for node in nodes},
        nodes=nodes,
        ports=layout.fixed_ports(nodes),
        data=folder / "data",
        logs=folder / "logs",
    )
