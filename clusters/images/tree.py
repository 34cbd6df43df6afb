"""What a layer of an image holds: values, in no order; and the key by which a packed layer is found again."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FORMAT = 3  # raise it when the same files would become another layer
USER = 999  # uid and gid of "vitess" in every image, as in the published ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path of a layer: a folder, or a link (`target`), or a file with the content of `source` or `data`."""

    path: str  # in the image, without the leading slash
    mode: int
    owner: int = 0  # uid and gid
    folder: bool = False
    target: str = ""
    source: Path | None = None
    data: bytes = b""

    @property
    def size(self) -> int:
        return self.source.stat().st_size if self.source is not None else len(self.data)


def folder(path: str, *, mode: int = 0o755, owner: int = 0) -> Entry:
    return Entry(path=path, mode=mode, owner=owner, folder=True)


def text(path: str, content: str, *, mode: int = 0o644) -> Entry:
    return Entry(path=path, mode=mode, data=content.encode())


def link(path: str, target: str) -> Entry:
    return Entry(path=path, mode=0o777, target=target)


def copied(path: str, source: Path, *, mode: int = 0, owner: int = 0) -> Entry:
    """A file of this machine; `mode` 0 = readable by all, executable where it is."""
    if not mode:
        mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
    return Entry(path=path, mode=mode, owner=owner, source=source.resolve())


def tree(path: str, root: Path, *, owner: int = 0) -> Iterator[Entry]:
    """A whole folder, links as links, modes made regular; what is neither folder, link nor file is left out."""
    yield folder(path, owner=owner)
    for each in sorted(root.rglob("*")):
        inside = f"{path}/{each.relative_to(root)}".removeprefix("/")
        mode = each.lstat().st_mode
        if stat.S_ISLNK(mode):
            yield Entry(path=inside, mode=0o777, owner=owner, target=str(each.readlink()))
        elif stat.S_ISDIR(mode):
            yield folder(inside, owner=owner)
        elif stat.S_ISREG(mode):
            yield copied(inside, each, owner=owner)


def with_parents(entries: Iterable[Entry]) -> list[Entry]:
    """Sorted, each path once, every folder above a path there: the same tree gives the same layer."""
    by_path = {entry.path: entry for entry in entries if entry.path}
    for path in tuple(by_path):
        for parent in Path(path).parents:
            name = str(parent)
            if name != ".":
                by_path.setdefault(name, folder(name))
    return [by_path[path] for path in sorted(by_path)]


def key(entries: Iterable[Entry]) -> str:
    """Changes when a source file does (by size and time of change, as a build tool would see it)."""
    digest = hashlib.sha256(f"{FORMAT}\n".encode())
    for entry in with_parents(entries):
        words = [entry.path, f"{entry.mode:o}", str(entry.owner), str(entry.folder), entry.target]
        if entry.source is not None:
            seen = entry.source.stat()
            words += [str(entry.source), str(seen.st_size), str(seen.st_mtime_ns)]
        digest.update("\0".join(words).encode() + b"\0" + entry.data + b"\n")
    return digest.hexdigest()[:12]
