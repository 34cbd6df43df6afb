"""Where the pods of a cluster take their images from, and how one of ours comes there.

A node whose container runtime is on this host says so by annotations (the one-node lane sets them): images are imported
into it. Into a kind cluster kind brings them. Any other cluster pulls its images from a registry.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from clusters.kubernetes import kind as kinds
from clusters.kubernetes import manifests, names
from clusters.kubernetes.api import Api
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import NAMESPACE, NODE, POD, SERVICE_ACCOUNT, Manifest, name_of
from clusters.software import Sources
from harness.base import procs, wait
from harness.base.errors import ClusterError, ProcessError

CONTAINERD = "vtchaos.dev/containerd"  # annotation of a node: its containerd's socket on this host
CTR = "vtchaos.dev/ctr"  # … and the program that talks to it
ASK_TIMEOUT_S = 20.0
IMPORT_TIMEOUT_S = 300.0
PULL_TIMEOUT_S = 600.0
_PROBE = "probe"
_OTHERWISE = "let --image name one that the cluster can pull"


class NodeImages:
    """`clusters.common.images.ImageStore` of a cluster's nodes."""

    def __init__(self, api: Api, marks: Marks) -> None:
        """`marks`: of the run whose namespace the pods are in that try an image."""
        self._api = api
        self._marks = marks
        self._here: Mapping[str, Mapping[str, str]] | None = None

    async def has(self, reference: str) -> bool:
        """False too when the nodes cannot be asked: then it is pulled."""
        here = await self._on_this_host()
        if here:
            wanted = whole(reference)
            found = [await of_node(row, "images", "list", "-q", f"name=={wanted}") for row in here.values()]
            return all(wanted in each.split() for each in found)
        try:
            nodes = await self._api.list(NODE)
        except ApiError:
            return False
        return bool(nodes) and all(whole(reference) in _listed(node) for node in nodes)

    async def pull(self, reference: str) -> str:
        """By a pod that does nothing. Raises ClusterError."""
        try:
            await self.run(reference, ("/bin/sh", "-c", "true"), timeout_s=PULL_TIMEOUT_S)
        except ClusterError as error:
            return str(error)
        return ""

    async def load(self, archive: Path) -> None:
        kind = self._api.context.removeprefix(kinds.context(""))
        if kind != self._api.context:
            await (await kinds.kind(sources=Sources.of_environment())).load(kind, archive)
            return
        here = await self._on_this_host()
        if not here:
            raise ClusterError(
                f"an image cannot be brought into the cluster {self._api.context} from here; {_OTHERWISE}"
            )
        for row in here.values():
            await of_node(row, "images", "import", str(archive), timeout_s=IMPORT_TIMEOUT_S)

    async def run(self, reference: str, argv: tuple[str, ...], *, timeout_s: float) -> str:
        async with self._probing(reference, argv) as pod:
            ended = await self._end_of(pod, timeout_s)
            said = b"".join([piece async for piece in self._api.log(self._marks.namespace, pod, _PROBE)])
        if ended.get("exitCode"):
            raise ClusterError(
                f"{' '.join(argv)} in {reference}: exit status {ended['exitCode']}: {said.decode()[-500:]}"
            )
        return said.decode(errors="replace")

    # ------------------------------------------------------------ the nodes

    async def _on_this_host(self) -> Mapping[str, Mapping[str, str]]:
        """Node → its annotations, when every node's containerd can be reached; empty otherwise."""
        if self._here is None:
            self._here = await on_this_host(self._api)
        return self._here

    # ------------------------------------------------------------ a pod that tries an image

    @contextlib.asynccontextmanager
    async def _probing(self, reference: str, argv: tuple[str, ...]) -> AsyncIterator[str]:
        namespace = self._marks.namespace
        if await self._api.get(NAMESPACE, namespace) is None:
            await self._api.create(manifests.namespace(self._marks))
        if await self._api.get(SERVICE_ACCOUNT, names.ACCOUNT, namespace) is None:
            await self._api.create(manifests.account(self._marks))
        made = await self._api.create(probe(self._marks, reference, argv))
        try:
            yield name_of(made)
        finally:
            await self._api.delete(POD, name_of(made), namespace, grace_s=0)

    async def _end_of(self, pod: str, timeout_s: float) -> Mapping[str, int]:
        """How its container ended. Raises ClusterError when it never ran."""

        async def ended() -> Mapping[str, int] | None:
            row = await self._api.get(POD, pod, self._marks.namespace) or {}
            for container in row.get("status", {}).get("containerStatuses", ()):
                state = container.get("state", {})
                if "terminated" in state:
                    return dict(state["terminated"])
                reason = state.get("waiting", {}).get("reason", "")
                if "Image" in reason or reason.endswith("Error"):
                    raise ClusterError(f"{reason}: {state['waiting'].get('message', '')}")
            return None

        found = await wait.until(f"the pod {pod} ends", ended, timeout_s=timeout_s, poll_s=0.2)
        assert found is not None
        return found


def probe(marks: Marks, reference: str, argv: tuple[str, ...]) -> Manifest:
    """A pod that runs one program of an image."""
    container = {
        "name": _PROBE,
        "image": reference,
        "imagePullPolicy": "IfNotPresent",
        "command": list(argv),
    }
    spec = {
        "serviceAccountName": names.ACCOUNT,
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    meta = {"generateName": f"{_PROBE}-", "namespace": marks.namespace, "labels": marks.labels(node=_PROBE)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def whole(reference: str) -> str:
    """A reference with everything that Docker's short forms leave out."""
    first, slash, _ = reference.partition("/")
    registry = slash and ("." in first or ":" in first or first == "localhost")
    named = reference if registry else f"docker.io/{reference if slash else f'library/{reference}'}"
    last = named.rpartition("/")[2]
    return named if ":" in last or "@" in last else f"{named}:latest"


def _listed(node: Manifest) -> set[str]:
    return {name for image in node["status"].get("images") or [] for name in image.get("names") or []}


async def on_this_host(api: Api) -> Mapping[str, Mapping[str, str]]:
    """Node → its annotations, when every node's containerd can be reached; empty otherwise."""
    try:
        nodes = await api.node_annotations()
    except ApiError:
        return {}
    return nodes if all(Path(row.get(CONTAINERD, "/nowhere")).is_socket() for row in nodes.values()) else {}


async def of_node(node: Mapping[str, str], *words: str, timeout_s: float = ASK_TIMEOUT_S) -> str:
    """Ask the containerd of a node of this host (`node`: its annotations). Raises ClusterError."""
    argv = [node.get(CTR, "ctr"), "--address", node[CONTAINERD], "--namespace", "k8s.io", *words]
    try:
        return (await procs.run(argv, timeout_s=timeout_s)).output
    except ProcessError as error:
        raise ClusterError(f"the node's containerd: {error}") from None
