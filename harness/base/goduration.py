"""Durations as Vitess's flags spell them: Go's time.ParseDuration ("10s", "1m30s", "1.5h", "250ms")."""

from __future__ import annotations

import re

from harness.base.errors import PlanError, UsageError

_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
MOST_BUDGET_S = 366 * 24 * 3600.0
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def duration_s(text: str) -> float:
    """Seconds of a Go duration. Raises ValueError that names the text; a bare number other than 0 is none."""
    body = text.strip()
    sign = -1.0 if body.startswith("-") else 1.0
    body = body.lstrip("+-")
    if body == "0":
        return 0.0
    at, total = 0, 0.0
    while at < len(body):
        part = _PART.match(body, at)
        if part is None:
            break
        total += float(part[1]) * _UNIT_S[part[2]]
        at = part.end()
    if at == 0 or at < len(body):
        raise ValueError(f"{text!r} is not a Go duration; right would be 10s, 1m30s or 250ms")
    return sign * total


def seconds_of(text: str, flag: str) -> float:
    """The same of a flag's value. Raises PlanError."""
    try:
        return duration_s(text)
    except ValueError:
        raise PlanError(f"{flag} takes a duration such as 10s, 1m30s or 500ms, not {text!r}") from None


def budget_s(text: str) -> float:
    """The same of --budget. Raises UsageError, also for nothing at all and for more than can be meant."""
    try:
        found = duration_s(text)
    except ValueError:
        found = 0.0
    if found <= 0:
        raise UsageError(f"--budget takes a duration such as 8h or 90m, not {text!r}")
    if found > MOST_BUDGET_S:
        raise UsageError(f"--budget takes at most a year, not {text!r}")
    return found
