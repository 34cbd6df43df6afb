"""The configuration files of a lane, as text: pure functions of where it lives and what it runs."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from ci.lane import pki, place
from ci.lane.place import Lane


def files(lane: Lane, *, runc: Path, plugins: Path, pause: str) -> dict[str, str]:
    """Name below `lane.conf` → content. JSON is YAML as far as these programs care."""
    return {
        "containerd.toml": containerd(lane, runc=runc, plugins=plugins, pause=pause),
        "cni/10-lane.conflist": _json(network(lane)),
        "kubelet.yaml": _json(kubelet(lane)),
        "proxy.yaml": _json(proxy(lane)),
        "Corefile": corefile(lane),
        **{f"{name}.kubeconfig": kubeconfig(lane, name) for name in pki.CLIENTS},
        **{f"{name}.json": _json(manifest) for name, manifest in dns_rights().items()},
    }


def kubeconfig(lane: Lane, client: str) -> str:
    """With the certificates inside, so that it can be copied; for `lane.certificate(client)`."""

    def data(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    cluster = {"server": lane.api, "certificate-authority-data": data(lane.certificate(pki.AUTHORITY))}
    user = {
        "client-certificate-data": data(lane.certificate(client)),
        "client-key-data": data(lane.key(client)),
    }
    return _json(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": lane.name, "cluster": cluster}],
            "users": [{"name": client, "user": user}],
            "contexts": [{"name": lane.name, "context": {"cluster": lane.name, "user": client}}],
            "current-context": lane.name,
        }
    )


def containerd(lane: Lane, *, runc: Path, plugins: Path, pause: str) -> str:
    """`restrict_oom_score_adj`: without CAP_SYS_RESOURCE no process may get a lower score than ours, and runc would
    die of it with an error about a pipe. hugetlb is no controller on every kernel."""
    return f"""version = 2
root = "{lane.containerd}/root"
state = "{lane.containerd}/state"
oom_score = 0
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.tracing"]

[grpc]
  address = "{lane.containerd_socket}"

[ttrpc]
  address = "{lane.containerd_socket}.ttrpc"

[plugins."io.containerd.internal.v1.opt"]
  path = "{lane.containerd}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  restrict_oom_score_adj = true
  disable_apparmor = true
  enable_selinux = false
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "{runc}"
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{lane.config("cni")}"
  max_conf_num = 1
"""


def network(lane: Lane) -> Mapping[str, object]:
    """A bridge in the lane's own network namespace; pods keep their addresses when they speak to the host."""
    ipam = {"type": "host-local", "ranges": [[{"subnet": lane.pods}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipMasq": False, "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": lane.name, "plugins": [bridge]}


def kubelet(lane: Lane) -> Mapping[str, object]:
    """The limits at which it evicts pods and deletes images are set low: a deleted image cannot be pulled again."""
    runtime = f"unix://{lane.containerd_socket}"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": lane.address,
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": runtime,
        "imageServiceEndpoint": runtime,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(lane.certificate(pki.AUTHORITY))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(lane.certificate("kubelet-server")),
        "tlsPrivateKeyFile": str(lane.key("kubelet-server")),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{lane.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [lane.address],
        "resolvConf": "",
        "podLogsDir": str(lane.kubelet / "pod-logs"),
        "volumePluginDir": str(lane.kubelet / "volume-plugins"),
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
        "nodeStatusUpdateFrequency": "4s",
        "oomScoreAdj": 500,  # what the supervisor gives: less would need CAP_SYS_RESOURCE
        "maxPods": 250,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
    }


def proxy(lane: Lane) -> Mapping[str, object]:
    """In nftables: no iptables programs are needed. The sysctls of conntrack are left alone."""
    conntrack = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(lane.config("proxy.kubeconfig"))},
        "clusterCIDR": lane.pods,
        "hostnameOverride": lane.name,
        "bindAddress": lane.address,
        "healthzBindAddress": f"{lane.address}:{place.PROXY_HEALTH_PORT}",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": ["primary"],
        "oomScoreAdj": 500,
        "conntrack": conntrack,
    }


def corefile(lane: Lane) -> str:
    """Answers are not cached: a pod that comes back has another address, and tests wait for it."""
    return f""".:53 {{
    bind {lane.address}
    errors
    ready {lane.address}:{place.DNS_READY_PORT}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {lane.config("dns.kubeconfig")} {lane.name}
        pods insecure
        ttl 1
    }}
}}
"""


def dns_rights() -> Mapping[str, Mapping[str, object]]:
    """What CoreDNS may read: it runs beside the cluster, with a certificate of its own."""
    group = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": pki.DNS_USER}, "rules": rules}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": pki.DNS_USER},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": pki.DNS_USER},
        "subjects": [{"kind": "User", "name": pki.DNS_USER, "apiGroup": group}],
    }
    return {"dns-role": role, "dns-binding": binding}


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
