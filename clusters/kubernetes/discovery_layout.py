"""From processes in pods and from the topology to a layout: nodes with the names that they have everywhere. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clusters.common.images import DATA
from clusters.common.layout import Layout
from clusters.kubernetes.discovery import Program
from clusters.kubernetes.discovery_topology import KeyspaceFacts, TabletFacts, Topology
from harness.base.errors import PlanError
from harness.model import ClusterSpec, Node, Role, VtgateSpec, key_ranges

Versions = Mapping[tuple[str, str], str]
"""(pod, container) → release."""

WHOLE = "-"  # what vitess-operator calls the one shard of an unsharded keyspace
_REPLICATING = ("primary", "replica")
# A flag that says where a process is and not how it behaves, or that may hold a secret: the spec goes into reports.
_LEFT_OUT = re.compile(
    r"^(topo|log|init|service)-|^(alsologtostderr|logtostderr|stderrthreshold|v)$|"
    r"(^|-)(port|host|hostname|address|path|root|file|dir|cell|shard|keyspace|alias|socket|"
    r"auth|user|uname|password|passwd|secret|credentials?|token|cert|key|ca|crl|string|map|watch)(-|$)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A Vitess that is there. `programs`: node name → its process. `missing`: what is not there, a sentence each."""

    layout: Layout
    programs: Mapping[str, Program]
    missing: tuple[str, ...]
    tablets: tuple[TabletFacts, ...]
    vschema: str  # of the keyspace, JSON


def assembled(
    programs: Sequence[Program],
    topology: Topology,
    *,
    keyspace: str,
    versions: Versions,
    logs: Path,
    others: Sequence[str] = (),
) -> Found:
    """`others`: further keyspaces whose tablets become nodes, though the spec does not tell of them.

    Raises PlanError: no or more than one keyspace to choose from, shards that cannot be named, no vtgate.
    """
    chosen = _chosen(topology, keyspace)
    records = tuple(each for each in topology.tablets if each.keyspace == chosen.name)
    _refuse(chosen, records, programs)
    placed = _Placed(versions)
    placed.single(programs, Role.ETCD)
    placed.single(programs, Role.VTCTLD)
    placed.tablets(programs, chosen, records)
    for other in (each for each in topology.keyspaces if each.name in others):
        placed.tablets(programs, other, [each for each in topology.tablets if each.keyspace == other.name])
    placed.single(programs, Role.VTORC)
    placed.vtgates(programs)
    nodes = tuple(placed.nodes)
    layout = Layout(
        spec=_spec(chosen, records, nodes, placed.programs),
        nodes=nodes,
        hosts={name: program.ip for name, program in placed.programs.items()},
        ports=placed.ports,
        data=DATA,
        logs=logs,
    )
    missing = (*placed.missing, *_absent(nodes))
    return Found(layout=layout, programs=placed.programs, missing=missing, tablets=records, vschema=chosen.vschema)


def _chosen(topology: Topology, keyspace: str) -> KeyspaceFacts:
    names = {each.name: each for each in topology.keyspaces}
    has = ", ".join(names) or "none"
    if keyspace:
        if keyspace not in names:
            raise PlanError(f"this Vitess has no keyspace {keyspace}; it has {has}")
        return names[keyspace]
    if len(names) != 1:
        raise PlanError(f"which keyspace? This Vitess has {has}; say which with --keyspace")
    return next(iter(names.values()))


def _refuse(keyspace: KeyspaceFacts, records: Sequence[TabletFacts], programs: Sequence[Program]) -> None:
    if not any(program.role is Role.VTGATE for program in programs):
        raise PlanError("no vtgate runs there: the clients of an experiment have nothing to talk to")
    if not keyspace.shards:
        raise PlanError(f"the keyspace {keyspace.name} has no shards")
    if len(keyspace.shards) > 1 and keyspace.shards != key_ranges(len(keyspace.shards)):
        raise PlanError(
            f"the keyspace {keyspace.name} has the shards {', '.join(keyspace.shards)}, which are not equal parts; "
            "experiments can only be run on equal ones"
        )
    if len(keyspace.shards) == 1 and keyspace.shards[0] not in (WHOLE, "0"):
        raise PlanError(f"the keyspace {keyspace.name} has only the shard {keyspace.shards[0]}, a part of it")
    bare = [shard for shard in keyspace.shards if not any(each.shard == shard for each in records)]
    if bare:
        raise PlanError(f"{keyspace.name}/{bare[0]} has no tablets")


class _Placed:
    """Nodes as they are found, in start order."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self.nodes: list[Node] = []
        self.programs: dict[str, Program] = {}
        self.ports: dict[str, dict[str, int]] = {}
        self.missing: list[str] = []

    def single(self, programs: Iterable[Program], role: Role) -> None:
        """The first one has the role's name, any further one a number: etcd, etcd-2, etcd-3."""
        for number, program in enumerate((each for each in programs if each.role is role), start=1):
            self._add(f"{role}-{number}" if number > 1 else str(role), program)

    def vtgates(self, programs: Iterable[Program]) -> None:
        for number, program in enumerate((each for each in programs if each.role is Role.VTGATE), start=1):
            self._add(f"vtgate-{number}", program)

    def tablets(self, programs: Sequence[Program], keyspace: KeyspaceFacts, records: Sequence[TabletFacts]) -> None:
        """A vttablet and its mysqld each, shard by shard."""
        twice = {uid for uid, count in Counter(each.uid for each in records).items() if count > 1}
        for record in sorted(records, key=lambda each: (keyspace.shards.index(each.shard), each.alias)):
            label = f"{record.cell}-{record.uid}" if record.uid in twice else str(record.uid)
            vttablet = _process_of(record, programs)
            if vttablet is None:
                self.missing.append(
                    f"the pod of vttablet-{label} ({record.keyspace}/{record.shard}, at {record.hostname}): "
                    "it is not probed, and no fault reaches it"
                )
                continue
            mysqld = next((each for each in programs if each.role is Role.MYSQLD and each.pod == vttablet.pod), None)
            if mysqld is not None:
                port = {"mysql": record.mysql_port} if record.mysql_port else {}
                self._add(f"mysqld-{label}", mysqld, record=record, ports=port)
            named = {"web": record.ports.get("vt", 0), "grpc": record.ports.get("grpc", 0)}
            ports = {name: number for name, number in named.items() if number}
            self._add(f"vttablet-{label}", vttablet, record=record, ports=ports)

    def _add(
        self,
        name: str,
        program: Program,
        *,
        record: TabletFacts | None = None,
        ports: Mapping[str, int] | None = None,
    ) -> None:
        version = self._versions.get((program.pod, program.container), "") or program.image_version
        node = Node(name=name, role=program.role, version=version, cell=record.cell if record else program.cell)
        if record is not None:
            node = Node(
                name=name,
                role=program.role,
                version=version,
                cell=record.cell,
                keyspace=record.keyspace,
                shard=record.shard,
                tablet_uid=record.uid,
            )
        self.nodes.append(node)
        self.programs[name] = program
        self.ports[name] = {**program.ports, **(ports or {})}


def _process_of(record: TabletFacts, programs: Sequence[Program]) -> Program | None:
    """A tablet's vttablet: by the alias that its pod tells, else by its address and port."""
    vttablets = [each for each in programs if each.role is Role.VTTABLET]
    by_alias = next((each for each in vttablets if each.alias == record.alias), None)
    if by_alias is not None:
        return by_alias
    there = [each for each in vttablets if not each.alias and _at(record.hostname, each)]
    by_port = [each for each in there if each.ports.get("grpc") == record.ports.get("grpc")]
    return next(iter((*by_port, *there)), None)


def _at(hostname: str, program: Program) -> bool:
    """A tablet registers its address, its pod's name, or its name in a headless Service."""
    return hostname == program.ip or hostname.partition(".")[0] in (program.hostname, program.pod)


def _absent(nodes: Sequence[Node]) -> list[str]:
    """What a Vitess usually has and this one does not show."""
    has = {node.role for node in nodes}
    rows = {
        Role.ETCD: "etcd: the topology server is outside of this namespace, or none of the usual; no fault reaches it",
        Role.MYSQLD: "mysqld: not beside the vttablets; no fault reaches it",
        Role.VTORC: "vtorc: nobody repairs a shard whose primary died",
    }
    return [why for role, why in rows.items() if role not in has]


def _spec(
    keyspace: KeyspaceFacts, records: Sequence[TabletFacts], nodes: Sequence[Node], programs: Mapping[str, Program]
) -> ClusterSpec:
    """As if we had made it. Flags are those that the command lines tell, defaults are not among them."""
    counts = Counter(each.shard for each in records if each.type in _REPLICATING)
    vtgates = [node for node in nodes if node.role is Role.VTGATE]
    vttablets = [node for node in nodes if node.role is Role.VTTABLET]
    flags = [behaviour(programs[node.name].flags) for node in vtgates]
    common = _common(flags)
    release = vttablets[0].version if vttablets else vtgates[0].version
    return ClusterSpec(
        keyspace=keyspace.name,
        shards=len(keyspace.shards),
        whole=keyspace.shards[0] if len(keyspace.shards) == 1 else "0",
        tablets_per_shard=max(1, min(counts[shard] for shard in keyspace.shards)),
        cell=vtgates[0].cell or records[0].cell,
        vitess=release,
        durability_policy=keyspace.durability_policy,
        vtorc=any(node.role is Role.VTORC for node in nodes),
        vtgates=tuple(
            VtgateSpec(version=node.version, flags={key: own[key] for key in own if key not in common})
            for node, own in zip(vtgates, flags, strict=True)
        ),
        vtgate_flags=common,
        vttablet_flags=_common([behaviour(programs[node.name].flags) for node in vttablets]),
        vtctld_flags=_common([behaviour(programs[node.name].flags) for node in nodes if node.role is Role.VTCTLD]),
        vschema=keyspace.vschema,
    )


def behaviour(flags: Mapping[str, str]) -> dict[str, str]:
    """The flags that say how a process behaves."""
    return {flag: value for flag, value in flags.items() if not _LEFT_OUT.search(flag)}


def _common(all_flags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all of them have alike."""
    if not all_flags:
        return {}
    first, *others = all_flags
    return {flag: value for flag, value in first.items() if all(each.get(flag) == value for each in others)}
