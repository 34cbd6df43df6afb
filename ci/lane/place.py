"""Where a lane lives: its folder, addresses, ports and names. Nothing here touches the machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusters.software import Sources

NAME = "vtchaos-lane"  # the kubeconfig's context, the node, and the cgroup
PREFIX = "vtchaos.dev"  # of the node's annotations

# Docker takes its networks from 172.16/12 and 192.168/16, local clusters theirs from 198.18/15.
LINK = "vtlane0"
HOST_ADDRESS = "10.213.0.2"  # an even address and the next one: a network of two
ADDRESS = "10.213.0.3"
PODS = "10.214.0.0/16"
SERVICES = "10.215.0.0/16"
API_SERVICE = "10.215.0.1"  # the first of SERVICES: kube-apiserver takes it for itself
NODE_PORTS = "30000-32767"

API_PORT = 6443
API = f"https://{ADDRESS}:{API_PORT}"
PROXY_HEALTH_PORT = 10256
DNS_READY_PORT = 8181

LONGEST_SOCKET = 107  # bytes of a unix socket's path


@dataclass(frozen=True, slots=True)
class Lane:
    """The folder of a lane. What is below `scratch` goes at `down`; logs stay until the next `up`."""

    folder: Path

    @classmethod
    def of(cls, sources: Sources, folder: Path | None = None) -> Lane:
        return cls((folder or sources.cache_dir / "lane").absolute())

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def state(self) -> Path:
        """The supervisor's process id and start time; complete once the node is ready."""
        return self.folder / "state.json"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def control(self) -> Path:
        return self.folder / "control.sock"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    @property
    def pki(self) -> Path:
        return self.scratch / "pki"

    @property
    def conf(self) -> Path:
        return self.scratch / "conf"

    @property
    def etcd(self) -> Path:
        return self.scratch / "etcd"

    @property
    def containerd(self) -> Path:
        return self.scratch / "containerd"

    @property
    def kubelet(self) -> Path:
        return self.scratch / "kubelet"

    @property
    def pause(self) -> Path:
        """The archive of the image that holds a pod's namespaces."""
        return self.scratch / "pause.tar"

    @property
    def containerd_socket(self) -> Path:
        return self.containerd / "containerd.sock"

    def key(self, name: str) -> Path:
        return self.pki / f"{name}.key"

    def certificate(self, name: str) -> Path:
        return self.pki / f"{name}.crt"

    def config(self, name: str) -> Path:
        return self.conf / name

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"
