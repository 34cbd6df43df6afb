"""A cluster that stands for as long as a block lasts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from clusters.local import commands, host, layout, supervision
from clusters.local.bringup import Bringup
from clusters.local.cluster import LocalCluster
from clusters.local.commands import Programs
from clusters.local.layout import Layout, Network
from harness.contracts import Observer
from harness.model import ClusterSpec, Role

SUPERVISOR_LOG = "supervisor.log"
DATA = "data"
END_TIMEOUT_S = 15.0
UNLINK_S = 5.0  # a data directory that was written back to a slow disk


def planned(spec: ClusterSpec, programs: Programs, isolation: host.Isolation, *, folder: Path, logs: Path) -> Layout:
    """Nodes, addresses, ports and folders. Raises ClusterError when nothing is free."""
    nodes = layout.nodes_of(spec, mysql=programs.mysql.version, etcd=programs.etcd.version)
    if isolation.own_network:
        network, ports = layout.free_network(), layout.fixed_ports(nodes)
    else:
        network, ports = Network(cluster=host.LOOPBACK), layout.free_ports(nodes, host.LOOPBACK)
    return Layout(
        spec=spec, network=network, nodes=nodes, ports=ports, data=(folder / DATA).absolute(), logs=logs.absolute()
    )


def supervisor_config(plan: Layout, isolation: host.Isolation, *, in_memory: bool) -> dict[str, object]:
    """Data in memory costs what the page cache would hold anyway, and is gone at once: unlinking 64 data
    directories that ext4 has written back took over a minute."""
    return supervision.config(
        isolation=isolation.kind,
        uid=host.owner(),
        link=plan.network.link,
        host_address=plan.network.host,
        cluster_address=plan.network.cluster,
        memory=plan.data if in_memory else None,
        remove=(plan.data,),
    )


def assembled(
    plan: Layout,
    programs: Programs,
    isolation: host.Isolation,
    supervisor: supervision.Supervisor,
    observer: Observer,
) -> LocalCluster:
    """The cluster's nodes with their command lines; nothing is started. Raises UsageError for an unknown flag."""
    return LocalCluster(
        plan,
        {node.name: commands.command(plan, programs, node) for node in plan.nodes},
        supervisor,
        observer,
        kernel_cleanup=isolation.kernel_cleanup,
    )


@contextlib.asynccontextmanager
async def stood_up(
    spec: ClusterSpec,
    programs: Programs,
    *,
    templates: Mapping[str, Path],
    folder: Path,
    logs: Path,
    isolation: host.Isolation,
    in_memory: bool,
    observer: Observer,
) -> AsyncIterator[LocalCluster]:
    """Serving on entry; on exit every process is gone, and the data folder; the logs stay."""
    plan = planned(spec, programs, isolation, folder=folder, logs=logs)
    logs.mkdir(parents=True, exist_ok=True)
    plan.data.mkdir(parents=True)
    config = supervisor_config(plan, isolation, in_memory=in_memory)
    end_timeout_s = END_TIMEOUT_S if in_memory else END_TIMEOUT_S + UNLINK_S * len(plan.of(Role.MYSQLD))
    async with supervision.owned(config, log=logs / SUPERVISOR_LOG, end_timeout_s=end_timeout_s) as supervisor:
        cluster = assembled(plan, programs, isolation, supervisor, observer)
        await Bringup(cluster, programs, observer, templates=templates).run()
        yield cluster
