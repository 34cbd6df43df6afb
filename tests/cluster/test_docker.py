"""The Docker backend against a real engine: what only it does. What every backend does is in test_conformance.py.

Needs a Docker engine; without one everything here is skipped with what the backend itself says of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from clusters.common import answers, serving
from clusters.common.cluster import NodesCluster
from clusters.docker import engine, removal
from clusters.docker.backend import DockerBackend
from clusters.docker.keeper import DockerKeeper
from clusters.docker.labels import FOLDER, NODE, RUN, Marks
from clusters.docker.processes import DockerProcesses
from harness.base import jsonio, wait
from harness.base.errors import ClusterError
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import Capability, ClusterSpec, LinkRule, Node, Placement, Plan, Role, VtgateSpec
from tests.cluster import command
from tests.unit.local_fakes import Recorder

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

SMALL = ClusterSpec(shards=1, tablets_per_shard=2, schema=(LEDGER_SQL,), vschema=LEDGER_VSCHEMA)
TWO_VTGATES = replace(SMALL, shards=2, vtgates=(VtgateSpec(), VtgateSpec()))
HERE = Placement()
RUN_ID = "test-docker"
START_TIMEOUT_S = 60.0
NOTICED_WITHIN_S = 20.0
GONE_WITHIN_S = 60.0  # of a harness that was killed: until its watchdog has removed everything


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def _an_engine() -> None:
    reasons = await DockerBackend().refusals(TWO_VTGATES, HERE)
    if reasons:
        pytest.skip("; ".join(reasons))


async def left(label: str) -> list[str]:
    """What the engine has with a label, in words."""
    async with engine.connected() as docker:
        return list((await removal.labelled(docker, label)).words())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodesCluster]:
    folder = tmp_path_factory.mktemp("docker")
    place = Placement(memory_mb=512, cpus=1.5)
    opened = DockerBackend().cluster(
        TWO_VTGATES, place, run=RUN_ID, folder=folder, logs=folder / "logs", observer=Recorder()
    )
    async with opened as running:
        assert isinstance(running, NodesCluster)
        yield running
    assert await left(f"{RUN}={RUN_ID}") == []
    assert (folder / "logs" / "watchdog.log").read_text() == ""


def processes_of(cluster: NodesCluster) -> DockerProcesses:
    assert isinstance(cluster.processes, DockerProcesses)
    return cluster.processes


async def still_serves(cluster: NodesCluster) -> None:
    await serving.until_serving(cluster, timeout_s=START_TIMEOUT_S, observer=Recorder())


async def containers(cluster: NodesCluster) -> dict[str, str]:
    """Node → the name of its container."""
    async with engine.connected() as docker:
        found = await removal.labelled(docker, f"{RUN}={RUN_ID}")
    return {thing.labels[NODE]: thing.name for thing in found.containers if NODE in thing.labels}


# ------------------------------------------------------------ a cluster of containers


async def test_a_container_for_every_node(cluster: NodesCluster) -> None:
    assert set(await containers(cluster)) == {node.name for node in cluster.nodes()}


async def test_programs_are_not_root_and_have_their_limits(cluster: NodesCluster) -> None:
    names = await containers(cluster)
    async with engine.connected() as docker:
        said = await docker.call("describe a container", docker.api.inspect_container, names["mysqld-100"])
        users = await docker.exec(names["mysqld-100"], ("/bin/cat", "/proc/1/status"), user="0:0")
    assert said["HostConfig"]["Memory"] == 512 << 20
    assert said["HostConfig"]["NanoCpus"] == 1_500_000_000
    (uids,) = (line.split()[1:] for line in users.splitlines() if line.startswith("Uid:"))
    assert set(uids) == {"999"}


async def test_a_log_is_what_the_container_wrote(cluster: NodesCluster) -> None:
    names = await containers(cluster)
    async with engine.connected() as docker:
        for node in cluster.nodes(Role.MYSQLD):  # they are silent while nothing happens
            output = await docker.call("read the output", docker.api.logs, names[node.name])
            assert cluster.log_path(node).read_bytes() == output
            assert output


async def test_an_etcd_that_comes_back_has_kept_everything(cluster: NodesCluster) -> None:
    etcd = cluster.layout.node("etcd")
    await cluster.stop(etcd, timeout_s=30)
    await cluster.start(etcd, timeout_s=START_TIMEOUT_S)
    vtctld = cluster.layout.node("vtctld")
    await cluster.signal(vtctld, signal.SIGKILL)
    await cluster.start(vtctld, timeout_s=START_TIMEOUT_S)
    await still_serves(cluster)


async def test_a_node_comes_back_with_another_command(cluster: NodesCluster) -> None:
    node = cluster.layout.node("vtgate-2")
    before = cluster.commands[node.name]
    await cluster.stop(node, timeout_s=30)
    cluster.commands = {**cluster.commands, node.name: replace(before, argv=(*before.argv, "--enable-buffer"))}
    await cluster.start(node, timeout_s=START_TIMEOUT_S)
    inside = await processes_of(cluster).exec(node, ("/bin/cat", "/proc/1/cmdline"))
    assert "--enable-buffer" in inside.split("\0")
    await still_serves(cluster)


async def test_a_frozen_node_does_not_answer_until_it_is_thawed(cluster: NodesCluster) -> None:
    node, processes = cluster.layout.node("vtgate-2"), processes_of(cluster)
    await processes.freeze(node, frozen=True)
    try:
        assert await answers.get(cluster.address(node, "web"), "/debug/vars") is None
    finally:
        await processes.freeze(node, frozen=False)
    assert await answers.get(cluster.address(node, "web"), "/debug/vars")
    await processes.freeze(node, frozen=False)  # again: nothing
    await still_serves(cluster)


# ------------------------------------------------------------ links


async def _sees(cluster: NodesCluster, vtgate: Node, tablets: str) -> bool:
    return tablets not in await serving.missing_tablets(cluster, vtgate)


def _until(condition: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return await condition()

    return holds


async def test_a_cut_link_cuts_what_is_connected_already_and_nothing_else(cluster: NodesCluster) -> None:
    assert cluster.capabilities[Capability.LINKS] == ""
    cut, other = cluster.layout.node("vtgate-1"), cluster.layout.node("vtgate-2")
    replica = cluster.layout.node("vttablet-101")
    await cluster.set_links((LinkRule(source=cut.name, target=replica.name),))
    try:
        await wait.until(
            "vtgate-1 misses the replica",
            _until(lambda: _missing(cluster, cut, "ks.-80.replica")),
            timeout_s=90,  # its health-check timeout is a minute
        )
        assert await serving.missing_tablets(cluster, other) == []
    finally:
        await cluster.set_links(())
    await still_serves(cluster)


async def _missing(cluster: NodesCluster, vtgate: Node, tablets: str) -> bool:
    return not await _sees(cluster, vtgate, tablets)


async def test_links_can_be_cut_while_a_node_is_paused_and_stay_cut_over_its_restart(cluster: NodesCluster) -> None:
    """From the harness's side: a tablet's own replication is the traffic."""
    source, target = cluster.layout.node("mysqld-102"), cluster.layout.node("mysqld-103")
    await cluster.signal(target, signal.SIGSTOP)
    rule = LinkRule(source=source.name, target=target.name)
    await cluster.set_links((rule,))
    try:
        await cluster.signal(target, signal.SIGCONT)
        await cluster.signal(target, signal.SIGKILL)
        await cluster.start(target, timeout_s=START_TIMEOUT_S)
        rules = await _rules_at(cluster, target)
        assert f"ip saddr {cluster.layout.hosts[source.name]} tcp dport" in rules
    finally:
        await cluster.set_links(())
    assert "drop" not in await _rules_at(cluster, target)
    await still_serves(cluster)


async def _rules_at(cluster: NodesCluster, node: Node) -> str:
    boxes = processes_of(cluster).boxes
    async with engine.connected() as docker:
        return await docker.exec(await boxes.ready(node), ("/bin/sh", "-c", "nft list ruleset"), user="0:0")


# ------------------------------------------------------------ other ways to stand


async def test_without_a_route_to_the_containers_ports_are_published(tmp_path: Path) -> None:
    opened = DockerBackend(publish=True).cluster(
        SMALL, HERE, run=RUN_ID + "-published", folder=tmp_path, logs=tmp_path / "logs", observer=Recorder()
    )
    async with opened as cluster:
        assert isinstance(cluster, NodesCluster)
        hosts = {cluster.address(node, "web")[0] for node in cluster.nodes(Role.VTTABLET)}
        assert hosts == {"127.0.0.1"}
        node = cluster.layout.node("vtgate-1")
        before = cluster.address(node, "mysql")
        await cluster.signal(node, signal.SIGKILL)
        await cluster.start(node, timeout_s=START_TIMEOUT_S)
        assert cluster.address(node, "mysql") == before
        await still_serves(cluster)
    assert await left(f"{RUN}={RUN_ID}-published") == []


@pytest.mark.parametrize("place", [HERE, Placement(together=True, memory_mb=768)], ids=["apart", "together"])
async def test_a_kept_cluster(tmp_path: Path, place: Placement) -> None:
    keeper = DockerKeeper()
    await keeper.start("docker-test", SMALL, place, folder=tmp_path, observer=Recorder())
    try:
        kept = await keeper.look(tmp_path)
        assert (kept.alive, kept.stopped, kept.spec) == (True, (), SMALL)
        assert not [run for run in await DockerBackend().orphans() if run.startswith("kept-docker-test")]
        async with keeper.attached(tmp_path, observer=Recorder()) as cluster:
            await cluster.signal(cluster.layout.node("vttablet-101"), signal.SIGKILL)
            await cluster.signal(cluster.layout.node("vtctld"), signal.SIGKILL)
            await cluster.start(cluster.layout.node("vttablet-101"), timeout_s=START_TIMEOUT_S)
            await cluster.signal(cluster.layout.node("mysqld-101"), signal.SIGSTOP)
            await cluster.stop(cluster.layout.node("mysqld-101"), timeout_s=30)
            await cluster.start(cluster.layout.node("mysqld-101"), timeout_s=START_TIMEOUT_S)
            await still_serves(cluster)
        assert (await keeper.look(tmp_path)).stopped == ("vtctld",)
        async with keeper.attached(tmp_path, observer=Recorder()) as cluster:
            await cluster.start(cluster.layout.node("vtctld"), timeout_s=START_TIMEOUT_S)
            assert cluster.log_path(cluster.layout.node("vtctld")).read_text().count("Version: ") == 2
            log = cluster.log_path(cluster.layout.node("mysqld-101")).read_text()
            assert log.count("ready for connections") == 2
            assert "Version: " in cluster.log_path(cluster.layout.node("vttablet-101")).read_text()
    finally:
        await keeper.stop(tmp_path)
    assert await left(f"{FOLDER}={tmp_path}") == []
    assert not (await keeper.look(tmp_path)).alive
    with pytest.raises(ClusterError, match="are gone"):
        async with keeper.attached(tmp_path, observer=Recorder()):
            pass


# ------------------------------------------------------------ nothing stays behind


async def test_a_start_that_fails_leaves_only_logs(tmp_path: Path) -> None:
    spec = replace(SMALL, mysqld_settings={"no_such_key": "1"})
    opened = DockerBackend().cluster(
        spec, HERE, run=RUN_ID + "-fails", folder=tmp_path, logs=tmp_path, observer=Recorder()
    )
    with pytest.raises(ClusterError, match=r"(?s)mysqld-10\d ended \(exit status 1\).*variable 'no_such_key=1'"):
        async with opened:
            pass
    assert await left(f"{RUN}={RUN_ID}-fails") == []
    assert "no_such_key" in (tmp_path / "mysqld-100.log").read_text() + (tmp_path / "mysqld-101.log").read_text()


@pytest.mark.parametrize("after_s", [0.3, 0.8, 1.6, 2.5])
async def test_a_cancelled_start_leaves_only_logs(tmp_path: Path, after_s: float) -> None:
    run = f"{RUN_ID}-cancelled"

    async def start() -> None:
        async with DockerBackend().cluster(SMALL, HERE, run=run, folder=tmp_path, logs=tmp_path, observer=Recorder()):
            pass

    starting = asyncio.create_task(start())
    await asyncio.wait({starting}, timeout=after_s)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    assert await left(f"{RUN}={run}") == []


@pytest.mark.parametrize("earliest_s, latest_s", [(0.0, 1.0), (1.0, 3.0), (3.0, 8.0)])
async def test_kill_9_of_the_harness_leaves_nothing(tmp_path: Path, earliest_s: float, latest_s: float) -> None:
    """At a random moment, early or late in the start, or in the middle of the run: its watchdog removes everything."""
    run, log = tmp_path / "run", tmp_path / "log"
    words = ("run", "reparent/storm", "--shards", "1", "--backend", "docker", *command.SHORT, "--out", run)
    after_s = random.uniform(earliest_s, latest_s)
    async with command.started(*words, log=log) as process:
        plan = await wait.until("the run begins", _plan_of(run, process, log), timeout_s=30)
        assert plan is not None
        await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=after_s)
        process.kill()
        await process.wait()

    async def nothing_left() -> bool:
        return not await left(f"{RUN}={plan.run_id}")

    await wait.until(f"nothing is left {after_s:.2f} s after the start", nothing_left, timeout_s=GONE_WITHIN_S)
    await wait.hold(removal.QUIET_S)
    assert await nothing_left(), f"something came {after_s:.2f} s after the start"


def _plan_of(run: Path, process: asyncio.subprocess.Process, log: Path) -> Callable[[], Awaitable[Plan | None]]:
    async def plan() -> Plan | None:
        assert process.returncode is None, log.read_text()
        return jsonio.load(run / "plan.json", Plan) if (run / "plan.json").exists() else None

    return plan


async def test_what_the_watchdog_could_not_remove_is_found_and_healed(tmp_path: Path) -> None:
    """Something of a dead harness, with nobody left to remove it."""
    dead = "nobody:1:1"
    run = f"{RUN_ID}-orphan"
    async with engine.connected() as docker:
        from harness.base.owner import this_process

        labels = Marks(run=run).plain() | {"vtchaos.owner": this_process().text.rsplit(":", 2)[0] + ":1:7"}
        await docker.call("make a volume", docker.api.create_volume, f"vtchaos-{run}-a", labels=labels)
        elsewhere = Marks(run=run + "-elsewhere").plain() | {"vtchaos.owner": dead}
        await docker.call("make a volume", docker.api.create_volume, f"vtchaos-{run}-b", labels=elsewhere)
        alive = Marks(run=run + "-alive").plain()
        await docker.call("make a volume", docker.api.create_volume, f"vtchaos-{run}-c", labels=alive)
    try:
        found = await DockerBackend().orphans()
        assert found[run] == (f"volume vtchaos-{run}-a",)
        assert f"{run}-elsewhere" not in found
        assert f"{run}-alive" not in found
        assert await DockerBackend().heal(run) == (f"volume vtchaos-{run}-a",)
        assert await DockerBackend().heal(run) == ()
    finally:
        for each in ("", "-elsewhere", "-alive"):
            await DockerBackend().heal(run + each)
