"""A MySQL of this machine made into a layer: its programs, plugins and messages below /vt/mysql.

They are bound to a libc and libraries of their own, copied along: those that the loader finds here, whether the MySQL
came from Debian packages, from Maven, from a tarball or with this machine's distribution.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from clusters.images import binding, tree
from clusters.images.layers import Recipe
from clusters.images.tree import Entry
from clusters.software import elf
from clusters.software.installs import MysqlInstall

BASE = Path("/vt/mysql")
OWN = "lib/own"  # loader and libraries, below BASE
CLIENTS = ("mysql", "mysqladmin", "mysqldump", "mysqlbinlog")
# Plugins of clients for ways of logging in that no cluster of ours has: 40 MB with what they load.
_UNUSED = re.compile(r"authentication_\w+_client\.so|telemetry_client\.so|component_telemetry\.so|libpluginmecab\.so")


def inside(install: MysqlInstall) -> MysqlInstall:
    """The same MySQL as a container sees it."""
    client = _ours(install.mysql)

    def moved(path: Path) -> Path:
        return BASE / path.relative_to(install.basedir)

    return replace(
        install,
        basedir=BASE,
        mysqld=moved(install.mysqld),
        mysql=moved(client) if client else None,
        plugin_dir=moved(install.plugin_dir),
        messages_dir=moved(install.messages_dir),
    )


def recipe(install: MysqlInstall) -> Recipe:
    """Its layer; looked at are the programs, plugins and messages, and their libraries only when it is packed."""

    programs, plugins, others = list(_programs(install)), list(_plugins(install)), list(_copies(install))

    async def entries(work: Path) -> Iterable[Entry]:
        return [*others, *await binding.bound(programs, BASE / OWN, work, plugins=plugins)]

    return Recipe(name=f"mysql-{install.version}", sources=(*programs, *plugins, *others), entries=entries)


def _programs(install: MysqlInstall) -> Iterator[Entry]:
    """mysqld and the clients beside it."""
    beside = (install.basedir / "bin" / name for name in CLIENTS)
    for path in (install.mysqld, *beside):
        if path == install.mysqld or _ours(path):
            yield tree.copied(_place(install, path), path, mode=0o755)


def _ours(path: Path | None) -> Path | None:
    """A client that is a program itself: a wrapper calls one elsewhere on this machine."""
    return path if path is not None and path.is_file() and elf.is_elf(path) else None


def _plugins(install: MysqlInstall) -> Iterator[Entry]:
    for path in sorted(install.plugin_dir.glob("*.so")):
        if not _UNUSED.fullmatch(path.name):
            yield tree.copied(f"{_place(install, install.plugin_dir)}/{path.name}", path)


def _copies(install: MysqlInstall) -> Iterator[Entry]:
    """Messages and character sets. Messages of other languages than English are asked for by nobody."""
    yield tree.folder(_place(install, install.plugin_dir))
    for part in ("english", "charsets"):
        if (install.messages_dir / part).is_dir():
            yield from tree.tree(f"{_place(install, install.messages_dir)}/{part}", install.messages_dir / part)
    for path in sorted(install.messages_dir.glob("*.sql")):
        yield tree.copied(f"{_place(install, install.messages_dir)}/{path.name}", path)


def _place(install: MysqlInstall, path: Path) -> str:
    return f"{BASE.relative_to('/')}/{path.relative_to(install.basedir)}"
