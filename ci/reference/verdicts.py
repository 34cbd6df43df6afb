"""What a run is judged by: checks, causes, exit codes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import TypeGuard

from ci.reference.fields import enum_comments
from ci.reference.markdown import NOTHING, anchor, code, docstring, first_paragraph, page, plain, table
from experiments import EXPERIMENTS
from harness.attribution import SIGNATURES
from harness.base import errors
from harness.base.exit_codes import EXIT_INTERRUPTED
from harness.causes import Blame
from harness.checks import CHECKS, EVERY_RUN
from harness.checks.judge import EXIT_CODES
from harness.checks.results import Check
from harness.model import CheckKind, Verdict

_KIND = re.compile(r"^([A-Z]+): (.+?)(?=^[A-Z]+: |\Z)", re.MULTILINE | re.DOTALL)
CHECKS_HEAD = """
Every check is a pure function of a recorded run: `vtchaos check runs/…` judges again. How kinds weigh:
"""
CAUSES_HEAD = """
Every operation that waited or failed gets one cause, out of this table; a report shows it with its evidence. Where two
claim the same moment, the higher rank holds it. What nothing claims is `unexplained`, and a finding of its own
(`clients/explained`).
"""
CODES_HEAD = """
The worst of a run decides. `make` prints its own `Error 1` for every code but 0. A defect of vtchaos itself is 4 too: a
sentence says what it was, and in which file its traceback is.
"""
MEANINGS = {
    Verdict.PASS: "everything that was checked held, or a known bug was reproduced where it was expected",
    Verdict.FAIL: "a finding: a promise was broken where all assumptions held, or safety was broken at all",
    Verdict.UNKNOWN: "an assumption did not hold (often: the host was starved), so the run proves nothing; see "
    "[my run says UNKNOWN](../how-to/unknown.md)",
}


# ---------------------------------------------------------------- checks


def checks() -> str:
    kinds = table(("kind", "how it weighs"), (row.groups() for row in _KIND.finditer(inspect.getdoc(CheckKind) or "")))
    rows = ((f"[`{name}`](#{anchor(name)})", check.kind.value, _first(check)) for name, check in CHECKS.items())
    overview = table(("check", "kind", "what it asks"), rows)
    return page("Checks", CHECKS_HEAD.strip(), kinds, overview, *(_check(each) for each in CHECKS.values()))


def _subject(check: Check) -> object:
    """What says what it asks: its class, or the function that a class for many checks is given."""
    return getattr(check, "judge", type(check))


def _first(check: Check) -> str:
    return first_paragraph(_subject(check))


def _check(check: Check) -> str:
    asked = [each.name for each in EXPERIMENTS.values() if check in each.checks]
    return "\n\n".join((f"## {check.name}", f"{check.kind.value}. {docstring(_subject(check))}", _asked(check, asked)))


def _asked(check: Check, asked: list[str]) -> str:
    if check in EVERY_RUN:
        return "Asked by every run."
    families = dict.fromkeys(name.partition("/")[0] for name in asked)
    return "Asked by experiments of: " + (", ".join(f"[{name}](experiments.md#{name})" for name in families) or NOTHING)


# ---------------------------------------------------------------- causes


def causes() -> str:
    rows = (
        (
            code(each.name),
            plain(each.title),
            each.blame.value,
            str(each.rank),
            plain(each.advice),
            first_paragraph(type(each)),
        )
        for each in sorted(SIGNATURES, key=lambda each: (-each.rank, each.name))
    )
    blames = table(("blame", "what it means"), _blames())
    header = ("cause", "in a report", "blame", "rank", "what to do", "what claims it")
    return page("Causes", CAUSES_HEAD.strip(), table(header, rows), "## Whose doing it is", blames)


def _blames() -> Iterator[tuple[str, str]]:
    said = enum_comments(Blame)
    return ((code(each.value), said.get(each.name, NOTHING)) for each in Blame)


# ---------------------------------------------------------------- exit codes


def exit_codes() -> str:
    rows = [(str(number), verdict.name, MEANINGS[verdict]) for verdict, number in EXIT_CODES.items()]
    kinds = [kind for kind in vars(errors).values() if _is_error(kind) and kind is not errors.VtchaosError]
    for number in sorted({kind.exit_code for kind in kinds}):
        named = [kind for kind in kinds if kind.exit_code == number]
        rows.append((str(number), codes_of(named), "; ".join(first_paragraph(kind).rstrip(".") for kind in named)))
    rows.append(
        (str(EXIT_INTERRUPTED), "interrupted", "Ctrl-C, SIGTERM: ended early and in order, and nothing was found")
    )
    body = table(("code", "name", "when"), sorted(rows, key=lambda row: int(row[0])))
    return page("Exit codes", CODES_HEAD.strip(), body, _of_commands())


def _is_error(kind: object) -> TypeGuard[type[errors.VtchaosError]]:
    return isinstance(kind, type) and issubclass(kind, errors.VtchaosError)


def codes_of(kinds: list[type[errors.VtchaosError]]) -> str:
    return ", ".join(code(kind.__name__) for kind in kinds)


def _of_commands() -> str:
    return "Commands with codes of their own say so in [commands.md](commands.md), e.g. `vtchaos fault inject`."
