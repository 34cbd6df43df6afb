"""What every backend must do: the same tests, on real clusters, for each that this machine permits.

The tests of a backend share one cluster of 2 shards x 2 tablets, whose second vtgate has a flag of its own. Each leaves
it whole, and has no need of the others.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from clusters.common import answers
from clusters.common.layout import ROLE_PORTS
from clusters.common.mysqld import ADMIN_USER
from harness.base import procs, wait
from harness.base.errors import ClusterError, UsageError
from harness.contracts import Backend
from harness.model import Capability, ClusterSpec, LinkRule, Placement, Role, VtgateSpec
from harness.mysql.session import admin_session
from tests.cluster.ground import FIRST_ID, PRIMARIES, QUERY_TIMEOUT_S, SPEC, START_TIMEOUT_S, STOP_TIMEOUT_S, Ground
from tests.cluster.leftover import LEFT_OVER, Traces, until_nothing_left
from tests.unit.local_fakes import Recorder

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

PLACE = Placement()
OWNER_TIMEOUT_S = 240.0
UNANSWERED_S = 1.5
HEALED_TIMEOUT_S = 20.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    folder, run, recorder = tmp_path_factory.mktemp(backend.name), f"conformance-{os.getpid()}", Recorder()
    opened = backend.cluster(SPEC, PLACE, run=run, folder=folder, logs=folder / "logs", observer=recorder)
    async with opened as cluster:
        traces = Traces.of(run, folder, cluster)
        yield Ground(backend=backend, cluster=cluster, recorder=recorder, traces=traces)
    assert await LEFT_OVER[backend.name](traces) == []


@pytest_asyncio.fixture(loop_scope="module")
async def linked(ground: Ground) -> AsyncIterator[Ground]:
    """The shared cluster, if single links of it can be cut; afterwards none is."""
    why_not = ground.cluster.capabilities[Capability.LINKS]
    if why_not:
        pytest.skip(f"{ground.backend.name}: {why_not}")
    yield ground
    await ground.cluster.set_links(())

    async def all_read() -> bool:
        ways = [(vtgate, shard) for vtgate in ("vtgate-1", "vtgate-2") for shard in PRIMARIES]
        return all([await ground.reads(*way, timeout_s=UNANSWERED_S) for way in ways])

    await wait.until("every vtgate reads every shard", all_read, timeout_s=HEALED_TIMEOUT_S)


# ------------------------------------------------------------ a cluster that serves


async def test_rows_go_to_their_shard_and_come_back_through_every_vtgate(ground: Ground) -> None:
    low, high = 7, FIRST_ID["80-"] + 7
    await ground.rows("vtgate-1", "USE ks", f"INSERT INTO ledger (id, value) VALUES ({low}, 1), ({high}, 2)")
    for vtgate in ("vtgate-1", "vtgate-2"):
        for shard, row in (("-80", (low, 1)), ("80-", (high, 2))):
            query = f"SELECT id, value FROM ledger WHERE id IN ({low}, {high})"
            assert await ground.rows(vtgate, f"USE `ks:{shard}@primary`", query) == [row]


async def test_replicas_replicate_with_semi_sync(ground: Ground) -> None:
    status = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_status'"
    assert dict(await ground.rows("mysqld-100", status))["Rpl_semi_sync_source_status"] == "ON"
    assert dict(await ground.rows("mysqld-101", status))["Rpl_semi_sync_replica_status"] == "ON"
    assert await ground.rows("mysqld-101", "SELECT @@super_read_only") == [(1,)]


async def test_every_node_answers_at_its_addresses_and_has_a_log(ground: Ground) -> None:
    cluster = ground.cluster
    assert len(cluster.nodes()) == 12
    for node in cluster.nodes():
        for port in ROLE_PORTS[node.role]:
            host, number = cluster.address(node, port)
            assert host
            assert number > 0
        assert cluster.log_path(node).name == f"{node.name}.log"
        assert cluster.log_path(node).stat().st_size, f"the log of {node.name} is empty"
        if "web" in ROLE_PORTS[node.role]:
            assert await answers.variables(cluster.address(node, "web"))
    with pytest.raises(ClusterError, match="etcd has no port 'grpc'"):
        cluster.address(ground.node("etcd"), "grpc")


async def test_a_flag_of_its_own_reaches_its_vtgate_only(ground: Ground) -> None:
    for name, has_it in (("vtgate-1", False), ("vtgate-2", True)):
        page = await answers.get(ground.cluster.address(ground.node(name), "web"), "/debug/vars")
        assert page is not None
        assert (b"--enable-buffer" in page) is has_it


async def test_every_capability_is_told_with_a_reason_if_it_is_missing(ground: Ground) -> None:
    told = ground.cluster.capabilities
    assert set(told) == set(Capability)
    assert told[Capability.SIGNAL] == told[Capability.RESTART] == ""
    for why_not in filter(None, told.values()):
        assert " " in why_not
        assert why_not == why_not.strip()


async def test_it_can_be_found_by_its_traces(ground: Ground) -> None:
    """Or else finding nothing of it in the end would mean nothing."""
    boxes = {node.tablet_alias or node.name for node in ground.cluster.nodes()}
    assert len(await LEFT_OVER[ground.backend.name](ground.traces)) > len(boxes)
    assert ground.traces.run not in await ground.backend.orphans()  # its owner lives


# ------------------------------------------------------------ single nodes


@pytest.mark.parametrize("name", ["etcd", "vtctld", "vtgate-1", "vttablet-101", "mysqld-101"])
async def test_stop_and_start(ground: Ground, name: str) -> None:
    cluster, node = ground.cluster, ground.node(name)
    before = len(ground.exits())
    await cluster.stop(node, timeout_s=STOP_TIMEOUT_S)
    assert ground.exits()[before:] == [(name, True)]
    with pytest.raises(ClusterError, match=f"{name} is not running"):
        await cluster.signal(node, signal.SIGCONT)
    await cluster.stop(node, timeout_s=1)  # again: nothing
    assert ground.exits()[before:] == [(name, True)]
    size = cluster.log_path(node).stat().st_size
    await cluster.start(node, timeout_s=START_TIMEOUT_S)
    with pytest.raises(ClusterError, match="already running"):
        await cluster.start(node, timeout_s=1)
    assert cluster.log_path(node).stat().st_size >= size, "the log of before is gone"
    await (ground.mended(name) if node.role is Role.MYSQLD else ground.whole())
    assert ground.exits()[before:] == [(name, True)]


async def test_a_killed_mysqld_keeps_what_it_acknowledged(ground: Ground) -> None:
    node, first = ground.node("mysqld-102"), FIRST_ID["80-"] + 1000
    rows = ", ".join(f"({first + number}, {number})" for number in range(500))
    before = len(ground.exits())
    await ground.rows("vtgate-1", "USE ks", f"INSERT INTO ledger (id, value) VALUES {rows}")
    await ground.cluster.signal(node, signal.SIGKILL)
    assert ground.exits()[before:] == [("mysqld-102", True)]
    await ground.cluster.start(node, timeout_s=START_TIMEOUT_S)
    count = f"SELECT COUNT(*) FROM vt_ks.ledger WHERE id BETWEEN {first} AND {first + 499}"
    assert await ground.rows("mysqld-102", count) == [(500,)]
    await ground.mended("mysqld-102")


async def test_an_end_that_nobody_asked_for_is_told_as_one(ground: Ground) -> None:
    before = len(ground.exits())
    await ground.rows("mysqld-103", "SHUTDOWN")

    async def told() -> bool:
        return ground.exits()[before:] == [("mysqld-103", False)]

    await wait.until("the end of mysqld-103 is told", told, timeout_s=STOP_TIMEOUT_S)
    await ground.cluster.start(ground.node("mysqld-103"), timeout_s=START_TIMEOUT_S)
    await ground.mended("mysqld-103")


async def test_a_paused_vtgate_does_not_answer_until_it_goes_on(ground: Ground) -> None:
    node = ground.node("vtgate-2")
    web = ground.cluster.address(node, "web")
    await ground.cluster.signal(node, signal.SIGSTOP)
    assert await answers.get(web, "/debug/vars") is None
    await ground.cluster.signal(node, signal.SIGCONT)
    assert await answers.get(web, "/debug/vars")


async def test_a_paused_node_can_be_stopped(ground: Ground) -> None:
    node, before = ground.node("vtgate-2"), len(ground.exits())
    await ground.cluster.signal(node, signal.SIGSTOP)
    await ground.cluster.stop(node, timeout_s=STOP_TIMEOUT_S)
    assert ground.exits()[before:] == [("vtgate-2", True)]
    await ground.cluster.start(node, timeout_s=START_TIMEOUT_S)
    await ground.whole()


async def test_signal_0_only_asks_whether_it_runs(ground: Ground) -> None:
    node, before = ground.node("vtgate-2"), len(ground.exits())
    await ground.cluster.signal(node, 0)
    assert len(ground.exits()) == before
    await ground.cluster.stop(node, timeout_s=STOP_TIMEOUT_S)
    with pytest.raises(ClusterError, match="vtgate-2 is not running"):
        await ground.cluster.signal(node, 0)
    await ground.cluster.start(node, timeout_s=START_TIMEOUT_S)
    await ground.whole()


# ------------------------------------------------------------ single links


QUESTIONS = LinkRule(source="vtgate-1", target="vttablet-100")
ANSWERS = LinkRule(source="vttablet-100", target="vtgate-1")


@pytest.mark.parametrize("cut", [(QUESTIONS,), (ANSWERS,), (QUESTIONS, ANSWERS)], ids=["there", "back", "both"])
async def test_a_cut_vtgate_does_not_reach_the_tablet_and_the_other_one_does(
    linked: Ground, cut: tuple[LinkRule, ...]
) -> None:
    """Over the connections that exist: a vtgate keeps one to each tablet."""
    assert await linked.reads("vtgate-1", "-80")
    await linked.cluster.set_links(cut)
    assert not await linked.reads("vtgate-1", "-80", timeout_s=UNANSWERED_S)
    await linked.cluster.set_links(cut)  # the same state again: nothing
    assert not await linked.reads("vtgate-1", "-80", timeout_s=UNANSWERED_S)
    assert await linked.reads("vtgate-1", "80-")
    assert await linked.reads("vtgate-2", "-80")
    assert await answers.variables(linked.cluster.address(linked.node("vttablet-100"), "web"))
    await linked.cluster.set_links(())
    await linked.cluster.set_links(())

    async def reads() -> bool:
        return await linked.reads("vtgate-1", "-80", timeout_s=UNANSWERED_S)

    await wait.until("vtgate-1 reads -80 again", reads, timeout_s=HEALED_TIMEOUT_S)


async def test_another_state_takes_the_place_of_the_one_before(linked: Ground) -> None:
    other = LinkRule(source="vtgate-2", target="vttablet-102")
    await linked.cluster.set_links((QUESTIONS,))
    await linked.cluster.set_links((other,))
    assert not await linked.reads("vtgate-2", "80-", timeout_s=UNANSWERED_S)
    assert await linked.reads("vtgate-1", "-80")


@pytest.mark.parametrize(
    ("source", "target", "arrives"), [("mysqld-100", "mysqld-101", False), ("mysqld-101", "mysqld-100", True)]
)
async def test_replication_is_cut_one_way(linked: Ground, source: str, target: str, arrives: bool) -> None:
    """A semi-sync primary whose rows, or whose acknowledgements, are lost makes its client wait."""
    key = 5000 + arrives
    count = f"SELECT COUNT(*) FROM vt_ks.ledger WHERE id = {key}"

    async def arrived() -> bool:
        return await linked.rows("mysqld-101", count) == [(1,)]

    async with linked.session("vtgate-2") as session:
        (await session.query("USE ks", timeout_s=QUERY_TIMEOUT_S)).require("USE")
        await linked.cluster.set_links([LinkRule(source=source, target=target)])
        insert = f"INSERT INTO ledger (id, value) VALUES ({key}, 1)"
        write = asyncio.create_task(session.query(insert, timeout_s=START_TIMEOUT_S))
        if arrives:
            await wait.until("the row arrives", arrived, timeout_s=QUERY_TIMEOUT_S)
        await wait.hold(UNANSWERED_S)
        assert not write.done(), f"acknowledged without a replica: {write.result()}"
        assert await arrived() is arrives
        await linked.cluster.set_links(())
        (await write).require(insert)
    assert await arrived()


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("mysqld-100", "vttablet-100", "mysqld-100 and vttablet-100 talk over a unix socket"),
        ("vtgate-7", "vttablet-100", "there is no node 'vtgate-7'"),
    ],
)
async def test_what_is_no_link_cannot_be_cut(linked: Ground, source: str, target: str, said: str) -> None:
    with pytest.raises(ClusterError, match=said):
        await linked.cluster.set_links([LinkRule(source=source, target=target)])
    assert await linked.reads("vtgate-1", "-80")


# ------------------------------------------------------------ clusters that come and go


async def test_two_versions_side_by_side_then_down_with_whole_logs(backend: Backend, tmp_path: Path) -> None:
    spec = ClusterSpec(shards=1, vtgates=(VtgateSpec(version="24.0.3"), VtgateSpec(version="21.0.2")))
    run = f"mixed-{os.getpid()}"
    opened = backend.cluster(spec, PLACE, run=run, folder=tmp_path, logs=tmp_path / "logs", observer=Recorder())
    async with opened as cluster:
        traces = Traces.of(run, tmp_path, cluster)
        gates = cluster.nodes(Role.VTGATE)
        assert [gate.version for gate in gates] == ["24.0.3", "21.0.2"]
        for gate in gates:
            page = await answers.variables(cluster.address(gate, "web"))
            assert page["BuildVersion"] == gate.version
            async with admin_session(*cluster.address(gate, "mysql"), user=ADMIN_USER) as session:
                (await session.query("USE `ks:0@primary`", timeout_s=QUERY_TIMEOUT_S)).require("USE")
                assert (await session.query("SELECT 1", timeout_s=QUERY_TIMEOUT_S)).rows == ((1,),)
        sizes = {node.name: cluster.log_path(node).stat().st_size for node in cluster.nodes()}
        await cluster.stop(gates[0], timeout_s=STOP_TIMEOUT_S)
    for name, size in sizes.items():
        assert (tmp_path / "logs" / f"{name}.log").stat().st_size >= size > 0
    last_words = (tmp_path / "logs" / "vtgate-1.log").read_text()[sizes["vtgate-1"] :]
    assert "vtgate" in last_words
    assert await LEFT_OVER[backend.name](traces) == []


async def test_a_dying_component_is_shown_with_its_log(backend: Backend, tmp_path: Path) -> None:
    spec = ClusterSpec(shards=1, tablets_per_shard=1, durability_policy="none", mysqld_settings={"no_such_key": "1"})
    run = f"dying-{os.getpid()}"
    with pytest.raises(ClusterError, match=r"(?s)mysqld-100 ended \(exit status 1\).*unknown variable 'no_such_key=1'"):
        async with backend.cluster(spec, PLACE, run=run, folder=tmp_path, logs=tmp_path / "logs", observer=Recorder()):
            pytest.fail("it stands")
    assert await LEFT_OVER[backend.name](Traces(run=run, folder=tmp_path)) == []
    assert "no_such_key" in (tmp_path / "logs" / "mysqld-100.log").read_text()


async def test_an_unknown_flag_is_refused_before_anything_starts(backend: Backend, tmp_path: Path) -> None:
    spec = ClusterSpec(shards=1, vtgate_flags={"bufer-window": "1s"})
    said = r"has no flag --bufer-window; did you mean --buffer-window\?"
    run = f"unknown-{os.getpid()}"
    assert any("--bufer-window" in reason for reason in await backend.refusals(spec, PLACE))
    with pytest.raises(UsageError, match=said):
        async with backend.cluster(spec, PLACE, run=run, folder=tmp_path, logs=tmp_path / "logs", observer=Recorder()):
            pytest.fail("it stands")
    assert not (tmp_path / "logs" / "etcd.log").exists()
    assert await LEFT_OVER[backend.name](Traces(run=run, folder=tmp_path)) == []


async def test_kill_9_of_the_owner_leaves_nothing(backend: Backend, tmp_path: Path) -> None:
    run, log = f"killed-{os.getpid()}", tmp_path / "owner.log"
    words = ["-m", "clusters", f"--backend={backend.name}", f"--run={run}", "--seconds=600", f"--folder={tmp_path}"]
    async with procs.spawned([sys.executable, *words], log=log) as owner:
        shown = await _shown(owner, log)
        host, port = shown["nodes"]["vtgate-1"]["mysql"].rsplit(":", 1)
        address = (host, int(port))
        assert await answers.greets(address)
        traces = Traces(run=run, folder=tmp_path, hosts=frozenset({host}))
        assert len(await LEFT_OVER[backend.name](traces)) > 5
        owner.send_signal(signal.SIGKILL)
        await owner.wait()
        await until_nothing_left(backend, traces)
    assert not await answers.greets(address)


async def _shown(owner: asyncio.subprocess.Process, log: Path) -> Any:
    """The JSON object that the owner prints when the cluster serves."""

    async def text() -> str:
        assert owner.returncode is None, f"the owner ended:\n{log.read_text()}"
        _, brace, rest = log.read_text().partition("\n{\n")
        body, end, _ = rest.partition("\n}\n")
        return "{" + body + "}" if brace and end else ""

    return orjson.loads(await wait.until("the cluster serves", text, timeout_s=OWNER_TIMEOUT_S))
