"""index.html: the same answer with links to the report of every run; opens offline, in light and dark."""

from __future__ import annotations

from pathlib import Path

from ci.suite import words
from ci.suite.values import Result
from harness.base.files import write_text
from harness.reports.pages import template


def render(found: Result, out: Path) -> Path:
    write_text(out, template("ci.suite", "index.html").render(found=found, words=words))
    return out
