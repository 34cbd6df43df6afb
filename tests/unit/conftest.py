"""Goal: a unit test starts no process and opens no connection; one that does belongs into tests/process.

Python's own audit events tell (PEP 578), also of what a library does. gRPC's sockets are its own and are not seen.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("any host", deadline=None)  # how long an example takes says how busy the host is
settings.load_profile("any host")

OUTSIDE = frozenset(
    {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "socket.bind", "socket.connect"}
)
seen: list[str] | None = None  # None: no test is running


def _hear(event: str, words: tuple[Any, ...]) -> None:
    if seen is not None and event in OUTSIDE:
        seen.append(f"{event} {words[1] if len(words) > 1 else ''}")


sys.addaudithook(_hear)  # of which there is no taking back


def pytest_collection_finish() -> None:
    """What all modules and thousands of tests consist of stays: no collection of garbage looks at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    global seen
    seen = []
    try:
        yield
        assert seen == [], "this test belongs into tests/process"
    finally:
        seen = None
