"""What advice is: a knob, a value, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.facts.buffer import BufferSettings
from harness.facts.needs import Needs
from harness.facts.notice import Notice
from harness.model import Scalar

WINDOW = "buffer-window"
MAX_DURATION = "buffer-max-failover-duration"
SIZE = "buffer-size"
MIN_BETWEEN = "buffer-min-time-between-failovers"
DRAIN = "buffer-drain-concurrency"
SHARDS_AT_ONCE = "shards reparented at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure that a piece of advice rests on."""

    what: str
    words: str
    figures: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What one knob should be. `value` is "" where the figures do not carry one."""

    knob: str  # a flag of vtgate without its dashes, or SHARDS_AT_ONCE
    now: str  # what it was in the runs
    rule: str  # how the value follows from the figures
    value: str = ""
    margin: str = ""  # how much was added, and why so much
    measured: tuple[Measured, ...] = ()
    unknown: tuple[str, ...] = ()  # what the figures do not say
    why_not: str = ""  # why there is no value

    @property
    def flag(self) -> str:
        """To be pasted into vtgate's command line; "" where there is nothing to paste."""
        return f"--{self.knob}={self.value}" if self.value and self.knob != SHARDS_AT_ONCE else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What advice needs of a run; small, so that many runs can be put together."""

    needs: Needs
    buffer: BufferSettings
    notice: Notice | None  # None: nobody could notice, or a vtgate had no buffer
