"""What runs where: what each backend can do, as it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ci.reference.markdown import NOTHING, anchor, code, table
from clusters import BACKENDS, sizing
from clusters.common.processes import ONE_RELEASE
from clusters.docker.limits import LIMITED, TOGETHER
from clusters.kubernetes.attach_permits import Permits
from clusters.kubernetes.cpu import NO_RESIZE, NO_RIGHT
from clusters.local.capacity import SPARE_SHARE
from clusters.local.links import NO_GROUPS, NO_NETWORK
from clusters.local.supervisor.disks import NO_MEMORY
from harness import placement
from harness.faults import catalogue
from harness.model import Capability, ClusterSpec

ATTACHED = "attached"
MEANINGS: Mapping[Capability, str] = {
    Capability.SIGNAL: "processes are killed, asked to end, paused",
    Capability.RESTART: "a process is stopped and started",
    Capability.LINKS: "one direction of one link is cut, reset, made lossy or narrow",
    Capability.DELAY: "a link is slow",
    Capability.CPU: "a process gets so many cores",
    Capability.PODS: "a whole pod is taken away",
    Capability.DISK: "a data directory is full",
    Capability.LOG_SINK: "a process's log is taken slowly",
    Capability.VERSIONS: "a process comes back with another release",
    Capability.PORTS: "a process comes back at another one's ports",
    Capability.KERNEL_CLEANUP: "kill -9 of the harness leaves nothing behind, by the kernel's own hand",
}
# What is to be had on this backend, but not on every host or with every option.
SOMETIMES: Mapping[str, Mapping[Capability, tuple[str, ...]]] = {
    "local": {
        Capability.LINKS: (NO_NETWORK, NO_GROUPS),
        Capability.DELAY: (NO_NETWORK, NO_GROUPS),
        Capability.DISK: (NO_MEMORY,),
        Capability.VERSIONS: (ONE_RELEASE,),
        Capability.KERNEL_CLEANUP: ("no pid namespace: processes end with their supervisor, not by the kernel",),
        Capability.CPU: ("CPU cannot be limited here: no control groups for it are mounted",),
    },
    "docker": {
        Capability.LINKS: ("the image has no nft, which cuts links; images that vtchaos builds have it",),
        Capability.CPU: (LIMITED, TOGETHER),
    },
    "kubernetes": {
        Capability.LINKS: ("the cluster does not permit an ephemeral container with NET_ADMIN",),
        Capability.CPU: (NO_RESIZE, NO_RIGHT),
        Capability.PODS: ("tablets' pods only where their data is in volumes (`--storage-class`)",),
    },
    ATTACHED: {
        Capability.SIGNAL: ("a right or a program (sh, kill) is missing in their containers",),
        Capability.RESTART: ("nobody gave us the right to scale what they belong to",),
    },
}
SIZES = (1, 2, 4, 8, 16, 32)


def never(place: str) -> Mapping[Capability, str]:
    """What no cluster there can do, and why."""
    if place == ATTACHED:
        return {need: why for need, why in Permits(signals="", restarts="").capabilities.items() if why}
    return BACKENDS[place].never


PLACES = (*BACKENDS, ATTACHED)


def capabilities() -> str:
    rows = ((code(need.value), MEANINGS[need], *(_mark(place, need) for place in PLACES)) for need in Capability)
    return table(("", "what it means", *PLACES), rows)


def _mark(place: str, need: Capability) -> str:
    if need in never(place):
        return "no"
    return "mostly" if need in SOMETIMES[place] else "yes"


def reasons() -> str:
    """Every "no" and every "mostly", in words."""
    lines = []
    for place in PLACES:
        lines += [f"- {place}, no {code(need)}: {never(place)[need]}" for need in Capability if need in never(place)]
        for need, why in SOMETIMES[place].items():
            lines.append(f"- {place}, {code(need)} not where: {'; or '.join(why)}")
    return "\n".join(lines)


def faults() -> str:
    """Only those that some place cannot do."""
    rows = []
    for name, kind in catalogue.FAULTS.items():
        needs = catalogue.sample(kind).needs
        marks = [_all(place, needs) for place in PLACES]
        if set(marks) != {"yes"}:
            rows.append((f"[`{name}`](reference/faults.md#{anchor(name)})", *marks))
    return table(("fault", *PLACES), rows)


def _all(place: str, needs: frozenset[Capability]) -> str:
    marks = {_mark(place, need) for need in needs}
    return next((mark for mark in ("no", "mostly") if mark in marks), "yes")


def memory() -> str:
    rows = ((str(shards), *(_gigabytes(backend, shards) for backend in sizing.NEEDS)) for shards in SIZES)
    return table(("shards x 2 tablets", *sizing.NEEDS), rows)


def _gigabytes(backend: str, shards: int) -> str:
    needed = sizing.NEEDS[backend](replace(ClusterSpec(), shards=shards)) / (1 - SPARE_SHARE)
    return f"{needed / 1e9:.1f} GB"


def options() -> str:
    rows = ((code(option.flag), *(_for(option, backend) for backend in BACKENDS)) for option in placement.OPTIONS)
    return table(("option", *BACKENDS), rows)


def _for(option: placement.Option, backend: str) -> str:
    return "yes" if backend in option.backends else NOTHING
