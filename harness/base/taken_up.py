"""Folders of several runs: names, owners, and what makes a folder one that a command may take up again."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, TypeVar

from harness.base import jsonio
from harness.base.errors import RunDirError

T = TypeVar("T")
LOCK = ".lock"


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
    ours = {LOCK, f"{name}.part"}  # of one that was killed before it had anything else
    if folder.exists() and (not folder.is_dir() or any(path.name not in ours for path in folder.iterdir())):
        raise RunDirError(f"{folder} exists and is not empty, and holds no {what}; give another --out")
    return None


def make(folder: Path) -> None:
    """It is there, and so are those above it. Raises RunDirError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirError(f"{folder} cannot be made ({error.strerror}); give another --out") from None


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Make the folder, and be the only one at work in it. The kernel lets go of it when our process ends, however that
    ends. Raises RunDirError while another has it, and as `make`."""
    make(folder)
    with _lock(folder) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunDirError(f"another vtchaos is at work in {folder}; let it end, or give another --out") from None
        yield


def _lock(folder: Path) -> TextIO:
    try:
        return (folder / LOCK).open("a", encoding="utf-8")
    except OSError as error:
        raise RunDirError(f"{folder} cannot be written ({error.strerror}); give another --out") from None
