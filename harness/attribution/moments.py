"""What a timeline is made of.

A `Moment` is an instant (`until_ns` = `at_ns`) or a stretch. A counter is only looked at once in a while: its step
lies somewhere between two samples, and so is a stretch too.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model import Scalar


class Kind(enum.StrEnum):
    """Where a moment comes from."""

    PHASE = "phase"  # of the run
    EVENT = "event"
    FAULT = "fault"
    FAULT_STEP = "fault-step"
    REPARENT = "reparent"  # the call, from its leaving to its return
    REPARENT_PHASE = "reparent-phase"
    CLIENTS = "clients"  # affected operations, an episode of a lane
    BUFFERING = "buffering"
    COUNTER = "counter"  # of a vtgate
    TABLET = "tablet"  # its state and type
    NO_PRIMARY = "no-primary"
    READ_ONLY = "read-only"  # a server said so while its tablet was a serving primary
    POSITION = "position"  # how many transactions a server has executed
    REPLICATION = "replication"  # from whom, and whether its threads run
    TOPOLOGY = "topology"  # whom a shard record names
    UNANSWERED = "unanswered"  # a source did not answer its probe
    LOG = "log"
    HOST = "host"
    HARNESS = "harness"  # the instrument stood still


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`subject`: a node, a shard, a fault, a phase. Its shard, where it has one, is also `details["shard"]`."""

    at_ns: int
    until_ns: int
    kind: Kind
    subject: str
    text: str
    details: Mapping[str, Scalar] = field(default_factory=dict)


def instant(at_ns: int, kind: Kind, subject: str, text: str, details: Mapping[str, Scalar] | None = None) -> Moment:
    return Moment(at_ns=at_ns, until_ns=at_ns, kind=kind, subject=subject, text=text, details=details or {})
