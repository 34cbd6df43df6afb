"""The processes of a Docker cluster, over an engine in memory."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from clusters.common import layout, links
from clusters.common.commands import Command
from clusters.common.images import DATA
from clusters.common.layout import Layout
from clusters.common.processes import Exit
from clusters.docker import following
from clusters.docker.boxes import Boxes, Ground, Making, name_of
from clusters.docker.engine import Engine
from clusters.docker.labels import Marks
from clusters.docker.network import Network
from clusters.docker.processes import DockerProcesses, as_signal
from clusters.docker.programs import Found
from harness.base import wait
from harness.base.errors import ClusterError
from harness.model import Capability, ClusterSpec, Event, LinkRule, Node, Placement
from tests.unit.docker_fakes import Container, FakeApi, refused

COMMAND = Command(argv=("/vt/bin/vtgate", "--cell=zone1"), cwd=DATA / "vtgate-1", env={"HOME": "/x"})
NET = Network(name="vtchaos-r1", subnet=ipaddress.IPv4Network("198.18.7.0/24"))
ANYWHERE = Placement()
MAKING = Making(argv=("/vt/mysql/mysqld", "--initialize"), env={"A": "b"}, files={"my.cnf": "x"})
GROUND = Ground(marks=Marks(run="r1"), network=NET, image="main:1", user=999, place=ANYWHERE, in_memory=True)


def plan(logs: Path) -> Layout:
    nodes = layout.nodes_of(ClusterSpec(shards=1), mysql="9.7.4", etcd="3.6.10")
    names = list(dict.fromkeys(name_of(node) for node in nodes))
    hosts = {node.name: NET.address(names.index(name_of(node))) for node in nodes}
    ports = layout.fixed_ports(nodes)
    return Layout(
        spec=ClusterSpec(shards=1), nodes=nodes, hosts=hosts, bind="0.0.0.0", ports=ports, data=DATA, logs=logs
    )


class Told:
    """An observer."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return


@dataclass
class Site:
    api: FakeApi
    layout: Layout
    processes: DockerProcesses
    exits: list[Exit]
    events: list[Event]  # of the observer

    async def spoiled(self) -> str:
        """The first reason."""

        async def found() -> str:
            return next((str(event.details["why"]) for event in self.events if event.kind == "spoiled"), "")

        return await wait.until("the run is spoiled", found, timeout_s=20)

    def node(self, name: str) -> Node:
        return self.layout.node(name)

    async def exit_of(self, name: str) -> Exit:
        async def found() -> Exit | None:
            return next((end for end in self.exits if end.name == name), None)

        end = await wait.until(f"exit of {name}", found, timeout_s=10)
        assert end is not None
        return end


@contextlib.asynccontextmanager
async def opened(
    logs: Path,
    *,
    ground: Ground = GROUND,
    no_links: str = "",
    api: FakeApi | None = None,
) -> AsyncIterator[Site]:
    api = api or FakeApi()
    engine = Engine(api)
    made, told = plan(logs), Told()
    images = {node.name: f"image-of-{node.role}" for node in made.nodes}
    processes = DockerProcesses(
        engine,
        made,
        Boxes(engine, made, ground, standing={}),
        images=images,
        templates={"ks": "/vt/template/ks", "other": ""},
        making=MAKING,
        outside={},
        no_links=no_links,
        observer=told,
    )
    exits: list[Exit] = []
    processes.on_exit(exits.append)
    processes.listen(since_s=1.0)
    await wait.until("somebody listens", _listened(api), timeout_s=10)
    try:
        yield Site(api, made, processes, exits, told.events)
    finally:
        await processes.close(kill=True)
        engine.close()


def _listened(api: FakeApi) -> Callable[[], Awaitable[bool]]:
    async def listened() -> bool:
        return bool(api.listeners)

    return listened


# ------------------------------------------------------------ containers


async def test_a_tablets_nodes_share_a_box(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        for name in ("mysqld-100", "vttablet-100", "vtgate-1"):
            await site.processes.spawn(site.node(name), COMMAND)
        box = site.api.node("tablet-100", "vtchaos.box")
        assert (
            box.asked["networking_config"]["EndpointsConfig"]["vtchaos-r1"]["IPAMConfig"]["IPv4Address"]
            == (site.layout.hosts["mysqld-100"])
        )
        for name in ("mysqld-100", "vttablet-100"):
            host = site.api.node(name).asked["host_config"]
            assert host["NetworkMode"] == f"container:{box.id}"
            assert host["Mounts"][0]["Target"] == "/vt/vtdataroot/vt_0000000100"
            assert host["Mounts"][0]["Source"] == box.asked["host_config"]["Mounts"][0]["Source"]
        assert site.api.node("vtgate-1").asked["host_config"]["NetworkMode"] != f"container:{box.id}"


async def test_everything_carries_the_labels_of_the_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        made = [each.labels for each in site.api.containers_by_id.values()]
        made += [row["Labels"] for row in site.api.volumes_by_name.values()]
        assert len(made) == 3
        assert all(labels["vtchaos.run"] == "r1" and labels["vtchaos.owner"] for labels in made)


async def test_a_container_runs_just_the_command_as_nobody_special(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        asked = site.api.node("vtgate-1").asked
        assert (asked["image"], asked["user"]) == ("image-of-vtgate", "999:999")
        assert asked["entrypoint"] == list(COMMAND.argv)
        assert (asked["working_dir"], asked["environment"]) == (str(COMMAND.cwd), {"HOME": "/x"})
        assert "Memory" not in asked["host_config"]
        assert "CapAdd" not in asked["host_config"]


async def test_limits(tmp_path: Path) -> None:
    async with opened(tmp_path, ground=replace(GROUND, place=Placement(memory_mb=256, cpus=0.5))) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        host = site.api.node("vtgate-1").asked["host_config"]
        assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (256 << 20, 256 << 20, 500_000_000)


async def test_a_second_start_is_refused_while_it_runs(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        await site.processes.spawn(node, COMMAND)
        with pytest.raises(ClusterError, match="already running"):
            await site.processes.spawn(node, COMMAND)


async def test_it_comes_back_with_another_command_and_the_same_box(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        await site.processes.spawn(node, COMMAND)
        box = site.api.node("vtgate-1", "vtchaos.box").id
        assert await site.processes.signal(node, signal.SIGKILL, ends=True)
        await site.exit_of("vtgate-1")
        await site.processes.spawn(node, replace(COMMAND, argv=("/vt/bin/vtgate", "--cell=zone2")))
        again = site.api.node("vtgate-1")
        assert again.asked["entrypoint"] == ["/vt/bin/vtgate", "--cell=zone2"]
        assert again.asked["host_config"]["NetworkMode"] == f"container:{box}"


async def test_a_start_that_fails_is_not_running(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        await site.processes.boxes.ready(node)
        site.api.fails["start"] = [refused(400, "no such program")]
        with pytest.raises(ClusterError, match=r"the Docker engine cannot start vtgate-1: no such program"):
            await site.processes.spawn(node, COMMAND)
        assert not await site.processes.signal(node, signal.SIGTERM)
        await site.processes.spawn(node, COMMAND)  # and nothing is in the way of the next one


# ------------------------------------------------------------ signals and ends


@pytest.mark.parametrize(
    "status, ours", [(0, 0), (1, 1), (128, 128), (137, -9), (143, -15), (134, -6), (192, -64), (193, 193), (255, 255)]
)
def test_exit_statuses(status: int, ours: int) -> None:
    assert as_signal(status) == ours


async def test_an_end_that_nobody_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        site.api.end(site.api.node("vtgate-1"), 2)
        end = await site.exit_of("vtgate-1")
        assert (end.status, end.asked) == (2, False)
        assert not await site.processes.signal(site.node("vtgate-1"), signal.SIGCONT)


async def test_an_end_that_was_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        await site.processes.spawn(node, COMMAND)
        await site.processes.signal(node, signal.SIGTERM, ends=True)
        site.api.end(site.api.node("vtgate-1"), 0)
        assert (await site.exit_of("vtgate-1")).asked


async def test_a_kill_that_only_pauses_was_not_asked_to_end_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        await site.processes.spawn(node, COMMAND)
        assert await site.processes.signal(node, signal.SIGSTOP)
        assert site.api.signals == [(site.api.node("vtgate-1").id, signal.SIGSTOP)]
        site.api.end(site.api.node("vtgate-1"), 137)
        assert not (await site.exit_of("vtgate-1")).asked


async def test_it_ended_while_the_signal_was_on_its_way(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        await site.processes.spawn(node, COMMAND)
        site.api.fails["kill"] = [refused(409, "is not running"), refused(404, "No such container")]
        assert not await site.processes.signal(node, signal.SIGTERM, ends=True)
        assert not await site.processes.signal(node, signal.SIGTERM, ends=True)


async def test_signal_0_only_asks(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        assert not await site.processes.signal(node, 0)
        await site.processes.spawn(node, COMMAND)
        assert await site.processes.signal(node, 0)
        assert "kill" not in site.api.calls  # it would refuse: "Invalid signal: 0"


async def test_other_refusals_of_a_signal_are_errors(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        site.api.fails["kill"] = [refused(500, "out of order")]
        with pytest.raises(ClusterError, match="out of order"):
            await site.processes.signal(site.node("vtgate-1"), signal.SIGTERM)


async def test_an_end_is_told_when_its_log_is_whole(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        container = site.api.node("vtgate-1")
        await wait.until("its output is followed", _followed(container), timeout_s=10)
        site.api.event(container, "die", exitCode="1")  # the event overtakes the output
        await wait.hold(0.05)
        assert site.exits == []
        site.api.say(container, b"the last words\n")
        container.state = "exited"
        for reader in container.readers:
            reader.close()
        await site.exit_of("vtgate-1")
        assert site.layout.log(site.node("vtgate-1")).read_bytes() == b"the last words\n"


@pytest.mark.parametrize("out_of_memory", [True, False])
async def test_a_kill_for_memory_is_told_in_the_log(tmp_path: Path, out_of_memory: bool) -> None:
    async with opened(tmp_path, ground=replace(GROUND, place=Placement(memory_mb=256))) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        container = site.api.node("vtgate-1")
        site.api.say(container, b"all is well\n")
        container.out_of_memory = out_of_memory
        site.api.end(container, 137)
        end = await site.exit_of("vtgate-1")
        why = "killed by the kernel: its container reached its limit of 256 MB of memory"
        assert end.cause == (why if out_of_memory else "")
        said = "vtchaos: the kernel killed it: its container reached its limit of 256 MB of memory\n"
        log = site.layout.log(site.node("vtgate-1")).read_text()
        assert log == "all is well\n" + (said if out_of_memory else "")


async def test_an_end_that_is_heard_before_the_answer_to_its_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        await site.processes.boxes.ready(node)
        gate = site.api.held["start"] = threading.Event()
        spawning = asyncio.create_task(site.processes.spawn(node, COMMAND))
        await wait.until("its start is under way", _asked(site.api, "start", 2), timeout_s=10)
        container = site.api.node("vtgate-1")
        container.output.append(b"bad flag\n")
        site.api.event(container, "die", exitCode="1")
        await wait.hold(0.05)
        assert site.exits == []
        container.state = "exited"
        gate.set()
        await spawning
        assert (await site.exit_of("vtgate-1")).status == 1
        assert site.layout.log(node).read_bytes() == b"bad flag\n"


def _asked(api: FakeApi, name: str, times: int) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return api.calls.count(name) >= times

    return asked


def _followed(container: Container) -> Callable[[], Awaitable[bool]]:
    async def followed() -> bool:
        return bool(container.readers)

    return followed


async def test_one_log_over_all_lives_of_a_node(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        for text in (b"first life\n", b"second life\n"):
            await site.processes.spawn(node, COMMAND)
            site.api.say(site.api.node("vtgate-1"), text)
            site.exits.clear()
            await site.processes.signal(node, signal.SIGKILL, ends=True)
            await site.exit_of("vtgate-1")
        assert site.layout.log(node).read_bytes() == b"first life\nsecond life\n"


async def test_what_happened_while_the_events_were_broken_is_heard(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        for name in ("vtgate-1", "vtctld"):
            await site.processes.spawn(site.node(name), COMMAND)
        site.api.listeners[0].put(RuntimeError("a library's own error"))
        await wait.until("the ear is gone", _asked(site.api, "events", 1), timeout_s=10)
        unheard = site.api.listeners.pop()
        site.api.end(site.api.node("vtgate-1"), 2)
        end = await site.exit_of("vtgate-1")
        assert unheard not in site.api.listeners
        assert (end.status, end.asked) == (2, False)
        assert [each.name for each in site.exits] == ["vtgate-1"]
        assert not site.events
        assert await site.processes.signal(site.node("vtctld"), signal.SIGCONT)


async def test_after_a_break_it_listens_from_the_last_event_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        other = {
            "Action": "die",
            "Actor": {"ID": "of somebody", "Attributes": {}},
            "timeNano": 1_763_000_000_000_000_007,
        }
        site.api.listeners[0].put(other)
        site.api.listeners[0].close()
        await wait.until("it listens again", _asked(site.api, "events", 2), timeout_s=10)
        assert site.api.asked_since == ["1.000000", "1763000000.000000007"]


async def test_an_engine_that_ends_its_events_is_not_trusted_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "AGAIN_AFTER_S", (0.01, 0.01))
    async with opened(tmp_path) as site:
        site.api.fails["events"] = [OSError("connection reset")] * 2
        site.api.listeners[0].put(OSError("connection reset"))
        assert "the ends of processes could not be heard any more" in await site.spoiled()

        async def refuses() -> bool:
            with contextlib.suppress(ClusterError):
                await site.processes.signal(site.node("vtgate-1"), signal.SIGCONT)
                return False
            return True

        await wait.until("calls are refused", refuses, timeout_s=10)
        with pytest.raises(ClusterError, match="connection reset"):
            await site.processes.spawn(site.node("vtgate-1"), COMMAND)


async def test_a_box_that_somebody_removes_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        site.api.end(site.api.node("vtgate-1", "vtchaos.box"), 137)
        with pytest.raises(ClusterError, match="holds the address of vtgate-1 was removed or killed"):
            await wait.until("it is noticed", _signalled(site), timeout_s=10)
        assert "by somebody else" in await site.spoiled()


def _signalled(site: Site) -> Callable[[], Awaitable[bool]]:
    async def signalled() -> bool:
        await site.processes.signal(site.node("vtgate-1"), signal.SIGCONT)
        return False

    return signalled


async def test_what_somebody_else_kills_is_no_crash(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vtgate-1"), COMMAND)
        site.api.remove_container(site.api.node("vtgate-1").id, force=True)
        end = await site.exit_of("vtgate-1")
        assert (end.asked, end.cause, end.how) == (
            False,
            "killed by somebody else",
            "signal 9, killed by somebody else",
        )
        assert await site.spoiled() == "somebody else has sent SIGKILL to vtgate-1"


async def test_who_freezes_a_container_or_a_box_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vttablet-100"), COMMAND)
        site.api.pause(site.api.node("tablet-100", "vtchaos.box").id)
        assert await site.spoiled() == "somebody else has paused the container of tablet-100"


async def test_a_box_that_loses_its_network_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.spawn(site.node("vttablet-100"), COMMAND)
        box = site.api.node("tablet-100", "vtchaos.box").id
        for container in ("of somebody", box):
            actor = {"ID": "the network", "Attributes": {"container": container}}
            site.api.listeners[0].put({"Action": "disconnect", "Actor": actor})
        assert await site.spoiled() == "somebody else has taken tablet-100 off its network"
        assert len(site.events) == 1


async def test_our_own_signals_spoil_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        await site.processes.spawn(node, COMMAND)
        await site.processes.freeze(node, frozen=True)
        for signum in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL):
            await site.processes.signal(node, signum, ends=signum is signal.SIGKILL)
        assert (await site.exit_of("vtgate-1")).cause == ""
        assert not site.events


async def test_a_signal_that_was_refused_is_not_expected_later(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        await site.processes.spawn(node, COMMAND)
        site.api.fails["kill"] = [refused(409, "is not running")]
        assert not await site.processes.signal(node, signal.SIGKILL)
        site.api.kill(site.api.node("vtgate-1").id, signal=9)
        assert (await site.exit_of("vtgate-1")).cause == "killed by somebody else"


# ------------------------------------------------------------ folders


async def test_a_mysqlds_folder_is_filled_from_the_image(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.prepare(site.node("mysqld-100"), keyspace="ks", files={"my.cnf": "[mysqld]\n"})
        ((container, argv, user),) = site.api.execs
        assert container == site.api.node("tablet-100", "vtchaos.box").id
        assert user == "999:999"
        assert argv[4:] == ["/vt/vtdataroot/vt_0000000100", "/vt/template/ks", "my.cnf", "[mysqld]\n"]


async def test_where_the_image_has_no_data_directory_one_is_made_for_all(tmp_path: Path) -> None:
    async with opened(tmp_path, ground=replace(GROUND, template=True)) as site:
        tablets = [site.node(name) for name in ("mysqld-100", "mysqld-101")]
        await asyncio.gather(*(site.processes.prepare(node, keyspace="other", files={}) for node in tablets))
        made, *filled = [argv[3:] for _, argv, _ in site.api.execs]
        template = "/vt/vtdataroot/template"
        assert made == ["make", template, "my.cnf", "x", "--", "/vt/mysql/mysqld", "--initialize"]
        assert [words[:3:2] for words in filled] == [["fill", f"{template}/data"]] * 2
        shared = {
            mount["Source"]
            for each in site.api.containers_by_id.values()
            for mount in each.asked["host_config"]["Mounts"]
            if mount["Target"] == template
        }
        assert shared == {"vtchaos-r1-template"}


async def test_nothing_to_fill_costs_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        await site.processes.prepare(site.node("vtctld"), keyspace="", files={})
        assert site.api.execs == []
        assert site.api.node("vtctld", "vtchaos.box").state == "running"


async def test_a_folder_on_disk_is_given_to_the_programs(tmp_path: Path) -> None:
    async with opened(tmp_path, ground=replace(GROUND, in_memory=False)) as site:
        await site.processes.prepare(site.node("vtctld"), keyspace="", files={})
        assert site.api.execs[0][1:] == (["/bin/chown", "999:999", "/vt/vtdataroot/vtctld"], "0:0")
        options = site.api.node("vtctld", "vtchaos.box").asked["host_config"]["Mounts"][0]["VolumeOptions"]
        assert "tmpfs" not in str(options)


async def test_what_a_program_in_a_box_complains_of_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        site.api.exec_answer = (1, b"cp: no space left\n")
        with pytest.raises(ClusterError, match=r"exit status 1: cp: no space left"):
            await site.processes.prepare(site.node("mysqld-100"), keyspace="ks", files={})


# ------------------------------------------------------------ links


def _scripts(site: Site) -> dict[str, str]:
    """Box → the last script that was fed there."""
    boxes = {each.id: each.labels.get("vtchaos.box", "") for each in site.api.containers_by_id.values()}
    return {boxes[container]: argv[-1] for container, argv, user in site.api.execs if user == "0:0"}


async def test_links_are_cut_at_the_target_and_healed(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        rule = LinkRule(source="vtgate-1", target="vttablet-100")
        await site.processes.set_links((rule,))
        (box, script) = next(iter(_scripts(site).items()))
        assert box == "tablet-100"
        assert f"ip saddr {site.layout.hosts['vtgate-1']} tcp dport {{ 17100, 22100 }} drop" in script
        await site.processes.set_links((rule,))
        assert len(site.api.execs) == 1  # nothing has changed
        other = LinkRule(source="vtgate-1", target="vttablet-101")
        await site.processes.set_links((other,))
        assert _scripts(site)["tablet-100"] == links.HEALED
        assert "drop" in _scripts(site)["tablet-101"]
        await site.processes.set_links(())
        assert set(_scripts(site).values()) == {links.HEALED}


async def test_what_could_not_be_cut_is_tried_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        site.api.exec_answer = (1, b"no rights")
        rules = (LinkRule(source="vtgate-1", target="vttablet-100"),)
        with pytest.raises(ClusterError, match="no rights"):
            await site.processes.set_links(rules)
        site.api.exec_answer = (0, b"")
        await site.processes.set_links(rules)
        assert "drop" in _scripts(site)["tablet-100"]


async def test_links_that_cannot_be_cut_are_refused_and_healing_is_not(tmp_path: Path) -> None:
    async with opened(tmp_path, no_links="no nft here") as site:
        assert site.processes.capabilities[Capability.LINKS] == "no nft here"
        await site.processes.set_links(())
        with pytest.raises(ClusterError, match="no nft here"):
            await site.processes.set_links((LinkRule(source="vtgate-1", target="vttablet-100"),))


async def test_who_attaches_does_not_know_which_links_are_cut(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        for name in site.processes.boxes.planned:
            await site.processes.boxes.container(name)
        await site.processes.adopt({})
        await site.processes.set_links(())
        assert _scripts(site) == dict.fromkeys(site.processes.boxes.planned, links.HEALED)


# ------------------------------------------------------------ containers that are there already


async def test_adopted_containers_can_be_signalled_and_heard(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        running = site.api.create_container(image="x", name="a", labels={}, host_config={})["Id"]
        site.api.start(running)
        stopped = site.api.create_container(image="x", name="b", labels={}, host_config={})["Id"]
        found = {"vtgate-1": Found(key=running, runs=True), "vtctld": Found(key=stopped, runs=False)}
        assert await site.processes.adopt(found) == ("vtgate-1",)
        assert await site.processes.signal(site.node("vtgate-1"), signal.SIGTERM, ends=True)
        assert not await site.processes.signal(site.node("vtctld"), signal.SIGTERM)
        site.api.end(site.api.containers_by_id[running], 0)
        assert (await site.exit_of("vtgate-1")).asked
        await site.processes.spawn(site.node("vtctld"), COMMAND)
        assert stopped not in site.api.containers_by_id


# ------------------------------------------------------------ its end


async def test_nothing_is_made_after_the_end(tmp_path: Path) -> None:
    """A start that is cancelled in the middle of a call: what the engine makes of it is there when it has settled."""
    api = FakeApi()
    engine = Engine(api)
    made = plan(tmp_path)
    boxes = Boxes(engine, made, GROUND, standing={})
    gate = api.held["create_container"] = threading.Event()
    boxes.warm()
    await wait.until("boxes are under way", _asked(api, "create_container", 4), timeout_s=10)
    await boxes.close()
    gate.set()
    await engine.settled()
    assert len(api.containers_by_id) == 4
    assert "start" not in api.calls
    engine.close()


async def test_faults_to_come_may_run_programs_and_freeze(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        node = site.node("vtgate-1")
        with pytest.raises(ClusterError, match="vtgate-1 is not running"):
            await site.processes.exec(node, ("/bin/true",))
        await site.processes.spawn(node, COMMAND)
        site.api.exec_answer = (0, b"hello")
        site.api.exec_complaint = b"# Warning: mind the gap"
        assert await site.processes.exec(node, ("/bin/echo", "hello")) == "hello"
        site.api.exec_answer = (1, b"hel")
        with pytest.raises(ClusterError, match="exit status 1: hel# Warning: mind the gap"):
            await site.processes.exec(node, ("/bin/echo", "hello"))
        await site.processes.freeze(node, frozen=True)
        assert site.api.node("vtgate-1").frozen
        for _ in range(2):
            await site.processes.freeze(node, frozen=False)
        assert not site.api.node("vtgate-1").frozen
