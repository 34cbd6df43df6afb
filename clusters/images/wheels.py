"""Python packages for another Python than ours: the wheels that requirements.lock pins, for the image's interpreter."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import harness
from clusters.software import Progress, versions
from harness.base import procs
from harness.base.errors import ProcessError, SoftwareError

LOCK = Path(harness.__file__).parent.parent / "requirements.lock"  # beside the packages in a checkout
INSTALL_TIMEOUT_S = 600.0
GLIBCS = ("2_28", "2_27", "2_24", "2_17")  # of wheels that the image's libc (2.36 and newer) runs
_ROW = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; (.+?))? \\$")
_PYTHON_MARKER = re.compile(r"python_full_version (<|>=) '([\d.]+)'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package as the lock has it. `lines` are what an installer reads."""

    name: str
    version: str
    marker: str
    lines: tuple[str, ...]

    def fits(self, python: str) -> bool:
        """Whether it is meant for a Python of this version; of other markers none speaks of Linux."""
        found = _PYTHON_MARKER.search(self.marker)
        if found is None:
            return True
        older = versions.key(python) < versions.key(found[2])
        return older if found[1] == "<" else not older


def pins(lock: str) -> list[Pin]:
    """The rows of requirements.lock."""
    found: list[Pin] = []
    hashes: list[str] = []
    for line in lock.splitlines():
        row = _ROW.match(line)
        if row:
            hashes = [f"{row[1]}=={row[2]} \\"]
            found.append(Pin(name=row[1], version=row[2], marker=row[3] or "", lines=()))
        elif line.startswith("    --hash=") and found:
            hashes.append(line)
            found[-1] = Pin(name=found[-1].name, version=found[-1].version, marker=found[-1].marker, lines=(*hashes,))
    return found


def requirements(names: Iterable[str], python: str, lock: str | None) -> str:
    """The text of a requirements file for these packages: with hashes from the lock; where there is none (installed
    from a wheel), in the versions that we run with ourselves. Raises SoftwareError for a package without a row."""
    rows = []
    for name in sorted(names):
        if lock is None:
            rows.append(f"{name}=={importlib.metadata.version(name)}")
            continue
        fitting = [pin for pin in pins(lock) if pin.name == name and pin.fits(python)]
        if len(fitting) != 1:
            raise SoftwareError(f"{LOCK} has {len(fitting)} rows for {name} with Python {python}; there should be one")
        rows += fitting[0].lines
    return "\n".join(rows) + "\n"


def locked() -> str | None:
    return LOCK.read_text() if LOCK.is_file() else None


async def install(requirements_file: Path, target: Path, *, python: str, hashed: bool, progress: Progress) -> None:
    """Wheels only, nothing is built or run. Raises SoftwareError."""
    progress.step(f"installing Python packages for Python {python}")
    argv = await _installer(target.parent, python)
    argv += ["--no-deps", "--only-binary=:all:", "--target", target, "--requirement", requirements_file]
    argv += ["--require-hashes"] if hashed else []
    try:
        await procs.run(argv, timeout_s=INSTALL_TIMEOUT_S)
    except ProcessError as error:
        raise SoftwareError(f"the Python packages of the load image could not be installed\n{error}") from None


async def _installer(work: Path, python: str) -> list[str | Path]:
    """Our environment's pip, uv, or the pip of a fresh environment, told for which Python to install."""
    pip = [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("pip") is None:
        uv = shutil.which("uv")
        if uv is not None:
            return [uv, "pip", "install", "--python-version", python, "--python-platform", uv_platform()]
        await procs.run([sys.executable, "-m", "venv", work / "venv"], timeout_s=INSTALL_TIMEOUT_S)
        pip = [str(work / "venv/bin/python"), "-m", "pip"]
    return [*pip, "install", "--disable-pip-version-check", "--no-compile", *pip_target(python)]


def uv_platform() -> str:
    return f"{platform.machine()}-manylinux_2_28"


def pip_target(python: str) -> Sequence[str]:
    """pip's words for an interpreter that is not the one it runs in (it compares that all the same)."""
    short = "".join(python.split(".")[:2])
    words = ["--python-version", ".".join(python.split(".")[:2]), "--implementation", "cp", "--ignore-requires-python"]
    for abi in (f"cp{short}", "abi3", "none"):
        words += ["--abi", abi]
    for glibc in (*(f"manylinux_{each}" for each in GLIBCS), "manylinux2014"):
        words += ["--platform", f"{glibc}_{platform.machine()}"]
    return words
