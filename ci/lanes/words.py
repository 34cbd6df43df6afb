"""Lanes for people: the list, a line a run, and the table of the track record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ci.lanes import answers, results
from ci.lanes.folders import lines
from ci.lanes.lane import Arm, Lane
from ci.lanes.results import GREEN, RED, Batch, Run, Total
from ci.lanes.votes import Said
from harness.facts.words import seconds
from harness.model import KnownBug
from harness.reports.words import EXIT_MEANING

BEGIN, END = "<!-- lanes -->", "<!-- /lanes -->"
HEADER = (
    "bug",
    "state",
    "must be red: releases, red of runs",
    "must be green: releases, green of runs",
    "last reproduced",
    "commit",
)
NOT_MEASURED = "not measured"
NONE_COUNTS = "no run that counts"
NOT_HERE = "not in a run that counts here"


def listed(lanes: Sequence[Lane], known: Sequence[Batch]) -> Iterator[str]:
    """What there is, and about how long a run takes."""
    times = [results.took_s(line.lane, line.arms[0], known) for lane in lanes for line in lines(lane)]
    measured = [time for time in times if time]
    for lane in lanes:
        ranges = " and ".join(_range(bug) for bug in lane.known)
        yield f"{lane.name}: {lane.bug}"
        yield f"    {lane.check} of {lane.component.value}, {ranges}{'' if lane.certain else '; need not show'}"
        for line in lines(lane):
            took = results.took_s(lane, line.arms[0], known)
            time = f"about {took:.0f} s a run" if took else NOT_MEASURED
            yield f"    {' and '.join(line.arms)}, {time}: vtchaos run {' '.join(line.words)}"
    yield f"one run of each takes {sum(measured) / 60:.0f} min, without {len(times) - len(measured)} {NOT_MEASURED}"


def _range(bug: KnownBug) -> str:
    if bug.affected_from == "0":
        return f"before {bug.fixed_in}" if bug.fixed_in else "in every release"
    return f"since {bug.affected_from}, {f'fixed in {bug.fixed_in}' if bug.fixed_in else 'not fixed'}"


def run_line(lane: Lane, run: Run) -> str:
    """One run, as soon as it is there."""
    said = ", ".join(f"{vote.release} {vote.said}{f' ({vote.why})' if vote.why else ''}" for vote in run.votes)
    return f"{lane.name} {run.folder} must be {run.arm}: {said}, {seconds(run.took_s)}"


def no_run_line(key: str, number: int, code: int) -> str:
    """Of a run that came to no verdict."""
    return f"{key} {number}: no verdict, exit code {code} ({EXIT_MEANING.get(code, 'it had to be killed')})"


def lane_line(lane: Lane, known: Sequence[Batch], wrong: Sequence[str], unsure: Sequence[str]) -> str:
    """What all runs of a lane say."""
    state = "DOES NOT HOLD" if wrong else "not shown yet" if unsure else "holds"
    because = f" ({'; '.join(wrong or unsure)})" if wrong or unsure else ""
    arms = "; ".join(f"{name} {arm_words(lane, name, known)}" for name in (RED, GREEN))
    return f"{lane.name} {state}{because}: {arms}"


def table(lanes: Iterable[Lane], known: Sequence[Batch]) -> str:
    """Markdown: every lane, and what was not measured as that."""
    rows = (HEADER, ["---"] * len(HEADER), *(_cells(lane, known) for lane in lanes))
    return "\n".join(_row(cells) for cells in rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(lane: Lane, known: Sequence[Batch]) -> tuple[str, ...]:
    last = results.last_shown(lane, known)
    arms = (arm_words(lane, name, known) for name in (RED, GREEN))
    when = (last.shown, last.shown_by or "unknown") if last else (NOT_HERE, "-")
    return (f"{lane.bug} (`{lane.name}`, red in `{lane.check}`)", _state(lane, known), *arms, *when)


def _state(lane: Lane, known: Sequence[Batch]) -> str:
    """Whether it holds, and why not."""
    wrong, unsure = answers.wrong(lane, known), answers.unsure(lane, known)
    if wrong:
        return f"**does not hold**: {'; '.join(wrong)}"
    if not any(results.of_arm(lane, arm, known) for arm in lane.arms):
        return NOT_MEASURED
    return f"open: {', '.join(unsure)}" if unsure else "holds"


def arm_words(lane: Lane, name: str, known: Sequence[Batch]) -> str:
    """Every release with its rate, and what the control is."""
    arm = lane.arms[name]
    said = "; ".join(_rate_words(results.total(lane, name, release, known)) for release in arm.releases)
    return f"{_unlike(arm)}{said}"


def _unlike(arm: Arm) -> str:
    return f"{arm.unlike}{f' (`{arm.experiment}`)' if arm.experiment else ''}: " if arm.unlike else ""


def _rate_words(total: Total) -> str:
    found = total.rate
    rate = f"{found.shown} of {found.counted} ({found.low:.0%} to {found.high:.0%})".replace("%", " %")
    words = rate if found.counted else NONE_COUNTS if total.said else NOT_MEASURED
    return "".join((f"{total.release}: {words}", *_besides(total)))


def _besides(total: Total) -> Iterator[str]:
    """What is no hit, or does not count."""
    more, that = (" more", "more") if total.rate.counted else ("", "that")
    if total.said.get(Said.STRAY):
        yield f", {total.said[Said.STRAY]} red elsewhere"
    if total.said.get(Said.STARVED):
        yield f", {total.said[Said.STARVED]}{more} on a starved host, red all the same"
    if total.said.get(Said.UNKNOWN):
        yield f", {total.said[Said.UNKNOWN]} {that} proved nothing"
    if total.causes:
        yield f" [{', '.join(f'{cause} {number}' for cause, number in sorted(total.causes.items()))}]"


def filled(text: str, lanes: Iterable[Lane], known: Sequence[Batch]) -> str:
    """The page with its table as it is now. Raises ValueError: it has no place for one."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"the page has no place for the lanes: {BEGIN} … {END}")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table(lanes, known)}\n{END}{rest.partition(END)[2]}"
