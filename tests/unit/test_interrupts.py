"""Goal: one Ctrl-C ends one part of a run, after it has cleaned up; a second one skips the next part, and never
disturbs a cleaning that goes on. Real signals, sent to this process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from harness.base import wait
from harness.interrupts import SIGNALS, Interrupted, Interrupts


@pytest_asyncio.fixture
async def interrupts() -> AsyncIterator[Interrupts]:
    async with Interrupts().installed() as installed:
        yield installed


async def interrupt(interrupts: Interrupts, signum: int = signal.SIGINT) -> None:
    """Send a signal and wait until the loop has seen it."""
    before = interrupts.count

    async def seen() -> bool:
        return interrupts.count > before

    os.kill(os.getpid(), signum)
    await wait.until("the signal was seen", seen, timeout_s=10, poll_s=0)


class Part:
    """Runs until it is cancelled, then cleans up for as long as `cleaned` is not set."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.running = asyncio.Event()
        self.cleaning = asyncio.Event()
        self.cleaned = asyncio.Event()

    async def run(self) -> str:
        self.log.append("begun")
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cleaning.set()
            await self.cleaned.wait()
            self.log.append("cleaned")
        return "never"


async def answer() -> str:
    return "done"


async def test_without_a_signal_the_work_is_just_done(interrupts: Interrupts) -> None:
    assert await interrupts.may_end(answer()) == "done"
    assert interrupts.count == 0


@pytest.mark.parametrize("signum", SIGNALS)
async def test_a_signal_ends_the_part_after_it_has_cleaned_up(interrupts: Interrupts, signum: int) -> None:
    part = Part()
    part.cleaned.set()
    task = asyncio.create_task(interrupts.may_end(part.run()))
    await part.running.wait()
    await interrupt(interrupts, signum)
    with pytest.raises(Interrupted):
        await task
    assert part.log == ["begun", "cleaned"]


async def test_a_second_signal_does_not_disturb_the_cleaning_but_skips_the_next_part(interrupts: Interrupts) -> None:
    part, skipped = Part(), Part()
    outcome: list[str] = []

    async def run() -> None:
        for each in (part, skipped):
            with pytest.raises(Interrupted):
                await interrupts.may_end(each.run())
        outcome.append(await interrupts.may_end(answer()))

    task = asyncio.create_task(run())
    await part.running.wait()
    await interrupt(interrupts)
    await part.cleaning.wait()
    await interrupt(interrupts)
    assert part.log == ["begun"]
    part.cleaned.set()
    await task
    assert part.log == ["begun", "cleaned"]
    assert skipped.log == []
    assert outcome == ["done"]


async def test_a_signal_between_two_parts_skips_the_next(interrupts: Interrupts) -> None:
    await interrupt(interrupts)
    with pytest.raises(Interrupted):
        await interrupts.may_end(answer())
    assert await interrupts.may_end(answer()) == "done"


async def test_a_cancellation_that_is_not_ours_stays_one(interrupts: Interrupts) -> None:
    part = Part()
    part.cleaned.set()
    task = asyncio.create_task(interrupts.may_end(part.run()))
    await part.running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_of_both_is_not_swallowed(interrupts: Interrupts) -> None:
    part = Part()
    task = asyncio.create_task(interrupts.may_end(part.run()))
    await part.running.wait()
    await interrupt(interrupts)
    await part.cleaning.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_the_cleaning_is_told_and_leaves_no_cancellation_behind(interrupts: Interrupts) -> None:
    running = asyncio.Event()
    left: list[int] = []

    async def breaks() -> None:
        try:
            running.set()
            await asyncio.Event().wait()
        finally:
            raise OSError("no route to host")

    async def run() -> None:
        try:
            await interrupts.may_end(breaks())
        finally:
            task = asyncio.current_task()
            left.append(task.cancelling() if task is not None else -1)

    task = asyncio.create_task(run())
    await running.wait()
    await interrupt(interrupts)
    with pytest.raises(OSError, match="no route"):
        await task
    assert left == [0]


async def test_afterwards_the_signals_are_the_interpreters_again() -> None:
    async with Interrupts().installed():
        pass
    assert signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_DFL)
