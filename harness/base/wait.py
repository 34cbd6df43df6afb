"""The only sleeps of the harness: every wait has a name, a bound and a last value."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from harness.base.clock import now_ns
from harness.base.errors import WaitTimeout

T = TypeVar("T")

POLL_S = 0.05


async def until(name: str, condition: Callable[[], Awaitable[T]], *, timeout_s: float, poll_s: float = POLL_S) -> T:
    """Wait until `condition` returns a truthy value, and return it.

    A condition that cannot be evaluated yet returns a falsy value that says why (it is shown when
    the bound is passed); an exception of its own propagates. Raises WaitTimeout.
    """
    deadline_ns = now_ns() + int(timeout_s * 1e9)
    last: T | None = None
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                last = await condition()
                if last:
                    return last
                await asyncio.sleep(poll_s)
    except TimeoutError:
        if now_ns() < deadline_ns - 1_000_000:  # a TimeoutError of the condition itself, not ours
            raise
        raise WaitTimeout(name, timeout_s, last) from None


async def hold(seconds: float) -> None:
    """Let the system run undisturbed: a measured window, not a wait for something to become true."""
    await asyncio.sleep(seconds)


async def hold_until(at_ns: int) -> None:
    """Sleep until a stamp of the run's clock; returns at once if it has passed."""
    left_ns = at_ns - now_ns()
    if left_ns > 0:
        await asyncio.sleep(left_ns / 1e9)


async def finish(name: str, work: Awaitable[T], *, timeout_s: float) -> T:
    """Await `work` for at most `timeout_s` seconds. Raises WaitTimeout."""
    started_ns = now_ns()
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except TimeoutError:
        if now_ns() - started_ns < int(timeout_s * 1e9) - 1_000_000:
            raise
        raise WaitTimeout(name, timeout_s, None) from None


async def together(works: Iterable[Awaitable[None]]) -> None:
    """All of them at once; the first error cancels the others and is raised itself, not in a group."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def through(name: str, work: Coroutine[Any, Any, T], *, timeout_s: float) -> T:
    """Await `work` to its end, for at most `timeout_s` seconds, also when we are cancelled meanwhile, however often;
    the cancellation is raised after it. Raises WaitTimeout."""
    task = asyncio.ensure_future(finish(name, work, timeout_s=timeout_s))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result
