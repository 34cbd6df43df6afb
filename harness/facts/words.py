"""Numbers as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"


def counted(number: float, noun: str, plural: str = "") -> str:
    """1 error, 12,840 errors."""
    return f"{number:,.0f} {noun if number == 1 else plural or noun + 's'}"


def listed(items: Iterable[str], at_most: int = 4) -> str:
    """The first few, and how many more: "-08, 08-10 and 30 more"."""
    found = list(items)
    shown = ", ".join(found[:at_most])
    return shown if len(found) <= at_most else f"{shown} and {len(found) - at_most} more"
