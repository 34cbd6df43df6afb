"""The weights of a soak: a TOML file into `Weights`, or a sentence that says what is wrong with it.

    block = 10                        # so many runs have one canary and one kept cluster
    kept_in_block = 4                 # so many of them are on the kept cluster
    sabotages = ["lost-row"]          # kinds of canaries; all when it is left out, [] = no canaries; or a table:
                                      # sabotages.lost-row = ["reparent/storm"], by the names of lots

    [kept_cluster]                    # options of `vtchaos up`
    shards = [1, 2, 2, 4]             # one of these

    [[lot]]
    experiment = "reparent/storm"     # or a list
    weight = 4
    place = ["kept", "own"]           # where its runs may be; ["own"] when it is left out
    cluster.shards = [2, 4]           # options of a cluster of its own
    load.rate = {low = 5, high = 20}  # a number of that range; step = 1 unless given
    set.reparents = [0, 1]            # parameters of the experiment

Everything that may be drawn is planned before anything is run, so that no night ends with what `vtchaos plan` refuses.
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from experiments import EXPERIMENTS
from experiments.reparent import CLUSTER
from harness import planning, refusals
from harness.base.errors import PlanError, UsageError
from harness.canaries.sabotage import SABOTAGES
from harness.model import ClusterSpec, Plan
from harness.options import cluster_options, load_options, overrides
from harness.soak.drawing import RELEASE, extremes, released, words_of_option
from harness.soak.values import Lot, Values, Weights

SHIPPED = Path(__file__).with_name("weights.toml")
BLOCK = 10
MOST_PLANS = 64  # of one lot: all combinations while they are fewer, else each option by itself
PLACES = ("kept", "own")
_KEYS = {"block": int, "kept_in_block": int, "kept_cluster": dict, "sabotages": (list, dict), "lot": list}
_LOT_KEYS = {
    "name": str, "experiment": (str, list), "weight": (int, float), "place": list, "cluster": dict, "load": dict,
    "set": dict,
}  # fmt: skip


def read(path: Path, releases: Sequence[str]) -> Weights:
    """Raises UsageError. `releases`: what RELEASE may stand for, if the file has the word."""
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the weights {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the weights {path} are no TOML: {error}") from None
    try:
        return weights_of(plain, releases)
    except UsageError as error:
        raise UsageError(f"the weights {path}: {error}") from None


def weights_of(plain: Mapping[str, Any], releases: Sequence[str]) -> Weights:
    """What the file says, planned, with its canaries. Raises UsageError."""
    _known("it", plain, _KEYS)
    lots = tuple(lot for number, row in enumerate(plain.get("lot", ()), start=1) for lot in _lots(number, row))
    found = Weights(
        lots=lots,
        releases=tuple(releases),
        block=plain.get("block", BLOCK),
        kept_in_block=plain.get("kept_in_block", 0),
        kept_cluster=_values("kept_cluster", plain.get("kept_cluster", {})),
    )
    _refuse(found)
    return replace(found, sabotages=_canaries(_plans(found), plain.get("sabotages")))


# ---------------------------------------------------------------- reading


def _lots(number: int, row: Mapping[str, Any]) -> Iterator[Lot]:
    """One for each experiment that the row names; they share its weight."""
    where = f"lot {number}"
    _known(where, row, _LOT_KEYS)
    named = row.get("experiment", ())
    experiments = [named] if isinstance(named, str) else [str(each) for each in named]
    if not experiments:
        raise UsageError(f"{where} names no experiment")
    places = row.get("place", ["own"])
    if not places or set(places) - set(PLACES):
        raise UsageError(f'{where}: place takes "kept", "own" or both, not {places!r}')
    weight = row.get("weight", 1)
    if not (math.isfinite(weight) and weight >= 0):
        raise UsageError(f"{where}: a weight is not negative, as {weight:g} is")
    for experiment in experiments:
        name = row.get("name", experiment)
        yield Lot(
            name=name if len(experiments) == 1 or "name" not in row else f"{name}: {experiment}",
            experiment=experiment,
            weight=weight / len(experiments),
            kept="kept" in places,
            own="own" in places,
            cluster=_values(f"{where}, cluster", row.get("cluster", {})),
            load=_values(f"{where}, load", row.get("load", {})),
            params=_values(f"{where}, set", row.get("set", {})),
        )


def _known(where: str, row: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
    for key, value in row.items():
        if key not in keys:
            raise UsageError(f"{where} has {key!r}, which means nothing; there are {', '.join(keys)}")
        if not isinstance(value, keys[key]) or isinstance(value, bool):
            raise UsageError(f"{where}: {key} cannot be {value!r}")


def _values(where: str, row: Mapping[str, Any]) -> Mapping[str, Values]:
    return {name: _of(f"{where}.{name}", value) for name, value in row.items()}


def _of(where: str, value: Any) -> Values:
    if isinstance(value, dict):
        return _range(where, value)
    choices = tuple(_text(where, each) for each in (value if isinstance(value, list) else (value,)))
    if not choices:
        raise UsageError(f"{where} has no value to choose from")
    return Values(choices=choices)


def _range(where: str, row: Mapping[str, Any]) -> Values:
    numbers = {"step": 1, **row}
    if set(numbers) != {"low", "high", "step"} or not all(_is_number(each) for each in numbers.values()):
        raise UsageError(f"{where}: a range is {{low = 1, high = 5}}, perhaps with a step, all of them numbers")
    if not (numbers["low"] <= numbers["high"] and numbers["step"] > 0):
        raise UsageError(f"{where}: a range goes from the smaller to the larger, in steps above 0")
    return Values(low=float(numbers["low"]), high=float(numbers["high"]), step=float(numbers["step"]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _text(where: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if _is_number(value):
        return f"{value:g}"
    raise UsageError(f"{where}: a value is a text, a number, true or false, not {value!r}")


# ---------------------------------------------------------------- refusing


def _refuse(weights: Weights) -> None:
    if weights.block < 1 or not 0 <= weights.kept_in_block <= weights.block:
        raise UsageError("block takes 1 or more, kept_in_block 0 to block")
    if not math.isfinite(sum(lot.weight for lot in weights.lots)):
        raise UsageError("the weights of the lots are too large to be added")
    names = [lot.name for lot in weights.lots]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two lots are called {name}; give them names")
    if weights.kept_in_block and not any(lot.kept and lot.weight for lot in weights.lots):
        raise UsageError("kept_in_block is above 0, and no lot with a weight has the place kept")
    if weights.kept_in_block < weights.block and not any(lot.own and lot.weight for lot in weights.lots):
        raise UsageError("no lot with a weight has the place own")


def _plans(weights: Weights) -> Mapping[str, Sequence[Plan]]:
    """Lot → whatever may be drawn of it on a cluster of its own, at its extremes. Raises UsageError, also for what
    may be drawn on the kept cluster."""
    found: dict[str, Sequence[Plan]] = {}
    kept = (
        [_kept(words) for words in _combined(weights.kept_cluster, weights.releases)] if weights.kept_in_block else []
    )
    for lot in weights.lots:
        try:
            experiment = planning.choose(lot.experiment, EXPERIMENTS)
            drawable = _drawable(lot, {**lot.cluster, **lot.load}, weights.releases) if lot.own else ()
            plans = [planned((experiment.name, *words)) for words in drawable]
            found[lot.name] = plans if lot.weight else ()
            for words in _drawable(lot, lot.load, weights.releases) if lot.kept else ():
                for running in kept:
                    planned((experiment.name, *words), running)
        except (UsageError, click.ClickException) as error:
            said = error.format_message() if isinstance(error, click.ClickException) else str(error)
            raise UsageError(f"the lot {lot.name}: {said}") from None
    return found


def _drawable(lot: Lot, options: Mapping[str, Values], releases: Sequence[str]) -> Iterator[tuple[str, ...]]:
    settings = {f"set {name}": values for name, values in lot.params.items()}
    return _combined({**options, **settings}, releases)


def _combined(options: Mapping[str, Values], releases: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Words: all combinations of extremes, or each extreme by itself where those would be too many."""
    each = {name: tuple(dict.fromkeys(extremes(values))) for name, values in options.items()}
    if math.prod(len(values) for values in each.values()) <= MOST_PLANS:
        for values in itertools.product(*each.values()):
            yield tuple(itertools.chain(*map(_words, each, values, itertools.repeat(releases))))
        return
    for name, values in each.items():
        yield from (_words(name, value, releases) for value in values)


def _words(name: str, value: str, releases: Sequence[str]) -> tuple[str, ...]:
    if name.startswith("set "):
        return ("--set", f"{name.removeprefix('set ')}={value}") if value else ()
    if RELEASE in value and not releases:
        raise UsageError(f"--{name} {value}: no release is installed; name some with --releases")
    return words_of_option(name, released(value, releases[0]) if RELEASE in value else value)


def _kept(words: Sequence[str]) -> ClusterSpec:
    """The kept cluster that `vtchaos up` makes of these words. Raises UsageError."""
    try:
        with _up.make_context("up", list(words)) as context:
            spec = planning.cluster_spec(CLUSTER, overrides(dict(context.params)))
        refusals.refuse_cluster(spec)
    except (PlanError, click.ClickException) as error:
        said = error.format_message() if isinstance(error, click.ClickException) else str(error)
        raise UsageError(f"kept_cluster: {said}") from None
    return spec


def planned(words: Sequence[str], running: ClusterSpec | None = None) -> Plan:
    """What `vtchaos run` with these words would do, but for what this machine has no room for. `running`: the kept
    cluster that it would be on. Raises PlanError, click.ClickException."""
    with _run.make_context("run", list(words)) as context:
        given = dict(context.params)
    return planning.build(
        planning.choose(given.pop("experiment"), EXPERIMENTS),
        overrides(given),
        backend="local",
        seed=0,
        command_line=(),
        harness_version="",
        running=running,
        cluster_name="soak" if running is not None else "",
    )


@click.command("up")
@cluster_options
def _up(**_: Any) -> None:
    """The options of `vtchaos up` that a soak may draw."""


@click.command("run")
@click.argument("experiment")
@cluster_options
@load_options
def _run(**_: Any) -> None:
    """The options of `vtchaos run` that a soak may draw."""


# ---------------------------------------------------------------- canaries


def _canaries(plans: Mapping[str, Sequence[Plan]], wanted: Any) -> Mapping[str, tuple[str, ...]]:
    """Kind of sabotage → the lots that it can be used in, whatever is drawn. `wanted`: kinds, or kind → names of lots;
    None = all of both. Raises UsageError for what is wanted and does not exist or does not fit."""
    for kind in wanted or ():
        if kind not in SABOTAGES:
            raise UsageError(f"no sabotage is called {kind}; there are {', '.join(SABOTAGES)}")
    if isinstance(wanted, Mapping):
        return {kind: tuple(_showing(kind, name, plans) for name in names) for kind, names in wanted.items() if names}
    kinds = SABOTAGES if wanted is None else wanted
    found = {kind: tuple(name for name, rows in plans.items() if rows and not _unfit(kind, rows)) for kind in kinds}
    for kind in wanted or ():
        if not found[kind]:
            raise UsageError(f"the sabotage {kind} fits none of the lots that have clusters of their own")
    return {kind: lots for kind, lots in found.items() if lots}


def _showing(kind: str, name: str, plans: Mapping[str, Sequence[Plan]]) -> str:
    """The lot of that name. Raises UsageError where it cannot show the sabotage."""
    if not plans.get(name):
        raise UsageError(f"sabotages.{kind}: no lot that has a weight and clusters of its own is called {name}")
    why_not = _unfit(kind, plans[name])
    if why_not:
        raise UsageError(f"sabotages.{kind}: it breaks nothing in {name}: {why_not}")
    return name


def _unfit(kind: str, plans: Sequence[Plan]) -> str:
    reasons = (SABOTAGES[kind].unfit(plan, EXPERIMENTS[plan.experiment]) for plan in plans)
    return next((why for why in reasons if why), "")
