"""A prefix of unpacked Debian packages made into something that runs on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from clusters.software import elf
from harness.base import procs
from harness.base.errors import SoftwareError

PROBE_TIMEOUT_S = 60.0
_UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/perl", "usr/share/perl5", "usr/share/lintian", "usr/share/bug")


async def make_runnable(staged: Path, final: Path, *, keep: str, probe: Sequence[str], fixed: bool = False) -> None:
    """Keep the programs whose name starts with `keep`, bind them to the prefix's own libc, and see `probe` run.

    `fixed`: see `elf.bind`.
    """
    _prune(staged, keep)
    programs = [path for path in _programs(staged) if not path.is_symlink() and elf.is_elf(path)]
    libc = next(iter(staged.glob("usr/lib/*/libc.so.6")), None)
    if libc is None or not programs:
        raise SoftwareError(f"the packages unpacked for {final.name} hold no libc or no program called {keep}*")
    libraries = (str(libc.parent.relative_to(staged)), "usr/lib/mysql/private")
    loader = await elf.bind(programs, staged=staged, final=final, libraries=libraries, fixed=fixed)
    found = ["--library-path", ":".join(str(staged / folder) for folder in libraries)] if fixed else []
    await procs.run([loader, *found, staged / probe[0], *probe[1:]], timeout_s=PROBE_TIMEOUT_S)


def _prune(staged: Path, keep: str) -> None:
    """Leave out what no cluster needs: documentation, perl, and the programs of the dependencies."""
    for row in _UNUSED:
        shutil.rmtree(staged / row, ignore_errors=True)
    for folder in staged.glob("usr/lib/*/perl*"):
        shutil.rmtree(folder, ignore_errors=True)
    for program in _programs(staged):
        if not program.name.startswith(keep):
            program.unlink()


def _programs(staged: Path) -> list[Path]:
    return [path for folder in ("usr/bin", "usr/sbin") for path in sorted(staged.glob(f"{folder}/*"))]
