"""The fields of a dataclass with the comments that stand beside them in the code."""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
import tokenize
from collections.abc import Mapping


def comments(kind: type) -> Mapping[str, str]:
    """Field → the comment on its line, also of the classes that it inherits from."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith(("harness.", "clusters.", "experiments.")):
            found |= _of_class(each)
    return found


def _of_class(kind: type) -> Mapping[str, str]:
    source = textwrap.dedent(inspect.getsource(kind))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    beside = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        statement.target.id: beside[statement.end_lineno]
        for statement in body.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and statement.end_lineno in beside
    }


def enum_comments(kind: type) -> Mapping[str, str]:
    """Member → the comment on its line."""
    source = textwrap.dedent(inspect.getsource(kind))
    rows = (line.partition("#") for line in source.splitlines() if "=" in line and "#" in line)
    return {before.partition("=")[0].strip(): comment.strip() for before, _, comment in rows}
