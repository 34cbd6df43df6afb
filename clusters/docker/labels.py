"""What everything of ours carries, so that it can be found again, whoever has died in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.base import owner

RUN = "vtchaos.run"
NODE = "vtchaos.node"  # of a container that runs a node's program
BOX = "vtchaos.box"  # of a container that holds an address and a folder
OWNER = "vtchaos.owner"  # the process that made it
KEPT = "vtchaos.kept"  # of a cluster that outlives its maker: its name
FOLDER = "vtchaos.folder"  # … and where its state is


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The labels of one run. `kept` and `folder`: of a cluster that stays."""

    run: str
    kept: str = ""
    folder: str = ""

    def plain(self) -> dict[str, str]:
        """For what belongs to the whole run."""
        stays = {KEPT: self.kept, FOLDER: self.folder} if self.kept else {}
        return {RUN: self.run, OWNER: owner.this_process().text, **stays}

    def of_box(self, box: str) -> dict[str, str]:
        return {**self.plain(), BOX: box}

    def of_node(self, node: str) -> dict[str, str]:
        return {**self.plain(), NODE: node}


def abandoned(labels: Mapping[str, str], *, state: str) -> bool:
    """Whether the maker is surely dead and nobody is to use it any more. `state`: the name of a kept cluster's
    state file; once that is written the cluster stays."""
    try:
        maker = owner.owner_of(labels[OWNER])
    except (KeyError, ValueError):
        return False
    try:
        stays = bool(labels.get(KEPT)) and (Path(labels.get(FOLDER, "")) / state).is_file()
    except OSError:  # another user's folder: nothing is known of it
        return False
    return not stays and maker.dead
