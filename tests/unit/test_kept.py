"""Goal: kept clusters of several backends side by side: names, leftovers, starts that come to nothing, one that is only
attached, one whose engine does not answer. No cluster is started."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from clusters import kept
from clusters.common.cluster import NodesCluster
from clusters.common.commands import command
from clusters.common.hints import connect_hints
from clusters.common.layout import fixed_ports
from clusters.common.processes import Processes
from clusters.kept import MADE, Made
from harness.base import jsonio, owner
from harness.base.errors import ClusterError, PlanError
from harness.model import Capability, Node, Placement
from tests.unit.kept_fakes import SPEC, FakeKeeper
from tests.unit.local_fakes import Recorder, programs
from tests.unit.local_fakes import plan as layout_of

PLACE = Placement(memory_mb=500)
DEAD = replace(owner.this_process(), started=1).text


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path))
    return tmp_path / "clusters"


@pytest.fixture
def docker() -> FakeKeeper:
    return FakeKeeper()


@pytest.fixture
def keepers(docker: FakeKeeper) -> dict[str, FakeKeeper]:
    return {"docker": docker, "attached": FakeKeeper(backend="kubernetes", ours=False)}


async def start(name: str, keepers: dict[str, FakeKeeper], keeper: str = "docker") -> None:
    await kept.start(name, SPEC, PLACE, keeper=keeper, keepers=keepers, observer=Recorder())


def left_by(folder: Path, made: Made, *, state: bool = False) -> None:
    """What a start leaves that was killed."""
    folder.mkdir(parents=True)
    jsonio.save(folder / MADE, made)
    if state:
        (folder / "state.json").write_text("{}")


async def test_one_that_stands(keepers: dict[str, FakeKeeper], root: Path) -> None:
    await start("a", keepers)
    row = await kept.standing("a", keepers=keepers)
    assert (row.keeper, row.place, row.state) == ("docker", PLACE, "serving")
    assert row.kept is not None
    assert row.kept.spec == SPEC
    assert row.kept.place == PLACE
    with pytest.raises(PlanError, match="a cluster 'a' stands already; `vtchaos down a` ends it"):
        await start("a", keepers)
    assert await kept.stop("a", keepers=keepers) is True
    assert list(root.iterdir()) == []
    with pytest.raises(PlanError, match="there is no cluster 'a'; there are none"):
        await kept.stop("a", keepers=keepers)


async def test_those_that_stand_are_named(keepers: dict[str, FakeKeeper]) -> None:
    await start("a", keepers)
    await start("b", keepers, "attached")
    with pytest.raises(PlanError, match="there is no cluster 'c' that serves; there are: a, b"):
        await kept.standing("c", keepers=keepers)


async def test_a_stopped_node_is_named(keepers: dict[str, FakeKeeper]) -> None:
    await start("a", keepers)
    row = await kept.standing("a", keepers=keepers)
    assert row.kept is not None
    assert replace(row, kept=replace(row.kept, stopped=("mysqld-100",))).state == "stopped: mysqld-100"


async def test_an_attached_one_is_only_forgotten(keepers: dict[str, FakeKeeper], root: Path) -> None:
    await start("theirs", keepers, "attached")
    (row,) = await kept.listed(keepers)
    assert row.state == "attached; `vtchaos down` leaves it standing"
    assert await kept.stop("theirs", keepers=keepers) is False
    assert list(root.iterdir()) == []


# ---------------------------------------------------------------- starts that come to nothing


async def test_a_start_that_was_killed_is_a_leftover(keepers: dict[str, FakeKeeper], root: Path) -> None:
    left_by(root / "a", Made(keeper="docker", place=PLACE, owner=DEAD))
    (row,) = await kept.listed(keepers)
    assert (row.starting, row.state) == (False, "gone; `vtchaos down a` removes what is left")
    await start("a", keepers)
    assert keepers["docker"].stopped == ["a"], "what the killed one made must be removed first"


async def test_a_start_that_goes_on_is_not_disturbed(keepers: dict[str, FakeKeeper], docker: FakeKeeper) -> None:
    docker.hangs = True
    first = asyncio.ensure_future(start("a", keepers))
    await docker.begun.wait()
    (row,) = await kept.listed(keepers)
    assert row.state == "starting"
    with pytest.raises(PlanError, match="a cluster 'a' is being started"):
        await start("a", keepers)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await kept.listed(keepers) == ()


async def test_a_start_that_fails_can_be_tried_again(keepers: dict[str, FakeKeeper], docker: FakeKeeper) -> None:
    docker.fails = "mysqld-100 died"
    with pytest.raises(ClusterError, match="mysqld-100 died"):
        await start("a", keepers)
    (row,) = await kept.listed(keepers)
    assert (row.starting, row.serving) == (False, False), "its process lives, but its start is over"
    docker.fails = ""
    await start("a", keepers)
    assert (await kept.standing("a", keepers=keepers)).serving


async def test_a_start_of_another_hosts_process_may_go_on(keepers: dict[str, FakeKeeper], root: Path) -> None:
    """The cache may be shared."""
    elsewhere = owner.Owner(host="other.example", pid=1, started=1).text
    left_by(root / "a", Made(keeper="docker", place=PLACE, owner=elsewhere))
    with pytest.raises(PlanError, match="is being started; `vtchaos down a` ends it"):
        await start("a", keepers)


# ---------------------------------------------------------------- what cannot be looked at


async def test_an_engine_that_does_not_answer(keepers: dict[str, FakeKeeper], docker: FakeKeeper, root: Path) -> None:
    await start("a", keepers)
    docker.broken = "no Docker engine answers"
    (row,) = await kept.listed(keepers)
    assert replace(row, problem="nobody answers at unix:///x (why): do this; or that").state == (
        "unknown: nobody answers at unix:///x (why)"
    )
    assert row.state == "unknown: no Docker engine answers"
    for refused in (kept.standing("a", keepers=keepers), start("a", keepers)):
        with pytest.raises(PlanError, match=r"cannot be told: no Docker engine answers"):
            await refused
    with pytest.raises(ClusterError, match="no Docker engine answers"):
        await kept.stop("a", keepers=keepers)
    assert (root / "a" / MADE).is_file(), "the containers are still there: their folder must be, too"


async def test_a_keeper_that_this_version_does_not_have(keepers: dict[str, FakeKeeper], root: Path) -> None:
    left_by(root / "a", Made(keeper="moon", place=PLACE), state=True)
    (row,) = await kept.listed(keepers)
    assert "is a cluster of moon, which this version of vtchaos does not know" in row.state


async def test_a_gone_one_whose_folder_is_left(keepers: dict[str, FakeKeeper], root: Path) -> None:
    left_by(root / "a", Made(keeper="docker", place=PLACE), state=True)
    with pytest.raises(PlanError, match="the cluster 'a' is gone"):
        await kept.standing("a", keepers=keepers)


# ---------------------------------------------------------------- how to connect


class Bare:
    """Processes of this host."""

    capabilities: Mapping[Capability, str] = {}

    def on_exit(self, callback: object) -> None:
        return

    def outside(self, node: Node, port: str) -> tuple[str, int]:
        return "198.19.0.1", fixed_ports((node,))[node.name][port]


class Boxed(Bare):
    """Processes in containers whose addresses last (docker), or do not (pods behind a port-forward)."""

    def __init__(self, *, lasts: bool) -> None:
        self._lasts = lasts

    def enter(self, node: Node) -> tuple[str, ...]:
        return ("docker", "exec", "-it", f"box-{node.name}")

    def forward(self, node: Node, port: str) -> tuple[str, ...]:
        return () if self._lasts else ("kubectl", "port-forward", f"pod/{node.name}")


def hints(processes: Bare, *, ours: bool = True) -> str:
    plan = layout_of(SPEC)
    commands = {node.name: command(plan, programs(), node) for node in plan.nodes}
    cluster = NodesCluster(plan, commands, cast(Processes, processes), Recorder())
    return "\n".join(connect_hints(cluster, ours=ours))


def test_hints_of_this_hosts_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = hints(Bare())
    assert "vtgate-1 (24.0.3): mysql -h 198.19.0.1 -P 15306 ks" in told
    assert "vttablet-100 (zone1-0000000100): http://198.19.0.1:17100/debug/vars" in told
    assert "mysqld-100 itself: mysql -h 198.19.0.1 -P 27100 -u vtchaos" in told
    assert "logs: /run/x/logs" in told


def test_hints_of_boxes_name_nothing_that_is_only_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The paths of the programs there may be this host's, too, and then mean something else."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    assert "--plugin-dir" not in hints(Boxed(lasts=True))
    told = hints(Boxed(lasts=True))
    assert "/opt/" not in told
    assert "/opt/mysql/bin/mysql -h" in hints(Bare())  # it would have been found
    assert "inside vtgate-1: docker exec -it box-vtgate-1 sh" in told
    assert "inside mysqld-100: docker exec -it box-mysqld-100 sh" in told
    assert "198.19.0.1 -P 15306" in told


def test_hints_of_pods_that_only_a_port_forward_reaches() -> None:
    told = hints(Boxed(lasts=False))
    assert told.startswith("vtgate-1, in a terminal of its own: kubectl port-forward pod/vtgate-1\n")
    assert "-h 127.0.0.1 -P 15306 ks" in told
    assert "vttablet-100 (zone1-0000000100): http://127.0.0.1:17100/debug/vars" in told
    assert "198.19.0.1" not in told


def test_somebody_elses_mysqlds_do_not_have_our_user() -> None:
    assert "-u vtchaos" in hints(Boxed(lasts=True))
    assert "-u vtchaos" not in hints(Boxed(lasts=True), ours=False)


def test_a_node_without_an_address_hides_no_other() -> None:
    class Gone(Boxed):
        def outside(self, node: Node, port: str) -> tuple[str, int]:
            if node.name == "vtgate-1":
                raise ClusterError("vtgate-1 does not run at the moment")
            return super().outside(node, port)

    told = hints(Gone(lasts=True))
    assert "vtgate-1 does not run at the moment" in told.splitlines()
    assert "vttablet-100 (zone1-0000000100): http://198.19.0.1:17100/debug/vars" in told
