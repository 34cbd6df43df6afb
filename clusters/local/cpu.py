"""CPU limits of a local cluster: what is in force, and what a dead cluster left of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clusters.local.supervisor import cgroups
from harness.base import owner

NO_CPU = "this cluster cannot limit CPU: it was stood up without the means"
_HOME = re.compile(rf"{cgroups.PREFIX}(?P<run>.+)\.(?P<pid>\d+)\.(?P<started>\d+)\.(?P<place>\d+)")  # home_name's


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A folder of control groups whose supervisor is dead."""

    run: str
    home: Path

    @property
    def text(self) -> str:
        return f"control group {self.home}"


def traces(seen: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """Of what the kernel says, for people."""
    return tuple(f"{node} may use {each['cpus']:g} CPUs" for node, each in seen.items() if each["cpus"])


def orphans() -> Mapping[str, Sequence[str]]:
    """Run → what its dead supervisor left."""
    found: dict[str, list[str]] = {}
    for left in leftovers(cgroups.homes()):
        found.setdefault(left.run, []).append(left.text)
    return found


def removed(run: str) -> Sequence[str]:
    """What a dead supervisor of this run left, and is gone now."""
    mine = [left for left in leftovers(cgroups.homes()) if left.run == run]
    for left in mine:
        cgroups.remove(left.home)
    return [left.text for left in mine]


def leftovers(homes: Iterable[Path]) -> Iterator[Leftover]:
    """Those whose supervisor was a process of here, and is none any more."""
    here = str(Path("/proc/self/ns/pid").stat().st_ino)
    for home in homes:
        named = _HOME.fullmatch(home.name)  # others of our names are the lane's (ci/lane)
        if named and named["place"] == here and owner.process(int(named["pid"])).started != int(named["started"]):
            yield Leftover(run=named["run"], home=home)
