"""Stretches of time as pairs of stamps."""

from __future__ import annotations

from collections.abc import Iterable


def joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches that touch or overlap as one."""
    found: list[tuple[int, int]] = []
    for from_ns, to_ns in sorted(spans):
        if found and from_ns <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], to_ns))
        else:
            found.append((from_ns, to_ns))
    return found


def without(whole: tuple[int, int], spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of `whole` none of the spans covers."""
    found: list[tuple[int, int]] = []
    at_ns = whole[0]
    for from_ns, to_ns in joined(spans):
        if from_ns > at_ns:
            found.append((at_ns, min(from_ns, whole[1])))
        at_ns = max(at_ns, to_ns)
    if at_ns < whole[1]:
        found.append((at_ns, whole[1]))
    return [span for span in found if span[0] < span[1]]
