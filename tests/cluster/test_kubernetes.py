"""The Kubernetes backend against a real cluster: what only it does. What every backend does is in test_conformance.py.

Needs a cluster in the kubeconfig (`make test-kubernetes` makes one of one node); without one everything here is skipped
with what the backend itself says of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from clusters.common import answers, serving
from clusters.common.cluster import NodesCluster
from clusters.kubernetes import healing, manifests, names, records
from clusters.kubernetes.api import Api
from clusters.kubernetes.backend import KubernetesBackend, marks_of
from clusters.kubernetes.keeper import KubernetesKeeper
from clusters.kubernetes.replacing import Replacing
from clusters.kubernetes.resources import NODE, POD, Manifest, labels_of, name_of
from harness.base import jsonio, wait
from harness.base.errors import ClusterError
from harness.base.owner import this_process
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, LinkRule, Node, Placement, Plan, Role
from tests.cluster import command
from tests.unit.local_fakes import Recorder

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

SMALL = ClusterSpec(shards=1, tablets_per_shard=2, schema=(LEDGER_SQL,), vschema=LEDGER_VSCHEMA)
HERE = Placement()
RUN_ID = "test-kubernetes"
START_TIMEOUT_S = 60.0
POD_TIMEOUT_S = 60.0
GONE_WITHIN_S = 60.0  # of a harness that was killed: until its watchdog has removed everything


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def _a_kubernetes() -> None:
    reasons = await KubernetesBackend().refusals(SMALL, HERE)
    if reasons:
        pytest.skip("; ".join(reasons))


async def left(run: str) -> list[str]:
    """Namespaces of a run, and what is on record of it."""
    async with Api.open() as api:
        found = await api.namespaces(labels=names.selector(run=names.label_of(run)))
    return [*map(name_of, found), *(record.namespace for record in records.of(run))]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodesCluster]:
    folder = tmp_path_factory.mktemp("kubernetes")
    place = Placement(memory_mb=512, cpus=1.5)
    opened = KubernetesBackend().cluster(
        SMALL, place, run=RUN_ID, folder=folder, logs=folder / "logs", observer=Recorder()
    )
    async with opened as running:
        assert isinstance(running, NodesCluster)
        yield running
    assert await left(RUN_ID) == []
    assert (folder / "logs" / "watchdog.log").read_text() == ""


async def still_serves(cluster: NodesCluster) -> None:
    await serving.until_serving(cluster, timeout_s=START_TIMEOUT_S, observer=Recorder())


def replacing_of(cluster: NodesCluster) -> Replacing:
    assert isinstance(cluster.pods, Replacing)
    return cluster.pods


async def pods() -> dict[str, Manifest]:
    """What is in the run's namespace, by name."""
    async with Api.open() as api:
        return {name_of(row): row for row in await api.list(POD, names.namespace_of(RUN_ID))}


# ------------------------------------------------------------ a cluster of pods


async def test_a_tablet_is_a_pod_and_so_is_every_other_node(cluster: NodesCluster) -> None:
    found = await pods()
    assert set(found) == {"etcd-0", "vtctld-0", "tablet-100-0", "tablet-101-0", "vtgate-1-0"}
    assert [row["name"] for row in found["tablet-100-0"]["spec"]["containers"]] == ["mysqld", "vttablet"]
    assert labels_of(found["tablet-100-0"])[names.NODE] == "tablet-100"


async def test_programs_are_not_root_and_have_their_limits(cluster: NodesCluster) -> None:
    (limits,) = {str(row["resources"]["limits"]) for row in (await pods())["tablet-100-0"]["spec"]["containers"]}
    assert limits == "{'cpu': '1500m', 'memory': '512Mi'}"
    async with Api.open() as api:
        argv = (
            "/bin/sh",
            "-c",
            f"cat /proc/$(cut -d' ' -f2 {manifests.state_of(cluster.layout.node('mysqld-100'))}/pid)/status",
        )
        ran = await api.exec(names.namespace_of(RUN_ID), "tablet-100-0", "mysqld", argv, timeout_s=10)
    (uids,) = (line.split()[1:] for line in ran.stdout.decode().splitlines() if line.startswith("Uid:"))
    assert set(uids) == {"999"}


async def test_a_log_is_what_the_program_wrote(cluster: NodesCluster) -> None:
    """All of it, in order, without the agent's own lines."""
    node = cluster.layout.node("vttablet-101")
    await cluster.signal(node, signal.SIGKILL)
    box = names.box_of(node)
    async with Api.open() as api:
        pieces = [piece async for piece in api.log(names.namespace_of(RUN_ID), box.pod, box.container)]
    printed = b"".join(pieces)
    assert b"\x1evtchaos-exit" in printed
    assert cluster.log_path(node).read_bytes() == re.sub(rb"\n?\x1evtchaos-exit \d+ 137\n", b"", printed)
    await cluster.start(node, timeout_s=START_TIMEOUT_S)
    await still_serves(cluster)


async def test_a_program_that_died_stays_dead_and_no_container_is_restarted(cluster: NodesCluster) -> None:
    node = cluster.layout.node("vtgate-1")
    await cluster.signal(node, signal.SIGKILL)
    await wait.hold(3)
    assert await answers.get(cluster.address(node, "web"), "/debug/vars") is None
    found = await pods()
    assert {row["restartCount"] for row in found["vtgate-1-0"]["status"]["containerStatuses"]} == {0}
    await cluster.start(node, timeout_s=START_TIMEOUT_S)
    await still_serves(cluster)


async def test_a_pod_that_is_deleted_comes_back_under_its_name(cluster: NodesCluster) -> None:
    node = cluster.layout.node("vtgate-1")
    before = (await pods())["vtgate-1-0"]["metadata"]["uid"]
    assert await replacing_of(cluster).kill(node, timeout_s=POD_TIMEOUT_S) == (node,)
    assert (await pods())["vtgate-1-0"]["metadata"]["uid"] != before
    await cluster.start(node, timeout_s=START_TIMEOUT_S)
    await still_serves(cluster)


async def test_a_tablet_without_a_volume_is_not_deleted(cluster: NodesCluster) -> None:
    with pytest.raises(ClusterError, match="--storage-class"):
        await replacing_of(cluster).kill(cluster.layout.node("vttablet-100"), timeout_s=POD_TIMEOUT_S)
    assert "tablet-100-0" in await pods()


async def test_a_node_that_is_drained_and_comes_back(cluster: NodesCluster) -> None:
    """One machine: while it is cordoned the evicted pod has no place."""
    node, means = cluster.layout.node("vtctld"), replacing_of(cluster)
    machine = (await means.seen(node)).machine
    async with means.cordoned(machine):
        evicting = asyncio.create_task(means.evict(node, timeout_s=POD_TIMEOUT_S))
        try:
            await wait.until("the pod has no place", _waits("vtctld-0"), timeout_s=POD_TIMEOUT_S)
        except BaseException:
            evicting.cancel()
            raise
    await evicting
    async with Api.open() as api:
        found = await api.get(NODE, machine)
    assert found is not None
    assert not found["spec"].get("unschedulable")
    await cluster.start(node, timeout_s=START_TIMEOUT_S)


def _waits(pod: str) -> Callable[[], Awaitable[bool]]:
    async def waits() -> bool:
        found = (await pods()).get(pod)
        return found is not None and found["status"]["phase"] == "Pending" and "nodeName" not in found["spec"]

    return waits


async def test_a_link_is_cut_again_for_the_pod_that_takes_the_name(cluster: NodesCluster) -> None:
    """The new pod has another address."""
    vtgate, tablet = cluster.layout.node("vtgate-1"), cluster.layout.node("vttablet-101")
    await cluster.set_links((LinkRule(source=vtgate.name, target=tablet.name),))
    try:
        await replacing_of(cluster).kill(vtgate, timeout_s=POD_TIMEOUT_S)
        address = (await pods())["vtgate-1-0"]["status"]["podIP"]
        assert f"ip saddr {address} tcp dport" in await _rules_at(tablet)
    finally:
        await cluster.set_links(())
    assert "drop" not in await _rules_at(tablet)
    await cluster.start(vtgate, timeout_s=START_TIMEOUT_S)
    await still_serves(cluster)


async def _rules_at(node: Node) -> str:
    async with Api.open() as api:
        pod = names.box_of(node).pod
        argv = ("/bin/sh", "-c", "nft list ruleset")
        return (await api.exec(names.namespace_of(RUN_ID), pod, "vtchaos-links", argv, timeout_s=10)).said


# ------------------------------------------------------------ other ways to stand


async def test_without_a_route_to_the_pods_ports_are_forwarded(tmp_path: Path) -> None:
    run = f"{RUN_ID}-forwarded"
    opened = KubernetesBackend(forward=True).cluster(
        SMALL, HERE, run=run, folder=tmp_path, logs=tmp_path / "logs", observer=Recorder()
    )
    async with opened as cluster:
        assert isinstance(cluster, NodesCluster)
        assert {cluster.address(node, "web")[0] for node in cluster.nodes(Role.VTTABLET)} == {"127.0.0.1"}
        node = cluster.layout.node("vtgate-1")
        before = cluster.address(node, "mysql")
        await replacing_of(cluster).kill(node, timeout_s=POD_TIMEOUT_S)
        await cluster.start(node, timeout_s=START_TIMEOUT_S)
        assert cluster.address(node, "mysql") == before
        await still_serves(cluster)
    assert await left(run) == []


async def test_a_kept_cluster(tmp_path: Path) -> None:
    keeper = KubernetesKeeper()
    await keeper.start("pods-test", SMALL, HERE, folder=tmp_path, observer=Recorder())
    try:
        kept = await keeper.look(tmp_path)
        assert (kept.alive, kept.stopped, kept.spec) == (True, (), SMALL)
        assert not [run for run in await KubernetesBackend().orphans() if run.startswith("kept-pods-test")]
        async with keeper.attached(tmp_path, observer=Recorder()) as cluster:
            await cluster.signal(cluster.layout.node("vttablet-101"), signal.SIGKILL)
            await cluster.signal(cluster.layout.node("vtctld"), signal.SIGKILL)
            await cluster.start(cluster.layout.node("vttablet-101"), timeout_s=START_TIMEOUT_S)
            await still_serves(cluster)
        assert (await keeper.look(tmp_path)).stopped == ("vtctld",)
        async with keeper.attached(tmp_path, observer=Recorder()) as cluster:
            await cluster.start(cluster.layout.node("vtctld"), timeout_s=START_TIMEOUT_S)
            assert cluster.log_path(cluster.layout.node("vtctld")).read_text().count("Version: ") == 2
    finally:
        await keeper.stop(tmp_path)
    assert not (await keeper.look(tmp_path)).alive
    assert not [record for record in records.everything() if record.run.startswith("kept-pods-test")]
    with pytest.raises(ClusterError, match="are gone"):
        async with keeper.attached(tmp_path, observer=Recorder()):
            pass


# ------------------------------------------------------------ nothing stays behind


async def test_an_image_that_cannot_be_pulled_is_told_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    run, place = f"{RUN_ID}-no-image", Placement(image="vtchaos.invalid/no/such:image")
    opened = KubernetesBackend().cluster(SMALL, place, run=run, folder=tmp_path, logs=tmp_path, observer=Recorder())
    with pytest.raises(ClusterError, match=r"vtchaos\.invalid/no/such:image"):
        async with opened:
            pass
    assert await left(run) == []


async def test_a_start_that_fails_leaves_only_logs(tmp_path: Path) -> None:
    run, spec = f"{RUN_ID}-fails", replace(SMALL, mysqld_settings={"no_such_key": "1"})
    opened = KubernetesBackend().cluster(spec, HERE, run=run, folder=tmp_path, logs=tmp_path, observer=Recorder())
    with pytest.raises(ClusterError, match=r"(?s)mysqld-10\d ended \(exit status 1\).*variable 'no_such_key=1'"):
        async with opened:
            pass
    assert await left(run) == []
    assert "no_such_key" in (tmp_path / "mysqld-100.log").read_text() + (tmp_path / "mysqld-101.log").read_text()


@pytest.mark.parametrize("after_s", [0.3, 0.8, 2.0, 3.0])
async def test_a_cancelled_start_leaves_only_logs(tmp_path: Path, after_s: float) -> None:
    run = f"{RUN_ID}-cancelled"
    backend = KubernetesBackend()

    async def start() -> None:
        async with backend.cluster(SMALL, HERE, run=run, folder=tmp_path, logs=tmp_path, observer=Recorder()):
            pass

    starting = asyncio.create_task(start())
    await asyncio.wait({starting}, timeout=after_s)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    assert await left(run) == []


@pytest.mark.parametrize("earliest_s, latest_s", [(0.0, 1.0), (1.0, 3.0), (3.0, 10.0)])
async def test_kill_9_of_the_harness_leaves_nothing(tmp_path: Path, earliest_s: float, latest_s: float) -> None:
    """At a random moment, early or late in the start, or in the middle of the run: its watchdog removes everything."""
    run, log = tmp_path / "run", tmp_path / "log"
    words = ("run", "reparent/storm", "--shards", "1", "--backend", "kubernetes", *command.SHORT, "--out", run)
    after_s = random.uniform(earliest_s, latest_s)
    async with command.started(*words, log=log) as process:
        plan = await wait.until("the run begins", _plan_of(run, process, log), timeout_s=30)
        assert plan is not None
        await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=after_s)
        process.kill()
        await process.wait()

    async def nothing_left() -> bool:
        return not await left(plan.run_id)

    await wait.until(f"nothing is left {after_s:.2f} s after the start", nothing_left, timeout_s=GONE_WITHIN_S)
    await wait.hold(2)
    assert await nothing_left(), f"something came {after_s:.2f} s after the start"


def _plan_of(run: Path, process: asyncio.subprocess.Process, log: Path) -> Callable[[], Awaitable[Plan | None]]:
    async def plan() -> Plan | None:
        assert process.returncode is None, log.read_text()
        return jsonio.load(run / "plan.json", Plan) if (run / "plan.json").exists() else None

    return plan


async def test_what_the_watchdog_could_not_remove_is_found_and_healed() -> None:
    """A namespace of a dead harness, with nobody left to remove it; those of others are left alone."""
    run = f"{RUN_ID}-orphan"
    me = this_process()
    owners = {"": replace(me, started=7), "-elsewhere": replace(me, host="nobody", started=7), "-alive": me}
    async with Api.open() as api:
        for suffix, owner in owners.items():
            marks = replace(marks_of(run + suffix), owner=owner.text)
            await api.create(manifests.namespace(marks))
        try:
            found = await KubernetesBackend().orphans()
            space = names.namespace_of(run)
            assert found[run] == (f"namespace {space} in {api.context} ({api.server})",)
            assert f"{run}-elsewhere" not in found
            assert f"{run}-alive" not in found
            assert await KubernetesBackend().heal(run) == list(found[run])
            assert await KubernetesBackend().heal(run) == []
        finally:
            for suffix in owners:
                await healing.healed(run + suffix)
