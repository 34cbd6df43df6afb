"""Faults of links without a network: whom they hit, what they set, what is evidence, what takes them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from harness.base.errors import ClusterError, PlanError
from harness.contracts import Stage
from harness.faults import evidence, felt, network
from harness.faults.network import HalfOpen, LossyLink, NarrowLink, Partition, ResetLink, SlowLink
from harness.faults.targets import Targets
from harness.model import Capability, FaultSpan, Knock, LinkEffect, LinkRule, Node, Role
from tests.unit.run_fakes import FakeCluster, a_stage, spans

NODES = (
    Node(name="etcd", role=Role.ETCD, version="3.6.1"),
    *(
        Node(name=f"{role}-{uid}", role=role, version="1", keyspace="ks", shard="-80", tablet_uid=uid)
        for uid in (100, 101)
        for role in (Role.MYSQLD, Role.VTTABLET)
    ),
    *(Node(name=f"vtgate-{number}", role=Role.VTGATE, version="1") for number in (1, 2)),
)
ANSWER = Knock(outcome="answered", took_ms=2.0)
SILENCE = Knock(outcome="silent", took_ms=1000.0, retransmits=1)
REFUSAL = Knock(outcome="refused", took_ms=0.1)
AGAIN = Knock(outcome="answered", took_ms=1010.0, retransmits=1)
LATE = Knock(outcome="answered", took_ms=103.0)

GATE, TABLET = Targets(names=("vtgate-1",)), Targets(names=("vttablet-100",))


@dataclass
class Knocked(FakeCluster):
    """Remembers its rules; knocks find what `behind` says while there are any."""

    all_nodes: tuple[Node, ...] = NODES
    rules: list[tuple[LinkRule, ...]] = field(default_factory=list)
    behind: Sequence[Knock] = (SILENCE,)
    knocked: list[tuple[str, str]] = field(default_factory=list)

    async def set_links(self, rules: Sequence[LinkRule]) -> None:
        self.rules.append(tuple(rules))

    async def knock(self, source: Node, target: Node, *, times: int, kbytes: int, within_s: float) -> Sequence[Knock]:
        self.knocked.append((source.name, target.name))
        return self.behind if self.rules and self.rules[-1] else (ANSWER,) * times


@pytest.fixture(autouse=True)
def nothing_of_vitess(monkeypatch: pytest.MonkeyPatch) -> None:
    async def served(*_: object) -> str:
        return ""

    monkeypatch.setattr(felt, "_shard_missing", served)


def cluster(behind: Sequence[Knock] = (SILENCE,)) -> Knocked:
    return Knocked(behind=behind, capabilities=dict.fromkeys(Capability, ""))


async def directed(stage: Stage, fault: Partition) -> set[str]:
    return set(str((await fault.aim(stage)).details["links"]).split(", "))


@pytest.mark.parametrize(
    ("direction", "links"),
    [
        ("there", {"vtgate-1 > vttablet-100"}),
        ("back", {"vttablet-100 > vtgate-1"}),
        ("both", {"vtgate-1 > vttablet-100", "vttablet-100 > vtgate-1"}),
    ],
)
async def test_a_direction_says_who_is_not_heard(tmp_path: Path, direction: str, links: set[str]) -> None:
    async with a_stage(tmp_path / "run", cluster()) as stage:
        assert await directed(stage, Partition(sources=GATE, targets=TABLET, direction=direction)) == links


async def test_who_is_isolated_hears_nobody_but_his_own(tmp_path: Path) -> None:
    host = Targets(names=("mysqld-100", "vttablet-100"))
    async with a_stage(tmp_path / "run", cluster()) as stage:
        links = await directed(stage, Partition(sources=host, shape="isolate"))
    assert len(links) == 2 * 2 * 5
    assert all(("-100" in link.split(" > ")[0]) is not ("-100" in link.split(" > ")[1]) for link in links)


async def test_a_bridge_is_heard_by_both_sides(tmp_path: Path) -> None:
    sides = Targets(names=("vtgate-1", "vtgate-2"))
    async with a_stage(tmp_path / "run", cluster()) as stage:
        links = await directed(stage, Partition(sources=sides, targets=TABLET, shape="bridge"))
    assert links == {"vtgate-1 > vtgate-2", "vtgate-2 > vtgate-1"}


async def test_what_cannot_be_is_refused_before_anything_happens(tmp_path: Path) -> None:
    ground = cluster()
    socket = Partition(sources=Targets(names=("mysqld-100",)), targets=TABLET)
    async with a_stage(tmp_path / "run", ground) as stage:
        for fault, said in (
            (Partition(sources=GATE, targets=TABLET, direction="up"), "a direction is"),
            (Partition(sources=GATE, targets=TABLET, shape="star"), "a partition's shape is"),
            (Partition(sources=GATE, shape="ring"), "at least five"),
            (HalfOpen(sources=GATE, targets=TABLET, direction="back"), "half-open when nothing passes"),
            (SlowLink(sources=GATE, targets=TABLET, delay_ms=5, jitter_ms=5), "less than its delay"),
        ):
            with pytest.raises(PlanError, match=said):
                await fault.aim(stage)
        with pytest.raises(ClusterError, match="no link between mysqld-100 and vttablet-100 that goes over a network"):
            await socket.aim(stage)
    assert ground.rules == []


@pytest.mark.parametrize(
    ("fault", "behind", "rule"),
    [
        (Partition(sources=GATE, targets=TABLET), [SILENCE], {}),
        (LossyLink(sources=GATE, targets=TABLET, share=0.2), [ANSWER, AGAIN], {"share": 0.2}),
        (
            NarrowLink(sources=GATE, targets=TABLET, kbytes_per_s=7),
            [SILENCE, replace(SILENCE, took_ms=4000.0)],
            {"effect": LinkEffect.RATE, "kbytes_per_s": 7},
        ),
        (ResetLink(sources=GATE, targets=TABLET), [REFUSAL], {"effect": LinkEffect.RESET}),
        (SlowLink(sources=GATE, targets=TABLET), [LATE], {"effect": LinkEffect.DELAY, "delay_ms": 100.0}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_a_fault_sets_its_rules_shows_evidence_and_takes_them_back(
    tmp_path: Path, fault: Partition, behind: Sequence[Knock], rule: dict[str, object]
) -> None:
    ground = cluster(behind)
    async with a_stage(tmp_path / "run", ground) as stage:
        assert not await fault.observed(stage, await fault.aim(stage)), "evidence without the fault"
        async with stage.inject(fault):
            there = LinkRule(source="vtgate-1", target="vttablet-100", **rule)  # type: ignore[arg-type]
            assert there in ground.rules[-1]
            assert len(ground.rules[-1]) == 2
    (span,) = spans(tmp_path / "run")
    assert span.observed
    assert not ground.rules[-1]
    assert (bool(span.healed_ns), bool(span.recovered_ns), span.unrecovered) == (True, True, "")


@pytest.mark.parametrize(
    ("fault", "behind"),
    [
        (Partition(sources=GATE, targets=TABLET), [SILENCE, ANSWER]),
        (LossyLink(sources=GATE, targets=TABLET), [ANSWER]),
        (NarrowLink(sources=GATE, targets=TABLET), [ANSWER]),
        (NarrowLink(sources=GATE, targets=TABLET), [ANSWER, replace(ANSWER, retransmits=3)] * 2),
        (NarrowLink(sources=GATE, targets=TABLET), [replace(SILENCE, retransmits=0)]),
        (ResetLink(sources=GATE, targets=TABLET), [SILENCE]),
        (SlowLink(sources=GATE, targets=TABLET), [ANSWER]),
        (SlowLink(sources=GATE, targets=TABLET), [SILENCE]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_what_is_no_evidence(tmp_path: Path, fault: Partition, behind: Sequence[Knock]) -> None:
    async with a_stage(tmp_path / "run", cluster(behind)) as stage, stage.inject(fault):
        pass
    assert not span_of(tmp_path).observed


async def test_a_pair_has_one_fault_at_a_time_whatever_the_direction(tmp_path: Path) -> None:
    first = Partition(sources=GATE, targets=TABLET, direction="there")
    second = SlowLink(sources=TABLET, targets=GATE, direction="there")
    async with a_stage(tmp_path / "run", cluster()) as stage, stage.inject(first):
        with pytest.raises(PlanError, match="link vtgate-1 - vttablet-100"):
            async with stage.inject(second):
                raise AssertionError("the block is not entered")


async def test_a_link_that_is_not_whole_afterwards_is_on_record(tmp_path: Path) -> None:
    ground = cluster()
    fault = Partition(sources=GATE, targets=TABLET, direction="there", recover_within_s=0.3)
    async with a_stage(tmp_path / "run", ground) as stage, stage.inject(fault):
        ground.rules[-1] = ground.rules[-1] * 2
        heals = ground.set_links

        async def nothing(rules: Sequence[LinkRule]) -> None:
            await heals(rules)
            ground.rules.append(ground.rules[0])

        ground.set_links = nothing  # type: ignore[method-assign]
    assert "knocks are lost on vtgate-1 > vttablet-100" in span_of(tmp_path).unrecovered


async def test_a_cluster_without_knocks_shows_no_evidence(tmp_path: Path) -> None:
    @dataclass
    class Mute(FakeCluster):
        all_nodes: tuple[Node, ...] = NODES

    async with a_stage(tmp_path / "run", Mute()) as stage:
        fault = Partition(sources=GATE, targets=TABLET)
        with pytest.raises(ClusterError, match="lets nobody knock"):
            await fault.observed(stage, await fault.aim(stage))


async def test_of_many_links_some_are_knocked_at(tmp_path: Path) -> None:
    ground = cluster()
    pairs = [(f"{source.name}", f"{target.name}") for source in NODES for target in NODES if source is not target]
    async with a_stage(tmp_path / "run", ground) as stage:
        await felt.knocks(stage, pairs, felt.Door())
    assert 1 < len(ground.knocked) <= felt.PAIRS


def test_a_lossy_link_is_knocked_at_often_enough() -> None:
    assert LossyLink(share=0.5)._door().times == 10
    assert LossyLink(share=0.001)._door().times == network.MOST_KNOCKS
    with pytest.raises(PlanError, match="between 0 and 1"):
        LossyLink(share=1.0)._door()


async def test_many_rules_that_are_taken_back_at_once_go_together(tmp_path: Path) -> None:
    """One by one, those that are left would be made anew: a proxy that does not answer yet would be asked for them."""
    ground = cluster()
    fault = Partition(sources=Targets(names=("vtgate-1", "vtgate-2")), targets=Targets(role=Role.VTTABLET))
    async with a_stage(tmp_path / "run", ground) as stage, stage.inject(fault):
        pass
    assert len(ground.rules[0]) == 8
    assert all(not rules for rules in ground.rules[1:])


async def test_a_half_open_link_is_one_whose_target_is_another_process_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = {"vttablet-100": 100.0}

    async def started_s(_: object, node: Node) -> float:
        return began[node.name]

    monkeypatch.setattr(evidence, "started_s", started_s)
    fault = HalfOpen(sources=GATE, targets=TABLET)
    async with a_stage(tmp_path / "run", cluster()) as stage:
        aim = await fault.aim(stage)
        await stage.cluster.set_links(tuple(fault._rule(*pair) for pair in network._pairs(aim)))
        assert not await fault.observed(stage, aim), "the links are dead, and nobody was restarted"
        began["vttablet-100"] = 200.0
        assert await fault.observed(stage, aim)


def span_of(folder: Path) -> FaultSpan:
    (span,) = spans(folder / "run")
    return span
