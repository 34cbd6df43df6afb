"""Attaching to a Vitess that is there already: look, show, be told that it is ours to break, and only then touch it.

CACHE/clusters/NAME/state.json   what was shown and agreed to, and what we put into it
CACHE/clusters/NAME/logs         what its containers print while somebody of ours looks

Where the nodes are is asked anew at every use: pods come and go. Everything is in one namespace.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clusters.common.keeping import STATE
from clusters.kubernetes import attach_permits, attach_schema, discovery, discovery_topology, rbac, safety
from clusters.kubernetes.api import Api
from clusters.kubernetes.attach_permits import Permits
from clusters.kubernetes.attach_reach import Reach, clients_of, versions_of
from clusters.kubernetes.attach_schema import Added, LoadTable
from clusters.kubernetes.discovery import Program
from clusters.kubernetes.discovery_layout import Found, assembled
from clusters.kubernetes.discovery_topology import Topology
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import NAMESPACE, POD
from clusters.kubernetes.safety import Changed, Showing, Target
from harness.base import jsonio, wait
from harness.base.errors import ClusterError, PlanError
from harness.model import ClusterSpec, Node, Role
from harness.mysql.session import admin_session
from harness.vitess.vtctld import VtctldClient, VtctldError

LOGS = "logs"
LOGIN = "vtchaos"  # user and password with which the load comes (harness.load.config.Target)
ER_ACCESS_DENIED = 1045
QUERY_TIMEOUT_S = 10.0
KNOWN_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user wants to attach to."""

    name: str
    namespace: str
    context: str = ""  # "" = the current one
    vitess_cluster: str = ""  # "" = the only one, or a Vitess deployed by hand
    keyspace: str = ""  # "" = the only one


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """state.json."""

    name: str
    target: Target
    spec: ClusterSpec
    added: Added
    done: bool = True  # False: `added` is what would be put into it, and some of it may be there


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found out without changing anything."""

    target: Target
    found: Found
    permits: Permits
    clients: int
    direct: bool


# ---------------------------------------------------------------- looking


async def target_of(api: Api, namespace: str, vitess_cluster: str) -> Target:
    """What would be touched. Raises PlanError: no such namespace; ApiError."""
    namespace_uid = await uid_of(api, namespace)
    if not namespace_uid:
        raise Changed(f"{api.server} (context {api.context}) has no namespace {namespace}")
    return Target(
        context=api.context,
        server=api.server,
        namespace=namespace,
        cluster_uid=await cluster_of(api),
        namespace_uid=namespace_uid,
        vitess_cluster=vitess_cluster,
        cluster_entry=api.said.cluster,
        user_entry=api.said.user,
    )


async def uid_of(api: Api, namespace: str) -> str:
    """A namespace's; "" when there is none. Raises PlanError: it may not be looked at; ApiError."""
    try:
        there = await api.get(NAMESPACE, namespace)
    except ApiError as error:
        if error.status != 403:
            raise
        lacking = "; ".join(await rbac.lacking(api, namespace, rbac.ATTACH[:1])) or error.why
        raise PlanError(f"this namespace may not be looked at: {lacking}") from None
    return str(there["metadata"]["uid"]) if there else ""


async def cluster_of(api: Api) -> str:
    """What tells this cluster from any other; "" when we may not know. Raises ApiError."""
    try:
        return await api.identity()
    except ApiError as error:
        if error.status != 403:
            raise
        return ""


async def programs_of(api: Api, namespace: str, vitess_cluster: str) -> tuple[Program, ...]:
    """Vitess's processes. Raises PlanError: none, or not clear whose; or a right that is missing."""
    lacking = await rbac.lacking(api, namespace, rbac.ATTACH)
    if lacking:
        raise PlanError(f"the rights here do not suffice: {'; '.join(lacking)}; `vtchaos attach --rbac` prints them")
    pods = await api.list(POD, namespace)
    names = discovery.clusters(pods)
    if vitess_cluster and vitess_cluster not in names:
        raise PlanError(f"{namespace} has no pods of a VitessCluster {vitess_cluster}; it has {_or_none(names)}")
    if not vitess_cluster and len(names) > 1:
        raise PlanError(f"{namespace} has the VitessClusters {_or_none(names)}; say which with --cluster")
    programs = discovery.programs(pods, cluster=vitess_cluster)
    if not programs:
        raise PlanError(f"no pod in {namespace} runs a program of Vitess")
    if not any(each.role is Role.VTCTLD for each in programs):
        raise PlanError(
            f"no vtctld runs in {namespace}: without one there are no shards to be known and no reparents to be made"
        )
    return programs


async def survey(api: Api, asked: Asked, *, logs: Path) -> Survey:
    """Raises PlanError, ClusterError."""
    target = await target_of(api, asked.namespace, asked.vitess_cluster)
    programs = await programs_of(api, asked.namespace, asked.vitess_cluster)
    async with Reach.opened(api, asked.namespace, programs) as reach:
        found = await found_in(reach, programs, keyspace=asked.keyspace, logs=logs)
        await _refuse_stranger(reach, found)
        clients = await clients_of(reach, programs)
        direct = reach.direct
    permits = await attach_permits.asked(api, asked.namespace, found.programs)
    return Survey(target=target, found=found, permits=permits, clients=clients, direct=direct)


async def found_in(
    reach: Reach, programs: Sequence[Program], *, keyspace: str, logs: Path, others: Sequence[str] = ()
) -> Found:
    """`others`: keyspaces whose tablets are wanted too. Raises PlanError, ClusterError."""
    topology = await _topology(reach, programs)
    versions = await versions_of(reach, programs)
    return assembled(programs, topology, keyspace=keyspace, versions=versions, logs=logs, others=others)


async def _topology(reach: Reach, programs: Sequence[Program]) -> Topology:
    vtctld = next(each for each in programs if each.role is Role.VTCTLD)
    async with VtctldClient.open("{}:{}".format(*await reach.of(vtctld, "grpc"))) as client:
        try:
            return await discovery_topology.read(client)
        except VtctldError as error:
            raise ClusterError(f"vtctld in {vtctld.pod} does not answer: {error}") from None


async def _refuse_stranger(reach: Reach, found: Found) -> None:
    """The load's clients must be let in. Raises PlanError."""
    for name, program in found.programs.items():
        if program.role is not Role.VTGATE:
            continue
        host, port = await reach.of(program, "mysql")
        async with admin_session(host, port, user=LOGIN, password=LOGIN) as session:
            answer = await session.query("SELECT 1", timeout_s=QUERY_TIMEOUT_S)
        if answer.errno == ER_ACCESS_DENIED:
            raise PlanError(
                f"{name} does not let the load in, which comes as user {LOGIN} with password {LOGIN}: "
                f"{answer.message}; add that user to the vtgates' static authentication"
            )
        if not answer.ok:
            raise PlanError(f"{name} does not answer a query: {answer.message} (errno {answer.errno})")


def showing(asked: Asked, seen: Survey, table: LoadTable) -> Showing:
    """The plan. Raises PlanError: the table cannot be added to their vschema."""
    layout = seen.found.layout
    spec = layout.spec
    _, added = attach_schema.merged(seen.found.vschema, table, keyspace=spec.keyspace, shards=spec.shards)
    with_vindex = f", vindex {', '.join(added.vindexes)}" if added.vindexes else ""
    says_sharded = ", and that the keyspace is sharded" if added.sharded else ""
    way = "pods' addresses" if seen.direct else "port-forwards, whose delay every figure will have"
    return Showing(
        name=asked.name,
        target=seen.target,
        found=(
            *(f"{node.name} {node.version}".ljust(28) + f" {_place(seen.found, node)}" for node in layout.nodes),
            f"keyspace {spec.keyspace}: {spec.shards} x {spec.tablets_per_shard} tablets, "
            f"durability {spec.durability_policy}; reached through {way}",
        ),
        missing=seen.found.missing,
        creates=(
            f"table {table.name} in every shard of {spec.keyspace}; every run empties it, `vtchaos down` drops it",
            f"in the vschema of {spec.keyspace}: table {table.name}{with_vindex}{says_sharded}",
        ),
        faults=seen.permits.faults,
        signs=safety.signs_of_production(seen.target, tablets=len(seen.found.tablets)),
        warnings=_warnings(seen),
    )


def _place(found: Found, node: Node) -> str:
    program = found.programs[node.name]
    shard = f"  {node.keyspace}/{node.shard}" if node.shard else ""
    return f"{program.pod}/{program.container}{shard}"


def _warnings(seen: Survey) -> tuple[str, ...]:
    rows = []
    if seen.clients:
        rows.append(f"{seen.clients} clients are connected to the vtgates now: they will feel what is done")
    if not seen.target.cluster_uid:
        rows.append("the namespace kube-system cannot be read: only the namespace tells this cluster from another")
    return tuple(rows)


# ---------------------------------------------------------------- attaching


async def attach(api: Api, asked: Asked, seen: Survey, table: LoadTable, *, folder: Path) -> State:
    """Write state.json and put the load's table into the keyspace; on any failure what was put there is taken back.

    The file comes first: whoever is killed from then on leaves what `vtchaos down` takes back.
    Raises PlanError, ClusterError, WaitTimeout.
    """
    safety.same(seen.target, await target_of(api, asked.namespace, asked.vitess_cluster), when="the plan was shown")
    spec, programs = seen.found.layout.spec, tuple(seen.found.programs.values())
    refuse_second(folder, seen.target, spec.keyspace)
    table = replace(table, mark=attach_schema.mark_of(asked.name, folder))
    async with Reach.opened(api, asked.namespace, programs) as reach, vtctld_of(reach, programs) as vtctld:
        await attach_schema.refuse_theirs(vtctld, spec.keyspace, spec.shard_names, table)
        would_add = await attach_schema.would_add(vtctld, spec.keyspace, spec.shard_names, table)
        state = State(name=asked.name, target=seen.target, spec=spec, added=would_add, done=False)
        jsonio.save(folder / STATE, state)
        try:
            added = await attach_schema.create(vtctld, spec.keyspace, spec.shard_names, table)
            for program in programs:
                if program.role is Role.VTGATE:
                    await _until_known(reach, program, spec.keyspace, table.name)
        except BaseException as error:
            await _taken_back(vtctld, state, folder, error)
            raise
    (folder / LOGS).mkdir(exist_ok=True)
    state = replace(state, added=added, done=True)
    jsonio.save(folder / STATE, state)
    return state


def refuse_second(folder: Path, target: Target, keyspace: str) -> None:
    """Raises PlanError when another kept cluster is this keyspace, whatever its table says (an earlier version's says
    nothing)."""
    for path in sorted(folder.parent.glob(f"*/{STATE}")):
        other = load_state(path.parent)
        if other is None or path.parent == folder or other.target.namespace_uid != target.namespace_uid:
            continue
        apart = other.target.vitess_cluster != target.vitess_cluster and other.target.vitess_cluster
        if other.spec.keyspace == keyspace and not (apart and target.vitess_cluster):
            raise PlanError(
                f"{keyspace} in {target.namespace} is attached to already, as {other.name}: two would empty each "
                f"other's table; `vtchaos run EXPERIMENT --cluster {other.name}` works on it, `vtchaos down "
                f"{other.name}` takes it back"
            )


def load_state(folder: Path) -> State | None:
    """None where no attached cluster is kept."""
    return jsonio.load_if_whole(folder / STATE, State)


async def _taken_back(vtctld: VtctldClient, state: State, folder: Path, error: BaseException) -> None:
    """Raises ClusterError when it cannot be, also when the user has no patience for it."""
    try:
        await attach_schema.drop(vtctld, state.spec.keyspace, state.spec.shard_names, state.added)
    except BaseException as failed:  # noqa: BLE001  an interrupt, too, must not lose the folder
        (folder / LOGS).mkdir(exist_ok=True)  # with them clusters.kept keeps the folder of what failed
        raise ClusterError(
            f"attaching came to nothing ({_words(error)}), and what it had put into {state.spec.keyspace} could not be "
            f"taken back ({_words(failed)}): `vtchaos down {state.name}` does that"
        ) from error


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


@contextlib.asynccontextmanager
async def vtctld_of(reach: Reach, programs: Sequence[Program]) -> AsyncIterator[VtctldClient]:
    vtctld = next(each for each in programs if each.role is Role.VTCTLD)
    async with VtctldClient.open("{}:{}".format(*await reach.of(vtctld, "grpc"))) as client:
        yield client


async def _until_known(reach: Reach, vtgate: Program, keyspace: str, table: str) -> None:
    """A vtgate hears of a new vschema some time after it was written."""
    host, port = await reach.of(vtgate, "mysql")
    async with admin_session(host, port, user=LOGIN, password=LOGIN, database=keyspace) as session:

        async def knows() -> bool:
            return (await session.query(f"SELECT COUNT(*) FROM `{table}`", timeout_s=QUERY_TIMEOUT_S)).ok

        await wait.until(f"the vtgate in {vtgate.pod} knows the table {table}", knows, timeout_s=KNOWN_TIMEOUT_S)


def _or_none(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
