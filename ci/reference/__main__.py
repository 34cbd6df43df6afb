"""Write the pages, or say which are stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ci.reference import places
from ci.reference.commands import commands
from ci.reference.experiments import experiments
from ci.reference.faults import faults
from ci.reference.rundirs import run_directory
from ci.reference.verdicts import causes, checks, exit_codes

DOCS = Path(__file__).parents[2] / "docs"
PAGES: Mapping[str, Callable[[], str]] = {
    "reference/experiments.md": experiments,
    "reference/faults.md": faults,
    "reference/checks.md": checks,
    "reference/causes.md": causes,
    "reference/exit-codes.md": exit_codes,
    "reference/commands.md": commands,
    "reference/run-directory.md": run_directory,
}
WHERE = "what-runs-where.md"  # written by hand, but for its tables
BLOCKS: Mapping[str, Callable[[], str]] = {
    "capabilities": places.capabilities,
    "reasons": places.reasons,
    "faults": places.faults,
    "memory": places.memory,
    "options": places.options,
}


def pages() -> Mapping[str, str]:
    """Path below docs → what it must hold."""
    whole = {path: made() for path, made in PAGES.items()}
    return {**whole, WHERE: filled((DOCS / WHERE).read_text())}


def filled(text: str) -> str:
    """A page with its generated tables as they are now. Raises ValueError: one has no place in it."""
    for name, made in BLOCKS.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"docs/{WHERE} has no place for {name}")
        before, _, rest = text.partition(begin)
        text = before + begin + made() + "\n" + end + rest.partition(end)[2]
    return text


def stale() -> list[str]:
    return [path for path, text in pages().items() if not _is(DOCS / path, text)]


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ci.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when a page is stale")
    asked = parser.parse_args()
    old = stale()
    if asked.check:
        sys.exit(f"stale, write them with `python -m ci.reference`: {', '.join(old)}" if old else 0)
    made = pages()
    for path in old:
        (DOCS / path).parent.mkdir(exist_ok=True)
        (DOCS / path).write_text(made[path])
        print(f"docs/{path}")


if __name__ == "__main__":
    main()
