"""Where programs may come from: what the user named, what is on the machine, and the cache to install into."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clusters.software.store import Store

APPLICATION = "vitess-chaos"
SYSTEM_CACHE = Path("/var/cache")
# An ordinary user's PATH often lacks these, and Debian and Ubuntu put mysqld there.
SYSTEM_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def default_cache_dir(environ: Mapping[str, str], *, root: bool) -> Path:
    """$VTCHAOS_CACHE, else $XDG_CACHE_HOME/vitess-chaos, else ~/.cache/vitess-chaos.

    root gets /var/cache/vitess-chaos: mysqld refuses to run as root, and the unprivileged user that
    runs it instead cannot enter /root, where its loader and libraries would be.
    """
    if environ.get("VTCHAOS_CACHE"):
        return Path(environ["VTCHAOS_CACHE"]).absolute()
    if environ.get("XDG_CACHE_HOME"):
        return Path(environ["XDG_CACHE_HOME"]).absolute() / APPLICATION
    if root:
        return SYSTEM_CACHE / APPLICATION
    return Path(environ.get("HOME", "~")).expanduser() / ".cache" / APPLICATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Folders in the order of trust, and whether anything missing may be installed into `cache_dir`."""

    cache_dir: Path
    directories: tuple[Path, ...] = ()
    vtroot: Path | None = None
    search_path: tuple[Path, ...] = ()
    install: bool = True

    @classmethod
    def of_environment(
        cls,
        *,
        directories: Sequence[Path] = (),
        cache_dir: Path | None = None,
        install: bool = True,
        environ: Mapping[str, str] = os.environ,
    ) -> Sources:
        """What the user's environment offers: VTROOT, PATH and the usual cache."""
        words = [word for word in environ.get("PATH", "").split(os.pathsep) if word]
        return cls(
            cache_dir=cache_dir or default_cache_dir(environ, root=os.geteuid() == 0),
            directories=tuple(path.absolute() for path in directories),
            vtroot=Path(environ["VTROOT"]).absolute() if environ.get("VTROOT") else None,
            search_path=tuple(Path(word) for word in dict.fromkeys([*words, *SYSTEM_SBIN])),
            install=install,
        )

    @property
    def store(self) -> Store:
        """What vtchaos installed itself."""
        return Store(self.cache_dir / "software")

    def candidates(self, program: str) -> Iterator[tuple[Path, str]]:
        """Every executable of that name, best first, with the words for where it was found."""
        seen: set[Path] = set()
        for folder, where in self._folders():
            path = folder / program
            if path not in seen and path.is_file() and os.access(path, os.X_OK):
                seen.add(path)
                yield path, where

    def _folders(self) -> Iterator[tuple[Path, str]]:
        for directory in self.directories:
            for folder in (directory, directory / "bin", directory / "sbin"):
                yield folder, f"given folder {directory}"
        if self.vtroot is not None:
            yield self.vtroot / "bin", "VTROOT"
        for folder in self.search_path:
            yield folder, "PATH"
