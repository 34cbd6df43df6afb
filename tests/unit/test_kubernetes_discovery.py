"""Vitess found in other people's pods: by vitess-operator's labels, by the commands of a Vitess deployed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clusters.kubernetes import discovery
from clusters.kubernetes.discovery import Owner, programs, shard_name
from clusters.kubernetes.discovery_commands import flags_of, program_of
from clusters.kubernetes.discovery_layout import Found, assembled, behaviour
from clusters.kubernetes.discovery_topology import KeyspaceFacts, TabletFacts, Topology
from harness.base.errors import PlanError
from harness.model import Role

LOGS = Path("/logs")


def pod(
    name: str,
    ip: str,
    *containers: dict[str, Any],
    labels: dict[str, str] | None = None,
    owner: tuple[str, str] = ("", ""),
    phase: str = "Running",
    deleted: bool = False,
    **spec: Any,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "vitess", "uid": f"uid-{name}", "labels": labels or {}}
    if owner[0]:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    status = {"phase": phase, "podIP": ip}
    return {"metadata": metadata, "spec": {"containers": list(containers), **spec}, "status": status}


def container(name: str, *command: str, args: tuple[str, ...] = (), image: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": image, "command": list(command), "args": list(args), **more}


POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def operator_tablet(uid: int, ip: str, shard: str) -> dict[str, Any]:
    """As pkg/operator/vttablet/pod.go and flags.go of vitess-operator make it."""
    labels = {
        discovery.COMPONENT: "vttablet",
        discovery.CLUSTER: "example",
        discovery.CELL: "zone1",
        discovery.KEYSPACE: "shop",
        discovery.SHARD: shard,
        discovery.TABLET_UID: str(uid),
        discovery.TABLET_TYPE: "replica",
    }
    ports = [{"name": "web", "containerPort": 15000}, {"name": "grpc", "containerPort": 15999}]
    return pod(
        f"example-vttablet-zone1-{uid:010d}-aabbccdd",
        ip,
        container(
            "vttablet",
            "/vt/bin/vttablet",
            args=(
                "--grpc_port=15999",
                "--health_check_interval=5s",
                "--init_keyspace=shop",
                "--logtostderr=true",
                "--port=15000",
                f"--tablet-path=zone1-{uid:010d}",
                "--tablet_hostname=$(POD_IP)",
            ),
            image="vitess/lite:v24.0.3-mysql84",
            ports=ports,
            env=[POD_IP],
        ),
        container(
            "mysqld",
            "/vt/bin/mysqlctld",
            args=(f"--tablet_uid={uid}",),
            image="vitess/lite:v24.0.3-mysql84",
            ports=[{"name": "mysql", "containerPort": 3306}],
        ),
        container("mysqld-exporter", "/bin/mysqld_exporter", image="prom/mysqld-exporter:v0.18.0"),
        labels=labels,
        owner=("VitessShard", "example-shop-x-80"),
    )


def operator_part(name: str, ip: str, *args: str, component: str) -> dict[str, Any]:
    labels = {discovery.COMPONENT: component, discovery.CLUSTER: "example", discovery.CELL: "zone1"}
    ports = [
        {"name": "web", "containerPort": 15000},
        {"name": "grpc", "containerPort": 15999},
        {"name": "mysql", "containerPort": 3306},
    ]
    made = container(component, f"/vt/bin/{component}", args=args, image="vitess/lite:v24.0.3", ports=ports)
    return pod(name, ip, made, labels=labels, owner=("ReplicaSet", name.rpartition("-")[0]))


def operator_pods() -> list[dict[str, Any]]:
    etcd = container("etcd", "/usr/local/bin/etcd", args=("--listen-client-urls=http://0.0.0.0:2379",))
    etcd_labels = {discovery.COMPONENT: "etcd", discovery.CLUSTER: "example"}
    backup = container("vtbackup", "/vt/bin/vtbackup")
    return [
        operator_part("example-zone1-vtgate-bc6cde92-x1", "10.1.0.2", "--enable_buffer=true", component="vtgate"),
        operator_part("example-zone1-vtctld-1d4dcad0-x1", "10.1.0.3", component="vtctld"),
        operator_part("example-shop-x-80-zone1-vtorc-1-x1", "10.1.0.4", component="vtorc"),
        *(pod(f"example-etcd-{n}", f"10.1.0.{10 + n}", etcd, labels=etcd_labels) for n in (1, 2, 3)),
        operator_tablet(2469782763, "10.1.0.20", "x-80"),
        operator_tablet(2548885007, "10.1.0.21", "x-80"),
        operator_tablet(1504399632, "10.1.0.22", "80-x"),
        operator_tablet(3036905466, "10.1.0.23", "80-x"),
        pod(
            "example-shop-x-80-vtbackup-init",
            "10.1.0.30",
            backup,
            container("mysqld", "/vt/bin/mysqlctld"),
            labels={discovery.COMPONENT: "vtbackup", discovery.CLUSTER: "example"},
        ),
        pod("postgres-0", "10.1.0.40", container("postgres", "postgres")),
    ]


def record(alias: str, shard: str, hostname: str, *, type_: str = "replica", ports: bool = True) -> TabletFacts:
    return TabletFacts(
        alias=alias,
        keyspace="shop",
        shard=shard,
        type=type_,
        hostname=hostname,
        mysql_hostname=hostname,
        mysql_port=3306,
        ports={"vt": 15000, "grpc": 15999} if ports else {},
    )


SHOP = KeyspaceFacts(
    name="shop", durability_policy="semi_sync", shards=("-80", "80-"), vschema='{"sharded": true, "tables": {"t": {}}}'
)
TABLETS = (
    record("zone1-1504399632", "80-", "10.1.0.22", type_="primary"),
    record("zone1-2469782763", "-80", "10.1.0.20"),
    record("zone1-2548885007", "-80", "10.1.0.21", type_="primary"),
    record("zone1-3036905466", "80-", "10.1.0.23"),
)
TOPOLOGY = Topology(keyspaces=(SHOP,), tablets=TABLETS)


def found(pods: list[dict[str, Any]] | None = None, topology: Topology = TOPOLOGY, keyspace: str = "") -> Found:
    return assembled(programs(pods or operator_pods()), topology, keyspace=keyspace, versions={}, logs=LOGS)


# ---------------------------------------------------------------- the operator's


def test_the_operators_pods_become_nodes_with_the_usual_names() -> None:
    layout = found().layout
    assert [node.name for node in layout.nodes] == [
        "etcd",
        "etcd-2",
        "etcd-3",
        "vtctld",
        "mysqld-2469782763",
        "vttablet-2469782763",
        "mysqld-2548885007",
        "vttablet-2548885007",
        "mysqld-1504399632",
        "vttablet-1504399632",
        "mysqld-3036905466",
        "vttablet-3036905466",
        "vtorc",
        "vtgate-1",
    ]
    vttablet = layout.node("vttablet-1504399632")
    assert (vttablet.shard, vttablet.cell, vttablet.tablet_alias) == ("80-", "zone1", "zone1-1504399632")
    assert layout.address(vttablet, "web") == ("10.1.0.22", 15000)
    assert layout.address(layout.node("mysqld-1504399632"), "mysql") == ("10.1.0.22", 3306)
    assert layout.address(layout.node("vtgate-1"), "mysql") == ("10.1.0.2", 3306)
    assert layout.address(layout.node("etcd-2"), "client") == ("10.1.0.12", 2379)


def test_the_spec_says_what_the_topology_and_the_command_lines_say() -> None:
    spec = found().layout.spec
    assert (spec.keyspace, spec.shards, spec.shard_names) == ("shop", 2, ("-80", "80-"))
    assert spec.tablets_per_shard == 2
    assert spec.durability_policy == "semi_sync"
    assert spec.vitess == "24.0.3"
    assert spec.vtorc
    assert spec.vtgate_flags == {"enable-buffer": ""}  # as the experiments spell it
    assert spec.vttablet_flags["health-check-interval"] == "5s"
    assert "tablet-path" not in spec.vttablet_flags


def test_pods_of_another_vitess_cluster_are_left_out() -> None:
    other = operator_part("other-zone1-vtgate-1-x1", "10.1.9.9", component="vtgate")
    other["metadata"]["labels"][discovery.CLUSTER] = "other"
    pods = [*operator_pods(), other]
    assert discovery.clusters(pods) == ("example", "other")
    assert {each.ip for each in programs(pods, cluster="other")} == {"10.1.9.9"}
    assert "10.1.9.9" not in {each.ip for each in programs(pods, cluster="example")}


@pytest.mark.parametrize(("label", "name"), [("x-80", "-80"), ("80-x", "80-"), ("40-80", "40-80"), ("x-x", "-")])
def test_a_shards_label(label: str, name: str) -> None:
    assert shard_name(label) == name


def test_who_makes_a_pod_again_is_known() -> None:
    by_pod = {each.pod: each.owner for each in programs(operator_pods())}
    assert by_pod["example-vttablet-zone1-2469782763-aabbccdd"] == Owner(kind="VitessShard", name="example-shop-x-80")
    assert by_pod["example-etcd-1"] == Owner()


def test_pods_that_end_or_do_not_run_are_none() -> None:
    pods = operator_pods()
    pods[0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    pods[1]["status"]["phase"] = "Pending"
    roles = {each.role for each in programs(pods)}
    assert Role.VTGATE not in roles
    assert Role.VTCTLD not in roles
    assert not any(each.container == "vtbackup" or "vtbackup" in each.pod for each in programs(pods))


# ---------------------------------------------------------------- deployed by hand


SCRIPT = """
set -e
until nc -z vtctld 15999; do sleep 1; done
mkdir -p /vt/vtdataroot
exec env VTROOT=/vt \\
  /vt/bin/vttablet --tablet-path zone1-0000000100 --tablet-hostname ${HOSTNAME_OF_IT}.tablets \\
  --port 15100 --grpc-port=16100 --init-keyspace=shop --enable_replication_reporter
"""


def by_hand() -> list[dict[str, Any]]:
    name = {"name": "HOSTNAME_OF_IT", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return [
        pod("gate-7d9f-abcde", "10.2.0.2", container("app", "vtgate", "--mysql_server_port=15306", "--port", "15001")),
        pod("control-0", "10.2.0.3", container("app", args=("/vt/bin/vtctld", "--port=15000", "--grpc_port=15999"))),
        pod("t-0", "10.2.0.20", container("main", "sh", "-c", SCRIPT, env=[name]), owner=("StatefulSet", "t")),
        pod("t-1", "10.2.0.21", container("vttablet", image="my/vttablet:v21.0.2"), owner=("StatefulSet", "t")),
    ]


HAND_TABLETS = (
    TabletFacts(
        alias="zone1-0000000100",
        keyspace="shop",
        shard="0",
        type="primary",
        hostname="t-0.tablets.vitess.svc",
        mysql_hostname="db.example",
        mysql_port=3306,
        ports={"vt": 15100, "grpc": 16100},
    ),
    TabletFacts(
        alias="zone1-0000000101",
        keyspace="shop",
        shard="0",
        type="replica",
        hostname="t-1.tablets.vitess.svc",
        mysql_hostname="db.example",
        mysql_port=3306,
        ports={"vt": 15101, "grpc": 16101},
    ),
)
LOOKUP = KeyspaceFacts(name="lookup", durability_policy="none", shards=("0",), vschema="{}")
HAND_KEYSPACE = KeyspaceFacts(name="shop", durability_policy="none", shards=("0",), vschema="{}")


def test_a_vitess_deployed_by_hand_is_found_by_commands_and_by_the_registered_hosts() -> None:
    result = found(by_hand(), Topology(keyspaces=(HAND_KEYSPACE,), tablets=HAND_TABLETS))
    layout = result.layout
    assert [node.name for node in layout.nodes] == ["vtctld", "vttablet-100", "vttablet-101", "vtgate-1"]
    assert layout.ports["vttablet-100"] == {"web": 15100, "grpc": 16100}
    assert result.programs["vttablet-100"].flags["tablet-hostname"] == "t-0.tablets"
    assert layout.ports["vttablet-101"] == {"web": 15101, "grpc": 16101}  # its command says nothing: the topology does
    assert layout.ports["vtgate-1"] == {"web": 15001, "grpc": 15999, "mysql": 15306}
    assert result.programs["vttablet-101"].image_version == "21.0.2"
    assert layout.spec.shard_names == ("0",)
    said = "\n".join(result.missing)
    assert "etcd" in said
    assert "mysqld" in said
    assert "vtorc" in said


def test_a_tablet_without_a_pod_is_said() -> None:
    pods = [each for each in by_hand() if each["metadata"]["name"] != "t-1"]
    result = found(pods, Topology(keyspaces=(HAND_KEYSPACE,), tablets=HAND_TABLETS))
    assert any("vttablet-101" in each and "t-1.tablets" in each for each in result.missing)
    assert result.layout.spec.tablets_per_shard == 2  # the topology has it


def test_the_one_shard_of_the_operators_unsharded_keyspace_keeps_its_name() -> None:
    whole = KeyspaceFacts(name="shop", durability_policy="none", shards=("-",), vschema="{}")
    tablets = tuple(record(each.alias, "-", each.hostname) for each in TABLETS)
    assert found(topology=Topology(keyspaces=(whole,), tablets=tablets)).layout.spec.shard_names == ("-",)


def test_the_same_uid_in_two_cells_makes_two_names() -> None:
    tablets = (*TABLETS, record("zone2-1504399632", "80-", "10.1.0.99"))
    assert any(
        "vttablet-zone2-1504399632" in each
        for each in found(topology=Topology(keyspaces=(SHOP,), tablets=tablets)).missing
    )


def test_the_probe_of_versions_wins_over_the_image() -> None:
    seen = programs(operator_pods())
    gate = next(each for each in seen if each.role is Role.VTGATE)
    layout = assembled(seen, TOPOLOGY, keyspace="", versions={(gate.pod, gate.container): "21.0.2"}, logs=LOGS).layout
    assert layout.node("vtgate-1").version == "21.0.2"
    assert layout.spec.vtgates[0].version == "21.0.2"
    assert layout.spec.vitess == "24.0.3"


# ---------------------------------------------------------------- refusals


def test_which_keyspace_must_be_clear() -> None:
    two = Topology(
        keyspaces=(SHOP, LOOKUP),
        tablets=TABLETS,
    )
    with pytest.raises(PlanError, match="shop, lookup; say which with --keyspace"):
        found(topology=two)
    assert found(topology=two, keyspace="shop").layout.spec.keyspace == "shop"
    with pytest.raises(PlanError, match="no keyspace nothing"):
        found(topology=two, keyspace="nothing")


def test_shards_that_are_no_equal_parts_are_refused() -> None:
    odd = KeyspaceFacts(name="shop", durability_policy="", shards=("-40", "40-"), vschema="{}")
    with pytest.raises(PlanError, match="not equal parts"):
        found(topology=Topology(keyspaces=(odd,), tablets=TABLETS))


def test_without_a_vtgate_there_is_nothing_to_attach_to() -> None:
    with pytest.raises(PlanError, match="no vtgate"):
        found(operator_pods()[1:])


# ---------------------------------------------------------------- command lines


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (("/vt/bin/vtgate", "--cell=zone1"), Role.VTGATE),
        (("sh", "-c", "exec /vt/bin/vtctld --port=1"), Role.VTCTLD),
        (("bash", "-ec", "until nc -z vtctld 15999; do sleep 1; done; vtgate --cell zone1"), Role.VTGATE),
        (("/bin/sh", "-c", "A=1 B=2 vttablet --port 1 && echo vtgate ended"), Role.VTTABLET),
        (("sh", "-c", "mysqlctl --tablet_uid 1 init && exec vttablet --port 1"), Role.VTTABLET),
        (("/usr/bin/mysqld", "--defaults-file=/vt/my.cnf"), Role.MYSQLD),
        (("sh", "-c", "echo 'an odd quote; exec vtgate"), Role.VTGATE),
        (("/bin/mysqld_exporter",), None),
        (("vtctldclient", "--server", "vtctld:15999"), None),
        (("wait-for", "vtgate"), None),
    ],
)
def test_what_a_command_runs(command: tuple[str, ...], role: Role | None) -> None:
    known = program_of(container("app", *command), {})
    assert (known[0] if known else None) is role


def test_flags_in_all_their_forms() -> None:
    words = [
        "--a_b=1",
        "-c",
        "2",
        "--bare",
        "--yes=true",
        "--no=false",
        "--ip=$(POD_IP)",
        "--other=${POD_IP}:80",
        "--x=$(Y)",
    ]
    assert flags_of(words, {"POD_IP": "10.0.0.1"}) == {
        "a-b": "1",
        "c": "2",
        "bare": "",
        "yes": "",
        "no": "false",
        "ip": "10.0.0.1",
        "other": "10.0.0.1:80",
        "x": "$(Y)",
    }


def test_secrets_on_a_command_line_do_not_get_into_the_spec() -> None:
    flags = {
        "mysql-auth-server-static-string": '{"u": [{"Password": "secret"}]}',
        "db-app-password": "secret",
        "grpc-key": "/tls/key.pem",
        "topo-consul-acl-token": "secret",
        "buffer-window": "10s",
        "vreplication-copy-phase-duration": "1h",
        "enable-buffer": "",
    }
    assert set(behaviour(flags)) == {"buffer-window", "vreplication-copy-phase-duration", "enable-buffer"}
