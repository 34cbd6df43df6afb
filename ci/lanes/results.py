"""What lanes came to: votes counted up, and added to what earlier sessions have measured. Pure, but for one file.

`results.json` is the record of this project: a batch is what one folder of runs says of one release. Writing a folder
again replaces its batches, so that nothing is counted twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

from ci.lanes.lane import Lane
from ci.lanes.votes import Said, Vote
from harness.base import jsonio
from harness.statistics.rates import Rate, rate

Text = TypeVar("Text", bound=str)

RECORD = Path(__file__).with_name("results.json")
RED, GREEN = "red", "green"
HIT: Mapping[str, Said] = {RED: Said.SHOWN, GREEN: Said.SILENT}
NOT_COUNTED = (Said.UNKNOWN, Said.STARVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a lane, and what it says."""

    folder: str  # below the lane's
    run_id: str
    arm: str
    date: str  # of its beginning, UTC
    commit: str  # of this project, when it was made
    took_s: float
    exit_code: int
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """So many runs in one folder, of one release. `told`: where the numbers come from, when not from such a folder."""

    folder: str  # its id: the same folder is the same batch
    lane: str
    arm: str
    experiment: str
    release: str
    said: Mapping[Said, int]
    causes: Mapping[str, int] = field(default_factory=dict)  # of the runs that showed the bug
    date: str  # of its last run
    commit: str
    shown: str = ""  # date of the last run that showed the bug
    shown_by: str = ""  # the commit that did
    machine: str
    took_s: float = 0.0  # a run, median
    told: str = ""

    @property
    def runs(self) -> int:
        return sum(self.said.values())

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.folder, self.lane, self.arm, self.release


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`results.json`."""

    batches: tuple[Batch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All that is known of one release in one arm."""

    release: str
    rate: Rate  # of runs that said what the arm must say
    said: Mapping[Said, int]
    causes: Mapping[str, int]


def batches(lane: Lane, runs: Sequence[Run], *, folder: str, machine: str) -> tuple[Batch, ...]:
    """Of the runs of one folder, for each release of each arm that has any."""
    runs_of = {name: [run for run in runs if run.arm == name] for name in lane.arms}
    return tuple(
        _batch(lane, name, release, runs_of[name], folder=folder, machine=machine)
        for name, arm in lane.arms.items()
        for release in (arm.releases if runs_of[name] else ())
    )


def _batch(lane: Lane, arm: str, release: str, runs: Sequence[Run], *, folder: str, machine: str) -> Batch:
    voted = [(run, vote) for run in runs for vote in run.votes if vote.release == release]
    shown = [(run, vote) for run, vote in voted if vote.said is Said.SHOWN]
    last = max(runs, key=_when)
    return Batch(
        folder=folder,
        lane=lane.name,
        arm=arm,
        experiment=lane.experiment_of(lane.arms[arm]),
        release=release,
        said=_counts(vote.said for _, vote in voted),
        causes=_counts(cause for _, vote in shown for cause in vote.causes),
        date=last.date,
        commit=last.commit,
        shown=max((run.date for run, _ in shown), default=""),
        shown_by=max((run for run, _ in shown), key=_when).commit if shown else "",
        machine=machine,
        took_s=round(median(run.took_s for run in runs), 1),
    )


def _when(run: Run) -> tuple[str, str]:
    """A run id begins with the second of its making."""
    return run.date, run.run_id


def _counts(items: Iterable[Text]) -> dict[Text, int]:
    return dict(sorted(Counter(items).items()))


def merged(before: Iterable[Batch], new: Iterable[Batch]) -> tuple[Batch, ...]:
    """The batches of both. Of the same folder the one with more runs: part of it may have been cleared away since."""
    found = {batch.key: batch for batch in before}
    for batch in new:
        known = found.get(batch.key)
        if known is None or batch.runs >= known.runs:
            found[batch.key] = batch
    return tuple(sorted(found.values(), key=lambda batch: (batch.lane, batch.arm, batch.release, batch.date)))


def total(lane: Lane, arm: str, release: str, known: Iterable[Batch]) -> Total:
    """A run that proved nothing counts in no rate."""
    mine = [batch for batch in of_arm(lane, arm, known) if batch.release == release]
    said: Counter[Said] = Counter()
    causes: Counter[str] = Counter()
    for batch in mine:
        said.update(batch.said)
        causes.update(batch.causes)
    counted = said.total() - sum(said[each] for each in NOT_COUNTED)
    return Total(release=release, rate=rate(said[HIT[arm]], counted), said=said, causes=causes)


def of_arm(lane: Lane, arm: str, known: Iterable[Batch]) -> list[Batch]:
    """What another experiment came to, before the table was changed, stays on record and says nothing of this one."""
    experiment = lane.experiment_of(lane.arms[arm])
    return [batch for batch in known if (batch.lane, batch.arm, batch.experiment) == (lane.name, arm, experiment)]


def last_shown(lane: Lane, known: Iterable[Batch]) -> Batch | None:
    """The batch with the latest reproduction."""
    mine = [batch for batch in of_arm(lane, RED, known) if batch.shown]
    return max(mine, key=lambda batch: (batch.shown, not batch.told), default=None)


def took_s(lane: Lane, arm: str, known: Iterable[Batch]) -> float | None:
    """How long a run of it takes, where that was measured."""
    mine = [batch for batch in of_arm(lane, arm, known) if batch.took_s]
    return max(mine, key=lambda batch: batch.date).took_s if mine else None


def recorded(path: Path = RECORD) -> tuple[Batch, ...]:
    return jsonio.load(path, Record).batches if path.is_file() else ()


def record(found: Iterable[Batch], path: Path = RECORD) -> None:
    jsonio.save(path, Record(batches=tuple(found)))
