"""Packages with all their dependencies, libc included, from the Debian archive that this machine already uses.

apt resolves, downloads and verifies (signed index → checksum of each package) in a root of its own:
nothing of the machine's package state is read or changed, and no rights are needed. The mirror comes
from the machine's configuration; only the suite is ours, because stable Debian has no MySQL.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clusters.software.progress import Progress
from clusters.software.store import sha256
from harness.base import procs
from harness.base.errors import ProcessError, SoftwareError

SUITE = "sid"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
UPDATE_TIMEOUT_S = 300.0
DOWNLOAD_TIMEOUT_S = 1800.0
UNPACK_TIMEOUT_S = 120.0
INSTEAD = "install MySQL 8.0.34 or newer yourself and have mysqld on PATH, or name its folder"

# Settings of the machine that its mirror may need (proxies, certificates); hooks and index lists are left behind.
_KEPT_SETTING = re.compile(r"Acquire::(https?|ftp|Retries|ForceIPv4|Check-Date|Check-Valid-Until)\b")
_ADDED_SUITE = re.compile(r"-(security|updates|backports.*|proposed.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A downloaded package."""

    package: str
    version: str
    path: Path
    sha256: str

    @property
    def upstream_version(self) -> str:
        """The program's own version: 1:9.7.4-2 is MySQL 9.7.4."""
        return self.version.rpartition(":")[2].partition("-")[0]


async def download(
    packages: Sequence[str], work: Path, progress: Progress, *, instead: str = INSTEAD
) -> tuple[Deb, ...]:
    """Packages and everything they depend on. Raises SoftwareError, with what could be done `instead`."""
    _need_apt(instead)
    progress.step("asking apt for this machine's Debian mirror")
    config = await _apt_root(work, await _mirror(instead))
    env = {"APT_CONFIG": str(config), "LC_ALL": "C"}
    try:
        progress.step(f"reading the package lists of Debian {SUITE}")
        await procs.run(["apt-get", "-q", "update", "--error-on=any"], timeout_s=UPDATE_TIMEOUT_S, env=env)
        argv = ["apt-get", "-q", "install", "--yes", "--download-only", "--no-install-recommends", *packages]
        await procs.run(argv, timeout_s=DOWNLOAD_TIMEOUT_S, env=env, on_line=_Downloads(progress).line)
    except ProcessError as error:
        raise SoftwareError(
            f"apt could not get {', '.join(packages)} of Debian {SUITE} from this machine's mirror; {instead}\n{error}"
        ) from None
    return tuple(_deb(path) for path in sorted((work / "cache/archives").glob("*.deb")))


async def unpack(debs: Sequence[Deb], prefix: Path, progress: Progress) -> None:
    """Every package into one prefix, maintainer scripts not run."""
    for number, deb in enumerate(debs, start=1):
        progress.step("unpacking packages", number, len(debs))
        await procs.run(["dpkg-deb", "--extract", deb.path, prefix], timeout_s=UNPACK_TIMEOUT_S)


def parts(debs: Sequence[Deb]) -> dict[str, str]:
    """The packages for a manifest: what they were, whatever the suite has moved on to since."""
    return {deb.package: f"{deb.version} sha256:{deb.sha256}" for deb in debs}


def why_not() -> str:
    """Empty when this machine can install from Debian; otherwise the reason."""
    missing = [program for program in ("apt-get", "dpkg-deb") if shutil.which(program) is None]
    return f"this machine has no {' and no '.join(missing)}" if missing else ""


def _need_apt(instead: str) -> None:
    reason = why_not()
    if reason:
        raise SoftwareError(f"cannot install Debian packages: {reason}; {instead}")


async def _mirror(instead: str) -> str:
    """The archive that the machine's own Debian packages come from."""
    done = await procs.run(["apt-get", "indextargets", "Created-By: Packages"], timeout_s=60, env={"LC_ALL": "C"})
    uri = mirror_of(done.output)
    if uri is None:
        raise SoftwareError(f"apt's sources name no Debian archive that could have the suite {SUITE}; {instead}")
    return uri


def mirror_of(index_targets: str) -> str | None:
    """The repository of Debian's own main component in the output of `apt-get indextargets`."""
    for stanza in index_targets.split("\n\n"):
        row = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        ours = row.get("Origin") == "Debian" and row.get("Component") == "main"
        if ours and "Repo-URI" in row and not _ADDED_SUITE.search(row.get("Release", "")):
            return row["Repo-URI"]
    return None


async def _apt_root(work: Path, uri: str) -> Path:
    """An apt root with an empty status file: every dependency counts as missing, so that all are fetched."""
    for folder in ("state/lists/partial", "cache/archives/partial", "sources"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    signed = f"Signed-By: {KEYRING}\n" if KEYRING.is_file() else ""
    (work / "sources/archive.sources").write_text(
        f"Types: deb\nURIs: {uri}\nSuites: {SUITE}\nComponents: main\n{signed}"
    )
    dump = ["apt-config", "dump", "--no-empty", "--format", '%F "%v";%n']
    kept = await procs.run(dump, timeout_s=30, env={"LC_ALL": "C"})
    config = work / "apt.conf"
    config.write_text(apt_settings(work, kept.output))
    return config


def apt_settings(work: Path, machine: str) -> str:
    """The configuration of the apt root: our folders, and of the machine only how to reach its mirror."""
    kept = [line for line in machine.splitlines() if _KEPT_SETTING.match(line)]
    user = ['APT::Sandbox::User "root";'] if os.geteuid() == 0 else []  # _apt could not write into our folders
    ours = [
        f'Dir::State "{work}/state";',
        f'Dir::State::status "{work}/status";',
        f'Dir::Cache "{work}/cache";',
        f'Dir::Log "{work}";',
        'Dir::Etc::main "/dev/null";',
        'Dir::Etc::parts "/dev/null";',
        'Dir::Etc::sourcelist "/dev/null";',
        f'Dir::Etc::sourceparts "{work}/sources";',
        'Dir::Etc::preferences "/dev/null";',
        'Dir::Etc::preferencesparts "/dev/null";',
        'APT::Install-Recommends "false";',
        'Acquire::Languages "none";',
        'Acquire::AllowInsecureRepositories "false";',
        'Acquire::AllowWeakRepositories "false";',
        'APT::Get::AllowUnauthenticated "false";',
        'Debug::NoLocking "true";',
    ]
    return "\n".join([*kept, *user, *ours]) + "\n"


class _Downloads:
    """apt's lines into a count of packages."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0
        self._total: int | None = None

    def line(self, text: str) -> None:
        found = re.search(r"(\d+) newly installed", text)
        if found:
            self._total = int(found[1])
        if text.startswith("Get:"):
            self._done += 1
            self._progress.step("downloading packages", self._done, self._total)


def _deb(path: Path) -> Deb:
    package, version, _ = path.name.split("_", 2)
    return Deb(package=package, version=version.replace("%3a", ":"), path=path, sha256=sha256(path))
