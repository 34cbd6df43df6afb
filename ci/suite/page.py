"""index.html: the same answer with links to the report of every run; opens offline, in light and dark."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ci.suite import words
from ci.suite.values import Result
from harness.base.files import replaced

TEMPLATES = Path(__file__).with_name("templates")


def render(found: Result, out: Path) -> Path:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = made.get_template("index.html").render(found=found, words=words)
    with replaced(out) as part:
        part.write_text(text, encoding="utf-8")
    return out
