"""The files of a run directory, as the module that names them lists them."""

from __future__ import annotations

from ci.reference.markdown import code, page, table
from harness.base import rundir

HEAD = """
Running code only appends to these files; verdicts and reports are made from them alone, here or anywhere else
(`vtchaos check`, `vtchaos report`). Stamps are nanoseconds of a monotonic clock; `clock.json` ties it to the wall.
"""


def run_directory() -> str:
    return page(
        "Files of a run directory",
        HEAD.strip(),
        table(("file", "what is in it"), ((code(name), what) for name, what in ROWS)),
    )


def _rows() -> list[tuple[str, str]]:
    listing = (rundir.__doc__ or "").partition("\n\n")[2].strip()
    return [(name, what) for name, what in (_row(line) for line in listing.splitlines())]


def _row(line: str) -> tuple[str, str]:
    name, _, what = line.partition(" ")
    return name, what.strip()


ROWS = _rows()
"""Name → what is in it."""
