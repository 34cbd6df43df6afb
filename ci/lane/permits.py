"""Whether a lane can stand on this machine: tried or read, not guessed."""

from __future__ import annotations

import ipaddress
import os
import platform
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from ci.lane import cgroups, place
from ci.lane.place import Lane
from clusters.local import host
from clusters.local.supervisor import netlink
from harness.base import procs
from harness.base.errors import PlanError, ProcessError

OLDEST_KERNEL = (5, 13)  # kube-proxy's nftables mode
HIDDEN = ("/run", "/var/run", "/var/lib", "/var/log")  # the lane sees its own; `standup.mounts`
TRY_TIMEOUT_S = 15.0
ROUTES = Path("/proc/net/route")


async def why_not(lane: Lane) -> str:
    """ "" when a lane can stand here; otherwise the reason, in a sentence."""
    if sys.platform != "linux":
        return "a lane needs Linux"
    if os.geteuid() != 0:
        return "a lane needs root: its kubelet mounts, and makes network interfaces and cgroups"
    return (
        _kernel(platform.release())
        or _folder(lane)
        or _taken(lane, ROUTES.read_text())
        or _cgroups()
        or await _namespaces()
        or _link(lane)
        or await _overlay()
    )


async def demand(lane: Lane) -> None:
    """Raises PlanError with the reason."""
    reason = await why_not(lane)
    if reason:
        raise PlanError(f"no Kubernetes lane can stand on this machine: {reason}")


def _kernel(release: str) -> str:
    found = re.match(r"(\d+)\.(\d+)", release)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_KERNEL:
        return f"the kernel is {release}; kube-proxy's nftables mode needs 5.13"
    return ""


def _folder(lane: Lane) -> str:
    folder = lane.folder.resolve()
    for each in HIDDEN:
        if folder.is_relative_to(Path(each).resolve()):
            return f"its folder {folder} is below {each}, which the lane has its own of; give another --folder"
    if len(f"{lane.containerd_socket}.ttrpc") > place.LONGEST_SOCKET:
        return f"the path of its folder is too long for a unix socket: {folder}"
    return ""


def _taken(lane: Lane, routes: str) -> str:
    """Its networks must not be anyone else's on this machine; what is on its own interface does not count."""
    others = [*networks(routes, without=lane.link), *_addresses(without=lane.link)]
    for network in (ipaddress.ip_network(row) for row in lane.networks):
        for other in others:
            if network.overlaps(other):
                return f"{other} is in use here, and {network} is the lane's"
    return ""


def networks(routes: str, *, without: str) -> Iterator[ipaddress.IPv4Network]:
    """The destinations in /proc/net/route, but the default route's and those of one interface."""
    for line in routes.splitlines()[1:]:
        words = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(words[column]), "little") for column in (1, 7))
        if mask and words[0] != without:
            yield ipaddress.IPv4Network((address, mask.bit_count()))


def _addresses(*, without: str) -> Iterator[ipaddress.IPv4Network]:
    for name, rows in psutil.net_if_addrs().items():
        for row in rows:
            if row.family is socket.AF_INET and name != without:
                yield ipaddress.IPv4Network(row.address)


def _cgroups() -> str:
    roots, unified = cgroups.hierarchies(cgroups.MOUNTS.read_text())
    if not roots:
        return "no cgroups are mounted"
    if any(not os.access(root, os.W_OK) for root in roots):
        return f"the cgroups at {roots[0]} are read-only"
    return _unified(roots[0]) if unified else ""


def _unified(root: Path) -> str:
    """Version 2: its controllers must be there, and in a container nobody may be in the cgroup that hands them on."""
    missing = {"cpu", "cpuset", "memory", "pids"} - set((root / "cgroup.controllers").read_text().split())
    if missing:
        return f"{root} lacks the controllers {', '.join(sorted(missing))}"
    handed = set((root / "cgroup.subtree_control").read_text().split())
    real_root = not (root / "cgroup.type").exists()
    if not real_root and not {"cpu", "cpuset", "memory", "pids"} <= handed and (root / "cgroup.procs").read_text():
        return f"{root} is the cgroup of a container with processes of its own, and cannot hand on its controllers"
    return ""


async def _namespaces() -> str:
    try:
        await host.isolation(host.NAMESPACES)
    except PlanError as error:
        return str(error)
    return ""


def _link(lane: Lane) -> str:
    """root of a user namespace, and of most containers, may not connect anything to the host's network."""
    names = f"{lane.link}t", f"{lane.link}u"
    try:
        netlink.create_pair(*names, os.getpid())
        netlink.delete(names[0])
    except OSError as error:
        return f"root may not make a network interface here: {error.strerror}"
    return ""


async def _overlay() -> str:
    """containerd's layers; not on top of another overlay, so not in most containers."""
    script = (
        "mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b /mnt/c /mnt/d && "
        "mount -t overlay -o lowerdir=/mnt/a,upperdir=/mnt/b,workdir=/mnt/c overlay /mnt/d"
    )
    try:
        await procs.run(["unshare", "--mount", "/bin/sh", "-c", script], timeout_s=TRY_TIMEOUT_S)
    except ProcessError as error:
        return f"overlayfs cannot be mounted: {(error.tail.splitlines() or [error.why])[-1]}"
    return ""
