"""Partitions as pure values: who is not heard by whom.

A grudge is a set of directed pairs of names. Grudges compose: `|` has both, `-` spares, `~` turns the direction round.
The shapes are those that Jepsen uses (jepsen/nemesis.clj: bridge, majorities-ring): a partition that only splits a
cluster in two misses what a topology without a clear side does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from harness.base.errors import PlanError

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Grudge:
    """(source, target): what source sends does not reach target."""

    pairs: frozenset[Pair] = frozenset()

    def __or__(self, other: Grudge) -> Grudge:
        return Grudge(self.pairs | other.pairs)

    def __sub__(self, other: Grudge) -> Grudge:
        return Grudge(self.pairs - other.pairs)

    def __invert__(self) -> Grudge:
        return Grudge(frozenset((target, source) for source, target in self.pairs))

    def __iter__(self) -> Iterator[Pair]:
        return iter(sorted(self.pairs))

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody whom it concerns."""
        return tuple(sorted({name for pair in self.pairs for name in pair}))


def one_way(sources: Collection[str], targets: Collection[str]) -> Grudge:
    """What the sources send to the targets is lost; what they are sent arrives."""
    return Grudge(frozenset((source, target) for source in sources for target in targets if source != target))


def between(*groups: Collection[str]) -> Grudge:
    """Nobody of one group hears anybody of another."""
    _distinct(groups)
    return Grudge(
        frozenset(
            (source, target)
            for here in groups
            for there in groups
            if here is not there
            for source in here
            for target in there
        )
    )


def isolate(names: Collection[str], everybody: Collection[str]) -> Grudge:
    """These hear each other, and nobody else."""
    return between(names, [name for name in everybody if name not in names])


def bridge(left: Collection[str], right: Collection[str], over: Collection[str]) -> Grudge:
    """Two sides that do not hear each other, and some who hear both."""
    _distinct((left, right, over))
    return between(left, right)


def majorities_ring(names: Sequence[str]) -> Grudge:
    """Everybody hears a majority, and no two the same one: each hears his neighbours on a ring. Needs five or more:
    of fewer, a majority of neighbours is everybody, or half of them hear whom the others hear."""
    count = len(names)
    if count < 5:
        raise PlanError(f"a ring of majorities needs at least five, not {count}")
    reach = (count // 2) // 2 + (count // 2) % 2  # so many on each side, with oneself a majority
    heard = {
        (names[(here + step) % count], names[here])
        for here in range(count)
        for step in range(-reach, reach + 1)
        if step
    }
    return one_way(names, names) - Grudge(frozenset(heard))


def _distinct(groups: Collection[Collection[str]]) -> None:
    names = [name for group in groups for name in group]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PlanError(f"a partition has {', '.join(twice)} on two of its sides")
