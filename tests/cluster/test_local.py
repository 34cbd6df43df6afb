"""What only the local backend has; what every backend must do is in test_conformance.py."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import psutil
import pytest

from clusters import KEEPERS, kept
from clusters.common import answers, serving
from clusters.common.cluster import NodesCluster
from clusters.common.hints import connect_hints
from clusters.local import host, links
from clusters.local.backend import LocalBackend
from harness.base import procs, wait
from harness.base.errors import ClusterError
from harness.contracts import Cluster
from harness.model import Capability, ClusterSpec, LinkRule, Node, Placement, Role
from harness.mysql.session import admin_session
from tests.cluster.leftover import Traces, mentioning, of_local, until_nothing_left, words_of
from tests.unit.local_fakes import Recorder

pytestmark = [pytest.mark.cluster]

SPEC = ClusterSpec(shards=1, tablets_per_shard=2)
CUT = LinkRule(source="vtgate-1", target="vttablet-100")
ENDS_WITHIN_S = 5.0
RESTART_TIMEOUT_S = 60.0
OWNER_TIMEOUT_S = 120.0
QUERY_TIMEOUT_S = 10.0
UNANSWERED_S = 1.0


@contextlib.asynccontextmanager
async def a_cluster(folder: Path, isolation: str = "") -> AsyncIterator[NodesCluster]:
    backend = LocalBackend(isolation=isolation)
    async with backend.cluster(SPEC, folder=folder, logs=folder / "logs", observer=Recorder()) as cluster:
        assert isinstance(cluster, NodesCluster)
        traces = Traces.of("", folder, cluster)
        yield cluster
    assert await of_local(traces) == []
    assert (folder / "logs" / "vtgate-1.log").is_file()  # the logs stay


async def reads(cluster: Cluster, *, timeout_s: float = QUERY_TIMEOUT_S) -> bool:
    """Whether the shard's primary answers through the vtgate in time."""
    (gate,) = cluster.nodes(Role.VTGATE)
    async with admin_session(*cluster.address(gate, "mysql"), user="vtchaos") as session:
        (await session.query("USE `ks:0@primary`", timeout_s=QUERY_TIMEOUT_S)).require("USE")  # else vtgate answers
        return (await session.query("SELECT 1", timeout_s=timeout_s)).rows == ((1,),)


def one(cluster: Cluster, name: str) -> Node:
    return next(node for node in cluster.nodes() if node.name == name)


async def test_programs_are_not_root_share_their_user_and_can_be_told_apart(tmp_path: Path) -> None:
    async with a_cluster(tmp_path) as cluster:
        isolation = await host.isolation()
        assert cluster.capabilities[Capability.KERNEL_CLEANUP] == isolation.kernel_cleanup
        found = {tuple(words_of(row)): row for row in psutil.process_iter()}
        programs = {name: found[command.argv] for name, command in cluster.commands.items()}
        assert {row.uids().real for row in programs.values()} == {host.owner() or os.getuid()} != {0}
        groups = {name: row.gids().real for name, row in programs.items()}
        if cluster.capabilities[Capability.LINKS]:
            assert not isolation.own_network
            assert len(set(groups.values())) == 1
        else:
            assert groups == links.groups(cluster.layout)


async def test_without_namespaces(tmp_path: Path) -> None:
    """The fallback serves as well, and says what it cannot promise."""
    async with a_cluster(tmp_path, host.PROCESS_GROUP) as cluster:
        assert "no pid namespace" in cluster.capabilities[Capability.KERNEL_CLEANUP]
        assert cluster.capabilities[Capability.LINKS] == links.NO_NETWORK
        await cluster.set_links(())
        with pytest.raises(ClusterError, match="only in a network of the cluster's own"):
            await cluster.set_links([CUT])
        assert await reads(cluster)


async def test_kill_9_of_the_owner_leaves_nothing_without_namespaces(tmp_path: Path) -> None:
    log = tmp_path / "owner.log"
    words = ["-m", "clusters", f"--isolation={host.PROCESS_GROUP}", "--seconds=600", f"--folder={tmp_path}"]
    async with procs.spawned([sys.executable, *words], log=log) as owner:

        async def serves() -> bool:
            assert owner.returncode is None, f"the owner ended:\n{log.read_text()}"
            return "\n}\n" in log.read_text()

        await wait.until("the cluster serves", serves, timeout_s=OWNER_TIMEOUT_S)
        shown = orjson.loads("{" + log.read_text().partition("\n{")[2].partition("\n}\n")[0] + "}")
        address, port = shown["nodes"]["vtgate-1"]["mysql"].split(":")
        assert await answers.greets((address, int(port)))
        assert len(mentioning(tmp_path)) > 5
        owner.send_signal(signal.SIGKILL)
        await owner.wait()
        await until_nothing_left(LocalBackend(), Traces(run="", folder=tmp_path, hosts=frozenset({address})))
    assert not await answers.greets((address, int(port)))


async def test_a_kept_cluster_outlives_its_maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_root", lambda: tmp_path / "clusters")
    await kept.start("stays", SPEC, Placement(), keeper="local", keepers=KEEPERS, observer=Recorder())
    (row,) = await kept.listed(KEEPERS)
    assert row.kept is not None
    assert (row.kept.alive, row.serving, row.kept.stopped) == (True, True, ())
    async with kept.attached("stays", keepers=KEEPERS, observer=Recorder()) as cluster:
        assert any("mysql" in hint and hint.endswith(" ks") for hint in connect_hints(cluster))
        await cluster.signal(one(cluster, "vttablet-101"), signal.SIGKILL)
        await cluster.start(one(cluster, "vttablet-101"), timeout_s=RESTART_TIMEOUT_S)
        await serving.until_serving(cluster, timeout_s=RESTART_TIMEOUT_S, observer=Recorder())
        if not cluster.capabilities[Capability.LINKS]:
            await cluster.set_links([CUT])
            assert not await reads(cluster, timeout_s=UNANSWERED_S)
            await cluster.set_links(())
        await wait.until("it reads", lambda: reads(cluster), timeout_s=RESTART_TIMEOUT_S)
    await kept.stop("stays", keepers=KEEPERS)
    assert await kept.listed(KEEPERS) == ()

    async def nothing_runs() -> bool:  # the supervisor's last act, which `stop` waits for, is a moment before its end
        return not mentioning(tmp_path)

    await wait.until("no process of it is left", nothing_runs, timeout_s=ENDS_WITHIN_S)
