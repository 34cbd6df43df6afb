"""An exception that nobody raises on purpose is the harness's own defect: exit code 4, never 1, which Python would give
and which means a finding."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from harness.base.exit_codes import EXIT_HARNESS


def told(error: Exception, program: str) -> int:
    """One sentence on stderr that says where the traceback is. Exit code."""
    where = _kept(traceback.format_exception(error), program)
    print(f"{program}: the harness itself failed: {_words(error)}; its traceback is {where}", file=sys.stderr)
    return EXIT_HARNESS


def unread(program: str) -> int:
    """Who read its output went away, as `| head` does: rich and click would end with 1. Exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left to say cannot be flushed either
    print(f"{program}: nobody reads what it says any more", file=sys.stderr)
    return EXIT_HARNESS


def _kept(lines: list[str], program: str) -> str:
    """Where it is: in a file, or above where no file can be written."""
    try:
        number, path = tempfile.mkstemp(prefix=f"{program}-", suffix=".traceback.txt", text=True)
        with os.fdopen(number, "w", encoding="utf-8") as out:
            out.writelines(lines)
    except OSError:
        print("".join(lines), file=sys.stderr)
        return "above"
    return f"in {path}"


def _words(error: BaseException) -> str:
    """Its kind and its first line; of a group, the first of its errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}{f': {said}' if said else ''}"
