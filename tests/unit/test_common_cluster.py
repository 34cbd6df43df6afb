"""The start's own errors, and what a cluster answers without any process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusters.common import answers, bringup, commands, obtained, serving
from clusters.common.cluster import NodesCluster
from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.common.processes import Exit
from clusters.local.processes import SupervisedProcesses
from clusters.local.supervision import Supervisor
from harness.base.errors import ClusterError, PlanError, WaitTimeout
from harness.contracts import OffersPorts, OffersVersions
from harness.model import Capability, ClusterSpec, KeyspaceSpec, LinkRule, Node, Role
from tests.unit.local_fakes import Recorder, mysql_install, plan, programs


class Unconnected(Supervisor):
    """A supervisor that nobody talks to."""

    def __init__(self) -> None:
        return


def over(layout: Layout, recorder: Recorder) -> NodesCluster:
    processes = SupervisedProcesses(layout, Unconnected(), kernel_cleanup="", templates={})
    return NodesCluster(layout, {}, processes, recorder)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def cluster(recorder: Recorder) -> NodesCluster:
    return over(plan(ClusterSpec(shards=2)), recorder)


def test_nodes_by_role(cluster: NodesCluster) -> None:
    assert len(cluster.nodes()) == 11
    assert [node.name for node in cluster.nodes(Role.VTGATE)] == ["vtgate-1"]


def test_capabilities_carry_reasons(cluster: NodesCluster) -> None:
    assert cluster.capabilities[Capability.SIGNAL] == ""
    assert "links" in cluster.capabilities[Capability.LINKS]


async def test_links_are_refused_but_healing_is_not(cluster: NodesCluster) -> None:
    await cluster.set_links(())
    with pytest.raises(ClusterError, match="cannot cut single links"):
        await cluster.set_links((LinkRule(source="vtgate-1", target="vttablet-100"),))


async def test_stopping_what_does_not_run_is_nothing(cluster: NodesCluster) -> None:
    await cluster.stop(cluster.nodes(Role.VTGATE)[0], timeout_s=1)


def test_an_exit_becomes_an_event(cluster: NodesCluster, recorder: Recorder) -> None:
    seen: list[Exit] = []
    cluster.watch_exits(seen.append)
    end = Exit(name="mysqld-100", status=-9, asked=False, at_ns=5)
    cluster._on_exit(end)
    (event,) = recorder.events
    assert (event.kind, event.subject, event.at_ns) == ("exit", "mysqld-100", 5)
    assert event.details == {"how": "signal 9", "status": -9, "asked": False}
    assert seen == [end]


def test_a_refused_flag_is_not_lost_in_the_usage_text(tmp_path: Path, recorder: Recorder) -> None:
    cluster = over(plan(ClusterSpec(shards=1), tmp_path), recorder)
    log = cluster.log_path(cluster.nodes(Role.VTGATE)[0])
    log.parent.mkdir()
    said = 'invalid argument "abc" for "--window" flag: time: invalid duration "abc"'
    log.write_text("      --flag string   what it is\n" * 400 + f"\nF1121 06:10:21.2 1 vtgate.go:26] {said}\n")
    told = cluster.obituary(Exit(name="vtgate-1", status=1, asked=False, at_ns=5))
    assert told == f"vtgate-1 ended (exit status 1); its log {log} ends with:\n{said}"


def test_the_death_says_more_than_the_timeout() -> None:
    death = ClusterError("mysqld-100 ended")
    group = BaseExceptionGroup("x", [WaitTimeout("etcd answers", 1, None), BaseExceptionGroup("y", [death])])
    assert bringup._plain(group) is death
    alone = ValueError("a bug of ours")
    assert bringup._plain(ExceptionGroup("x", [alone])) is alone


def test_semi_sync_needs_the_plugin() -> None:
    spec = ClusterSpec(shards=1)
    vttablets = programs().vitess["24.0.3"]
    obtained.check_fit(spec, vttablets, mysql_install())
    with pytest.raises(PlanError, match=r"MySQL 8\.0\.15 \(made up\) has no semi-sync plugin"):
        obtained.check_fit(spec, vttablets, mysql_install("8.0.15", semi_sync=False))


def test_old_vttablets_cannot_manage_a_new_mysql() -> None:
    vttablets = programs("22.0.4").vitess["22.0.4"]
    with pytest.raises(PlanError, match=r"vttablet 22\.0\.4 cannot manage MySQL 9\.7\.4; it takes 8\.0 or 8\.4"):
        obtained.check_fit(ClusterSpec(shards=1), vttablets, mysql_install())
    obtained.check_fit(ClusterSpec(shards=1), vttablets, mysql_install("8.4.3"))


async def test_every_keyspace_must_serve(monkeypatch: pytest.MonkeyPatch, recorder: Recorder) -> None:
    spec = ClusterSpec(shards=2, others=(KeyspaceSpec(name="target", tablets_per_shard=1),))
    cluster = over(plan(spec), recorder)
    seen = {f"ks.{shard}.{kind}": 1 for shard in ("-80", "80-") for kind in ("primary", "replica")}

    async def variables(_: tuple[str, int]) -> dict[str, dict[str, int]]:
        return {"HealthcheckConnections": seen}

    monkeypatch.setattr(answers, "variables", variables)
    (vtgate,) = cluster.nodes(Role.VTGATE)
    assert await serving.missing_tablets(cluster, vtgate) == ["target.0.primary"]
    seen["target.0.primary"] = 1
    assert await serving.missing_tablets(cluster, vtgate) == []
    del seen["ks.80-.replica"]
    assert await serving.missing_tablets(cluster, vtgate) == ["ks.80-.replica"]


class Started(SupervisedProcesses):
    """Remembers what was started."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, Unconnected(), kernel_cleanup="", templates={})
        self.commands: list[Command] = []

    async def spawn(self, node: Node, command: Command) -> None:
        self.commands.append(command)


async def test_a_node_starts_again_with_the_release_that_was_chosen(recorder: Recorder) -> None:
    layout = plan(ClusterSpec(shards=1, vitess="23.0.5", upgrade_to="24.0.3"))
    made = programs("23.0.5", "24.0.3")
    own = {node.name: commands.command(layout, made, node) for node in layout.nodes}
    started = Started(layout)
    cluster = NodesCluster(layout, own, started, recorder, upgraded=commands.upgraded(layout, made))
    assert isinstance(cluster, OffersVersions)
    (vtgate,) = cluster.nodes(Role.VTGATE)
    for version in ("24.0.3", "23.0.5"):
        await cluster.set_version(vtgate, version)
        await cluster.launch(vtgate)
    assert [command.argv[0] for command in started.commands] == [
        "/opt/vitess-24.0.3/vtgate",
        "/opt/vitess-23.0.5/vtgate",
    ]
    with pytest.raises(ClusterError, match=r"vtgate-1 can be started with 23\.0\.5 and 24\.0\.3, not with 22\.0\.0"):
        await cluster.set_version(vtgate, "22.0.0")
    with pytest.raises(ClusterError, match=r"not with 24\.0\.3"):
        await cluster.set_version(cluster.nodes(Role.ETCD)[0], "24.0.3")


def test_without_a_second_release_there_is_nothing_to_change_to(cluster: NodesCluster) -> None:
    assert "--upgrade-to" in cluster.capabilities[Capability.VERSIONS]
    assert commands.upgraded(cluster.layout, programs()) == {}


def test_every_program_of_the_second_release_is_asked_for() -> None:
    spec = ClusterSpec(shards=1, vitess="23.0.5", upgrade_to="24.0.3")
    assert obtained._wanted(spec) == {key: {"vtctld", "vttablet", "vtgate"} for key in ("23.0.5", "24.0.3")}
    (reason,) = obtained.unknown_releases(replace(spec, upgrade_to="24.0.99"))
    assert "24.0.99" in reason


async def test_a_node_starts_again_at_another_ones_ports(recorder: Recorder) -> None:
    layout = plan(ClusterSpec(shards=1))
    one, other = layout.of(Role.VTTABLET)
    own = {node.name: commands.command(layout, programs(), node) for node in layout.nodes}
    started = Started(layout)
    cluster = NodesCluster(layout, own, started, recorder)
    assert isinstance(cluster, OffersPorts)
    for of in (other, one):
        await cluster.set_ports(one, of)
        await cluster.launch(one)
    moved, back = started.commands
    ports = [f"--{flag}={layout.port(other, port)}" for flag, port in (("port", "web"), ("grpc-port", "grpc"))]
    assert set(moved.argv) - set(own[one.name].argv) == set(ports)
    assert back == own[one.name]
    with pytest.raises(ClusterError, match=r"vttablet-100 cannot be started at the ports of etcd"):
        await cluster.set_ports(one, layout.node("etcd"))
