"""Which release brought something, or took it away: runs of releases between one that shows it and one that does not.

First the bad end must show it and the good end must not, so often as was asked for. Then every run goes where it is
expected to tell most (`harness.statistics.border`), until one place has the probability that was asked for and the two
releases beside it have been run often enough. What a known bug's table says of the fix is not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.base.errors import UsageError
from harness.facts.words import counted, listed
from harness.narrowing.release_gaps import missing_between
from harness.narrowing.sought import Sought, Vote
from harness.statistics.border import Seen, bad_chances, chances, surprise, tells, together
from harness.statistics.rates import Rate, rate, zero_bound

BESIDE_EACH_OTHER = 4  # vtgates in one run: so many a cluster of a small host carries, each with clients of its own
TELLS_LEAST = 1e-6  # bits: below it a run of a release is a waste


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A release that can be run; `word` is what the command line takes for it (a folder of binaries has another)."""

    version: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a folder bisects."""

    experiment: str
    words: tuple[str, ...]  # of `vtchaos run`, without those that name the releases
    component: str  # vtgate | vitess: what of each run is of the release
    sought: Sought
    row: tuple[Candidate, ...]  # from the bad end to the good one
    seed: int
    confidence: float
    trials: int  # at least so many runs that count at both ends and beside the border
    rarest: float  # a bad end that shows it more rarely than this is given up
    beside: int  # releases in one run, side by side; 1 = each alone

    @property
    def fixed(self) -> bool:
        """Whether the good end is the later one."""
        return release_key(self.row[0].version) < release_key(self.row[-1].version)

    def words_of(self, places: Sequence[int]) -> tuple[str, ...]:
        """The words of a run of these releases."""
        return (*self.words, f"--{self.component}", ",".join(self.row[place].word for place in places))


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectRun:
    """One run, and what it says of each of its releases."""

    folder: str
    seed: int
    exit_code: int
    votes: Mapping[str, Vote]  # release → what it says


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One release."""

    version: str
    rate: Rate
    uncounted: int  # runs that prove nothing of it
    bad: float  # the probability that it shows the thing
    others: int  # runs in which the check was red for another reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """`bisect.json`: what was asked, every run, and the answer so far."""

    asked: Asked
    runs: tuple[BisectRun, ...]
    tallies: tuple[Tally, ...]  # as in asked.row
    last_bad: str  # "" = not known
    first_good: str
    wrong: float  # the probability that this is not the border
    missing: str  # releases between the two that were not run, in words; "" = none
    answer: str
    doubts: tuple[str, ...]


def release_key(version: str) -> tuple[int, ...]:
    """For the order of releases; a build before 22.0.0 (22.0.0-SNAPSHOT) comes before it."""
    number, dash, _ = version.partition("-")
    try:
        return (*(int(part) for part in number.split(".")), 0 if dash else 1)
    except ValueError:
        raise UsageError(f"{version} is no release; one has numbers, as in 22.0.0") from None


def row_of(bad: Candidate, good: Candidate, available: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """All that can be run, from the bad end to the good one. Raises UsageError."""
    low, high = sorted((release_key(bad.version), release_key(good.version)))
    if low == high:
        raise UsageError(f"--good and --bad are both {bad.version}; between two releases there can be a change")
    found = {bad.version: bad, good.version: good}
    found |= {each.version: each for each in available if low < release_key(each.version) < high}
    rising = sorted(found.values(), key=lambda each: release_key(each.version))
    return tuple(rising if rising[0] is bad else reversed(rising))


# ---------------------------------------------------------------- what was seen, and where to look next


def seen(asked: Asked, runs: Sequence[BisectRun]) -> tuple[Seen, ...]:
    """Of each release, the runs that count."""
    said = Counter((version, vote.shown) for run in runs for version, vote in run.votes.items())
    return tuple(Seen(shown=said[each.version, True], silent=said[each.version, False]) for each in asked.row)


def next_places(asked: Asked, runs: Sequence[BisectRun]) -> tuple[int, ...]:
    """Places in the row of the releases that the next run is about; () = it is known, or it cannot be."""
    row = seen(asked, runs)
    if over(asked, row) or row[-1].shown:
        return ()
    wanted = [*_ends(asked, row), *(_telling(row) if _unclear(asked, row) else _beside_border(asked, row))]
    if asked.beside == 1 or not wanted:
        return tuple(wanted[:1])
    return tuple(sorted(tuple(dict.fromkeys([0, *wanted]))[: asked.beside]))  # the bad end beside all others


def _ends(asked: Asked, row: Sequence[Seen]) -> list[int]:
    """Those that were not run often enough, the bad one first."""
    bad = [0] if row[0].counted < asked.trials or not row[0].shown else []
    return [*bad, *([len(row) - 1] if row[-1].counted < asked.trials else [])]


def over(asked: Asked, row: Sequence[Seen]) -> bool:
    """The bad end does not show it, or too rarely to be bisected."""
    return not row[0].shown and row[0].silent > 0 and zero_bound(row[0].silent) < asked.rarest


def _unclear(asked: Asked, row: Sequence[Seen]) -> bool:
    return max(chances(row)) < asked.confidence


def _telling(row: Sequence[Seen]) -> list[int]:
    """Places, those of which a run tells most first."""
    bits = tells(row)
    order = sorted(range(len(row)), key=lambda place: -bits[place])
    return [place for place in order if bits[place] > TELLS_LEAST]


def _beside_border(asked: Asked, row: Sequence[Seen]) -> list[int]:
    """The two releases beside it that were not run often enough."""
    bad = border(row)
    return [place for place in (bad - 1, bad) if place < len(row) and row[place].counted < asked.trials]


def _is_known(asked: Asked, row: Sequence[Seen]) -> bool:
    """One place is likely enough, and so many runs count at the ends and beside it as were asked for: what the
    probability alone says may rest on a single run."""
    wanted = _ends(asked, row) or _unclear(asked, row) or _beside_border(asked, row)
    return not wanted and not row[-1].shown and border(row) < len(row)


def border(row: Sequence[Seen]) -> int:
    """How many of the row are bad, most probably."""
    found = chances(row)
    return 1 + found.index(max(found))


# ---------------------------------------------------------------- the answer


def bisection(asked: Asked, runs: Sequence[BisectRun]) -> Bisection:
    """What there is so far, as one value."""
    row = seen(asked, runs)
    bad = border(row)
    known = _is_known(asked, row)
    last_bad, first_good = (asked.row[bad - 1].version, asked.row[bad].version) if known else ("", "")
    older, newer = sorted((last_bad, first_good), key=release_key) if known else ("", "")
    missing = missing_between(older, newer) if known else ""
    tallies = _tallies(asked, runs, row)
    wrong = 1 - max(chances(row))
    return Bisection(
        asked=asked,
        runs=tuple(runs),
        tallies=tallies,
        last_bad=last_bad,
        first_good=first_good,
        wrong=wrong,
        missing=missing,
        answer=_answer(asked, row, tallies, bad, wrong, missing) if known else _no_answer(asked, row),
        doubts=tuple(_doubts(asked, runs, row, bad)),
    )


def _tallies(asked: Asked, runs: Sequence[BisectRun], row: Sequence[Seen]) -> tuple[Tally, ...]:
    found = []
    for each, of_it, chance in zip(asked.row, row, bad_chances(row), strict=True):
        votes = [run.votes[each.version] for run in runs if each.version in run.votes]
        found.append(
            Tally(
                version=each.version,
                rate=rate(of_it.shown, of_it.counted),
                uncounted=len(votes) - of_it.counted,
                bad=chance,
                others=sum(vote.shown is False and bool(vote.why) for vote in votes),
            )
        )
    return tuple(found)


def _answer(asked: Asked, row: Sequence[Seen], tallies: Sequence[Tally], bad: int, wrong: float, missing: str) -> str:
    """Fixed in 22.0.0 (last bad 21.0.5): 21.0.5 shows it in 5 of 5 runs, 22.0.0 in 0 of 9; …"""
    what, last = ("Fixed", "bad") if asked.fixed else ("Broken", "good")
    older, newer = sorted((asked.row[bad - 1].version, asked.row[bad].version), key=release_key)
    border = f"{what} in {newer} (last {last} {older})"
    if missing:
        border = f"{what} after {older}, in {newer} at the latest"
    said = "; ".join(
        f"{tally.version} shows it in {tally.rate.shown} of {counted(tally.rate.counted, 'run')}"
        for tally in (tallies[bad - 1], tallies[bad])
    )
    all_bad = together(row[:bad])
    interval = rate(all_bad.shown, all_bad.counted)
    how_often = f"Bad releases show it in {interval.low:.0%} to {interval.high:.0%} of runs"
    between = f" Not run, so the change may be in any of them: {missing}." if missing else ""
    return f"{border}: {said}. The probability that this is wrong is {_below(wrong)}. {how_often}.{between}"


def _below(wrong: float) -> str:
    """Rounded up: 0.034 is below 4 %."""
    for bound in (0.0001, 0.001):
        if wrong < bound:
            return f"below {100 * bound:g} %"
    return f"below {int(100 * wrong) + 1} %"


def _no_answer(asked: Asked, row: Sequence[Seen]) -> str:
    bad, good = asked.row[0].version, asked.row[-1].version
    if row[-1].shown:
        runs = counted(row[-1].counted, "run")
        return f"{good} is not good: it shows it in {row[-1].shown} of {runs} ({asked.sought.name})."
    if over(asked, row):
        bound = f"in fewer than {zero_bound(row[0].silent):.0%} of runs, if at all"
        return f"{bad} is not bad: nothing showed in {counted(row[0].silent, 'run')}, so {bound} ({asked.sought.name})."
    if not row[0].counted:
        return "No run of the bad end could be judged."
    if not _unclear(asked, row):
        return _too_few(asked, row)
    likely = [each.version for each, chance in zip(asked.row, bad_chances(row), strict=True) if 0.01 < chance < 0.99]
    return f"Not known yet: {listed(likely, 12)} may be either." if likely else "Not known yet."


def _too_few(asked: Asked, row: Sequence[Seen]) -> str:
    """Not known yet. The change seems to be between 21.0.3 and 22.0.0, but too few runs count: 22.0.0 1 of 3."""
    bad = border(row)
    places = [place for place in dict.fromkeys((0, bad - 1, bad, len(row) - 1)) if place < len(row)]
    few = [
        f"{asked.row[place].version} {row[place].counted} of {asked.trials}"
        for place in places
        if row[place].counted < asked.trials
    ]
    seems = f"Even {asked.row[-1].version} seems to be bad"
    if bad < len(row):
        seems = f"The change seems to be between {asked.row[bad - 1].version} and {asked.row[bad].version}"
    return f"Not known yet. {seems}, but too few runs count: {listed(few)}."


def _doubts(asked: Asked, runs: Sequence[BisectRun], row: Sequence[Seen], bad: int) -> list[str]:
    found = []
    for place, each in enumerate(row[:bad]):
        others = together([*row[:place], *row[place + 1 : bad]])
        if each.silent and not each.shown and others.shown and surprise(each, others) < 1 - asked.confidence:
            found.append(
                f"{asked.row[place].version} shows it in none of {counted(each.silent, 'run')}, and releases on both "
                "sides of it do: there is more than one change, and this answer is about the one next to the good end."
            )
    found += [
        f"{tally.version}: in {counted(tally.others, 'run')} the check was red for another reason."
        for tally in _tallies(asked, runs, row)
        if tally.others
    ]
    uncounted = Counter(vote.why for run in runs for vote in run.votes.values() if vote.shown is None)
    if uncounted:
        why, often = uncounted.most_common(1)[0]
        found.append(
            f"{counted(uncounted.total(), 'result')} proved nothing, and did not count; {often} of them: {why}"
        )
    return found
