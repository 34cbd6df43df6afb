"""The runs of a suite, one after the other, within its time.

Everything that is known is on disk after every run: a suite that is ended early can be taken up with the same --out.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ci.suite import deciding, junit, page, summary, words
from ci.suite.judging import judged
from ci.suite.table import SUITE, Part
from ci.suite.values import Asked, Attempt, Outcome, Result, Strictness, Told
from experiments import EXPERIMENTS
from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.exit_codes import EXIT_USAGE
from harness.base.rng import child
from harness.many.children import Stopping, is_whole, refusal

RESULT = "result.json"


class Suite:
    """A folder: `result.json`, what is made of it, and `runs/FAMILY-NAME/ATTEMPT`."""

    def __init__(
        self,
        folder: Path,
        asked: Asked,
        parts: Sequence[Part],
        strictness: Strictness,
        *,
        budget_s: float,
        console: Console,
    ) -> None:
        self._folder = folder
        self._asked = asked
        self._parts = parts
        self._strictness = strictness
        self._budget_s = budget_s
        self._console = console
        self._stopping = Stopping(console)
        self._begun_ns = now_ns()
        self._told: list[Told] = []
        self._paces: list[tuple[float, float]] = []
        self._earlier = earlier(folder)

    def run(self) -> Result:
        with self._stopping.installed():
            for number, part in enumerate(self._parts, start=1):
                with folded(part.experiment):
                    self._say(self._begins(number, part))
                    self._told.append(self._one(part))
                self._save()
                self._say(words.line(number, len(self._parts), self._told[-1]), words.STYLES[self._told[-1].outcome])
        return self._save()

    # ---------------------------------------------------------------- one experiment

    def _one(self, part: Part) -> Told:
        attempts: list[Attempt] = []
        left = ""
        while not attempts or deciding.again(attempts):
            left = self._hindrance(part, len(attempts) + 1)
            if left:
                break
            attempts.append(self._attempt(part, len(attempts) + 1))
        came_to = deciding.outcome(attempts, Outcome.NOT_BEGUN)
        if came_to is Outcome.REFUSED:
            left = "; ".join(attempts[-1].why)
        return Told(experiment=part.experiment, why=part.why, outcome=came_to, attempts=tuple(attempts), left=left)

    def _hindrance(self, part: Part, number: int) -> str:
        """Why this attempt is not begun; "" = it is. One that is there already costs nothing."""
        if is_whole(self._place(part, number)):
            return ""
        if self._stopping.asked:
            return "the suite was ended early"
        if deciding.failing(self._told):
            return f"the harness failed in {deciding.FAILURES_IN_A_ROW} experiments in a row"
        needs_s, left_s = part.takes_s * deciding.pace(self._paces), self._left_s()
        if needs_s > left_s:
            return f"it takes about {needs_s:.0f} s here, and {max(0.0, left_s):.0f} s of the time are left"
        return ""

    def _attempt(self, part: Part, number: int) -> Attempt:
        folder = self._place(part, number)
        inside = str(folder.relative_to(self._folder))
        seed = child(self._asked.seed, part.experiment).randrange(2**31)
        asked_for = self._asked.words(part, len(EXPERIMENTS[part.experiment].cluster.vtgates))
        command = shlex.join(["vtchaos", "run", *asked_for, "--seed", str(seed)])
        there = is_whole(folder)
        turn = f"attempt {number} of {deciding.ATTEMPTS}"
        begun_ns = now_ns()
        code = self._stopping.made(
            (*asked_for, "--plain"), seed=seed, folder=folder, turn=turn, within_s=max(1.0, self._left_s())
        )
        took_s = self._took_s(inside) if there else (now_ns() - begun_ns) / 1e9
        made = Attempt(number=number, outcome=Outcome.HARNESS, folder=inside, took_s=took_s, command=command)
        if code == EXIT_USAGE:
            return replace(made, outcome=Outcome.REFUSED, folder="", why=(refusal(asked_for) or "refused",))
        found = judged(made, folder, code, self._strictness)
        if not there and found.outcome is not Outcome.BROKEN_OFF:
            self._paces.append((part.takes_s, took_s))
        return found

    def _place(self, part: Part, number: int) -> Path:
        return self._folder / "runs" / part.experiment.replace("/", "-") / str(number)

    def _took_s(self, inside: str) -> float:
        """Of a run that was made by an earlier call."""
        before = self._earlier.parts if self._earlier else ()
        return next((made.took_s for part in before for made in part.attempts if made.folder == inside), 0.0)

    def _left_s(self) -> float:
        return self._budget_s - (now_ns() - self._begun_ns) / 1e9

    # ---------------------------------------------------------------- what is told

    def _begins(self, number: int, part: Part) -> str:
        left = f"{max(0.0, self._left_s()) / 60:.0f} min of {self._budget_s / 60:.0f} left"
        return f"[{number}/{len(self._parts)}] {part.experiment}: {part.why} (about {part.takes_s:.0f} s; {left})"

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)

    def _save(self) -> Result:
        """Everything, as far as it is known."""
        left = [self._not_come_to(part) for part in self._parts[len(self._told) :]]
        told = (*self._told, *left)
        code = deciding.exit_code(told, interrupted=self._stopping.asked)
        found = Result(
            asked=self._asked,
            answer=deciding.answer(self._asked.title, told, code, of=len(SUITE)),
            exit_code=code,
            budget_s=self._budget_s,
            took_s=sum(part.took_s for part in told),
            parts=told,
        )
        jsonio.save(self._folder / RESULT, found)
        summary.render(found, self._folder / "summary.md")
        junit.render(found, self._folder, self._strictness)
        page.render(found, self._folder / "index.html")
        return found

    def _not_come_to(self, part: Part) -> Told:
        left = "not come to yet"
        return Told(experiment=part.experiment, why=part.why, outcome=Outcome.NOT_BEGUN, left=left)


@contextlib.contextmanager
def folded(name: str) -> Iterator[None]:
    """On GitHub, what is printed meanwhile is one line of the log until somebody opens it."""
    if "GITHUB_ACTIONS" not in os.environ:
        yield
        return
    print(f"::group::{name}", flush=True)
    try:
        yield
    finally:
        print("::endgroup::", flush=True)


def earlier(folder: Path) -> Result | None:
    return jsonio.load_if_whole(folder / RESULT, Result)
