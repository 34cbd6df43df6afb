"""Goal: a machine that we cordoned is found and opened again by whoever removes or heals the namespace, and one that
somebody else cordoned is left alone.

Method: an API server's half with two cordoned machines.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters.kubernetes import cordons, removal
from harness.base.errors import ClusterError
from tests.unit.kubernetes_fakes import FakeServer

OURS, THEIRS = "/api/v1/nodes/ours", "/api/v1/nodes/theirs"


def server() -> FakeServer:
    made = FakeServer()
    made.objects = {
        OURS: {"metadata": {"name": "ours", "annotations": {cordons.FOR: "ns"}}, "spec": {"unschedulable": True}},
        THEIRS: {"metadata": {"name": "theirs"}, "spec": {"unschedulable": True}},
    }
    return made


def patched(made: FakeServer) -> list[str]:
    return [path for method, path in made.asked if method == "PATCH"]


async def test_only_ours_is_opened(tmp_path: Path) -> None:
    made = server()
    async with made.opened(tmp_path) as api:
        assert await cordons.of(api, "ns") == ["ours"]
        await cordons.uncordon(api, "theirs", "ns")
        await cordons.opened(api, "another")
        assert patched(made) == []
        await cordons.opened(api, "ns")
    assert patched(made) == [OURS]
    assert made.objects[OURS]["spec"] == {"unschedulable": None}


async def test_what_somebody_else_closed_is_not_ours_to_close(tmp_path: Path) -> None:
    made = server()
    async with made.opened(tmp_path) as api:
        with pytest.raises(ClusterError, match="theirs is cordoned already, by somebody else"):
            await cordons.cordon(api, "theirs", "ns")
        await cordons.cordon(api, "ours", "ns")
    assert patched(made) == [OURS]


async def test_a_namespace_that_is_removed_leaves_no_machine_closed(tmp_path: Path) -> None:
    made = server()
    async with made.opened(tmp_path) as api:
        await removal.namespace_removed(api, "ns")
    assert patched(made) == [OURS]
