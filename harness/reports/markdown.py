"""summary.md: a run in a page of Markdown, for a CI summary or a pull request.

GitHub shows what it is given: text of a run (messages are whatever a server chose to say) is escaped so that it can
neither open HTML or a link nor mention anybody. Bounded: GitHub takes a comment of 65,536 characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.base.files import write_text
from harness.causes import CauseRow
from harness.facts.outages import availability
from harness.history import History
from harness.model import CheckResult, Outcome, RunVerdict, Verdict
from harness.reports.cut_short import folded_names, split
from harness.reports.digest import Digest, digest
from harness.reports.html_service import availability_words, objective_words
from harness.reports.known import reproduced_issue, told
from harness.reports.pressure import pressure_sentence
from harness.reports.told_causes import AFFECTED, DOING, advice_of, doing_sentence, shards_words, title_words
from harness.reports.words import (
    clean,
    count,
    duration,
    reproduce,
    run_sentence,
    shape,
    shorten,
    stall_words,
    verdict_word,
    versions,
)

MOST_BYTES = 60_000
MOST_CHECKS, MOST_CAUSES, MOST_DETAILS = 40, 30, 5
CELL, TEXT = 300, 2_000
_MARKS = {"PASS": "✅", "REPRODUCED": "🔁", "UNKNOWN": "❔", "FINDING": "❌"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-!|<>~$&])")
_MENTION = re.compile(r"@(?=\w)")
_LINK = re.compile(r"(?i)\b(https?|ftp|www)(?=[:.])")
_CUT = "\n\n… more is in report.html.\n"


def render(history: History, verdict: RunVerdict, out: Path) -> Path:
    """Write summary.md; the same run gives the same bytes."""
    write_text(out, page(history, verdict))
    return out


def page(history: History, verdict: RunVerdict) -> str:
    """The whole text, at most MOST_BYTES long. How to do it again is never cut."""
    again = "\n".join(_again(history, verdict))
    body = "\n".join(_body(history, verdict, digest(history)))
    room = MOST_BYTES - len(again.encode()) - len(_CUT.encode())
    if len(body.encode()) > room:
        cut = body.encode()[:room].decode("utf-8", "ignore")
        body = cut[: cut.rfind("\n")] + _CUT
    return f"{body}\n{again}\n"


def escaped(text: str, width: int = CELL) -> str:
    """One line of plain text in which nothing means anything to GitHub."""
    flat = (
        _SPECIAL.sub(r"\\\1", shorten(text, width))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
        .replace("\\&", "&amp;")
    )
    unlinked = _LINK.sub(lambda found: found[1][0] + "&#8203;" + found[1][1:], flat)
    return _MENTION.sub("@&#8203;", unlinked)


def _body(history: History, verdict: RunVerdict, found: Digest) -> Iterator[str]:
    word = verdict_word(verdict)
    yield f"## {_MARKS.get(word, '⚠️')} {word}: {escaped(verdict.experiment)}"
    yield ""
    mark = "🧪 " if history.plan.sabotage else ""
    yield f"{escaped(verdict.headline, TEXT)} {mark}{run_sentence(history, verdict)}".strip()
    yield ""
    yield f"{escaped(shape(history), TEXT)}. {escaped(pressure_sentence(history), TEXT)}"
    yield from _incomplete(history)
    yield from _checks(history, verdict)
    yield from _causes(verdict.causes)
    yield from _vtgates(history, found)


def _incomplete(history: History) -> Iterator[str]:
    if history.incomplete:
        yield ""
        yield f"**The record is incomplete**; missing: {escaped('; '.join(history.incomplete), TEXT)}."


def _table(names: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns by name; a leading > aligns right."""
    columns = names.split("|")
    yield "| " + " | ".join(name.removeprefix(">") for name in columns) + " |"
    yield "|" + "|".join("--:" if name.startswith(">") else "---" for name in columns) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _checks(history: History, verdict: RunVerdict) -> Iterator[str]:
    shown, folded = split(history, verdict.results)
    odd = [result for result in shown if told(result)]
    odd.sort(key=lambda result: -result.verdict)
    passed = sum(not told(result) for result in verdict.results)
    yield ""
    yield "### Checks"
    yield ""
    if odd:
        yield from _table("verdict|check|what|kind", [_check(result) for result in odd[:MOST_CHECKS]])
        yield ""
    if len(odd) > MOST_CHECKS:
        yield f"{len(odd) - MOST_CHECKS} more are not shown."
    if folded:
        yield f"{len(folded)} could not be judged, as the run was cut short: {escaped(folded_names(folded), TEXT)}."
    yield f"{passed} passed." if verdict.results else "**No check was run.**"


def _check(result: CheckResult) -> Sequence[str]:
    issue = reproduced_issue(result)
    words = {Verdict.FAIL: "❌ FAIL", Verdict.UNKNOWN: "❔ UNKNOWN", Verdict.PASS: "did not hold"}
    word = "reproduced" if issue and issue in result.summary else f"reproduced {escaped(issue)}"
    word = word if issue else words[result.verdict]
    name = f"{result.check} [{result.subject}]" if result.subject else result.check
    details = "".join(f"<br>· {escaped(detail)}" for detail in result.details[:MOST_DETAILS])
    more = f"<br>… and {len(result.details) - MOST_DETAILS} more" if len(result.details) > MOST_DETAILS else ""
    return word, escaped(name), escaped(result.summary, 2 * CELL) + details + more, str(result.kind)


def _causes(causes: Sequence[CauseRow]) -> Iterator[str]:
    if not causes:
        return
    yield ""
    yield "### Why clients waited or failed"
    yield ""
    names = "cause|whose doing|vtgate|>operations|>errors|>waited|>longest|most in"
    yield from _table(names, [_cause(row) for row in causes[:MOST_CAUSES]])
    yield ""
    yield doing_sentence(causes)
    yield ""
    for title, advice in advice_of(causes):
        yield f"- {escaped(title)}: {escaped(advice, TEXT)}"
    yield ""
    yield AFFECTED


def _cause(row: CauseRow) -> Sequence[str]:
    waited, worst = duration(row.waited_s * 1e9), duration(row.worst_s * 1e9)
    figures = count(row.operations), count(row.errors), waited, worst
    return escaped(title_words(row), TEXT), DOING[row.blame], escaped(row.vtgate), *figures, escaped(shards_words(row))


def _vtgates(history: History, found: Digest) -> Iterator[str]:
    if not found.lanes:
        return
    service = {one.vtgate: availability_words(one) for one in availability(history)} if len(history.ops) else {}
    yield ""
    yield "### Clients, by vtgate"
    yield ""
    rows = [
        (
            escaped(vtgate.name),
            escaped(vtgate.version),
            *(count(number) for number in (vtgate.ops, *(vtgate.outcomes[bad] for bad in _BAD))),
            duration(vtgate.p99_ns),
            stall_words(vtgate.worst.stall.span_ns, vtgate.worst.stall.open) if vtgate.worst else "–",
            service.get(vtgate.name, "–"),
        )
        for vtgate in found.vtgates
    ]
    yield from _table("vtgate|version|>operations|>failed|>unknown|>not issued|>p99|>longest stall|>availability", rows)
    yield ""
    yield f"Availability: {objective_words(history)} is the objective."


_BAD = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.NOT_ISSUED)


def _again(history: History, verdict: RunVerdict) -> Iterator[str]:
    yield ""
    yield "### Do it again"
    yield ""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", reproduce(history))), default=0))
    yield f"{fence}sh"
    yield shorten_lines(reproduce(history))
    yield fence
    yield ""
    named = ", ".join(f"{name} {version}" for name, version in versions(history).items())
    facts = f"seed {history.plan.seed}, exit code {verdict.exit_code}, {history.plan.backend}, {named}"
    yield escaped(f"Run {history.plan.run_id}: {facts}, vtchaos {history.plan.harness_version}.", TEXT)


def shorten_lines(text: str) -> str:
    """Lines as they are: they are to be pasted."""
    return "\n".join(clean(line)[: 4 * TEXT] for line in text.splitlines())
