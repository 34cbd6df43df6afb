"""`vtchaos sweep`: one option of `vtchaos run` over a range; a process for each run, as with --count.

Runs that are in the folder already are not made again, and every run renews sweep.json and sweep.html: a sweep that was
ended early can be taken up, and what it has is there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from harness import history
from harness.base import jsonio
from harness.base.errors import UsageError
from harness.base.exit_codes import EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_USAGE
from harness.base.rng import new_seed
from harness.base.rundir import RUNS, RunDir
from harness.base.taken_up import new_name, owned, taken_up
from harness.causes import UNEXPLAINED
from harness.facts.needs import doubts, without_core_s
from harness.facts.notice import STALL_S, notice
from harness.many.children import Stopping, refusal, seed_of, words_of
from harness.model import RunVerdict, Verdict
from harness.options import SEED, cluster_options, load_options, place_options
from harness.sweep import page
from harness.sweep import text as sweep_text
from harness.sweep.sweep import Asked, Axis, Sweep, SweptRun, axis_of, next_value, sweep

SWEEP = "sweep.json"
PAGE = "sweep.html"
OURS = ("repeat", "stall_s", "step", "out", "seed", "most_runs")
FAILURES_IN_A_ROW = 3  # so many runs that came to nothing, and the rest would as well


class _SweptCommand(click.Command):
    """Takes `LOW..HIGH` for the value of any one option; the option itself is parsed with LOW."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[AXES], plain = [], []
        for before, word in zip(["", *args], args, strict=False):
            option, equals, text = word.partition("=") if word.startswith("--") else (before, "", word)
            axis = axis_of(option, text, None) if option.startswith("--") else None
            if axis is None:
                plain.append(word)
                continue
            ctx.meta[AXES].append((axis, text))
            plain.append(f"{option}{equals}" * bool(equals) + axis.head + axis.text(axis.low))
        try:
            return super().parse_args(ctx, plain)
        except click.BadParameter:
            no_range = [word for word in args if _meant_as_range(word)]
            if not no_range or ctx.meta[AXES]:
                raise
            raise UsageError(f"{no_range[0]} is no range; a range is {A_RANGE}") from None


def _meant_as_range(word: str) -> bool:
    return ".." in word and "/" not in word and word != ".."


AXES = "vtchaos.sweep.axes"
A_RANGE = "two numbers with .. between them, the smaller first, as in --shards 1..32 or --window 1s..12s"


@click.command("sweep", cls=_SweptCommand)
@click.argument("experiment")
@place_options
@cluster_options
@load_options
@click.option("--cluster", "cluster_name", metavar="NAME", help="A cluster made by `vtchaos up`, for all runs.")
@click.option("--plain", is_flag=True, help="Plain lines instead of the live view.")
@click.option(
    "--seed", type=SEED, help="Every run's seed is drawn from it; the same repetition has the same everywhere."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the sweep; one that is there is taken up.")
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True, help="Runs at each value.")
@click.option(
    "--stall",
    "stall_s",
    type=click.FloatRange(0, min_open=True),
    default=STALL_S,
    show_default=True,
    metavar="SECONDS",
    help="A stall of a shard beyond this is noticed, as is any error and any operation that was not issued.",
)
@click.option("--step", type=click.FloatRange(0, min_open=True), help="How near two values may be.  [default: 1]")
@click.option(
    "--most-runs", type=click.IntRange(1), default=60, show_default=True, help="The sweep ends after so many runs."
)
def sweep_command(
    *,
    experiment: str,
    seed: int | None,
    out: Path | None,
    repeat: int,
    stall_s: float,
    step: float | None,
    most_runs: int,
    **given: Any,
) -> None:
    """Find where clients begin to notice: `vtchaos sweep reparent/storm --shards 1..32`.

    One option of `vtchaos run` has a range (--shards 1..32, --window 1s..12s, --rate 5..80, --set reparents=1..8). Real
    runs at a coarse grid of its values, then between the last value that nobody noticed and the first that was. Writes
    sweep.json and sweep.html. Ctrl-C ends after the running one; the same command with --out FOLDER takes it up again.
    Exit code: 0 with an answer, 4 where no run came to a result.
    """
    context = click.get_current_context()  # an option of ours has its name
    axis, text = _one_axis(context.meta[AXES], step)
    _require_whole(context.command, axis, text)
    words = list(words_of(context, OURS))
    folder = (out or RUNS / new_name("sweep", experiment)).absolute()
    before = _before(folder)
    asked = Asked(
        experiment=experiment,
        words=tuple(words),
        at=_place(words, axis, text),
        axis=axis,
        seed=_seed(seed, before),
        repeat=repeat,
        stall_s=stall_s,
    )
    _require_same(folder, before, asked)
    if "--cluster" not in words:
        _refuse(asked)
    with owned(folder):
        _require_same(folder, _before(folder), asked)  # another may have begun meanwhile
        sys.exit(Sweeping(folder, asked, Console(), most_runs=most_runs).run())


def _before(folder: Path) -> Sweep | None:
    return taken_up(folder, SWEEP, Sweep, what="sweep")


def _one_axis(axes: Sequence[tuple[Axis, str]], step: float | None) -> tuple[Axis, str]:
    if len(axes) != 1:
        how = "no option has one" if not axes else "there are " + " and ".join(axis.name for axis, _ in axes)
        raise UsageError(f"a sweep takes a range for one option, {A_RANGE}; {how}")
    axis, text = axes[0]
    made = axis_of(axis.option, text, step)
    assert made is not None  # it was one a moment ago
    return made, text


def _require_whole(command: click.Command, axis: Axis, text: str) -> None:
    """Raises UsageError for fractions of what is counted, whether an end has them or the step makes them."""
    counts = any(
        axis.option in each.opts and isinstance(each.type, click.types.IntParamType) for each in command.params
    )
    if counts and not all(number.is_integer() for number in (axis.low, axis.high, axis.step)):
        raise UsageError(f"{axis.option} {text} in steps of {axis.step:g}: whole numbers are needed, as in 1..32")


def _place(words: Sequence[str], axis: Axis, text: str) -> int:
    """Where in the words of `vtchaos run` the value stands. Raises UsageError for an option that is not the run's."""
    for index, word in enumerate(words):
        if index and words[index - 1] == axis.option and word.startswith(axis.head or ("", axis.text(axis.low))[1]):
            return index
    raise UsageError(f"{axis.option} {text}: only an option of `vtchaos run` can be swept")


def _seed(seed: int | None, before: Sweep | None) -> int:
    if seed is not None:
        return seed
    return before.asked.seed if before is not None else new_seed()


def _require_same(folder: Path, before: Sweep | None, asked: Asked) -> None:
    """The range, the step, --repeat and --stall may change; what is run may not. Raises UsageError."""
    if before is None:
        return
    there = before.asked
    same = (there.seed, there.axis.option, there.axis.head, there.at) == (
        asked.seed,
        asked.axis.option,
        asked.axis.head,
        asked.at,
    )
    if not same or there.words_at(1) != asked.words_at(1):
        raise UsageError(f"{folder} has a sweep of `vtchaos sweep {there.command}`; give another --out")


def _refuse(asked: Asked) -> None:
    """Raises UsageError where the plan of either end is refused, before anything starts."""
    for value in (asked.axis.low, asked.axis.high):
        words = [word for word in asked.words_at(value) if word != "--plain"]
        why = refusal(words)
        if why:
            raise UsageError(f"at {asked.axis.name} {asked.axis.text(value)}: {why}")


class Sweeping:
    """A folder of runs (`shards-4/001`, …), and what they say so far."""

    def __init__(self, folder: Path, asked: Asked, console: Console, *, most_runs: int) -> None:
        self._folder = folder
        self._asked = asked
        self._console = console
        self._most_runs = most_runs
        self._stopping = Stopping(console)
        self._runs: list[SweptRun] = []

    def run(self) -> int:
        """Returns the exit code."""
        self._save()
        self._console.print(f"sweep into {self._folder}, seed {self._asked.seed}", highlight=False, soft_wrap=True)
        with self._stopping.installed():
            while not self._stopping.asked and self._may_go_on():
                value = next_value(self._asked, self._runs)
                if value is None:
                    break
                self._runs.append(self._one(value))
                self._console.print(sweep_text.run_line(self._save(), self._runs[-1]), soft_wrap=True)
        found = self._save()
        sweep_text.show(found, self._console, folder=self._folder)
        if self._stopping.asked:
            return EXIT_INTERRUPTED
        return EXIT_PASS if any(point.runs for point in found.points) else EXIT_HARNESS

    def _may_go_on(self) -> bool:
        last = self._runs[-FAILURES_IN_A_ROW:]
        if len(last) == FAILURES_IN_A_ROW and all(run.notice is None for run in last):
            self._console.print(Text(f"ended: {FAILURES_IN_A_ROW} runs in a row came to nothing", style="red"))
            return False
        if len(self._runs) >= self._most_runs:
            self._console.print(Text(f"ended: {self._most_runs} runs were made (--most-runs)", style="yellow"))
            return False
        return True

    def _one(self, value: float) -> SweptRun:
        """The next repetition at a value, made now unless it is there."""
        number = 1 + sum(run.value == value for run in self._runs)
        place = f"{self._asked.axis.name}-{self._asked.axis.text(value)}/{number:03d}"
        folder = self._folder / place
        seed = seed_of(self._asked.seed, number)
        turn = f"{self._asked.axis.name} {self._asked.axis.text(value)}, {number} of {self._asked.repeat}"
        code = self._stopping.made(self._asked.words_at(value), seed=seed, folder=folder, turn=turn)
        return swept(folder, place, value, code)

    def _save(self) -> Sweep:
        found = sweep(self._asked, self._runs)
        jsonio.save(self._folder / SWEEP, found)
        page.render(found, self._folder / PAGE)
        return found


def swept(folder: Path, place: str, value: float, code: int) -> SweptRun:
    """What is kept of a run in `folder`."""
    verdict = jsonio.load_if_whole(folder / "verdict.json", RunVerdict)
    if verdict is None or verdict.exit_code == EXIT_INTERRUPTED or code in (EXIT_USAGE, EXIT_HARNESS):
        why = f"it ended with exit code {code}" if code else "it came to no verdict"
        return SweptRun(value=value, folder=place, verdict=Verdict.UNKNOWN, notice=None, why=why)
    seen = history.load(RunDir.open(folder))
    felt = notice(seen)
    return SweptRun(
        value=value,
        folder=place,
        verdict=verdict.verdict,
        notice=felt,
        doubts=tuple(doubts(seen)),
        without_core_s=without_core_s(seen),
        cause=next((row.title for row in verdict.causes if row.cause != UNEXPLAINED), ""),
        why="" if felt is not None else "it had no clients that could notice",
    )
