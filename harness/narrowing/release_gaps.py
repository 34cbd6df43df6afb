"""Which releases of Vitess there may be between two: patch releases have no gaps in their numbers, a series has one
minor number (N.0), and how many patch releases it has nobody can know from its number."""

from __future__ import annotations

import re

_RELEASE = re.compile(r"^(\d+)\.(\d+)\.(\d+)$")


def missing_between(older: str, newer: str) -> str:
    """In words, e.g. "21.0.4 and later of the series 21.0"; "" where there can be none, or nobody knows (a build)."""
    from_, to = _RELEASE.match(older), _RELEASE.match(newer)
    if from_ is None or to is None:
        return ""
    low, high = tuple(map(int, from_.groups())), tuple(map(int, to.groups()))
    if low[:2] == high[:2]:
        return ", ".join(f"{low[0]}.{low[1]}.{patch}" for patch in range(low[2] + 1, high[2]))
    parts = [f"{low[0]}.{low[1]}.{low[2] + 1} and later of the series {low[0]}.{low[1]}"]
    parts += [f"the series {major}.0" for major in range(low[0] + 1, high[0])]
    if high[2]:
        first = f"{high[0]}.{high[1]}.0"
        parts.append(first if high[2] == 1 else f"{first} to {high[0]}.{high[1]}.{high[2] - 1}")
    return ", ".join(parts)
