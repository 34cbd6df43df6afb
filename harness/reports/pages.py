"""What all our pages have in common: how a template is read, and how values get into a page's script."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup


def template(package: str, name: str, filters: Mapping[str, Callable[..., Any]] | None = None) -> Template:
    """Of the package's `templates`. All text is escaped, and a value that is not there is an error."""
    made = _environment(package)
    made.filters |= filters or {}
    return made.get_template(name)


@functools.cache
def _environment(package: str) -> Environment:
    """One for a package: it keeps its templates compiled, and that is most of the time of a small page."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def json_in_script(value: Mapping[str, Any]) -> Markup:
    """JSON inside a script element: no text in it can end the element or open a comment."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    for char, escape in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        text = text.replace(char, escape)
    return Markup(text)
