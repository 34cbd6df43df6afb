"""Delta debugging: from many things that together show something to few that do, none of which can be left out.

A. Zeller and R. Hildebrandt, Simplifying and isolating failure-inducing input, IEEE Transactions on Software
Engineering 28 (2002), 183-200. Our own thirty lines: the one package of it that fits (picire) had its last release in
2021, and wants to run the tests itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def ddmin(items: Sequence[T], still: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """The order stays. `still` is not asked about all of them, nor about none; it may be asked the same twice."""
    kept, parts = tuple(items), 2
    while len(kept) > 1:
        chunks = _chunks(kept, min(parts, len(kept)))
        rests = [sum((*chunks[:at], *chunks[at + 1 :]), ()) for at in range(len(chunks))] if len(chunks) > 2 else []
        smaller = next((chunk for chunk in chunks if still(chunk)), None)
        rest = next((rest for rest in rests if still(rest)), None) if smaller is None else None
        if smaller is not None:
            kept, parts = smaller, 2
        elif rest is not None:
            kept, parts = rest, max(parts - 1, 2)
        elif parts < len(kept):
            parts *= 2
        else:
            break
    return kept


def _chunks(items: tuple[T, ...], parts: int) -> list[tuple[T, ...]]:
    """As equal as they can be."""
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    return [items[begin:end] for begin, end in itertools.pairwise(bounds)]
