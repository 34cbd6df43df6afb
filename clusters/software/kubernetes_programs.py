"""The programs of a one-node Kubernetes, each family built from its pinned Go module. Nothing of them is on PATH.

All are pure Go, so that they run on any Linux: the C compiler is off. What cannot be built so (runc, nft) is in
`lane_tools`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clusters.software import gobuild, releases, store
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest
from harness.base.errors import SoftwareError

GO = "1.26.8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Programs of one Go module; `folder` is below modules/, `programs` map names to packages."""

    name: str
    version: str
    programs: Mapping[str, str]
    stamps: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def entry(self) -> str:
        """Its name among the installations."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramsInstall:
    """A family that is there: names to files."""

    name: str
    version: str
    programs: Mapping[str, Path]
    source: str


def _below(root: str, *names: str) -> dict[str, str]:
    return {name.rpartition("/")[2]: f"{root}/{name}" for name in names}


# 1.34 is the last release whose kubelet takes cgroup v1 without being asked twice.
_KUBERNETES = "1.34.2"

KUBERNETES = Family(
    name="kubernetes",
    version=_KUBERNETES,
    programs=_below(
        "k8s.io/kubernetes/cmd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
        "kubelet",
        "kubectl",
    ),
    # without a stamp the programs say v0.0.0-master, which clients cannot read as a version
    stamps={
        "k8s.io/component-base/version.gitVersion": f"v{_KUBERNETES}",
        "k8s.io/component-base/version.gitMajor": "1",
        "k8s.io/component-base/version.gitMinor": "34",
        "k8s.io/component-base/version.gitTreeState": "archive",
        "k8s.io/client-go/pkg/version.gitVersion": f"v{_KUBERNETES}",
    },
)

# The 1.7 series: later ones are dropping cgroup v1.
CONTAINERD = Family(
    name="containerd",
    version="1.7.35",
    programs=_below("github.com/containerd/containerd/cmd", "containerd", "containerd-shim-runc-v2", "ctr"),
    stamps={"github.com/containerd/containerd/version.Version": "v1.7.35"},
    tags=("no_btrfs", "no_aufs", "no_zfs", "no_devmapper"),
)

CNI = Family(
    name="cni",
    version="1.9.1",
    programs=_below(
        "github.com/containernetworking/plugins/plugins", *("main/bridge", "main/loopback", "ipam/host-local")
    ),
)

COREDNS = Family(name="coredns", version="1.14.7", programs={"coredns": "."})

KIND = Family(name="kind", version="0.33.0", programs={"kind": "sigs.k8s.io/kind"})

PAUSE = Family(name="pause", version="1", programs={"pause": "."})  # ours, in modules/pause

FAMILIES = (KUBERNETES, CONTAINERD, CNI, COREDNS, KIND, PAUSE)


async def programs(family: Family, *, sources: Sources, progress: Progress | None = None) -> ProgramsInstall:
    """The programs of a family, built if they are not there yet (Kubernetes: minutes). Raises SoftwareError."""
    kept, shown = sources.store, progress or Silent()
    if kept.installed(family.entry) is None:
        if not sources.install:
            raise SoftwareError(f"{family.entry} is not in {kept.root}, and installing was switched off")
        await _install(family, sources, shown)
    return _described(family, sources)


async def _install(family: Family, sources: Sources, progress: Progress) -> None:
    kept = sources.store
    async with kept.installing(family.entry, progress) as staging:
        if kept.installed(family.entry) is not None:  # another process was quicker
            return
        prefix = staging / "prefix"
        (prefix / "bin").mkdir(parents=True)
        await gobuild.build(
            list(family.programs.values()),
            module=releases.MODULES / family.name,
            out=prefix / "bin" if len(family.programs) > 1 else prefix / "bin" / family.name,
            work=staging,
            go_version=GO,
            sources=sources,
            progress=progress,
            label=f"{family.name} {family.version}",
            stamps=family.stamps,
            tags=family.tags,
        )
        how = f"built from its Go module with Go {GO}"
        facts = store.facts(prefix)
        kept.commit(prefix, Manifest(name=family.entry, version=family.version, how=how, files=facts))


def _described(family: Family, sources: Sources) -> ProgramsInstall:
    kept = sources.store
    manifest = kept.installed(family.entry)
    missing = [name for name in family.programs if manifest is None or f"bin/{name}" not in manifest.files]
    if manifest is None or missing:
        raise SoftwareError(f"{family.entry} in {kept.root} is not complete: {', '.join(missing)} missing")
    paths = {name: kept.path(family.entry) / "bin" / name for name in family.programs}
    return ProgramsInstall(name=family.name, version=family.version, programs=paths, source=manifest.how)
