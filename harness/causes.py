"""Why clients waited or failed: what attribution says of a run, as plain values of its verdict."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Blame(enum.StrEnum):
    """Whose doing it was, which decides who has to act."""

    RUN = "run"  # what the run itself did to the cluster costs this: a reparent, a fault in force
    DESIGN = "design"  # Vitess works as designed, and the design costs this
    SETTING = "setting"  # a flag was set so that it costs this
    VITESS = "vitess"  # Vitess could have served: a defect
    HOST = "host"  # the machine had nothing left to run on
    HARNESS = "harness"  # the instrument itself stood still
    NOBODY = "nobody"  # unexplained


UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen, where it stands in the run directory, and when."""

    source: str  # file of the run directory, e.g. loglines.jsonl, samples-vtgate-1.jsonl, faults.jsonl
    subject: str  # node, shard or fault
    at_ns: int
    text: str  # the log line, the counter with its step, the span


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRow:
    """What one cause cost the clients of one vtgate. An affected operation belongs to exactly one cause: the one that
    held it longest; `waited_s` counts every moment for the cause that held at that moment."""

    cause: str  # name of a signature, or UNEXPLAINED
    blame: Blame
    vtgate: str
    title: str  # a few words for people
    operations: int  # affected operations that this cause is named for
    errors: int  # of them, those that ended with an error
    waited_s: float  # client-seconds
    worst_s: float  # the longest wait among them
    from_ns: int  # of the first affected operation
    to_ns: int
    shards: Mapping[str, int] = field(default_factory=dict)  # shard → operations
    classes: Mapping[str, int] = field(default_factory=dict)  # error class → operations
    through: Mapping[str, int] = field(default_factory=dict)  # what a starved host made slow: cause → operations
    evidence: tuple[Evidence, ...] = ()  # a few; the first is the best
    advice: str = ""  # what to do about it; "" = nothing
