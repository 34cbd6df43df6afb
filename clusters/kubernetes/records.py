"""Which namespaces we have made, where: what `heal` needs to know when all that is left of a run is its id.

CACHE/kubernetes/NAMESPACE.json, written before the namespace is made and removed after it is gone. The context that is
the current one may be another by then.
"""

from __future__ import annotations

import contextlib
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
    kind: str = ""  # a kind cluster of our own, all of which is the run's
    owner: str = ""  # who made it; "" = it is to stay


def save(record: Record) -> None:
    _folder().mkdir(parents=True, exist_ok=True)
    jsonio.save(_path(record.namespace), record)


def forget(namespace: str) -> None:
    """It is gone."""
    kubeconfig_of(namespace).unlink(missing_ok=True)
    _path(namespace).unlink(missing_ok=True)


def everything() -> tuple[Record, ...]:
    """Those that can be read; one of another version is left out."""
    found = []
    for path in sorted(_folder().glob("*.json")):
        with contextlib.suppress(ValueError, FileNotFoundError):
            found.append(jsonio.load(path, Record))
    return tuple(found)


def of(run: str) -> tuple[Record, ...]:
    return tuple(record for record in everything() if record.run == run)


def kubeconfig_of(namespace: str) -> Path:
    """The file for the kubeconfig of a kind cluster."""
    _folder().mkdir(parents=True, exist_ok=True)
    return _folder() / f"{namespace}.kubeconfig"


def _folder() -> Path:
    return Sources.of_environment().cache_dir / "kubernetes"


def _path(namespace: str) -> Path:
    return _folder() / f"{namespace}.json"
