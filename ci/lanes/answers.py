"""Whether lanes hold, as an exit code: the bugs show where they are, and nothing shows where they are not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ci.lanes import results
from ci.lanes.folders import Line
from ci.lanes.lane import Lane
from ci.lanes.results import GREEN, RED, Batch, Total
from ci.lanes.votes import Said
from harness.base.exit_codes import EXIT_FINDING, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN, WORST_FIRST
from harness.facts.words import counted as in_words


def wrong(lane: Lane, known: Sequence[Batch]) -> tuple[str, ...]:
    """Why the lane does not hold, a sentence each; () = it does, or nothing is known yet."""
    found = []
    for name, release, total in _totals(lane, known):
        stray, missed = total.said.get(Said.STRAY, 0), total.said.get(_miss(name), 0)
        if stray:
            found.append(f"{release}: red elsewhere in {stray} of {in_words(total.rate.counted, 'run')}")
        if missed and (name == GREEN or lane.certain):
            what = "did not show" if name == RED else "showed"
            found.append(f"{release}: the bug {what} in {missed} of {in_words(total.rate.counted, 'run')}")
    return tuple(found)


def unsure(lane: Lane, known: Sequence[Batch]) -> tuple[str, ...]:
    """Of which releases nothing is shown yet; a race that has not shown yet proves nothing either."""
    return tuple(
        f"{release} ({name})"
        for name, release, total in _totals(lane, known)
        if not total.rate.counted or (name == RED and not total.said.get(Said.SHOWN))
    )


def exit_code(lanes: Iterable[Lane], known: Sequence[Batch], codes: Iterable[int], *, interrupted: bool = False) -> int:
    """`codes`: of the runs that were made; a run that the harness failed in is never a lane that does not hold."""
    found = {EXIT_INTERRUPTED} if interrupted else set()
    found |= {EXIT_HARNESS for code in codes if code == EXIT_HARNESS or code < 0}
    for lane in lanes:
        found.add(EXIT_FINDING if wrong(lane, known) else EXIT_UNKNOWN if unsure(lane, known) else EXIT_PASS)
    return next(code for code in WORST_FIRST if code in found)


def counted(line: Line, known: Sequence[Batch]) -> int:
    """How many runs of a command line count, for the release of which fewest do."""
    arms = {name: line.lane.arms[name].releases for name in line.arms}
    totals = [results.total(line.lane, name, release, known) for name, releases in arms.items() for release in releases]
    return min(total.rate.counted for total in totals)


def given_up(codes: Sequence[int], after: int) -> bool:
    """So many runs in a row failed in the harness itself."""
    last = codes[-after:]
    return len(last) == after and all(code == EXIT_HARNESS or code < 0 for code in last)


def _miss(arm: str) -> Said:
    return Said.SILENT if arm == RED else Said.SHOWN


def _totals(lane: Lane, known: Sequence[Batch]) -> Iterable[tuple[str, str, Total]]:
    for name, arm in lane.arms.items():
        for release in arm.releases:
            yield name, release, results.total(lane, name, release, known)
