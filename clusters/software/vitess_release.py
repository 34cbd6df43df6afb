"""Vitess programs of one release: a folder of the user's, VTROOT, PATH, the cache, or built from the Go module."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clusters.software import gobuild, releases, store, versions
from clusters.software.installs import VitessInstall
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base.errors import PlanError, SoftwareError

PROGRAMS = ("vtgate", "vttablet", "vtctld", "vtctldclient", "vtorc", "mysqlctl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Programs that are there already, and what was looked at and left (another version)."""

    programs: Mapping[str, Path]
    where: Mapping[str, str]
    rejected: Mapping[str, tuple[str, ...]]

    def seen(self, *programs: str) -> list[str]:
        """Why the copies of these programs that are there do not serve."""
        return [row for program in programs for row in self.rejected[program]]


async def vitess(
    version: str, programs: Sequence[str], *, sources: Sources, progress: Progress | None = None
) -> VitessInstall:
    """Programs of a release ("24.0.3"), or of a user's own build (a folder, written with a slash).

    Only the programs asked for are built. Raises PlanError (unknown release), SoftwareError.
    """
    shown = progress or Silent()
    _check_names(programs)
    if "/" in version:
        return await _given(Path(version).absolute(), programs)
    wanted = releases.release(version)
    found = await find(wanted.version, programs, sources=sources)
    missing = [program for program in programs if program not in found.programs]
    seen = found.seen(*missing)
    for row in seen:
        shown.step(row)
    built = await _install(wanted, missing, sources, shown, seen) if missing else {}
    where = sorted({*found.where.values(), *([_how(wanted)] if built else [])})
    paths = {**found.programs, **built}
    return VitessInstall(
        version=wanted.version, programs={name: paths[name] for name in programs}, source="; ".join(where)
    )


async def find(version: str, programs: Sequence[str], *, sources: Sources) -> Found:
    """The programs of that very version which need no building."""
    looked = await asyncio.gather(*(_find_one(version, program, sources) for program in programs))
    hits = {program: hit for program, (hit, _) in zip(programs, looked, strict=True) if hit is not None}
    return Found(
        programs={program: path for program, (path, _) in hits.items()},
        where={program: where for program, (_, where) in hits.items()},
        rejected={program: tuple(rows) for program, (_, rows) in zip(programs, looked, strict=True)},
    )


def installed(kept: Store, version: str) -> dict[str, Path]:
    """The programs of a release in the cache; what is damaged counts as absent, and is built again."""
    name = store_name(version)
    manifest = kept.manifest(name)
    if manifest is None:
        return {}
    damaged = set(kept.damage(manifest))
    return {Path(row).name: kept.path(name) / row for row in manifest.files if row not in damaged}


def store_name(version: str) -> str:
    return f"vitess-{version}"


async def _find_one(version: str, program: str, sources: Sources) -> tuple[tuple[Path, str] | None, list[str]]:
    rejected: list[str] = []
    for path, where in sources.candidates(program):
        reported = await versions.of_program(path)
        if reported == version:
            return (path, where), rejected
        rejected.append(f"{path} ({where}) is {reported or 'of unknown version'}, wanted is {version}")
    path_in_cache = installed(sources.store, version).get(program)
    return ((path_in_cache, "cache") if path_in_cache else None), rejected


async def _given(folder: Path, programs: Sequence[str]) -> VitessInstall:
    """A user's own build: whatever version it says it is, as long as all programs say the same. Raises PlanError."""
    if not folder.is_dir():
        raise PlanError(f"{folder} is not a folder; --vitess takes a release or a folder of Vitess programs")
    places = {program: _in_folder(folder, program) for program in programs}
    missing = [program for program, path in places.items() if path is None]
    if missing:
        raise PlanError(f"{folder} has no {', '.join(missing)}; build them there, or name a release instead")
    paths = {program: path for program, path in places.items() if path is not None}
    reported = await asyncio.gather(*(versions.of_program(path) for path in paths.values()))
    said = {path.name: version for path, version in zip(paths.values(), reported, strict=True)}
    if len(set(said.values())) != 1 or None in said.values():
        rows = ", ".join(f"{name} {version or 'unknown'}" for name, version in said.items())
        raise PlanError(f"the programs in {folder} are not of one known version: {rows}")
    version = next(iter(said.values()))
    assert version is not None
    return VitessInstall(version=version, programs=paths, source=f"given folder {folder}")


def _in_folder(folder: Path, program: str) -> Path | None:
    return next((path for path in (folder / program, folder / "bin" / program) if path.is_file()), None)


async def _install(
    wanted: releases.Release, missing: Sequence[str], sources: Sources, progress: Progress, seen: Sequence[str]
) -> dict[str, Path]:
    if not sources.install:
        rows = "".join(f"\n{row}" for row in seen)
        names = ", ".join(missing)
        raise SoftwareError(f"{names} of Vitess {wanted.version} not found, and installing was switched off{rows}")
    kept = sources.store
    name = store_name(wanted.version)
    async with kept.installing(name, progress) as staging:
        there = installed(kept, wanted.version)
        left = [program for program in missing if program not in there]
        if left:
            await _build(wanted, left, kept, staging, sources, progress)
    there = installed(kept, wanted.version)
    return {program: there[program] for program in missing}


async def _build(
    wanted: releases.Release, programs: Sequence[str], kept: Store, staging: Path, sources: Sources, progress: Progress
) -> None:
    (staging / "bin").mkdir()
    await gobuild.build(
        [f"vitess.io/vitess/go/cmd/{program}" for program in programs],
        module=wanted.module_dir,
        out=staging / "bin",
        work=staging,
        go_version=wanted.go,
        sources=sources,
        progress=progress,
        label=f"Vitess {wanted.version}",
    )
    for program in programs:
        reported = await versions.of_program(staging / "bin" / program)
        if reported != wanted.version:
            raise SoftwareError(f"the built {program} says it is version {reported}, wanted is {wanted.version}")
    files = store.facts(staging, [staging / "bin" / program for program in programs])
    parts = {"vitess.io/vitess": wanted.module_version, "go": wanted.go}
    name = store_name(wanted.version)
    kept.add(staging, Manifest(name=name, version=wanted.version, how=_how(wanted), files=files, parts=parts))


def _how(wanted: releases.Release) -> str:
    return f"built from the Go module {wanted.module_version} with Go {wanted.go}"


def _check_names(programs: Sequence[str]) -> None:
    unknown = [program for program in programs if program not in PROGRAMS]
    if unknown:
        raise PlanError(f"no Vitess program named {', '.join(unknown)}; known are {', '.join(PROGRAMS)}")
