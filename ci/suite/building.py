"""Which programs a suite runs, by what is in their files: runs of another build are not this build's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ci.suite.installing import spec, wanted
from ci.suite.table import Part
from ci.suite.values import Asked, Build
from clusters import software
from clusters.software import Sources
from harness.base import checkout
from harness.placement import DEFAULT_BACKEND


async def build(asked: Asked, parts: Iterable[Part]) -> Build:
    """As it is now. Of an image nothing but its name is known here. Raises PlanError, and SoftwareError for what is
    not installed."""
    sources = Sources.of_environment(install=False)
    local = (asked.backend or DEFAULT_BACKEND) == DEFAULT_BACKEND
    programs: dict[str, str] = {}
    said: dict[str, str] = {}
    for version, names in wanted(spec(asked, part) for part in parts).items():
        if local or "/" in version:
            install = await software.vitess(version, sorted(names), sources=sources)
            programs |= {f"{name} of {version}": _digest(path) for name, path in install.programs.items()}
            said |= {version: install.version} if "/" in version else {}
    if asked.mysql and local:
        mysqld = (await software.mysql(asked.mysql, sources=sources)).mysqld
        programs[f"mysqld of {asked.mysql}"] = _digest(mysqld)
    return Build(commit=checkout.commit(), programs=programs, said=said)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differences(before: Build, now: Build) -> Iterator[str]:
    """In what two builds differ, as far as both are known; nothing where they are the same."""
    yield from (f"{name} is another file now" for name in _differing(before.programs, now.programs))
    yield from (f"{folder} was {before.said[folder]}" for folder in _differing(before.said, now.said))
    if before.commit and now.commit and before.commit != now.commit:
        yield f"they were made with {before.commit} of this project, and this is {now.commit}"


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in before.keys() & now.keys() if before[name] != now[name])


def both(before: Build, now: Build) -> Build:
    """All that is known of the build: another call may run other programs of it."""
    return replace(
        now,
        commit=now.commit or before.commit,
        programs={**before.programs, **now.programs},
        said={**before.said, **now.said},
    )
