"""Every tablet over time: serving or not, its type, its MySQL read-only or not; and who was a shard's primary when.

Two accounts are put together. A vttablet's log has its transitions to the millisecond (state_manager.go, the same text
from 21.0 to 24.0); its /debug/vars are looked at once in a while, and show what no line tells: a tablet that turned
unhealthy, a process that is gone. `TabletType` of a promoted tablet changes before it takes writes (tm_state.go sets it
when the type changes, the query service follows), so that the log goes before the samples wherever it tells a change.
"""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from harness.facts.spans import joined, without
from harness.facts.storm import SECOND_NS
from harness.history import History, Series
from harness.model import LogLine, Node, Role

TOPOLOGY = "topology"  # source of harness.probes.topology
PRIMARY = "primary"
TOLD_WITHIN_NS = 5 * SECOND_NS  # a change that a sample saw and the log told within so much of it is the log's

_TRANSITION = re.compile(r"TabletServer transition: .* -> ([A-Z_]+): (Serving|Not Serving|Not connected to mysql)")
_STOPS = re.compile(r"DemotePrimary disabling query service")
_PROMOTED = re.compile(r"TabletManager\.(?:PromoteReplica|UndoDemotePrimary|InitPrimary)\(")
_WRITABLE = re.compile(r"exec SET GLOBAL (?:super_)?read_only = '?(?:OFF|0)")
_REFUSED = re.compile(r"^ClientConnectorError\b")


class TabletState(enum.StrEnum):
    """What a tablet's query service did."""

    SERVING = "SERVING"
    NOT_SERVING = "NOT_SERVING"
    GONE = "GONE"  # its port refuses connections: there is no process
    SILENT = "SILENT"  # it did not answer the probe in time: nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class TabletStretch:
    """A time in which neither a tablet's state nor its type changed."""

    node: str  # e.g. vttablet-100
    alias: str
    keyspace: str
    shard: str
    from_ns: int
    to_ns: int
    state: TabletState
    type: str  # primary, replica, rdonly, …; "" = not known
    logged: bool  # its beginning is a log line's; else it is the sample that saw it first

    @property
    def serving(self) -> bool:
        return self.state is TabletState.SERVING

    @property
    def serving_primary(self) -> bool:
        return self.serving and self.type == PRIMARY


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A time in which a tablet called itself its shard's primary, whether it served or not."""

    node: str
    alias: str
    keyspace: str
    shard: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unserved:
    """A time in which no tablet of a shard was a serving primary."""

    keyspace: str
    shard: str
    from_ns: int
    to_ns: int
    before: str  # the tablet that served last; "" = none was seen
    after: str  # the one that served next; "" = none until the end


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOnly:
    """A time in which a MySQL server was seen read-only; sure from `seen_ns` on. `from_ns` and `to_ns` are the nearest
    moments at which it was not."""

    node: str  # e.g. mysqld-100
    from_ns: int
    seen_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOnlyPrimary:
    """A serving primary whose MySQL was read-only: writes are routed to it and fail with errno 1290."""

    node: str  # the tablet
    keyspace: str
    shard: str
    from_ns: int
    seen_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Whom the shard record named, from when it was first read so."""

    keyspace: str
    shard: str
    at_ns: int
    primary: str  # alias; "" = nobody
    term_ns: int  # the term's start by the tablet's own clock, on the run's; 0 = not known


def tablets(history: History) -> tuple[Node, ...]:
    return tuple(node for node in history.nodes if node.role is Role.VTTABLET)


@lru_cache(maxsize=4)
def stretches(history: History) -> tuple[TabletStretch, ...]:
    """Of every tablet that was seen, tablet by tablet, in order of time."""
    lines = _by_node(history)
    return tuple(
        stretch for node in tablets(history) for stretch in _of_tablet(history, node, lines.get(node.name, ()))
    )


def of_shard(history: History, keyspace: str, shard: str) -> tuple[TabletStretch, ...]:
    return tuple(each for each in stretches(history) if (each.keyspace, each.shard) == (keyspace, shard))


def state_at(history: History, node: str, at_ns: int) -> TabletStretch | None:
    """None: it had not been seen yet."""
    found = [each for each in stretches(history) if each.node == node and each.from_ns <= at_ns < each.to_ns]
    return found[-1] if found else None


# ---------------------------------------------------------------- primaries


@lru_cache(maxsize=4)
def terms(history: History) -> tuple[Term, ...]:
    """Who called itself primary when, in order of time; two of a shard may overlap while it is being reparented."""
    found: list[Term] = []
    for node, group in itertools.groupby(stretches(history), key=lambda each: each.node):
        own = [each for each in group if each.type == PRIMARY]
        for from_ns, to_ns in joined((each.from_ns, each.to_ns) for each in own):
            first = own[0]
            found.append(
                Term(
                    node=node,
                    alias=first.alias,
                    keyspace=first.keyspace,
                    shard=first.shard,
                    from_ns=from_ns,
                    to_ns=to_ns,
                )
            )
    return tuple(sorted(found, key=lambda term: (term.from_ns, term.node)))


def primary_at(history: History, keyspace: str, shard: str, at_ns: int) -> str:
    """The tablet that had become the shard's primary last; "" = none called itself so."""
    found = [
        term
        for term in terms(history)
        if (term.keyspace, term.shard) == (keyspace, shard) and term.from_ns <= at_ns < term.to_ns
    ]
    return found[-1].node if found else ""


@lru_cache(maxsize=4)
def unserved(history: History) -> tuple[Unserved, ...]:
    """Every time without a serving primary, shard by shard. What a silent primary did is not known and not here."""
    shards = dict.fromkeys((node.keyspace, node.shard) for node in tablets(history))
    return tuple(gap for keyspace, shard in shards for gap in _unserved(history, keyspace, shard))


def _unserved(history: History, keyspace: str, shard: str) -> Iterator[Unserved]:
    own = of_shard(history, keyspace, shard)
    if not own:
        return
    seen_ns, end_ns = min(each.from_ns for each in own), max(each.to_ns for each in own)
    serving = sorted((each for each in own if each.serving_primary), key=lambda each: each.from_ns)
    known = [(each.from_ns, each.to_ns) for each in serving]
    known += [(each.from_ns, each.to_ns) for each in own if each.state is TabletState.SILENT and each.type == PRIMARY]
    for from_ns, to_ns in without((seen_ns, end_ns), known):
        before = [each.node for each in serving if each.to_ns <= from_ns]
        after = [each.node for each in serving if each.from_ns >= to_ns]
        yield Unserved(
            keyspace=keyspace,
            shard=shard,
            from_ns=from_ns,
            to_ns=to_ns,
            before=before[-1] if before else "",
            after=after[0] if after else "",
        )


# ---------------------------------------------------------------- read-only


@lru_cache(maxsize=4)
def read_only(history: History) -> tuple[ReadOnly, ...]:
    """Of every MySQL server that was asked. A vttablet's `SET GLOBAL read_only = OFF` ends it at once; its ON is only
    an intention (it waits for locks and commits), so that the server's word counts."""
    lines = _by_node(history)
    found: list[ReadOnly] = []
    for node in history.nodes:
        series = history.series.get(node.name)
        if node.role is not Role.MYSQLD or series is None:
            continue
        tablet = _tablet_of(history, node)
        writable = [line.at_ns for line in lines.get(tablet, ()) if _WRITABLE.search(line.text)]
        found += _read_only(node.name, series, writable)
    return tuple(found)


def _read_only(node: str, series: Series, writable_ns: Iterable[int]) -> Iterator[ReadOnly]:
    """Walks along all answers of the server and the moments at which it was made writable."""
    seen = [(at_ns, _is_read_only(series, at_ns)) for at_ns in series.answered_ns]
    told = [(at_ns, False) for at_ns in writable_ns]
    contrary_ns = seen_ns = last_ns = 0
    for at_ns, is_so in sorted([*seen, *told]):
        if is_so and not seen_ns:
            seen_ns = at_ns
        elif not is_so and seen_ns:
            yield ReadOnly(node=node, from_ns=contrary_ns or seen_ns, seen_ns=seen_ns, to_ns=at_ns)
            seen_ns = 0
        if not is_so:
            contrary_ns = at_ns
        last_ns = at_ns
    if seen_ns:
        yield ReadOnly(node=node, from_ns=contrary_ns or seen_ns, seen_ns=seen_ns, to_ns=last_ns)


def _is_read_only(series: Series, at_ns: int) -> bool:
    return bool(series.number("super_read_only", at_ns) or series.number("read_only", at_ns))


@lru_cache(maxsize=4)
def read_only_primaries(history: History) -> tuple[ReadOnlyPrimary, ...]:
    """Only where the server itself said that it is read-only while its tablet was a serving primary."""
    by_tablet: dict[str, list[ReadOnly]] = {}
    servers = {node.name: _tablet_of(history, node) for node in history.nodes if node.role is Role.MYSQLD}
    for each in read_only(history):
        by_tablet.setdefault(servers[each.node], []).append(each)
    found = []
    for stretch in stretches(history):
        for each in by_tablet.get(stretch.node, ()) if stretch.serving_primary else ():
            seen_ns, to_ns = max(each.seen_ns, stretch.from_ns), min(each.to_ns, stretch.to_ns)
            if seen_ns < to_ns and _looked(history, each, seen_ns, to_ns):
                found.append(
                    ReadOnlyPrimary(
                        node=stretch.node,
                        keyspace=stretch.keyspace,
                        shard=stretch.shard,
                        from_ns=max(each.from_ns, stretch.from_ns),
                        seen_ns=seen_ns,
                        to_ns=to_ns,
                    )
                )
    return tuple(found)


def _looked(history: History, each: ReadOnly, from_ns: int, to_ns: int) -> bool:
    """Whether the server was asked between the two: read-only before and writable after says nothing about between."""
    return any(from_ns <= at_ns < to_ns for at_ns in history.series[each.node].answered_ns)


def _tablet_of(history: History, server: Node) -> str:
    for node in tablets(history):
        if (node.tablet_uid, node.cell) == (server.tablet_uid, server.cell):
            return node.name
    return ""


# ---------------------------------------------------------------- topology


def records(history: History) -> tuple[Record, ...]:
    """Every change of a shard's record that was seen, in order of time."""
    series = history.series.get(TOPOLOGY)
    if series is None:
        return ()
    found = [record for label in series.labels("primary") for record in _records(history, series, label)]
    return tuple(sorted(found, key=lambda record: (record.at_ns, record.shard)))


def _records(history: History, series: Series, label: str) -> Iterator[Record]:
    keyspace, _, shard = label.rpartition("/")
    for at_ns, primary in zip(*series.steps(f"primary:{label}"), strict=True):
        term_ns = int(series.number(f"term_ns:{label}", at_ns) or 0)
        yield Record(
            keyspace=keyspace,
            shard=shard,
            at_ns=at_ns,
            primary=str(primary),
            term_ns=history.clock.monotonic(term_ns) if term_ns else 0,
        )


# ---------------------------------------------------------------- one tablet


@dataclass(frozen=True, slots=True, order=True)
class _Seen:
    at_ns: int
    state: TabletState
    type: str = ""  # "" = as before
    logged: bool = False


def _of_tablet(history: History, node: Node, lines: Iterable[LogLine]) -> Iterator[TabletStretch]:
    series = history.series.get(node.name)
    told = list(_told(lines))
    seen = sorted([*told, *(_sampled(series, told) if series is not None else ())])
    end_ns = max(history.end_ns, seen[-1].at_ns if seen else 0)
    steps: list[_Seen] = []
    for each in seen:
        now = _Seen(each.at_ns, each.state, each.type or (steps[-1].type if steps else ""), each.logged)
        if not steps or (now.state, now.type) != (steps[-1].state, steps[-1].type):
            steps.append(now)
    for index, step in enumerate(steps):
        yield TabletStretch(
            node=node.name,
            alias=node.tablet_alias,
            keyspace=node.keyspace,
            shard=node.shard,
            from_ns=step.at_ns,
            to_ns=steps[index + 1].at_ns if index + 1 < len(steps) else end_ns,
            state=step.state,
            type=step.type,
            logged=step.logged,
        )


def _told(lines: Iterable[LogLine]) -> Iterator[_Seen]:
    """The log's own word. In runs whose record has no transitions, the ends of the calls that make them."""
    for line in lines:
        if found := _TRANSITION.search(line.text):
            state = TabletState.SERVING if found[2] == "Serving" else TabletState.NOT_SERVING
            yield _Seen(line.at_ns, state, found[1].lower(), logged=True)
        elif _STOPS.search(line.text):
            yield _Seen(line.at_ns, TabletState.NOT_SERVING, PRIMARY, logged=True)
        elif _PROMOTED.search(line.text) and line.level == "info":
            yield _Seen(line.at_ns, TabletState.SERVING, PRIMARY, logged=True)


def _sampled(series: Series, told: list[_Seen]) -> Iterator[_Seen]:
    """A sample speaks for the moment at which it was asked for: what it says may be older than its arrival."""
    kind = ""
    answered = False
    for sample in series.samples:
        asked_ns = sample.at_ns - sample.took_ns
        if sample.error:
            yield _Seen(asked_ns, TabletState.GONE if _REFUSED.match(sample.error) else TabletState.SILENT)
            answered = False
            continue
        if answered and "TabletStateName" not in sample.values and "TabletType" not in sample.values:
            continue
        answered = True
        now = str(series.at("TabletType", sample.at_ns) or "")
        believed = now if not kind or not _told_near(told, asked_ns, now) else ""
        kind = now
        serves = series.at("TabletStateName", sample.at_ns) == TabletState.SERVING
        yield _Seen(asked_ns, TabletState.SERVING if serves else TabletState.NOT_SERVING, believed)


def _told_near(told: list[_Seen], at_ns: int, kind: str) -> bool:
    return any(each.type == kind and abs(each.at_ns - at_ns) <= TOLD_WITHIN_NS for each in told)


def _by_node(history: History) -> dict[str, list[LogLine]]:
    found: dict[str, list[LogLine]] = {}
    for line in history.logs:
        found.setdefault(line.node, []).append(line)
    return found
