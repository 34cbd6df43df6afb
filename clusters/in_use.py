"""One user of a kept cluster at a time: a run's faults would be another run's results.

CACHE/clusters/NAME/used.lock is locked as long as a run works on the cluster, and while it is removed. The kernel lets
go of it when its process ends, however that ends. Looking (`status`, `heal`, the hints) takes no lock.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.base.errors import PlanError
from harness.base.owner import owner_of, this_process

LOCK = "used.lock"


@contextlib.contextmanager
def using(folder: Path) -> Iterator[int]:
    """Does not wait. Gives the open file that is locked: a process that inherits it holds the lock on when we die.

    Raises PlanError: it is in use, and by whom; or it is gone."""
    try:
        lock = (folder / LOCK).open("a+")
    except FileNotFoundError:
        raise PlanError(f"the cluster {folder.name!r} is gone: somebody has just removed it") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PlanError(f"the cluster {folder.name!r} is in use by {_user(lock)}") from None
        lock.truncate(0)
        lock.write(this_process().text)
        lock.flush()
        yield lock.fileno()


def _user(lock: IO[str]) -> str:
    lock.seek(0)
    try:
        owner = owner_of(lock.read())
    except ValueError:  # it is just writing its name
        return "another process, which has just begun; try again when that has ended"
    if owner.dead:
        return f"the watchdog of process {owner.pid}, which is dead: it takes back its faults; try again in a moment"
    if owner.elsewhere:
        return f"process {owner.pid} on the host {owner.host}; try again when that has ended"
    return f"process {owner.pid}; try again when that has ended (`kill {owner.pid}` ends it)"
