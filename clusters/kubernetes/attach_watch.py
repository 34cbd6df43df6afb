"""Which pod is which node now: pods of other people are replaced whenever it pleases them. Pure but for the watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clusters.kubernetes import discovery
from clusters.kubernetes.api import Api
from clusters.kubernetes.discovery import Program
from clusters.kubernetes.pods import POD_DELETED
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import NAMESPACE, POD
from harness.base import wait
from harness.base.errors import ClusterError

WATCH_AGAIN_S = 0.5
_SIGTERM = 15  # what a pod's processes get when the pod is deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of a node's process."""

    program: Program
    restarts: int

    @property
    def key(self) -> tuple[str, int]:
        return self.program.pod_uid, self.restarts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A node's process ended; `status` is negative for a signal. `cause`: as `Exit` has it."""

    node: str
    status: int
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A node's process runs, in the same pod or in the one that replaced it."""

    node: str
    life: Life


class Lives:
    """The present life of every node's process, from what the watch tells."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self._places = dict(programs)  # node → its last known process
        self._pods: dict[str, Mapping[str, Any]] = {}
        self._now: dict[str, Life] = {}

    def now(self, node: str) -> Life | None:
        """None while it does not run."""
        return self._now.get(node)

    @property
    def over(self) -> bool:
        """None of them runs."""
        return not self._now

    def take(self, kind: str, manifest: Mapping[str, Any]) -> list[Ended | Begun]:
        """What one word of the watch changes."""
        if kind == "LISTED":
            self._pods = {each["metadata"]["name"]: each for each in manifest.get("items") or ()}
        elif kind == "DELETED":
            self._pods.pop(manifest["metadata"]["name"], None)
        else:
            self._pods[manifest["metadata"]["name"]] = manifest
        return self._changes()

    def _changes(self) -> list[Ended | Begun]:
        seen = discovery.programs(self._pods.values())
        changes: list[Ended | Begun] = []
        places = _processes_of(self._places, seen)
        for node in self._places:
            program = places.get(node)
            restarts = _restarts(self._pods, program) if program else None
            life = Life(program=program, restarts=restarts) if program and restarts is not None else None
            before = self._now.get(node)
            if before is not None and (life is None or life.key != before.key):
                changes.append(_ended(node, self._pods.get(before.program.pod), before))
                del self._now[node]
            if life is not None and (before is None or life.key != before.key):
                self._now[node], self._places[node] = life, life.program
                changes.append(Begun(node=node, life=life))
        return changes


# How a node's process is known again: surest first.
_SAME: tuple[Callable[[Program, Program], bool], ...] = (
    lambda before, now: before.pod_uid == now.pod_uid,
    lambda before, now: before.pod == now.pod,
    lambda before, now: bool(before.alias) and before.alias == now.alias,
    lambda before, now: bool(before.owner.name) and before.owner == now.owner and not before.alias,
)


def _processes_of(places: Mapping[str, Program], seen: Iterable[Program]) -> dict[str, Program]:
    """The processes that have the nodes' places now: the same pods', or their successors'. None has two."""
    free = list(seen)
    found: dict[str, Program] = {}
    for same in _SAME:
        for node, before in places.items():
            alike = (
                now
                for now in free
                if (now.role, now.container) == (before.role, before.container) and same(before, now)
            )
            now = next(alike, None) if node not in found else None
            if now is not None:
                found[node] = now
                free.remove(now)
    return found


def _restarts(pods: Mapping[str, Mapping[str, Any]], program: Program) -> int | None:
    """How often the container was restarted; None while it does not run."""
    status = _container_status(pods[program.pod], program.container)
    return int(status.get("restartCount", 0)) if "running" in (status.get("state") or {}) else None


def _container_status(pod: Mapping[str, Any], container: str) -> Mapping[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((each for each in statuses if each["name"] == container), {})


def _ended(node: str, pod: Mapping[str, Any] | None, before: Life) -> Ended:
    """How the last life ended, as far as the API tells: 137 is what a SIGKILL looks like from outside."""
    if pod is None or pod["metadata"].get("uid") != before.program.pod_uid or pod["metadata"].get("deletionTimestamp"):
        return Ended(node=node, status=-_SIGTERM, cause=POD_DELETED)
    return Ended(node=node, status=_status(pod, before))


def _status(pod: Mapping[str, Any], before: Life) -> int:
    status = _container_status(pod, before.program.container)
    for state in (status.get("state") or {}, status.get("lastState") or {}):
        ended = state.get("terminated")
        if ended:
            code = int(ended.get("exitCode", 0))
            return 128 - code if code > 128 else code
    return -_SIGTERM


async def watch(api: Api, namespace: str, lives: Lives, on_change: Callable[[Ended | Begun], None]) -> None:
    """Tells of every change until cancelled. An API server that is away for a while ends nothing.

    Raises ClusterError when the namespace is gone or about to go: whatever the run sees then says nothing of Vitess.
    """
    while True:
        try:
            async for kind, manifest in api.watch(POD, namespace):
                for change in lives.take(kind, manifest):
                    on_change(change)
                if lives.over:
                    await _require(api, namespace)
        except ApiError:
            await wait.hold(WATCH_AGAIN_S)


async def _require(api: Api, namespace: str) -> None:
    there = await api.get(NAMESPACE, namespace)
    if there is None or there["metadata"].get("deletionTimestamp"):
        raise ClusterError(f"the namespace {namespace} was deleted while it was in use, and Vitess went with it")
