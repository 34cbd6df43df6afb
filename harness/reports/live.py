"""The live view of a run: on a terminal a picture that changes, elsewhere plain lines.

Both are observers (`harness.contracts.Observer`): events and progress are told to them, the rest they ask
for through `snapshot`. Neither owns a thread or a task: the runner awaits `run()` in its own TaskGroup,
cancels it at the end, and leaves the context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from types import TracebackType
from typing import TextIO

from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.segment import Segment
from rich.style import Style

from harness.base.clock import now_ns
from harness.base.wait import hold
from harness.model import Event
from harness.reports.live_rows import frame, seconds
from harness.reports.live_state import Line, LiveState, Rates, RowState, row_state
from harness.reports.live_streams import state_word, totals_words
from harness.reports.progress import Step, Story, event_words
from harness.reports.words import clean, plural, shorten
from harness.streams import StreamState, StreamStatus

REFRESH_S = 0.25
TOLD_STREAMS = 20
STATUS_EVERY_NS = 10_000_000_000
Snapshot = Callable[[], LiveState]


class LiveView:
    """The picture. `with LiveView(…) as view:` and `await view.run()` beside the run."""

    def __init__(self, snapshot: Snapshot, *, title: str, console: Console | None = None) -> None:
        self._snapshot = snapshot
        self._title = clean(title)
        self._console = console or Console()
        self._story = Story(now_ns())
        self._rates = Rates()
        self._state = LiveState(now_ns=now_ns())
        self._live = Live(
            self,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveView:
        self._live.start()
        self.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def on_event(self, event: Event) -> None:
        self._story.event(event)

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        self._story.progress(what, done, total, now_ns())

    async def run(self) -> None:
        """Refresh until cancelled."""
        while True:
            self.refresh()
            await hold(REFRESH_S)

    def refresh(self) -> None:
        """Take a snapshot and draw it."""
        self._state = self._snapshot()
        self._rates.add(self._state)
        self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        height = (options.height or console.size.height) - 1
        lines = frame(self._title, self._story, self._state, self._rates, width=options.max_width, height=height)
        return _segments(lines)


def _segments(lines: list[Line]) -> Iterator[Segment]:
    for line in lines:
        for text, style in line:
            yield Segment(text, _style(style))
        yield Segment.line()


@lru_cache(maxsize=64)
def _style(name: str) -> Style:
    return Style.parse(name)


class PlainObserver:
    """Lines: one a phase, one a step's end, one a finished reparent, one a stream that has copied everything or
    ended with an error (of the first TOLD_STREAMS), and a status every ten seconds.

    A reader that went away (`vtchaos run | head`) silences it; the run goes on.
    """

    def __init__(self, snapshot: Snapshot, *, out: TextIO) -> None:
        self._snapshot = snapshot
        self._out: TextIO | None = out
        self._story = Story(now_ns())
        self._returned: dict[str, int] = {}
        self._streams: dict[int, StreamState] = {}
        self._told_ns = now_ns()

    def __enter__(self) -> PlainObserver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refresh()

    def on_event(self, event: Event) -> None:
        self._story.event(event)
        self._tell(event.at_ns, f"phase {event.subject}" if event.kind == "phase" else event_words(event))

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        at_ns = now_ns()
        new = what not in self._story.steps
        was_over = not new and bool(self._story.steps[what].ended_ns)
        step = self._story.progress(what, done, total, at_ns)
        if step.ended_ns and not was_over:
            self._tell(at_ns, f"{step.what}: {step.done} of {step.total} after {seconds(at_ns - step.begun_ns)}")
        elif new:
            self._tell(at_ns, f"{step.what} …")

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            self.refresh()
            await hold(1.0)

    def refresh(self) -> None:
        state = self._snapshot()
        for shard, reparent in sorted(state.reparents.items(), key=lambda item: item[1].end_ns):
            if reparent.end_ns and self._returned.get(shard) != reparent.end_ns:
                self._returned[shard] = reparent.end_ns
                took = seconds(reparent.end_ns - reparent.begin_ns)
                failed = f" and failed: {clean(reparent.error)}" if reparent.error else ""
                self._tell(reparent.end_ns, f"reparent of {shard} took {took}{failed}")
        for stream in state.streams[:TOLD_STREAMS]:
            if self._streams.get(stream.number) is not stream.state:
                self._streams[stream.number] = stream.state
                if stream.state in (StreamState.COPIED, StreamState.ENDED):
                    self._tell(state.now_ns, stream_words(stream))
        if state.now_ns - self._told_ns >= STATUS_EVERY_NS:
            self._told_ns = state.now_ns
            self._tell(state.now_ns, status_words(state, self._story.open_steps()))

    def _tell(self, at_ns: int, text: str) -> None:
        if self._out is None:
            return
        try:
            self._out.write(f"[{(at_ns - self._story.begun_ns) / 1e9:7.1f} s] {' '.join(clean(text).split())}\n")
            self._out.flush()
        except (OSError, ValueError):  # the pipe is closed
            self._out = None


def stream_words(stream: StreamStatus) -> str:
    """`stream items-1@vtgate-1 copied: 200,000 rows, 7 cycles, 1 attempt`; of one that ended, the error too."""
    sums = f"{stream.rows:,} rows, {plural(stream.cycles, 'cycle')}, {plural(stream.attempts, 'attempt')}"
    ended = f"; {shorten(stream.message, 200)}" if stream.state is StreamState.ENDED and stream.message else ""
    return f"stream {stream.name} {state_word(stream)}: {sums}{ended}"


def status_words(state: LiveState, steps: list[Step]) -> str:
    """`12,840 issued, 3 failed, …; 30 shards serving, 2 stalled; host: CPU 98%`."""
    parts = []
    lanes = list(state.lanes.values())
    if lanes:
        bad = [
            f"{number:,} {word}"
            for number, word in (
                (sum(lane.failed for lane in lanes), "failed"),
                (sum(lane.unknown for lane in lanes), "unknown"),
                (sum(lane.not_issued for lane in lanes), "not issued"),
            )
            if number
        ]
        parts.append(", ".join([f"{sum(lane.issued for lane in lanes):,} issued", *bad]))
        parts.append(_lanes_by_state(state))
    if state.streams:
        parts.append(totals_words(state.streams))
    parts += [f"{step.what} {step.done}/{step.total}" if step.total else step.what for step in steps]
    if state.host:
        parts.append(f"host: {state.host}")
    return "; ".join(parts) or "nothing to tell yet"


def _lanes_by_state(state: LiveState) -> str:
    judged = [row_state(lane, state.reparents.get(lane.shard), state.now_ns) for lane in state.lanes.values()]
    noun = "shard" if len(state.versions) < 2 else "lane"
    counts = [(judged.count(kind), kind) for kind in RowState]
    return ", ".join(
        f"{plural(number, noun)} {'with errors' if kind is RowState.ERRORS else kind.value}"
        for number, kind in counts
        if number
    )
