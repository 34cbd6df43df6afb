"""The small system that container images stand on: a shell, the usual small programs, nftables, iproute2.

Debian packages, unpacked into the cache. Nothing of it is bound to the cache folder: it is run only as the root of a
container, where its loader and libraries are in their usual places.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from clusters.software import debian, store
from clusters.software.debian import Deb
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base.errors import SoftwareError

# The number is raised when the packages, or what is kept of them, change.
NAME = "image-base-1"
PYTHON_NAME = "image-python-2"

PACKAGES = (
    *("dash", "coreutils", "util-linux", "procps", "hostname"),
    *("sed", "grep", "tar", "gzip", "findutils", "mawk"),
    *("nftables", "iproute2", "ca-certificates"),
)
PYTHON_PACKAGES = ("python3", "libstdc++6")  # the latter is what wheels may expect of every system
# What dependencies bring and no container needs: texts, character sets, the parts of PAM, perl and debconf.
_UNUSED = (
    *("usr/include", "usr/lib/mime", "usr/lib/systemd", "usr/libexec", "var"),
    *(f"etc/{name}" for name in ("apt", "init.d", "security", "pam.d", "pam.conf", "debconf.conf", "sysctl.d")),
)
_USED_SHARE = ("ca-certificates", "iproute2")
_UNUSED_PYTHON = ("test", "pydoc_data", "idlelib", "tkinter", "ensurepip", "config-*", "*/__pycache__", "__pycache__")
_UNUSED_LIBRARIES = ("gconv", "perl*", "security", "libdb-5.3.so", "engines-3", "libperl.so*", "libpam*", "*.a")
_UNUSED_PROGRAMS = ("debconf*", "dpkg-*", "openssl", "c_rehash", "perl*", "pam*", "su", "sulogin", "unix_*", "tarcat")
_NEEDED = ("usr/bin/sh", "usr/bin/cp", "usr/bin/ip", "usr/sbin/nft")
BUNDLE = Path("etc/ssl/certs/ca-certificates.crt")
INSTEAD = "name an image with --image instead"


async def base_root(*, sources: Sources, progress: Progress | None = None) -> Path:
    """The folder that becomes a container's root; obtained now if it is not there. Raises SoftwareError."""

    def complete(root: Path) -> None:
        bundle_certificates(root)
        (root / "usr/bin/awk").symlink_to("mawk")

    return await _obtained(NAME, PACKAGES, _NEEDED, complete, sources, progress or Silent())


async def python_root(*, sources: Sources, progress: Progress | None = None) -> Path:
    """Debian's Python 3 and what it needs, to lie over a base. Raises SoftwareError."""
    needed = ("usr/bin/python3",)
    return await _obtained(PYTHON_NAME, PYTHON_PACKAGES, needed, lambda _: None, sources, progress or Silent())


async def _obtained(
    name: str,
    packages: Sequence[str],
    needed: Sequence[str],
    complete: Callable[[Path], None],
    sources: Sources,
    progress: Progress,
) -> Path:
    kept = sources.store
    if kept.installed(name) is None:
        if not sources.install:
            raise SoftwareError(f"the packages for {name} are not here, and installing was switched off")
        async with kept.installing(name, progress) as staging:
            if kept.installed(name) is None:
                debs = await debian.download(packages, staging / "apt", progress, instead=INSTEAD)
                root = staging / "root"
                await debian.unpack(debs, root, progress)
                trim(root)
                complete(root)
                _commit(name, debs, root, needed, kept)
    return kept.path(name)


def _commit(name: str, debs: Sequence[Deb], root: Path, needed: Sequence[str], kept: Store) -> None:
    missing = [row for row in needed if not (root / row).exists()]
    if missing:
        raise SoftwareError(f"the packages of Debian {debian.SUITE} for {name} hold no {', '.join(missing)}")
    manifest = Manifest(
        name=name,
        version=name.rpartition("-")[2],
        how=f"Debian {debian.SUITE}, {len(debs)} packages",
        files=store.facts(root),
        parts=debian.parts(debs),
    )
    kept.commit(root, manifest)


def trim(root: Path) -> None:
    """Leave out what no container needs."""
    for row in _UNUSED:
        _remove(root / row)
    for path in root.glob("usr/share/*"):
        if path.name not in _USED_SHARE:
            _remove(path)
    for pattern in _UNUSED_LIBRARIES:
        for path in root.glob(f"usr/lib/*/{pattern}"):
            _remove(path)
    for pattern in _UNUSED_PYTHON:
        for path in root.glob(f"usr/lib/python3*/{pattern}"):
            _remove(path)
    for pattern in _UNUSED_PROGRAMS:
        for path in (*root.glob(f"usr/bin/{pattern}"), *root.glob(f"usr/sbin/{pattern}")):
            _remove(path)


def bundle_certificates(root: Path) -> None:
    """What update-ca-certificates would do: every certificate in one file, where programs look for it."""
    rows = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    (root / BUNDLE).parent.mkdir(parents=True, exist_ok=True)
    (root / BUNDLE).write_text("".join(row.read_text().rstrip("\n") + "\n" for row in rows))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
