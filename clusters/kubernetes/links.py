"""Cutting links between pods: nftables in the network namespace of the pod at which the packets arrive.

The rules are fed by a container of their own, which has the right to do so and is added to a pod when its first link is
cut (an ephemeral container): the nodes' containers have no rights, and may be paused. NetworkPolicies would be no
replacement: many networks do not enforce them, others leave connections alone that exist already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from clusters.common import links
from clusters.common.layout import Layout
from clusters.kubernetes import names, orders
from clusters.kubernetes.api import Api
from clusters.kubernetes.names import Box
from clusters.kubernetes.pods import Pods
from clusters.kubernetes.resources import POD, Manifest
from clusters.kubernetes.shells import Shell
from harness.base.errors import ClusterError
from harness.model import LinkRule, Node

CONTAINER = "vtchaos-links"
START_TIMEOUT_S = 30.0
_WAITS = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"


class Links:
    """The links that are cut at present."""

    def __init__(self, api: Api, namespace: str, layout: Layout, pods: Pods, *, image: str, why_not: str) -> None:
        """`image`: one with nft. `why_not`: "" or why no link can be cut."""
        self.why_not = why_not
        self._api = api
        self._namespace = namespace
        self._layout = layout
        self._pods = pods
        self._image = image
        self._rules: Sequence[LinkRule] = ()
        self._cut: dict[str, str] = {}  # pod → its uid, where rules of ours stand
        self._shells: dict[str, Shell] = {}  # uid of a pod → shell in its container for links
        self._turn = asyncio.Lock()

    async def set(self, rules: Sequence[LinkRule]) -> None:
        """The whole desired state. Raises ClusterError."""
        async with self._turn:
            if rules and self.why_not:
                raise ClusterError(self.why_not)
            scripts = self._scripts(rules)
            healed = {pod: links.HEALED for pod in self._cut if pod not in scripts}
            self._rules = rules
            await asyncio.gather(*(self._feed(pod, script) for pod, script in {**scripts, **healed}.items()))

    def address(self, node: Node) -> str:
        """Of its pod. Raises ClusterError while it has none."""
        return _address_of(self._pods)(node)

    async def again(self) -> None:
        """A pod was replaced: its address is another one."""
        await self.set(self._rules)

    def adopt(self) -> None:
        """Another process may have left links cut: heal them with the next `set`."""
        for pod in self._pods.all():
            if CONTAINER in pod.running:
                self._cut[pod.name] = pod.uid

    async def seen(self) -> Sequence[str]:
        """What the rules in the pods do, as the kernel lists them; a pod that never had one has no container for it."""
        pods = [pod for pod in self._pods.all() if CONTAINER in pod.running]
        listings = await asyncio.gather(*(self._listed(pod.name, pod.uid) for pod in pods))
        return [row for rows in listings for row in rows]

    async def _listed(self, pod: str, uid: str) -> Sequence[str]:
        script = f"nft list table inet {links.TABLE} 2>/dev/null || true"
        return links.seen(await (await self._shell(pod, uid)).order(script))

    async def close(self) -> None:
        await asyncio.gather(*(shell.close() for shell in self._shells.values()))

    def _scripts(self, rules: Sequence[LinkRule]) -> Mapping[str, str]:
        """Pod → script."""
        address_of = _address_of(self._pods)
        pods = {address_of(node): names.box_of(node).pod for node in self._layout.nodes} if rules else {}
        wanted = links.scripts(self._layout, rules, address_of=address_of)
        return {pods[address]: script for address, script in wanted.items()}

    async def _feed(self, pod: str, script: str) -> None:
        known = self._pods.get(pod)
        if known is None:
            self._cut.pop(pod, None)  # it is gone, and its rules with it
            return
        if script == links.HEALED and self._cut.get(pod) != known.uid:
            self._cut.pop(pod, None)
            return
        self._cut[pod] = known.uid  # before the act: a half-done one is healed too
        await (await self._shell(pod, known.uid)).order("\n".join(["set -e", *_nft(script)]))
        if script == links.HEALED:
            del self._cut[pod]

    async def _shell(self, pod: str, uid: str) -> Shell:
        box = Box(pod=pod, container=CONTAINER)
        if self._pods.instance(box) is None:
            await self._api.patch(
                POD,
                pod,
                {"spec": {"ephemeralContainers": [container(self._image)]}},
                self._namespace,
                subresource="ephemeralcontainers",
                content="application/strategic-merge-patch+json",
            )
            running: Callable[[], object] = lambda: self._pods.instance(box)  # noqa: E731
            await self._pods.until(f"the container that cuts links runs in {pod}", running, timeout_s=START_TIMEOUT_S)
        return self._shells.setdefault(uid, Shell(self._api, self._namespace, box))


def container(image: str) -> Manifest:
    return {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", _WAITS],
        "securityContext": {
            "runAsUser": 0,
            "runAsNonRoot": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        },
    }


async def why_not(api: Api, namespace: str, *, has_nft: bool, has_python: bool, image: str) -> str:
    """Why links cannot be cut; "" when they can, as far as rights and images tell."""
    if not has_nft:
        return f"the image {image} has no nft, which cuts links; images that vtchaos builds have it"
    if not has_python:
        return f"the image {image} has no python3, which shows that links are cut; images that vtchaos builds have it"
    if not await api.can("patch", POD, namespace, subresource="ephemeralcontainers"):
        return "cutting links needs the right to patch pods/ephemeralcontainers, which the cluster does not give"
    return ""


def _address_of(pods: Pods) -> Callable[[Node], str]:
    return lambda node: pods.address(names.box_of(node).pod)


def _nft(script: str) -> list[str]:
    first, *rest = orders.file("/dev/null", script)
    return [first.replace("cat > /dev/null", "nft -f -"), *rest]
