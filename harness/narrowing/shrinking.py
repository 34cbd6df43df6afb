"""The smallest plan that still shows what a run showed: what is tried, when a plan is taken and when it is given up.

First everything at its least at once: where that does, nothing else has to be tried. Then the faults of a schedule,
by delta debugging; then one knob after the other, that first which saves most, each from its least value up, again and
again until nothing gets smaller. A larger plan never follows from a smaller one: only what was taken is gone on with.
"""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.base import jsonio
from harness.base.errors import UsageError
from harness.checks.known_bugs import WITHOUT_ASSUMPTIONS
from harness.facts.words import counted, listed
from harness.history import History
from harness.model import PREMISES, CheckKind, CheckResult, Plan, RunVerdict, Verdict, VtgateSpec
from harness.narrowing.ddmin import ddmin
from harness.narrowing.plan_sizes import Knob, knobs, least_of, size, told
from harness.narrowing.sought import Sought, is_red, sought_of
from harness.statistics.rates import Rate

GIVEN_UP = 0.2  # a plan that shows it often enough with less than this probability is left: that costs only size
MOST_TRIALS = 3  # times the least: a rate so near to the limit is not waited for
PROVES_NOTHING = 2  # such runs of a plan none of whose runs counts, and it is left
WIDE = 2.0  # values that are no whole numbers are not told apart more finely

Ask = Callable[[Plan, str], bool]  # whether a plan still shows it; the words say how it differs


class Decision(enum.StrEnum):
    TAKEN = "taken"
    LEFT = "left"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a folder shrinks, and how sure it must be."""

    source: str  # run id of the run that found it
    sought: Sought
    rate: float  # it must show in this share of runs at least
    confidence: float
    trials: int  # runs that count, at least, before a plan is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is shrunk."""

    plan: Plan
    vtgate: int | None  # which of its vtgates showed it; None: the whole cluster
    lasted_s: float

    @classmethod
    def of(cls, plan: Plan, seen: History, node: str) -> Found:
        names = [each.name for each in seen.vtgates]
        vtgate = names.index(node) if node in names else None
        return cls(plan=plan, vtgate=vtgate, lasted_s=(seen.end_ns - seen.start_ns) / 1e9)

    @property
    def keep(self) -> VtgateSpec | None:
        return None if self.vtgate is None else self.plan.cluster.vtgates[self.vtgate]

    def node(self, seen: History) -> str:
        """That vtgate in a run of a smaller plan: where there are fewer of them it is the first one. "" = whatever a
        check is about."""
        names = [each.name for each in seen.vtgates]
        if self.vtgate is None or len(names) == 1:
            return ""
        return names[self.vtgate if len(names) == len(self.plan.cluster.vtgates) else 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of a plan. `shown` is None where it proves nothing."""

    shown: bool | None
    why: str
    took_s: float
    is_new: bool = True  # made now; what proved nothing before is no reason not to try again
    slow: bool = False  # on a slow host


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One plan, and what became of it."""

    what: str  # how it differs from the smallest one before it
    folder: str  # inside the folder of the shrinking: plan.json and its runs
    decision: Decision
    shown: int
    counted: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smaller:
    """What became smaller."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrink:
    """`shrink.json`: what was asked, every plan that was tried, and the smallest."""

    asked: Asked
    tried: tuple[Tried, ...]
    smallest: str  # folder of its plan.json; "" = not even the first plan shows it often enough
    smaller: tuple[Smaller, ...]
    rate: Rate | None  # of runs of the smallest that were made when it was known; None: not yet
    run_s: float | None  # median of their durations
    answer: str
    slow: int = 0  # of the runs of that rate: on a slow host
    ended: str = ""  # why it ended before everything was tried; "" = it did not


# ---------------------------------------------------------------- one plan


def decide(asked: Asked, shown: int, silent: int, nothing: int = 0) -> Decision:
    """After so many runs. Before any run every rate is as likely as any other; the probability that it is at least the
    one that was asked for (the incomplete beta function) holds whenever one stops."""
    total = shown + silent
    if not total:
        return Decision.LEFT if nothing >= PROVES_NOTHING else Decision.OPEN
    enough = often_enough(asked.rate, shown, silent)
    if total >= asked.trials and enough >= asked.confidence:
        return Decision.TAKEN
    hopeless = total + nothing >= MOST_TRIALS * asked.trials
    return Decision.LEFT if enough < GIVEN_UP or hopeless else Decision.OPEN


def often_enough(rate: float, shown: int, silent: int) -> float:
    """The probability that the true rate is at least `rate`: of Beta(shown + 1, silent + 1), which is a sum of
    binomial probabilities."""
    total = shown + silent + 1
    return sum(math.comb(total, n) * rate**n * (1 - rate) ** (total - n) for n in range(shown + 1))


def _red(bare: RunVerdict, wanted: Sought) -> list[CheckResult]:
    return [result for result in bare.results if wanted.check in ("", result.check) and is_red(bare, result, wanted)]


def unproven(bare: RunVerdict, check: str, *, any_host: bool) -> str:
    """Why nothing of a run can be shrunk although something in it would be a finding; "" = it is otherwise."""
    excused = [
        result for result in bare.results if WITHOUT_ASSUMPTIONS in result.figures and check in ("", result.check)
    ]
    if not excused or _red(bare, Sought(check=check, any_host=any_host)):
        return ""
    broken = [result.check for result in bare.results if result.kind in PREMISES and result.verdict is Verdict.UNKNOWN]
    more = "; --any-host counts it" if _red(bare, Sought(check=check, any_host=True)) else ""
    return f"{bare.run_id} proves nothing: {listed(dict.fromkeys(broken))} did not hold{more}"


def shows_of(
    plan: Plan, bare: RunVerdict, settled: RunVerdict, check: str = "", *, any_host: bool = False
) -> tuple[Sought, str]:
    """What of a run is to be shown again, and the node of the vtgate that showed it ("" = the whole cluster): a finding
    before a known bug, what no slowness excuses before a promise. Raises UsageError."""
    found = {(result.check, result.subject) for result in settled.results if result.verdict is Verdict.FAIL}
    wanted = Sought(check=check, any_host=any_host)
    red = _red(bare, wanted)
    if not red:
        what = f"{check} is not red" if check else "nothing is red"
        raise UsageError(f"{plan.run_id}: {what} in this run, so there is nothing to shrink")
    first = min(red, key=lambda each: ((each.check, each.subject) not in found, each.kind is not CheckKind.SAFETY))
    texts = (first.summary, *first.details)
    bugs = [bug for bug in plan.known_bugs if bug.check == first.check and any(bug.says in text for text in texts)]
    expected = (first.check, first.subject) not in found
    issue = bugs[0].issue if bugs and expected else ""
    sought = sought_of(bugs, first.check, issue, any_host=any_host)
    return sought, first.subject.rpartition("@")[2]


# ---------------------------------------------------------------- the search


def shrunk(plan: Plan, ask: Ask, keep: VtgateSpec | None = None) -> Plan:
    """The smallest plan found. `ask` may end it at any time by raising: what it has taken is the answer then."""
    once = remembered(ask)
    least = least_of(plan, keep)
    if key(least) != key(plan) and once(least, "everything at its least"):
        plan = least
    before = ""
    while before != key(plan):
        before = key(plan)
        plan = _fewer_faults(plan, once)
        for name in _by_gain(plan, keep):
            knob = next((knob for knob in knobs(plan, keep) if knob.name == name), None)
            plan = _smaller(plan, knob, once) if knob is not None else plan
    return plan


def remembered(ask: Ask) -> Ask:
    """Never asks about the same plan twice."""
    known: dict[str, bool] = {}

    def once(plan: Plan, what: str) -> bool:
        if key(plan) not in known:
            known[key(plan)] = ask(plan, what)
        return known[key(plan)]

    return once


def _by_gain(plan: Plan, keep: VtgateSpec | None) -> list[str]:
    gains = {knob.name: size(plan) - size(knob.change(plan, knob.least)) for knob in knobs(plan, keep)}
    return sorted(gains, key=lambda name: -gains[name])


def _fewer_faults(plan: Plan, ask: Ask) -> Plan:
    total = len(plan.schedule)
    kept = ddmin(
        plan.schedule, lambda part: ask(replace(plan, schedule=part), f"{len(part)} of {counted(total, 'fault')}")
    )
    return replace(plan, schedule=kept)


def _smaller(plan: Plan, knob: Knob, ask: Ask) -> Plan:
    """The least value that does, then what lies between it and the largest that does not."""

    def does(value: float) -> bool:
        words = f"{knob.name} {knob.text(knob.value)} → {knob.text(value)}"
        return ask(knob.change(plan, value), words)

    left, taken = 0.0, knob.value
    for value in knob.smaller():
        if does(value):
            taken = value
            break
        left = value
    while left and (middle := _between(knob, left, taken)) is not None:
        left, taken = (left, middle) if does(middle) else (middle, taken)
    return knob.change(plan, taken) if taken != knob.value else plan


def _between(knob: Knob, left: float, taken: float) -> float | None:
    if knob.whole:
        return (left + taken) // 2 if taken - left > 1 else None
    if taken / left <= WIDE:
        return None
    return float(f"{math.sqrt(left * taken):.2g}")


def key(plan: Plan) -> str:
    """The same for plans that do the same."""
    bare = replace(plan, run_id="", cluster_name="", notes=(), command_line=(), harness_version="")
    return hashlib.sha256(jsonio.dumps(bare)).hexdigest()[:8]


# ---------------------------------------------------------------- the answer


def smaller(before: Plan, after: Plan) -> Iterator[Smaller]:
    """What differs."""
    then, now = told(before), told(after)
    for name, value in then.items():
        if now.get(name, value) != value:
            yield Smaller(name=name, before=value, after=now[name])


OWN = "the run's own plan"


def answer(asked: Asked, found: tuple[Smaller, ...], tried: Sequence[Tried], *, shows: bool | None, ended: str) -> str:
    """What was found, and whether there may be more. `shows`: whether the run's own plan does; None: not known."""
    if shows is None:
        return f"Whether {OWN} shows it often enough is not known: {ended}."
    if not shows and not tried[0].counted:
        return f"No run of {OWN} proves anything: {tried[0].why}"
    if not shows:
        return f"The run's own plan does not show it in {asked.rate:.0%} of runs or more: try a lower --rate."
    if found:
        what = "; ".join(f"{each.name} {each.before} → {each.after}" for each in found)
        return f"Smaller: {what}." + (f" There may be less: {ended}." if ended else "")
    if not ended:
        return "Nothing smaller shows it often enough."
    return f"Nothing smaller was {'found yet' if any(each.folder for each in tried[1:]) else 'tried'}: {ended}."


def how_often(rate: Rate | None, slow: int) -> str:
    """It shows in 5 of 5 runs made for this (57% to 100%, 95 % confidence), 2 of them on a slow host."""
    if rate is None:
        return "How often it shows then was not measured anew."
    bounds = f"{rate.low:.0%} to {rate.high:.0%}, 95 % confidence"
    on_slow = f", {slow} of them on a slow host" if slow else ""
    return f"It shows in {rate.shown} of {counted(rate.counted, 'run')} made for this ({bounds}){on_slow}."
