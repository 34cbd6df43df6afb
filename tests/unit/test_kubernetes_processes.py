"""The agent, orders to it, and what is read of pods and logs. The agent and its orders are real shell."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clusters.kubernetes import pods
from clusters.kubernetes.following import Ended, Printed, followed
from clusters.kubernetes.names import Box
from clusters.kubernetes.pods import Instance, Pods
from clusters.kubernetes.resources import Manifest
from clusters.kubernetes.store import whole
from harness.base import wait
from harness.base.errors import ClusterError, WaitTimeout

# ------------------------------------------------------------ the agent


# ------------------------------------------------------------ what containers print


def stamped(*lines: str, first: int = 1) -> bytes:
    return "".join(f"2026-11-21T08:21:18.{at:09d}Z {line}\n" for at, line in enumerate(lines, first)).encode()


class Listening:
    """A log in memory."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.ends: list[Ended] = []
        self.printed = Printed(self.out, self.ends.append)

    @property
    def text(self) -> str:
        return self.out.getvalue().decode()


def test_the_agents_line_is_no_part_of_the_log() -> None:
    log = Listening()
    log.printed.take(stamped("one", "", "two", "", "\x1evtchaos-exit 7 137", "three"))
    assert log.text == "one\n\ntwo\nthree\n"
    assert log.ends == [Ended(number=7, status=137)]
    assert log.ends[0].negative == -9
    assert Ended(number=1, status=3).negative == 3


def test_lines_may_come_in_any_pieces() -> None:
    whole_text, log = stamped("one", "two", "\x1evtchaos-exit 7 0"), Listening()
    for at in range(len(whole_text)):
        log.printed.take(whole_text[at : at + 1])
    assert (log.text, len(log.ends)) == ("one\ntwo\n", 1)


def test_a_stream_that_was_taken_up_again_repeats_nothing() -> None:
    log = Listening()
    log.printed.take(stamped("one", "two") + b"2026-11-21T08:21:18.000000003Z thr")
    log.printed.again()
    log.printed.take(stamped("one", "two", "three"))
    assert log.text == "one\ntwo\nthree\n"
    assert log.printed.last.endswith("003Z")


# ------------------------------------------------------------ pods


def pod(uid: str = "u1", *, state: Manifest | None = None, restarts: int = 0, address: str = "10.0.0.1") -> Manifest:
    container = {"name": "mysqld", "state": state or {"running": {}}, "restartCount": restarts}
    return {
        "metadata": {"name": "tablet-100-0", "uid": uid},
        "spec": {"nodeName": "n"},
        "status": {"podIP": address, "containerStatuses": [container]},
    }


BOX = Box(pod="tablet-100-0", container="mysqld")


def test_what_runs_and_in_which_of_its_lives() -> None:
    known = Pods()
    known.take("LISTED", {"items": [pod()]})
    assert known.instance(BOX) == Instance(pod="u1", restarts=0)
    known.take("MODIFIED", pod(restarts=1))
    assert known.instance(BOX) == Instance(pod="u1", restarts=1)
    known.take("DELETED", pod())
    assert known.instance(BOX) is None
    with pytest.raises(ClusterError, match="has no address yet"):
        known.address("tablet-100-0")


@pytest.mark.parametrize(
    ("change", "deleted"),
    [({}, False), ({"uid": "u2"}, True), ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, True), (None, True)],
)
async def test_a_life_that_ended_with_its_pod_is_told_from_one_that_was_killed(
    tmp_path: Path, change: dict[str, str] | None, deleted: bool
) -> None:
    known, ends = Pods(), list[Ended]()
    known.take("LISTED", {"items": [pod()]})

    class Quiet:
        async def log(self, *_: object, **__: object) -> AsyncIterator[bytes]:
            known.take("DELETED", pod())
            if change is not None:
                later = pod(restarts=1)
                later["metadata"] |= change
                known.take("ADDED", later)
            for piece in (b"",):
                yield piece

    async def told() -> bool:
        return bool(ends)

    box, log = BOX, tmp_path / "log"
    async with followed(Quiet(), "x", box, known, log=log, since=None, on_end=ends.append):  # type: ignore[arg-type]
        await wait.until("the end is told", told, timeout_s=5)
    assert ends[0] == Ended(number=0, status=137, cause="gone: its pod was deleted" if deleted else "")


async def test_an_image_that_is_not_there_is_told_at_once() -> None:
    known = Pods()
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    known.take("LISTED", {"items": [pod(state=waiting)]})
    with pytest.raises(ClusterError, match=r"tablet-100-0 does not start: container mysqld: ErrImagePull \(no such"):
        await known.until_running([BOX], timeout_s=5)


async def test_a_pod_without_a_place_is_waited_for_and_then_told() -> None:
    known, unplaced = Pods(), pod(state={"waiting": {"reason": "ContainerCreating"}})
    unplaced["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes fit"}]
    known.take("LISTED", {"items": [unplaced]})
    with pytest.raises(WaitTimeout, match=r"last seen: 'tablet-100-0: no place: 0/1 nodes fit'"):
        await known.until_running([BOX], timeout_s=0.05)


async def test_the_wait_ends_with_the_watch() -> None:
    known, told = Pods(), list[int]()
    waiting = asyncio.create_task(known.until_running([BOX], timeout_s=5, tell=told.append))
    await asyncio.sleep(0)
    known.take("LISTED", {"items": [pod(state={"waiting": {"reason": "ContainerCreating"}})]})
    await asyncio.sleep(0)
    known.take("MODIFIED", pod())
    await waiting
    assert told[-1] == 1
    assert pods.read(pod()).address == "10.0.0.1"


# ------------------------------------------------------------ images


REFERENCES = (
    ("busybox", "docker.io/library/busybox:latest"),
    ("vtchaos/vitess:24", "docker.io/vtchaos/vitess:24"),
    ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
    ("registry.example/a@sha256:0", "registry.example/a@sha256:0"),
)


@pytest.mark.parametrize("short, long", REFERENCES)
def test_a_reference_with_all_its_parts(short: str, long: str) -> None:
    assert whole(short) == long
