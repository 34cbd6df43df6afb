"""What a Vitess cluster is made of, and what can be done to it: processes, links, pods, limits."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Role(enum.StrEnum):
    """What a process of a Vitess cluster is for."""

    ETCD = "etcd"
    VTCTLD = "vtctld"
    VTORC = "vtorc"
    MYSQLD = "mysqld"
    VTTABLET = "vttablet"
    VTGATE = "vtgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One process. `name` is unique in its cluster and is the name of its log and samples files.

    Names: `etcd`, `vtctld`, `vtorc`, `vtgate-1`, `mysqld-100`, `vttablet-100` (100 = tablet uid).
    """

    name: str
    role: Role
    version: str
    cell: str = "zone1"
    keyspace: str = ""
    shard: str = ""
    tablet_uid: int = 0

    @property
    def tablet_alias(self) -> str:
        """Vitess's own spelling, e.g. zone1-0000000100; empty for what is not a tablet."""
        return f"{self.cell}-{self.tablet_uid:010d}" if self.tablet_uid else ""


class Capability(enum.StrEnum):
    """What a backend may or may not be able to do."""

    SIGNAL = "signal"
    RESTART = "restart"
    LINKS = "links"  # drop, reset and rate
    DELAY = "delay"  # a link's delay
    CPU = "cpu"
    PODS = "pods"  # a node's whole pod can be taken away
    DISK = "disk"
    LOG_SINK = "log-sink"
    VERSIONS = "versions"  # a node may start again with another release
    PORTS = "ports"  # a node may start again at another one's ports
    KERNEL_CLEANUP = "kernel-cleanup"


class LinkEffect(enum.StrEnum):
    """What happens to what goes over a link. Existing connections are hit too."""

    DROP = "drop"  # a share of the packets never arrives
    RESET = "reset"  # connections are answered with a TCP reset
    RATE = "rate"  # packets above a rate never arrive
    DELAY = "delay"  # everything arrives later; connections that exist are reset once, and made anew


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRule:
    """What happens to what `source` sends to `target` (node names): one direction."""

    source: str
    target: str
    effect: LinkEffect = LinkEffect.DROP
    share: float = 1.0  # DROP: of the packets
    kbytes_per_s: int = 0  # RATE
    delay_ms: float = 0.0  # DELAY
    jitter_ms: float = 0.0  # DELAY: up to so much more or less


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What became of a connection that was opened from one node's place to another node's port."""

    outcome: str  # "answered", "refused" (or reset), "ended" without a word, "silent" until it was given up
    took_ms: float  # until the first byte of an answer, or until it was known that none comes
    retransmits: int = 0  # packets that its kernel sent again


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """A node's pod; `PodSeen()`: there is none."""

    uid: str = ""
    machine: str = ""  # "" = it has no place yet
    leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a node's process may have of its host; `Limits()` is no limit."""

    cpus: float = 0.0  # cores; 0 = no limit
    disk_full: bool = False  # its data directory takes no further byte
    log_bytes_per_s: int = 0  # how fast its log is taken from it; 0 = no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """What a node's limits do to it, as the kernel has it."""

    times: int = 0  # how often its CPU limit has stopped it
    writers: int = 0  # threads that sleep in a write of its log
