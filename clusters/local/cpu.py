"""CPU limits of a local cluster: what is in force, and what a dead cluster left of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clusters.local.supervisor import cgroups
from harness.base import owner

NO_CPU = "this cluster cannot limit CPU: it was stood up without the means"


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
    for home in homes:
        here = str(Path("/proc/self/ns/pid").stat().st_ino)
        run, pid, started, place = home.name.removeprefix(cgroups.PREFIX).rsplit(".", 3)
        if place == here and owner.process(int(pid)).started != int(started):
            yield Leftover(run=run, home=home)
