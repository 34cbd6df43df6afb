"""How clusters outlive the command that stood them up: what a backend offers for `up`, `down`, `status`, `--cluster`.

CACHE/clusters/NAME/made.json    with which keeper, where, and by which process (clusters.kept); the first file there
CACHE/clusters/NAME/state.json   the keeper's own: what stands where; complete once the cluster serves
CACHE/clusters/NAME/...          whatever else the keeper keeps there
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clusters.common.cluster import NodesCluster
from clusters.common.commands import Command
from harness.contracts import Observer
from harness.model import ClusterSpec, Placement

STATE = "state.json"
FOLLOWED, FOLLOWED_LOCK = "followed.json", "followed.lock"  # how far the logs are, and whose they are to write


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is known of a kept cluster without talking to its nodes. Not `alive`: only its folder is left."""

    backend: str
    spec: ClusterSpec | None  # None: it was never finished
    place: Placement
    alive: bool
    stopped: Sequence[str] = ()  # nodes that are not running
    ours: bool = True  # False: we were only attached to it; `down` leaves it standing


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCommand:
    """How a node is started, as STATE keeps it."""

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]


def saved(commands: Mapping[str, Command]) -> dict[str, SavedCommand]:
    return {node: SavedCommand(argv=row.argv, cwd=str(row.cwd), env=dict(row.env)) for node, row in commands.items()}


def restored(commands: Mapping[str, SavedCommand]) -> dict[str, Command]:
    return {node: Command(argv=row.argv, cwd=Path(row.cwd), env=row.env) for node, row in commands.items()}


@contextlib.contextmanager
def writing_logs(folder: Path) -> Iterator[bool]:
    """Whether the logs in `folder` are ours to write while the block lasts: False when somebody else is attached,
    who does. For backends whose logs are fetched by who is attached."""
    with (folder / FOLLOWED_LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


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
