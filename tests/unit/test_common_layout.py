"""Names, ports and addresses of a local cluster."""

from __future__ import annotations

import pytest

from clusters.common import commands, layout
from clusters.local import network
from harness.base.errors import ClusterError
from harness.model import ClusterSpec, KeyspaceSpec, Role, VtgateSpec
from tests.unit.local_fakes import plan

LARGEST = ClusterSpec(shards=256, tablets_per_shard=3, vtorc=True, vtgates=tuple(VtgateSpec() for _ in range(16)))


def test_nodes_have_the_names_of_the_model() -> None:
    spec = ClusterSpec(shards=2, tablets_per_shard=2, vtorc=True, vtgates=(VtgateSpec(), VtgateSpec(version="21.0.2")))
    nodes = layout.nodes_of(spec)
    assert [node.name for node in nodes] == [
        "etcd",
        "vtctld",
        *("mysqld-100", "vttablet-100", "mysqld-101", "vttablet-101"),
        *("mysqld-102", "vttablet-102", "mysqld-103", "vttablet-103"),
        "vtorc",
        "vtgate-1",
        "vtgate-2",
    ]
    assert [node.shard for node in nodes if node.role is Role.VTTABLET] == ["-80", "-80", "80-", "80-"]
    assert [node.version for node in nodes if node.role is Role.VTGATE] == ["24.0.3", "21.0.2"]
    assert nodes[3].tablet_alias == "zone1-0000000100"


def test_shards_that_do_not_serve_have_tablets_after_those_that_do() -> None:
    spec = ClusterSpec(shards=2, further_shards=("-40", "40-80"), tablets_per_shard=1)
    shards = [node.shard for node in layout.nodes_of(spec) if node.role is Role.VTTABLET]
    assert shards == ["-80", "80-", "-40", "40-80"]


def test_further_keyspaces_have_tablets_of_their_own() -> None:
    others = (KeyspaceSpec(name="target", shards=2, tablets_per_shard=1), KeyspaceSpec(name="lookup"))
    spec = ClusterSpec(shards=1, tablets_per_shard=2, others=others)
    vttablets = [node for node in layout.nodes_of(spec) if node.role is Role.VTTABLET]
    assert [(node.tablet_uid, node.keyspace, node.shard) for node in vttablets] == [
        (100, "ks", "0"),
        (101, "ks", "0"),
        (102, "target", "-80"),
        (103, "target", "80-"),
        (104, "lookup", "0"),
        (105, "lookup", "0"),
    ]
    flags = commands.wanted_flags(plan(spec), vttablets[3])
    assert (flags["init-keyspace"], flags["init-shard"]) == ("target", "80-")


@pytest.mark.parametrize(("tablets", "types"), [(1, "PRIMARY"), (2, "PRIMARY,REPLICA")])
def test_vtgate_waits_for_replicas_only_where_every_shard_has_one(tablets: int, types: str) -> None:
    other = KeyspaceSpec(name="target", tablets_per_shard=tablets)
    here = plan(ClusterSpec(shards=2, tablets_per_shard=2, others=(other,)))
    assert commands.wanted_flags(here, here.node("vtgate-1"))["tablet-types-to-wait"] == types


def test_fixed_ports_of_the_largest_cluster_are_distinct_and_never_taken_by_outgoing_connections() -> None:
    ports = [port for row in layout.fixed_ports(layout.nodes_of(LARGEST)).values() for port in row.values()]
    assert len(set(ports)) == len(ports)
    assert max(ports) < 32768


def test_a_tablets_two_processes_share_a_folder() -> None:
    here = plan(ClusterSpec(shards=1))
    vttablet = here.node("vttablet-100")
    assert here.mysqld_of(vttablet).name == "mysqld-100"
    assert here.folder(vttablet) == here.folder(here.node("mysqld-100"))
    assert here.folder(here.node("etcd")) == here.data / "etcd"


def test_unknown_port_says_which_there_are() -> None:
    here = plan(ClusterSpec(shards=1))
    assert here.address(here.node("vtgate-1"), "mysql") == ("198.19.0.1", 15306)
    with pytest.raises(ClusterError, match="etcd has no port 'mysql'; it has: client, peer"):
        here.address(here.node("etcd"), "mysql")


def test_free_network_is_a_pair_of_neighbours_in_the_benchmarking_range() -> None:
    link = network.free_network()
    host, cluster = (int(part) for part in (link.host.split(".")[3], link.cluster.split(".")[3]))
    assert link.cluster.startswith("198.19.")
    assert (host % 2, cluster) == (0, host + 1)
    assert len(link.link) <= 15
