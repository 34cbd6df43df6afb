"""What run number k of a soak is: a function of the seed, of k and of the weights. Pure.

The runs come in blocks. The first ones of a block are on a cluster that stays for them (if it stays healthy), the
others have clusters of their own, so that nothing idles beside a run that is measured. One of the latter is a canary.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from harness.base.rng import child
from harness.many.children import seed_of
from harness.soak.values import Drawing, Lot, Values, Weights

RELEASE = "RELEASE"
FLAGS = {"yes": "--", "no": "--no-"}


def drawing(seed: int, number: int, weights: Weights) -> Drawing:
    """`number`: from 1."""
    block, place = divmod(number - 1, weights.block)
    kept = place < weights.kept_in_block
    kind = _sabotage(seed, block, place, weights)
    lot = _lot(child(seed, f"run {number}: lot"), weights, kept=kept, kind=kind)
    return Drawing(
        number=number,
        lot=lot.name,
        experiment=lot.experiment,
        words=(*_words(lot, seed, number, weights.releases, kept=kept), *(("--sabotage", kind) if kind else ())),
        seed=seed_of(seed, number),
        sabotage=kind,
        cluster=_options(weights.kept_cluster, seed, f"block {block}", weights.releases) if kept else (),
    )


def _sabotage(seed: int, block: int, place: int, weights: Weights) -> str:
    """The kind of canary that stands at this place of this block; "" = none. Every kind comes once before one comes
    again."""
    if place != _place_of_canary(seed, block, weights):
        return ""
    kinds = sorted(weights.sabotages)
    turn, nth = divmod(block, len(kinds))
    child(seed, f"canaries {turn}").shuffle(kinds)
    return kinds[nth]


def _place_of_canary(seed: int, block: int, weights: Weights) -> int | None:
    """Among those of the block that have clusters of their own. None: there is no canary."""
    own = weights.block - weights.kept_in_block
    if not weights.sabotages or own < 1:
        return None
    return weights.kept_in_block + child(seed, f"block {block}: canary").randrange(own)


def first_canary(seed: int, weights: Weights) -> int:
    """Number of the first run that is a canary; 0: no run will be."""
    place = _place_of_canary(seed, 0, weights)
    return 0 if place is None else place + 1


def _lot(dice: Random, weights: Weights, *, kept: bool, kind: str) -> Lot:
    lots = [lot for lot in weights.lots if lot.weight > 0 and (lot.kept if kept else lot.own)]
    if kind:
        lots = [lot for lot in lots if lot.name in weights.sabotages[kind]]
    return dice.choices(lots, weights=[lot.weight for lot in lots])[0]


def _words(lot: Lot, seed: int, number: int, releases: Sequence[str], *, kept: bool) -> tuple[str, ...]:
    options = lot.load if kept else {**lot.cluster, **lot.load}
    words = _options(options, seed, f"run {number}", releases)
    params = ((name, _value(lot.params[name], child(seed, f"run {number}: {name}"))) for name in sorted(lot.params))
    settings = (("--set", f"{name}={value}") for name, value in params if value)
    return (lot.experiment, *words, *itertools.chain.from_iterable(settings))


def _options(options: Mapping[str, Values], seed: int, whose: str, releases: Sequence[str]) -> tuple[str, ...]:
    """Words of a command line. Each option has a child of the seed: what one draws shifts no other."""
    found: list[str] = []
    for name in sorted(options):
        dice = child(seed, f"{whose}: --{name}")
        value = _value(options[name], dice)
        found += words_of_option(name, released(value, dice.choice(releases)) if RELEASE in value else value)
    return tuple(found)


def released(value: str, release: str) -> str:
    """With the release in the place of RELEASE; of two that are the same now, one."""
    return ",".join(dict.fromkeys(value.replace(RELEASE, release).split(",")))


def words_of_option(name: str, value: str) -> tuple[str, ...]:
    if value in FLAGS:
        return (FLAGS[value] + name,)
    return (f"--{name}", value) if value else ()


def _value(values: Values, dice: Random) -> str:
    if values.choices:
        return dice.choice(values.choices)
    return f"{values.low + values.step * dice.randint(0, steps(values)):g}"


def steps(values: Values) -> int:
    return round((values.high - values.low) / values.step)


def extremes(values: Values) -> Iterator[str]:
    """All choices, or both ends of a range."""
    yield from values.choices or dict.fromkeys((f"{values.low:g}", f"{values.high:g}"))
