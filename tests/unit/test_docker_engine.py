"""Finding an engine, telling its errors, and what is asked of it before anything runs."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker.errors
import pytest
import requests.exceptions

from clusters.docker import capacity, engine, network
from clusters.docker.engine import Engine, Facts, Refused
from clusters.docker.labels import Marks
from clusters.local import capacity as local
from harness.base import wait
from harness.base.errors import ClusterError
from harness.model import ClusterSpec, Placement
from tests.unit.docker_fakes import FakeApi, refused

MARKS = Marks(run="r1")
FACTS = Facts(version="20.10", memory_bytes=8 << 30, now_s=1.0, here=False)


@pytest.fixture(autouse=True)
def _no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own docker configuration."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def fake(api: FakeApi) -> Iterator[Engine]:
    made = Engine(api, where="unix:///fake.sock")
    yield made
    made.close()


# ------------------------------------------------------------ which engine


def test_the_environment_names_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    assert engine.address() == "tcp://192.0.2.1:2375"


def test_otherwise_the_socket_of_this_machine() -> None:
    assert engine.address() == "unix:///var/run/docker.sock"


def test_a_context_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "far-away")
    with pytest.raises(ClusterError, match="there is no docker context far-away; `docker context ls` lists them"):
        engine.address()


async def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "foo:bar")
    assert "no Docker engine answers at foo:bar" in await engine.refusal()


# ------------------------------------------------------------ calls


async def test_a_refusal_says_what_could_not_be_done(api: FakeApi, fake: Engine) -> None:
    api.fails["info"] = [refused(500, "out of order")]
    with pytest.raises(Refused, match="the Docker engine cannot describe itself: out of order") as caught:
        await fake.facts()
    assert (caught.value.gone, caught.value.unfitting) == (False, False)


@pytest.mark.parametrize(
    "error", [requests.exceptions.ReadTimeout("read timed out"), docker.errors.DockerException("broken pipe")]
)
async def test_an_engine_that_does_not_answer(api: FakeApi, fake: Engine, error: Exception) -> None:
    api.fails["info"] = [error]
    with pytest.raises(ClusterError, match=r"at unix:///fake.sock does not answer \(describe itself\)"):
        await fake.facts()


async def test_facts(fake: Engine) -> None:
    facts = await fake.facts()
    assert (facts.version, facts.memory_bytes, facts.here) == ("20.10", 16 << 30, False)
    assert facts.now_s == pytest.approx(1795249617.529, abs=0.01)


async def test_a_call_outlives_its_cancelled_caller_and_is_waited_for(api: FakeApi, fake: Engine) -> None:
    gate = api.held["create_container"] = threading.Event()
    more = {"name": "late", "host_config": {}}
    calling = asyncio.create_task(fake.call("make it", api.create_container, **more))

    async def under_way() -> bool:
        return "create_container" in api.calls

    await wait.until("the call is under way", under_way, timeout_s=10)
    calling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await calling
    settling = asyncio.create_task(fake.settled())
    await wait.hold(0.05)
    assert not settling.done()
    gate.set()
    await settling
    assert [each.asked["name"] for each in api.containers_by_id.values()] == ["late"]


async def test_removing_what_is_gone_is_nothing(api: FakeApi, fake: Engine) -> None:
    assert not await fake.remove_container("c99")
    api.fails["remove_container"] = [refused(409, "removal of container c99 is already in progress")]
    assert not await fake.remove_container("c99")
    api.fails["remove_container"] = [refused(500, "device is busy")]
    with pytest.raises(ClusterError, match="device is busy"):
        await fake.remove_container("c99")


# ------------------------------------------------------------ networks


def test_subnets_keep_off_what_is_routed() -> None:
    taken = [ipaddress.IPv4Network("198.18.0.0/17"), ipaddress.IPv4Network("0.0.0.0/0")]
    found = network.candidates(9, taken, random.Random(1))
    assert len(found) == network.TRIES
    assert all(subnet[0] >= ipaddress.IPv4Address("198.18.128.0") for subnet in found)
    assert {subnet.prefixlen for subnet in found} == {24}
    assert {subnet.prefixlen for subnet in network.candidates(251, [], random.Random(1))} == {22}
    assert network.candidates(9, [ipaddress.IPv4Network("198.16.0.0/12")], random.Random(1)) == []


def test_routes_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "br0\t000112C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    assert network.routed(table) == [ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv4Network("198.18.1.0/24")]
    assert network.routed(tmp_path / "none") == []


async def test_a_subnet_that_another_network_has_is_passed_over(
    api: FakeApi, fake: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = ipaddress.IPv4Network("198.18.5.0/24"), ipaddress.IPv4Network("198.18.6.0/24")
    monkeypatch.setattr(network, "candidates", lambda *_: [one, other])
    first = await network.made(fake, MARKS, boxes=9)
    second = await network.made(fake, Marks(run="r2"), boxes=9)
    assert (first.subnet, second.subnet) == (one, other)
    assert (second.gateway, second.address(0), second.address(8)) == ("198.18.6.1", "198.18.6.2", "198.18.6.10")
    with pytest.raises(ClusterError, match=r"no free subnet in 198\.18\.0\.0/16.*overlaps"):
        await network.made(fake, Marks(run="r3"), boxes=9)


async def test_other_refusals_of_a_network_end_the_search(api: FakeApi, fake: Engine) -> None:
    api.fails["create_network"] = [refused(500, "no more interfaces")]
    with pytest.raises(ClusterError, match="cannot make a network: no more interfaces"):
        await network.made(fake, MARKS, boxes=9)
    with pytest.raises(ClusterError, match="holds 1000 addresses, this cluster would need 1001"):
        await network.made(fake, MARKS, boxes=1001)


def test_a_network_of_another_machine_is_not_ours() -> None:
    loopback = network.Network(name="x", subnet=ipaddress.IPv4Network("127.0.0.0/24"))
    assert network.on_this_machine(loopback)
    assert not network.on_this_machine(replace(loopback, subnet=ipaddress.IPv4Network("203.0.113.0/24")))


# ------------------------------------------------------------ size


def test_a_cluster_that_is_too_large_for_the_engines_machine() -> None:
    assert capacity.refusals(ClusterSpec(shards=4), Placement(), FACTS) == ()
    (said,) = capacity.refusals(ClusterSpec(shards=32), Placement(), FACTS)
    assert said.startswith("32 shards x 2 tablets in containers need about ")
    assert "8.6 GB are available to the Docker engine" in said


def test_containers_cost_more_than_processes() -> None:
    spec = ClusterSpec(shards=4)
    assert capacity.needed_bytes(spec) > local.needed_bytes(spec) + 8 * 3 * local.MIB


def test_data_goes_to_disk_when_memory_is_short() -> None:
    spec = ClusterSpec(shards=4)
    need = capacity.needed_bytes(spec) / 0.9
    tight, wide = (replace(FACTS, memory_bytes=int(need) + extra * local.MIB) for extra in (100, 500))
    assert not capacity.data_fits_in_memory(spec, Placement(), tight)
    assert capacity.data_fits_in_memory(spec, Placement(), wide)
    assert not capacity.data_fits_in_memory(spec, Placement(memory_mb=512), wide)


def test_a_limit_that_no_mysqld_survives() -> None:
    (said,) = capacity.refusals(ClusterSpec(shards=1), Placement(memory_mb=128), FACTS)
    assert said == "a mysqld does not start with 128 MB of memory; 160 MB would do"
    assert capacity.refusals(ClusterSpec(shards=1), Placement(memory_mb=160), FACTS) == ()
