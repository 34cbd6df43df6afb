"""What this host permits the local backend to do."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from clusters.local import supervision
from harness.base import procs
from harness.base.errors import PlanError, ProcessError

NAMESPACES = "namespaces"  # the names of clusters.local.supervisor.main
USER_NAMESPACE = "user-namespace"
PROCESS_GROUP = "process-group"
ISOLATIONS = (NAMESPACES, USER_NAMESPACE, PROCESS_GROUP)

NOBODY = 65534
LOOPBACK = "127.0.0.1"
_TRY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """How a cluster is kept apart. `kernel_cleanup` is "" or why a killed harness may leave something behind."""

    kind: str
    kernel_cleanup: str = ""

    @property
    def own_mounts(self) -> bool:
        return self.kind != PROCESS_GROUP

    @property
    def own_network(self) -> bool:
        return self.kind == NAMESPACES


async def isolation(forced: str = "") -> Isolation:
    """The best that this host permits: tried, not guessed. Raises PlanError for an unknown or forbidden one."""
    if forced and forced not in ISOLATIONS:
        raise PlanError(f"unknown isolation {forced!r}; it is one of {', '.join(ISOLATIONS)}")
    why_not: dict[str, str] = {}
    for kind in (forced,) if forced else ISOLATIONS:
        why_not[kind] = await _why_not(kind)
        if not why_not[kind]:
            return Isolation(kind=kind, kernel_cleanup=_caveat(kind, why_not))
    raise PlanError(f"this host does not permit isolation {forced}: {why_not[forced]}")


def owner() -> int | None:
    """Who the programs run as: mysqld refuses root; an ordinary user stays himself."""
    return NOBODY if os.geteuid() == 0 else None


async def _why_not(kind: str) -> str:
    """Try the system calls in a process of its own; "" when they work."""
    if kind == PROCESS_GROUP:
        return ""
    if sys.platform != "linux":
        return "namespaces are a feature of Linux"
    if kind == NAMESPACES and os.geteuid() != 0:
        return "only root may connect a network namespace to the host"
    if kind == USER_NAMESPACE and os.geteuid() == 0:
        return "root uses plain namespaces"
    try:
        await procs.run(_probe(kind), timeout_s=_TRY_TIMEOUT_S)
    except ProcessError as error:
        return (error.tail.strip().splitlines() or [error.why])[-1]
    return ""


def _probe(kind: str) -> list[str]:
    """A supervisor that makes its namespaces and ends: nobody holds the other end of its lifeline."""
    return supervision.probe_command(kind)


def _caveat(kind: str, why_not: dict[str, str]) -> str:
    if kind != PROCESS_GROUP:
        return ""
    tried = "; ".join(f"{name}: {why}" for name, why in why_not.items() if why)
    return "no pid namespace: processes end with their supervisor, not by the kernel" + (f" ({tried})" if tried else "")
