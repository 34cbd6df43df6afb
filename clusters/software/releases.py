"""The Vitess releases that can be built here, each with the Go toolchain that it wants.

A release outside this table is used from a folder of the user's (`--vitess /path/to/bin`). To add one:
a row here, and `modules/VERSION/` with go.mod and go.sum (see `modules/README.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clusters.software import versions
from harness.base.errors import PlanError

MODULES = Path(__file__).parent / "modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release; `go` is exact, so that every machine builds with the same compiler."""

    version: str
    go: str

    @property
    def module_version(self) -> str:
        """Vitess 24.0.3 is version v0.24.3 of the Go module."""
        major, _, patch = self.version.split(".")
        return f"v0.{major}.{patch}"

    @property
    def module_dir(self) -> Path:
        """Where go.mod and go.sum pin everything that this release is made of."""
        return MODULES / self.version


# 22.0.0 does not build with Go 1.26 (a guard on Swiss maps): each series gets the Go of its own time.
_GO_OF_SERIES = {"21": "1.23.12", "22": "1.24.13", "23": "1.25.11", "24": "1.26.8"}
_VERSIONS = ("24.0.3", "24.0.0", "23.0.5", "23.0.0", "22.0.4", "22.0.0", "21.0.3", "21.0.2", "21.0.1", "21.0.0")

RELEASES: Mapping[str, Release] = {
    version: Release(version=version, go=_GO_OF_SERIES[version.partition(".")[0]]) for version in _VERSIONS
}
DEFAULT_RELEASE = "24.0.3"


def release(version: str) -> Release:
    """The release of that name. Raises PlanError that lists the known ones."""
    found = RELEASES.get(version.removeprefix("v"))
    if found is None:
        known = ", ".join(sorted(RELEASES, key=versions.key, reverse=True))
        raise PlanError(
            f"Vitess {version} is not one of the releases that vtchaos can build ({known}); "
            "for another one give the folder of its binaries, as in --vitess /path/to/bin"
        )
    return found
