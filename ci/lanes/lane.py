"""What a lane is: a known bug, where it must show and where it must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments import EXPERIMENTS
from harness.facts.versions import affected
from harness.model import KnownBug, Role

NEWEST = "24.0.3"
VTGATE = "--vtgate"
VITESS = "--vitess"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One half of a lane: runs of one command line. Each run has a vote for every release that is judged."""

    releases: tuple[str, ...]  # of the component that has the bug
    words: tuple[str, ...] = ()  # of `vtchaos run`, after the experiment
    experiment: str = ""  # "" = the lane's
    unlike: str = ""  # of a green arm on a release that has the bug: in what it differs from the red one


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A known bug, where it must show and where it must not. Arms with the same command line share their runs."""

    name: str
    bug: str  # one sentence
    issue: str  # as in the experiment's KnownBug
    experiment: str
    check: str  # the one that must be red
    red: Arm
    green: Arm

    @property
    def known(self) -> tuple[KnownBug, ...]:
        """As the experiment has it, once for each range of releases. Raises LookupError when it has it no longer."""
        experiment = EXPERIMENTS.get(self.experiment)
        if experiment is None:
            raise LookupError(f"lane {self.name}: there is no experiment {self.experiment}")
        found = tuple(bug for bug in experiment.known_bugs if bug.issue == self.issue)
        if not found:
            raise LookupError(f"lane {self.name}: {self.experiment} has no known bug {self.issue!r}")
        return found

    @property
    def component(self) -> Role:
        return self.known[0].component

    @property
    def certain(self) -> bool:
        return all(bug.certain for bug in self.known)

    def has(self, release: str) -> bool:
        """Whether a release has the bug."""
        return any(affected(bug, release) for bug in self.known)

    @property
    def arms(self) -> Mapping[str, Arm]:
        return {"red": self.red, "green": self.green}

    def experiment_of(self, arm: Arm) -> str:
        return arm.experiment or self.experiment


def vtgates(*releases: str, judged: tuple[str, ...] = ()) -> Arm:
    """vtgates side by side in one cluster; `judged`: those of this arm, all by default."""
    return Arm(releases=judged or releases, words=(VTGATE, ",".join(releases)))


def control(experiment: str = "", *words: str, unlike: str, release: str = NEWEST) -> Arm:
    """The release that has the bug, in a run that must not show it."""
    return Arm(releases=(release,), words=words, experiment=experiment, unlike=unlike)


HERE = Arm(releases=(NEWEST,))  # the experiment as it is
LATE = ("21.0.2", "21.0.3", "22.0.4", NEWEST)
