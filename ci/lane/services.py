"""The lane's programs and how each is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ci.lane import pki, place
from ci.lane.place import Lane
from ci.lane.tools import Tools

ETCD_PORT = 2379


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program of the lane; it keeps running until the lane goes."""

    name: str
    argv: tuple[str | Path, ...]


def store(lane: Lane, tools: Tools) -> Service:
    """etcd: written to the page cache only, since nothing outlives the lane."""
    client, peer = f"http://127.0.0.1:{ETCD_PORT}", "http://127.0.0.1:2380"
    argv: tuple[str | Path, ...] = (
        *(tools.etcd, "--name=lane", f"--data-dir={lane.etcd}", "--unsafe-no-fsync=true"),
        *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
        *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=lane={peer}"),
    )
    return Service(name="etcd", argv=argv)


def containers(lane: Lane, tools: Tools) -> Service:
    return Service(name="containerd", argv=(tools.containerd, f"--config={lane.config('containerd.toml')}"))


def api(lane: Lane, tools: Tools) -> Service:
    def pair(flag: str, name: str) -> tuple[str, str]:
        cert, key = f"--{flag}-certificate", f"--{flag}-key"
        if flag == "tls":
            cert, key = "--tls-cert-file", "--tls-private-key-file"
        return f"{cert}={lane.certificate(name)}", f"{key}={lane.key(name)}"

    authority = lane.certificate(pki.AUTHORITY)
    argv: tuple[str | Path, ...] = (
        *(tools.kubernetes("kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{ETCD_PORT}"),
        *(f"--bind-address={lane.address}", f"--advertise-address={lane.address}"),
        *(f"--secure-port={place.API_PORT}", f"--service-cluster-ip-range={lane.services}"),
        *(f"--service-node-port-range={place.NODE_PORTS}", f"--client-ca-file={authority}"),
        *pair("tls", "apiserver"),
        *pair("kubelet-client", "apiserver-kubelet-client"),
        *(f"--kubelet-certificate-authority={authority}", "--kubelet-preferred-address-types=InternalIP"),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={lane.pki / pki.SERVICE_ACCOUNTS}.pub",
        f"--service-account-signing-key-file={lane.key(pki.SERVICE_ACCOUNTS)}",
        *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"),
        *("--allow-privileged=true", "--profiling=false"),
    )
    return Service(name="apiserver", argv=argv)


def controllers(lane: Lane, tools: Tools) -> Service:
    authority, key = lane.certificate(pki.AUTHORITY), lane.key(pki.AUTHORITY)
    argv: tuple[str | Path, ...] = (
        tools.kubernetes("kube-controller-manager"),
        *_as_client(lane, "controller-manager"),
        *(f"--root-ca-file={authority}", f"--cluster-signing-cert-file={authority}"),
        *(f"--cluster-signing-key-file={key}", "--use-service-account-credentials=true"),
        *(f"--service-account-private-key-file={lane.key(pki.SERVICE_ACCOUNTS)}", "--allocate-node-cidrs=false"),
    )
    return Service(name="controller-manager", argv=argv)


def scheduler(lane: Lane, tools: Tools) -> Service:
    return Service(name="scheduler", argv=(tools.kubernetes("kube-scheduler"), *_as_client(lane, "scheduler")))


def kubelet(lane: Lane, tools: Tools) -> Service:
    argv: tuple[str | Path, ...] = (
        *(tools.kubernetes("kubelet"), f"--config={lane.config('kubelet.yaml')}"),
        *(f"--kubeconfig={lane.config('kubelet.kubeconfig')}", f"--hostname-override={lane.name}"),
        *(f"--node-ip={lane.address}", f"--root-dir={lane.kubelet}", f"--cert-dir={lane.kubelet / 'pki'}"),
    )
    return Service(name="kubelet", argv=argv)


def names(lane: Lane, tools: Tools) -> Service:
    return Service(name="coredns", argv=(tools.coredns, "-conf", lane.config("Corefile")))


def proxy(lane: Lane, tools: Tools) -> Service:
    return Service(name="kube-proxy", argv=(tools.kubernetes("kube-proxy"), f"--config={lane.config('proxy.yaml')}"))


def _as_client(lane: Lane, name: str) -> tuple[str, ...]:
    """Of one's own kind alone: nobody to elect a leader with."""
    config = lane.config(f"{name}.kubeconfig")
    return (
        *(f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}"),
        *("--bind-address=127.0.0.1", "--leader-elect=false", "--profiling=false"),
        *("--kube-api-qps=200", "--kube-api-burst=400"),
    )
