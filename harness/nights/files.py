"""Soak folders on disk: read into nights, and what is written into the last one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from harness.base import jsonio
from harness.base.errors import RunDirError
from harness.base.files import write_text
from harness.base.taken_up import fitting
from harness.facts.words import counted, listed
from harness.nights import junit, markdown, page, text
from harness.nights.night import Night, night
from harness.nights.report import Report, report
from harness.soak.files import PRUNED
from harness.soak.values import RUNS, SOAK, Soak, SoakRun

REPORT = "soak-report.json"
PAGE = "soak.html"
MOST_NIGHTS = 14  # that tonight is held against: what was rare two weeks ago may be another Vitess by now


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The nights before; `left_out`: those that could not be read, and why."""

    nights: tuple[Night, ...] = ()
    left_out: tuple[str, ...] = ()
    compared: bool = True  # False: nobody looked for them


def renewed(folder: Path, past: Past | None = None) -> Report:
    """Write the report of a soak's folder, against `past` (else: the soaks beside it). Raises RunDirError."""
    known = before(folder) if past is None else past
    made = report((*known.nights, read(folder)), known.left_out, compared=known.compared)
    written(made, folder)
    return made


def written(made: Report, folder: Path) -> None:
    """Every file whole or not at all; the same report gives the same bytes."""
    points_less = tuple(replace(trend, points=(), nights=()) for trend in made.trends)  # they are in runs.jsonl
    jsonio.save(folder / REPORT, replace(made, trends=points_less))
    _saved(folder / "summary.txt", text.plain(made, folder))
    _saved(folder / "summary.md", markdown.page(made))
    junit.render(made, folder / "junit.xml")
    page.render(made, folder / PAGE)


def _saved(path: Path, content: str) -> None:
    write_text(path, content)


# ---------------------------------------------------------------- reading


def read(folder: Path) -> Night:
    """Of what is whole in it: a soak that was killed while it wrote a line leaves a torn one. Raises RunDirError."""
    left_out: list[str] = []
    return night(
        shown(folder),
        soak_of(folder),
        _runs(folder, left_out),
        left_out=left_out,
        kept=lambda name: not (folder / name / PRUNED).exists(),
    )


def soak_of(folder: Path) -> Soak:
    """Raises RunDirError when it holds none, or one of another version."""
    try:
        return fitting(folder / SOAK, Soak)
    except (FileNotFoundError, NotADirectoryError):
        raise RunDirError(f"{folder} holds no soak: there is no {SOAK} in it") from None


def shown(folder: Path) -> str:
    """As a command names it that is given where we are."""
    whole = folder.absolute()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else str(whole)


def _runs(folder: Path, left_out: list[str]) -> Iterator[SoakRun]:
    """Each once, in the order in which they were made."""
    last, twice = 0, []
    for run in _lines(folder, left_out):
        if run.number <= last:
            twice.append(run.folder)
            continue
        if run.number > last + 1:
            left_out.append(f"{RUNS} has no {_span(last + 1, run.number - 1)}")
        last = run.number
        yield run
    if twice:
        left_out.append(f"{RUNS} has {listed(twice)} more than once; the first of each counts")


def _span(first: int, last: int) -> str:
    return f"run {first}" if first == last else f"runs {first} to {last}"


def _lines(folder: Path, left_out: list[str]) -> Iterator[SoakRun]:
    strange: list[str] = []
    try:
        with (folder / RUNS).open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    left_out.append(f"the last line of {RUNS} is torn: the soak was killed while it wrote it")
                    break
                try:
                    yield jsonio.structure(orjson.loads(line), SoakRun)
                except ValueError as error:
                    strange.append(f"line {number}: {error}")
    except FileNotFoundError:
        left_out.append("no run has ended yet")
    if strange:
        lines = counted(len(strange), "line")
        left_out.append(f"{lines} of {RUNS} cannot be read by this version of vtchaos; {strange[0][:300]}")


def before(folder: Path, history: Sequence[Path] = (), most: int = MOST_NIGHTS) -> Past:
    """The soaks in the folders of `history` (else: beside it) that began before it, the latest `most` of them."""
    if not most:
        return Past(compared=False)
    begin = soak_of(folder).begin
    known, left_out = known_soaks((folder, *_soaks(history or (folder.resolve().parent,))))
    earlier = [each for each, soak in known if soak.begin < begin]
    return Past(nights=tuple(read(each) for each in earlier[-most:]), left_out=tuple(left_out))


def known_soaks(folders: Iterable[Path]) -> tuple[list[tuple[Path, Soak]], list[str]]:
    """Those of the folders that hold a soak of this version, in order of time; what is left out, and why. A copy is no
    other night: of the folders that hold the same soak the first counts."""
    found: dict[tuple[str, str], tuple[Path, Soak]] = {}
    left_out: list[str] = []
    for each in folders:
        try:
            soak = soak_of(each)
        except RunDirError as error:
            left_out.append(str(error))
            continue
        there, _ = found.setdefault((soak.name, soak.begin), (each, soak))
        if each.resolve() != there.resolve():
            left_out.append(f"{shown(each)} holds the same soak as {shown(there)}, and counts once")
    return sorted(found.values(), key=lambda one: (one[1].begin, str(one[0]))), left_out


def _soaks(parents: Sequence[Path]) -> Iterator[Path]:
    """Folders with a soak, each once."""
    seen: set[Path] = set()
    for parent in parents:
        for path in sorted(Path(entry.path) for entry in os.scandir(parent) if entry.is_dir()):
            if (path / SOAK).is_file() and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path
