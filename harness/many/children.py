"""Runs in processes of their own: `vtchaos run`, called by what makes several (--count, sweep, soak, bisect, shrink).

A process each, so that the twentieth run is measured under the same conditions as the first: no caches, no heap, no
real-time scheduling that an earlier one left. A run that is in its folder already is not made again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from harness.base import jsonio
from harness.base.errors import RunDirError
from harness.base.exit_codes import EXIT_INTERRUPTED
from harness.base.owner import Owner
from harness.base.rng import child
from harness.base.rundir import RunDir
from harness.model import RunVerdict

TURN = "VTCHAOS_TURN"  # set for a run that is one of several: "3 of 20"; it leaves the telling to its maker
WITHIN_S = 2 * 3600.0  # a run bounds itself; this is for one that hangs
PLAN_WITHIN_S = 120.0
ENDS_WITHIN_S = 180.0  # after SIGINT: it heals, removes and judges


class Stopping:
    """Ctrl-C: the first lets what runs come to its end, the second ends it early; SIGTERM and SIGHUP do both at once.
    Whatever ends, it ends in order: the run heals and removes. Several may run at once, each asked for by a thread."""

    def __init__(self, console: Console, *, log: Path | None = None) -> None:
        """`log`: what the runs say is appended to it instead of going where ours goes."""
        self.asked = False
        self._log = log
        self._console = console
        self._at_once = False
        self._running: set[subprocess.Popen[bytes]] = set()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for number in before:
            signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def made(self, words: Sequence[str], *, seed: int, folder: Path, turn: str, within_s: float = WITHIN_S) -> int:
        """The run of these words of `vtchaos run`, unless `folder` has it already. Exit code (0 of one that is there);
        negative: it had to be killed."""
        if is_whole(folder):
            return 0
        set_aside(folder)
        return self.ran(run_command(words, seed=seed, folder=folder), turn, within_s)

    def replayed(self, plan: Path, *words: str, folder: Path, turn: str, within_s: float = WITHIN_S) -> int:
        """The same of `vtchaos replay`, of a plan in a file."""
        if is_whole(folder):
            return 0
        set_aside(folder)
        return self.ran(command("replay", str(plan), "--out", str(folder), *words), turn, within_s)

    def ran(self, argv: Sequence[str], turn: str, within_s: float = WITHIN_S, *, log: Path | None = None) -> int:
        """Exit code. The run has a process group of its own: the terminal's Ctrl-C reaches only us. One that takes too
        long is ended in order, and killed when it does not end (its watchdog heals and removes). `log`: of it alone."""
        log, ending = log or self._log, self._at_once
        with (
            contextlib.nullcontext() if log is None else log.open("ab") as out,
            subprocess.Popen(argv, env={**os.environ, TURN: turn}, process_group=0, stdout=out, stderr=out) as process,
        ):
            self._running.add(process)
            if self._at_once and not ending:  # asked for while it began
                process.send_signal(signal.SIGINT)
            try:
                return _ended(process, within_s)
            finally:
                self._running.discard(process)

    def end(self) -> None:
        """What runs is ended early, and nothing else begins."""
        self.asked = self._at_once = True
        for process in tuple(self._running):
            process.send_signal(signal.SIGINT)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.asked or number != signal.SIGINT:
            self.end()
            return
        self.asked = True
        if self._running:
            what, it = ("this run", "it") if len(self._running) == 1 else ("these runs", "them")
            self._console.print(f"ends after {what}; Ctrl-C again ends {it} now", style="yellow")


def _ended(process: subprocess.Popen[bytes], within_s: float) -> int:
    for bound_s, then in ((within_s, process.send_signal), (ENDS_WITHIN_S, lambda _: process.kill())):
        try:
            return process.wait(bound_s)
        except subprocess.TimeoutExpired:
            then(signal.SIGINT)
    return process.wait(ENDS_WITHIN_S)


def command(*words: str) -> list[str]:
    """Of `vtchaos` with these words."""
    return [sys.executable, "-m", "harness.cli", *words]


def run_command(words: Sequence[str], *, seed: int, folder: Path) -> list[str]:
    """Of a run of these words of `vtchaos run`."""
    return command("run", *words, "--seed", str(seed), "--out", str(folder))


def planned(*words: str) -> subprocess.CompletedProcess[str]:
    """What `vtchaos plan` says of these words of `vtchaos run`; it starts nothing."""
    return subprocess.run(command("plan", *words), capture_output=True, text=True, check=False, timeout=PLAN_WITHIN_S)


def refusal(words: Sequence[str]) -> str:
    """Why `vtchaos run` would refuse these words; "" = it would not."""
    done = planned(*words)
    said = done.stderr.strip().rpartition("\nError: ")[2].removeprefix("vtchaos: ")
    return (said or f"exit code {done.returncode}") if done.returncode else ""


def words_of(context: click.Context, ours: Collection[str]) -> tuple[str, ...]:
    """The command line of one of the runs: what was given, without what is ours."""
    found: list[str] = []
    for param in context.command.params:
        given = context.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        if given and param.name not in ours:
            found += _words(param, context.params[param.name or ""])
    return tuple(found)


def _words(param: click.Parameter, value: Any) -> Iterator[str]:
    if isinstance(param, click.Argument):
        yield str(value)
    elif isinstance(param, click.Option) and param.is_flag:
        yield param.opts[0] if value else param.secondary_opts[0]
    else:
        for each in value if param.multiple else (value,):
            yield from (param.opts[0], str(each))


def seed_of(seed: int, number: int) -> int:
    """The seed of a run: the same for the same number, however many runs there are."""
    return child(seed, f"run {number}").randrange(2**31)


def is_whole(folder: Path) -> bool:
    """A run that came to its end and was judged, whatever it came to; one that the user broke off is not."""
    verdict = jsonio.load_if_whole(folder / "verdict.json", RunVerdict)
    return verdict is not None and verdict.exit_code != EXIT_INTERRUPTED


def set_aside(folder: Path) -> None:
    """A broken-off run keeps what it recorded under another name. Raises RunDirError while it goes on: its maker was
    killed, and it comes to its end by itself."""
    owner = jsonio.load_if_whole(RunDir(folder).owner, Owner)
    if owner is not None and not owner.dead and not owner.elsewhere:
        raise RunDirError(f"the run in {folder} goes on (process {owner.pid}); begin again when it has ended")
    if folder.exists():
        names = (folder.with_name(f"{folder.name}-broken-off-{number}") for number in range(1, 1000))
        folder.rename(next(name for name in names if not name.exists()))
