"""Where a lane lives: its folder, addresses, ports and names. Nothing here touches the machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusters.software import Sources

NAME = "vtchaos-lane"
PREFIX = "vtchaos.dev"  # of the node's annotations
NUMBERS = range(4)  # lanes that can stand side by side

NODE_PORTS = "30000-32767"
API_PORT = 6443
PROXY_HEALTH_PORT = 10256
DNS_READY_PORT = 8181

LONGEST_SOCKET = 107  # bytes of a unix socket's path


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane's folder, names and networks. What is below `scratch` goes at `down`, logs with the next `up`.

    Docker takes its networks from 172.16/12 and 192.168/16, local clusters theirs from 198.18/15.
    """

    folder: Path
    number: int = 0

    @classmethod
    def of(cls, sources: Sources, number: int = 0) -> Lane:
        """The lane of that number in the cache folder."""
        return cls(folder=(sources.cache_dir / f"lane{_suffix(number)}").absolute(), number=number)

    @property
    def name(self) -> str:
        """Of the kubeconfig's context, the node and the cgroup."""
        return f"{NAME}{_suffix(self.number)}"

    @property
    def link(self) -> str:
        """The host's end of the veth pair."""
        return f"vtlane{self.number}"

    @property
    def host_address(self) -> str:
        """An even address; it and the next one are a network of two."""
        return f"10.213.0.{2 + 2 * self.number}"

    @property
    def address(self) -> str:
        """The node's, which everything that is not in a pod listens on."""
        return f"10.213.0.{3 + 2 * self.number}"

    @property
    def pods(self) -> str:
        return f"10.214.{64 * self.number}.0/18"

    @property
    def services(self) -> str:
        return f"10.215.{64 * self.number}.0/18"

    @property
    def api_service(self) -> str:
        """The first of `services`: kube-apiserver takes it for itself."""
        return f"10.215.{64 * self.number}.1"

    @property
    def api(self) -> str:
        return f"https://{self.address}:{API_PORT}"

    @property
    def networks(self) -> tuple[str, ...]:
        return f"{self.host_address}/31", self.pods, self.services

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

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


def _suffix(number: int) -> str:
    return f"-{number}" if number else ""
