"""What our commands end with; docs/reference/exit-codes.md says when. Other code of ours has no numbers of its own."""

from __future__ import annotations

EXIT_PASS = 0  # also of a known bug that was reproduced where it was expected
EXIT_FINDING = 1
EXIT_USAGE = 2  # click's own as well
EXIT_UNKNOWN = 3  # what was run proves nothing
EXIT_HARNESS = 4  # the harness failed, which says nothing about Vitess
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it

JUDGED = (EXIT_PASS, EXIT_FINDING, EXIT_UNKNOWN)  # of a run that came to a verdict
WORST_FIRST = (EXIT_FINDING, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_UNKNOWN, EXIT_PASS)  # of several runs
