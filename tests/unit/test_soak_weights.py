"""Goal: weights that cannot be drawn from are refused before the night, with a sentence that says where; those that are
shipped can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments import EXPERIMENTS
from harness.base.errors import UsageError
from harness.canaries.sabotage import SABOTAGES
from harness.soak.drawing import drawing
from harness.soak.values import Values
from harness.soak.weights import SHIPPED, planned, read, weights_of

RELEASES = ("21.0.2", "24.0.3")


def weights(*lots: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"lot": list(lots) or [{"experiment": "reparent/storm-2"}], **more}


def test_what_is_shipped_can_be_drawn_and_shows_every_canary() -> None:
    found = read(SHIPPED, RELEASES)
    families = {lot.experiment.partition("/")[0] for lot in found.lots}
    assert len(families) > len({name.partition("/")[0] for name in EXPERIMENTS}) / 2
    assert set(found.sabotages) == set(SABOTAGES)
    for number in range(1, 60):
        drawn = drawing(1, number, found)
        if not drawn.cluster:
            words = drawn.words[:-2] if drawn.sabotage else drawn.words
            spec = planned(words).cluster
            assert spec.shards * spec.tablets_per_shard <= 24, drawn


def test_what_the_file_says_is_what_is_drawn_from() -> None:
    found = weights_of(
        weights(
            {
                "name": "storms",
                "experiment": ["reparent/storm", "reparent/rolling"],
                "weight": 3,
                "place": ["kept", "own"],
                "cluster": {"shards": [2, 4], "vtorc": [True, False], "vtgate": ["", "RELEASE"]},
                "load": {"rate": {"low": 5, "high": 15, "step": 5}, "mode": "pooled"},
                "set": {"baseline_s": 5.5},
            },
            kept_in_block=2,
            kept_cluster={"shards": [1, 2]},
            sabotages=["no-buffer"],
        ),
        RELEASES,
    )
    storms, rolling = found.lots
    assert (storms.name, rolling.name) == ("storms: reparent/storm", "storms: reparent/rolling")
    assert (storms.weight, storms.kept, storms.own) == (1.5, True, True)
    assert storms.cluster["vtorc"] == Values(choices=("yes", "no"))
    assert storms.load == {"rate": Values(low=5, high=15, step=5), "mode": Values(choices=("pooled",))}
    assert storms.params == {"baseline_s": Values(choices=("5.5",))}
    assert (found.block, found.kept_in_block, found.releases) == (10, 2, RELEASES)
    assert found.sabotages == {"no-buffer": ("storms: reparent/storm", "storms: reparent/rolling")}


def test_canaries_may_be_kept_to_some_lots() -> None:
    wanted = {"lost-row": ["reparent/rolling"], "no-op": []}
    lots = [{"experiment": "reparent/storm"}, {"experiment": "reparent/rolling"}]
    assert weights_of(weights(*lots, sabotages=wanted), RELEASES).sabotages == {"lost-row": ("reparent/rolling",)}


def test_no_canaries_where_none_are_wanted() -> None:
    assert weights_of(weights(sabotages=[]), RELEASES).sabotages == {}


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (weights({"experiment": "reparent/strom"}), "no experiment is called reparent/strom; did you mean"),
        (weights({"experiment": "reparent/storm", "wieght": 1}), "lot 1 has 'wieght', which means nothing; there are"),
        (weights(blocks=3), "it has 'blocks', which means nothing"),
        (weights({"experiment": "reparent/storm", "weight": -1}), "lot 1: a weight is not negative, as -1 is"),
        (weights({"experiment": "reparent/storm", "weight": "much"}), "lot 1: weight cannot be 'much'"),
        (weights({"experiment": "reparent/storm", "weight": True}), "lot 1: weight cannot be True"),
        (weights({"weight": 1}), "lot 1 names no experiment"),
        (weights({"experiment": "reparent/storm", "place": ["here"]}), "place takes"),
        (weights({"experiment": "reparent/storm", "cluster": {"shard": 2}}), "the lot reparent/storm: No such option"),
        (weights({"experiment": "reparent/storm", "cluster": {"shards": "many"}}), "'many' is not a valid integer"),
        (weights({"experiment": "reparent/storm", "cluster": {"shards": {"low": 1, "high": 300}}}), "1 to 256 shards"),
        (weights({"experiment": "reparent/storm", "set": {"faults": 3}}), "has no parameter faults"),
        (weights({"experiment": "reparent/storm", "load": {"rate": {"low": 5}}}), "lot 1, load.rate: a range is"),
        (weights({"experiment": "reparent/storm", "load": {"rate": {"low": 5, "high": 1}}}), "from the smaller to the"),
        (weights({"experiment": "reparent/storm", "load": {"rate": []}}), "load.rate has no value to choose from"),
        (weights({"experiment": "reparent/storm", "load": {"rate": [[1]]}}), "a value is a text, a number, true or"),
        (weights({"experiment": "reparent/storm"}, {"experiment": "reparent/storm"}), "two lots are called"),
        (weights({"experiment": "reparent/storm", "weight": 0}), "no lot with a weight has the place own"),
        (
            weights(
                {"experiment": "reparent/storm", "weight": 1e308}, {"experiment": "reparent/rolling", "weight": 1e308}
            ),
            "the weights of the lots are too large to be added",
        ),
        (weights(kept_in_block=2), "no lot with a weight has the place kept"),
        (weights(block=2, kept_in_block=3), "kept_in_block 0 to block"),
        (weights(sabotages=["lost-rwo"]), "no sabotage is called lost-rwo; there are lost-row"),
        (weights(sabotages=["dropped-event"]), "the sabotage dropped-event fits none of the lots"),
        (weights(sabotages={"lost-row": ["storms"]}), "no lot that has a weight and clusters of its own is"),
        (
            weights({"experiment": "reparent/control"}, sabotages={"no-op": ["reparent/control"]}),
            "sabotages.no-op: it breaks nothing in reparent/control: it is a control",
        ),
        (
            weights({"experiment": "vstream/reparent", "load": {"streams": {"low": 1, "high": 500}}}),
            "the lot vstream/reparent: --streams 500: it takes at least 1, and at most 200 of all vtgates",
        ),
        (
            weights({"experiment": "resharding/control", "place": ["kept", "own"]}, kept_in_block=1),
            "the lot resharding/control: resharding/control needs shards that do not serve",
        ),
        (
            weights({"experiment": "reparent/storm", "place": ["kept"]}, kept_in_block=10, kept_cluster={"shards": 0}),
            "kept_cluster: --shards 0",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(plain: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        weights_of(plain, RELEASES)
    assert said in str(caught.value)


def test_a_release_must_be_there_where_one_is_drawn() -> None:
    with pytest.raises(UsageError, match="no release is installed; name some with --releases"):
        weights_of(weights({"experiment": "reparent/storm", "cluster": {"vtgate": "RELEASE"}}), ())


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read(tmp_path / "none.toml", RELEASES)
    file = tmp_path / "weights.toml"
    file.write_text("block = ")
    with pytest.raises(UsageError, match="no TOML"):
        read(file, RELEASES)
    file.write_text('[[lot]]\nexperiment = "reparent/strom"\n')
    with pytest.raises(UsageError, match=r"the weights .*weights\.toml: the lot reparent/strom: no experiment"):
        read(file, RELEASES)
