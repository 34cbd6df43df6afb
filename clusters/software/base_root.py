"""The small system that container images stand on: a shell, the usual small programs, nftables, iproute2.

Debian packages, unpacked into the cache. Nothing of it is bound to the cache folder: it is run only as the root of a
container, where its loader and libraries are in their usual places.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from clusters.software import debian, store
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base.errors import SoftwareError

FORMAT = 1  # raise it when the packages or what is kept of them change
NAME = f"image-base-{FORMAT}"

PACKAGES = (
    *("dash", "coreutils", "util-linux", "procps", "hostname"),
    *("sed", "grep", "tar", "gzip", "findutils", "mawk"),
    *("nftables", "iproute2", "ca-certificates"),
)
# What dependencies bring and no container needs: texts, character sets, the parts of PAM, perl and debconf.
_UNUSED = (
    *("usr/include", "usr/lib/mime", "usr/lib/systemd", "usr/libexec", "var"),
    *(f"etc/{name}" for name in ("apt", "init.d", "security", "pam.d", "pam.conf", "debconf.conf", "sysctl.d")),
)
_USED_SHARE = ("ca-certificates", "iproute2")
_UNUSED_LIBRARIES = ("gconv", "perl*", "security", "libdb-5.3.so", "engines-3", "libperl.so*", "libpam*", "*.a")
_UNUSED_PROGRAMS = ("debconf*", "dpkg-*", "openssl", "c_rehash", "perl*", "pam*", "su", "sulogin", "unix_*", "tarcat")
_NEEDED = ("usr/bin/sh", "usr/bin/cp", "usr/bin/ip", "usr/sbin/nft")
BUNDLE = Path("etc/ssl/certs/ca-certificates.crt")


async def base_root(*, sources: Sources, progress: Progress | None = None) -> Path:
    """The folder that becomes a container's root; obtained now if it is not there. Raises SoftwareError."""
    kept, shown = sources.store, progress or Silent()
    if kept.installed(NAME) is None:
        if not sources.install:
            raise SoftwareError("the packages that images stand on are not here, and installing was switched off")
        async with kept.installing(NAME, shown) as staging:
            if kept.installed(NAME) is None:
                await _unpack(kept, staging, shown)
    return kept.path(NAME)


async def _unpack(kept: Store, staging: Path, progress: Progress) -> None:
    debs = await debian.download(PACKAGES, staging / "apt", progress)
    root = staging / "root"
    await debian.unpack(debs, root, progress)
    trim(root)
    bundle_certificates(root)
    (root / "usr/bin/awk").symlink_to("mawk")
    missing = [
        name for name in ("usr/bin/sh", "usr/bin/cp", "usr/sbin/nft", "usr/bin/ip") if not (root / name).exists()
    ]
    if missing:
        raise SoftwareError(f"the packages of Debian {debian.SUITE} for images hold no {', '.join(missing)}")
    how = f"Debian {debian.SUITE}: {', '.join(PACKAGES)}"
    version = next(deb.version for deb in debs if deb.package == "coreutils")
    facts = store.facts(root)
    kept.commit(root, Manifest(name=NAME, version=version, how=how, files=facts, parts=debian.parts(debs)))


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
