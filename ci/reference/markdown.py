"""Tables and paragraphs as GitHub reads them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

NOTE = "<!-- written by `python -m ci.reference` from the code: change it there -->"
NOTHING = "–"
_TAG = re.compile(r"<(?=[A-Za-z/])")  # GitHub would take it for HTML


def page(title: str, *parts: str) -> str:
    """A whole page, with a newline at its end."""
    return "\n\n".join((f"# {title}", NOTE, *(part for part in parts if part))) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines)


def code(text: object) -> str:
    return f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    return ", ".join(code(text) for text in texts) or NOTHING


def anchor(heading: str) -> str:
    """GitHub's own: lower case, dashes for blanks, everything else gone."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def docstring(of: object) -> str:
    """All of it."""
    return plain(inspect.getdoc(of) or "")


def first_paragraph(of: object) -> str:
    """Up to an empty line, as one line."""
    return plain(" ".join((inspect.getdoc(of) or "").partition("\n\n")[0].split()))


def plain(text: str) -> str:
    """Text of ours, with nothing in it that GitHub would hide."""
    return _TAG.sub("&lt;", text)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split()) or NOTHING
