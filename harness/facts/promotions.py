"""When a vtgate learnt of its shards' primaries, and what made it wait again: read from its log.

vtgate's health check and its buffer do not share a state: a keyspace event watcher between them keeps one of its own
(go/vt/discovery/keyspace_events.go, v0.24.3), and ends buffering when every shard of the keyspace serves in *it*.
That state is in no counter. It is followed here through the log lines of what changes it, which are the same from 21.0
to 24.0: a promotion (healthcheck.go), a primary that stops serving (tablet_health_check.go), a request that starts
buffering (buffer/shard_buffer.go, which calls MarkShardNotServing before it logs).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from harness.facts.storm import reparents
from harness.history import History
from harness.model import LogLine

AT_ONCE_NS = 50_000_000  # two lines so close do not tell which of the two changes came first
ENDED_WITH_NS = 1_500_000_000  # buffering ends within so much of the promotion that ends it
_PROMOTED = re.compile(r'PrimaryPromoted counter.*?keyspace:\s*"(\S*?)"\s+shard:\s*"(\S*?)".*, tablet: (\S+?),')
_DEMOTED = re.compile(r"Serving State\): tablet: (\S+) .*?serving true => false for ([^/\s]+)/(\S+) \(PRIMARY\)")
_BEGAN = re.compile(r"Starting buffering for shard: ([^/\s]+)/(\S+) .*seen error: (.*)\)$", re.DOTALL)
_ENDED = re.compile(r"Stopping buffering for shard: ([^/\s]+)/(\S+) after: ([\d.]+) seconds due to: (.*)", re.DOTALL)
_FULL = re.compile(r"broadcast channel is full")
TIMED_OUT = "did not finish in time"
FOUND = "primary promotion has been detected"


class Cause(enum.StrEnum):
    """What keeps the watcher's state of a shard behind that of the health check, which sends requests there."""

    LATE_ERROR = "late-error"
    LATE_HEALTH = "late-health"
    DROPPED = "dropped"
    STOOD_STILL = "stood-still"
    UNHEARD = "unheard"


WORDS: Mapping[Cause, str] = {
    Cause.LATE_ERROR: (
        "an error of its old primary came after the new one was known, and made it wait for another reparent "
        "(MarkShardNotServing)"
    ),
    Cause.LATE_HEALTH: (
        "its old primary's word that it no longer serves came after the new one was known, and holds until the new "
        "one's next health message (onHealthCheck)"
    ),
    Cause.DROPPED: "the promotion never came from the health check to the keyspace event watcher: it was dropped",
    Cause.STOOD_STILL: (
        "the keyspace event watcher stood still, and knew the promotions as soon as it went on (onSrvVSchema asks the "
        "topology server, and nobody gets at the keyspace's state until it answers)"
    ),
    Cause.UNHEARD: (
        "the health check knew the new primaries, the keyspace event watcher did not: not told, or it stood still"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Buffering of a shard that ended at a vtgate."""

    shard: str
    began_ns: int
    at_ns: int
    timed_out: bool  # by --buffer-max-failover-duration
    needed_ns: int  # the last promotion that it had to wait for; 0 = none was seen
    pending: tuple[str, ...] = ()  # shards whose promotion had not been seen
    causes: Mapping[str, Cause] = field(default_factory=dict)  # shard → why it was not taken for serving

    @property
    def late(self) -> bool:
        """Every promotion was seen, and still it went on."""
        return not self.pending and self.needed_ns > 0 and self.at_ns - self.needed_ns > ENDED_WITH_NS

    @property
    def late_s(self) -> float:
        return (self.at_ns - self.needed_ns) / 1e9

    @property
    def without_a_word(self) -> Cause:
        """The cause of a late end that no late error or health explains. Who begins to buffer gets at the watcher's
        state (MarkShardNotServing): from there on the watcher does not stand still, and handles what it was told."""
        if self.began_ns <= self.needed_ns:
            return Cause.UNHEARD
        return Cause.DROPPED if self.at_ns - self.began_ns > ENDED_WITH_NS else Cause.STOOD_STILL


@dataclass(slots=True)
class _Shard:
    """What the log says of one shard. A late thing is one that came after the promotion and was not undone by one."""

    primary: str = ""
    promoted_ns: int = 0
    waits: bool = False  # it is being reparented: its promotion is to come
    late_error_ns: int = 0
    late_health_ns: int = 0
    began_ns: int = 0
    buffers: bool = False

    def promoted(self, at_ns: int, tablet: str) -> None:
        self.primary, self.promoted_ns = tablet, at_ns
        self.waits, self.late_error_ns, self.late_health_ns = False, 0, 0

    def demoted(self, at_ns: int, tablet: str) -> None:
        if self.primary and tablet != self.primary:
            self.late_health_ns = at_ns
        else:
            self.waits = True

    def began(self, at_ns: int, *, old: bool) -> None:
        self.began_ns, self.buffers = at_ns, True
        if old:
            self.late_error_ns = at_ns
        else:
            self.waits = True


def ends(history: History, vtgate: str) -> tuple[Ended, ...]:
    """Every end of buffering that a vtgate logged, in that order."""
    return tuple(_Followed(history.plan.cluster.keyspace).ends(_lines(history, vtgate)))


@lru_cache(maxsize=64)
def _lines(history: History, vtgate: str) -> tuple[LogLine, ...]:
    return tuple(line for line in history.logs if line.node == vtgate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A primary that a vtgate's health check learnt of, or whose end it learnt of."""

    keyspace: str
    shard: str
    tablet: str
    line: LogLine


@lru_cache(maxsize=64)
def seen(history: History, vtgate: str) -> tuple[Seen, ...]:
    """Every promotion that a vtgate logged, in that order."""
    return tuple(
        Seen(keyspace=found[1], shard=found[2], tablet=short(found[3]), line=line)
        for line in _lines(history, vtgate)
        if (found := _PROMOTED.search(line.text))
    )


@lru_cache(maxsize=64)
def demotions(history: History, vtgate: str) -> tuple[Seen, ...]:
    """Every primary that stopped serving, as a vtgate logged it."""
    return tuple(
        Seen(keyspace=found[2], shard=found[3], tablet=short(found[1]), line=line)
        for line in _lines(history, vtgate)
        if (found := _DEMOTED.search(line.text))
    )


@lru_cache(maxsize=64)
def late(history: History, vtgate: str) -> tuple[Ended, ...]:
    """Buffering that went on although nothing was left to wait for. A reparent that still ran is something to wait
    for, even if its primary's first word of it was lost."""
    return tuple(ended for ended in ends(history, vtgate) if ended.late and not _pending(history, ended))


@lru_cache(maxsize=64)
def never_ended(history: History, vtgate: str) -> tuple[Ended, ...]:
    """The same of buffering that still went on when the run ended: as long as it was seen."""
    followed = _Followed(history.plan.cluster.keyspace)
    for _ in followed.ends(_lines(history, vtgate)):
        pass
    left = followed.left(history.end_ns)
    return tuple(ended for ended in left if ended.late and not _pending(history, ended))


def _pending(history: History, ended: Ended) -> bool:
    return any(
        reparent.begin_ns <= ended.at_ns and not 0 < reparent.end_ns <= ended.at_ns for reparent in reparents(history)
    )


def causes_of(history: History, vtgate: str, ended_late: Sequence[Ended]) -> dict[str, Cause]:
    """Shard → why the watcher did not take it for serving; "" = of no shard in particular."""
    found = {shard: cause for ended in ended_late for shard, cause in ended.causes.items()}
    if found or not ended_late:
        return found
    return {"": Cause.DROPPED if dropped(history, vtgate) else ended_late[0].without_a_word}


def cause_of(ended: Ended, causes: Mapping[str, Cause]) -> Cause:
    """The shard's own, or that of another shard: all of a keyspace wait for the one that is not taken for serving."""
    own = {**causes, **ended.causes}
    return own.get(ended.shard) or next(iter((*ended.causes.values(), *own.values())))


def dropped(history: History, vtgate: str) -> int:
    """Health messages that did not fit into a subscriber's channel, as vtgate logs them from 22.0 on."""
    return sum(1 for line in _lines(history, vtgate) if _FULL.search(line.text))


class _Followed:
    """The watcher's shards, along the log of one vtgate."""

    def __init__(self, keyspace: str) -> None:
        self._keyspace = keyspace
        self._shards: dict[str, _Shard] = {}

    def ends(self, lines: Iterable[LogLine]) -> Iterator[Ended]:
        for line in lines:
            if found := _PROMOTED.search(line.text):
                self._of(found[1], found[2]).promoted(line.at_ns, short(found[3]))
            elif found := _DEMOTED.search(line.text):
                self._of(found[2], found[3]).demoted(line.at_ns, short(found[1]))
            elif found := _BEGAN.search(line.text):
                self._began(line.at_ns, found[1], found[2])
            elif (found := _ENDED.search(line.text)) and found[1] == self._keyspace:
                yield self._ended(line.at_ns, found[2], found[4])

    def _of(self, keyspace: str, shard: str) -> _Shard:
        """Of another keyspace: one that nobody asks for."""
        return self._shards.setdefault(shard, _Shard()) if keyspace == self._keyspace else _Shard()

    def _began(self, at_ns: int, keyspace: str, shard: str) -> None:
        """An error is that of the next reparent if the primary itself has said since that it stops."""
        found = self._of(keyspace, shard)
        found.began(at_ns, old=found.promoted_ns > 0 and not found.waits)

    def left(self, end_ns: int) -> Iterator[Ended]:
        """What buffers still: no health message has ended it so far."""
        for shard in [name for name, state in self._shards.items() if state.buffers]:
            yield self._told(end_ns, shard, timed_out=True)

    def _ended(self, at_ns: int, shard: str, why: str) -> Ended:
        timed_out = TIMED_OUT in why
        ended = self._told(at_ns, shard, timed_out=timed_out)
        self._of(self._keyspace, shard).buffers = False
        if not timed_out:
            for state in self._shards.values():
                state.late_error_ns = state.late_health_ns = 0
        return ended

    def _told(self, at_ns: int, shard: str, *, timed_out: bool) -> Ended:
        own = self._of(self._keyspace, shard)
        promoted = [state.promoted_ns for state in self._shards.values()]
        return Ended(
            shard=shard,
            began_ns=own.began_ns,
            at_ns=at_ns,
            timed_out=timed_out,
            needed_ns=max(promoted, default=0),
            pending=tuple(sorted(name for name, state in self._shards.items() if state.waits)),
            causes={name: cause for name, state in self._shards.items() if (cause := _cause(state, timed_out))},
        )


def _cause(shard: _Shard, timed_out: bool) -> Cause | None:
    """Each undoes what the other did: a late error waits for a reparent, whatever the new primary says; the old one's
    health message ends this wait, and then the new one's next message is enough."""
    error_ns, health_ns = shard.late_error_ns, shard.late_health_ns
    if not timed_out:  # a health message ended it, so nobody was waiting for a reparent
        return Cause.LATE_HEALTH if health_ns else None
    if error_ns and error_ns + AT_ONCE_NS >= health_ns:
        return Cause.LATE_ERROR
    return Cause.LATE_HEALTH if health_ns else None


@lru_cache(maxsize=4096)
def short(alias: str) -> str:
    """zone1-0000000101 and zone1-101 (topotools.TabletIdent) are one tablet."""
    cell, _, uid = alias.rpartition("-")
    return f"{cell}-{int(uid)}" if uid.isdigit() else alias
