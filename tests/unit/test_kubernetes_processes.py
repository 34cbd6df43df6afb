"""The agent, orders to it, and what is read of pods and logs. The agent and its orders are real shell."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from clusters.common.commands import Command
from clusters.kubernetes import manifests, orders, pods
from clusters.kubernetes.following import Ended, Printed, followed
from clusters.kubernetes.names import Box
from clusters.kubernetes.pods import Instance, Pods
from clusters.kubernetes.resources import Manifest
from clusters.kubernetes.store import whole
from harness.base import procs, wait
from harness.base.errors import ClusterError, WaitTimeout
from harness.base.owner import process

TIMEOUT_S = 20.0


# ------------------------------------------------------------ the agent


class Container:
    """An agent as a process here, and a shell beside it."""

    def __init__(self, state: Path, log: Path, pid: int) -> None:
        self.state = state
        self.log = log
        self.pid = pid

    async def order(self, script: str) -> procs.Completed:
        return await procs.run(["/bin/sh", "-c", script], timeout_s=TIMEOUT_S, check=False)

    async def start(self, number: int, words: str) -> procs.Completed:
        command = Command(argv=("/bin/sh", "-c", words), cwd=self.state.parent, env={"WORD": "it's"})
        return await self.order(orders.start(str(self.state), number, command))

    async def signal(self, number: int, signum: int) -> str:
        return (await self.order(orders.signal(str(self.state), number, signum))).output

    async def printed(self, text: str) -> None:
        async def there() -> str:
            return self.log.read_text() if text in self.log.read_text() else ""

        await wait.until(f"the agent prints {text!r}", there, timeout_s=TIMEOUT_S)


@pytest_asyncio.fixture
async def container(tmp_path: Path) -> AsyncIterator[Container]:
    state, log = tmp_path / "state", tmp_path / "log"
    words = ["/bin/sh", "-c", manifests.AGENT.read_text(), "agent", str(state)]
    async with procs.spawned(words, log=log) as agent:
        yield Container(state, log, agent.pid)


async def test_a_program_is_started_and_its_end_comes_after_its_words(container: Container) -> None:
    said = await container.start(5, 'echo "$WORD"; printf "no line end"; exit 3')
    assert (said.returncode, said.output) == (0, "done")
    await container.printed("\x1evtchaos-exit 5 3\n")
    assert container.log.read_text() == "it's\nno line end\n\x1evtchaos-exit 5 3\n"
    assert not (container.state / "pid").exists()


async def test_a_signal_reaches_the_program_alone(container: Container) -> None:
    await container.start(1, "exec sleep 1000")
    assert await container.signal(2, signal.SIGSTOP) == "done"
    assert await container.signal(3, signal.SIGKILL) == "done"
    await container.printed(f"\x1evtchaos-exit 1 {128 + signal.SIGKILL}\n")
    assert await container.signal(4, signal.SIGKILL) == orders.NOT_RUNNING
    assert "Killed" not in container.log.read_text()
    await container.start(6, "echo again")  # the agent lives on
    await container.printed("\x1evtchaos-exit 6 0\n")


async def test_a_program_that_stands_still_is_seen(container: Container) -> None:
    async def seen(number: int) -> str:
        return (await container.order(orders.seen(str(container.state), number))).output

    assert await seen(1) == orders.NOT_RUNNING
    await container.start(2, "exec sleep 1000")
    assert await seen(3) not in orders.STOPPED
    await container.signal(4, signal.SIGSTOP)
    assert await seen(5) in orders.STOPPED
    await container.signal(6, signal.SIGCONT)
    assert await seen(7) not in orders.STOPPED
    await container.signal(8, signal.SIGKILL)


async def test_what_runs_is_not_started_again(container: Container) -> None:
    await container.start(1, "exec sleep 1000")
    running = await container.order(orders.running(str(container.state)))
    assert running.output.split()[0] == "1"
    said = await container.start(2, "echo second")
    assert said.returncode != 0
    assert orders.ALREADY_RUNNING in said.output
    await container.signal(3, signal.SIGKILL)
    await container.printed("vtchaos-exit 1 137")
    assert "second" not in container.log.read_text()
    assert (await container.order(orders.running(str(container.state)))).output == ""


async def test_a_program_has_nothing_of_the_containers_environment(container: Container) -> None:
    await container.start(1, "/usr/bin/env")
    await container.printed("vtchaos-exit 1 0")
    names = {line.split("=")[0] for line in container.log.read_text().splitlines() if "=" in line}
    assert names <= {"WORD", "PWD", "SHLVL", "_", "OLDPWD"}


async def test_an_answer_that_nobody_took_is_not_mistaken_for_ours(container: Container) -> None:
    await container.order(
        f"while [ ! -p {container.state}/replies ]; do :; done; echo '77 done' > {container.state}/replies &"
    )
    assert await container.signal(78, signal.SIGTERM) == orders.NOT_RUNNING


async def test_the_agent_ends_at_sigterm(container: Container) -> None:
    """Here, where it is the first of no namespace, its program outlives it."""
    await container.start(1, "echo ready; exec sleep 20")
    await container.printed("ready")
    os.kill(container.pid, signal.SIGTERM)

    async def gone() -> bool:
        return process(container.pid).started == 0

    await wait.until("the agent ends", gone, timeout_s=TIMEOUT_S)


async def test_waiting_costs_nothing(container: Container) -> None:
    await container.start(1, "exec sleep 1000")

    def ticks() -> int:
        words = Path(f"/proc/{container.pid}/stat").read_text().rpartition(")")[2].split()
        return int(words[11]) + int(words[12])

    before = ticks()
    await wait.hold(0.5)
    assert ticks() - before <= 1


async def test_a_folder_with_a_template_and_files(tmp_path: Path) -> None:
    template = tmp_path / "template"
    (template / "mysql").mkdir(parents=True)
    (template / "ibdata1").write_bytes(b"x" + bytes(1 << 20))
    text = "[mysqld]\nkey = $HOME `false` 'quoted'\n"
    folder = tmp_path / "vt_0000000100"
    script = orders.folder(str(folder), {"my.cnf": text}, template=str(template))
    await procs.run(["/bin/sh", "-c", script], timeout_s=TIMEOUT_S)
    assert (folder / "my.cnf").read_text() == text
    assert (folder / "data" / "mysql").is_dir()
    assert (folder / "data" / "ibdata1").read_bytes() == (template / "ibdata1").read_bytes()
    assert (folder / "tmp").is_dir()


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
