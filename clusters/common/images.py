"""What the containers of a cluster run: the same for every backend that has containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clusters.common.commands import Programs
from harness.model import ClusterSpec, Node, Role

DATA = Path("/vt/vtdataroot")  # where the nodes' folders are, in every container


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images of one cluster.

    Each has a shell at /bin/sh with the usual small programs (cp, mkdir, kill, cat). One that we built has nft and
    Python too. A published one may have an entry point of its own, which is to be overridden.
    """

    programs: Programs  # paths as the containers see them
    of_version: Mapping[str, str]  # Vitess version as the spec names it → reference
    etcd: str  # reference
    templates: Mapping[str, str]  # keyspace → data directory inside the main image; "" = mysqld must make one
    init_sql: str  # file inside the main image, or "" = to be brought: what a new data directory is given
    has_nft: bool
    has_python: bool
    user: int = 999  # uid and gid that everything runs as, as in vitess/lite

    def of(self, node: Node, spec: ClusterSpec) -> str:
        if node.role is Role.ETCD:
            return self.etcd
        return self.of_version[spec.vitess if node.role is Role.MYSQLD else node.version]


class ImageStore(Protocol):
    """Where containers take their images from: a Docker engine, a containerd, a kind cluster's nodes."""

    async def has(self, reference: str) -> bool: ...
    async def pull(self, reference: str) -> str: ...  # "" = it is there now; otherwise the reason why not
    async def load(self, archive: Path) -> None: ...  # a docker-archive (`docker save`); raises ClusterError
    async def run(self, reference: str, argv: tuple[str, ...], *, timeout_s: float) -> str: ...  # what it printed


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An image of ours in a store."""

    reference: str
    purpose: str  # cluster, vtgate, etcd, load
    vitess: str  # "" for what holds none
    size_bytes: int


class ImageShelf(Protocol):
    """What of ours a store holds, and its removal. Beside ImageStore: not every store can say it."""

    async def ours(self) -> Sequence[Held]: ...
    async def remove(self, reference: str) -> str: ...  # "" = it is gone; otherwise why not (a container uses it)
