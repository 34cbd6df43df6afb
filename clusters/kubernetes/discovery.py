"""Vitess's processes among the pods of a namespace, whoever put them there. Pure: from API objects to values.

Two kinds of hints. vitess-operator labels its pods (planetscale/vitess-operator, pkg/apis/planetscale/v2/labels.go) and
writes a shard's name so that it can be a label (keyrange.go, SafeName: "x-80" is "-80"). For a Vitess deployed by hand
the containers' commands say which program runs and with which flags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clusters.kubernetes.discovery_commands import environment_of, program_of
from harness.model import Role

COMPONENT = "planetscale.com/component"
CLUSTER = "planetscale.com/cluster"
CELL = "planetscale.com/cell"
KEYSPACE = "planetscale.com/keyspace"
SHARD = "planetscale.com/shard"
TABLET_UID = "planetscale.com/tablet-uid"
TABLET_TYPE = "planetscale.com/tablet-type"
# Pods of the operator's that run other things under the same labels (vtbackup: also a mysqld, but no server).
_NOT_SERVERS = frozenset(("vtbackup", "vtadmin", "vbs-subcontroller"))

# Flag and default of every port (pkg/apis/planetscale/v2/defaults.go of the operator; etcd's own).
_PORTS: Mapping[Role, Mapping[str, tuple[str, int]]] = {
    Role.ETCD: {"client": ("listen-client-urls", 2379), "peer": ("listen-peer-urls", 2380)},
    Role.VTCTLD: {"web": ("port", 15000), "grpc": ("grpc-port", 15999)},
    Role.VTORC: {"web": ("port", 15000)},
    Role.VTGATE: {"web": ("port", 15000), "grpc": ("grpc-port", 15999), "mysql": ("mysql-server-port", 3306)},
    Role.VTTABLET: {"web": ("port", 15000), "grpc": ("grpc-port", 15999)},
    Role.MYSQLD: {"mysql": ("port", 3306)},
}
_LASTING = frozenset(("persistentVolumeClaim", "hostPath"))
_LAST_NUMBER = re.compile(r"(\d+)(?!.*\d)")
_TAG = re.compile(r":v?(\d+\.\d+\.\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The object that makes a pod again when it is gone; `name` "" = nobody does."""

    kind: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A process of Vitess: a container of a pod."""

    role: Role
    pod: str
    pod_uid: str
    container: str
    ip: str
    hostname: str  # of the pod
    image: str
    flags: Mapping[str, str]  # of the command line, in dashed spelling; empty when the command does not tell
    ports: Mapping[str, int]
    labels: Mapping[str, str]
    owner: Owner = Owner()
    keeps_data: bool = False  # the pod has a volume that outlives it

    @property
    def alias(self) -> str:
        """A tablet's, as its pod tells it; "" when it does not."""
        if self.flags.get("tablet-path"):
            return self.flags["tablet-path"]
        if self.labels.get(TABLET_UID, "").isdigit() and self.labels.get(CELL):
            return f"{self.labels[CELL]}-{int(self.labels[TABLET_UID]):010d}"
        return ""

    @property
    def cell(self) -> str:
        return self.labels.get(CELL) or self.flags.get("cell", "")

    @property
    def image_version(self) -> str:
        """What the image's tag says; "" when that is no release."""
        found = _TAG.search(self.image.partition("@")[0])
        return found[1] if found else ""


def programs(pods: Iterable[Mapping[str, Any]], *, cluster: str = "") -> tuple[Program, ...]:
    """Every Vitess process of the pods that run, in the order of pod and container names.

    `cluster`: only those of this VitessCluster.
    """
    found: list[Program] = []
    for pod in sorted(pods, key=lambda each: str(each["metadata"]["name"])):
        labels = pod["metadata"].get("labels") or {}
        if _serves(pod) and (not cluster or labels.get(CLUSTER) == cluster):
            found += _of_pod(pod, labels)
    return tuple(found)


def clusters(pods: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Names of the VitessClusters whose pods these are."""
    names = {str((pod["metadata"].get("labels") or {}).get(CLUSTER, "")) for pod in pods}
    return tuple(sorted(names - {""}))


def shard_name(label: str) -> str:
    """A shard's name out of the operator's label."""
    start, dash, end = label.partition("-")
    return f"{'' if start == 'x' else start}{dash}{'' if end == 'x' else end}"


def _serves(pod: Mapping[str, Any]) -> bool:
    """It runs and is not about to go."""
    status = pod.get("status") or {}
    labels = pod["metadata"].get("labels") or {}
    ends = pod["metadata"].get("deletionTimestamp")
    return (
        status.get("phase") == "Running"
        and bool(status.get("podIP"))
        and not ends
        and labels.get(COMPONENT) not in _NOT_SERVERS
    )


def _of_pod(pod: Mapping[str, Any], labels: Mapping[str, str]) -> list[Program]:
    spec = pod["spec"]
    found = []
    for container in spec.get("containers") or ():
        known = program_of(container, environment_of(container, pod))
        if known is None:
            continue
        role, flags = known
        found.append(
            Program(
                role=role,
                pod=pod["metadata"]["name"],
                pod_uid=pod["metadata"].get("uid", ""),
                container=container["name"],
                ip=pod["status"]["podIP"],
                hostname=spec.get("hostname") or pod["metadata"]["name"],
                image=container.get("image", ""),
                flags=flags,
                ports=_ports(role, flags, container),
                labels=dict(labels),
                owner=_owner(pod["metadata"].get("ownerReferences") or ()),
                keeps_data=any(_LASTING & set(volume) for volume in spec.get("volumes") or ()),
            )
        )
    return found


def _ports(role: Role, flags: Mapping[str, str], container: Mapping[str, Any]) -> dict[str, int]:
    """A flag says it best, then the container's named ports, then the usual number."""
    named = {str(port.get("name", "")): int(port["containerPort"]) for port in container.get("ports") or ()}
    return {
        name: _number(flags.get(flag, "")) or named.get(name) or usual for name, (flag, usual) in _PORTS[role].items()
    }


def _number(text: str) -> int:
    """The port in `15000` or in `http://0.0.0.0:2379`; 0 for none."""
    found = _LAST_NUMBER.search(text.split(",")[0])
    return int(found[1]) if found else 0


def _owner(references: Sequence[Mapping[str, Any]]) -> Owner:
    found = next((each for each in references if each.get("controller")), None)
    return Owner(kind=str(found["kind"]), name=str(found["name"])) if found else Owner()
