"""The programs of a lane, found or installed."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from clusters.software import Progress, Sources, etcd, kubernetes_programs, nft, versions
from clusters.software.debian_program import OPENSSL, RUNC, program
from clusters.software.kubernetes_programs import ProgramsInstall
from clusters.software.sources import SYSTEM_SBIN

OLDEST_NFT = (1, 0, 1)  # kube-proxy's nftables mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Paths on this machine."""

    control_plane: ProgramsInstall
    containers: ProgramsInstall
    plugins: Path
    coredns: Path
    pause: Path
    etcd: Path
    runc: Path
    nft: Path
    openssl: Path

    @property
    def containerd(self) -> Path:
        return self.containers.programs["containerd"]

    @property
    def ctr(self) -> Path:
        return self.containers.programs["ctr"]

    @property
    def kubectl(self) -> Path:
        return self.kubernetes("kubectl")

    def kubernetes(self, name: str) -> Path:
        return self.control_plane.programs[name]

    @property
    def search_path(self) -> str:
        """PATH of the lane's programs: there containerd finds its shim, kube-proxy nft, the kubelet mount."""
        ours = (self.containerd.parent, self.nft.parent, self.runc.parent)
        return os.pathsep.join([*(str(folder) for folder in ours), "/usr/bin", "/bin", *SYSTEM_SBIN])


async def obtained(sources: Sources, progress: Progress) -> Tools:
    """Every program, built or unpacked where it is missing (ten minutes the first time). Raises SoftwareError."""
    family = kubernetes_programs
    pause = await family.programs(family.PAUSE, sources=sources, progress=progress)
    plugins = await family.programs(family.CNI, sources=sources, progress=progress)
    containers = await family.programs(family.CONTAINERD, sources=sources, progress=progress)
    dns = await family.programs(family.COREDNS, sources=sources, progress=progress)
    control_plane = await family.programs(family.KUBERNETES, sources=sources, progress=progress)
    topology = await etcd(sources=sources, progress=progress)
    return Tools(
        control_plane=control_plane,
        containers=containers,
        plugins=plugins.programs["bridge"].parent,
        coredns=dns.programs["coredns"],
        pause=pause.programs["pause"],
        etcd=topology.etcd,
        runc=(await program(RUNC, sources=sources, progress=progress)).path,
        nft=await _nft(sources, progress),
        openssl=(await program(OPENSSL, sources=sources, progress=progress)).path,
    )


async def _nft(sources: Sources, progress: Progress) -> Path:
    """The machine's own may be too old for kube-proxy: then Debian's, as on a machine without one."""
    found = await nft(sources=sources, progress=progress)
    if versions.key(found.version) < OLDEST_NFT:
        found = await nft(sources=replace(sources, directories=(), search_path=()), progress=progress)
    return found.nft
