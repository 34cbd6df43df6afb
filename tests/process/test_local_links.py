"""The rules of cut links in a real network, with small programs."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.local import host, links, network, supervision
from clusters.local.links import Means
from clusters.local.processes import SupervisedProcesses
from clusters.local.proxies import Proxies
from harness.base import wait
from harness.base.errors import ClusterError
from harness.model import Capability, Knock, LinkEffect, LinkRule
from tests.unit.local_fakes import Recorder, plan
from tests.unit.test_local_links import SPEC

ENV = {"PATH": "/usr/bin:/bin"}


ECHO_WITHIN_S = 5.0


SILENT_FOR_S = 0.4


# Each program listens on its node's first port, for connections of three kinds:
#   echo   the client sends a word and waits for it to come back, again and again
#   fresh  the same, with a connection for each word
#   push   the server sends a word now and then, and nobody answers
# Who POSTs to it is answered when all has come, as by a component.
# FILE=PORT=KIND on the command line makes it such a client, which writes into FILE how many words have come.
_NODE = """
import itertools, pathlib, socket, sys, threading, time
address, port = sys.argv[1], int(sys.argv[2])
def serve(peer):
    with peer:
        first = peer.recv(1)
        if first == b"P":
            page = peer.makefile("rb")
            words = [line for line in iter(page.readline, b"\\r\\n")]
            page.read(int(words[-1].split()[-1]))
            peer.sendall(b"w")
        if first == b"p":
            while True:
                peer.sendall(b"w")
                time.sleep(0.02)
        while word := peer.recv(1):
            peer.sendall(word)
def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
def connect(to, kind):
    while True:
        try:
            peer = socket.create_connection((address, to), timeout=None)
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(kind[:1].encode())
            return peer
def ask(path, to, kind):
    peer = connect(to, kind)
    for count in itertools.count(1):
        if kind != "push":
            peer.sendall(b"w")
        peer.recv(1)
        path.with_suffix(".new").write_text(str(count))
        path.with_suffix(".new").rename(path)
        if kind != "push":
            time.sleep(0.02)
        if kind == "fresh":
            peer.close()
            peer = connect(to, kind)
listener = socket.create_server((address, port))
threading.Thread(target=accept, daemon=True).start()
for word in sys.argv[3:]:
    path, to, kind = word.rsplit("=", 2)
    threading.Thread(target=ask, args=(pathlib.Path(path), int(to), kind), daemon=True).start()
threading.Event().wait()
"""


def _needed() -> str:
    """Why the real rules cannot be tried on this host; "" = they can."""
    if os.geteuid() != 0:
        return "only root may connect a network namespace to the host"
    return "" if sys.platform == "linux" else "namespaces are a feature of Linux"


@asynccontextmanager
async def a_network(tmp_path: Path, means: Means | None = None) -> AsyncIterator[tuple[Layout, SupervisedProcesses]]:
    """A supervisor with a network and the rules that stay, and nobody in it yet."""
    if _needed() or (await host.isolation()).kind != host.NAMESPACES:
        pytest.skip(_needed() or "this host permits no network namespaces")
    link = network.free_network()
    made = plan(SPEC, tmp_path)
    layout = replace(made, hosts=dict.fromkeys(made.hosts, link.cluster))
    found = means or await links.means(layout, host.Isolation(kind=host.NAMESPACES), Recorder())
    config = supervision.config(
        isolation=host.NAMESPACES,
        uid=host.owner(),
        link=link.link,
        host_address=link.host,
        cluster_address=link.cluster,
        links=found,
    )
    async with supervision.owned(config, log=tmp_path / "supervisor.log") as supervisor:
        await supervisor.running()
        yield layout, SupervisedProcesses(layout, supervisor, kernel_cleanup="", templates={})


class Talk:
    """What one node gets to hear from another, over connections that it opens."""

    def __init__(self, folder: Path, source: str, target: str, kind: str = "echo") -> None:
        self.source, self.target, self.kind = source, target, kind
        self.path = folder / f"{kind}-{source}-{target}"

    def count(self) -> int:
        return int(self.path.read_text()) if self.path.exists() else 0

    async def goes_on(self) -> None:
        before = self.count()

        async def more() -> bool:
            return self.count() > before

        await wait.until(f"{self.source} hears from {self.target} ({self.kind})", more, timeout_s=ECHO_WITHIN_S)

    async def is_silent(self) -> None:
        before = self.count()
        await wait.hold(SILENT_FOR_S)
        assert self.count() == before, f"{self.source} still hears from {self.target} ({self.kind})"


async def launch(processes: SupervisedProcesses, layout: Layout, talks: Sequence[Talk], folder: Path) -> None:
    """All nodes that talk, each as `spawn` starts it."""
    ports = {node.name: min(layout.ports[node.name].values()) for node in layout.nodes}
    for name in dict.fromkeys(name for talk in talks for name in (talk.source, talk.target)):
        words = [f"{talk.path}={ports[talk.target]}={talk.kind}" for talk in talks if talk.source == name]
        argv = (sys.executable, "-S", "-E", "-c", _NODE, layout.hosts[name], str(ports[name]), *words)
        await processes.spawn(layout.node(name), Command(argv=argv, cwd=Path("/tmp"), env=ENV))
    for talk in talks:
        await talk.goes_on()


def echoes_to_us(address: tuple[str, int]) -> bool:
    """From outside, where the harness is."""
    try:
        with socket.create_connection(address, timeout=1) as peer:
            peer.sendall(b"ew")
            return peer.recv(1) == b"w"
    except OSError:
        return False


@pytest.mark.parametrize(("source", "target"), [("vtgate-1", "vttablet-100"), ("vttablet-100", "vtgate-1")])
async def test_a_link_is_cut_one_way_for_connections_old_and_new(tmp_path: Path, source: str, target: str) -> None:
    (tmp_path / "logs").mkdir()
    folder = tmp_path / "said"
    folder.mkdir()
    folder.chmod(0o777)
    stopped = [Talk(folder, source, target), Talk(folder, target, source), Talk(folder, source, target, "fresh")]
    answers = Talk(folder, target, source, "push")  # of the source, to what the target opened
    other_way = Talk(folder, source, target, "push")  # what the target answers; as far as a window goes
    bystanders = [Talk(folder, "vtgate-2", each) for each in (source, target)]
    bystanders += [Talk(folder, each, "vttablet-101") for each in (source, target)]
    async with a_network(tmp_path) as (layout, processes):
        assert processes.capabilities[Capability.LINKS] == ""
        await launch(processes, layout, [*stopped, answers, other_way, *bystanders], folder)
        cut = [LinkRule(source=source, target=target)]
        await processes.set_links(cut)
        await other_way.goes_on()
        await processes.set_links(cut)  # the same state again: nothing
        await asyncio.gather(*(talk.is_silent() for talk in (*stopped, answers)))
        for talk in bystanders:
            await talk.goes_on()
        assert echoes_to_us((layout.hosts[target], min(layout.ports[target].values())))
        await processes.set_links(())
        await processes.set_links(())
        for talk in (*stopped, answers, other_way):
            await talk.goes_on()


async def test_nft_that_refuses_takes_the_links_away_and_nothing_else(tmp_path: Path) -> None:
    good = await links.means(plan(SPEC), host.Isolation(kind=host.NAMESPACES), Recorder())
    async with a_network(tmp_path, replace(good, rules="table inet nonsense { chain x { hook } }")) as (_, processes):
        assert "nft refuses the rules: " in processes.capabilities[Capability.LINKS]
        await processes.set_links(())
        with pytest.raises(ClusterError, match="nft refuses the rules"):
            await processes.set_links((LinkRule(source="vtgate-1", target="vttablet-100"),))


async def test_a_script_that_nft_refuses_is_an_error_and_the_next_one_works(tmp_path: Path) -> None:
    async with a_network(tmp_path) as (_, processes):
        with pytest.raises(ClusterError, match=r"nft refuses the rules: .*Error"):
            await processes.supervisor.links("add rule inet no_such_table x drop\n")
        await processes.set_links([LinkRule(source="vtgate-1", target="vttablet-100")])
        with pytest.raises(ClusterError, match="unix socket"):
            await processes.set_links([LinkRule(source="mysqld-100", target="vttablet-100")])


async def knocked(layout: Layout, processes: SupervisedProcesses, source: str, target: str, **how: Any) -> list[Knock]:
    """Of the echoing programs, which answer the first byte."""
    asked = {"times": 20, "kbytes": 0, "within_s": 2.0, **how}
    return list(await processes.knock(layout.node(source), layout.node(target), **asked))


@asynccontextmanager
async def a_pair(tmp_path: Path) -> AsyncIterator[tuple[Layout, SupervisedProcesses, list[Talk]]]:
    """vtgate-1 and vttablet-100 talk to each other, and vtgate-2 to both."""
    (tmp_path / "logs").mkdir()
    folder = tmp_path / "said"
    folder.mkdir()
    folder.chmod(0o777)
    talks = [Talk(folder, *pair) for pair in itertools.permutations(("vtgate-1", "vttablet-100"))]
    talks += [Talk(folder, "vtgate-2", each) for each in ("vtgate-1", "vttablet-100")]
    async with a_network(tmp_path) as (layout, processes):
        await launch(processes, layout, talks, folder)
        yield layout, processes, talks


def one(effect: LinkEffect, **more: Any) -> list[LinkRule]:
    return [LinkRule(source="vtgate-1", target="vttablet-100", effect=effect, **more)]


async def test_a_whole_link_is_seen_as_whole(tmp_path: Path) -> None:
    async with a_pair(tmp_path) as (layout, processes, _):
        knocks = await knocked(layout, processes, "vtgate-1", "vttablet-100")
        assert {(knock.outcome, knock.retransmits) for knock in knocks} == {("answered", 0)}
        assert await processes.traces() == ()


async def test_a_lossy_link_sends_again(tmp_path: Path) -> None:
    async with a_pair(tmp_path) as (layout, processes, talks):
        await processes.set_links(one(LinkEffect.DROP, share=0.5))
        knocks = await knocked(layout, processes, "vtgate-1", "vttablet-100")
        assert sum(knock.retransmits for knock in knocks) > 0
        assert any(knock.outcome == "answered" for knock in knocks)
        assert "link vtgate-1 > vttablet-100 drops 50%" in await processes.traces()
        others = await knocked(layout, processes, "vtgate-2", "vttablet-100")
        assert {(knock.outcome, knock.retransmits) for knock in others} == {("answered", 0)}
        await talks[2].goes_on()


async def test_a_dropped_link_is_silent(tmp_path: Path) -> None:
    async with a_pair(tmp_path) as (layout, processes, _):
        await processes.set_links(one(LinkEffect.DROP))
        knocks = await knocked(layout, processes, "vtgate-1", "vttablet-100", within_s=1.0)
        assert {knock.outcome for knock in knocks} == {"silent"}


async def test_a_reset_link_refuses_and_breaks_what_exists(tmp_path: Path) -> None:
    async with a_pair(tmp_path) as (layout, processes, talks):
        await processes.set_links(one(LinkEffect.RESET))
        assert {knock.outcome for knock in await knocked(layout, processes, "vtgate-1", "vttablet-100")} == {"refused"}
        await talks[0].is_silent()
        await talks[2].goes_on()
        back = replace(one(LinkEffect.RESET)[0], source="vttablet-100", target="vtgate-1")
        await processes.set_links([*one(LinkEffect.RESET), back])
        for pair in (("vtgate-1", "vttablet-100"), ("vttablet-100", "vtgate-1")):
            assert {knock.outcome for knock in await knocked(layout, processes, *pair)} == {"refused"}


async def test_a_narrow_link_lets_less_through(tmp_path: Path) -> None:
    async with a_pair(tmp_path) as (layout, processes, _):
        free = await knocked(layout, processes, "vtgate-1", "vttablet-100", kbytes=200, times=8)
        await processes.set_links(one(LinkEffect.RATE, kbytes_per_s=100))
        narrow = await knocked(layout, processes, "vtgate-1", "vttablet-100", kbytes=200, times=8)
        assert [knock.outcome for knock in free] == ["answered"] * 8
        assert [knock.outcome for knock in narrow].count("answered") <= 2, "128 kB and 100 kB/s for 3 s"
        assert sum(knock.retransmits for knock in narrow) > 0


async def test_a_delayed_link_is_late_one_way_and_whole_again_afterwards(tmp_path: Path) -> None:
    async with a_pair(tmp_path) as (layout, processes, talks):
        assert processes.capabilities[Capability.DELAY] == ""
        await processes.set_links(one(LinkEffect.DELAY, delay_ms=150, jitter_ms=10))
        for _ in range(2):  # the same state again: nothing
            (fastest, *_) = sorted(k.took_ms for k in await knocked(layout, processes, "vtgate-1", "vttablet-100"))
            assert 140 <= fastest < 300
            await processes.set_links(one(LinkEffect.DELAY, delay_ms=150, jitter_ms=10))
        both = [
            *one(LinkEffect.DELAY, delay_ms=150),
            replace(one(LinkEffect.DELAY)[0], source="vttablet-100", target="vtgate-1", delay_ms=100),
        ]
        await processes.set_links(both)
        (fastest, *_) = sorted(k.took_ms for k in await knocked(layout, processes, "vtgate-1", "vttablet-100"))
        assert 250 <= fastest < 400
        assert max(k.took_ms for k in await knocked(layout, processes, "vtgate-2", "vttablet-100")) < 140
        await talks[2].goes_on()
        assert {"a proxy for delayed links runs", "link vtgate-1 > vttablet-100 delays by 150 ms"} <= set(
            await processes.traces()
        )
        await processes.set_links(())
        assert await processes.traces() == ()
        assert max(k.took_ms for k in await knocked(layout, processes, "vtgate-1", "vttablet-100")) < 140


@pytest.mark.parametrize("moment", ["answers", "_call"])
async def test_a_delay_that_is_cut_short_at_its_beginning_can_be_changed_and_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The proxy runs and does not answer yet, or has been told half of what it is to do."""
    reached = asyncio.Event()

    async def for_ever(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with a_pair(tmp_path) as (layout, processes, _):
        with monkeypatch.context() as patched:
            patched.setattr(Proxies, moment, for_ever)
            beginning = asyncio.create_task(processes.set_links(one(LinkEffect.DELAY, delay_ms=150)))
            await reached.wait()
            beginning.cancel()
            await asyncio.wait((beginning,))
        await processes.set_links(one(LinkEffect.DELAY, delay_ms=100))
        (fastest, *_) = sorted(k.took_ms for k in await knocked(layout, processes, "vtgate-1", "vttablet-100"))
        assert 90 <= fastest < 300
        await processes.set_links(())
        assert await processes.traces() == ()
