"""The runs of a suite, one after the other, within its time.

Everything that is known is on disk after every run: a suite that is ended early can be taken up with the same --out.
What such a call finds there is taken over and said so; what proved nothing is made anew.
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

from ci.suite import deciding, earlier, junit, page, summary, words
from ci.suite.judging import judged
from ci.suite.table import SUITE, Part
from ci.suite.values import Attempt, Begun, Outcome, Result, Strictness, Told
from experiments import EXPERIMENTS
from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.exit_codes import EXIT_USAGE
from harness.base.rng import child
from harness.many.children import Stopping, refusal

RESULT = "result.json"


class Suite:
    """A folder: `result.json`, what is made of it, `runs/FAMILY-NAME/ATTEMPT` and what came of it in `….json`."""

    def __init__(
        self,
        folder: Path,
        begun: Begun,
        parts: Sequence[Part],
        strictness: Strictness,
        *,
        budget_s: float,
        console: Console,
    ) -> None:
        self._folder = folder
        self._asked = begun.asked
        self._build = begun.build
        self._parts = parts
        self._strictness = strictness
        self._budget_s = budget_s
        self._console = console
        self._stopping = Stopping(console)
        self._begun_ns = now_ns()
        self._told: list[Told] = []
        self._paces: list[tuple[float, float]] = []
        self._earlier = earlier.Calls(folder, strictness)

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
        attempts = self._earlier.attempts(part, self._command(part))
        of, left = len(attempts) + deciding.ATTEMPTS, ""
        while deciding.again(attempts):
            left = self._hindrance(part)
            if left:
                break
            if attempts:
                self._say(words.once_more(attempts[-1]), words.STYLES[attempts[-1].outcome])
            attempts.append(self._attempt(part, attempts[-1].number + 1 if attempts else 1, of))
        came_to = deciding.outcome(attempts, Outcome.NOT_BEGUN)
        if came_to is Outcome.REFUSED:
            left = "; ".join(attempts[-1].why)
        return Told(experiment=part.experiment, why=part.why, outcome=came_to, attempts=tuple(attempts), left=left)

    def _hindrance(self, part: Part) -> str:
        """Why an attempt is not begun; "" = it is."""
        if self._stopping.asked:
            return "the suite was ended early"
        if deciding.failing(self._told):
            return f"the harness failed in {deciding.FAILURES_IN_A_ROW} experiments in a row"
        needs_s, left_s = part.takes_s * deciding.pace(self._paces), self._left_s()
        if needs_s > left_s:
            return f"it takes about {needs_s:.0f} s here, and {max(0.0, left_s):.0f} s of the time are left"
        return ""

    def _attempt(self, part: Part, number: int, of: int) -> Attempt:
        inside = earlier.inside(part, number)
        folder = self._folder / inside
        asked_for = self._words(part)
        turn = f"attempt {number} of {of}"
        begun_ns = now_ns()
        code = self._stopping.made(
            (*asked_for, "--plain"),
            seed=self._seed(part),
            folder=folder,
            turn=turn,
            within_s=max(1.0, self._left_s()),
        )
        took_s = (now_ns() - begun_ns) / 1e9
        made = Attempt(
            number=number, outcome=Outcome.HARNESS, folder=inside, took_s=took_s, command=self._command(part)
        )
        if code == EXIT_USAGE:
            return _not_begun(made, refusal(asked_for))
        found = judged(made, folder, code, self._strictness)
        if found.outcome is not Outcome.BROKEN_OFF:
            earlier.save(self._folder, found)
            self._paces.append((part.takes_s, took_s))
        return found

    def _words(self, part: Part) -> tuple[str, ...]:
        return self._asked.words(part, len(EXPERIMENTS[part.experiment].cluster.vtgates))

    def _seed(self, part: Part) -> int:
        return child(self._asked.seed, part.experiment).randrange(2**31)

    def _command(self, part: Part) -> str:
        return shlex.join(["vtchaos", "run", *self._words(part), "--seed", str(self._seed(part))])

    def _left_s(self) -> float:
        return self._budget_s - (now_ns() - self._begun_ns) / 1e9

    # ---------------------------------------------------------------- what is told

    def _begins(self, number: int, part: Part) -> str:
        left = f"{words.span(max(0.0, self._left_s()))} of {words.span(self._budget_s)} left"
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
            build=self._build,
            answer=deciding.answer(self._asked.title(self._build.said), told, code, of=len(SUITE)),
            exit_code=code,
            budget_s=self._budget_s,
            took_s=sum(made.took_s for part in told for made in part.attempts if not made.taken_over),
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


def _not_begun(made: Attempt, why: str) -> Attempt:
    """A run that ended as one does that was refused. Where the words alone are no reason, something else was: a folder
    that cannot be made, a full disk."""
    if why:
        return replace(made, outcome=Outcome.REFUSED, folder="", why=(why,))
    return replace(
        made,
        folder="",
        why=("it could not be begun, although nothing is wrong with what was asked; its output says why",),
    )


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
