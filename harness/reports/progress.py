"""What the live views remember of events and progress: steps, phases, remarkable things."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from harness.model import Event
from harness.reports.words import clean, shorten

REMARKS = 4
_GRAVE = ("exit", "interrupt", "harness-error", "spoiled")
_REMARKABLE = (*_GRAVE, "note", "cluster")


@dataclass(slots=True, kw_only=True)
class Step:
    """Something that takes time: `total` None = nobody knows how long, `done` None = just begun."""

    what: str
    begun_ns: int
    done: int | None = None
    total: int | None = None
    ended_ns: int = 0

    @property
    def share(self) -> float | None:
        if self.ended_ns:
            return 1.0
        return min(1.0, (self.done or 0) / self.total) if self.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    at_ns: int
    text: str
    grave: bool


class Story:
    """Events and progress in the order in which they came. Never raises: an observer must not."""

    def __init__(self, begun_ns: int) -> None:
        self.begun_ns = begun_ns
        self.steps: dict[str, Step] = {}
        self.phases: list[tuple[str, int]] = []
        self.remarks: deque[Remark] = deque(maxlen=REMARKS)

    def event(self, event: Event) -> None:
        if event.kind == "phase":
            self._end_unmeasured(event.at_ns)
            self.phases.append((clean(event.subject), event.at_ns))
        elif event.kind in _REMARKABLE:
            self.remarks.append(Remark(at_ns=event.at_ns, text=event_words(event), grave=event.kind in _GRAVE))

    def progress(self, what: str, done: int | None, total: int | None, now_ns: int) -> Step:
        """A step of which nothing can be counted ends when another one begins."""
        if what not in self.steps:
            self._end_unmeasured(now_ns)
        step = self.steps.setdefault(what, Step(what=clean(what), begun_ns=now_ns))
        step.done, step.total = done, total
        if total is not None and done is not None and done >= total:
            step.ended_ns = step.ended_ns or now_ns
        else:
            step.ended_ns = 0
        return step

    def open_steps(self) -> list[Step]:
        return [step for step in self.steps.values() if not step.ended_ns]

    def _end_unmeasured(self, now_ns: int) -> None:
        for step in self.steps.values():
            if step.total is None and not step.ended_ns:
                step.ended_ns = now_ns


def event_words(event: Event) -> str:
    facts = ", ".join(f"{key} {value}" for key, value in event.details.items())
    kind = "" if event.kind in ("note", "cluster") else f"{event.kind}: "
    return shorten(f"{kind}{event.subject}{f' ({facts})' if facts else ''}", 300)
