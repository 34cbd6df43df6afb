"""Objects, names and layout of a cluster in pods. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from clusters.common.layout import Layout
from clusters.kubernetes import capacity, manifests, names
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.resources import Manifest, resource_of
from harness.model import ClusterSpec, Placement, VtgateSpec
from tests.unit.kubernetes_fakes import images

SPEC = ClusterSpec(shards=2, tablets_per_shard=2, vtorc=True, vtgates=(VtgateSpec(), VtgateSpec(version="21.0.2")))
RUN = "20261121-082118-reparent-storm-ab12"
MARKS = Marks(run=RUN, namespace=names.namespace_of(RUN), owner="host:1:2")


def layout(spec: ClusterSpec = SPEC) -> Layout:
    return names.layout_of(spec, mysql="9.7.4", etcd="3.6.10", logs=Path("logs"))


def made(place: Placement | None = None, spec: ClusterSpec = SPEC, *, in_memory: bool = False) -> dict[str, Manifest]:
    rows = manifests.all_of(layout(spec), images(), place or Placement(), MARKS, in_memory=in_memory)
    return {f"{row['kind']} {row['metadata']['name']}": row for row in rows}


def pod_of(found: dict[str, Manifest], name: str) -> dict[str, Any]:
    return dict(found[f"StatefulSet {name}"]["spec"]["template"]["spec"])


def test_a_set_for_every_tablet_and_component() -> None:
    assert list(made()) == [
        f"Namespace vtchaos-{RUN}",
        "ServiceAccount vt",
        "Service vt",
        *(f"StatefulSet {name}" for name in ("etcd", "vtctld", "tablet-100", "tablet-101", "tablet-102", "tablet-103")),
        *(f"StatefulSet {name}" for name in ("vtorc", "vtgate-1", "vtgate-2")),
    ]


def test_everything_can_be_found_by_its_run() -> None:
    for row in made().values():
        resource_of(row)
        assert row["metadata"]["labels"][names.RUN] == RUN
        assert row["metadata"].get("namespace", MARKS.namespace) == MARKS.namespace
        template = row.get("spec", {}).get("template")
        if template:
            assert template["metadata"]["labels"].items() >= row["spec"]["selector"]["matchLabels"].items()
            assert row["spec"]["serviceName"] == names.SERVICE


def test_the_namespace_names_its_owner() -> None:
    meta = made()[f"Namespace vtchaos-{RUN}"]["metadata"]
    assert meta["annotations"] == {names.RUN: RUN, names.OWNER: "host:1:2"}


def test_hosts_are_the_pods_stable_names() -> None:
    plan, found = layout(), made()
    for node in plan.nodes:
        box = names.box_of(node)
        assert f"StatefulSet {box.pod.removesuffix('-0')}" in found
        assert plan.hosts[node.name] == f"{box.pod}.vt"
    assert plan.hosts["mysqld-101"] == plan.hosts["vttablet-101"]
    service = found["Service vt"]["spec"]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)


def test_a_tablets_two_containers_share_address_and_folder() -> None:
    pod = pod_of(made(), "tablet-100")
    mysqld, vttablet = pod["containers"]
    assert (mysqld["name"], vttablet["name"]) == ("mysqld", "vttablet")
    assert mysqld["volumeMounts"] == vttablet["volumeMounts"]
    assert mysqld["command"][-1] != vttablet["command"][-1]
    ports = [row["name"] for container in pod["containers"] for row in container["ports"]]
    assert sorted(ports) == ["grpc", "mysql", "web"]


def test_images_by_version() -> None:
    found = made()
    assert pod_of(found, "vtgate-2")["containers"][0]["image"] == "vtchaos/vitess:21.0.2-test"
    assert pod_of(found, "vtgate-1")["containers"][0]["image"] == "vtchaos/vitess:24.0.3-test"
    assert pod_of(found, "etcd")["containers"][0]["image"] == "vtchaos/etcd:test"


def test_the_agent_is_the_first_process() -> None:
    shell, option, script, name, state = pod_of(made(), "tablet-100")["containers"][0]["command"]
    assert (shell, option, name) == ("/bin/sh", "-c", "agent")
    assert script == manifests.AGENT.read_text()
    assert state == "/vt/vtdataroot/.agent/mysqld-100"


def test_data_in_the_pod_in_memory_or_in_a_volume() -> None:
    assert pod_of(made(), "tablet-100")["volumes"] == [{"name": "data", "emptyDir": {}}]
    in_memory = made(in_memory=True)
    assert pod_of(in_memory, "tablet-100")["volumes"] == [{"name": "data", "emptyDir": {"medium": "Memory"}}]
    assert pod_of(in_memory, "etcd")["volumes"] == [{"name": "data", "emptyDir": {}}]
    claimed = made(Placement(storage_class="fast"), in_memory=True)
    assert "volumes" not in pod_of(claimed, "tablet-100")
    (claim,) = claimed["StatefulSet tablet-100"]["spec"]["volumeClaimTemplates"]
    assert (claim["metadata"]["name"], claim["spec"]["storageClassName"]) == ("data", "fast")
    assert "volumeClaimTemplates" not in claimed["StatefulSet etcd"]["spec"]


def test_limits_are_the_places() -> None:
    assert "limits" not in pod_of(made(), "vtctld")["containers"][0]["resources"]
    limited = pod_of(made(Placement(memory_mb=96, cpus=0.5)), "tablet-100")["containers"][0]["resources"]
    assert limited["limits"] == {"memory": "96Mi", "cpu": "500m"}
    assert limited["requests"]["memory"] == "96Mi"


@pytest.mark.parametrize("shards", [1, 8, 64])
def test_all_together_ask_for_no_more_than_a_core(shards: int) -> None:
    found = made(spec=ClusterSpec(shards=shards, tablets_per_shard=2))
    asked = [
        int(container["resources"]["requests"]["cpu"].removesuffix("m"))
        for name in found
        if name.startswith("StatefulSet")
        for container in pod_of(found, name.split()[1])["containers"]
    ]
    assert 0 < sum(asked) <= 1500
    assert min(asked) >= 5


def test_nobody_is_root() -> None:
    for name in ("etcd", "tablet-100", "vtgate-1"):
        pod = pod_of(made(), name)
        assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsNonRoot"]) == (999, True)
        for container in pod["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


# ------------------------------------------------------------ names


@pytest.mark.parametrize("run", [RUN, "Odd_Run!", "x" * 200, "-a-", "kept-dev-0a1b2c"])
def test_names_are_what_kubernetes_takes(run: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", names.namespace_of(run))
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", names.label_of(run))
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", names.kind_of(run))


def test_what_is_cut_off_is_kept_apart() -> None:
    assert names.namespace_of("x" * 200) != names.namespace_of("x" * 201)
    assert names.label_of("a/b") != names.label_of("a!b")


# ------------------------------------------------------------ capacity


def machine(memory: str) -> Manifest:
    return {"metadata": {"name": "n"}, "spec": {}, "status": {"allocatable": {"memory": memory}}}


def test_quantities() -> None:
    assert [capacity.quantity(text) for text in ("1", "2k", "3Mi", "1.5Gi")] == [1, 2000, 3 << 20, 3 << 29]


def test_half_of_other_peoples_machines() -> None:
    assert capacity.usable_bytes([machine("2Gi"), machine("2Gi")]) == 2 << 30
    assert capacity.usable_bytes([]) == 0
