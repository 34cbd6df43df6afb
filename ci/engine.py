"""`python -m ci.engine COMMAND…`: run a command with a Docker engine beside it, where that can be.

One that answers is used. Otherwise, on Linux as root, dockerd is started in folders of its own for as long as the
command runs; where there is no dockerd, and only on a CI machine (CI=true), Debian's docker.io is installed first.
Afterwards what was started is stopped, and what dockerd changed in the machine's firewall is undone. Where none of
this can be, the reason is said, the command runs all the same, and its Docker half skips itself.

The exit status is the command's.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

from clusters.docker import engine
from clusters.software import Sources
from harness.base import procs, wait
from harness.base.errors import HarnessError, ProcessError, WaitTimeout
from harness.base.exit_codes import EXIT_INTERRUPTED, EXIT_USAGE

APT_TIMEOUT_S = 600.0
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
SHORT_TIMEOUT_S = 20.0
COMMAND_TIMEOUT_S = 3 * 3600.0
PACKAGES = ("docker.io", "iptables")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE = "docker0"
FIREWALLS = tuple((program, table) for program in ("iptables", "ip6tables") for table in ("filter", "nat"))


def main(words: Sequence[str]) -> int:
    if not words:
        print(__doc__, file=sys.stderr)
        return EXIT_USAGE
    try:
        return asyncio.run(_until_signalled(words))
    except asyncio.CancelledError:
        return EXIT_INTERRUPTED


async def _until_signalled(words: Sequence[str]) -> int:
    """What a CI job sends when its time is over must not leave a dockerd behind."""
    task = asyncio.current_task()
    assert task is not None
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
    async with engine_beside():
        done = await procs.run(words, timeout_s=COMMAND_TIMEOUT_S, on_line=_say, check=False)
    return done.returncode


@contextlib.asynccontextmanager
async def engine_beside() -> AsyncIterator[None]:
    """An engine answers where DOCKER_HOST says, for as long as the block; or it was said why not."""
    missing = await engine.refusal()
    why_not = await _installable() if missing else ""
    if not missing:
        _say("docker: an engine runs already, and is used")
        yield
    elif why_not:
        _say(f"docker: SKIPPED: {missing}; {why_not}")
        yield
    else:
        async with _started():
            yield


async def _installable() -> str:
    """Why dockerd cannot be started here; "" when there is one now."""
    if sys.platform != "linux":
        return "it is started by itself only on Linux"
    if os.geteuid() != 0:
        return "only root can start one"
    if shutil.which("dockerd"):
        return ""
    if os.environ.get("CI") != "true":
        return "there is no dockerd, and packages are installed only where CI=true"
    if not shutil.which("apt-get"):
        return "there is no dockerd, and no apt-get to install one"
    try:
        await _install()
    except ProcessError as error:
        return f"Debian's docker.io could not be installed: {error}"
    return "" if shutil.which("dockerd") else "Debian's docker.io brought no dockerd"


async def _install() -> None:
    """RUNLEVEL=1: the package starts no service of its own, which nobody would stop."""
    environment = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    _say(f"docker: installing {', '.join(PACKAGES)}")
    for words in (("update",), ("install", "--yes", "--no-install-recommends", *PACKAGES)):
        await procs.run(("apt-get", *words), timeout_s=APT_TIMEOUT_S, env=environment)


# ---------------------------------------------------------------- an engine of our own


@contextlib.asynccontextmanager
async def _started() -> AsyncIterator[None]:
    folder = Sources.of_environment().cache_dir / "ci-engine"
    with _alone(folder) as alone:
        if alone:
            async with _started_in(folder):
                yield
        else:
            _say("docker: the engine that another of us has started is used")
            with _named(folder):
                yield


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether nobody else of us has an engine in this folder; then nobody else has one as long as the block lasts."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name("ci-engine.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.asynccontextmanager
async def _started_in(folder: Path) -> AsyncIterator[None]:
    await _remove(folder)  # of one that was killed
    folder.mkdir(parents=True)
    before, forwarding, bridged = await _firewall(), FORWARDING.read_text(), _link(BRIDGE)
    log = folder.with_name("ci-engine.log")
    log.unlink(missing_ok=True)
    try:
        async with procs.spawned(_dockerd(folder), log=log) as process:
            try:
                with _named(folder):
                    await _until_answers(process, log)
                    yield
            finally:
                await _stopped(process)
    finally:
        await _restored(before, forwarding, bridged=bridged)
        await _remove(folder)


@contextlib.contextmanager
def _named(folder: Path) -> Iterator[None]:
    """DOCKER_HOST of us and of all that we start."""
    was = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = _address(folder)
    try:
        yield
    finally:
        del os.environ["DOCKER_HOST"]
        if was is not None:
            os.environ["DOCKER_HOST"] = was


def _address(folder: Path) -> str:
    return f"unix://{folder / 'docker.sock'}"


def _dockerd(folder: Path) -> list[str]:
    """Nothing of it outside the folder but the bridge and the firewall's rules."""
    return [
        "dockerd",
        f"--host={_address(folder)}",
        f"--data-root={folder / 'data'}",
        f"--exec-root={folder / 'exec'}",
        f"--pidfile={folder / 'docker.pid'}",
    ]


async def _until_answers(process: asyncio.subprocess.Process, log: Path) -> None:
    """Or until it is said why it does not."""

    async def answers() -> bool:
        if process.returncode is not None:
            raise HarnessError(f"it ended with exit status {process.returncode}")
        return not await engine.refusal()

    try:
        await wait.until("dockerd answers", answers, timeout_s=START_TIMEOUT_S, poll_s=0.5)
    except HarnessError as error:
        _say(
            f"docker: SKIPPED: dockerd does not start: {error}; its log {log} ends with:\n{procs.tail_of(log).rstrip()}"
        )
    else:
        _say(f"docker: started {shutil.which('dockerd')} for as long as this runs; its log is {log}")


async def _stopped(process: asyncio.subprocess.Process) -> None:
    """In order if it can be: a dockerd that is killed leaves its containers' mounts."""
    if process.returncode is not None:
        return
    process.terminate()
    with contextlib.suppress(WaitTimeout):
        await wait.finish("dockerd ends", process.wait(), timeout_s=STOP_TIMEOUT_S)


async def _remove(folder: Path) -> None:
    """With what is still mounted in it."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounted if Path(each).is_relative_to(folder)), reverse=True):
        await procs.run(("umount", "--lazy", mount), timeout_s=SHORT_TIMEOUT_S, check=False)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


# ---------------------------------------------------------------- what dockerd changes in the machine

Firewall = Mapping[tuple[str, str], Sequence[str]]


async def _firewall() -> Firewall:
    """Program and table → its rules as `-S` tells them; without the program, nothing."""
    return {key: await _rules(*key) for key in FIREWALLS if shutil.which(key[0])}


async def _rules(program: str, table: str) -> Sequence[str]:
    done = await procs.run((program, "-w", "-t", table, "-S"), timeout_s=SHORT_TIMEOUT_S, check=False)
    return done.output.splitlines() if done.returncode == 0 else ()


def undone(before: Sequence[str], after: Sequence[str]) -> list[list[str]]:
    """The arguments that lead from the rules of a table back to those of before: rules, then chains, then policies.

    A chain is emptied before any is removed, because they jump to each other.
    """
    added = [line.split(maxsplit=1) for line in after if line not in before]
    words = {key: [shlex.split(rest) for kind, rest in added if kind == key] for key in ("-A", "-N")}
    chains = [chain for (chain,) in words["-N"]]
    policies = [shlex.split(line) for line in before if line.startswith("-P ") and line not in after]
    return [
        *(["-D", *rule] for rule in words["-A"] if rule[0] not in chains),
        *(["-F", chain] for chain in chains),
        *(["-X", chain] for chain in chains),
        *policies,
    ]


async def _restored(before: Firewall, forwarding: str, *, bridged: bool) -> None:
    for (program, table), rules in before.items():
        for words in undone(rules, await _rules(program, table)):
            await procs.run((program, "-w", "-t", table, *words), timeout_s=SHORT_TIMEOUT_S, check=False)
    if _link(BRIDGE) and not bridged:
        await procs.run(("ip", "link", "delete", BRIDGE), timeout_s=SHORT_TIMEOUT_S, check=False)
    if FORWARDING.read_text() != forwarding:
        FORWARDING.write_text(forwarding)


def _link(name: str) -> bool:
    return any(name == each for _, each in socket.if_nameindex())


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
