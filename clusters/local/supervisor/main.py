"""Entry of the supervisor: make the namespaces, then serve inside them.

Outer process (host): makes the namespaces and the host's end of the veth pair, waits for the inner one,
removes the cluster's data and ends. It is told by the kernel (SIGTERM) when the harness dies.
Inner process (pid 1 of the namespace): the server. The kernel kills it when the outer one dies, and kills
every process of the namespace when it ends.

The last argument is a JSON object: see `clusters.local.supervision.config`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from typing import Any

from . import cgroups, kernel, netlink
from .disks import Disks
from .links import Links
from .server import Server

NAMESPACES = "namespaces"
USER_NAMESPACE = "user-namespace"
PROCESS_GROUP = "process-group"
INSIDE = "eth0"
PREFIX = 31  # two addresses (RFC 3021): the host's and the cluster's

Config = dict[str, Any]


def main() -> None:
    config: Config = json.loads(sys.argv[-1])
    kernel.name_process("vtchaos-cluster")
    lifeline = socket.socket(fileno=config["control_fd"]) if config["control_fd"] is not None else None
    if lifeline is not None:
        lifeline.set_inheritable(False)
    listener = _listen(config["listen"]) if config["listen"] else None
    if listener is not None:
        _detach(config["log"])
    config["cgroup"] = cgroups.home_name(config["run"]) if config["run"] else ""
    if config["isolation"] == PROCESS_GROUP:
        code = _serve_here(config, lifeline, listener)
    else:
        code = _serve_in_namespaces(config, lifeline, listener)
    cgroups.remove_named(config["cgroup"])
    for path in config["remove"]:
        _remove(path)
    sys.exit(code)


def _listen(path: str) -> socket.socket:
    """A listening socket; through /proc/self/fd, because a socket's path holds only 107 characters."""
    folder, name = os.path.split(path)
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"/proc/self/fd/{handle}/{name}")
    listener.listen(16)
    os.close(handle)
    return listener


def _detach(log: str) -> None:
    """Go on in a session of our own; whoever started us sees us end at once, with the socket in place."""
    sys.stdout.flush()
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


def _serve_here(config: Config, lifeline: socket.socket | None, listener: socket.socket | None) -> int:
    """Without namespaces: children die with us by PDEATHSIG, what they leave behind is adopted and killed."""
    kernel.adopt_orphans()
    if lifeline is not None:
        kernel.signal_when_parent_dies(signal.SIGTERM)
    links = Links(config["links"])
    cpu = cgroups.CpuGroups(config["cgroup"])
    server = Server(lifeline=lifeline, listener=listener, uid=config["uid"], links=links, disks=Disks(""), cpu=cpu)
    server.serve()
    server.kill_all()
    return 0


def _serve_in_namespaces(config: Config, lifeline: socket.socket | None, listener: socket.socket | None) -> int:
    own_network = config["isolation"] == NAMESPACES
    if config["isolation"] == USER_NAMESPACE:
        _enter_user_namespace()
    kernel.unshare(kernel.CLONE_NEWPID)
    ours, theirs = socket.socketpair()
    inner = os.fork()
    if inner == 0:
        ours.close()
        _inner(config, theirs, own_network=own_network, lifeline=lifeline, listener=listener)
        os._exit(0)
    theirs.close()
    for mine in (lifeline, listener):  # only the inner process holds them: end of file must reach it
        if mine is not None:
            mine.close()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(inner, signal.SIGKILL))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if lifeline is not None:
        kernel.signal_when_parent_dies(signal.SIGTERM)
    if ours.recv(1) == b"r" and own_network and config["link"]:
        netlink.create_pair(config["link"], INSIDE, inner)
        netlink.add_address(config["link"], config["host_address"], PREFIX)
    ours.close()  # tells the inner process to go on
    _, status = os.waitpid(inner, 0)
    if own_network and config["link"]:
        with contextlib.suppress(OSError):  # the kernel does it as well, but when it finds the time
            netlink.delete(config["link"])
    return 0 if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def _enter_user_namespace() -> None:
    """Rights over new namespaces for an ordinary user, who stays who he is (mysqld refuses root)."""
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as out:
            out.write(text)


def _inner(
    config: Config,
    outer: socket.socket,
    *,
    own_network: bool,
    lifeline: socket.socket | None,
    listener: socket.socket | None,
) -> None:
    kernel.signal_when_parent_dies(signal.SIGKILL)
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | (kernel.CLONE_NEWNET if own_network else 0))
    kernel.own_mounts()
    if config["memory"]:
        kernel.mount_memory(config["memory"])
    outer.send(b"r")
    outer.recv(1)  # end of file: the pair is made (or the outer process is dead, and so are we)
    outer.close()
    if own_network:
        netlink.bring_up("lo")
    if own_network and config["link"]:
        netlink.add_address(INSIDE, config["cluster_address"], PREFIX)
    if not config.get("probe"):
        links = Links(config["links"])
        disks = Disks(config["memory"])
        cpu = cgroups.CpuGroups(config["cgroup"])
        server = Server(lifeline=lifeline, listener=listener, uid=config["uid"], links=links, disks=disks, cpu=cpu)
        server.serve()
