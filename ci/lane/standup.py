"""Bringing a lane up, step by step; every wait has a bound, every step says how long it took."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from ci.lane import cgroups, configs, pause, pki, place, services
from ci.lane.place import Lane
from ci.lane.services import Service
from ci.lane.tools import Tools
from clusters.common.processes import Exit
from clusters.local import host, supervision
from clusters.local.supervision import Supervisor
from clusters.local.supervisor import netlink
from harness.base import procs, wait
from harness.base.clock import now_ns
from harness.base.errors import ClusterError, WaitTimeout

READY_TIMEOUT_S = 120.0
COMMAND_TIMEOUT_S = 60.0
POLL_S = 0.1
SERVICES = frozenset(
    ("etcd", "containerd", "apiserver", "controller-manager", "scheduler", "kubelet", "kube-proxy", "coredns")
)
Say = Callable[[str], None]


def supervisor_config(lane: Lane) -> dict[str, object]:
    """Namespaces of its own, one veth pair to the host; the scratch folder goes with it."""
    return supervision.config(
        isolation=host.NAMESPACES,
        uid=None,
        link=lane.link,
        host_address=lane.host_address,
        cluster_address=lane.address,
        remove=(lane.scratch,),
    )


async def prepare(lane: Lane, tools: Tools) -> None:
    """Folders, certificates, the pause image, configuration; nothing runs yet."""
    for folder in (lane.logs, lane.conf / "cni", lane.containerd, lane.kubelet):
        folder.mkdir(parents=True)
    await pki.make(lane, tools.openssl)
    image = pause.write(lane, tools.pause)
    for name, text in configs.files(lane, runc=tools.runc, plugins=tools.plugins, pause=image).items():
        path = lane.config(name)
        path.write_text(text)
        path.chmod(0o600)


@dataclass
class Standup:
    """One start. `say` gets a line a step."""

    lane: Lane
    tools: Tools
    supervisor: Supervisor
    say: Say
    begun_ns: int = field(default_factory=now_ns)
    ended: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Returns with the node ready and cluster names and services working.

        Raises ClusterError, WaitTimeout, ProcessError, each with the end of the log that matters.
        """
        lane, tools = self.lane, self.tools
        self.supervisor.on_exit(self._ended)
        await self._once(_mounts())
        cgroups.make(lane)
        for network in (lane.pods, lane.services):
            netlink.add_route(network, lane.address)
        for service in (services.store, services.containers, services.api):
            await self._start(service(lane, tools))
        await self._until("containerd answers", "containerd", self._containerd_answers)
        await self._done(self._ctr("images", "import", lane.pause))
        await self._until("API server ready", "apiserver", self._api_ready)
        for service in (services.controllers, services.scheduler, services.kubelet, services.proxy, services.names):
            await self._start(service(lane, tools))
        for name in configs.dns_rights():
            await self._done(self._kubectl("apply", "-f", lane.config(f"{name}.json")))
        await self._until("node ready", "kubelet", self._node_ready)
        await self._done(self._kubectl("annotate", "--overwrite", "node", lane.name, *_annotations(lane, tools)))
        await self._until("default service account", "controller-manager", self._account_ready)
        await self._until("cluster names answered", "coredns", self._names_ready)
        await self._until("service addresses set", "kube-proxy", self._proxy_ready)

    # ------------------------------------------------------------ programs

    def _ended(self, report: Exit) -> None:
        self.ended[report.name] = report.status

    async def _start(self, service: Service) -> None:
        env = {"PATH": self.tools.search_path, "HOME": "/root", "LC_ALL": "C"}
        log = self.lane.log(service.name)
        await self.supervisor.spawn(service.name, service.argv, cwd=self.lane.scratch, env=env, log=log)

    async def _once(self, command: Service) -> None:
        """A command inside the lane's namespaces, to its end."""
        name = command.name
        await self._start(command)

        async def over() -> bool:
            return name in self.ended

        await wait.until(f"{name} of the lane", over, timeout_s=COMMAND_TIMEOUT_S)
        if self.ended[name] != 0:
            raise ClusterError(f"{name} of the lane: exit status {self.ended[name]}\n{self._tail(name)}")

    def _tail(self, name: str) -> str:
        return procs.tail_of(self.lane.log(name)).rstrip()

    async def _until(self, what: str, service: str, condition: Callable[[], Awaitable[bool]]) -> None:
        """A wait that ends at once when a program of the lane has ended."""

        async def true() -> bool:
            for name, status in self.ended.items():
                if status != 0:
                    raise ClusterError(f"{name} of the lane ended with status {status}; its log:\n{self._tail(name)}")
            return await condition()

        try:
            await wait.until(what, true, timeout_s=READY_TIMEOUT_S, poll_s=POLL_S)
        except WaitTimeout as error:
            raise ClusterError(f"{error}; the log of {service} ends with:\n{self._tail(service)}") from None
        self.say(f"{(now_ns() - self.begun_ns) / 1e9:6.1f} s  {what}")

    # ------------------------------------------------------------ conditions

    async def _containerd_answers(self) -> bool:
        return (await self._done(self._ctr("version"), check=False)).returncode == 0

    async def _api_ready(self) -> bool:
        return (await self._done(self._kubectl("get", "--raw", "/readyz"), check=False)).returncode == 0

    async def _node_ready(self) -> bool:
        path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        done = await self._done(self._kubectl("get", "node", self.lane.name, "-o", path), check=False)
        return done.output.strip() == "True"

    async def _account_ready(self) -> bool:
        """Pods cannot be made before it is there."""
        done = await self._done(self._kubectl("get", "serviceaccount", "default"), check=False)
        return done.returncode == 0

    async def _names_ready(self) -> bool:
        return await _answers(f"http://{self.lane.address}:{place.DNS_READY_PORT}/ready")

    async def _proxy_ready(self) -> bool:
        return await _answers(f"http://{self.lane.address}:{place.PROXY_HEALTH_PORT}/healthz")

    # ------------------------------------------------------------ clients

    def _ctr(self, *words: str | Path) -> list[str | Path]:
        return [self.tools.ctr, "--address", self.lane.containerd_socket, "--namespace", "k8s.io", *words]

    def _kubectl(self, *words: str | Path) -> list[str | Path]:
        config = self.lane.config("admin.kubeconfig")
        return [self.tools.kubectl, "--kubeconfig", config, "--request-timeout=10s", *words]

    async def _done(self, argv: list[str | Path], *, check: bool = True) -> procs.Completed:
        return await procs.run(argv, timeout_s=COMMAND_TIMEOUT_S, check=check)


def _mounts() -> Service:
    """Folders whose names are compiled into the kubelet, containerd's shim and the CNI library are the lane's own:
    in memory, seen by nobody else. /var/run is usually a link to /run."""
    folders = dict.fromkeys(Path(row).resolve() for row in ("/run", "/var/run", "/var/lib", "/var/log"))
    script = "".join(f"mount -t tmpfs -o mode=755 tmpfs {folder}\n" for folder in folders)
    return Service(name="mounts", argv=("/bin/sh", "-ec", script))


def _annotations(lane: Lane, tools: Tools) -> tuple[str, ...]:
    """How the kubernetes backend brings images to this node: nothing can be pulled here."""
    return f"{place.PREFIX}/containerd={lane.containerd_socket}", f"{place.PREFIX}/ctr={tools.ctr}"


async def _answers(url: str) -> bool:
    """Whether this address answers 200."""
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session, session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
