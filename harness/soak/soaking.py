"""The work of `vtchaos soak`: make, record, prune, tell; one run after the other."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import psutil
from rich.console import Console

from experiments import EXPERIMENTS
from harness.base import jsonio, wait
from harness.base.errors import ClusterError, RunDirError
from harness.base.exit_codes import EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_USAGE, JUDGED, WORST_FIRST
from harness.many.children import Stopping, command, is_whole
from harness.many.records import RunRecord, broken
from harness.model import Clean, Plan, RunVerdict
from harness.soak import files
from harness.soak import text as soak_text
from harness.soak.clusters import KeptCluster
from harness.soak.drawing import drawing
from harness.soak.limits import (
    Tally,
    caught,
    end,
    exit_code,
    expected_s,
    removable,
    why_replaced,
)
from harness.soak.values import SOAK, Drawing, Ended, Resources, Soak, SoakRun

BEYOND_TIMEOUT_S = 900.0  # a run's start, end and judging, beside its timeline
ORPHAN_WITHIN_S = 1800.0  # a run whose soak was killed comes to its end by itself
HEAL_WITHIN_S = 300.0
REPORT_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A run that is over."""

    begin: str
    took_s: float
    exit_code: int
    cluster: str
    why: str = ""  # it could not be begun


class Soaking:
    """One process's part of a soak."""

    def __init__(self, folder: Path, soak: Soak, console: Console, stopping: Stopping) -> None:
        self._folder = folder
        self._soak = soak
        self._console = console
        self._stopping = stopping
        self._kept = KeptCluster(soak.name, ran=self._ran, most_runs=max(soak.weights.kept_in_block, 1))
        self._tally = Tally()
        left = datetime.datetime.fromisoformat(soak.until) - datetime.datetime.now(tz=datetime.UTC)
        self._deadline_s = time.monotonic() + left.total_seconds()

    def run(self) -> int:
        """Returns the exit code."""
        for run in files.runs(self._folder):
            self._tally.add(run)
        with self._stopping.installed():
            self._cleared()
            try:
                ended = self._made()
            finally:  # also where a run cannot be recorded: it is whole, and will be taken over
                self._kept.removed()
                self._none_left()
        with contextlib.suppress(OSError):  # a full disk: the exit code is that of how it ended all the same
            jsonio.save(self._folder / SOAK, replace(self._soak, ended=ended))
        self._console.print(soak_text.answer(self._tally, ended), highlight=False, soft_wrap=True)
        told = self._reported(told=True)
        self._console.print(soak_text.go_on(self._folder, ended), highlight=False, soft_wrap=True)
        return min(told, exit_code(self._tally, ended), key=WORST_FIRST.index)

    def _made(self) -> Ended:
        """All runs that there is time for. Why it ended."""
        while not self._stopping.asked:
            drawn = drawing(self._soak.seed, self._tally.last + 1, self._soak.weights)
            ended = self._end(drawn)
            if ended:
                return ended
            run = self._one(drawn)
            if run is None:
                break
            files.append(self._folder, run)
            self._tally.add(run)
            self._pruned(run.after)
            files.bound_log(self._folder)
            self._reported(told=False)
            self._console.print(soak_text.run_line(run), soft_wrap=True)
        return Ended(why="interrupted", exit_code=EXIT_INTERRUPTED)

    def _end(self, drawn: Drawing) -> Ended | None:
        return end(
            self._tally,
            left_s=self._deadline_s - time.monotonic(),
            needed_s=expected_s(drawn.lot, EXPERIMENTS[drawn.experiment].timeout_s, self._tally.longest_s),
            free_bytes=self._free_bytes(),
            most_runs=self._soak.most_runs,
        )

    def _free_bytes(self) -> int:
        return psutil.disk_usage(str(self._folder)).free

    # ---------------------------------------------------------------- one run

    def _one(self, drawn: Drawing) -> SoakRun | None:
        """None: it was broken off, and will be made again."""
        folder = self._folder / f"{drawn.number:04d}"
        before = files.resources(self._folder)
        made = _found(folder) or self._make(drawn, folder)
        if self._stopping.asked and not is_whole(folder):
            return None
        record = self._recorded(drawn, folder, made)
        if (
            record.failure
        ):  # of one that was taken over only its verdict told its exit code, and that says nothing of it
            made = replace(made, exit_code=EXIT_HARNESS)
        clean = jsonio.load_if_whole(folder / "clean.json", Clean)
        why = self._kept.after(why_replaced(made.exit_code, record, clean)) if drawn.cluster else ""
        return SoakRun(
            drawing=drawn,
            folder=folder.name,
            begin=made.begin,
            took_s=round(made.took_s, 3),
            exit_code=made.exit_code,
            record=record,
            caught=caught(drawn.sabotage, made.exit_code, record) if drawn.sabotage else None,
            cluster=made.cluster,
            replaced=why,
            before=before,
            after=files.resources(self._folder),
        )

    def _make(self, drawn: Drawing, folder: Path) -> _Made:
        begin, started = datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"), time.monotonic()
        cluster, code, why = "own", EXIT_HARNESS, ""
        try:
            name, cluster = self._kept.ready(drawn)
        except ClusterError as error:
            why = str(error)
        else:
            code = self._stopping.made(
                (*drawn.words, *(("--cluster", name) if name else ())),
                seed=drawn.seed,
                folder=folder,
                turn=f"run {drawn.number}",
                within_s=EXPERIMENTS[drawn.experiment].timeout_s + BEYOND_TIMEOUT_S,
            )
        return _Made(begin=begin, took_s=time.monotonic() - started, exit_code=code, cluster=cluster, why=why)

    def _recorded(self, drawn: Drawing, folder: Path, made: _Made) -> RunRecord:
        why = made.why or ("vtchaos run refused it" if made.exit_code == EXIT_USAGE else "it came to no verdict")
        if (folder / "verdict.json").is_file():
            try:
                return recorded(folder, self._folder)
            except RunDirError as error:
                why = f"its record cannot be read: {error}"
        return broken(folder.name, drawn.experiment, drawn.seed, made.exit_code, why)

    # ---------------------------------------------------------------- before and after

    def _cleared(self) -> None:
        """What a soak that was killed has left: a run that goes on, faults of one that does not, kept clusters."""
        folder = self._folder / f"{self._tally.last + 1:04d}"
        asyncio.run(_until_nobody_is_at(folder, self._kept.prefix, self._stopping))
        if (folder / "plan.json").is_file() and not is_whole(folder):
            self._ran(("heal", str(folder)), "", HEAL_WITHIN_S)
        self._none_left()

    def _none_left(self) -> None:
        for name, gone in self._kept.leftovers_removed().items():
            told = f"removed: the kept cluster {name}" if gone else f"NOT removed: `vtchaos down {name}` does it"
            self._console.print(told, highlight=False)

    def _pruned(self, after: Resources) -> None:
        if after.folder_bytes > self._soak.keep_bytes:
            gone = files.broken_off(self._folder)
            gone += removable(files.runs(self._folder), self._tally.first)
            files.prune(self._folder, gone, taken=after.folder_bytes, keep_bytes=self._soak.keep_bytes)

    def _reported(self, *, told: bool) -> int:
        """Renew soak.html and the rest; the nights before are only read in the end, they do not change meanwhile.
        Its exit code; that of a failure of the harness where it could not be written."""
        code, problem = report(self._folder, told=told)
        if problem:
            self._console.print(f"the report could not be written: {problem}", style="yellow", soft_wrap=True)
        return EXIT_HARNESS if problem else code

    def _ran(self, words: Sequence[str], turn: str, within_s: float) -> int:
        return self._stopping.ran(command(*words), turn, within_s)


def recorded(run: Path, inside: Path) -> RunRecord:
    """What is kept of a run, read in a process of its own. Raises RunDirError."""
    words = [sys.executable, "-m", "harness.soak.record", str(run), str(inside)]
    try:
        done = subprocess.run(words, capture_output=True, check=False, timeout=REPORT_WITHIN_S, process_group=0)
    except subprocess.TimeoutExpired:
        raise RunDirError(f"{run} was not read within {REPORT_WITHIN_S:g} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise RunDirError(said or f"{run}: exit code {done.returncode}")
    return jsonio.structure(orjson.loads(done.stdout), RunRecord)


def report(folder: Path, *, told: bool) -> tuple[int, str]:
    """`vtchaos nights` in a process of its own: what draws a page holds much memory. Its exit code, which is the
    soak's, and why it failed ("" = it did not)."""
    words = command("nights", str(folder), *(() if told else ("--nights", "0")))
    out = None if told else subprocess.DEVNULL
    try:
        done = subprocess.run(
            words, stdout=out, stderr=subprocess.PIPE, text=True, check=False, timeout=REPORT_WITHIN_S, process_group=0
        )
    except subprocess.TimeoutExpired:
        return EXIT_HARNESS, f"not within {REPORT_WITHIN_S:g} s"
    told_all = "Traceback" not in done.stderr  # with which Python ends with 1, as a finding does
    if (done.returncode in JUDGED and told_all) or (
        done.returncode in (EXIT_HARNESS, EXIT_INTERRUPTED) and not done.stderr
    ):
        return done.returncode, ""  # the soak's: a failure of its own would be told
    return EXIT_HARNESS, done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"


def _found(folder: Path) -> _Made | None:
    """A whole run that its soak did not live to record. What it says of time is what its files say."""
    if not is_whole(folder):
        return None
    plan = jsonio.load(folder / "plan.json", Plan)
    begin_s, end_s = ((folder / name).stat().st_mtime for name in ("plan.json", "verdict.json"))
    return _Made(
        begin=datetime.datetime.fromtimestamp(begin_s, tz=datetime.UTC).isoformat(timespec="seconds"),
        took_s=end_s - begin_s,
        exit_code=jsonio.load(folder / "verdict.json", RunVerdict).exit_code,
        cluster="reused" if plan.cluster_name else "own",
    )


async def _until_nobody_is_at(folder: Path, clusters: str, stopping: Stopping) -> None:
    """A run, its watchdog, or what makes a kept cluster outlives a soak that is killed. Raises WaitTimeout."""

    async def nobody() -> bool:
        everybody = (process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"]))
        return stopping.asked or not any(_is_at(words, folder, clusters) for words in everybody)

    await wait.until(f"nobody is at work in {folder}", nobody, timeout_s=ORPHAN_WITHIN_S, poll_s=1.0)


def _is_at(words: Sequence[str], folder: Path, clusters: str) -> bool:
    ours = any("harness" in word for word in words)  # and not a pager's
    return ours and any(word.startswith(clusters) or _is_same(word, folder) for word in words)


def _is_same(word: str, folder: Path) -> bool:
    """However either is spelled."""
    return word.endswith(folder.name) and Path(word).resolve() == folder.resolve()
