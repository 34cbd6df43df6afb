"""The layers of images, each of one piece of software: the lowest are those that change least."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from clusters.common import mysqld
from clusters.common.images import DATA
from clusters.images import binding, layers, tree
from clusters.images.layers import Recipe
from clusters.images.tree import Entry
from clusters.software import EtcdInstall, Sources, VitessInstall
from clusters.software.store import MANIFEST

VT = Path("/vt")
BIN = VT / "bin"
ETCD = BIN / "etcd"
INIT_SQL = VT / "config/vtchaos_init_db.sql"
TEMPLATES = VT / "template"
OWN = VT / "lib"  # loader and libraries of programs that have any
HOME = Path("/home/vitess")

_PASSWD = f"root:x:0:0:root:/root:/bin/sh\nvitess:x:{tree.USER}:{tree.USER}:vitess:{HOME}:/bin/sh\n"
_GROUP = f"root:x:0:\nvitess:x:{tree.USER}:\n"
_NAMES = "passwd: files\ngroup: files\nhosts: files dns\n"


def base(root: Path) -> Recipe:
    """The system, with the user that everything runs as, and the folders that are expected."""
    return installed(root.name, root, lambda: (*tree.tree("", root), *_skeleton()))


def python(root: Path, base: Path) -> Recipe:
    """Debian's Python without what the base has in the very same form."""
    return installed(
        f"{root.name}-over-{base.name}",
        root,
        lambda: (entry for entry in tree.tree("", root) if not _same(entry, base)),
    )


def _same(entry: Entry, base: Path) -> bool:
    there = base / entry.path
    if entry.target:
        return there.is_symlink() and str(there.readlink()) == entry.target
    if entry.folder or not there.is_file() or there.is_symlink():
        return False
    assert entry.source is not None
    return there.stat().st_size == entry.size and there.read_bytes() == entry.source.read_bytes()


def installed(name: str, item: Path, rows: Callable[[], Iterable[Entry]], *, compressed: bool = False) -> Recipe:
    """A layer out of an installation of a Store: its manifest, which is written last, stands for its many files."""

    async def entries(_: Path) -> Iterable[Entry]:
        return [entry for entry in rows() if entry.source != item / MANIFEST]

    sources = (tree.copied("manifest", item / MANIFEST),)
    return Recipe(name=name, sources=sources, entries=entries, compressed=compressed)


def _skeleton() -> Iterator[Entry]:
    for name in ("bin", "sbin", "lib", "lib64"):
        yield tree.link(name, f"usr/{name}")
    yield tree.text("etc/passwd", _PASSWD)
    yield tree.text("etc/group", _GROUP)
    yield tree.text("etc/nsswitch.conf", _NAMES)
    yield tree.folder("root", mode=0o700)
    for path in (HOME, DATA):
        yield tree.folder(inside(path), owner=tree.USER)
    for name in ("tmp", "var/tmp"):
        yield tree.folder(name, mode=0o1777)
    for name in ("dev", "proc", "sys", "run", "var/log"):
        yield tree.folder(name)


def etcd(install: EtcdInstall) -> Recipe:
    return _program(f"etcd-{install.version}", ETCD, install.etcd)


def vitess(install: VitessInstall, program: str, sources: Sources) -> Recipe:
    """One program: images of the same release with others share it."""
    path = install.programs[program]
    return _program(f"vitess-{install.version}-{program}{_origin(path, sources)}", BIN / program, path)


def template(keyspace: str, data: Path) -> Recipe:
    """The data directory that a keyspace's tablets start from. It is mostly zeros: 81 MB that compress to 2."""
    item = data.parent
    place = inside(TEMPLATES / keyspace)
    return installed(f"template-{item.name}", item, lambda: tree.tree(place, data, owner=tree.USER), compressed=True)


def init_sql() -> Recipe:
    source = Path(mysqld.__file__).with_name("init_db.sql")
    return layers.plain("init-sql", [tree.copied(inside(INIT_SQL), source, mode=0o644)])


def _program(name: str, place: Path, path: Path) -> Recipe:
    entry = tree.copied(inside(place), path, mode=0o755)

    async def entries(work: Path) -> Iterable[Entry]:
        return await binding.bound([entry], OWN / place.name, work)

    return Recipe(name=name, sources=(entry,), entries=entries)


def inside(path: Path) -> str:
    """As an entry of a layer spells it."""
    return str(path.relative_to("/"))


def _origin(path: Path, sources: Sources) -> str:
    """Tells a user's own builds apart, which may all say the same version; "" for what we installed."""
    if path.is_relative_to(sources.cache_dir):
        return ""
    return f"-{hashlib.sha256(str(path.parent).encode()).hexdigest()[:8]}"
