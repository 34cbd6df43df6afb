"""The local backend against real programs: what every backend must do, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from clusters import KEEPERS, kept
from clusters.common import answers, serving
from clusters.common.cluster import NodesCluster
from clusters.common.hints import connect_hints
from clusters.local import host
from clusters.local.backend import LocalBackend
from harness.base import wait
from harness.base.errors import ClusterError, UsageError
from harness.contracts import Cluster
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import Capability, ClusterSpec, Node, Placement, Role, VtgateSpec
from harness.mysql.session import Answer, admin_session
from tests.unit.local_fakes import Recorder

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

SPEC = ClusterSpec(
    shards=2,
    tablets_per_shard=2,
    vtorc=False,
    vtgates=(VtgateSpec(), VtgateSpec(flags={"enable-buffer": ""})),
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
RESTART_TIMEOUT_S = 60.0
QUERY_TIMEOUT_S = 10.0
GONE_TIMEOUT_S = 15.0


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> AsyncIterator[NodesCluster]:
    folder = tmp_path_factory.mktemp("cluster")
    async with LocalBackend().cluster(SPEC, folder=folder, logs=folder / "logs", observer=recorder) as running:
        assert isinstance(running, NodesCluster)
        yield running
    assert not (folder / "data").exists()
    assert _mentioning(folder) == []
    assert (folder / "logs" / "vtgate-1.log").is_file()  # the logs stay


async def query(cluster: Cluster, node: Node, *statements: str, port: str = "mysql") -> list[tuple[Any, ...]]:
    """Rows of the last statement."""
    address, number = cluster.address(node, port)
    async with admin_session(address, number, user="vtchaos") as session:
        answer = Answer()
        for statement in statements:
            answer = (await session.query(statement, timeout_s=QUERY_TIMEOUT_S)).require(statement)
        return list(answer.rows)


def one(cluster: Cluster, name: str) -> Node:
    return next(node for node in cluster.nodes() if node.name == name)


async def still_serves(cluster: Cluster) -> None:
    await serving.until_serving(cluster, timeout_s=RESTART_TIMEOUT_S, observer=Recorder())


# ------------------------------------------------------------ a cluster that serves


async def test_rows_go_to_their_shard_and_come_back(cluster: NodesCluster) -> None:
    gate = one(cluster, "vtgate-1")
    low, high = 7, 0xF000000000000007
    await query(cluster, gate, "USE ks", f"INSERT INTO ledger (id, value) VALUES ({low}, 1), ({high}, 2)")
    assert await query(cluster, gate, "USE `ks:-80@primary`", "SELECT id, value FROM ledger") == [(low, 1)]
    other = one(cluster, "vtgate-2")
    assert await query(cluster, other, "USE `ks:80-@primary`", "SELECT id, value FROM ledger") == [(high, 2)]


async def test_replicas_replicate_with_semi_sync(cluster: NodesCluster) -> None:
    primary, replica = one(cluster, "mysqld-100"), one(cluster, "mysqld-101")
    status = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_status'"
    assert dict(await query(cluster, primary, status))["Rpl_semi_sync_source_status"] == "ON"
    assert dict(await query(cluster, replica, status))["Rpl_semi_sync_replica_status"] == "ON"
    assert await query(cluster, replica, "SELECT @@super_read_only") == [(1,)]


async def test_every_node_has_a_log_and_answers_at_its_address(cluster: NodesCluster) -> None:
    for node in cluster.nodes():
        assert cluster.log_path(node).is_file()
        assert cluster.log_path(node).name == f"{node.name}.log"
        if node.role in (Role.VTCTLD, Role.VTTABLET, Role.VTGATE):
            assert await answers.variables(cluster.address(node, "web"))
    assert all(cluster.log_path(node).stat().st_size for node in cluster.nodes(Role.VTTABLET))


async def test_programs_are_not_root_and_their_data_are_not_ours(cluster: NodesCluster) -> None:
    argv = list(cluster.commands["mysqld-100"].argv)
    (user,) = [row.uids().real for row in psutil.process_iter() if _words(row) == argv]
    assert user == (host.owner() or os.getuid()) != 0


async def test_a_bare_flag_reaches_its_vtgate_only(cluster: NodesCluster) -> None:
    flags = {
        name: (await answers.get(cluster.address(one(cluster, name), "web"), "/debug/vars") or b"")
        for name in ("vtgate-1", "vtgate-2")
    }
    assert b"--enable-buffer" not in flags["vtgate-1"]
    assert b"--enable-buffer" in flags["vtgate-2"]


async def test_capabilities(cluster: NodesCluster) -> None:
    assert cluster.capabilities[Capability.SIGNAL] == ""
    assert cluster.capabilities[Capability.RESTART] == ""
    assert cluster.capabilities[Capability.KERNEL_CLEANUP] == (await host.isolation()).kernel_cleanup


# ------------------------------------------------------------ single nodes


@pytest.mark.parametrize("name", ["vtgate-1", "vttablet-101", "vtctld", "etcd"])
async def test_stop_and_start(cluster: NodesCluster, recorder: Recorder, name: str) -> None:
    node = one(cluster, name)
    await cluster.stop(node, timeout_s=30)
    assert recorder.events[-1].subject == name
    assert recorder.events[-1].details["asked"] is True
    with pytest.raises(ClusterError, match=f"{name} is not running"):
        await cluster.signal(node, signal.SIGCONT)
    await cluster.stop(node, timeout_s=1)  # again: nothing
    await cluster.start(node, timeout_s=RESTART_TIMEOUT_S)
    with pytest.raises(ClusterError, match="already running"):
        await cluster.start(node, timeout_s=1)
    await still_serves(cluster)


async def test_a_killed_mysqld_keeps_what_it_acknowledged(cluster: NodesCluster) -> None:
    node, gate = one(cluster, "mysqld-102"), one(cluster, "vtgate-1")
    insert = "INSERT INTO ledger (id, value) VALUES " + ", ".join(f"({0xE << 60 | n}, {n})" for n in range(500))
    await query(cluster, gate, "USE ks", insert)
    await cluster.signal(node, signal.SIGKILL)
    await cluster.start(node, timeout_s=RESTART_TIMEOUT_S)
    assert await query(cluster, node, f"SELECT COUNT(*) FROM vt_ks.ledger WHERE id >= {0xE << 60} AND value < 500") >= [
        (500,)
    ]
    await still_serves(cluster)


async def test_a_paused_vtgate_does_not_answer_until_it_goes_on(cluster: NodesCluster) -> None:
    node = one(cluster, "vtgate-2")
    await cluster.signal(node, signal.SIGSTOP)
    assert await answers.get(cluster.address(node, "web"), "/debug/vars") is None
    await cluster.signal(node, signal.SIGCONT)
    assert await answers.get(cluster.address(node, "web"), "/debug/vars")


async def test_a_paused_node_can_be_stopped(cluster: NodesCluster) -> None:
    node = one(cluster, "vtgate-2")
    await cluster.signal(node, signal.SIGSTOP)
    await cluster.stop(node, timeout_s=20)
    await cluster.start(node, timeout_s=RESTART_TIMEOUT_S)
    await still_serves(cluster)


# ------------------------------------------------------------ starts that fail


async def test_a_dying_component_is_shown_with_its_log(tmp_path: Path) -> None:
    spec = ClusterSpec(shards=1, tablets_per_shard=1, durability_policy="none", mysqld_settings={"no_such_key": "1"})
    with pytest.raises(ClusterError, match=r"(?s)mysqld-100 ended \(exit status 1\).*unknown variable 'no_such_key=1'"):
        async with LocalBackend().cluster(spec, folder=tmp_path, logs=tmp_path / "logs", observer=Recorder()):
            pass
    assert _mentioning(tmp_path) == []


async def test_an_unknown_flag_is_refused_before_anything_starts(tmp_path: Path) -> None:
    spec = ClusterSpec(shards=1, vtgate_flags={"bufer-window": "1s"})
    with pytest.raises(UsageError, match=r"has no flag --bufer-window; did you mean --buffer-window\?"):
        async with LocalBackend().cluster(spec, folder=tmp_path, logs=tmp_path / "logs", observer=Recorder()):
            pass
    assert not (tmp_path / "logs" / "etcd.log").exists()


# ------------------------------------------------------------ nothing stays behind


@pytest.mark.parametrize("isolation", ["", host.PROCESS_GROUP])
async def test_kill_9_of_the_owner_leaves_nothing(tmp_path: Path, isolation: str) -> None:
    links = set(psutil.net_if_addrs())
    words = ["-m", "clusters.local", "--shards=1", "--seconds=120", f"--folder={tmp_path}", f"--isolation={isolation}"]
    owner = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, process_group=0
    )
    assert owner.stdout is not None
    text = await wait.finish("the cluster serves", _json_object(owner.stdout), timeout_s=120)
    mysql = text["nodes"]["vtgate-1"]["mysql"].split(":")
    address = (mysql[0], int(mysql[1]))
    assert await answers.greets(address)
    assert len(_mentioning(tmp_path)) > 5
    owner.send_signal(signal.SIGKILL)
    await owner.wait()

    async def nothing_left() -> bool:
        left = [*_mentioning(tmp_path), *(set(psutil.net_if_addrs()) - links), *_mounts(tmp_path)]
        return not left and not (tmp_path / "data").exists()

    await wait.until("nothing of the cluster is left", nothing_left, timeout_s=GONE_TIMEOUT_S)
    assert not await answers.greets(address)


async def test_without_namespaces(tmp_path: Path) -> None:
    """The fallback serves as well, and says what it cannot promise."""
    backend = LocalBackend(isolation=host.PROCESS_GROUP)
    spec = ClusterSpec(shards=1, tablets_per_shard=2)
    async with backend.cluster(spec, folder=tmp_path, logs=tmp_path / "logs", observer=Recorder()) as cluster:
        assert "no pid namespace" in cluster.capabilities[Capability.KERNEL_CLEANUP]
        assert await query(cluster, cluster.nodes(Role.VTGATE)[0], "USE ks", "SELECT 1") == [(1,)]
    assert _mentioning(tmp_path) == []


# ------------------------------------------------------------ clusters that stay


async def test_a_named_cluster_outlives_its_maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_root", lambda: tmp_path / "clusters")
    spec = ClusterSpec(shards=1, tablets_per_shard=2)
    await kept.start("stays", spec, Placement(), keeper="local", keepers=KEEPERS, observer=Recorder())
    (row,) = await kept.listed(KEEPERS)
    assert row.kept is not None
    assert (row.kept.alive, row.serving, row.kept.stopped) == (True, True, ())
    async with kept.attached("stays", keepers=KEEPERS, observer=Recorder()) as cluster:
        assert any("mysql" in hint and hint.endswith(" ks") for hint in connect_hints(cluster))
        await cluster.signal(one(cluster, "vttablet-101"), signal.SIGKILL)
        await cluster.start(one(cluster, "vttablet-101"), timeout_s=RESTART_TIMEOUT_S)
        await still_serves(cluster)
    await kept.stop("stays", keepers=KEEPERS)
    assert await kept.listed(KEEPERS) == ()
    assert _mentioning(tmp_path) == []


# ------------------------------------------------------------ what is left


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def _mentioning(folder: Path) -> list[str]:
    """Command lines of living processes that name the folder, ours excepted."""
    mine = os.getpid()
    rows = (" ".join(_words(row)) for row in psutil.process_iter() if row.pid != mine)
    return [row for row in rows if str(folder) in row]


def _mounts(folder: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]


async def _json_object(lines: AsyncIterable[bytes]) -> Any:
    text = b""
    async for line in lines:
        text += line
        if line == b"}\n":
            return json.loads(text)
    raise AssertionError(f"no cluster came up: {text!r}")
