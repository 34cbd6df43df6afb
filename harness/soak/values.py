"""A soak: runs all night, one after the other, drawn from one seed.

Run number k is a function of the seed, of k and of the weights alone (`harness.soak.drawing`): a soak that was broken
off goes on with the runs that it would have made anyway.

SOAK/soak.json    what is drawn from, what draws it, and how it ended: `Soak`
SOAK/runs.jsonl   one `SoakRun` a line, appended when its run is over, in the order of their numbers
SOAK/0001 …       the run directories
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.base.exit_codes import EXIT_PASS
from harness.many.records import RunRecord

SOAK = "soak.json"
RUNS = "runs.jsonl"


# ---------------------------------------------------------------- what is drawn from


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What one option of a run may be: one of `choices` (one that is there twice comes twice as often), or a number
    from `low` to `high` in steps of `step`. The choice "" leaves the option out; RELEASE in one stands for a release
    that is drawn; "yes" and "no" are those of a flag."""

    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0  # 0 = there are choices


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """A row of the weights: an experiment and what its runs may be like."""

    name: str
    experiment: str
    weight: float  # against the other lots' that may stand at the same place
    kept: bool = False  # it may run on the kept cluster
    own: bool = True  # it may run on a cluster of its own
    cluster: Mapping[str, Values] = field(default_factory=dict)  # options of a cluster of its own, e.g. "shards"
    load: Mapping[str, Values] = field(default_factory=dict)  # the other options of `vtchaos run`, e.g. "rate"
    params: Mapping[str, Values] = field(default_factory=dict)  # --set


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """All that the drawing depends on beside the seed."""

    lots: tuple[Lot, ...]
    releases: tuple[str, ...] = ()  # stand for the word RELEASE in choices
    block: int = 10  # so many runs have one canary and one kept cluster
    kept_in_block: int = 0  # the first runs of every block are on a cluster that stays
    kept_cluster: Mapping[str, Values] = field(default_factory=dict)  # options of `vtchaos up`
    sabotages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # kind → lots it can be used in


# ---------------------------------------------------------------- what was drawn and made


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What one run is to be."""

    number: int  # from 1
    lot: str
    experiment: str
    words: tuple[str, ...]  # of `vtchaos run`, without --seed, --out and --cluster; with --sabotage
    seed: int
    sabotage: str = ""  # kind of a canary; "" = a run like any other
    cluster: tuple[str, ...] = ()  # words of `vtchaos up` of the kept cluster that it runs on; () = one of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a soak has of its host at one moment."""

    rss_bytes: int  # of the soak's process and all that it started
    handles: int  # open files of the same
    children: int  # processes that it started, and theirs
    own_rss_bytes: int  # of the soak's process alone
    own_handles: int
    folder_bytes: int  # the soak's folder
    free_bytes: int  # of the file system that it is on
    available_bytes: int  # memory of the host


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakRun:
    """One line of runs.jsonl."""

    drawing: Drawing
    folder: str  # inside the soak's folder
    begin: str  # UTC, ISO 8601
    took_s: float  # with its cluster's start and end
    exit_code: int  # as the run's process ended; negative: killed
    record: RunRecord
    caught: bool | None = None  # of a canary: whether a check went red for it; None: no canary, or it proves nothing
    cluster: str = "own"  # own, new (a kept one was made for it) or reused
    replaced: str = ""  # why the kept cluster that it ran on was taken away after it; "" = it stays
    before: Resources
    after: Resources

    @property
    def number(self) -> int:
        return self.drawing.number

    @property
    def is_canary(self) -> bool:
        """Its red checks are no findings."""
        return bool(self.drawing.sabotage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a soak came to its end, if it was not killed."""

    why: str
    exit_code: int = EXIT_PASS  # what that alone comes to
    more: str = ""  # options with which it would go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """soak.json: everything that the soak's drawings depend on, and on what it runs."""

    name: str  # of its kept clusters: soak-NAME
    seed: int
    budget_s: float
    most_runs: int  # 0 = as many as there is time for
    keep_bytes: int
    weights: Weights
    begin: str  # UTC, ISO 8601
    until: str  # UTC, ISO 8601: when it is over; later when it was resumed with a budget of its own
    harness_version: str
    commit: str  # of this project; "" = not known
    host: Mapping[str, str | int | float | bool] = field(default_factory=dict)  # host.json
    ended: Ended | None = None  # None: it goes on, or it was killed
