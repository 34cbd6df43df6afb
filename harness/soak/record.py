"""What is kept of one run, read in a process of its own: `python -m harness.soak.record RUN_DIR SOAK_DIR`.

A recording is tens of megabytes in memory, and what a process once had of them it hardly gives back; a soak lives for
days. Prints a RunRecord as JSON; a record that cannot be read is a sentence on stderr and exit code 2.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.base import jsonio
from harness.base.errors import VtchaosError
from harness.base.exit_codes import EXIT_USAGE
from harness.base.rundir import RunDir
from harness.repeats.command import recorded


def main(run: str, inside: str) -> int:
    try:
        record = recorded(RunDir(Path(run)), Path(inside))
    except (VtchaosError, ValueError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    sys.stdout.buffer.write(jsonio.line(record))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
