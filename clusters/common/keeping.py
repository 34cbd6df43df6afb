"""How clusters outlive the command that stood them up: what a backend offers for `up`, `down`, `status`, `--cluster`.

CACHE/clusters/NAME/made.json    with which keeper, where, and by which process (clusters.kept); the first file there
CACHE/clusters/NAME/state.json   the keeper's own: what stands where; complete once the cluster serves
CACHE/clusters/NAME/...          whatever else the keeper keeps there
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clusters.common.cluster import NodesCluster
from harness.contracts import Observer
from harness.model import ClusterSpec, Placement

STATE = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is known of a kept cluster without talking to its nodes. Not `alive`: only its folder is left."""

    backend: str
    spec: ClusterSpec | None  # None: it was never finished
    place: Placement
    alive: bool
    stopped: Sequence[str] = ()  # nodes that are not running
    ours: bool = True  # False: we were only attached to it; `down` leaves it standing


class Keeper(Protocol):
    """A backend's clusters that stay. `folder` is CACHE/clusters/NAME; it exists at `start`, with made.json in it."""

    async def start(
        self, name: str, spec: ClusterSpec, place: Placement, *, folder: Path, observer: Observer
    ) -> None: ...

    # ^ serving on return, with STATE written; when it raises or is cancelled only logs may be left, in `folder`
    def attached(self, folder: Path, *, observer: Observer) -> AbstractAsyncContextManager[NodesCluster]: ...

    # ^ leaving the block leaves it standing; raises ClusterError when it is gone
    async def look(self, folder: Path) -> Kept: ...  # never raises because of what is or is not in `folder`
    async def stop(self, folder: Path) -> None: ...  # all but the folder; harmless when it is gone already
