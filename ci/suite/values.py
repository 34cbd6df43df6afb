"""What is asked of a suite, and what came of it: `suite.json` and `result.json`."""

from __future__ import annotations

import enum
import shlex
from dataclasses import dataclass

from ci.suite.table import Part


class Outcome(enum.StrEnum):
    """What became of an experiment, or of one attempt at it."""

    PASSED = "passed"
    FINDING = "finding"
    HARNESS = "harness failed"
    BROKEN_OFF = "broken off"  # by the user, or because the time was over
    UNKNOWN = "proved nothing"
    NOT_BEGUN = "not begun"
    REFUSED = "not possible here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The Vitess in question. `suite.json`: a folder that has it is taken up."""

    vitess: str = ""  # a release or a folder of binaries; "" = the default release
    vtgate: str = ""  # releases of the vtgates alone, with commas
    mysql: str = ""
    image: str = ""
    backend: str = ""
    seed: int = 1

    def words(self, part: Part, vtgates: int) -> tuple[str, ...]:
        """Of `vtchaos run`. `vtgates`: how many the experiment has; each of them is of a release that is asked for."""
        named = (("--backend", self.backend), ("--image", self.image), ("--vitess", self.vitess))
        releases = [release.strip() for release in self.vtgate.split(",") if release.strip()]
        many = max(vtgates, len(releases)) if releases else 0
        each = ",".join(releases[number % len(releases)] for number in range(many))
        return (part.experiment, *part.words, *_options(*named, ("--vtgate", each), ("--mysql", self.mysql)))

    @property
    def title(self) -> str:
        """The Vitess in question, as a sentence's subject."""
        build = f"image {self.image}" if self.image else self.vitess
        vtgates = f" with vtgate {self.vtgate.replace(',', ', ')}" if self.vtgate else ""
        return f"Vitess {build}{vtgates}"

    @property
    def command(self) -> str:
        """The whole suite again, from the root of this project."""
        build = (("--vitess", self.vitess), ("--vtgate", self.vtgate), ("--mysql", self.mysql))
        place = (("--image", self.image), ("--backend", self.backend), ("--seed", str(self.seed)))
        return shlex.join(["ci/regression", *_options(*build, *place)])


def _options(*given: tuple[str, str]) -> tuple[str, ...]:
    """Words of a command line, of those that have a value."""
    return tuple(word for name, value in given if value for word in (name, value))


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
        proved = last is not None and last.outcome in (Outcome.PASSED, Outcome.FINDING)
        return tuple(bug for bug in last.bugs if proved or bug.shown) if last else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`result.json`: the whole suite."""

    asked: Asked
    answer: str
    exit_code: int
    budget_s: float
    took_s: float
    parts: tuple[Told, ...]
