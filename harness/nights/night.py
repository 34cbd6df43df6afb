"""What is kept of a night's soak, so that nights can be compared: what could show, what did, figures, canaries. Pure.

A sabotaged run says something about the checks and nothing about Vitess: it is counted apart and in nothing else. A run
that the harness failed in is no finding, whatever was red in it. A run that proves nothing counts in no rate.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import orjson

from harness.base.jsonio import plain
from harness.base.particulars import without_particulars
from harness.many.records import FIGURES, HOST, RunRecord, Said
from harness.model import PREMISES, Verdict
from harness.repeats.summary import premises_hold, why_unknown
from harness.soak.drawing import first_canary
from harness.soak.limits import Tally, exit_code, failed
from harness.soak.values import Soak, SoakRun

TRENDS = ("worst_stall_s", "reparent_s", "p99_ms", "availability", "storm_s")  # of many.records.FIGURES
RESOURCES = (
    "rss_bytes", "own_rss_bytes", "handles", "own_handles", "children", "folder_bytes", "free_bytes",
    "available_bytes",
)  # fmt: skip
OF_CLUSTER = ("reparent_s", "storm_s")  # all others are a vtgate's


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Watched:
    """What a run can show, and another run of the same can show again."""

    experiment: str
    check: str  # "" = any: a known bug is one, in however many checks it shows
    release: str  # of the vtgate; where the whole cluster is meant, of the cluster


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Item:
    """What is followed from night to night: a finding, or a known bug where it is expected."""

    watched: Watched
    symptom: str = ""  # of a finding: which of the check's; "" = the check's name says it
    issue: str = ""  # of a known bug

    @property
    def name(self) -> str:
        words = (self.issue, self.watched.experiment, self.watched.check, self.watched.release, self.symptom)
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A run that showed it."""

    folder: str  # of the run, as a command on this machine names it
    begin: str
    seed: int
    said: str = ""  # of a finding: the check's summary
    kept: bool = True  # False: the soak has removed its recording (--keep)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """In how many runs of a night, and in which first and last."""

    runs: int
    first: Sighting
    last: Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A run in which the harness was broken on purpose."""

    kind: str
    folder: str
    experiment: str
    caught: bool | None  # None: the run proves nothing, so that nobody could have caught it
    kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Series:
    """One figure of one experiment on one release."""

    experiment: str
    figure: str
    release: str


@dataclass(frozen=True, slots=True)
class Point:
    """One run's figure. `place`: the run, as a person finds it again."""

    begin: str
    place: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What the soak itself had of its host after a run."""

    begin: str  # of the run
    place: str
    hours: float  # of runs until then, without the first: a clock that is set back, or a pause, is not in them
    values: Mapping[str, float]  # fields of Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One soak folder, gathered."""

    path: str  # as a command on this machine names it
    begin: str
    seed: int
    setting: Mapping[str, str]  # in what two nights may differ
    exit_code: int  # as the soak's
    ended_early: str = ""  # why
    runs: int = 0
    passed: int = 0
    found: int = 0  # runs with findings
    reproduced: int = 0  # runs that passed and showed a known bug
    why_unknown: Mapping[str, int] = field(default_factory=dict)
    why_broken: Mapping[str, int] = field(default_factory=dict)  # the harness failed
    took_s: float = 0.0
    judged: Mapping[Watched, int] = field(default_factory=dict)
    shown: Mapping[Item, Shown] = field(default_factory=dict)
    canaries: tuple[Canary, ...] = ()
    first_canary: int = 0  # number of the first run that is one, or would have been; 0: none would
    points: Mapping[Series, tuple[Point, ...]] = field(default_factory=dict)
    levels: tuple[Level, ...] = ()
    left_out: tuple[str, ...] = ()  # what could not be read

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def proved(self) -> int:
        """Runs that say something of Vitess."""
        return self.passed + self.found + self.reproduced

    @property
    def unknown(self) -> int:
        return sum(self.why_unknown.values())

    @property
    def broken(self) -> int:
        return sum(self.why_broken.values())


def night(
    path: str,
    soak: Soak,
    runs: Iterable[SoakRun],
    *,
    left_out: Iterable[str] = (),
    kept: Callable[[str], bool] = lambda folder: True,
) -> Night:
    """Of the runs in the order in which they were made. They are looked at one by one: nothing of a run is kept but
    what nights are compared in. `kept`: whether a run's folder still has its recording."""
    gathered = _Gathering(path, kept)
    for run in runs:
        gathered.add(run)
    return gathered.night(soak, tuple(left_out))  # `left_out` may still grow while runs are read


class _Gathering:
    def __init__(self, path: str, kept: Callable[[str], bool]) -> None:
        self._path = path
        self._kept = kept
        self._tally = Tally()
        self._counts: Counter[str] = Counter()
        self._why_unknown: Counter[str] = Counter()
        self._why_broken: Counter[str] = Counter()
        self._took_s = 0.0
        self._judged: Counter[Watched] = Counter()
        self._shown: dict[Item, Shown] = {}
        self._canaries: list[Canary] = []
        self._points: defaultdict[Series, list[Point]] = defaultdict(list)
        self._levels: list[Level] = []

    def add(self, run: SoakRun) -> None:
        self._tally.add(run)
        self._took_s += run.took_s
        self._level(run)
        kind = outcome(run)
        if kind == "broken":
            self._why_broken[_why_broken(run)] += 1
        if run.is_canary:
            self._canaries.append(
                Canary(
                    kind=run.drawing.sabotage,
                    folder=self._place(run),
                    experiment=run.drawing.experiment,
                    caught=run.caught,
                    kept=self._kept(run.folder),
                )
            )
        elif kind == "unknown":
            self._why_unknown[why_unknown(run.record)] += 1
        elif kind != "broken":
            self._counts[kind] += 1
            self._judged.update(set(_judged(run.record)))
            self._show(run)
            self._measure(run)

    def _show(self, run: SoakRun) -> None:
        for item, said in sorted(dict(_items(run.record)).items()):
            kept = self._kept(run.folder)
            seen = Sighting(folder=self._place(run), begin=run.begin, seed=run.drawing.seed, said=said, kept=kept)
            before = self._shown.get(item)
            first = before.first if before else seen
            self._shown[item] = Shown(runs=1 + (before.runs if before else 0), first=first, last=seen)

    def _measure(self, run: SoakRun) -> None:
        for series, value in _figures(run.record):
            self._points[series].append(Point(run.begin, self._place(run), value))

    def _level(self, run: SoakRun) -> None:
        values = {name: float(getattr(run.after, name)) for name in RESOURCES}
        hours = self._levels[-1].hours + run.took_s / 3600 if self._levels else 0.0
        self._levels.append(Level(begin=run.begin, place=self._place(run), hours=hours, values=values))

    def _place(self, run: SoakRun) -> str:
        return f"{self._path}/{run.folder}"

    def night(self, soak: Soak, left_out: tuple[str, ...]) -> Night:
        return Night(
            path=self._path,
            begin=soak.begin,
            seed=soak.seed,
            setting=setting(soak),
            exit_code=exit_code(self._tally, soak.ended),
            ended_early=soak.ended.why if soak.ended is not None and soak.ended.exit_code else "",
            runs=self._tally.runs,
            passed=self._counts["passed"],
            found=self._counts["found"],
            reproduced=self._counts["reproduced"],
            why_unknown=dict(self._why_unknown.most_common()),
            why_broken=dict(self._why_broken.most_common()),
            took_s=self._took_s,
            judged=dict(self._judged),
            shown=dict(self._shown),
            canaries=tuple(self._canaries),
            first_canary=first_canary(soak.seed, soak.weights),
            points={series: tuple(points) for series, points in self._points.items()},
            levels=tuple(self._levels),
            left_out=left_out,
        )


# ---------------------------------------------------------------- what one run says


def outcome(run: SoakRun) -> str:
    """passed, found, reproduced, unknown, or broken: the harness failed, and nothing that is red in it counts."""
    if failed(run):
        return "broken"
    if run.record.verdict is Verdict.FAIL:
        return "found"
    return "unknown" if not run.record.counts else "reproduced" if run.record.reproduced else "passed"


def _why_broken(run: SoakRun) -> str:
    how = f"killed by signal {-run.exit_code}" if run.exit_code < 0 else f"exit code {run.exit_code}"
    return f"{run.drawing.experiment}, {how}: {without_particulars(run.record.headline)}"


def release_of(run: RunRecord, subject: str) -> str:
    """Of a check's subject (a vtgate by its node or by what it is called in all runs, or a stream at one); else the
    cluster's."""
    node = subject.rpartition("@")[2]
    name = run.vtgates.get(node, subject if subject in run.vtgates.values() else "")
    return name.partition(" (")[0] or run.setting.get("vitess", "")


def _watched(run: RunRecord, said: Said) -> Watched:
    return Watched(experiment=run.experiment, check=said.check, release=release_of(run, said.subject))


def _judged(run: RunRecord) -> Iterator[Watched]:
    for said in run.results:
        if said.kind not in PREMISES and said.verdict is not Verdict.UNKNOWN and premises_hold(run, said):
            yield (watched := _watched(run, said))
            yield replace(watched, check="")


def _items(run: RunRecord) -> Iterator[tuple[Item, str]]:
    """What it showed, each with the check's summary."""
    for said in run.results:
        if said.verdict is Verdict.FAIL and run.verdict is Verdict.FAIL:
            for symptom in said.symptoms or ("",):
                yield Item(watched=_watched(run, said), symptom=symptom), said.about
        if said.issue and premises_hold(run, said):
            yield Item(watched=replace(_watched(run, said), check=""), issue=said.issue), ""


def _figures(run: RunRecord) -> Iterator[tuple[Series, float]]:
    for figure in FIGURES:
        if figure.name not in TRENDS:
            continue
        for vtgate in ("",) if figure.name in OF_CLUSTER else dict.fromkeys(run.vtgates.values()):
            value = run.figure(figure, vtgate)
            if value is not None:
                yield Series(experiment=run.experiment, figure=figure.name, release=release_of(run, vtgate)), value


def setting(soak: Soak) -> dict[str, str]:
    """In what nights may differ, so that a change between two of them can be told from one of Vitess."""
    digest = hashlib.sha256(orjson.dumps(plain(soak.weights), option=orjson.OPT_SORT_KEYS)).hexdigest()
    return {
        "harness": soak.harness_version,
        "commit": soak.commit[:12] or "not known",
        "weights": digest[:8],
        "releases": ", ".join(soak.weights.releases) or "as the lots say",
        **{f"host's {name}": str(soak.host[name]) for name in HOST if name in soak.host},
    }
