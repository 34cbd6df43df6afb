"""summary.md: the answer in one sentence, then what it stands on; for $GITHUB_STEP_SUMMARY, which takes 1 MiB.

What servers said is escaped (`harness.reports.markdown.escaped`); commands stand in code, to be pasted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ci.suite import words
from ci.suite.values import Attempt, Outcome, Result, Told
from harness.base.files import write_text
from harness.reports.markdown import escaped

MOST_BYTES = 900_000
TEXT = 600
UNANSWERED = (Outcome.UNKNOWN, Outcome.BROKEN_OFF, Outcome.NOT_BEGUN, Outcome.REFUSED)


def render(found: Result, out: Path) -> Path:
    write_text(out, page(found))
    return out


def page(found: Result) -> str:
    text = "\n".join(_lines(found)) + "\n"
    if len(text.encode()) <= MOST_BYTES:
        return text
    cut = text.encode()[:MOST_BYTES].decode("utf-8", "ignore")
    return cut[: cut.rfind("\n")] + "\n\n… more is in index.html.\n"


def _lines(found: Result) -> Iterator[str]:
    yield f"## {words.VERDICTS.get(found.exit_code, str(found.exit_code))}: {escaped(found.answer, TEXT)}"
    yield ""
    yield f"{escaped(words.budget(found))} Everything recorded is in the artifact; `index.html` links the reports."
    yield from _section("Findings", found, (Outcome.FINDING,))
    yield from _section("Known bugs that did not show where they were expected", found, (Outcome.ABSENT,))
    yield from _section(
        "Infrastructure: the harness or its host failed, which says nothing about Vitess", found, (Outcome.HARNESS,)
    )
    yield from _section("Without an answer", found, UNANSWERED)
    yield from _bugs(found)
    yield from _table(found)
    yield ""
    yield "The whole suite again, from a checkout of vitess-chaos:"
    yield from _code([found.asked.command])


def _section(title: str, found: Result, outcomes: Iterable[Outcome]) -> Iterator[str]:
    parts = [part for part in found.parts if part.outcome in outcomes]
    if parts:
        yield from ("", f"### {title}")
    for part in parts:
        yield from ("", f"**{escaped(part.experiment)}** ({escaped(part.why)}): {part.outcome}", "")
        yield from (f"- {escaped(reason, TEXT)}" for reason in _reasons(part))
        if part.attempts:
            yield from _code([part.attempts[-1].command])


def _reasons(part: Told) -> Iterator[str]:
    for made in part.attempts:
        over = f" ({words.TAKEN_OVER})" if made.taken_over else ""
        which = f"attempt {made.number} of {len(part.attempts)}{over}: " if len(part.attempts) > 1 else ""
        yield from (f"{which}{reason}" for reason in made.why or (made.headline,) if reason)
    if part.left and part.outcome is not Outcome.REFUSED:
        yield part.left


def _bugs(found: Result) -> Iterator[str]:
    rows = dict.fromkeys(
        f"| {escaped(bug.issue)} | {escaped(part.experiment)} | {escaped(bug.where)} | {words.bug_word(bug)} |"
        for part in found.parts
        for bug in part.bugs
    )
    if rows:
        yield from ("", "### Known bugs of these versions", "", "| bug | experiment | where | |", "|---|---|---|---|")
        yield from rows


def _table(found: Result) -> Iterator[str]:
    yield from (
        "",
        "### All experiments",
        "",
        "| | experiment | what happens | result | seconds |",
        "|---|---|---|---|--:|",
    )
    for part in found.parts:
        took = f"{part.took_s:.0f}" if part.attempts else "–"
        cells = (part.experiment, part.why, _result(part), took)
        yield f"| {words.mark(part)} | " + " | ".join(escaped(cell, TEXT) for cell in cells) + " |"


def _result(part: Told) -> str:
    over = f" ({words.TAKEN_OVER})" if part.attempts and part.attempts[-1].taken_over else ""
    return f"{_came_to(part)}{over}"


def _came_to(part: Told) -> str:
    if len(part.attempts) > 1 or part.outcome is not Outcome.PASSED:
        return f"{part.outcome}{_twice(part.attempts)}"
    bugs = [bug.issue for bug in part.bugs if bug.shown]
    return f"{words.result(part)}: {', '.join(dict.fromkeys(bugs))}" if bugs else "passed"


def _twice(attempts: tuple[Attempt, ...]) -> str:
    """Those before the last one, openly."""
    before = [f"attempt {made.number} of {len(attempts)}: {made.outcome}" for made in attempts[:-1]]
    return f" ({', '.join(before)})" if before else ""


def _code(lines: Iterable[str]) -> Iterator[str]:
    yield from ("", "```sh", *(line.replace("\n", " ") for line in lines), "```")
