"""What may be done to somebody else's Vitess: asked of the API server and of the containers beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clusters.common.processes import OWN_ADDRESSES
from clusters.kubernetes import rbac
from clusters.kubernetes.api import Api
from clusters.kubernetes.discovery import Owner, Program
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import DEPLOYMENT, STATEFUL_SET, Resource
from harness.model import Capability, Role

EXEC_TIMEOUT_S = 15.0
NO_LIMITS = "what its operator gave them is not taken from the nodes of a cluster that is not ours"
NO_VERSIONS = "the releases of a cluster that is not ours are its operator's"
NO_LINKS = (
    "the network of a cluster that is not ours is left alone: rules in its pods could outlive us, and what Kubernetes "
    "adds to a pod for it can never be removed"
)
NO_PODS = "the pods of a cluster that is not ours are not taken away: what is in them is its operator's"
NO_CLEANUP = "a cluster that is not ours is not removed with us"
_SIGNALLED = (Role.VTGATE, Role.VTTABLET, Role.MYSQLD)
_KEEPING = (Role.MYSQLD, Role.ETCD)
REPARENTS = "reparents and everything else through vtctld"

# $1 the program's name as the kernel has it, $2 a signal; prints the processes that got it. No program but the shell.
_SIGNAL = """
for each in /proc/[0-9]*; do
  name=; { read -r name <"$each/comm"; } 2>/dev/null
  if [ "$name" = "$1" ]; then kill -"$2" "${each#/proc/}" && echo "${each#/proc/}"; fi
done
"""


# $1 the program's name; prints the states of the processes of that name, letters of proc(5).
_STATES = """
for each in /proc/[0-9]*; do
  name=; { read -r name <"$each/comm"; } 2>/dev/null
  if [ "$name" = "$1" ] && { read -r stat <"$each/stat"; } 2>/dev/null; then stat=${stat##*) }; echo "${stat%% *}"; fi
done
"""
STOPPED = frozenset("Tt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Permits:
    """What can be done. `scales`: node → the workload that stops and starts it."""

    signals: str  # "" = yes, else why not
    restarts: str
    scales: Mapping[str, Owner] = field(default_factory=dict)

    @property
    def capabilities(self) -> dict[Capability, str]:
        return {
            Capability.SIGNAL: self.signals,
            Capability.RESTART: self.restarts,
            **dict.fromkeys((Capability.LINKS, Capability.DELAY), NO_LINKS),
            **dict.fromkeys((Capability.CPU, Capability.DISK, Capability.LOG_SINK), NO_LIMITS),
            Capability.VERSIONS: NO_VERSIONS,
            Capability.PORTS: OWN_ADDRESSES,
            Capability.PODS: NO_PODS,
            Capability.KERNEL_CLEANUP: NO_CLEANUP,
        }

    @property
    def faults(self) -> dict[str, str]:
        """For the plan."""
        return {
            REPARENTS: "",
            "signals to processes (kill, pause)": self.signals,
            "stop and start of a node": self.restarts,
            "cut links": NO_LINKS,
        }


def signal_words(role: Role, signum: int) -> tuple[str, ...]:
    """What sends a signal to a role's processes when it is run in their container, and prints whom it reached."""
    return ("sh", "-c", _SIGNAL, "-", role.value, str(signum))


def state_words(role: Role) -> tuple[str, ...]:
    """What prints the states of a role's processes when it is run in their container."""
    return ("sh", "-c", _STATES, "-", role.value)


async def asked(api: Api, namespace: str, programs: Mapping[str, Program]) -> Permits:
    """`programs`: by node. Raises ApiError: the API server does not answer."""
    scales, restarts = await _restarts(api, namespace, programs)
    return Permits(signals=await _signals(api, namespace, programs), restarts=restarts, scales=scales)


async def _signals(api: Api, namespace: str, programs: Mapping[str, Program]) -> str:
    """Tried with signal 0, which reaches nobody, on one process of each kind."""
    lacking = await rbac.lacking(api, namespace, rbac.SIGNALS)
    if lacking:
        return "; ".join(lacking)
    one_of_each = {program.role: (node, program) for node, program in programs.items() if program.role in _SIGNALLED}
    for node, program in one_of_each.values():
        why = await _unreachable(api, namespace, node, program)
        if why:
            return why
    return ""


async def _unreachable(api: Api, namespace: str, node: str, program: Program) -> str:
    try:
        ran = await api.exec(
            namespace, program.pod, program.container, signal_words(program.role, 0), timeout_s=EXEC_TIMEOUT_S
        )
    except ApiError as error:
        return f"the container of {node} has no shell to send signals from ({error.why})"
    reached = ran.stdout.decode().split()
    if not reached:
        return f"{program.role} was not found among the processes that the container of {node} shows"
    if "1" in reached:
        return (
            f"{node} is the first process of its container, which the kernel protects from SIGKILL and SIGSTOP "
            "that come from inside"
        )
    return ""


async def _restarts(api: Api, namespace: str, programs: Mapping[str, Program]) -> tuple[dict[str, Owner], str]:
    lacking = await rbac.lacking(api, namespace, rbac.RESTARTS)
    if lacking:
        return {}, "; ".join(lacking)
    scales: dict[str, Owner] = {}
    replicas: dict[Owner, int] = {}
    for node, program in programs.items():
        workload = workload_of(program)
        if resource_of(workload) is None:
            by = f"a {program.owner.kind} ({program.owner.name})" if program.owner.kind else "nobody"
            return {}, f"the pod of {node} is made by {by}, which cannot be told to stop it"
        if program.role in _KEEPING and not program.keeps_data:
            return {}, f"the data of {node} would go with its pod, which has no volume of its own"
        if workload not in replicas:
            replicas[workload] = await replicas_of(api, namespace, workload)
        if replicas[workload] != 1:
            return {}, f"{workload.kind} {workload.name} of {node} has {replicas[workload]} pods, which stop together"
        scales[node] = workload
    return scales, ""


def workload_of(program: Program) -> Owner:
    """Whose number of pods decides: a Deployment stands behind the ReplicaSet that owns the pod, which is called after
    it and the hash of its template."""
    digest = program.labels.get("pod-template-hash", "")
    if program.owner.kind == "ReplicaSet" and digest and program.owner.name.endswith(f"-{digest}"):
        return Owner(kind="Deployment", name=program.owner.name.removesuffix(f"-{digest}"))
    return program.owner


def resource_of(workload: Owner) -> Resource | None:
    return {"StatefulSet": STATEFUL_SET, "Deployment": DEPLOYMENT}.get(workload.kind)


async def replicas_of(api: Api, namespace: str, workload: Owner) -> int:
    """How many pods it is told to have. Raises ApiError."""
    resource = resource_of(workload)
    assert resource is not None
    found = await api.get(resource, workload.name, namespace, subresource="scale")
    return int((found or {}).get("spec", {}).get("replicas", 0))


async def scale(api: Api, namespace: str, workload: Owner, replicas: int) -> None:
    """Raises ApiError."""
    resource = resource_of(workload)
    assert resource is not None
    await api.patch(resource, workload.name, {"spec": {"replicas": replicas}}, namespace, subresource="scale")
