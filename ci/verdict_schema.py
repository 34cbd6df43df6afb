"""The JSON schema of verdict.json, from the dataclasses that are saved in it: `python -m ci.verdict_schema [--check]`.

What a field means is the comment beside it, what a class means its docstring, so that the schema says what the code
says. Only as much of JSON Schema (2020-12) is used as those classes need.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any

import orjson

from harness.model import RunVerdict

PATH = Path(__file__).parent.parent / "docs" / "verdict.schema.json"
_PLAIN: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_COMMENT = re.compile(r"^\s+(\w+): .*?\s#\s(.+)$")
Schema = dict[str, Any]


def schema(root: type[Any] = RunVerdict) -> Schema:
    """The schema of a dataclass and of all that it holds."""
    found: dict[str, Schema] = {}
    first = _of(root, found)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "verdict.json of a run of vtchaos",
        **first,
        "$defs": found,
    }


def _of(kind: Any, found: dict[str, Schema]) -> Schema:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_of(one, found) for one in arguments]}
    if origin is tuple and arguments[1:] == (...,):
        return {"type": "array", "items": _of(arguments[0], found)}
    if origin in (dict, collections.abc.Mapping):
        return {"type": "object", "additionalProperties": _of(arguments[1], found)}
    if isinstance(kind, type) and (issubclass(kind, enum.Enum) or dataclasses.is_dataclass(kind)):
        if kind.__name__ not in found:
            found[kind.__name__] = {}
            found[kind.__name__] = _enum(kind) if issubclass(kind, enum.Enum) else _object(kind, found)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    raise TypeError(f"no schema for {kind!r}")


def _enum(kind: type[enum.Enum]) -> Schema:
    names = ", ".join(f"{one.value} = {one.name}" for one in kind)
    return {"enum": [one.value for one in kind], "description": f"{inspect.getdoc(kind) or ''}\n{names}".strip()}


def _object(kind: type[Any], found: dict[str, Schema]) -> Schema:
    hints = typing.get_type_hints(kind)
    comments = _comments(kind)
    properties = {
        field.name: _of(hints[field.name], found)
        | ({"description": comments[field.name]} if field.name in comments else {})
        for field in dataclasses.fields(kind)
    }
    return {
        "type": "object",
        "description": inspect.getdoc(kind) or "",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _comments(kind: type[Any]) -> dict[str, str]:
    lines = (_COMMENT.match(line) for line in inspect.getsource(kind).splitlines())
    return {line[1]: line[2] for line in lines if line}


def text() -> bytes:
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main(argv: list[str]) -> int:
    if argv == ["--check"]:
        fresh = PATH.is_file() and PATH.read_bytes() == text()
        print(f"{PATH.name} is {'fresh' if fresh else 'stale: run python -m ci.verdict_schema'}")
        return 0 if fresh else 1
    PATH.write_bytes(text())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
