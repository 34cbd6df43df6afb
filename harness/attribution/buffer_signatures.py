"""What holds clients in vtgate's buffer, or keeps them out of it.

A reparent of the shard itself is what a run does to its clients; everything else here is what vtgate makes of it. The
facts about the buffer are those of go/vt/vtgate/buffer/shard_buffer.go and go/vt/discovery/keyspace_events.go v0.24.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from harness.attribution.evidence import of_counter, of_line, of_phase, of_reparent, of_setting
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame, Evidence
from harness.facts.buffer import settings
from harness.facts.buffering import SETTLED_NS, Buffering, Ending, Pending, buffering_of, bufferings, pendings
from harness.facts.reparent_phases import phases
from harness.facts.spans import joined, without
from harness.facts.storm import PLANNED_REPARENT, Reparent, seconds_between
from harness.facts.words import seconds
from harness.history import History

# Who waits too long gives up, whatever it waits for.
GAVE_UP = frozenset({"client-timeout", "deadline-or-cancelled", "buffer-cancelled", "expired-before-start"})
# What a request is told that asks a shard in the middle of a reparent, and is not (or no longer) buffered.
UNBUFFERED = frozenset(
    {
        "reparent-in-progress",
        "not-serving",
        "wrong-tablet",
        "tx-engine-closed",
        "transaction-gone",
        "tablet-gone",
        "no-healthy-tablet",
        "no-connection",
        "read-only",
        "interrupted",
        "vttablet-refused",
        "vttablet-connection-lost",
    }
)
TOO_RECENT = ("LastFailoverTooRecent", "LastReparentTooRecent")
DRAINS_NS = 100_000_000  # a drain that is shorter holds nobody


@dataclass(frozen=True, slots=True)
class OwnReparent:
    """The shard's own planned reparent: from the call until vtgate knows the new primary and lets its requests go."""

    name: ClassVar[str] = "own-reparent"
    title: ClassVar[str] = "waited for the reparent of its own shard"
    blame: ClassVar[Blame] = Blame.RUN
    rank: ClassVar[int] = Rank.REPARENT
    advice: ClassVar[str] = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for vtgate, pending in _each(history):
            if pending.reparent.fault == PLANNED_REPARENT:
                yield Claim(
                    vtgate=vtgate,
                    shard=pending.reparent.shard,
                    from_ns=pending.from_ns,
                    to_ns=_let_go_ns(history, vtgate, pending),
                    evidence=(
                        of_reparent(pending.reparent),
                        *_what_took_long(history, pending.reparent),
                        *_lines(history, vtgate, pending),
                    ),
                    errors=GAVE_UP,
                )


def _what_took_long(history: History, reparent: Reparent) -> tuple[Evidence, ...]:
    """The phase that was more than half of it, e.g. a demotion that waits for an open transaction."""
    told = next((each for each in phases(history) if each.reparent.number == reparent.number), None)
    longest = max(told.spans, key=lambda span: span.duration_s, default=None) if told else None
    if longest is None or longest.duration_s <= reparent.duration_s / 2:
        return ()
    took = f"{longest.phase} took {seconds(longest.duration_s)} of {seconds(reparent.duration_s)}"
    return (of_phase(longest, took),)


@dataclass(frozen=True, slots=True)
class KeyspaceWideConsistency:
    """Buffering of a shard ends when every shard of the keyspace serves again, not when its own does
    (keyspace_events.go, ensureConsistentLocked)."""

    name: ClassVar[str] = "keyspace-wide-consistency"
    title: ClassVar[str] = "waited for other shards' reparents"
    blame: ClassVar[Blame] = Blame.DESIGN
    rank: ClassVar[int] = Rank.KEYSPACE
    advice: ClassVar[str] = (
        "Reparent fewer shards of a keyspace at once: every buffered shard waits for the slowest of them."
    )

    def claims(self, history: History) -> Iterator[Claim]:
        for stretch in _own_keyspace(history):
            others = [pending for pending in during(history, stretch) if pending.reparent.shard != stretch.shard]
            for from_ns, to_ns in _shared(stretch, others, _own(history, stretch)):
                held_by = [pending for pending in others if pending.from_ns < to_ns and from_ns < _over_ns(pending)]
                yield Claim(
                    vtgate=stretch.vtgate,
                    shard=stretch.shard,
                    from_ns=from_ns,
                    to_ns=to_ns,
                    evidence=_why_held(held_by, stretch),
                    errors=GAVE_UP,
                )


def _shared(stretch: Buffering, others: list[Pending], own: list[Pending]) -> list[tuple[int, int]]:
    """When others' reparents held the shard and its own did not."""
    held = joined((max(each.from_ns, stretch.from_ns), min(_over_ns(each), stretch.to_ns)) for each in others)
    busy = [(each.from_ns, each.to_ns) for each in own]
    return [part for span in held for part in without(span, busy)]


def _over_ns(pending: Pending) -> int:
    """Until the last of what follows from its end has followed."""
    return pending.to_ns + SETTLED_NS


def _why_held(others: list[Pending], stretch: Buffering) -> tuple[Evidence, ...]:
    last = max(others, key=lambda pending: (pending.to_ns, pending.reparent.number))
    found = [of_reparent(last.reparent)]
    if last.seen:
        found.append(of_line(last.seen.line))
    return (*found, *(of_line(line) for line in (stretch.ended, stretch.began) if line))


@dataclass(frozen=True, slots=True)
class WindowShorterThanReparent:
    """A request leaves the buffer after --buffer-window, asks a primary that is still gone, and fails (#9433)."""

    name: ClassVar[str] = "window-shorter-than-reparent"
    title: ClassVar[str] = "evicted from the buffer before the reparent was over"
    blame: ClassVar[Blame] = Blame.SETTING
    rank: ClassVar[int] = Rank.BUFFER
    advice: ClassVar[str] = (
        "Set --buffer-window (and --buffer-max-failover-duration) longer than the slowest reparent, and the clients' "
        "timeouts longer than that (vitessio/vitess#9433)."
    )

    def claims(self, history: History) -> Iterator[Claim]:
        for vtgate, pending in _each(history):
            window_s = settings(history, vtgate).window_s
            shard = pending.reparent.shard
            evicted = _rises(history, vtgate, "BufferRequestsEvicted", shard, "WindowExceeded", pending)
            if evicted and seconds_between(pending.from_ns, pending.to_ns) > window_s:
                text = f"--buffer-window {seconds(window_s)}"
                yield Claim(
                    vtgate=vtgate,
                    shard=shard,
                    from_ns=pending.from_ns,
                    to_ns=pending.to_ns + SETTLED_NS,
                    evidence=(*evicted, of_reparent(pending.reparent), of_setting(vtgate, history.start_ns, text)),
                    waits=False,  # it would have waited all the same
                    errors=UNBUFFERED,
                )


@dataclass(frozen=True, slots=True)
class MaxFailoverDuration:
    """Buffering ended by --buffer-max-failover-duration while the reparent still ran: what was buffered fails, and so
    does what comes after it, because the next buffering is refused for --buffer-min-time-between-failovers."""

    name: ClassVar[str] = "max-failover-duration"
    title: ClassVar[str] = "buffering was given up before the reparent was over"
    blame: ClassVar[Blame] = Blame.SETTING
    rank: ClassVar[int] = Rank.BUFFER
    advice: ClassVar[str] = "Set --buffer-max-failover-duration longer than the slowest reparent."

    def claims(self, history: History) -> Iterator[Claim]:
        for stretch in _own_keyspace(history):
            for pending in _own(history, stretch):
                if stretch.ending is Ending.TIMED_OUT and pending.from_ns < stretch.to_ns < pending.to_ns:
                    yield Claim(
                        vtgate=stretch.vtgate,
                        shard=stretch.shard,
                        from_ns=stretch.to_ns,
                        to_ns=pending.to_ns + SETTLED_NS,
                        evidence=(*ends_of(stretch), of_reparent(pending.reparent)),
                        waits=False,
                        errors=UNBUFFERED,
                    )


@dataclass(frozen=True, slots=True)
class BufferFull:
    """More requests than --buffer-size: the oldest of the shard is thrown out, or there is no place at all."""

    name: ClassVar[str] = "buffer-full"
    title: ClassVar[str] = "the buffer was full"
    blame: ClassVar[Blame] = Blame.SETTING
    rank: ClassVar[int] = Rank.BUFFER
    advice: ClassVar[str] = (
        "Set --buffer-size to at least the requests of all shards that fail over at once, times how long that takes."
    )

    def claims(self, history: History) -> Iterator[Claim]:
        for name in ("BufferRequestsEvicted", "BufferRequestsSkipped"):
            yield from _counted(history, name, "BufferFull", frozenset({"buffer-full", "buffer-evicted"}))


@dataclass(frozen=True, slots=True)
class BufferingDisabled:
    """Without --enable-buffer (or for a keyspace or shard that it does not name) vtgate passes errors on."""

    name: ClassVar[str] = "buffering-disabled"
    title: ClassVar[str] = "nothing was buffered: buffering is off"
    blame: ClassVar[Blame] = Blame.SETTING
    rank: ClassVar[int] = Rank.BUFFER
    advice: ClassVar[str] = "Set --enable-buffer on every vtgate."

    def claims(self, history: History) -> Iterator[Claim]:
        yield from _counted(history, "BufferRequestsSkipped", "Disabled", UNBUFFERED, at_once=True)
        for vtgate, pending in _each(history):
            if not settings(history, vtgate).enabled:
                flag = of_setting(vtgate, history.start_ns, "--enable-buffer is not set")
                yield Claim(
                    vtgate=vtgate,
                    shard=pending.reparent.shard,
                    from_ns=pending.from_ns,
                    to_ns=pending.to_ns + SETTLED_NS,
                    evidence=(flag, of_reparent(pending.reparent), *_lines(history, vtgate, pending)),
                    waits=False,
                    errors=UNBUFFERED,
                    at_once=True,
                )


@dataclass(frozen=True, slots=True)
class TooSoonAfterTheLast:
    """A shard that has just been buffered, or reparented, is not buffered again for
    --buffer-min-time-between-failovers (shard_buffer.go, waitForFailoverEnd)."""

    name: ClassVar[str] = "too-soon-after-the-last"
    title: ClassVar[str] = "not buffered, because the last failover was too recent"
    blame: ClassVar[Blame] = Blame.DESIGN
    rank: ClassVar[int] = Rank.BUFFER
    advice: ClassVar[str] = (
        "Leave more than --buffer-min-time-between-failovers between two reparents of a shard, or make it shorter."
    )

    def claims(self, history: History) -> Iterator[Claim]:
        for reason in TOO_RECENT:
            yield from _counted(history, "BufferRequestsSkipped", reason, UNBUFFERED, at_once=True)


@dataclass(frozen=True, slots=True)
class Draining:
    """After buffering a shard's requests go to the new primary --buffer-drain-concurrency at a time."""

    name: ClassVar[str] = "draining"
    title: ClassVar[str] = "waited for its turn while the buffer was drained"
    blame: ClassVar[Blame] = Blame.DESIGN
    rank: ClassVar[int] = Rank.BUFFER
    advice: ClassVar[str] = "Set --buffer-drain-concurrency higher."

    def claims(self, history: History) -> Iterator[Claim]:
        for stretch in _own_keyspace(history):
            drained_ns, evidence = _drained(history, stretch)
            if stretch.ending is not Ending.OPEN and drained_ns - stretch.to_ns > DRAINS_NS:
                yield Claim(
                    vtgate=stretch.vtgate,
                    shard=stretch.shard,
                    from_ns=stretch.to_ns,
                    to_ns=drained_ns,
                    evidence=(*ends_of(stretch), *evidence),
                    errors=GAVE_UP,
                )


def _drained(history: History, stretch: Buffering) -> tuple[int, tuple[Evidence, ...]]:
    """When the drain was certainly not over yet: `BufferRequestsDrained` is counted at its end."""
    if stretch.drained_ns or stretch.vtgate not in history.series:
        return stretch.drained_ns, ()
    key = f"BufferRequestsDrained:{stretch.keyspace}.{stretch.shard}"
    for before_ns, after_ns, by in history.series[stretch.vtgate].rises(key, stretch.to_ns):
        return before_ns, (of_counter(stretch.vtgate, key, after_ns, by),)
    return 0, ()


# ---------------------------------------------------------------- shared


def _each(history: History) -> Iterator[tuple[str, Pending]]:
    for vtgate, found in pendings(history).items():
        for pending in found:
            yield vtgate, pending


def _own_keyspace(history: History) -> Iterator[Buffering]:
    keyspace = history.plan.cluster.keyspace
    yield from (stretch for stretch in bufferings(history) if stretch.keyspace == keyspace)


def during(history: History, stretch: Buffering) -> list[Pending]:
    """The reparents of the keyspace that a stretch of buffering had to do with."""
    return [
        pending
        for pending in pendings(history)[stretch.vtgate]
        if pending.reparent.keyspace == stretch.keyspace
        and pending.from_ns < stretch.to_ns
        and stretch.from_ns < _over_ns(pending)
    ]


def _own(history: History, stretch: Buffering) -> list[Pending]:
    return [pending for pending in during(history, stretch) if pending.reparent.shard == stretch.shard]


def _let_go_ns(history: History, vtgate: str, pending: Pending) -> int:
    """When requests went on: when buffering ended, if nothing but the promotion ended it."""
    for stretch in buffering_of(history, vtgate, pending.reparent.shard):
        if stretch.from_ns <= pending.to_ns < stretch.to_ns <= _over_ns(pending):
            return stretch.to_ns
    return pending.to_ns


def _lines(history: History, vtgate: str, pending: Pending) -> tuple[Evidence, ...]:
    found = [pending.seen.line] if pending.seen else []
    found += [
        stretch.began
        for stretch in buffering_of(history, vtgate, pending.reparent.shard)
        if pending.from_ns <= stretch.from_ns <= pending.to_ns and stretch.began
    ]
    return tuple(of_line(line) for line in found)


def ends_of(stretch: Buffering) -> tuple[Evidence, ...]:
    if stretch.ended:
        return (of_line(stretch.ended),)
    key = f"BufferStops:{stretch.keyspace}.{stretch.shard}.{stretch.ending}"
    return (of_counter(stretch.vtgate, key, stretch.to_ns, 1),)


def _rises(history: History, vtgate: str, name: str, shard: str, reason: str, pending: Pending) -> tuple[Evidence, ...]:
    """A counter's steps while a reparent was pending."""
    key = f"{name}:{history.plan.cluster.keyspace}.{shard}.{reason}"
    series = history.series.get(vtgate)
    steps = series.rises(key, pending.from_ns) if series else ()
    return tuple(
        of_counter(vtgate, key, after_ns, by)
        for before_ns, after_ns, by in steps
        if before_ns <= pending.to_ns + SETTLED_NS
    )


def _counted(
    history: History, name: str, reason: str, errors: frozenset[str], *, at_once: bool = False
) -> Iterator[Claim]:
    """What a vtgate counted by shard and reason, between the two samples of each step."""
    keyspace = history.plan.cluster.keyspace
    for node in history.vtgates:
        series = history.series.get(node.name)
        for label in series.labels(name) if series else ():
            where, _, why = label.rpartition(".")
            if series is None or why != reason or not where.startswith(f"{keyspace}."):
                continue
            for before_ns, after_ns, by in series.rises(f"{name}:{label}", history.start_ns):
                yield Claim(
                    vtgate=node.name,
                    shard=where.removeprefix(f"{keyspace}."),
                    from_ns=before_ns,
                    to_ns=after_ns,
                    evidence=(of_counter(node.name, f"{name}:{label}", after_ns, by),),
                    waits=False,
                    errors=errors,
                    at_once=at_once,
                )


BUFFER: tuple[Signature, ...] = (
    WindowShorterThanReparent(),
    MaxFailoverDuration(),  # before what follows from it: no buffering again so soon
    BufferFull(),
    BufferingDisabled(),
    TooSoonAfterTheLast(),
    Draining(),
    KeyspaceWideConsistency(),
    OwnReparent(),
)
