"""The rights that suffice, each with its reason: for the manifests that are printed, and for what is asked beforehand.

A cluster that is only attached to needs no right outside of its namespace but one: to read the namespace kube-system,
whose uid tells one Kubernetes from another. A Role there gives that right for this one object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clusters.kubernetes.api import Api
from clusters.kubernetes.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    JOB,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    STORAGE_CLASS,
    VITESS_CLUSTER,
    VOLUME_CLAIM,
    Resource,
)

SYSTEM = "kube-system"
ACCOUNT = "vtchaos"
_ALL = ("get", "list", "watch", "create", "patch", "delete")
_SOCKET = ("get", "create")  # a WebSocket begins as a GET; from Kubernetes 1.35 on `create` is asked too


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What may be done to a kind of object. `only`: to the one of that name; "." = of the namespace's own name."""

    resource: Resource
    verbs: tuple[str, ...]
    why: str
    subresource: str = ""
    only: str = ""

    @property
    def what(self) -> str:
        return self.resource.plural + (f"/{self.subresource}" if self.subresource else "")


ATTACH: tuple[Right, ...] = (
    Right(resource=NAMESPACE, verbs=("get",), only=".", why="tell this namespace from a later one of its name"),
    Right(resource=POD, verbs=("get", "list", "watch"), why="find Vitess, and see when a pod is replaced"),
    Right(resource=POD, subresource="portforward", verbs=_SOCKET, why="reach the ports of Vitess"),
    Right(resource=POD, subresource="log", verbs=("get",), why="read the logs"),
)
SIGNALS: tuple[Right, ...] = (
    Right(resource=POD, subresource="exec", verbs=_SOCKET, why="send signals from inside the containers"),
)
RESTARTS: tuple[Right, ...] = (
    Right(resource=STATEFUL_SET, subresource="scale", verbs=("get", "patch"), why="stop and start a node"),
    Right(resource=DEPLOYMENT, subresource="scale", verbs=("get", "patch"), why="stop and start a node"),
)
IDENTITY: tuple[Right, ...] = (
    Right(resource=NAMESPACE, verbs=("get",), only=SYSTEM, why="tell this cluster from any other"),
)
OWN: tuple[Right, ...] = (
    Right(resource=NAMESPACE, verbs=_ALL, why="a namespace for each run, found by its label and removed after it"),
    Right(resource=NODE, verbs=("get", "list"), why="see where images can be brought to"),
    Right(resource=STORAGE_CLASS, verbs=("get", "list"), why="check --storage-class"),
    Right(resource=SERVICE, verbs=_ALL, why="names for the pods"),
    Right(resource=SERVICE_ACCOUNT, verbs=_ALL, why="the pods' account, which has no rights"),
    Right(resource=CONFIG_MAP, verbs=_ALL, why="files of the load's pods"),
    Right(resource=SECRET, verbs=_ALL, why="vitess-operator's init script (--create operator)"),
    Right(resource=VOLUME_CLAIM, verbs=("get", "list", "delete"), why="remove the tablets' volumes"),
    Right(resource=STATEFUL_SET, verbs=_ALL, why="Vitess"),
    Right(resource=JOB, verbs=_ALL, why="load inside the cluster"),
    Right(resource=POD, verbs=_ALL, why="see, replace and look into what the sets make"),
    Right(resource=POD, subresource="exec", verbs=_SOCKET, why="start, stop and signal programs, cut links"),
    Right(resource=POD, subresource="portforward", verbs=_SOCKET, why="reach ports where pods have no way from here"),
    Right(resource=POD, subresource="log", verbs=("get",), why="logs"),
    Right(resource=POD, subresource="eviction", verbs=("create",), why="drain a node"),
    Right(resource=POD, subresource="ephemeralcontainers", verbs=("get", "patch"), why="cut links"),
    Right(resource=POD, subresource="resize", verbs=("patch",), why="limit CPU"),
    Right(resource=EVENT, verbs=("get", "list"), why="say why a pod does not start"),
    Right(resource=VITESS_CLUSTER, verbs=_ALL, why="--create operator"),
)


async def lacking(api: Api, namespace: str, rights: Iterable[Right]) -> tuple[str, ...]:
    """A clause for every right that we do not have. Raises ApiError."""
    found: list[str] = []
    for right in rights:
        name = namespace if right.only == "." else right.only
        where = SYSTEM if right.only == SYSTEM else namespace
        missing = [
            verb
            for verb in right.verbs
            if not await api.can(verb, right.resource, where, subresource=right.subresource, name=name)
        ]
        if missing:
            verbs = " and ".join(missing)
            found.append(f"it takes the right to {verbs} {right.what} in the namespace {where} ({right.why})")
    return tuple(found)


# ---------------------------------------------------------------- manifests


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """One of the manifests that are printed."""

    name: str
    about: str
    rights: Sequence[Right]
    everywhere: bool = False  # a ClusterRole: in namespaces that are still to be made


KITS: dict[str, Kit] = {
    "attach": Kit(
        name="vtchaos-attach",
        about="Attach to a Vitess: find it, load it, reparent it. Nothing in Kubernetes is changed.",
        rights=ATTACH,
    ),
    "faults": Kit(
        name="vtchaos-attach-faults",
        about="Attach to a Vitess, and signal, stop and start its processes.",
        rights=(*ATTACH, *SIGNALS, *RESTARTS),
    ),
    "own": Kit(
        name="vtchaos-own",
        about="Clusters of our own, a namespace for each run. The namespaces are still to be made, so that the rights "
        "hold in all of them: give them on a cluster for tests only.",
        rights=OWN,
        everywhere=True,
    ),
}


def manifest(kit: str, *, namespace: str, account_namespace: str = "") -> str:
    """YAML for `kubectl apply`: the role, and an account `vtchaos` that has it. Raises KeyError."""
    chosen = KITS[kit]
    home = account_namespace or namespace
    parts = [_account(home), _role(chosen, namespace), _binding(chosen, namespace, home)]
    if not chosen.everywhere:
        identity = Kit(name="vtchaos-identity", about=IDENTITY[0].why.capitalize() + ".", rights=IDENTITY)
        parts += [_role(identity, SYSTEM), _binding(identity, SYSTEM, home)]
    return "---\n".join(parts)


def _account(namespace: str) -> str:
    return (
        "apiVersion: v1\nkind: ServiceAccount\n"
        f"metadata:\n  name: {ACCOUNT}\n  namespace: {_quoted(namespace)}\nautomountServiceAccountToken: false\n"
    )


def _role(kit: Kit, namespace: str) -> str:
    kind = "ClusterRole" if kit.everywhere else "Role"
    rows = [f"# {kit.about}", "apiVersion: rbac.authorization.k8s.io/v1", f"kind: {kind}", "metadata:"]
    rows += [f"  name: {kit.name}", *([] if kit.everywhere else [f"  namespace: {_quoted(namespace)}"]), "rules:"]
    for right in kit.rights:
        only = namespace if right.only == "." else right.only
        rows += [
            f"  # {right.why}",
            f'  - apiGroups: ["{right.resource.group}"]',
            f'    resources: ["{right.what}"]',
            f"    verbs: [{', '.join(right.verbs)}]",
            *([f"    resourceNames: [{_quoted(only)}]"] if only else []),
        ]
    return "\n".join(rows) + "\n"


def _binding(kit: Kit, namespace: str, account_namespace: str) -> str:
    kind = "ClusterRole" if kit.everywhere else "Role"
    where = [] if kit.everywhere else [f"  namespace: {_quoted(namespace)}"]
    rows = ["apiVersion: rbac.authorization.k8s.io/v1", f"kind: {kind}Binding", "metadata:", f"  name: {kit.name}"]
    rows += [*where, "roleRef:", "  apiGroup: rbac.authorization.k8s.io", f"  kind: {kind}", f"  name: {kit.name}"]
    rows += [
        "subjects:",
        "  - kind: ServiceAccount",
        f"    name: {ACCOUNT}",
        f"    namespace: {_quoted(account_namespace)}",
    ]
    return "\n".join(rows) + "\n"


def _quoted(name: str) -> str:
    """As a word of YAML: a namespace may be called 123, null or true."""
    return json.dumps(name)
