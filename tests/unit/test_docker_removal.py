"""Finding what a run left, removing it, and telling the living from the dead; images; the keeper's file."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusters.common import watchdog
from clusters.docker import backend, removal, store
from clusters.docker.engine import Engine
from clusters.docker.following import LogFollower, Mark
from clusters.docker.keeper import DockerKeeper, State
from clusters.docker.labels import FOLDER, KEPT, OWNER, Marks, abandoned
from clusters.docker.store import DockerImageStore, registry_of
from harness.base import jsonio, wait
from harness.base.errors import ClusterError, WaitTimeout
from harness.base.owner import Owner, this_process
from harness.model import ClusterSpec, Node, Placement, Role
from tests.unit.docker_fakes import FakeApi, refused
from tests.unit.local_fakes import Recorder

STATE = "state.json"
DEAD = replace(this_process(), started=1)
ELSEWHERE = Owner(host="another-host", pid=1, started=1)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def fake(api: FakeApi) -> Iterator[Engine]:
    made = Engine(api)
    yield made
    made.close()


def made(api: FakeApi, marks: Marks, *, owner: Owner | None = None) -> None:
    """A run's network, box and node."""
    more = {OWNER: owner.text} if owner else {}
    ipam = {"Config": [{"Subnet": f"net of {marks.run}"}]}
    api.create_network(f"vtchaos-{marks.run}", ipam=ipam, labels=marks.plain() | more)
    labels = marks.of_box("etcd") | more
    mount = {"Source": f"vtchaos-{marks.run}-etcd", "VolumeOptions": {"Labels": labels}}
    box = api.create_container(name=f"{marks.run}-box", labels=labels, host_config={"Mounts": [mount]})
    node = api.create_container(name=f"{marks.run}-etcd", labels=marks.of_node("etcd") | more, host_config={})
    api.start(box["Id"])
    api.start(node["Id"])


# ------------------------------------------------------------ removing


async def test_only_what_carries_the_label_is_removed(api: FakeApi, fake: Engine) -> None:
    for run in ("r1", "r2"):
        made(api, Marks(run=run))
    assert set(await removal.removed(fake, "vtchaos.run=r1")) == {
        "container r1-box",
        "container r1-etcd",
        "network vtchaos-r1",
        "volume vtchaos-r1-etcd",
    }
    assert [each.asked["name"] for each in api.containers_by_id.values()] == ["r2-box", "r2-etcd"]
    assert list(api.volumes_by_name) == ["vtchaos-r2-etcd"]
    assert await removal.removed(fake, "vtchaos.run=r1") == ()


async def test_programs_go_before_what_they_stand_on(api: FakeApi, fake: Engine) -> None:
    made(api, Marks(run="r1"))
    order: list[str] = []
    remove = api.remove_container

    def noted(container: str, force: bool = False) -> None:
        order.append(api.containers_by_id[container].asked["name"])
        remove(container, force=force)

    api.remove_container = noted  # type: ignore[method-assign]
    await removal.removed(fake, "vtchaos.run=r1")
    assert order == ["r1-etcd", "r1-box"]


async def test_what_is_still_in_use_is_removed_at_the_next_look(api: FakeApi, fake: Engine) -> None:
    made(api, Marks(run="r1"))
    api.fails["remove_network"] = [refused(403, "network has active endpoints")]
    api.fails["remove_volume"] = [refused(409, "volume is in use")]
    assert len(await removal.removed(fake, "vtchaos.run=r1")) == 4
    assert (api.networks_by_id, api.volumes_by_name) == ({}, {})


async def test_what_cannot_be_removed_is_told(api: FakeApi, fake: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made(api, Marks(run="r1"))
    monkeypatch.setattr(removal, "TIMEOUT_S", 0.3)
    api.fails["remove_volume"] = [refused(409, "volume is in use") for _ in range(1000)]
    with pytest.raises(WaitTimeout, match=r"nothing of vtchaos\.run=r1 is left on the Docker engine"):
        await removal.removed(fake, "vtchaos.run=r1")
    api.fails["remove_volume"] = [refused(500, "the disk is broken")]
    with pytest.raises(ClusterError, match="the disk is broken"):
        await removal.removed(fake, "vtchaos.run=r1")


async def test_what_a_dead_harness_has_still_asked_for_is_removed_too(api: FakeApi, fake: Engine) -> None:
    made(api, Marks(run="r1"))
    removing = asyncio.create_task(removal.removed(fake, "vtchaos.run=r1", quiet_s=0.5))

    async def gone() -> bool:
        return not api.containers_by_id

    await wait.until("the first ones are gone", gone, timeout_s=10)
    api.create_container(name="r1-late", labels=Marks(run="r1").of_node("late"), host_config={})
    assert "container r1-late" in await removing
    assert api.containers_by_id == {}


# ------------------------------------------------------------ the dead and the living


async def test_orphans_are_those_of_dead_processes_of_this_host(api: FakeApi, fake: Engine) -> None:
    made(api, Marks(run="alive"))
    made(api, Marks(run="dead"), owner=DEAD)
    made(api, Marks(run="elsewhere"), owner=ELSEWHERE)
    found = await removal.orphans(fake, state=STATE)
    assert list(found) == ["dead"]
    assert len(found["dead"]) == 4


def test_a_kept_cluster_outlives_its_maker_once_it_serves(tmp_path: Path) -> None:
    labels = {**Marks(run="r", kept="mine", folder=str(tmp_path)).plain(), OWNER: DEAD.text}
    assert labels[KEPT] == "mine"
    assert abandoned(labels, state=STATE)
    (tmp_path / STATE).touch()
    assert not abandoned(labels, state=STATE)


@pytest.mark.parametrize("text", ["", "nonsense", "a:b:c"])
def test_an_owner_that_cannot_be_read_is_not_called_dead(text: str) -> None:
    assert not abandoned({OWNER: text}, state=STATE)
    assert not abandoned({}, state=STATE)


# ------------------------------------------------------------ images


@pytest.fixture
def images(fake: Engine, monkeypatch: pytest.MonkeyPatch) -> DockerImageStore:
    monkeypatch.setattr(store, "_unreachable", {})
    return DockerImageStore(fake, Marks(run="r1"), Recorder())


async def test_an_image_is_there_or_not(api: FakeApi, images: DockerImageStore) -> None:
    assert not await images.has("vitess/lite:v24.0.3")
    assert await images.pull("vitess/lite:v24.0.3") == ""
    assert await images.has("vitess/lite:v24.0.3")
    api.fails["inspect_image"] = [refused(500, "out of order")]
    with pytest.raises(ClusterError, match="out of order"):
        await images.has("vitess/lite:v24.0.3")


async def test_a_registry_that_cannot_be_reached_is_asked_once(api: FakeApi, images: DockerImageStore) -> None:
    api.fails["pull"] = [refused(500, "Get https://registry.example/v2/: dial tcp: lookup: no such host")]
    assert "no such host" in await images.pull("vitess/lite:v24.0.3")
    assert "no such host" in await images.pull("vitess/lite:v23.0.5")
    assert api.calls.count("pull") == 1
    assert await images.pull("ghcr.io/x/y:1") == ""  # another registry


async def test_an_image_that_is_not_there_says_nothing_about_the_next(api: FakeApi, images: DockerImageStore) -> None:
    api.fails["pull"] = [refused(404, "manifest for vitess/lite:v99 not found")]
    assert "not found" in await images.pull("vitess/lite:v99")
    assert await images.pull("vitess/lite:v24.0.3") == ""


async def test_a_registry_that_says_nothing_is_given_up(
    api: FakeApi, images: DockerImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setattr(store, "FIRST_PROGRESS_TIMEOUT_S", 0.1)
    gate = api.held["pull"] = threading.Event()
    assert await images.pull("vitess/lite:v24.0.3") == "nothing of vitess/lite:v24.0.3 has come within 0.1 s"
    assert "has come" in await images.pull("vitess/lite:v23.0.5")
    assert api.calls.count("pull") == 1
    gate.set()


@pytest.mark.parametrize(
    "reference, registry",
    [
        ("vitess/lite:v24.0.3", ""),
        ("busybox", ""),
        ("quay.io/coreos/etcd:v3.6.10", "quay.io"),
        ("localhost/x", "localhost"),
        ("registry:5000/x:1", "registry:5000"),
    ],
)
def test_registries(reference: str, registry: str) -> None:
    assert registry_of(reference) == registry


async def test_loading_an_archive(images: DockerImageStore, tmp_path: Path) -> None:
    archive = tmp_path / "images.tar"
    archive.write_bytes(b"x" * 3_000_000)
    await images.load(archive)
    archive.write_bytes(b"broken")
    with pytest.raises(ClusterError, match=r"cannot load images\.tar: no such thing"):
        await images.load(archive)


async def test_running_a_program_of_an_image(api: FakeApi, images: DockerImageStore) -> None:
    removed: list[str] = []
    remove: Callable[..., None] = api.remove_container

    def noted(container: str, force: bool = False) -> None:
        removed.append(container)
        remove(container, force=force)

    api.remove_container = noted  # type: ignore[method-assign]
    answer = await images.run("x:1", ("/vt/bin/vtgate", "--version"), timeout_s=10)
    assert answer == ""
    api.exec_answer = (3, b"")
    with pytest.raises(ClusterError, match="/vt/bin/vtgate --help in x:1 ended with exit status 3"):
        await images.run("x:1", ("/vt/bin/vtgate", "--help"), timeout_s=10)
    assert len(removed) == 2
    assert api.containers_by_id == {}


# ------------------------------------------------------------ logs that go on


async def _ended(follower: LogFollower) -> bytes:
    await wait.finish("the log ends", follower.ended.wait(), timeout_s=10)
    return follower._path.read_bytes()


async def test_who_uses_what_cannot_be_removed_is_told(
    fake: Engine, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "TIMEOUT_S", 0.3)
    api.volumes_by_name["v1"] = {"Name": "v1", "Labels": Marks(run="r1").plain()}
    api.fails["remove_volume"] = [refused(409, "volume is in use") for _ in range(1000)]
    with pytest.raises(WaitTimeout, match="volume is in use"):
        await removal.removed(fake, "vtchaos.run=r1")
    api.users = ["theirs"]
    with pytest.raises(WaitTimeout, match="the volume v1 is used by the container theirs"):
        await removal.removed(fake, "vtchaos.run=r1")


def test_a_folder_that_may_not_be_read_is_not_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    dead = replace(this_process(), started=1)
    labels = {OWNER: dead.text, KEPT: "mine", FOLDER: "/home/somebody/kept"}
    assert abandoned(labels, state=STATE)
    monkeypatch.setattr(Path, "is_file", forbidden)
    assert not abandoned(labels, state=STATE)


async def test_what_a_cancelled_call_makes_is_left_to_the_watchdog(api: FakeApi, tmp_path: Path) -> None:
    engine, gate, words = Engine(api), threading.Event(), list[bool]()
    api.held["create_container"] = gate

    @contextlib.asynccontextmanager
    async def guarding(_: str, __: str, *, log: Path) -> AsyncIterator[watchdog.Guard]:
        guard = watchdog.Guard()
        try:
            yield guard
        finally:
            words.append(guard.released)

    async def asks() -> None:
        async with backend.guarded(engine, Marks(run="r1"), log=tmp_path / "log"):
            make = api.create_container
            await engine.call("make", make, name="a", labels=Marks(run="r1").plain(), host_config={})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watchdog, "guarding", guarding)
        asking = asyncio.create_task(asks())
        await wait.until("it is asked", asked_to_make(api), timeout_s=10)
        asking.cancel()
        asyncio.get_running_loop().call_later(0.1, gate.set)
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert words == [False]
    engine.close()


def asked_to_make(api: FakeApi) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return "create_container" in api.calls

    return asked


async def test_a_log_goes_on_exactly_where_it_stopped(api: FakeApi, tmp_path: Path) -> None:
    key = api.create_container(name="a", labels={}, host_config={})["Id"]
    container = api.containers_by_id[key]
    container.output = [b"one\n", b"two\n"]
    path = tmp_path / "a.log"
    first = LogFollower(api, path, Mark(container=key))
    assert await _ended(first) == b"one\ntwo\n"
    container.output += [b"three\n", b"four\n"]
    path.write_bytes(b"one\ntwo\nthr")  # a follower that was killed wrote more than anybody knows of
    second = LogFollower(api, path, first.mark, catch_up=True)
    assert await _ended(second) == b"one\ntwo\nthree\nfour\n"
    assert second.mark.size == len(b"one\ntwo\nthree\nfour\n")
    saved = {"container": key, "stamp": second.mark.stamp, "size": 18, "seen": second.mark.seen}
    assert jsonio.structure(saved, Mark) == replace(second.mark, size=18)


async def test_a_stream_that_breaks_is_told_in_the_log(api: FakeApi, tmp_path: Path) -> None:
    api.fails["logs"] = [refused(500, "configured logging driver does not support reading")]
    follower = LogFollower(api, tmp_path / "a.log", Mark(container="c1"))
    assert b"could not be followed any further: 500" in await _ended(follower)


# ------------------------------------------------------------ the keeper


def state() -> State:
    node = Node(name="etcd", role=Role.ETCD, version="3.6.10")
    return State(
        engine="unix:///fake.sock",
        name="mine",
        run="kept-mine-1",
        spec=ClusterSpec(shards=1),
        place=Placement(memory_mb=512),
        nodes=(node,),
        hosts={"etcd": "198.18.1.2"},
        ports={"etcd": {"client": 2379, "peer": 2380}},
        network="vtchaos-kept-mine-1",
        subnet="198.18.1.0/24",
        image="main:1",
        images={"etcd": "main:1"},
        user=999,
        in_memory=True,
        publish_on="127.0.0.1",
        outside={"etcd": {2379: ("127.0.0.1", 12379), 2380: ("127.0.0.1", 12380)}},
        no_links="",
        commands={},
    )


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    jsonio.save(tmp_path / STATE, state())
    assert jsonio.load(tmp_path / STATE, State) == state()


async def test_a_folder_without_a_state_is_not_alive(tmp_path: Path) -> None:
    kept = await DockerKeeper().look(tmp_path)
    assert (kept.alive, kept.spec) == (False, None)
    (tmp_path / STATE).write_text("{")
    assert not (await DockerKeeper().look(tmp_path)).alive


async def test_a_cluster_of_another_engine_is_not_looked_for_here(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jsonio.save(tmp_path / STATE, state())
    _use(monkeypatch, api, where="tcp://192.0.2.1:2375")
    with pytest.raises(ClusterError, match=r"stands on the Docker engine at unix:///fake.sock, and tcp://192\.0\.2\.1"):
        await DockerKeeper().look(tmp_path)


async def test_a_cluster_is_gone_when_one_of_its_boxes_is(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jsonio.save(tmp_path / STATE, state())
    _use(monkeypatch, api, where="unix:///fake.sock")
    assert not (await DockerKeeper().look(tmp_path)).alive
    marks = Marks(run="kept-mine-1", kept="mine", folder=str(tmp_path))
    made(api, marks)
    look = await DockerKeeper().look(tmp_path)
    assert (look.alive, look.stopped, look.place) == (True, (), Placement(memory_mb=512))
    api.end(api.node("etcd"), 1)
    assert (await DockerKeeper().look(tmp_path)).stopped == ("etcd",)
    await DockerKeeper().stop(tmp_path)
    assert (api.containers_by_id, api.networks_by_id, api.volumes_by_name) == ({}, {}, {})


def _use(monkeypatch: pytest.MonkeyPatch, api: FakeApi, *, where: str) -> None:
    from clusters.docker import engine

    monkeypatch.setattr(engine, "address", lambda: where)
    answers: Any = lambda _: (api, api)  # noqa: E731
    monkeypatch.setattr(engine, "_connect", answers)
