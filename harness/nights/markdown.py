"""summary.md of a soak: what is new, for a CI summary or a chat. Bounded, and harmless whatever a server said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.base.exit_codes import EXIT_FINDING, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN
from harness.facts.words import counted
from harness.nights.report import Report
from harness.nights.standings import Standing, Standings
from harness.nights.words import (
    KNOWN_TITLES,
    ROW_NAMES,
    TITLES,
    again,
    named,
    needed_words,
    row_words,
    summary_line,
    told,
    turn_basis,
    turn_words,
)
from harness.reports.markdown import MOST_BYTES, TEXT, escaped, shorten_lines

MOST_TOLD = 40
MOST_WHY = 20
_MARKS = {EXIT_PASS: "✅", EXIT_FINDING: "❌", EXIT_UNKNOWN: "❔", EXIT_HARNESS: "⚠️", EXIT_INTERRUPTED: "⚠️"}
_AGAIN = (Standing.UNCOMPARED, Standing.NEW, Standing.RETURNED, Standing.ONGOING)
_CUT = "\n… more is in soak.html.\n"


def page(found: Report) -> str:
    """At most MOST_BYTES long."""
    text = "\n".join(_body(found)) + "\n"
    if len(text.encode()) <= MOST_BYTES:
        return text
    cut = text.encode()[: MOST_BYTES - len(_CUT.encode()) - 10].decode("utf-8", "ignore")
    whole = cut[: cut.rfind("\n")]
    fence = "\n```" if whole.count("```") % 2 else ""  # what is cut inside a block must not swallow what follows
    return f"{whole}{fence}{_CUT}"


def _body(found: Report) -> Iterator[str]:
    mark = "❌" if found.alarm else _MARKS[found.exit_code]
    if found.alarm:
        yield f"## ❌ {escaped(found.alarm, TEXT)}"
        yield ""
    yield f"## {mark} Soak {escaped(found.tonight.path)}"
    yield ""
    yield f"**{escaped(found.answer, TEXT)}**"
    yield ""
    yield from (f"- {escaped(sentence, TEXT)}" for sentence in found.also)
    yield ""
    yield escaped(summary_line(found), TEXT)
    for what in found.left_out[:MOST_WHY]:
        yield f"- left out: {escaped(what)}"
    yield from _items("Findings", found.findings, TITLES)
    yield from _again(found.findings)
    yield from _turns(found)
    yield from _items("Known bugs", found.known, KNOWN_TITLES)
    yield from _why("Proved nothing", found.why_unknown)
    yield from _why("The harness failed", found.why_broken)
    yield from _needs(found)
    yield from _nights(found)


def _titled(words: str) -> Iterator[str]:
    yield ""
    yield f"### {words}"
    yield ""


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns by name; a leading > aligns right."""
    yield "| " + " | ".join(name.removeprefix(">") for name in names) + " |"
    yield "|" + "|".join("--:" if name.startswith(">") else "---" for name in names) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _items(words: str, items: Sequence[Standings], titles: Mapping[Standing, str]) -> Iterator[str]:
    told_of = [each for each in items if each.standing is not Standing.GONE]
    if told_of:
        yield from _titled(words)
        rows = [
            (
                escaped(titles[each.standing]),
                escaped(named(each)),
                escaped(each.item.symptom or each.item.issue or each.latest.said),
                escaped(told(each), TEXT),
            )
            for each in told_of[:MOST_TOLD]
        ]
        yield from _table(("", "where", "what", "how often"), rows)
    if len(told_of) > MOST_TOLD:
        yield f"\n{len(told_of) - MOST_TOLD} more are in soak.html."


def _again(items: Sequence[Standings]) -> Iterator[str]:
    """To be pasted, so not escaped: in a block nothing means anything."""
    shown = [each for each in items if each.standing in _AGAIN]
    if shown:
        yield from _titled("Do it again")
        yield "```sh"
        for each in shown[:MOST_TOLD]:
            yield shorten_lines(f"# {each.standing}: {named(each)}".replace("`", "'"))
            yield from (shorten_lines(command.replace("`", "'")) for command in again(each))
        yield "```"


def _turns(found: Report) -> Iterator[str]:
    if found.turned:
        yield from _titled("Figures that changed tonight")
        for turn in found.turned[:MOST_TOLD]:
            word = "worse" if turn.worse else "better"
            yield f"- **{word}**: {escaped(turn_words(turn))} {escaped(turn_basis(turn), TEXT)}"


def _why(words: str, why: Mapping[str, int]) -> Iterator[str]:
    if why:
        yield from _titled(f"{words}: {counted(sum(why.values()), 'run')}")
        rows = [(str(runs), escaped(reason, TEXT)) for reason, runs in list(why.items())[:MOST_WHY]]
        yield from _table((">runs", "why"), rows)


def _needs(found: Report) -> Iterator[str]:
    if found.needed:
        yield from _titled("What the soak itself needed")
        rows = [
            (each.need.title, *needed_words(each)[:3], needed_words(each)[3] + (" **grows**" if each.grows else ""))
            for each in found.needed
        ]
        yield from _table(("resource", ">first", ">last", ">most or least", "trend, 95 %"), rows)


def _nights(found: Report) -> Iterator[str]:
    yield from _titled("Nights")
    yield from _table(ROW_NAMES, [tuple(escaped(cell) for cell in row_words(row)) for row in found.nights])
