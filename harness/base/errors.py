"""Every exception that the harness raises on purpose.

    VtchaosError
    ├── UsageError            the user asked for something impossible or misspelt   → exit 2
    │   ├── PlanError         refused before anything was started
    │   └── RunDirError       a run directory that is missing, broken or of another version
    └── HarnessError          the harness could not do its own work                 → exit 4
        ├── SoftwareError     a program could not be found, installed or verified
        ├── ClusterError      a component did not start, died, or does not answer
        ├── WaitTimeout       a named wait passed its bound; carries the last value seen
        └── ProcessError      a command failed; carries its last lines of output

A misbehaving database is never one of these: it is an Op, a Sample or a CheckResult.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.exit_codes import EXIT_HARNESS, EXIT_USAGE


class VtchaosError(Exception):
    """Root of the tree. The message is one sentence for the user: what, where, and what would be right."""

    exit_code = EXIT_HARNESS


class UsageError(VtchaosError):
    """The user's input cannot be carried out as given."""

    exit_code = EXIT_USAGE


class PlanError(UsageError):
    """The plan was refused; nothing was started."""


class RunDirError(UsageError):
    """A run directory is missing, incomplete or not readable."""


class HarnessError(VtchaosError):
    """The harness failed at its own work; says nothing about Vitess."""


class SoftwareError(HarnessError):
    """A program could not be found, built, downloaded or verified."""


class ClusterError(HarnessError):
    """A component of the cluster did not start, died, or does not answer."""


class WaitTimeout(HarnessError):
    """A named wait passed its bound."""

    def __init__(self, name: str, timeout_s: float, last: object) -> None:
        super().__init__(f"{name}: not within {timeout_s:g} s; last seen: {last!r}")
        self.name = name
        self.timeout_s = timeout_s
        self.last = last


class ProcessError(HarnessError):
    """A command ended with a failure or passed its bound."""

    def __init__(self, argv: Sequence[str], why: str, tail: str = "") -> None:
        shown = " ".join(argv)
        super().__init__(f"{shown}: {why}" + (f"\n{tail.rstrip()}" if tail else ""))
        self.argv = tuple(argv)
        self.why = why
        self.tail = tail
