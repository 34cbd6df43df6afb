"""A real Kubernetes of one node on this machine, for the tests: `python -m ci.lane up | status | down | test`.

etcd, containerd, the control plane, a kubelet, kube-proxy and CoreDNS run in process, mount and network namespaces
of their own, whose first process is the local backend's supervisor. So the machine's mounts, packet filters and other
container engines are not touched, and whatever dies, the kernel removes the rest. What lies outside the namespaces is
a folder, one cgroup, and one end of a veth pair; `down` removes all three.

Everything is built from pinned Go modules or unpacked from Debian packages (`tools`); no image registry is needed.
"""
