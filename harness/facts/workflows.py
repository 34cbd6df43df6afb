"""What a run recorded of a VReplication workflow (`harness.probes.workflows`), put together, not judged.

Counters of vttablets live with the tablet's process and with its being primary: after a reparent or a restart they
begin again, so that those of all tablets of a shard are added up, each as far as it ever grew.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.facts.storm import SECOND_NS
from harness.history import History, Series
from harness.model import Node, Role

SOURCE = re.compile(r"workflow-(?P<keyspace>[^.]+)\.(?P<shard>.+)")
RUNNING, COPYING = "Running", "Copying"
TERMINAL = ("Error", "Stopped")  # a stream does not leave these states by itself
CAUGHT_UP = "the target has caught up"  # a note of the timeline, once the load has stopped
BEHIND = "the target has not caught up"
NOT_CREATED = "the workflow could not be created"
DIFF_BEGINS = "vdiff begins"
DIFFED = "vdiff"

# What ends one copy phase: a cancelled context on the target, or MAX_EXECUTION_TIME on the source (3024). A bare EOF is
# how copyAll's callback says that its context was over when a packet came (vcopier_atomic.go, v0.21 to v0.24): a
# connection that is lost says more, and the end of the source's stream is no error (grpctabletconn/conn.go).
INTERRUPTION = re.compile(
    r"context deadline exceeded|DeadlineExceeded|context expiration|errno 3024|maximum statement execution time"
    r"|task error: EOF$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream into a target shard, as `_vt` had it last. `left`: tables whose copy is not complete."""

    keyspace: str
    shard: str
    number: int
    source_shard: str
    tablet: str  # alias of the target's primary
    state: str
    message: str
    left: tuple[str, ...]
    rows_copied: int

    @property
    def name(self) -> str:
        return f"{self.keyspace}/{self.shard} #{self.number}"

    @property
    def done(self) -> bool:
        """It says itself that everything is copied and that it replicates."""
        return self.state == RUNNING and not self.left


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of `_vt.vreplication_log`; `at_ns` is when it was first seen."""

    keyspace: str
    shard: str
    number: int
    stream: int
    at_ns: int
    type: str
    state: str
    count: int
    message: str

    @property
    def is_error(self) -> bool:
        """vreplicator.go logs type Message for errors alone (setMessage, v0.21 to v0.24)."""
        return self.type == "Message" or (self.type == "State Changed" and self.state == "Error")


def sources(history: History) -> tuple[tuple[str, str, Series], ...]:
    """(keyspace, shard, samples) of every target shard that was watched."""
    found = []
    for name, series in sorted(history.series.items()):
        place = SOURCE.fullmatch(name)
        if place is not None:
            found.append((place["keyspace"], place["shard"], series))
    return tuple(found)


def streams(history: History) -> tuple[Stream, ...]:
    """The streams of the workflow as they were seen last."""
    return tuple(
        _stream(keyspace, shard, series, number)
        for keyspace, shard, series in sources(history)
        for number in sorted(int(label) for label in series.labels("state"))
    )


def _stream(keyspace: str, shard: str, series: Series, number: int) -> Stream:
    def text(name: str) -> str:
        value = series.last(f"{name}:{number}")
        return "" if value is None else str(value)

    return Stream(
        keyspace=keyspace,
        shard=shard,
        number=number,
        source_shard=text("source"),
        tablet=str(series.last("tablet") or ""),
        state=text("state"),
        message=text("message"),
        left=tuple(filter(None, text("left").split(","))),
        rows_copied=int(series.number(f"rows_copied:{number}") or 0),
    )


def entries(history: History) -> tuple[Entry, ...]:
    """The log of all target shards in the order in which it was seen; of a row that was counted up, the last count."""
    found = []
    for keyspace, shard, series in sources(history):
        for label in series.labels("log"):
            times, values = series.steps(f"log:{label}")
            stream, kind, state, count, message = json.loads(str(values[-1]))
            found.append(
                Entry(
                    keyspace=keyspace,
                    shard=shard,
                    number=int(label),
                    stream=int(stream),
                    at_ns=times[0],
                    type=kind,
                    state=state,
                    count=int(count),
                    message=message,
                )
            )
    return tuple(sorted(found, key=lambda entry: (entry.at_ns, entry.number)))


def errors(history: History) -> tuple[Entry, ...]:
    """What the log calls an error; one that ends the stream is logged twice there, and told once here."""
    found: list[Entry] = []
    for entry in entries(history):
        own = [other for other in found if (other.shard, other.stream) == (entry.shard, entry.stream)]
        if entry.is_error and not (own and entry.type == "State Changed"):
            found.append(entry)
    return tuple(found)


# ---------------------------------------------------------------- the copy


def tablets_of(history: History, stream: Stream) -> tuple[Node, ...]:
    return tuple(
        node
        for node in history.nodes
        if node.role is Role.VTTABLET and (node.keyspace, node.shard) == (stream.keyspace, stream.shard)
    )


def loops(history: History, stream: Stream) -> int:
    """How often a copy of a table began (VReplicationCopyLoopCount); an atomic copy counts its packets there
    (vcopier_atomic.go, the increment is inside the callback; v0.21 to v0.24)."""
    return int(_counted_on_tablets(history, stream, "VReplicationCopyLoopCount"))


def catchups(history: History, stream: Stream) -> int:
    """How often the target caught up before a copy went on; an atomic copy never does."""
    return int(_counted_on_tablets(history, stream, "VReplicationPhaseTimingsCounts", suffix="catchup"))


def _counted_on_tablets(history: History, stream: Stream, variable: str, *, suffix: str = "") -> float:
    total = 0.0
    for node in tablets_of(history, stream):
        series = history.series.get(node.name)
        if series is None:
            continue
        for label in series.labels(variable):
            if _is_of(label.removesuffix(f".{suffix}") if suffix else label, stream.number, label, suffix):
                total += counted(series, f"{variable}:{label}")
    return total


def _is_of(stem: str, number: int, label: str, suffix: str) -> bool:
    """Labels end with the stream's number, and with what is counted after it: ks.-80.move.MoveTables.1.catchup
    (24), ks.-80.move.1.catchup (up to 23)."""
    return stem.rpartition(".")[2] == str(number) and (not suffix or label.endswith(f".{suffix}"))


def counted(series: Series, key: str) -> float:
    """All that a counter ever counted, restarts of its process included."""
    total = before = 0.0
    for value in series.steps(key)[1]:
        number = float(value) if isinstance(value, int | float) else 0.0
        total += number - before if number >= before else number
        before = number
    return total


def errors_counted(history: History) -> int:
    """The vttablets' own count (VReplicationErrors), of all streams; an error may be counted by more than one part."""
    return int(
        sum(
            counted(history.series[node.name], f"VReplicationErrors:{label}")
            for node in history.nodes
            if node.role is Role.VTTABLET and node.name in history.series
            for label in history.series[node.name].labels("VReplicationErrors")
        )
    )


def copying(history: History, at_ns: int) -> bool:
    """Whether any stream was in its copy at a moment."""
    return any(
        series.at(f"state:{number}", at_ns) == COPYING
        for _, _, series in sources(history)
        for number in series.labels("state")
    )


def interrupted(history: History) -> tuple[Entry, ...]:
    """Errors that say that a copy phase was over before the copy was: what a cut looks like in an atomic copy."""
    return tuple(entry for entry in errors(history) if INTERRUPTION.search(entry.message))


def last_progress_ns(history: History, stream: Stream) -> int:
    """When a key was copied last; 0 = never."""
    for keyspace, shard, series in sources(history):
        if (keyspace, shard) == (stream.keyspace, stream.shard):
            labels = [label for label in series.labels("last_pk") if label.startswith(f"{stream.number}.")]
            stamps = [
                at_ns
                for label in labels
                for at_ns, key in zip(*series.steps(f"last_pk:{label}"), strict=True)
                if isinstance(key, int) and key > 0
            ]
            return max(stamps, default=0)
    return 0


# ---------------------------------------------------------------- other accounts


def metric_states(history: History, stream: Stream) -> tuple[tuple[int, str], ...]:
    """(at, state) whenever VReplicationStreamState changed on the tablet that was the target's primary at last."""
    for node in tablets_of(history, stream):
        series = history.series.get(node.name)
        if series is None or node.tablet_alias != stream.tablet:
            continue
        for label in series.labels("VReplicationStreamState"):
            if label.rpartition(".")[2] == str(stream.number):
                times, values = series.steps(f"VReplicationStreamState:{label}")
                return tuple(zip(times, map(str, values), strict=True))
    return ()


def vtctld_status(history: History, stream: Stream) -> str:
    """What vtctld's WorkflowStatus said last of a stream; empty when it was never asked or never answered."""
    series = history.series.get(f"workflow-{stream.keyspace}")
    value = series.last(f"status:{stream.shard}/{stream.number}") if series is not None else None
    return "" if value is None else str(value)


def vtctld_left(history: History, keyspace: str) -> int:
    """How many tables vtctld's last answer still called being copied."""
    series = history.series.get(f"workflow-{keyspace}")
    return int(series.number("tables") or 0) if series is not None else 0


def noted(history: History, subject: str) -> bool:
    return any(event.kind == "note" and event.subject == subject for event in history.events)


def diffing(history: History, at_ns: int) -> bool:
    """Whether a VDiff had begun by then: it stops the streams for its snapshots and starts them again."""
    return any(
        event.kind == "note" and event.subject == DIFF_BEGINS and event.at_ns <= at_ns for event in history.events
    )


def watched_s(history: History) -> float:
    """The longest time between two answered samples of a target shard; 0 when there are fewer than two."""
    gaps = [gap for _, _, series in sources(history) for gap in _gaps(series.answered_ns)]
    return max(gaps, default=0) / SECOND_NS


def _gaps(stamps: Iterable[int]) -> list[int]:
    return [after - before for before, after in itertools.pairwise(stamps)]
