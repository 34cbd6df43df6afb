"""A cluster that stands for as long as a block lasts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from clusters.common import commands, layout
from clusters.common.bringup import Bringup
from clusters.common.cluster import NodesCluster
from clusters.common.commands import Programs
from clusters.common.layout import Layout
from clusters.local import host, links, network, supervision
from clusters.local.links import Means
from clusters.local.network import Network
from clusters.local.processes import SupervisedProcesses
from harness.contracts import Observer
from harness.model import ClusterSpec, Role

SUPERVISOR_LOG = "supervisor.log"
DATA = "data"
END_TIMEOUT_S = 15.0
UNLINK_S = 5.0  # a data directory that was written back to a slow disk


def planned(
    spec: ClusterSpec, programs: Programs, isolation: host.Isolation, *, folder: Path, logs: Path
) -> tuple[Layout, Network]:
    """Nodes, addresses, ports and folders. Raises ClusterError when nothing is free."""
    nodes = layout.nodes_of(spec, mysql=programs.mysql.version, etcd=programs.etcd.version)
    if isolation.own_network:
        link, ports = network.free_network(), layout.fixed_ports(nodes)
    else:
        link, ports = Network(cluster=host.LOOPBACK), network.free_ports(nodes, host.LOOPBACK)
    hosts = {node.name: link.cluster for node in nodes}
    data, logs = (folder / DATA).absolute(), logs.absolute()
    return Layout(spec=spec, hosts=hosts, nodes=nodes, ports=ports, data=data, logs=logs), link


def supervisor_config(
    plan: Layout, link: Network, isolation: host.Isolation, *, in_memory: bool, links: Means, run: str
) -> dict[str, object]:
    """Data in memory costs what the page cache would hold anyway, and is gone at once: unlinking 64 data
    directories that ext4 has written back took over a minute."""
    return supervision.config(
        isolation=isolation.kind,
        uid=host.owner(),
        link=link.link,
        host_address=link.host,
        cluster_address=link.cluster,
        memory=plan.data if in_memory else None,
        remove=(plan.data,),
        links=links,
        run=run,
    )


def assembled(
    plan: Layout,
    programs: Programs,
    isolation: host.Isolation,
    supervisor: supervision.Supervisor,
    observer: Observer,
    *,
    templates: Mapping[str, Path],
) -> NodesCluster:
    """The cluster's nodes with their command lines; nothing is started. Raises UsageError for an unknown flag."""
    processes = SupervisedProcesses(plan, supervisor, kernel_cleanup=isolation.kernel_cleanup, templates=templates)
    return NodesCluster(
        plan,
        {node.name: commands.command(plan, programs, node) for node in plan.nodes},
        processes,
        observer,
        upgraded=commands.upgraded(plan, programs),
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
    run: str = "",
) -> AsyncIterator[NodesCluster]:
    """Serving on entry; on exit every process is gone, and the data folder; the logs stay."""
    plan, link = planned(spec, programs, isolation, folder=folder, logs=logs)
    cutting = await links.means(plan, isolation, observer)
    logs.mkdir(parents=True, exist_ok=True)
    plan.data.mkdir(parents=True)
    config = supervisor_config(plan, link, isolation, in_memory=in_memory, links=cutting, run=run)
    end_timeout_s = END_TIMEOUT_S if in_memory else END_TIMEOUT_S + UNLINK_S * len(plan.of(Role.MYSQLD))
    async with supervision.owned(config, log=logs / SUPERVISOR_LOG, end_timeout_s=end_timeout_s) as supervisor:
        cluster = assembled(plan, programs, isolation, supervisor, observer, templates=templates)
        await Bringup(cluster, programs, observer).run()
        yield cluster
