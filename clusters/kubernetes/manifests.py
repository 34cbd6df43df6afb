"""A cluster as Kubernetes objects. Pure: what the spec and the images say, nothing is asked.

A namespace; in it a headless service, which gives every pod a name that outlives it, an account without rights, and a
StatefulSet of one pod for each tablet (mysqld and vttablet, sharing address and data), vtgate, etcd, vtctld, vtorc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusters.common.images import DATA, Images
from clusters.common.layout import Layout
from clusters.kubernetes import names
from clusters.kubernetes.resources import Manifest
from harness.model import Node, Placement, Role

AGENT = Path(__file__).with_name("agent.sh")
GRACE_S = 1  # the agent ends at once; what its program does then is the kernel's to end
VOLUME_SIZE = "4Gi"
MIB = 1 << 20
# What a pod's place is chosen by: about what the processes take when they begin to serve (clusters.local.capacity).
_MEMORY_MIB: Mapping[Role, int] = {
    Role.ETCD: 48,
    Role.VTCTLD: 48,
    Role.VTORC: 48,
    Role.MYSQLD: 128,
    Role.VTTABLET: 40,
    Role.VTGATE: 80,
}
# A cluster of ours asks for one core in all: it must find a place on a small node. The shares of the processor follow.
_CORE_MILLI = 1000
_MOST_MILLI = 100
_LEAST_MILLI = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Whose a cluster is."""

    run: str
    namespace: str
    owner: str = ""
    kept: str = ""

    def labels(self, node: str = "") -> dict[str, str]:
        return names.labels(self.run, node=node, kept=self.kept)


def state_of(node: Node) -> str:
    """The agent's folder in the node's container."""
    return str(DATA / ".agent" / node.name)


def all_of(
    layout: Layout, images: Images, place: Placement, marks: Marks, *, in_memory: bool = False
) -> tuple[Manifest, ...]:
    """Everything, in the order in which it is to be made. `in_memory`: the tablets' data, where it has no volume."""
    return (
        namespace(marks),
        account(marks),
        service(marks),
        *sets(layout, images, place, marks, in_memory=in_memory),
    )


def namespace(marks: Marks) -> Manifest:
    """It may hold the privileged container that cuts links (`clusters.kubernetes.links`)."""
    notes = {names.RUN: marks.run, **({names.OWNER: marks.owner} if marks.owner else {})}
    security = {"pod-security.kubernetes.io/enforce": "privileged"}
    meta = {"name": marks.namespace, "labels": {**marks.labels(), **security}, "annotations": notes}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def account(marks: Marks) -> Manifest:
    """Of our own: the namespace's default one is made some time after the namespace."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _meta(marks, names.ACCOUNT),
        "automountServiceAccountToken": False,
    }


def service(marks: Marks) -> Manifest:
    """Names for the pods, from the moment they have an address."""
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {names.RUN: names.label_of(marks.run)}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(marks, names.SERVICE), "spec": spec}


def sets(
    layout: Layout, images: Images, place: Placement, marks: Marks, *, in_memory: bool = False
) -> tuple[Manifest, ...]:
    """The StatefulSets."""
    grouped = grouped_nodes(layout)
    milli = max(_LEAST_MILLI, min(_MOST_MILLI, _CORE_MILLI // len(layout.nodes)))
    return tuple(
        _set(
            name,
            [_container(layout, images, place, node, milli) for node in nodes],
            marks,
            user=images.user,
            volume=_volume(nodes, place, in_memory),
        )
        for name, nodes in grouped.items()
    )


def grouped_nodes(layout: Layout) -> dict[str, list[Node]]:
    """StatefulSet → the nodes in its pod."""
    grouped: dict[str, list[Node]] = {}
    for node in layout.nodes:
        grouped.setdefault(names.set_of(node), []).append(node)
    return grouped


@dataclass(frozen=True, slots=True, kw_only=True)
class _Volume:
    """Where a pod's folders are: in a claimed volume, or in one that goes with the pod."""

    claim: Manifest | None
    of_pod: Manifest | None


def _volume(nodes: Sequence[Node], place: Placement, in_memory: bool) -> _Volume:
    of_tablet = bool(nodes[0].tablet_uid)
    if place.storage_class and of_tablet:
        claim = {
            "metadata": {"name": names.VOLUME},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": place.storage_class,
                "resources": {"requests": {"storage": VOLUME_SIZE}},
            },
        }
        return _Volume(claim=claim, of_pod=None)
    medium = {"medium": "Memory"} if in_memory and of_tablet else {}
    return _Volume(claim=None, of_pod={"name": names.VOLUME, "emptyDir": medium})


def _set(name: str, containers: Sequence[Manifest], marks: Marks, *, user: int, volume: _Volume) -> Manifest:
    labels = marks.labels(node=name)
    pod: Manifest = {
        "serviceAccountName": names.ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {"runAsUser": user, "runAsGroup": user, "fsGroup": user, "runAsNonRoot": True},
        "containers": list(containers),
    }
    if volume.of_pod:
        pod["volumes"] = [volume.of_pod]
    spec: Manifest = {
        "serviceName": names.SERVICE,
        "replicas": 1,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {key: labels[key] for key in (names.RUN, names.NODE)}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if volume.claim:
        spec["volumeClaimTemplates"] = [volume.claim]
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": _meta(marks, name, node=name), "spec": spec}


def _container(layout: Layout, images: Images, place: Placement, node: Node, milli: int) -> Manifest:
    return {
        "name": names.box_of(node).container,
        "image": images.of(node, layout.spec),
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", AGENT.read_text(), "agent", state_of(node)],
        "ports": [{"name": port, "containerPort": number} for port, number in _ports(layout, node)],
        "resources": _resources(place, node, milli),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": names.VOLUME, "mountPath": str(DATA)}],
    }


def _ports(layout: Layout, node: Node) -> Iterator[tuple[str, int]]:
    """Named as in the layout; a pod's names must differ, and a tablet's two nodes share none."""
    yield from layout.ports[node.name].items()


def _resources(place: Placement, node: Node, milli: int) -> Manifest:
    limits: dict[str, Any] = {}
    if place.memory_mb:
        limits["memory"] = f"{place.memory_mb}Mi"
    if place.cpus:
        limits["cpu"] = f"{round(place.cpus * 1000)}m"
    asked = min(_MEMORY_MIB[node.role], place.memory_mb or _MEMORY_MIB[node.role])
    cpu = min(milli, round(place.cpus * 1000) or milli)
    return {"requests": {"memory": f"{asked}Mi", "cpu": f"{cpu}m"}, **({"limits": limits} if limits else {})}


def _meta(marks: Marks, name: str, *, node: str = "") -> Manifest:
    return {"name": name, "namespace": marks.namespace, "labels": marks.labels(node=node)}
