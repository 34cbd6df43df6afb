"""Comparing Vitess releases, and telling which release a result is about."""

from __future__ import annotations

import re

from harness.history import History
from harness.model import KnownBug, Role

Version = tuple[int, int, int, int]
_RELEASE = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-\S+)?$")


def parse(version: str) -> Version | None:
    """A release as a tuple that sorts; a pre-release sorts before its release. None for what is no release
    (a directory of binaries)."""
    found = _RELEASE.match(version.strip())
    if found is None:
        return None
    return int(found[1]), int(found[2] or 0), int(found[3] or 0), -1 if found[4] else 0


def versions_of(history: History, role: Role, node: str = "") -> tuple[str, ...]:
    """The distinct releases of a role, or of one node of it; what the plan says when no node was recorded. A folder of
    binaries has the version that they said when the cluster was stood up."""
    said = {event.subject: str(event.details.get("version", "")) for event in history.events if event.kind == "build"}
    return tuple(sorted(said.get(version) or version for version in _named(history, role, node)))


def is_built(history: History, role: Role, node: str = "") -> bool:
    """Whether binaries of a user's own are among them: whatever version they say they are, they may have more fixes
    than its release."""
    return any("/" in version for version in _named(history, role, node))


def _named(history: History, role: Role, node: str) -> set[str]:
    found = {item.version for item in history.nodes if item.role is role and node in ("", item.name)}
    if not found:
        spec = history.plan.cluster
        found = (
            {spec.vtgate_version(index) for index in range(len(spec.vtgates))} if role is Role.VTGATE else {spec.vitess}
        )
    return found


def affected(bug: KnownBug, version: str) -> bool | None:
    """Whether a release has the bug; None when `version` is no release and the bug has bounds."""
    if bug.affected_from in ("", "0") and not bug.fixed_in:
        return True
    number = parse(version)
    first, fixed = parse(bug.affected_from or "0"), parse(bug.fixed_in) if bug.fixed_in else None
    if number is None or first is None or (bug.fixed_in and fixed is None):
        return None
    return first <= number and (fixed is None or number < fixed)
