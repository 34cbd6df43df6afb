"""What bounds a soak: time, disk, failures of the harness itself; and what it comes to. Pure.

What is remembered of the runs does not grow with their number.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.base.exit_codes import EXIT_FINDING, EXIT_HARNESS, EXIT_PASS, EXIT_UNKNOWN, JUDGED, WORST_FIRST
from harness.base.particulars import without_particulars
from harness.canaries.sabotage import SABOTAGES
from harness.many.findings import findings
from harness.many.records import RunRecord, Said
from harness.model import CheckKind, Clean, Verdict
from harness.soak.values import Ended, SoakRun

FIRST_RUNS = 3  # of every finding, whose recordings are never removed
FAILED_IN_A_ROW = 5  # so many runs that the harness failed in, and the rest of the night would as well
FAILED_SHARE, FAILED_AT_LEAST = 0.2, 3  # above that the soak is a failure of the harness
UNKNOWN_SHARE = 0.5  # above that it proves nothing
LEAST_FREE_BYTES = 5_000_000_000
STARTS_AND_ENDS_S = 60.0  # of a run, beside its timeline
FIRST_RUN_S = 120.0  # taken for the first run's length: most runs take 20 to 90 s, far less than their bounds
SERVED_AGAIN = "clients/served-again"  # not a safety check, but it says that the cluster is not what it was


class Came(enum.StrEnum):
    """What a run came to."""

    PASSED = "passed"
    FOUND = "finding"
    UNKNOWN = "unknown"
    FAILED = "harness error"  # refused, broken off from outside, killed or crashed as well
    CAUGHT = "canary caught"
    UNCAUGHT = "canary NOT caught"
    UNSURE = "canary proves nothing"


def came_to(run: SoakRun) -> Came:
    if run.is_canary:
        return {True: Came.CAUGHT, False: Came.UNCAUGHT, None: Came.UNSURE}[run.caught]
    if failed(run):
        return Came.FAILED
    if run.record.verdict is Verdict.FAIL:
        return Came.FOUND
    return Came.PASSED if run.record.verdict is Verdict.PASS else Came.UNKNOWN


def failed(run: SoakRun) -> bool:
    """It came to no verdict, or to one that its harness's failure explains."""
    return run.exit_code not in JUDGED or not run.record.run_id


def caught(kind: str, exit_code: int, record: RunRecord) -> bool | None:
    """Whether a check saw what was broken on purpose. None: nobody could have. Nothing was broken (the harness failed
    before, and what is red is red for that), or the run proves nothing."""
    if exit_code not in JUDGED or record.sabotaged != kind:
        return None
    if SABOTAGES[kind].caught(record):
        return True
    green = any(said.check in SABOTAGES[kind].sees and said.verdict is Verdict.PASS for said in record.results)
    return None if record.verdict is Verdict.UNKNOWN and not green else False


@dataclass(slots=True)
class Tally:
    """The runs so far."""

    last: int = 0  # number of the latest
    came: dict[Came, int] = field(default_factory=lambda: dict.fromkeys(Came, 0))
    failed: int = 0  # canaries too
    failed_in_a_row: int = 0
    longest_s: dict[str, float] = field(default_factory=dict)  # lot → its longest run
    first: dict[str, list[int]] = field(default_factory=dict)  # finding → its first runs

    def add(self, run: SoakRun) -> None:
        self.last = run.number
        self.came[came_to(run)] += 1
        self.failed += failed(run)
        self.failed_in_a_row = self.failed_in_a_row + 1 if failed(run) else 0
        lot = run.drawing.lot
        self.longest_s[lot] = max(run.took_s, self.longest_s.get(lot, 0.0))
        for name in worth_keeping(run):
            if len(numbers := self.first.setdefault(name, [])) < FIRST_RUNS:
                numbers.append(run.number)

    @property
    def runs(self) -> int:
        return sum(self.came.values())

    @property
    def exit_code(self) -> int:
        """What they come to. An uncaught canary: nothing else that the soak says can be trusted. A canary says nothing
        about Vitess, so that a soak of nothing else proves nothing."""
        if self.came[Came.UNCAUGHT] or self.came[Came.FOUND]:
            return EXIT_FINDING
        if self.failed >= FAILED_AT_LEAST and self.failed > FAILED_SHARE * self.runs:
            return EXIT_HARNESS
        proved, nothing = self.came[Came.PASSED], self.came[Came.UNKNOWN] + self.came[Came.FAILED]
        return EXIT_UNKNOWN if not proved or nothing > UNKNOWN_SHARE * (proved + nothing) else EXIT_PASS


def exit_code(tally: Tally, ended: Ended | None) -> int:
    """Of a soak: the worse of what its runs come to and how it ended."""
    return min(tally.exit_code, ended.exit_code if ended else EXIT_PASS, key=WORST_FIRST.index)


def worth_keeping(run: SoakRun) -> tuple[str, ...]:
    """Under which names the recording of a run is wanted: its findings, how the harness failed."""
    if run.is_canary:
        return ()
    if failed(run):
        return (f"harness: {without_particulars(run.record.headline)}",)
    return tuple(finding.name for finding in findings(run.record))


# ---------------------------------------------------------------- time


def expected_s(lot: str, timeout_s: float, longest_s: Mapping[str, float]) -> float:
    """How long a run of this lot may well take: as its longest so far, else as the longest of any lot, but never more
    than its experiment permits."""
    usual_s = longest_s.get(lot) or max(longest_s.values(), default=FIRST_RUN_S)
    return min(usual_s, timeout_s + STARTS_AND_ENDS_S)


def end(tally: Tally, *, left_s: float, needed_s: float, free_bytes: int, most_runs: int) -> Ended | None:
    """Why no further run is begun; None: it is."""
    if tally.failed_in_a_row >= FAILED_IN_A_ROW:
        return Ended(why=f"{tally.failed_in_a_row} runs in a row failed in the harness itself", exit_code=EXIT_HARNESS)
    if most_runs and tally.last >= most_runs:
        return Ended(why=f"{most_runs} runs were made (--runs)", more=f"--runs {2 * most_runs}")
    if free_bytes < LEAST_FREE_BYTES:
        room = f"{free_bytes / 1e9:.1f} GB of disk are free, {LEAST_FREE_BYTES / 1e9:.0f} are to stay"
        return Ended(why=room, exit_code=EXIT_HARNESS)
    if left_s < needed_s:
        why = f"{max(left_s, 0):.0f} s are left of the budget, the next run may take {needed_s:.0f} s"
        return Ended(why=why, more="--budget 1h")
    return None


# ---------------------------------------------------------------- disk

_ORDER = {Came.PASSED: 0, Came.CAUGHT: 0, Came.UNSURE: 1, Came.UNKNOWN: 1, Came.FAILED: 2, Came.FOUND: 2}


def removable(runs: Iterable[SoakRun], first: Mapping[str, list[int]]) -> list[str]:
    """Folders of the runs whose bulky files may go, in the order in which they go: what passed, what proved nothing,
    what was found before; the oldest first. Never the first runs of a finding, nor a canary that was not caught."""
    wanted = {number for numbers in first.values() for number in numbers}
    rows = [(_ORDER.get(came_to(run)), run.number, run.folder) for run in runs if run.number not in wanted]
    return [folder for order, _, folder in sorted((row for row in rows if row[0] is not None), key=lambda row: row[:2])]


# ---------------------------------------------------------------- the kept cluster


def _leaves_doubt(said: Said) -> bool:
    """What a starved host makes unsure is no less broken for the next run: a shard may be read-only for good."""
    red = said.verdict is Verdict.FAIL and said.kind is CheckKind.SAFETY
    return red or (said.check == SERVED_AGAIN and said.verdict is not Verdict.PASS)


def why_replaced(exit_code: int, record: RunRecord, clean: Clean | None) -> str:
    """Why no other run may use the cluster that this one was on; "" = it is healthy."""
    if exit_code not in JUDGED or not record.run_id:
        return f"the run ended with exit code {exit_code}"
    bad = next((said for said in record.results if _leaves_doubt(said)), None)
    if bad is not None:
        return f"{bad.check} {'failed on it' if bad.verdict is Verdict.FAIL else 'is not sure of it'}"
    if clean is None:
        return "nobody looked what the run left"
    left = [f"{kind}: {', '.join(things)}" for kind, things in clean.found.items() if things]
    return "; ".join(left)
