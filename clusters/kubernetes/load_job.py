"""Load pods: a Job in the cluster's namespace whose pods wait for load stations (harness.load.remote) to be run in
them, one each, through an exec session that carries the station's input and output.

Nothing outlives its harness for long. A station ends when its session does; a pod ends when the station that was in
it is gone, or when none came; a Job that has ended is removed by the cluster itself. In a run's own namespace it goes
with that anyway.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from clusters.common.layout import Layout
from clusters.images import load_image
from clusters.kubernetes import names, pods
from clusters.kubernetes.api import Api
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import JOB, POD, Manifest, labels_of, name_of
from clusters.kubernetes.sockets import Session
from clusters.kubernetes.store import NodeImages
from harness.base import wait
from harness.base.errors import ClusterError, HarnessError
from harness.base.procs import tail_of
from harness.contracts import Conversation, Observer
from harness.model import Node

LOAD = "load"  # the container, and the pods' node label
INDEX = "batch.kubernetes.io/job-completion-index"  # labels that the Job gives its pods
JOB_NAME = "job-name"
WORK = "/tmp"  # the station's folder is made here
START_WITHIN_S = 120.0  # the image may have to come
LAST_S = 24 * 3600  # no load lasts longer; the cluster ends the Job then
FORGET_S = 60  # after its end the Job is removed
MEMORY_MIB = 256
# Together the pods ask for no more than this: they must find a place beside the cluster, also on a small node. There
# is no limit: a load that is held back measures itself.
ALL_MILLI = 800
MOST_MILLI = 500
LEAST_MILLI = 50
# The pod's first process: waits for a station (2 minutes), then for its end.
_KEEPER = f"""n=0
until [ -s {WORK}/station ]; do
  n=$((n + 1)); [ $n -le 120 ] || exit 1
  sleep 1
done
while kill -0 "$(cat {WORK}/station)" 2>/dev/null; do sleep 2; done
"""


def beside(api: Api, layout: Layout, marks: Marks, *, user: int) -> JobPlace:
    """Load pods of a cluster that we stood up, with the image that we make for them."""

    async def image(observer: Observer) -> str:
        return await load_image(store=NodeImages(api, marks), observer=observer)

    return JobPlace(api, layout, marks, image=image, user=user)


def job(marks: Marks, name: str, image: str, count: int, *, user: int, account: str = names.ACCOUNT) -> Manifest:
    """The Job of a run. Pure."""
    labels = marks.labels(node=LOAD)
    milli = max(LEAST_MILLI, min(MOST_MILLI, ALL_MILLI // count))
    container: Manifest = {
        "name": LOAD,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", _KEEPER],
        "resources": {"requests": {"cpu": f"{milli}m", "memory": f"{MEMORY_MIB}Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "work", "mountPath": WORK}],
    }
    pod: Manifest = {
        "restartPolicy": "Never",
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsUser": user, "runAsGroup": user, "fsGroup": user, "runAsNonRoot": True},
        "containers": [container],
        "volumes": [{"name": "work", "emptyDir": {}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": marks.namespace, "labels": labels},
        "spec": {
            "completions": count,
            "parallelism": count,
            "completionMode": "Indexed",
            "backoffLimit": 0,  # a pod that died took its records with it: another one would hide that
            "activeDeadlineSeconds": LAST_S,
            "ttlSecondsAfterFinished": FORGET_S,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


class JobPlace:
    """The harness.contracts.LoadPlace of a cluster in Kubernetes."""

    def __init__(
        self,
        api: Api,
        layout: Layout,
        marks: Marks,
        *,
        image: Callable[[Observer], Awaitable[str]],
        user: int,
        account: str = names.ACCOUNT,
    ) -> None:
        """`marks`: of the run, in the namespace of its cluster. `image`: makes a reference that its pods can use.
        `account`: a service account that is there; it needs no rights."""
        self._api = api
        self._layout = layout
        self._marks = marks
        self._image = image
        self._reference = ""
        self._user = user
        self._account = account

    def address(self, node: Node, port: str) -> tuple[str, int]:
        """Raises ClusterError for a port that the node does not have."""
        return self._layout.address(node, port)

    async def prepare(self, observer: Observer) -> None:
        """Raises PlanError, SoftwareError, ClusterError: the image cannot be had."""
        self._reference = await self._image(observer)

    @asynccontextmanager
    async def programs(self, module: str, *, count: int, logs: Path) -> AsyncIterator[Sequence[Conversation]]:
        """Raises ClusterError when the pods cannot run."""
        name = f"{LOAD}-{secrets.token_hex(5)}"  # runs on a kept cluster follow each other in one namespace
        made = job(self._marks, name, self._reference, count, user=self._user, account=self._account)
        async with AsyncExitStack() as stack:
            await self._api.create(made)
            stack.push_async_callback(self._removed, name)
            found = await wait.until(
                f"{count} load pods run", lambda: self._running(name, count), timeout_s=START_WITHIN_S, poll_s=0.25
            )
            argv = ("/bin/sh", "-c", f"echo $$ > {WORK}/station && exec python3 -m {module}")
            talks = []
            for number, pod in enumerate(found.names, start=1):
                session = await stack.enter_async_context(self._api.session(self._marks.namespace, pod, LOAD, argv))
                log = logs / f"load-pod-{number}.log"
                talks.append(PodConversation(self._api, self._marks.namespace, pod, session, number=number, log=log))
            yield talks

    async def _running(self, name: str, count: int) -> Running:
        found = await self._api.list(POD, self._marks.namespace, labels=f"{JOB_NAME}={name}")
        read = {index_of(manifest): pods.read(manifest) for manifest in found}
        for manifest in found:
            pod = read[index_of(manifest)]
            if pod.hopeless or manifest["status"].get("phase") in ("Failed", "Succeeded"):
                why = pod.problem or end_of(manifest) or "its first process ended"
                raise ClusterError(f"the load pod {pod.name} does not start: {why}")
        ready = {index: pod.name for index, pod in read.items() if LOAD in pod.running}
        problems = "; ".join(f"{pod.name}: {pod.problem}" for pod in read.values() if pod.problem)
        return Running(tuple(ready[index] for index in sorted(ready)), count, problems)

    async def _removed(self, name: str) -> None:
        """The Job goes, and then its pods, for which nobody needs to wait. Raises ClusterError."""
        await self._api.delete(JOB, name, self._marks.namespace, grace_s=0)


class Running:
    """The load pods that run, in the Job's order. True when all do."""

    def __init__(self, pod_names: tuple[str, ...], count: int, problems: str) -> None:
        self.names = pod_names
        self._count = count
        self._problems = problems

    def __bool__(self) -> bool:
        return len(self.names) == self._count

    def __repr__(self) -> str:
        return f"{len(self.names)} of {self._count} run" + (f": {self._problems}" if self._problems else "")


class PodConversation:
    """The harness.contracts.Conversation with the station in one pod. What it says to people goes to `log`."""

    def __init__(self, api: Api, namespace: str, pod: str, session: Session, *, number: int, log: Path) -> None:
        self.name = f"load pod {number}"
        self._api = api
        self._namespace = namespace
        self._pod = pod
        self._session = session
        self._pieces = session.pieces()
        self._log = log
        self._broken = ""

    async def read(self) -> bytes:
        try:
            async for channel, data in self._pieces:
                if channel == 1:
                    return data
                self._told(data)
        except HarnessError as error:
            self._broken = str(error)
        return b""

    async def write(self, data: bytes) -> None:
        await self._session.send(data)

    async def obituary(self) -> str:
        """How the pod ended, or that only the way to it did; what it said last."""
        lines = [self._broken]
        if self._session.status is not None:
            lines.append(f"its station ended with status {self._session.status}")
        try:
            manifest = await self._api.get(POD, self._pod, self._namespace)
        except ApiError as error:
            lines.append(f"the pod {self._pod} could not be asked: {error}")
        else:
            lines.append(end_of(manifest) if manifest else f"the pod {self._pod} is gone")
        return "\n".join(line for line in [*lines, tail_of(self._log).rstrip()] if line)

    def _told(self, data: bytes) -> None:
        with self._log.open("ab") as log:
            log.write(data)


def index_of(manifest: Mapping[str, Any]) -> int:
    """Which of the Job's pods it is."""
    return int(labels_of(manifest)[INDEX])


def end_of(manifest: Mapping[str, Any]) -> str:
    """Why a pod has ended; "" = it has not."""
    status = manifest.get("status", {})
    ended = [row["state"]["terminated"] for row in status.get("containerStatuses", ()) if "terminated" in row["state"]]
    words = [status.get("reason", ""), status.get("message", "")]
    words += [f"{end.get('reason', 'ended')} (status {end.get('exitCode')})" for end in ended]
    if not any(words):
        return ""
    return f"the pod {name_of(manifest)}: " + ", ".join(word for word in words if word)
