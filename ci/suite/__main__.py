"""`python -m ci.suite`. What goes wrong in the suite's own code is exit code 4 and never 1, which Python would give."""

from __future__ import annotations

import sys
import traceback

EXIT_HARNESS = 4  # as in harness.base.exit_codes, which may be what is broken


def guarded() -> int:
    try:
        from ci.suite.command import main  # here, so that a broken installation is seen too

        return main()
    except Exception:  # noqa: BLE001  the border of the suite: whatever it is, it is no finding
        traceback.print_exc()
        return EXIT_HARNESS


if __name__ == "__main__":
    sys.exit(guarded())
