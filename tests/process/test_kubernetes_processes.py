"""The agent of a pod and the orders to it, run by a real shell."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from clusters.common.commands import Command
from clusters.kubernetes import manifests, orders
from harness.base import procs, wait
from harness.base.owner import process

TIMEOUT_S = 20.0


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
