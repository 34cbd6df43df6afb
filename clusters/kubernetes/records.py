"""Which namespaces we have made, where: what `heal` needs to know when all that is left of a run is its id.

CACHE/kubernetes/NAMESPACE.json, written before the namespace is made and removed after it is gone. The context that is
the current one may be another by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clusters.software import Sources
from harness.base import jsonio


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A namespace of ours."""

    run: str
    namespace: str
    context: str
    kubeconfig: str  # "" = the default one
    server: str


def save(record: Record) -> None:
    _folder().mkdir(parents=True, exist_ok=True)
    jsonio.save(_path(record.namespace), record)


def forget(namespace: str) -> None:
    _path(namespace).unlink(missing_ok=True)


def all_records() -> Iterator[Record]:
    """Those that can be read; one of another version is left out."""
    for path in sorted(_folder().glob("*.json")):
        try:
            yield jsonio.load(path, Record)
        except (ValueError, FileNotFoundError):
            continue


def _folder() -> Path:
    return Sources.of_environment().cache_dir / "kubernetes"


def _path(namespace: str) -> Path:
    return _folder() / f"{namespace}.json"
