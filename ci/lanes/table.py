"""The lanes: for every known bug a run that must show it and one that must not.

To add a bug: its KnownBug in an experiment, and a row here. `tests/unit/test_ci_lanes_table.py` holds the rows
against the experiments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments import EXPERIMENTS, emergency, movetables, mysql, process, reparent, resharding, switching, vstream
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

LANES: tuple[Lane, ...] = (
    # ------------------------------------------------ reparents and the buffer
    Lane(
        name="17629-late",
        bug="#17629 without a lost message: a demoted primary's late error holds the keyspace's buffering",
        issue="vitess#17629 (late)",
        experiment="health/late-request",
        check="buffering/promotions",
        red=vtgates(*LATE),
        green=Arm(releases=LATE, words=(VTGATE, ",".join(LATE)), experiment="health/control", unlike="nothing is late"),
    ),
    Lane(
        name="17629-late-answers",
        bug="#17629 without a lost message: a demoted primary's late health message does the same",
        issue="vitess#17629 (late)",
        experiment="health/late-answers",
        check="buffering/promotions",
        red=vtgates(*LATE),
        green=Arm(releases=LATE, words=(VTGATE, ",".join(LATE)), experiment="health/control", unlike="nothing is late"),
    ),
    Lane(
        name="17629-dropped",
        bug="#17629: vtgate drops health updates, and buffers until the primaries' next ones",
        issue="vitess#17629",
        experiment="health/dropped",
        check="buffering/updates",
        red=vtgates("21.0.2", "21.0.3", NEWEST, judged=("21.0.2",)),
        green=vtgates("21.0.2", "21.0.3", NEWEST, judged=("21.0.3", NEWEST)),
    ),
    Lane(
        name="18433",
        bug="#18433: a vtgate clears its query plans every second while its cell's topology server answers with errors",
        issue="vitess#18433",
        experiment="topology/cell-strange",
        check="plans/kept",
        red=vtgates("22.0.0", "22.0.4", NEWEST, judged=("22.0.0",)),
        green=vtgates("22.0.0", "22.0.4", NEWEST, judged=("22.0.4", NEWEST)),
    ),
    Lane(
        name="17560-etcd",
        bug="#17560 with etcd: after UpdateCellInfo a vtgate never hears of a VSchema again, and says nothing of it",
        issue="vitess#17560 (etcd)",
        experiment="topology/cell-renamed",
        check="plans/heard",
        red=HERE,
        green=control("topology/cell-as-it-was", unlike="the address stays"),
    ),
    Lane(
        name="16438",
        bug="#16438: a read-only primary is taken for a new one when another shard is reparented",
        issue="vitess#16438",
        experiment="mysql/read-only-primaries",
        check="clients/errors",
        red=vtgates("21.0.0", "21.0.1", NEWEST, judged=("21.0.0",)),
        green=vtgates("21.0.0", "21.0.1", NEWEST, judged=("21.0.1", NEWEST)),
    ),
    Lane(
        name="9433",
        bug="#9433: a reparent that outlasts the buffer window evicts requests",
        issue=reparent.WINDOW_SHORTER.issue,
        experiment="reparent/slow-demotion",
        check="buffering/evictions",
        red=HERE,
        green=control("", "--vttablet-flag", "shutdown-grace-period=2s", unlike="the demotion takes 2 s, not 13 s"),
    ),
    Lane(
        name="second-failover",
        bug="a second failover within a minute is not buffered (by design)",
        issue=reparent.TOO_SOON.issue,
        experiment="reparent/second-storm",
        check="clients/errors",
        red=HERE,
        green=control(
            "",
            "--vtgate-flag",
            "buffer-min-time-between-failovers=1s",
            unlike="--buffer-min-time-between-failovers 1s",
        ),
    ),
    Lane(
        name="unbuffered",
        bug="buffering is switched off (a test of the checks)",
        issue=reparent.SWITCHED_OFF.issue,
        experiment="reparent/unbuffered",
        check="clients/errors",
        red=HERE,
        green=control("reparent/storm-2", unlike="it is on"),
    ),
    # ------------------------------------------------ failovers
    Lane(
        name="18529",
        bug="#18529: one lagging replica makes EmergencyReparentShard fail",
        issue="vitess#18529",
        experiment="emergency/lagging-replica",
        check="emergency/reparents",
        red=HERE,
        green=control("emergency/host-gone", unlike="no replica lags"),
    ),
    Lane(
        name="emergency-undone",
        bug="EmergencyReparentShard of a healthy shard breaks off its primary's demotion",
        issue=emergency.DEMOTION_UNDONE.issue,
        experiment="emergency/nothing-wrong",
        check="clients/errors",
        red=HERE,
        green=control("", "--durability", "none", unlike="without semi-sync"),
    ),
    Lane(
        name="21092",
        bug="#21092: vtorc's repairs of replicas that cannot apply throw away what they have acknowledged",
        issue=emergency.PURGED.issue,
        experiment="emergency/broken-applier",
        check="durability/acknowledged",
        red=HERE,
        green=control("emergency/replicas-cut-off", unlike="the replicas apply"),
    ),
    Lane(
        name="20003",
        bug="#20003: a COMMIT that hangs is not ended when its primary is demoted",
        issue=emergency.COMMIT_HELD.issue,
        experiment="emergency/commits-in-flight",
        check="emergency/service",
        red=HERE,
        green=control("emergency/writes-in-flight", unlike="what hangs are autocommit writes"),
    ),
    Lane(
        name="20315",
        bug="#20315: a tablet whose address was somebody else's for a moment is forgotten for good",
        issue=process.FORGOTTEN.issue,
        experiment="process/taken-address",
        check="tablets/known",
        red=HERE,
        green=control("process/killed-replicas", unlike="nobody takes the address"),
    ),
    Lane(
        name="20160",
        bug="#20160: a demotion that succeeds after its call was given up leaves a read-only primary",
        issue=mysql.DEMOTED_LATE.issue,
        experiment="mysql/demotion-past-its-deadline",
        check="faults/healed",
        red=HERE,
        green=control(
            "mysql/demotion-behind-a-lock", unlike="the lock outlasts the call, and vttablet stands never still"
        ),
    ),
    Lane(
        name="read-only-moment",
        bug="2 s of read_only on a primary are buffered for the maximum of 20 s (by design)",
        issue=mysql.NO_FAILOVER.issue,
        experiment="mysql/read-only-for-a-moment",
        check="buffering/stops",
        red=HERE,
        green=control("mysql/control", unlike="no read_only"),
    ),
    Lane(
        name="7038",
        bug="#7038: one refused connection makes a vttablet end its query service",
        issue="vitess#7038",
        experiment="mysql/exhausted-connections",
        check="tablets/serve-on",
        red=HERE,
        green=control("", "--set", "burst=0", unlike="no pool wants one more connection"),
    ),
    # ------------------------------------------------ pools
    Lane(
        name="20310",
        bug="#20310: a vttablet's connections go to those who have given up waiting, one after the other",
        issue="vitess#20310",
        experiment="pools/abandoned",
        check="tablets/pool",
        red=Arm(releases=("24.0.0",), words=(VITESS, "24.0.0")),
        green=HERE,
    ),
    Lane(
        name="20310-23",
        bug="#20310 in the release before",
        issue="vitess#20310",
        experiment="pools/abandoned",
        check="tablets/pool",
        red=Arm(releases=("23.0.0",), words=(VITESS, "23.0.0")),
        green=Arm(releases=("23.0.5",), words=(VITESS, "23.0.5")),
    ),
    # ------------------------------------------------ VStream
    Lane(
        name="17778",
        bug="#17778: a copy that is cut by its time limit ends the client's stream",
        issue="vitess#17778",
        experiment="vstream/copy-cycles",
        check="vstream/uninterrupted",
        red=vtgates("21.0.2", NEWEST, judged=("21.0.2",)),
        green=vtgates("21.0.2", NEWEST, judged=(NEWEST,)),
    ),
    Lane(
        name="18119",
        bug="#18119: the catch-up between two tables ends the stream",
        issue="vitess#18119",
        experiment="vstream/catch-up",
        check="vstream/uninterrupted",
        red=Arm(releases=("21.0.3",), words=(VITESS, "21.0.3", "--mysql", "8.0", "--durability", "none")),
        green=HERE,
    ),
    Lane(
        name="18938",
        bug="#18938: a stream that names its tables to copy copies them again at every resume, and loses deletes",
        issue="vitess#18938",
        experiment="vstream/resume-complete",
        check="vstream/resumable",
        red=Arm(releases=("23.0.0",), words=(VITESS, "23.0.0")),
        green=HERE,
    ),
    Lane(
        name="stream-never-copied",
        bug="a stream that is resumed between two tables never copies the rest",
        issue=vstream.NEVER_COPIED.issue,
        experiment="vstream/killed-between-tables",
        check="vstream/completed",
        red=HERE,
        green=control("vstream/killed-vttablet", unlike="killed in the middle of a table"),
    ),
    Lane(
        name="stream-never-copied-by-checkpoint",
        bug="the same by a client's own checkpoint",
        issue=vstream.NEVER_COPIED.issue,
        experiment="vstream/resume-everywhere",
        check="vstream/completed",
        red=HERE,
        green=control("vstream/resume", unlike="resumed in the middle of a table"),
    ),
    Lane(
        name="stream-copied-again",
        bug="completed tables are copied again after a cut, and their changes are lost",
        issue=vstream.COPIED_AGAIN.issue,
        experiment="vstream/tables-cut",
        check="vstream/unique",
        red=HERE,
        green=control("vstream/catch-up", unlike="never cut"),
    ),
    Lane(
        name="stream-for-ever",
        bug="a copy that is cut before its first packet is retried for ever",
        issue=vstream.NO_PROGRESS.issue,
        experiment="vstream/copy-shorter-than-packet",
        check="vstream/completed",
        red=HERE,
        green=control("vstream/copy-50ms", unlike="packets fit into the copy phase"),
    ),
    # ------------------------------------------------ MoveTables and Reshard
    Lane(
        name="17864",
        bug="#17864: an atomic copy that is interrupted on its target inserts its first rows again",
        issue="vitess#17864",
        experiment="movetables/reparent-target-atomic",
        check="workflow/errors",
        red=HERE,
        green=control("movetables/reparent-target", unlike="not --atomic-copy"),
    ),
    Lane(
        name="17862",
        bug="#17862: a statement limit of MySQL's own ends an atomic copy",
        issue="vitess#17862",
        experiment="movetables/limited-source-atomic",
        check="workflow/errors",
        red=HERE,
        green=control("movetables/limited-source", unlike="not --atomic-copy"),
    ),
    Lane(
        name="10012",
        bug="#10012: a copy that never gets its first row stays in Copying for ever",
        issue="vitess#10012",
        experiment="movetables/cut-before-first-row",
        check="workflow/copied",
        red=HERE,
        green=control("movetables/cut-300ms", unlike="rows arrive before the cut"),
    ),
    Lane(
        name="atomic-split",
        bug="an atomic copy into a sharded keyspace copies every row to every shard",
        issue=movetables.ATOMIC_UNFILTERED.issue,
        experiment="movetables/atomic-split",
        check="workflow/rows",
        red=HERE,
        green=control("", "--set", "atomic_copy=0", unlike="not --atomic-copy"),
    ),
    Lane(
        name="movetables-switch",
        bug="a MoveTables switch holds its clients until the old side's next health message",
        issue=switching.HELD_ON.issue,
        experiment="switching/over-and-back",
        check="clients/stall",
        red=vtgates("21.0.0", NEWEST, judged=(NEWEST,)),
        green=vtgates("21.0.0", NEWEST, judged=("21.0.0",)),
    ),
    Lane(
        name="reshard-vt13001",
        bug="an autocommit write that waits for a Reshard's switch ends with VT13001",
        issue=resharding.AUTOCOMMIT_SPENT.issue,
        experiment="resharding/over-and-back",
        check="clients/errors",
        red=HERE,
        green=control("resharding/in-transactions", unlike="each write in a transaction"),
    ),
    Lane(
        name="reshard-reparent",
        bug="a reparent is buffered to the maximum while a Reshard's targets stand by",
        issue=resharding.NEVER_CONSISTENT.issue,
        experiment="resharding/reparent-meanwhile",
        check="buffering/stops",
        red=HERE,
        green=control("reparent/storm-2", "--set", "reparents=1", unlike="no Reshard"),
    ),
    Lane(
        name="17326",
        bug="#17326: a vtctld that is killed amid SwitchTraffic leaves the table denied, and a lock for 24 hours",
        issue=switching.DENIED_FOR_LONG.issue,
        experiment="switching/vtctld-killed",
        check="clients/stall",
        red=HERE,
        green=control("switching/control", unlike="no switch"),
    ),
    # ------------------------------------------------ disks
    Lane(
        name="20334",
        bug="#20334: a primary with a full disk is not failed over by vtorc",
        issue="vitess#20334",
        experiment="disk/primary-vtorc",
        check="clients/stall",
        red=HERE,
        green=control("disk/one-of-two-replicas", unlike="a replica's disk"),
    ),
)


def chosen(wanted: tuple[str, ...]) -> tuple[Lane, ...]:
    """By name, or all whose name has the word ("17629", "#17629"); all when nothing is wanted. Raises LookupError."""
    found: set[str] = set()
    for word in (text.removeprefix("vitess").lstrip("#") for text in wanted):
        names = {lane.name for lane in LANES if word == lane.name} or {lane.name for lane in LANES if word in lane.name}
        if not names:
            raise LookupError(f"no lane is called {word}; there are {', '.join(lane.name for lane in LANES)}")
        found |= names
    return tuple(lane for lane in LANES if not wanted or lane.name in found)
