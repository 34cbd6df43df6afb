"""Goal: the ledger tells the truth at every moment: the intent before the act, `healed` after the healing and only
if it succeeded; and what a timeline shares is opened once and closed at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import history, stage
from harness.base.errors import ClusterError, PlanError, WaitTimeout
from harness.base.rundir import RunDir
from harness.contracts import Cluster, Ground
from harness.faults import remedies
from harness.model import Capability, Remedy
from tests.unit.run_fakes import Diary, DiaryFault, FakeCluster, a_stage, ledger, spans, steps, told

HEALED = ["intent", "begin", "active", "observed", "recover", "healed"]
WHOLE = [*HEALED, "recovered"]


async def fail() -> None:
    raise ClusterError("vtctld does not answer")


async def test_a_fault_from_intent_to_healing(tmp_path: Path) -> None:
    diary: Diary = []
    async with a_stage(tmp_path) as acting, acting.inject(DiaryFault(diary)) as aim:
        assert aim.targets == ("vttablet-100",)
        diary.append("block")
    assert diary == ["aim", "act", "look", "block", "heal"]
    assert steps(tmp_path) == WHOLE
    (span,) = spans(tmp_path)
    assert span.observed
    assert span.details["was"] == "primary"
    assert span.intent_ns <= span.begin_ns <= span.active_ns <= span.recover_ns <= span.healed_ns


async def test_the_intent_is_on_the_disk_before_the_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[list[str]] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(steps(tmp_path)))
    at_the_act: list[int] = []

    async def act() -> None:
        at_the_act.append(len(synced))

    async with a_stage(tmp_path) as acting:
        synced.clear()
        async with acting.inject(DiaryFault([], acted=act)):
            pass
    assert synced[0] == ["intent"]
    assert at_the_act == [1]


async def test_an_exception_in_the_block_is_healed_and_recorded_as_healed(tmp_path: Path) -> None:
    diary: Diary = []
    with pytest.raises(ZeroDivisionError):
        async with a_stage(tmp_path) as acting, acting.inject(DiaryFault(diary)):
            raise ZeroDivisionError
    assert diary[-1] == "heal"
    assert steps(tmp_path) == HEALED


async def test_a_cancelled_block_is_healed_and_recorded_as_healed(tmp_path: Path) -> None:
    diary: Diary = []
    inside = asyncio.Event()

    async def block() -> None:
        async with a_stage(tmp_path) as acting, acting.inject(DiaryFault(diary, healing=lambda: asyncio.sleep(0))):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert diary[-1] == "heal"
    assert steps(tmp_path) == HEALED


async def nothing() -> None:
    pass


async def divide() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("block", [nothing, divide])
async def test_a_healing_that_fails_is_not_recorded_as_healed(
    tmp_path: Path, block: Callable[[], Awaitable[None]]
) -> None:
    with pytest.raises(ClusterError):
        async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], healing=fail)):
            await block()
    (span,) = spans(tmp_path)
    assert not span.healed_ns
    assert span.recover_ns
    assert span.error == "ClusterError: vtctld does not answer"


async def test_an_act_that_fails_may_still_be_in_force(tmp_path: Path) -> None:
    diary: Diary = []
    with pytest.raises(ClusterError):
        async with a_stage(tmp_path) as acting, acting.inject(DiaryFault(diary, acted=fail)):
            raise AssertionError("the block is not entered")
    assert diary == ["aim", "act", "heal"]
    (span,) = spans(tmp_path)
    assert (span.active_ns, span.healed_ns) == (0, 0)
    assert span.error


async def test_a_one_shot_operation_has_nothing_to_heal(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], one_shot=True)):
        pass
    assert steps(tmp_path) == ["intent", "begin", "active", "observed"]


async def test_evidence_that_cannot_be_had_is_missing_and_says_why(tmp_path: Path) -> None:
    async def no_answer() -> bool:
        raise ClusterError("vtctld does not answer")

    async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], evidence=no_answer)):
        pass
    assert steps(tmp_path) == WHOLE
    assert not spans(tmp_path)[0].observed
    assert ledger(tmp_path)[3]["why"] == "vtctld does not answer"


async def test_looking_for_evidence_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "OBSERVE_WITHIN_S", 0.01)

    async def never() -> bool:
        await asyncio.Event().wait()
        return True

    async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], evidence=never)):
        pass
    assert not spans(tmp_path)[0].observed
    assert "not within" in ledger(tmp_path)[3]["why"]


@pytest.mark.parametrize("reason", ["processes end with their supervisor", None])
async def test_a_fault_that_the_backend_cannot_do_is_refused_before_the_intent(
    tmp_path: Path, reason: str | None
) -> None:
    cluster = FakeCluster(capabilities={Capability.LINKS: reason} if reason else {})
    diary: Diary = []
    async with a_stage(tmp_path, cluster) as acting:
        with pytest.raises(PlanError, match=f"Diary needs links.*{reason or 'does not know it'}"):
            async with acting.inject(DiaryFault(diary, needs=frozenset({Capability.LINKS}))):
                raise AssertionError("the block is not entered")
    assert diary == []
    assert steps(tmp_path) == []


async def test_concurrent_faults_keep_their_own_stories(tmp_path: Path) -> None:
    async with a_stage(tmp_path) as acting, contextlib.AsyncExitStack() as together, asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(together.enter_async_context(acting.inject(DiaryFault([]))))
    found = spans(tmp_path)
    assert [span.number for span in found] == list(range(1, 9))
    assert all(span.observed and span.healed_ns for span in found)


async def test_a_shared_client_is_opened_once_and_closed_at_the_end(tmp_path: Path) -> None:
    diary: Diary = []

    @contextlib.asynccontextmanager
    async def opener(cluster: Cluster) -> AsyncIterator[object]:
        diary.append("open")
        await asyncio.sleep(0)  # others ask meanwhile
        yield object()
        diary.append("close")

    async with a_stage(tmp_path) as acting:
        first, *others = await asyncio.gather(*(acting.shared(opener) for _ in range(4)))
        assert all(other is first for other in others)
        diary.append("work")
    assert diary == ["open", "work", "close"]


async def test_phases_and_notes_are_events(tmp_path: Path) -> None:
    async with a_stage(tmp_path, params={"baseline_s": 1.0}) as acting:
        acting.phase("baseline")
        acting.note("not settled", why="because")
        assert acting.plan.params["baseline_s"] == 1.0
        assert acting.plan.seed == 7
    recorded = history.load(RunDir.open(tmp_path))
    assert told(recorded, "phase") == ["baseline"]
    assert told(recorded, "note") == ["not settled"]
    assert recorded.events[-1].details == {"why": "because"}


async def test_a_wait_of_the_timeline_says_what_it_saw_last(tmp_path: Path) -> None:
    async def never() -> str:
        return ""

    async with a_stage(tmp_path) as acting:
        await acting.hold(0.0)
        with pytest.raises(WaitTimeout, match=r"primary elected: not within 0.01 s; last seen: ''"):
            await acting.until("primary elected", never, timeout_s=0.01)


# ---------------------------------------------------------------- taking back


@dataclass
class Remedies:
    """Remedies that are done to nothing; `slow` is waited for in each, `bad` ones raise."""

    done: list[str] = field(default_factory=list)
    slow: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    bad: tuple[str, ...] = ()

    async def act(self, ground: Ground, remedy: Remedy) -> None:
        self.begun.set()
        if self.slow is not None:
            await self.slow.wait()
        self.done.append(remedy.target)
        if remedy.target in self.bad:
            raise ClusterError(f"{remedy.target} does not answer")

    def of(self, *targets: str) -> tuple[Remedy, ...]:
        return tuple(Remedy(kind="test", target=target) for target in targets)


@pytest.fixture
def undoing(monkeypatch: pytest.MonkeyPatch) -> Remedies:
    found = Remedies()
    monkeypatch.setattr(remedies, "REMEDIES", {"test": found.act})
    return found


async def test_the_ledger_has_all_that_takes_a_fault_back_before_it_is_in_force(
    tmp_path: Path, undoing: Remedies
) -> None:
    async def act() -> None:
        assert ledger(tmp_path)[0]["undo"] == [{"kind": "test", "target": "a", "details": {}}]

    async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], acted=act, undo=undoing.of("a"))):
        assert undoing.done == []
    assert undoing.done == ["a"]
    assert spans(tmp_path)[0].undo == undoing.of("a")
    assert steps(tmp_path) == WHOLE


async def test_undoing_goes_on_however_often_it_is_cancelled(tmp_path: Path, undoing: Remedies) -> None:
    inside, undoing.slow = asyncio.Event(), asyncio.Event()

    async def block() -> None:
        async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], undo=undoing.of("a"))):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await inside.wait()
    task.cancel()
    await undoing.begun.wait()
    for _ in range(5):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    undoing.slow.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undoing.done == ["a"]
    assert steps(tmp_path) == HEALED


async def test_all_remedies_are_tried_and_the_first_error_is_raised(tmp_path: Path, undoing: Remedies) -> None:
    undoing.bad = ("b", "c")
    with pytest.raises(ClusterError, match="c does not answer"):  # last to first
        async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], undo=undoing.of("a", "b", "c", "d"))):
            pass
    assert sorted(undoing.done) == ["a", "b", "c", "d"]
    (span,) = spans(tmp_path)
    assert (span.healed_ns, span.error) == (0, "ClusterError: c does not answer")


async def test_a_remedy_waits_for_the_fault_that_is_in_its_way(tmp_path: Path, undoing: Remedies) -> None:
    """vtctld is killed by one fault while another is to give a tablet type back."""
    undoing.bad = ("a",)

    async def given_back() -> None:
        async with acting.inject(DiaryFault([], undo=undoing.of("a"))):
            pass

    async with a_stage(tmp_path) as acting, asyncio.TaskGroup() as group, acting.inject(DiaryFault([])):
        group.create_task(given_back())
        await undoing.begun.wait()
        undoing.bad = ()
    assert undoing.done == ["a", "a"]
    assert all(span.healed_ns and not span.error for span in spans(tmp_path))


async def test_a_remedy_that_hangs_is_bounded_and_hinders_no_other(
    tmp_path: Path, undoing: Remedies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vttablet that never answers."""
    monkeypatch.setattr(remedies, "EACH_WITHIN_S", 0.05)

    async def act(ground: Ground, remedy: Remedy) -> None:
        if remedy.target == "hangs":
            await asyncio.Event().wait()
        await undoing.act(ground, remedy)

    monkeypatch.setattr(remedies, "REMEDIES", {"test": act})
    with pytest.raises(WaitTimeout, match="undoing test on hangs"):
        async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], undo=undoing.of("a", "hangs", "b"))):
            pass
    assert sorted(undoing.done) == ["a", "b"]
    assert not spans(tmp_path)[0].healed_ns


async def test_an_act_that_fails_half_way_is_taken_back(tmp_path: Path, undoing: Remedies) -> None:
    with pytest.raises(ClusterError, match="vtctld"):
        async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], acted=fail, undo=undoing.of("a"))):
            raise AssertionError("the block is not entered")
    assert undoing.done == ["a"]
    assert spans(tmp_path)[0].healed_ns


async def test_two_faults_with_their_hands_on_the_same_thing_do_not_overlap(tmp_path: Path) -> None:
    one = DiaryFault([], claims=frozenset({"process vtgate-1"}))
    async with a_stage(tmp_path) as acting:
        async with acting.inject(one):
            with pytest.raises(PlanError, match="cannot overlap Diary: both have their hands on process vtgate-1"):
                async with acting.inject(one):
                    raise AssertionError("the block is not entered")
        async with acting.inject(one):  # one after the other
            pass
    assert [bool(span.healed_ns) for span in spans(tmp_path)] == [True, True]


class Sick(FakeCluster):
    """Something is left in force, as long as `left` says so."""

    left: tuple[str, ...] = ()

    async def traces(self) -> tuple[str, ...]:
        return self.left


async def test_a_sick_cluster_gets_no_first_fault(tmp_path: Path) -> None:
    cluster = Sick()
    cluster.left = ("vttablet-100 is stopped",)
    async with a_stage(tmp_path, cluster) as acting:
        with pytest.raises(ClusterError, match="something is wrong already: vttablet-100 is stopped"):
            async with acting.inject(DiaryFault([])):
                raise AssertionError("the block is not entered")
    assert steps(tmp_path) == []


async def test_what_is_left_after_the_last_fault_is_on_record(tmp_path: Path) -> None:
    cluster = Sick()
    async with a_stage(tmp_path, cluster) as acting, acting.inject(DiaryFault([])):
        cluster.left = ("vttablet-100 is stopped",)
    assert steps(tmp_path) == [*WHOLE, "unhealthy"]
    assert spans(tmp_path)[0].unhealthy == "vttablet-100 is stopped"


async def test_a_cluster_that_does_not_get_over_a_fault_is_on_record_and_ends_nothing(tmp_path: Path) -> None:
    async def not_yet() -> str:
        return ""

    async with a_stage(tmp_path) as acting, acting.inject(DiaryFault([], gone=not_yet)):
        pass
    assert steps(tmp_path) == [*HEALED, "unrecovered"]
    assert "has got over Diary: not within 0.2 s; last seen: ''" in spans(tmp_path)[0].unrecovered
