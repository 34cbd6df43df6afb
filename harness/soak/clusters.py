"""The cluster that stays for several runs of a soak: made, looked at, replaced.

At most one stands at a time, and none beside a run that has its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clusters import KEEPERS, kept
from harness.base.errors import ClusterError, HarnessError, PlanError
from harness.soak.values import Drawing

PREFIX = "soak-"
UP_WITHIN_S = 900.0  # with programs that are built first
DOWN_WITHIN_S = 120.0

Ran = Callable[[Sequence[str], str, float], int]  # words of vtchaos, its turn, within how many seconds → exit code


@dataclass(slots=True)
class _Stands:
    name: str
    words: tuple[str, ...]
    runs: int = 0


class KeptCluster:
    """Of one soak, with its name."""

    def __init__(self, soak: str, *, ran: Ran, most_runs: int) -> None:
        self.prefix = f"{PREFIX}{soak}-"  # of their names
        self._ran = ran
        self._most_runs = most_runs
        self._stands: _Stands | None = None

    def ready(self, drawing: Drawing) -> tuple[str, str]:
        """Its name, and whether it is new or reused; ("", "own") of a run that has its own. Raises ClusterError."""
        if not drawing.cluster:
            self.removed()
            return "", "own"
        stands = self._stands
        if stands is not None and stands.words == drawing.cluster and not why_not(stands.name):
            stands.runs += 1
            return stands.name, "reused"
        self.removed()
        self._stands = _Stands(name=f"{self.prefix}{drawing.number}", words=drawing.cluster, runs=1)
        code = self._ran(("up", self._stands.name, *drawing.cluster), f"run {drawing.number}", UP_WITHIN_S)
        if code:
            self.removed()
            raise ClusterError(f"the kept cluster of `vtchaos up {' '.join(drawing.cluster)}` does not serve ({code})")
        return self._stands.name, "new"

    def after(self, why: str) -> str:
        """A run on it is over. Why it is taken away, perhaps for the `why` that is given; "" = it stays."""
        if self._stands is not None and not why and self._stands.runs >= self._most_runs:
            why = f"it had {self._stands.runs} runs"
        if why:
            self.removed()
        return why

    def removed(self) -> None:
        """Also one that was only half made. What cannot be removed now is tried again at the end, and by --resume."""
        if self._stands is not None:
            self._down(self._stands.name)
            self._stands = None

    def leftovers_removed(self) -> dict[str, bool]:
        """All that this soak ever made and that is still there: name → whether it is gone now."""
        rows = asyncio.run(kept.listed(KEEPERS))
        return {row.name: self._down(row.name) for row in rows if row.name.startswith(self.prefix)}

    def _down(self, name: str) -> bool:
        if not kept.folder_of(name).is_dir():
            return False
        return self._ran(("down", name), "", DOWN_WITHIN_S) == 0


def why_not(name: str) -> str:
    """Why no run can use the kept cluster; "" = all of it runs."""
    try:
        row = asyncio.run(kept.standing(name, keepers=KEEPERS))
    except (PlanError, HarnessError) as error:
        return str(error)
    stopped = row.kept.stopped if row.kept is not None else ()
    return f"stopped: {', '.join(stopped)}" if stopped else ""
