"""The pods of a cluster, as one watch tells of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clusters.kubernetes.api import Api
from clusters.kubernetes.names import Box
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import POD, Manifest, name_of
from harness.base import wait
from harness.base.errors import ClusterError, WaitTimeout

WATCH_AGAIN_S = 0.5
POD_DELETED = "gone: its pod was deleted"  # clusters.common.processes.Exit.cause
# Reasons for which a container waits that do not pass by themselves.
_HOPELESS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One life of a container. After a restart, or in the pod that replaced its own, it is another one."""

    pod: str  # uid
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What the API says of a pod."""

    name: str
    uid: str
    address: str  # "" = none yet
    node: str  # the machine; "" = none yet
    leaving: bool
    running: Mapping[str, Instance]  # of the containers that run
    problem: str  # why it does not run; "" = nothing is said
    hopeless: bool  # the problem will not pass by itself


def read(manifest: Manifest) -> Pod:
    """A pod's object."""
    meta, spec, status = manifest["metadata"], manifest.get("spec", {}), manifest.get("status", {})
    containers = [*status.get("containerStatuses", ()), *status.get("ephemeralContainerStatuses", ())]
    waiting = [(row["name"], row["state"]["waiting"]) for row in containers if "waiting" in row.get("state", {})]
    problems = [_words(name, state) for name, state in waiting if state.get("reason") != "ContainerCreating"]
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        address=status.get("podIP", ""),
        node=spec.get("nodeName", ""),
        leaving="deletionTimestamp" in meta,
        running={
            row["name"]: Instance(pod=meta["uid"], restarts=row.get("restartCount", 0))
            for row in containers
            if "running" in row.get("state", {})
        },
        problem="; ".join([*problems, *_unplaced(status)]),
        hopeless=any(state.get("reason") in _HOPELESS for _, state in waiting),
    )


def _words(name: str, state: Mapping[str, Any]) -> str:
    message = state.get("message", "")
    return f"container {name}: {state.get('reason', 'waits')}" + (f" ({message})" if message else "")


def _unplaced(status: Mapping[str, Any]) -> list[str]:
    return [
        f"no place: {row.get('message', 'no reason given')}"
        for row in status.get("conditions", ())
        if row["type"] == "PodScheduled" and row["status"] == "False"
    ]


class Pods:
    """What is known of them now. Made by `watched`."""

    def __init__(self) -> None:
        self._pods: dict[str, Pod] = {}
        self._news = asyncio.Event()
        self._trouble = "nothing was heard yet"

    def get(self, name: str) -> Pod | None:
        return self._pods.get(name)

    def all(self) -> tuple[Pod, ...]:
        return tuple(self._pods.values())

    def instance(self, box: Box) -> Instance | None:
        """The container's present life; None while it does not run."""
        pod = self._pods.get(box.pod)
        return pod.running.get(box.container) if pod else None

    def deleted(self, name: str, life: Instance) -> bool:
        """The pod of that life is gone, or about to go."""
        pod = self._pods.get(name)
        return pod is None or pod.uid != life.pod or pod.leaving

    def address(self, name: str) -> str:
        """Raises ClusterError while the pod has none."""
        pod = self._pods.get(name)
        if pod is None or not pod.address:
            raise ClusterError(f"the pod {name} has no address yet")
        return pod.address

    async def changed(self) -> None:
        """The next word of the watch; the caller bounds this wait."""
        self._news.clear()
        await self._news.wait()

    async def until(self, name: str, condition: Callable[[], object], *, timeout_s: float) -> None:
        """Wait until what is known fulfils it; looked at again with every change. Raises WaitTimeout with what is
        wrong with the pods."""

        async def fulfilled() -> None:
            while not condition():
                await self.changed()

        try:
            await wait.finish(name, fulfilled(), timeout_s=timeout_s)
        except WaitTimeout:
            raise WaitTimeout(name, timeout_s, self.problems() or self._trouble or "no problem is told") from None

    async def until_running(
        self, boxes: Sequence[Box], *, timeout_s: float, tell: Callable[[int], None] = lambda running: None
    ) -> None:
        """Wait until these containers run; `tell` hears of the pods that do. Raises ClusterError when one of them
        never will, WaitTimeout."""
        wanted: dict[str, list[Box]] = {}
        for box in boxes:
            wanted.setdefault(box.pod, []).append(box)

        def all_run() -> bool:
            hopeless = [pod for pod in self._pods.values() if pod.hopeless and pod.name in wanted]
            if hopeless:
                raise ClusterError(f"the pod {hopeless[0].name} does not start: {hopeless[0].problem}")
            running = sum(all(self.instance(box) for box in of_pod) for of_pod in wanted.values())
            tell(running)
            return running == len(wanted)

        await self.until("all pods run", all_run, timeout_s=timeout_s)

    def problems(self) -> str:
        return "; ".join(f"{pod.name}: {pod.problem}" for pod in self._pods.values() if pod.problem)

    def take(self, kind: str, manifest: Manifest) -> None:
        """One word of the watch."""
        self._trouble = ""
        if kind == "LISTED":
            self._pods = {name_of(item): read(item) for item in manifest.get("items") or []}
        elif kind == "DELETED":
            self._pods.pop(name_of(manifest), None)
        else:
            self._pods[name_of(manifest)] = read(manifest)
        self._news.set()

    def deaf(self, why: str) -> None:
        """The watch broke."""
        self._trouble = why


@contextlib.asynccontextmanager
async def watched(api: Api, namespace: str, *, labels: str) -> AsyncIterator[Pods]:
    """The pods, kept up to date as long as the block lasts."""
    pods = Pods()
    listening = asyncio.create_task(_listen(api, namespace, labels, pods), name="watch pods")
    try:
        yield pods
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _listen(api: Api, namespace: str, labels: str, pods: Pods) -> None:
    """An API server that is away for a while is no end of a cluster: what is waited for has its own bound."""
    while True:
        try:
            async for kind, manifest in api.watch(POD, namespace, labels=labels):
                pods.take(kind, manifest)
        except ApiError as error:
            pods.deaf(str(error))
            await wait.hold(WATCH_AGAIN_S)
