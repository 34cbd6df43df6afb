"""What a backend does with single processes; all else of a cluster is the same everywhere.

A process is a node's program in the backend's own kind of box: a child of the supervisor, a container, a container of
a pod. `harness.contracts.Cluster` is made of this by `clusters.common.cluster`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from clusters.common.commands import Command
from harness.model import Capability, HeldBack, Knock, Limits, LinkRule, Node

NO_PODS = "its nodes do not live in pods"
NOT_YET = "this backend has no means for it yet"
OWN_ADDRESSES = "each node has an address of its own, which no other can take"
ONE_RELEASE = "the cluster was stood up with one release only (--upgrade-to RELEASE makes a second one ready)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """A program ended. `status` is negative for a signal; `asked` = somebody of ours wanted it to end. `cause`: what
    ended it that is neither of ours nor of Vitess, as a sentence's end: "killed by somebody else"; "" = none known."""

    name: str
    status: int
    asked: bool
    at_ns: int
    cause: str = ""

    @property
    def how(self) -> str:
        how = f"signal {-self.status}" if self.status < 0 else f"exit status {self.status}"
        return f"{how}, {self.cause}" if self.cause else how


def refused(capabilities: Mapping[Capability, str], limits: Limits) -> str:
    """Why these limits cannot be set; "" when they can."""
    wanted = {
        Capability.CPU: limits.cpus > 0,
        Capability.DISK: limits.disk_full,
        Capability.LOG_SINK: limits.log_bytes_per_s > 0,
    }
    return "; ".join(capabilities[capability] for capability, asked in wanted.items() if asked)


class Processes(Protocol):
    """The processes of one cluster. Every call is bounded, and raises ClusterError when it cannot be done."""

    @property
    def capabilities(self) -> Mapping[Capability, str]: ...  # "" = yes; otherwise the reason why not
    def on_exit(self, callback: Callable[[Exit], None]) -> None: ...  # in the loop; one callback
    async def prepare(self, node: Node, *, keyspace: str, files: Mapping[str, str]) -> None: ...

    # ^ the node's folder, with the files in it; for a mysqld (`keyspace` given) with a data directory of that keyspace
    async def spawn(self, node: Node, command: Command) -> None: ...  # "already running" is part of its error then
    async def signal(self, node: Node, signum: int, *, ends: bool = False) -> bool: ...  # False: it is not running

    # ^ signal 0 does nothing but ask
    async def set_links(self, rules: Sequence[LinkRule]) -> None: ...  # the whole desired state; () heals
    async def knock(
        self, source: Node, target: Node, *, times: int, kbytes: int, within_s: float
    ) -> Sequence[Knock]: ...  # connections opened from the source's place, all at once
    async def set_limits(self, node: Node, limits: Limits) -> None: ...  # the node's whole desired state

    # ^ also of its next start
    async def held_back(self, node: Node) -> HeldBack: ...  # `HeldBack()` without limits
    async def traces(self) -> Sequence[str]: ...  # what is stopped, cut, limited or diverted, as seen; () = nothing
    def outside(self, node: Node, port: str) -> tuple[str, int]: ...  # where this harness reaches it
