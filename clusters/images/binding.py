"""Programs of this machine made independent of it: a loader and libraries of their own are copied along.

Where a program came from does not matter then (a distribution's package, a tarball, our cache): in a container of
another system it loads just what it loads here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clusters.images import tree
from clusters.images.tree import Entry
from clusters.software import elf
from harness.base import procs
from harness.base.errors import ProcessError, SoftwareError

LIST_TIMEOUT_S = 30.0
_FOUND = re.compile(r"^\s*(\S+) => (/\S+) \(", re.MULTILINE)
_LOST = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a shared object loads: name → path, and the names that are not to be found."""

    found: dict[str, Path]
    lost: Sequence[str]

    @property
    def folders(self) -> set[Path]:
        return {path.parent for path in self.found.values()}


async def bound(programs: Sequence[Entry], own: Path, work: Path, *, plugins: Iterable[Entry] = ()) -> list[Entry]:
    """The programs, with what they load in the folder `own` of the image; copies are made in `work`.

    `plugins` are loaded by the first program; one that needs what is not beside its libraries is left out.
    Raises SoftwareError for a program that is a script, or does not find its libraries.
    """
    entries: list[Entry] = []
    libraries: dict[str, Path] = {}
    loaders: dict[str, Path] = {}
    for program in programs:
        loader = await _loader(_source(program))
        if loader is None:  # needs nobody
            entries.append(program)
            continue
        needs = await _needs(loader, _source(program))
        if needs.lost:
            raise SoftwareError(f"{program.source} does not find {', '.join(needs.lost)} on this machine")
        libraries |= needs.found
        loaders[loader.name] = loader.resolve()
        entries.append(await _started_by(own / loader.name, program, own, work))
    folders = {path.parent for path in libraries.values()}
    for plugin in plugins:
        needs = await _needs(next(iter(loaders.values())), _source(plugin), folders)
        if not needs.lost and needs.folders <= folders:
            entries.append(plugin)
            libraries |= needs.found
    place = str(own.relative_to("/"))
    beside = {**libraries, **loaders}
    return [*entries, *(tree.copied(f"{place}/{name}", path, mode=0o755) for name, path in beside.items())]


async def _started_by(loader: Path, program: Entry, own: Path, work: Path) -> Entry:
    """A copy of the program that names another loader, and looks for its libraries in `own`."""
    copy = work / Path(program.path).name
    shutil.copyfile(_source(program), copy)
    copy.chmod(0o755)
    argv: list[str | Path] = [
        elf.patchelf(),
        *("--set-interpreter", loader),
        *("--force-rpath", "--set-rpath", own),
        copy,
    ]
    await procs.run(argv, timeout_s=elf.PATCH_TIMEOUT_S)
    return replace(program, source=copy)


async def _loader(program: Path) -> Path | None:
    """What starts a program; None for one that is linked statically, as Vitess's own are."""
    if not elf.is_elf(program):
        raise SoftwareError(f"{program} is a script; an image takes the program that it calls")
    try:
        done = await procs.run([elf.patchelf(), "--print-interpreter", program], timeout_s=elf.PATCH_TIMEOUT_S)
    except ProcessError as error:
        if ".interp" in error.tail:
            return None
        raise SoftwareError(f"{program} cannot be put into an image: {error}") from None
    return Path(done.output.strip())


async def _needs(loader: Path, shared_object: Path, folders: Iterable[Path] = ()) -> Needs:
    """Asked of its own loader."""
    where = ["--library-path", ":".join(sorted(map(str, folders)))] if folders else []
    argv: list[str | Path] = [loader, *where, "--list", shared_object]
    done = await procs.run(argv, timeout_s=LIST_TIMEOUT_S, env={"LD_LIBRARY_PATH": ""}, check=False)
    found = {name: Path(path).resolve() for name, path in _FOUND.findall(done.output) if "/" not in name}
    return Needs(found=found, lost=_LOST.findall(done.output))


def _source(entry: Entry) -> Path:
    assert entry.source is not None
    return entry.source
