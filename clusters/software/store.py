"""Installed software in the cache folder. The manifest is the commit: what it does not name is not installed.

    software/NAME/manifest.json   what it is, how it was obtained, size and sha256 of every file
    software/.new-NAME@XXXX/      being installed; whoever holds the lock of NAME may remove it
    software/.lock-NAME           flock, released by the kernel even after kill -9

An installation is made complete in a temporary sibling and then renamed, so that no interruption
leaves a half of one behind.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from clusters.software.progress import Progress
from harness.base import jsonio, wait
from harness.base.errors import SoftwareError, WaitTimeout

MANIFEST = "manifest.json"
LOCK_TIMEOUT_S = 3600.0  # another installer may be building a whole release on a slow machine
LOCK_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFact:
    """What an installed file must look like."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One installation. `parts` names what it was made of (package or module → version and checksum)."""

    name: str
    version: str
    how: str
    files: dict[str, FileFact]
    parts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Store:
    """The installations under one folder."""

    root: Path

    def path(self, name: str) -> Path:
        return self.root / name

    def names(self, prefix: str) -> tuple[str, ...]:
        """Installations, whole or damaged, whose name starts so."""
        if not self.root.is_dir():
            return ()
        found = (path.parent.name for path in self.root.glob(f"{prefix}*/{MANIFEST}"))
        return tuple(sorted(name for name in found if not name.startswith(".")))

    def installed(self, name: str) -> Manifest | None:
        """The manifest of a whole installation: every file is there and has its size (a few milliseconds)."""
        manifest = self.manifest(name)
        return manifest if manifest is not None and not self.damage(manifest) else None

    def damage(self, manifest: Manifest) -> list[str]:
        """Files of an installation that are gone or have another size."""
        return [row for row, fact in manifest.files.items() if _size(self.path(manifest.name) / row) != fact.size]

    def verify(self, name: str) -> list[str]:
        """Everything wrong with an installation, by content; empty when it is as it was installed."""
        manifest = self.manifest(name)
        if manifest is None:
            return [f"{self.path(name)} has no readable {MANIFEST}"]
        gone = self.damage(manifest)
        rest = [(row, fact) for row, fact in manifest.files.items() if row not in gone]
        changed = [row for row, fact in rest if sha256(self.path(name) / row) != fact.sha256]
        return [f"{self.path(name) / row} is missing or has another size" for row in gone] + [
            f"{self.path(name) / row} has another content than was installed" for row in changed
        ]

    @asynccontextmanager
    async def installing(self, name: str, progress: Progress) -> AsyncIterator[Path]:
        """The sole installer of `name`, with an empty folder to build in; removed on leaving.

        Ask `installed` again inside: another process may have finished the same work meanwhile.
        Raises SoftwareError, also for a full disk or a folder that may not be written.
        """
        self._make_root()
        async with self._locked(name, progress):
            for leftover in self.root.glob(f".new-{name}@*"):  # of an installer that was killed
                remove(leftover)
            staging = Path(tempfile.mkdtemp(prefix=f".new-{name}@", dir=self.root))
            try:
                yield staging
            except OSError as error:
                raise SoftwareError(f"installing {name} into {self.root} failed: {error}") from error
            finally:
                remove(staging)

    def commit(self, staged: Path, manifest: Manifest) -> None:
        """Put a whole folder in its place; a damaged predecessor is moved out of the way first."""
        open_to_all(staged)
        jsonio.save(staged / MANIFEST, manifest)
        (staged / MANIFEST).chmod(0o644)
        target = self.path(manifest.name)
        if not target.exists():
            staged.rename(target)
            return
        away = Path(tempfile.mkdtemp(prefix=f".new-{manifest.name}@", dir=self.root))
        target.rename(away)
        staged.rename(target)
        remove(away)

    def add(self, staged: Path, manifest: Manifest) -> Manifest:
        """Add files to an installation that grows (the programs of a release); returns the whole."""
        open_to_all(staged)
        target = self.path(manifest.name)
        for row in manifest.files:
            (target / row).parent.mkdir(parents=True, exist_ok=True)
            (staged / row).replace(target / row)
        old = self.manifest(manifest.name)
        kept = {row: fact for row, fact in old.files.items() if _size(target / row) == fact.size} if old else {}
        whole = replace(manifest, files={**kept, **manifest.files})
        jsonio.save(target / MANIFEST, whole)
        open_to_all(target)
        return whole

    def manifest(self, name: str) -> Manifest | None:
        try:
            return jsonio.load(self.path(name) / MANIFEST, Manifest)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def _make_root(self) -> None:
        missing = [folder for folder in (self.root, *self.root.parents) if not folder.exists()]
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SoftwareError(f"cannot create the cache folder {self.root}: {error.strerror}") from None
        for folder in missing:  # whatever the umask: another uid runs mysqld from here
            folder.chmod(0o755)

    @asynccontextmanager
    async def _locked(self, name: str, progress: Progress) -> AsyncIterator[None]:
        path = self.root / f".lock-{name}"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SoftwareError(f"cannot install into {self.root}: {error.strerror}") from None

        async def taken() -> bool:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.step(f"waiting for another vtchaos that installs {name}")
                return False
            return True

        try:
            await wait.until(f"lock {path}", taken, timeout_s=LOCK_TIMEOUT_S, poll_s=LOCK_POLL_S)
            yield
        except WaitTimeout as error:
            if error.name != f"lock {path}":
                raise
            raise SoftwareError(f"another process has been installing {name} for {error.timeout_s:g} s") from None
        finally:
            os.close(fd)


def facts(root: Path, rows: Iterable[Path] | None = None) -> dict[str, FileFact]:
    """Size and sha256 of the files under a folder (all regular ones, or `rows`)."""
    chosen = rows if rows is not None else (path for path in sorted(root.rglob("*")) if _regular(path))
    return {str(path.relative_to(root)): FileFact(size=path.stat().st_size, sha256=sha256(path)) for path in chosen}


def sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def open_to_all(root: Path) -> None:
    """a+rX: installed by root, run by another uid."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0))


def remove(path: Path) -> None:
    """rm -rf that also gets through the read-only folders of a Go module cache."""
    if path.is_dir() and not path.is_symlink():
        for folder in (path, *(row for row in path.rglob("*") if row.is_dir() and not row.is_symlink())):
            folder.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _regular(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
