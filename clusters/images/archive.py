"""Images as files: a layer is a tar, an image is a list of layers and a description, an archive holds images.

The archive is what `docker save` writes; a Docker engine (20.10 and newer), containerd and kind all load it. Nothing
in it depends on when, where or by whom it was made, so that the same software gives the same image.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, cast

from clusters.images import tree
from clusters.images.tree import Entry

_EPOCH = "1970-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class Stopped(Exception):
    """The work was given up."""


class Writable(Protocol):
    """A file, compressing or not, that is only written."""

    def write(self, data: bytes, /) -> int: ...


@dataclass(slots=True)
class Count:
    """Bytes done, read by whoever shows the progress; setting `stop` ends the work of another thread."""

    done: int = 0
    stop: bool = False

    def add(self, count: int) -> None:
        if self.stop:
            raise Stopped
        self.done += count


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A packed layer. `diff_id` is the sha256 of the tar, also where the file holds it compressed."""

    diff_id: str
    path: Path

    @property
    def name(self) -> str:
        """Of its file in an archive."""
        return f"{self.diff_id}/layer.tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Layers, the lowest first, and how a container of them starts."""

    repository: str
    version: str  # for people: the first part of the tag
    layers: tuple[Layer, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    path: str = "/vt/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ("/bin/sh",)

    @property
    def config(self) -> bytes:
        """The image's description; its sha256 is the image's id."""
        variables = {"PATH": self.path, **self.environment}
        content = {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "created": _EPOCH,
            "config": {
                "User": f"{tree.USER}:{tree.USER}",
                "Env": [f"{name}={value}" for name, value in sorted(variables.items())],
                "Cmd": list(self.command),
                "WorkingDir": "/",
                "Labels": dict(sorted(self.labels.items())),
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in self.layers]},
            "history": [{"created": _EPOCH, "created_by": "vtchaos"} for _ in self.layers],
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    @property
    def id(self) -> str:
        return hashlib.sha256(self.config).hexdigest()

    @property
    def reference(self) -> str:
        """Two images of one reference have the same content."""
        return f"{self.repository}:{self.version}-{self.id[:12]}"


def pack(entries: Sequence[Entry], out: Path, count: Count, *, compressed: bool = False) -> str:
    """Write a layer; returns its diff_id. Raises OSError, Stopped."""
    with out.open("wb") as raw:
        if not compressed:
            return _pack(entries, raw, count)
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as smaller:
            return _pack(entries, smaller, count)


def save(images: Sequence[Image], out: Writable, count: Count) -> None:
    """Write an archive of these images; a layer that several have is in it once. Raises OSError, Stopped."""
    layers = {layer.name: layer for image in images for layer in image.layers}
    rows = [
        {"Config": f"{image.id}.json", "RepoTags": [image.reference], "Layers": [layer.name for layer in image.layers]}
        for image in images
    ]
    with _opened(_Counted(out, count)) as tar:
        _add(tar, "manifest.json", json.dumps(rows, sort_keys=True).encode())
        for image in images:
            _add(tar, f"{image.id}.json", image.config)
        for name, layer in sorted(layers.items()):
            info = _info(name, 0o644)
            with layer.path.open("rb") as content:
                info.size = layer.path.stat().st_size
                tar.addfile(info, content)


def size_of(images: Sequence[Image]) -> int:
    """Bytes of the archive, about."""
    return sum({layer.name: layer.path.stat().st_size for image in images for layer in image.layers}.values())


def _pack(entries: Sequence[Entry], out: Writable, count: Count) -> str:
    hashed = _Counted(out, count)
    with _opened(hashed) as tar:
        for entry in tree.with_parents(entries):
            info = _info(entry.path, entry.mode)
            info.uid = info.gid = entry.owner
            if entry.folder:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif entry.target:
                info.type, info.linkname = tarfile.SYMTYPE, entry.target
                tar.addfile(info)
            else:
                _add_file(tar, info, entry)
    return hashed.digest.hexdigest()


def _add_file(tar: tarfile.TarFile, info: tarfile.TarInfo, entry: Entry) -> None:
    info.size = entry.size
    if entry.source is None:
        tar.addfile(info, io.BytesIO(entry.data))
        return
    with entry.source.open("rb") as content:
        tar.addfile(info, content)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = _info(name, 0o644)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _info(name: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = mode, 0
    return info


def _opened(out: _Counted) -> tarfile.TarFile:
    """A tar that is only written, so that `write` and `tell` are all it needs."""
    return tarfile.open(fileobj=cast(IO[bytes], out), mode="w", format=tarfile.PAX_FORMAT)


class _Counted:
    """A file that is only written, with the sha256 of what was written."""

    def __init__(self, out: Writable, count: Count) -> None:
        self.digest = hashlib.sha256()
        self._out = out
        self._count = count
        self._at = 0

    def write(self, data: bytes) -> int:
        self._count.add(len(data))
        self.digest.update(data)
        self._at += len(data)
        self._out.write(data)
        return len(data)

    def tell(self) -> int:
        return self._at
