"""`python -m ci.lanes`: run the known-bug lanes, and keep what they come to.

    python -m ci.lanes --list                        what there is, and how long a run takes
    python -m ci.lanes 17778 16438 --runs 20         these two, until 20 runs of each command line count (at most 30)
    python -m ci.lanes --runs 5 --budget 2h          all, one run of each after the other, as long as there is time
    python -m ci.lanes --runs 5 --jobs 4             runs of four command lines at once, each with a log beside it
    python -m ci.lanes --write                       what is in --out into results.json and docs/track-record.md

Runs that are in the folder already are not made again. Exit codes: 1 a bug did not show where it must, or something was
red where nothing may be; 2 usage; 4 the harness failed; 130 interrupted; 3 nothing is proven yet of some release; 0 all
hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ci.lanes import results, words
from ci.lanes.making import Lanes, measured
from ci.lanes.table import chosen
from harness.base import unexpected
from harness.base.checkout import ROOT
from harness.base.errors import VtchaosError
from harness.base.exit_codes import EXIT_INTERRUPTED
from harness.base.files import write_text
from harness.base.goduration import duration_s
from harness.base.taken_up import owned

PROGRAM = "ci.lanes"
TRACK_RECORD = ROOT / "docs" / "track-record.md"


def guarded(given: Sequence[str] | None = None) -> int:
    """Exit code. Whatever goes wrong here is no lane that does not hold."""
    try:
        return main(given)
    except VtchaosError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  the border of the command
        return unexpected.told(error, PROGRAM)


def main(given: Sequence[str] | None = None) -> int:
    """Exit code. Raises VtchaosError."""
    parser = _parser()
    asked = parser.parse_args(given)
    try:
        lanes = chosen(tuple(asked.bugs))
    except LookupError as error:
        parser.error(str(error))
    if asked.list:
        print("\n".join(words.listed(lanes, results.recorded())))
        return 0
    if asked.write:
        write(asked.out)
        return 0
    with owned(asked.out):
        return Lanes(lanes, asked.out, asked.budget, Console(), jobs=asked.jobs).run(asked.runs)


def write(out: Path) -> None:
    """The record and the table of the track record."""
    lanes = chosen(())
    known = results.merged(results.recorded(), measured(lanes, out))
    results.record(known)
    page = words.filled(TRACK_RECORD.read_text(encoding="utf-8"), lanes, known)
    write_text(TRACK_RECORD, page)


def _number(text: str) -> int:
    """At least one."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"it takes a whole number from 1 on, not {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ci.lanes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bugs", nargs="*", metavar="BUG", help="lanes by name or a part of it; all by default")
    parser.add_argument("--runs", type=_number, default=20, help="of each command line, that count  [%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("runs/lanes"), help="a folder for each lane  [%(default)s]")
    parser.add_argument(
        "--budget", type=duration_s, default=float("inf"), metavar="2h", help="begin no run that would end later"
    )
    parser.add_argument(
        "--jobs", type=_number, default=1, help="so many runs at once, of different command lines  [%(default)s]"
    )
    parser.add_argument("--list", action="store_true", help="show the lanes")
    parser.add_argument("--write", action="store_true", help="add what is in --out to the record, and write the table")
    return parser
