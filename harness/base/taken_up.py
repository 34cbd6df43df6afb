"""Folders of several runs: their names, and what makes a folder one that a command may take up again."""

from __future__ import annotations

import datetime
import secrets
from pathlib import Path
from typing import TypeVar

from harness.base import jsonio
from harness.base.errors import RunDirError

T = TypeVar("T")


def new_name(*what: str) -> str:
    """When, what, and a few digits that nothing else of this second has."""
    now = datetime.datetime.now(tz=datetime.UTC)
    return "-".join((f"{now:%Y%m%d-%H%M%S}", *(word.replace("/", "-") for word in what), secrets.token_hex(2)))


def fitting(path: Path, kind: type[T]) -> T:
    """What a file holds. Raises RunDirError for one that another version wrote, or that is not whole; OSError."""
    try:
        return jsonio.load(path, kind)
    except ValueError as error:
        raise RunDirError(f"{path} does not fit this version of vtchaos: {error}") from None


def taken_up(folder: Path, name: str, kind: type[T], *, what: str) -> T | None:
    """What the file `name` says of a folder that is taken up again; None: it is a new one. Raises RunDirError for a
    folder of something else, and as `fitting`. `what`: in words, e.g. "sweep"."""
    if (folder / name).is_file():
        return fitting(folder / name, kind)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunDirError(f"{folder} exists and is not empty, and holds no {what}; give another --out")
    return None


def make(folder: Path) -> None:
    """It is there, and so are those above it. Raises RunDirError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirError(f"{folder} cannot be made ({error.strerror}); give another --out") from None
