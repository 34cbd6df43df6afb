"""What several runs together ask of the buffer: how long, how many, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.attribution.advice_values import Observed
from harness.facts.buffer import BufferSettings
from harness.facts.needs import Held, Needs, StormNeed
from harness.facts.words import counted

LEAST_S = 1  # verifyFlags refuses less, of the window and of the time between failovers
DEFAULT_WINDOW_S = 10
LEARNT_WITHIN_S = 1.5  # from the last promotion to the end of buffering, as in harness.facts.promotions
FEW_STORMS = 10
FEW_FACTOR, MANY_FACTOR = 2.0, 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The runs that count, together."""

    runs: tuple[Observed, ...]
    left_out: tuple[str, ...]

    @property
    def now(self) -> BufferSettings:
        return self.runs[0].buffer

    @property
    def storms(self) -> tuple[StormNeed, ...]:
        return tuple(storm for run in self.runs for storm in run.needs.storms)

    @property
    def held_s(self) -> tuple[float, ...]:
        """How long shards had to be held."""
        return tuple(held.lasted_s for run in self.runs for held in run.needs.held if not _needless(run.needs, held))

    @property
    def needless(self) -> int:
        return sum(_needless(run.needs, held) for run in self.runs for held in run.needs.held)

    @property
    def needed_s(self) -> float:
        """A storm outlasts the holds that it causes, but for vtgate's learning of its end: it stands for holds that
        were cut short, or that no request began."""
        longest = [*self.held_s]
        if self.needless or not longest:
            longest += [storm.lasted_s for storm in self.storms]
        return max(longest)

    @property
    def factor(self) -> float:
        return FEW_FACTOR if self.few else MANY_FACTOR

    @property
    def few(self) -> bool:
        """Storms; the shards of one are one observation."""
        return len(self.storms) < FEW_STORMS

    @property
    def window_s(self) -> int:
        least = DEFAULT_WINDOW_S if self.few else LEAST_S
        return max(least, math.ceil(self.factor * self.needed_s))

    @property
    def shards(self) -> int:
        return max(storm.shards for storm in self.storms)

    @property
    def waiting(self) -> int:
        """Requests of one shard that can be in the buffer after a whole window."""
        return max(math.ceil(_waiting(run.needs, self.window_s)) for run in self.runs)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What holds of every piece of advice."""
        storms = len(self.storms)
        few = [] if storms >= FEW_STORMS else [f"how much it varies: {counted(storms, 'storm')} is few"]
        return (*few, *self.left_out)


def _needless(found: Needs, held: Held) -> bool:
    """It was let go by the maximum duration, or went on when all reparents were over: that is no need but a defect."""
    longest = max(storm.lasted_s for storm in found.storms)
    return held.timed_out or held.lasted_s > longest + LEARNT_WITHIN_S


def _waiting(found: Needs, window_s: float) -> float:
    arriving = found.rate * window_s
    return min(arriving, found.connections) if found.connections else arriving
