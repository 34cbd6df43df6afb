"""What a cluster's objects in Kubernetes are called, and how they are found again. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clusters.common import layout
from clusters.common.images import DATA
from clusters.common.layout import Layout
from harness.base.errors import PlanError
from harness.model import ClusterSpec, Node

RUN = "vtchaos.dev/run"  # label: the run, as far as a label holds it; annotation: the run
OWNER = "vtchaos.dev/owner"  # annotation of the namespace: whose it is (harness.base.owner; no label holds its colons)
NODE = "vtchaos.dev/node"  # label of a pod: the node, or the tablet whose two nodes it holds
KEPT = "vtchaos.dev/kept"  # label of the namespace: the kept cluster's name
MANAGED = {"app.kubernetes.io/managed-by": "vtchaos"}
SERVICE = "vt"  # the headless service that gives the pods their names
ACCOUNT = "vt"  # what they run as for the API: nothing
VOLUME = "data"
EVERYWHERE = "0.0.0.0"  # what the nodes listen on
_LONGEST = 63  # of a label's value and of a namespace's name
_DNS_LABEL = re.compile(rf"(?!.{{{_LONGEST + 1}}})[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The container of a node."""

    pod: str
    container: str


def set_of(node: Node) -> str:
    """The StatefulSet: one for each tablet (both its nodes), vtgate and single component."""
    return f"tablet-{node.tablet_uid}" if node.tablet_uid else node.name


def box_of(node: Node) -> Box:
    return Box(pod=f"{set_of(node)}-0", container=node.role.value)


def host_of(node: Node) -> str:
    """The pod's stable name: the resolver's search list makes it whole. Another pod of that name takes it over."""
    return f"{box_of(node).pod}.{SERVICE}"


def namespace_of(run: str) -> str:
    """The namespace of a run."""
    return _fitting(f"vtchaos-{run.lower()}", r"[^a-z0-9-]")


def require_namespace(name: str) -> None:
    """Raises PlanError for what no namespace can be called: such words must not come into a request's path."""
    if not _DNS_LABEL.fullmatch(name):
        raise PlanError(
            f"--namespace {name!r} is no name of a namespace: small letters, digits and dashes, at most {_LONGEST}, a "
            "letter or digit at both ends"
        )


def kind_of(run: str) -> str:
    """The kind cluster that is made for a run; its containers' names must not become too long for host names."""
    return f"vtchaos-{hashlib.sha256(run.encode()).hexdigest()[:12]}"


def label_of(run: str) -> str:
    """A run as the value of a label."""
    return _fitting(run, r"[^A-Za-z0-9_.-]")


def labels(run: str, *, node: str = "", kept: str = "") -> dict[str, str]:
    """Of everything that is made for a run."""
    given = {RUN: label_of(run), NODE: node, KEPT: kept}
    return {**MANAGED, **{key: value for key, value in given.items() if value}}


def selector(**wanted: str) -> str:
    """A label selector, e.g. `selector(run=…)`."""
    keys: Mapping[str, str] = {"run": RUN, "node": NODE, "kept": KEPT}
    return ",".join(f"{keys[key]}={value}" for key, value in wanted.items())


def layout_of(spec: ClusterSpec, *, mysql: str, etcd: str, logs: Path) -> Layout:
    """The plan of a cluster in pods: each has an address of its own, so that the ports are fixed."""
    nodes = layout.nodes_of(spec, mysql=mysql, etcd=etcd)
    return Layout(
        spec=spec,
        nodes=nodes,
        hosts={node.name: host_of(node) for node in nodes},
        bind=EVERYWHERE,
        ports=layout.fixed_ports(nodes),
        data=DATA,
        logs=logs.absolute(),
    )


def _fitting(text: str, forbidden: str) -> str:
    """At most 63 characters, a letter or digit at both ends; what is cut off is kept apart by a digest."""
    made = re.sub(forbidden, "-", text).strip("-_.")
    if made == text and len(made) <= _LONGEST:
        return made
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{made[: _LONGEST - 9].strip('-_.')}-{digest}"
