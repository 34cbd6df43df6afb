"""What is to be stood up, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class VtgateSpec:
    """One vtgate: its version and its own flags (dashed spelling, without the leading dashes)."""

    version: str = ""  # "" = the cluster's version
    flags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """In what kind of boxes a cluster stands, and where. What a backend has no use for stays at its default."""

    image: str = ""  # of all Vitess components, `{version}` in it is replaced; "" = pulled or built, whichever works
    together: bool = False  # docker: a tablet's mysqld and vttablet in one container
    memory_mb: int = 0  # limit of each container; 0 = none
    cpus: float = 0.0  # limit of each container; 0 = none
    context: str = ""  # kubernetes: of the kubeconfig; "" = the current one
    kind: bool = False  # kubernetes: in a kind cluster of our own
    storage_class: str = ""  # kubernetes: of the tablets' volumes; "" = data that goes with the pod
    operator: bool = False  # kubernetes: as a VitessCluster, which vitess-operator stands up
    load_pods: int = 0  # kubernetes: the load runs in so many pods inside; 0 = in processes here


def key_ranges(shards: int) -> tuple[str, ...]:
    """Names of `shards` equal shards of the whole keyspace: ("0",) for one, ("-80", "80-") for two.

    Splits at the byte boundaries that Vitess's own `vtctldclient GenerateShardRanges` gives
    (go/vt/key.GenerateShardRanges, v0.24.3).
    """
    if not 1 <= shards <= 256:
        raise ValueError(f"a keyspace of this harness has 1 to 256 shards, not {shards}")
    if shards == 1:
        return ("0",)
    digits = 2
    bounds = [format(index * 256 // shards, f"0{digits}x") for index in range(shards)]
    starts = ["", *bounds[1:]]
    ends = [*bounds[1:], ""]
    return tuple(f"{start}-{end}" for start, end in zip(starts, ends, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyspaceSpec:
    """One keyspace of a cluster."""

    name: str
    shards: int = 1
    tablets_per_shard: int = 2
    schema: tuple[str, ...] = ()  # SQL, applied to every shard
    vschema: str = ""  # JSON
    whole: str = "0"  # name of the only shard; vitess-operator's is "-"
    further_shards: tuple[str, ...] = ()  # stood up with the others, but not serving: what a Reshard splits into

    @property
    def shard_names(self) -> tuple[str, ...]:
        """The shards that serve."""
        return (self.whole,) if self.shards == 1 else key_ranges(self.shards)

    @property
    def all_shards(self) -> tuple[str, ...]:
        return (*self.shard_names, *self.further_shards)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """What to stand up. Flags are in dashed spelling without leading dashes; the backend spells them for
    each binary's version. An empty flag value means the bare flag (`--flag`)."""

    keyspace: str = "ks"
    shards: int = 32
    tablets_per_shard: int = 2
    cell: str = "zone1"
    vitess: str = "24.0.3"  # a release, or a directory of binaries
    upgrade_to: str = ""  # a second release, with which nodes can be started again; "" = none
    mysql: str = ""  # "" = what fits the vttablets' release
    durability_policy: str = "semi_sync"
    vtorc: bool = False
    vtgates: tuple[VtgateSpec, ...] = (VtgateSpec(),)
    vtgate_flags: Mapping[str, str] = field(default_factory=dict)  # for all vtgates; a vtgate's own win
    vttablet_flags: Mapping[str, str] = field(default_factory=dict)
    vtctld_flags: Mapping[str, str] = field(default_factory=dict)
    mysqld_settings: Mapping[str, str] = field(default_factory=dict)  # my.cnf keys
    schema: tuple[str, ...] = ()  # SQL, applied to every shard
    vschema: str = ""  # JSON
    others: tuple[KeyspaceSpec, ...] = ()  # keyspaces beside `keyspace`, e.g. the target of MoveTables
    whole: str = "0"  # name of `keyspace`'s only shard; vitess-operator's is "-"
    further_shards: tuple[str, ...] = ()  # of `keyspace`, which do not serve (KeyspaceSpec)
    mysql_over_tcp: bool = False  # a vttablet reaches its mysqld over a link that can be cut, not over a unix socket

    @property
    def shard_names(self) -> tuple[str, ...]:
        """The shards that serve."""
        return (self.whole,) if self.shards == 1 else key_ranges(self.shards)

    @property
    def all_shards(self) -> tuple[str, ...]:
        return (*self.shard_names, *self.further_shards)

    @property
    def keyspaces(self) -> tuple[KeyspaceSpec, ...]:
        """All keyspaces, the main one first."""
        main = KeyspaceSpec(
            name=self.keyspace,
            shards=self.shards,
            tablets_per_shard=self.tablets_per_shard,
            schema=self.schema,
            vschema=self.vschema,
            whole=self.whole,
            further_shards=self.further_shards,
        )
        return (main, *self.others)

    def vtgate_version(self, index: int) -> str:
        return self.vtgates[index].version or self.vitess
