"""Goal: what a run of random faults issued can be read off its record, and issued again: the same draws at the same
moments, and none in the place of one that is left out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import random as family
from experiments import serving
from harness.base import jsonio
from harness.base.clock import ClockBase
from harness.base.rundir import RunDir
from harness.history import History, load
from harness.model import ClusterSpec, Drawn, Event, FaultSpan
from harness.replay.schedule import Issued, compared, issued, recorded
from tests.unit.run_fakes import Diary, DiaryFault, FakeCluster, a_stage, plan

SPEC = ClusterSpec(shards=2, tablets_per_shard=3)
PARAMS = {"baseline_s": 0.0, "recovery_s": 0.0, "quiet_s": 0.0, "faults": 4.0, "gap_s": 0.01, "hold_s": 0.02}
SECOND = 10**9


async def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, claims: str = "", schedule: tuple[Drawn, ...] = ()
) -> History:
    """A run of random faults; `claims`: what only one of them may have at a time."""

    async def settled(*_: object, **__: object) -> None:
        return

    diary: Diary = []
    fault = DiaryFault(diary, claims=frozenset({claims} if claims else ()))
    monkeypatch.setattr(family, "KINDS", (family.Kind(weight=1, make=lambda *_: fault),))
    monkeypatch.setattr(serving, "until_settled", settled)
    async with a_stage(folder, FakeCluster(spec=SPEC), params=PARAMS, schedule=schedule) as stage:
        await asyncio.wait_for(family.drawn(stage), timeout=10)
    return load(RunDir(folder))


def draws(schedule: tuple[Drawn, ...]) -> list[tuple[int, int]]:
    return [(each.number, each.attempt) for each in schedule]


# ---------------------------------------------------------------- off the record and again


async def test_a_recorded_schedule_is_issued_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await run(tmp_path / "first", monkeypatch, claims="the only thing")
    schedule = recorded(first)
    assert len(schedule) == len(first.faults)
    assert all(each.at_s >= 0 and each.hold_s > 0 for each in schedule)
    again = await run(tmp_path / "again", monkeypatch, schedule=schedule)
    assert draws(recorded(again)) == draws(schedule)
    assert [each.hold_s for each in recorded(again)] == [each.hold_s for each in schedule]
    assert all(now.at_s >= then.at_s for now, then in zip(recorded(again), schedule, strict=True))


async def test_one_that_is_left_out_changes_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = recorded(await run(tmp_path / "first", monkeypatch))
    assert len(schedule) == 4
    fewer = (schedule[0], *schedule[2:])
    assert draws(recorded(await run(tmp_path / "again", monkeypatch, schedule=fewer))) == draws(fewer)


async def test_what_cannot_be_injected_again_has_none_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = tuple(Drawn(number=number, attempt=1, at_s=0.0, hold_s=0.05) for number in (1, 2))
    again = await run(tmp_path / "again", monkeypatch, claims="the only thing", schedule=together)
    assert draws(recorded(again)) == [(1, 1)]
    notes = [event.subject for event in again.events if event.kind == "note"]
    assert notes == ["fault 1 drawn", "fault 2 drawn", "fault 2 could not be injected this time"]


async def test_a_draw_that_is_another_fault_now_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = recorded(await run(tmp_path / "first", monkeypatch))
    changed = (replace(schedule[0], fault="Killed(targets=vtgate)"),)
    again = await run(tmp_path / "again", monkeypatch, schedule=changed)
    (note,) = [event for event in again.events if event.subject == "fault 1 is another than it was"]
    assert note.details == {"was": "Killed(targets=vtgate)", "now": schedule[0].fault}


def test_a_run_without_random_faults_has_no_schedule() -> None:
    assert recorded(a_history()) == ()


# ---------------------------------------------------------------- compared


def a_history(*faults: FaultSpan) -> History:
    phases = (Event(at_ns=10 * SECOND, kind="phase", subject="baseline"),)
    clock = ClockBase(monotonic_ns=1, wall_ns=1)
    return History(plan=plan(), clock=clock, host={}, nodes=(), lanes=(), faults=faults, events=phases)


def test_what_was_issued_counts_from_the_timelines_beginning() -> None:
    span = FaultSpan(number=1, fault="Killed", targets=("a",), details={}, intent_ns=11 * SECOND, begin_ns=12 * SECOND)
    held = replace(span, active_ns=13 * SECOND, recover_ns=15 * SECOND)
    never = replace(span, begin_ns=0)
    assert issued(a_history(never, held)) == (Issued(fault="Killed", targets=("a",), at_s=2.0, hold_s=2.0),)


def an_issued(fault: str, *targets: str, at_s: float = 1.0) -> Issued:
    return Issued(fault=fault, targets=targets, at_s=at_s, hold_s=1.0)


def test_faults_are_compared_by_what_they_hit_and_then_by_what_they_are() -> None:
    then = (an_issued("Killed", "a"), an_issued("Killed", "b"), an_issued("Paused", "c"))
    now = (an_issued("Killed", "d"), an_issued("Killed", "a", at_s=9.0), an_issued("Slowed", "c"))
    pairs = compared(then, now)
    assert [(pair.then, pair.now) for pair in pairs] == [
        (then[0], now[1]),
        (then[1], now[0]),
        (then[2], None),
        (None, now[2]),
    ]
    assert jsonio.structure(jsonio.plain(pairs[0]), type(pairs[0])) == pairs[0]
