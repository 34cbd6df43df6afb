"""A MySQL of this machine made into a layer: its programs, plugins and messages below /vt/mysql.

They are bound to a libc and libraries of their own, copied along: those that the loader finds here, whether the MySQL
came from Debian packages, from Maven, from a tarball or with this machine's distribution.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from clusters.images import tree
from clusters.images.layers import Recipe
from clusters.images.tree import Entry
from clusters.software import elf
from clusters.software.installs import MysqlInstall
from harness.base import procs
from harness.base.errors import SoftwareError

BASE = Path("/vt/mysql")
OWN = "lib/own"  # loader and libraries, below BASE
CLIENTS = ("mysql", "mysqladmin", "mysqldump", "mysqlbinlog")
LIST_TIMEOUT_S = 30.0
# Plugins of clients for ways of logging in that no cluster of ours has: 40 MB with what they load.
_UNUSED = re.compile(r"authentication_\w+_client\.so|telemetry_client\.so|component_telemetry\.so|libpluginmecab\.so")
_FOUND = re.compile(r"^\s*(\S+) => (/\S+) \(", re.MULTILINE)
_LOST = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)


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

    async def entries(work: Path) -> Iterable[Entry]:
        return await _entries(install, work)

    rows = (*_copies(install), *_plugins(install, _shared_objects(install)), *_programs(install))
    return Recipe(name=f"mysql-{install.version}", sources=rows, entries=entries)


async def _entries(install: MysqlInstall, work: Path) -> list[Entry]:
    """Copies of the programs with another loader; all else as it is."""
    programs = list(_programs(install))
    loader = await _interpreter(install.mysqld)
    libraries: dict[str, Path] = {}
    for program in programs:
        assert program.source is not None
        found, lost = await _libraries(loader, program.source)
        if lost:
            raise SoftwareError(f"{program.source} does not find {', '.join(lost)} on this machine")
        libraries |= found
    folders = {path.parent for path in libraries.values()}
    plugins = []
    for plugin in _shared_objects(install):
        found, lost = await _libraries(loader, plugin, folders)
        if not lost and {path.parent for path in found.values()} <= folders:
            plugins.append(plugin)
            libraries |= found
    own = f"{BASE.relative_to('/')}/{OWN}"
    return [
        *_copies(install),
        *_plugins(install, plugins),
        *[await _bound(program, work, loader) for program in programs],
        tree.copied(f"{own}/{loader.name}", loader, mode=0o755),
        *(tree.copied(f"{own}/{name}", path, mode=0o755) for name, path in libraries.items()),
    ]


async def _bound(program: Entry, work: Path, loader: Path) -> Entry:
    """A copy that is started by the loader of the layer and finds its libraries there."""
    assert program.source is not None
    copy = work / Path(program.path).name
    shutil.copyfile(program.source, copy)
    copy.chmod(0o755)
    up = "/".join([".."] * (len(Path(program.path).parts) - len(BASE.parts)))
    argv: list[str | Path] = [
        elf.patchelf(),
        *("--set-interpreter", BASE / OWN / loader.name),
        *("--force-rpath", "--set-rpath", f"$ORIGIN/{up}/{OWN}"),
        copy,
    ]
    await procs.run(argv, timeout_s=elf.PATCH_TIMEOUT_S)
    return replace(program, source=copy)


def _programs(install: MysqlInstall) -> Iterator[Entry]:
    """mysqld and the clients beside it."""
    beside = (install.basedir / "bin" / name for name in CLIENTS)
    for path in (install.mysqld, *beside):
        if path == install.mysqld or _ours(path):
            yield tree.copied(_place(install, path), path, mode=0o755)


def _ours(path: Path | None) -> Path | None:
    """A client that is a program itself: a wrapper calls one elsewhere on this machine."""
    return path if path is not None and path.is_file() and elf.is_elf(path) else None


def _shared_objects(install: MysqlInstall) -> list[Path]:
    return [path for path in sorted(install.plugin_dir.glob("*.so")) if not _UNUSED.fullmatch(path.name)]


def _plugins(install: MysqlInstall, paths: Iterable[Path]) -> Iterator[Entry]:
    yield tree.folder(_place(install, install.plugin_dir))
    for path in paths:
        yield tree.copied(f"{_place(install, install.plugin_dir)}/{path.name}", path)


def _copies(install: MysqlInstall) -> Iterator[Entry]:
    """Messages and character sets. Messages of other languages than English are asked for by nobody."""
    for part in ("english", "charsets"):
        if (install.messages_dir / part).is_dir():
            yield from tree.tree(f"{_place(install, install.messages_dir)}/{part}", install.messages_dir / part)
    for path in sorted(install.messages_dir.glob("*.sql")):
        yield tree.copied(f"{_place(install, install.messages_dir)}/{path.name}", path)


def _place(install: MysqlInstall, path: Path) -> str:
    return f"{BASE.relative_to('/')}/{path.relative_to(install.basedir)}"


async def _interpreter(program: Path) -> Path:
    done = await procs.run([elf.patchelf(), "--print-interpreter", program], timeout_s=elf.PATCH_TIMEOUT_S)
    return Path(done.output.strip())


async def _libraries(
    loader: Path, shared_object: Path, folders: Iterable[Path] = ()
) -> tuple[dict[str, Path], list[str]]:
    """(name → path of everything that it loads, names that are not there), asked of its own loader."""
    where = ["--library-path", ":".join(sorted(map(str, folders)))] if folders else []
    argv: list[str | Path] = [loader, *where, "--list", shared_object]
    done = await procs.run(argv, timeout_s=LIST_TIMEOUT_S, env={"LD_LIBRARY_PATH": ""}, check=False)
    rows = {name: Path(path).resolve() for name, path in _FOUND.findall(done.output) if "/" not in name}
    return rows, _LOST.findall(done.output)
