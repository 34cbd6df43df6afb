"""What is asked of a suite, and what came of it: `suite.json` and `result.json`."""

from __future__ import annotations

import enum
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from ci.suite.table import Part


class Outcome(enum.StrEnum):
    """What became of an experiment, or of one attempt at it."""

    PASSED = "passed"
    FINDING = "finding"
    ABSENT = "known bug absent"  # where a release has it: a finding too, but no client was let down
    HARNESS = "harness failed"
    BROKEN_OFF = "broken off"  # by the user, or because the time was over
    UNKNOWN = "proved nothing"
    NOT_BEGUN = "not begun"
    REFUSED = "not possible here"


RED = (Outcome.FINDING, Outcome.ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The Vitess in question."""

    vitess: str = ""  # a release or a folder of binaries; "" = the default release
    vtgate: str = ""  # releases of the vtgates alone, with commas
    mysql: str = ""
    image: str = ""
    backend: str = ""
    seed: int = 1

    def words(self, part: Part, vtgates: int) -> tuple[str, ...]:
        """Of `vtchaos run`. `vtgates`: how many the experiment has; each of them is of a release that is asked for."""
        named = (("--backend", self.backend), ("--image", self.image), ("--vitess", self.vitess))
        many = max(vtgates, len(self.vtgates)) if self.vtgates else 0
        each = ",".join(self.vtgates[number % len(self.vtgates)] for number in range(many))
        return (part.experiment, *part.words, *_options(*named, ("--vtgate", each), ("--mysql", self.mysql)))

    def title(self, said: Mapping[str, str]) -> str:
        """The Vitess in question, as a sentence's subject. `said`: folder of binaries → their release."""
        build = f"image {self.image}" if self.image else _named(self.vitess, said)
        vtgates = ", ".join(_named(each, said) for each in self.vtgates)
        return f"Vitess {build}{f' with vtgate {vtgates}' if vtgates else ''}"

    @property
    def vtgates(self) -> tuple[str, ...]:
        return tuple(release.strip() for release in self.vtgate.split(",") if release.strip())

    @property
    def command(self) -> str:
        """The whole suite again, from the root of this project."""
        build = (("--vitess", self.vitess), ("--vtgate", self.vtgate), ("--mysql", self.mysql))
        place = (("--image", self.image), ("--backend", self.backend), ("--seed", str(self.seed)))
        return shlex.join(["ci/regression", *_options(*build, *place)])


def _named(build: str, said: Mapping[str, str]) -> str:
    return f"{build} ({said[build]})" if build in said else build


def _options(*given: tuple[str, str]) -> tuple[str, ...]:
    """Words of a command line, of those that have a value."""
    return tuple(word for name, value in given if value for word in (name, value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What exactly is run: a folder of binaries keeps its name when it is built again."""

    commit: str = ""  # of this project; "" = not known
    programs: Mapping[str, str] = field(default_factory=dict)  # "vtgate of 24.0.3" → SHA-256
    said: Mapping[str, str] = field(default_factory=dict)  # folder of binaries → the release that they say they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """`suite.json`: a folder that has it is taken up."""

    asked: Asked
    build: Build


@dataclass(frozen=True, slots=True, kw_only=True)
class Strictness:
    """Which known bugs are findings all the same."""

    every: bool = False  # every one that is a defect, not a design
    fixed: tuple[str, ...] = ()  # issues that this build is said to have fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class BugSeen:
    """A known bug of a release that was run, and whether it showed."""

    issue: str
    where: str  # "vtgate-1 21.0.2"
    certain: bool  # it must show; a race need not
    shown: bool
    unwanted: bool = False  # it showed, and was to be gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of an experiment. `why`: the findings, the premises that did not hold, or how the harness failed."""

    number: int
    outcome: Outcome
    folder: str = ""  # inside the suite's; "" = nothing was made
    took_s: float = 0.0
    headline: str = ""
    why: tuple[str, ...] = ()
    bugs: tuple[BugSeen, ...] = ()
    command: str = ""
    taken_over: bool = False  # an earlier call made it


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of one experiment of the suite. `left`: why it was not begun, or not begun again."""

    experiment: str
    why: str
    outcome: Outcome
    attempts: tuple[Attempt, ...] = ()
    left: str = ""

    @property
    def took_s(self) -> float:
        return sum(attempt.took_s for attempt in self.attempts)

    @property
    def bugs(self) -> tuple[BugSeen, ...]:
        """Of a run that proves something all of them; otherwise those that showed."""
        last = self.attempts[-1] if self.attempts else None
        proved = last is not None and last.outcome in (Outcome.PASSED, Outcome.FINDING, Outcome.ABSENT)
        return tuple(bug for bug in last.bugs if proved or bug.shown) if last else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`result.json`: the whole suite."""

    asked: Asked
    build: Build = field(default_factory=Build)
    answer: str
    exit_code: int
    budget_s: float
    took_s: float  # of the runs that were made; what was taken over takes no time
    parts: tuple[Told, ...]

    @property
    def title(self) -> str:
        return self.asked.title(self.build.said)

    def runs(self, *, taken_over: bool) -> int:
        """How many there are, made by this call or by an earlier one."""
        attempts = (made for part in self.parts for made in part.attempts)
        return sum(1 for made in attempts if made.folder and made.taken_over is taken_over)
