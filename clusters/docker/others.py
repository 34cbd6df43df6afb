"""What somebody else does to a run's containers: an engine tells every signal and every pause, ours too."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from clusters.docker.engine import Refused

ACTIONS = ("kill", "pause")  # of containers; `docker stop`, `restart` and `rm --force` kill too


class Others:
    """Knows what we have asked of the engine, so that the rest is somebody else's."""

    def __init__(self) -> None:
        self._asked: Counter[tuple[str, str]] = Counter()  # container and what was done to it
        self._killed: set[str] = set()  # containers

    @contextlib.contextmanager
    def ours(self, container: str, what: str, signum: int = 0) -> Iterator[None]:
        """Around a call of ours. What the engine refuses it does not tell."""
        key = (container, _told(what, signum))
        self._asked[key] += 1
        try:
            yield
        except Refused:
            self._asked[key] -= 1
            raise

    def heard(self, event: Mapping[str, Any]) -> str:
        """What somebody else did, completing "somebody else has …"; "" when it was us, or something else."""
        container, action = str(event["Actor"]["ID"]), str(event.get("Action"))
        if action not in ACTIONS:
            return ""
        signum = int(event["Actor"]["Attributes"].get("signal", 0))
        key = (container, _told(action, signum))
        if self._asked[key] > 0:
            self._asked[key] -= 1
            return ""
        if action == "pause":
            return "paused the container of"
        self._killed.add(container)
        return f"sent {_name(signum)} to"

    def killed(self, container: str) -> bool:
        """Whether somebody else has sent it a signal."""
        return container in self._killed


def _told(what: str, signum: int) -> str:
    return f"{what} {int(signum)}" if what == "kill" else what


def _name(signum: int) -> str:
    try:
        return signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"
