"""`python -m ci.lanes`, with the Python of `make`: .venv/bin/python."""

from __future__ import annotations

import sys

from harness.base.exit_codes import EXIT_HARNESS


def main() -> int:
    try:
        from ci.lanes import command  # here, so that another Python is told what it lacks
    except ModuleNotFoundError as error:
        print(f"ci.lanes: {error}; `make` installs it for .venv/bin/python -m ci.lanes", file=sys.stderr)
        return EXIT_HARNESS
    return command.guarded()


if __name__ == "__main__":
    sys.exit(main())
