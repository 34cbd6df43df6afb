"""What a reparent spent its time with: the phases of each, read from the logs of vtctld and of the shard's tablets.

Texts (vtctl/reparentutil/{planned,emergency}_reparenter.go, topo/locks.go, tabletmanager/rpc_replication.go and
rpc_server.go) are the same from 21.0 to 24.0. vtctld marks where a phase begins; a vttablet logs when a call arrives
and when it returns. A phase that no line shows is absent, not guessed: runs recorded before the lines of vtctld and
WaitForPosition were kept have neither lock, elect, prepare nor catch-up.
"""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from harness.facts import tablet_states
from harness.facts.storm import Reparent, reparents
from harness.history import History
from harness.model import LogLine, Node, Role

# A stamp of a log has a millisecond at worst, and the harness's own is taken just before the call leaves.
SLACK_NS = 20_000_000


class Phase(enum.StrEnum):
    """In the order in which they come; a planned reparent has no `stop`, an emergency one no `prepare` and `demote`."""

    LOCK = "lock"  # waiting for the shard's lock in the topology
    ELECT = "elect"  # asking the tablets, choosing the candidate
    STOP = "stop-replication"  # on all replicas, so that none gets further meanwhile
    PREPARE = "prepare"  # the candidate catches up while the old primary still serves
    DEMOTE = "demote"  # the old primary stops serving and turns read-only
    CATCH_UP = "catch-up"  # the candidate comes to where the old primary stopped
    PROMOTE = "promote"  # the candidate becomes writable and serves
    JOURNAL = "journal"  # the reparent is written into _vt.reparent_journal, and replicas get it
    REST = "rest"  # until all replicas follow, and the lock is given back


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSpan:
    """One phase of one reparent. `to_ns` is 0 when no line tells its end: the call did not return, for all we know."""

    phase: Phase
    from_ns: int
    to_ns: int
    node: str  # whose line says so: a vttablet, or vtctld
    failed: bool
    text: str  # the line of its beginning

    @property
    def duration_s(self) -> float:
        return max(self.to_ns - self.from_ns, 0) / 1e9 if self.to_ns else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReparentPhases:
    """A reparent with its phases in order of time. `stopped_ns`, `serving_ns`: since when and until when its shard had
    no serving primary; 0 = not seen."""

    reparent: Reparent
    spans: tuple[PhaseSpan, ...]
    stopped_ns: int = 0
    serving_ns: int = 0

    def of(self, phase: Phase) -> PhaseSpan | None:
        """The first such; None: no line shows it."""
        return next((span for span in self.spans if span.phase is phase), None)

    @property
    def unserved_s(self) -> float:
        return (self.serving_ns - self.stopped_ns) / 1e9 if self.serving_ns > self.stopped_ns > 0 else 0.0


@lru_cache(maxsize=4)
def phases(history: History) -> tuple[ReparentPhases, ...]:
    """One for every reparent whose call left, in that order."""
    marks = _marks(history)
    found = []
    for reparent, until_ns in _windows(history):
        own = marks.get((reparent.keyspace, reparent.shard), ())
        inside = [mark for mark in own if reparent.begin_ns - SLACK_NS <= mark.line.at_ns < until_ns]
        stopped_ns, serving_ns = _without_primary(history, reparent, until_ns)
        found.append(
            ReparentPhases(
                reparent=reparent,
                spans=tuple(sorted(_spans(inside), key=lambda span: (span.from_ns, _ORDER[span.phase]))),
                stopped_ns=stopped_ns,
                serving_ns=serving_ns,
            )
        )
    return tuple(found)


def _windows(history: History) -> Iterator[tuple[Reparent, int]]:
    """A reparent's lines end where the shard's next reparent begins: a call may outlast the reparent that made it."""
    every = reparents(history)
    for index, reparent in enumerate(every):
        later = [
            other.begin_ns
            for other in every[index + 1 :]
            if (other.keyspace, other.shard) == (reparent.keyspace, reparent.shard)
        ]
        yield reparent, later[0] - SLACK_NS if later else history.end_ns + SLACK_NS


def _without_primary(history: History, reparent: Reparent, until_ns: int) -> tuple[int, int]:
    for gap in tablet_states.unserved(history):
        if (gap.keyspace, gap.shard) == (reparent.keyspace, reparent.shard) and (
            reparent.begin_ns - SLACK_NS <= gap.from_ns < until_ns
        ):
            return gap.from_ns, gap.to_ns if gap.after else 0
    return 0, 0


# ---------------------------------------------------------------- marks


class _Kind(enum.Enum):
    VTCTLD = "vtctld comes to a phase"
    CALLED = "a call arrived at a tablet"
    RETURNED = "it returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    kind: _Kind
    what: str  # the phase's mark, or the call's name
    line: LogLine


_LOCKING = re.compile(r"Locking shard ([^/\s]+)/(\S+) for action (?:Planned|Emergency)Reparent")
_REPARENT = re.compile(r"([^/\s]+)/(\S+) \[reparent \S+ -> \S+\] (.*?) \(")
_CALLED = re.compile(r"(?:^|\s)(DemotePrimary|PromoteReplica|WaitForPosition|PopulateReparentJournal)(?:$|: )")
_RETURNED = re.compile(r"TabletManager\.(DemotePrimary|PromoteReplica|WaitForPosition|PopulateReparentJournal)\(")
_CALLS = {
    "DemotePrimary": Phase.DEMOTE,
    "WaitForPosition": Phase.CATCH_UP,
    "PromoteReplica": Phase.PROMOTE,
    "PopulateReparentJournal": Phase.JOURNAL,
}
_LOCKS = "Locking shard"
# What vtctld says → the phase that begins there; None = it only ends the one before.
_BEGINS: dict[str, Phase | None] = {
    _LOCKS: Phase.LOCK,
    "reading tablet map": Phase.ELECT,
    "reading all tablets": Phase.ELECT,
    "elected new primary candidate": Phase.PREPARE,
    "stop replication on all replicas": Phase.STOP,
    "demoting old primary": None,
    "reparenting all tablets": None,
}
_ORDER = {phase: number for number, phase in enumerate(Phase)}


def _marks(history: History) -> dict[tuple[str, str], list[_Mark]]:
    """(keyspace, shard) → the lines that mark its reparents, in order of time."""
    nodes = {node.name: node for node in history.nodes}
    found: dict[tuple[str, str], list[_Mark]] = {}
    for line in history.logs:
        node = nodes.get(line.node)
        for place, mark in _mark(node, line) if node is not None else ():
            found.setdefault(place, []).append(mark)
    for own in found.values():
        own.sort(key=lambda mark: mark.line.at_ns)
    return found


def _mark(node: Node, line: LogLine) -> Iterator[tuple[tuple[str, str], _Mark]]:
    if node.role is Role.VTCTLD:
        if found := _LOCKING.search(line.text):
            yield (found[1], found[2]), _Mark(kind=_Kind.VTCTLD, what=_LOCKS, line=line)
        elif found := _REPARENT.search(line.text):
            yield (found[1], found[2]), _Mark(kind=_Kind.VTCTLD, what=found[3], line=line)
    elif node.role is Role.VTTABLET:
        place = node.keyspace, node.shard
        if found := _RETURNED.search(line.text):
            yield place, _Mark(kind=_Kind.RETURNED, what=found[1], line=line)
        elif found := _CALLED.search(line.text):
            yield place, _Mark(kind=_Kind.CALLED, what=found[1], line=line)


# ---------------------------------------------------------------- spans


def _spans(marks: list[_Mark]) -> Iterator[PhaseSpan]:
    yield from _of_vtctld([mark for mark in marks if mark.kind is _Kind.VTCTLD])
    calls = list(_of_tablets([mark for mark in marks if mark.kind is not _Kind.VTCTLD]))
    yield from calls
    yield from _rest(marks, calls)


def _of_vtctld(marks: list[_Mark]) -> Iterator[PhaseSpan]:
    known = [mark for mark in marks if mark.what in _BEGINS]
    for mark, following in itertools.pairwise(known):
        phase = _BEGINS[mark.what]
        if phase is Phase.PREPARE and following.what != "demoting old primary":
            continue  # the first primary of a shard: there is nobody to demote
        if phase is not None:
            yield _span(phase, mark.line, following.line)


def _of_tablets(marks: list[_Mark]) -> Iterator[PhaseSpan]:
    """Each call with its return on the same tablet, if it came before the same call arrived again."""
    own: dict[tuple[str, str], list[_Mark]] = {}
    for mark in marks:
        own.setdefault((mark.line.node, mark.what), []).append(mark)
    for (_, what), group in own.items():
        for index, mark in enumerate(group):
            if mark.kind is _Kind.CALLED:
                after = group[index + 1] if index + 1 < len(group) else None
                returned = after.line if after is not None and after.kind is _Kind.RETURNED else None
                yield _span(_CALLS[what], mark.line, returned)


def _rest(marks: Iterable[_Mark], calls: list[PhaseSpan]) -> Iterator[PhaseSpan]:
    finished = [mark.line for mark in marks if mark.kind is _Kind.VTCTLD and mark.what.startswith("finished ")]
    done = [call for call in calls if call.phase in (Phase.PROMOTE, Phase.JOURNAL)]
    if finished and done and all(call.to_ns for call in done):
        last = max(done, key=lambda call: call.to_ns)
        yield PhaseSpan(
            phase=Phase.REST,
            from_ns=last.to_ns,
            to_ns=max(finished[0].at_ns, last.to_ns),
            node=finished[0].node,
            failed=False,
            text=finished[0].text,
        )


def _span(phase: Phase, begun: LogLine, ended: LogLine | None) -> PhaseSpan:
    return PhaseSpan(
        phase=phase,
        from_ns=begun.at_ns,
        to_ns=ended.at_ns if ended is not None else 0,
        node=begun.node,
        failed=ended is not None and ended.level != "info",
        text=begun.text,
    )
