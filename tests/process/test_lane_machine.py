"""A lane's supervisor among the machine's processes."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ci.lane import life
from ci.lane.place import Lane
from clusters.local import supervision
from harness.base import procs


async def test_only_a_supervisor_of_this_lane_is_taken_for_one_and_ended(tmp_path: Path) -> None:
    """With real supervisors, which need no rights when they make no namespaces."""
    lane = Lane(folder=tmp_path / "lane", number=3)
    other = Lane(folder=tmp_path / "other")
    for row in (lane, other):
        row.logs.mkdir(parents=True)
    words = ["/bin/sh", "-c", "sleep 60; true", "sh", f'"{lane.scratch}"']
    async with _supervisor(lane), _supervisor(other), procs.spawned(words) as stranger:
        (found,) = life.supervisors(lane)
        (others,) = life.supervisors(other)
        assert found.pid != others.pid
        await life._ended(lane)
        assert life.supervisors(lane) == []
        assert life.supervisors(other) == [others]
        assert stranger.returncode is None


def _supervisor(lane: Lane) -> contextlib.AbstractAsyncContextManager[supervision.Supervisor]:
    config = supervision.config(isolation="process-group", uid=None, remove=(lane.scratch,))
    return supervision.owned(config, log=lane.log("supervisor"))
