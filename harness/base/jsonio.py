"""JSON files of a run directory: strict loading into frozen dataclasses, whole-or-nothing saving."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import cattrs
import orjson
from cattrs.preconf.orjson import make_converter

from harness.base.files import replaced

T = TypeVar("T")

_CONVERTER = make_converter(forbid_extra_keys=True, prefer_attrib_converters=True)


def dumps(value: object) -> bytes:
    """Indented JSON of a dataclass or plain value, with sorted keys: the same value gives the same bytes."""
    plain = _CONVERTER.unstructure(value)
    return orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def plain(value: object) -> Any:
    """A dataclass as dicts, lists, texts and numbers."""
    return _CONVERTER.unstructure(value)


def line(value: object) -> bytes:
    """One line of a JSON-lines file."""
    return orjson.dumps(_CONVERTER.unstructure(value), option=orjson.OPT_APPEND_NEWLINE)


def structure(plain: Any, kind: type[T]) -> T:
    """Plain values into `kind`; raises ValueError that names the unknown, missing or ill-typed key."""
    try:
        return _CONVERTER.structure(plain, kind)
    except Exception as error:  # noqa: BLE001  cattrs raises groups of many kinds; all mean "does not fit"
        raise ValueError("; ".join(cattrs.transform_error(error, path=kind.__name__))) from None


def save(path: Path, value: object) -> None:
    """Write a file whole or not at all (temporary file, fsync, rename)."""
    with replaced(path) as part, part.open("wb") as out:
        out.write(dumps(value))
        out.flush()
        os.fsync(out.fileno())


def load(path: Path, kind: type[T]) -> T:
    """Read a file into `kind`. Raises FileNotFoundError, ValueError that names the file."""
    return structure(_parsed(path.read_bytes(), path.name), kind)


def load_if_whole(path: Path, kind: type[T]) -> T | None:
    """The same; None when the file is not there or does not fit."""
    try:
        return load(path, kind)
    except (FileNotFoundError, ValueError):
        return None


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file; a torn last line (the writer was killed) is left out.

    Raises ValueError that names the file and the line of anything else that is not JSON."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    whole = raw if raw.endswith(b"\n") else raw[: raw.rfind(b"\n") + 1]
    for number, text in enumerate(whole.splitlines(), start=1):
        if text:
            yield _parsed(text, f"{path.name}, line {number}")


def _parsed(raw: bytes, where: str) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON: {error}") from None
