"""Goal: a seed draws the same faults again, of what the cluster can do; what cannot be injected is on record."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from experiments import random as family
from experiments import serving
from harness.base import jsonio
from harness.base.errors import ClusterError
from harness.faults.catalogue import FAULTS, sample, told
from harness.model import Capability, ClusterSpec
from tests.unit.run_fakes import Diary, DiaryFault, FakeCluster, a_stage, spans

SPEC = ClusterSpec(shards=2, tablets_per_shard=3)
EVERYTHING = dict.fromkeys(Capability, "")
PARAMS = {"baseline_s": 0.0, "recovery_s": 0.0, "quiet_s": 0.0, "faults": 4.0, "gap_s": 0.01, "hold_s": 0.02}


def drawn(seed: int, *, attempt: int = 1, count: int = 200) -> list[str]:
    return [told(family.draw(seed, number, attempt, SPEC, family.KINDS)) for number in range(count)]


def test_a_seed_draws_the_same_again() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert drawn(7) != drawn(7, attempt=2)


def test_all_kinds_are_drawn_and_only_with_shards_that_there_are() -> None:
    faults = drawn(7, count=2000)
    assert {text.partition("(")[0] for text in faults} == {kind.make(_dice(), SPEC).name for kind in family.KINDS}
    assert "shard=0" not in " ".join(faults)


def test_every_fault_is_drawn_or_left_out_with_a_reason() -> None:
    made = {kind.make(_dice(), SPEC).name for kind in family.KINDS}
    assert made.isdisjoint(family.NOT_DRAWN)
    assert made | set(family.NOT_DRAWN) == set(FAULTS)


def test_what_a_cluster_cannot_do_is_not_drawn_and_the_reason_is_told() -> None:
    can, cannot = family.possible(SPEC, {**EVERYTHING, Capability.CPU: "no cgroup here"})
    assert len(can) == len(family.KINDS) - 1
    assert cannot == ("Slowed: no cgroup here",)
    nothing, why = family.possible(SPEC, {})
    assert all(not kind.make(_dice(), SPEC).needs for kind in nothing)
    assert "signal is unknown here" in " ".join(why)


def _dice() -> Random:
    return Random(0)


# ---------------------------------------------------------------- the timeline


@dataclass
class Faults:
    """A table of one kind, whose claims are one thing that only one fault may have at a time."""

    diary: Diary = field(default_factory=list)
    sick: bool = False

    def kinds(self) -> tuple[family.Kind, ...]:
        async def acted() -> None:
            if self.sick:
                raise ClusterError("vtctld is gone")

        fault = DiaryFault(self.diary, claims=frozenset({"the only thing"}), acted=acted)
        return (family.Kind(weight=1, make=lambda *_: fault),)


async def run(folder: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(family, "KINDS", faults.kinds())
    monkeypatch.setattr(serving, "until_settled", _settled)
    async with a_stage(folder, FakeCluster(spec=SPEC), params=PARAMS) as stage:
        await asyncio.wait_for(family.drawn(stage), timeout=10)
    return [str(line["subject"]) for line in jsonio.read_lines(folder / "events.jsonl") if line["kind"] == "note"]


async def _settled(*_: object, **__: object) -> None:
    return


async def test_what_was_drawn_is_a_note_and_what_could_not_be_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Counter(await run(tmp_path / "run", Faults(), monkeypatch))
    assert notes["fault 1 drawn"] == 1
    assert sum(number for text, number in notes.items() if text.endswith("drawn")) > 4, "claims that overlap"
    assert any("could not be injected" in text for text in notes)
    assert len(spans(tmp_path / "run")) >= 1


async def test_a_fault_that_cannot_act_is_given_up_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = await run(tmp_path / "run", Faults(sick=True), monkeypatch)
    assert sorted(text for text in notes if "given up" in text) == [
        f"fault {number} given up" for number in range(1, 5)
    ]


async def test_an_error_of_the_healing_is_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck() -> None:
        raise ClusterError("it cannot be started")

    fault = DiaryFault([], healing=stuck)
    monkeypatch.setattr(family, "KINDS", (family.Kind(weight=1, make=lambda *_: fault),))
    async with a_stage(tmp_path / "run", FakeCluster(spec=SPEC), params={**PARAMS, "faults": 1.0}) as stage:
        with pytest.raises(ExceptionGroup) as caught:
            await family.drawn(stage)
    assert "it cannot be started" in str(caught.value.exceptions[0])


def test_a_fault_of_the_table_can_be_made_for_any_cluster() -> None:
    for spec in (SPEC, ClusterSpec(shards=1), ClusterSpec(shards=32)):
        assert all(kind.make(_dice(), spec).name in FAULTS for kind in family.KINDS)
    assert all(sample(FAULTS[name]).name == name for name in family.NOT_DRAWN)
