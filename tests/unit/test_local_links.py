"""Cut links of a local cluster: the rules as text, and the rules in a real network with small programs."""

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

from clusters import software
from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.local import host, links, network, proxies, supervision
from clusters.local.links import Means
from clusters.local.processes import SupervisedProcesses
from clusters.local.proxies import Lag, Proxies
from harness.base import wait
from harness.base.errors import ClusterError, SoftwareError
from harness.model import Capability, ClusterSpec, Knock, LinkEffect, LinkRule, VtgateSpec
from tests.unit.local_fakes import Recorder, plan

SPEC = ClusterSpec(shards=1, tablets_per_shard=2, vtgates=(VtgateSpec(), VtgateSpec()))
ENV = {"PATH": "/usr/bin:/bin"}
ECHO_WITHIN_S = 5.0
SILENT_FOR_S = 0.4


# ---------------------------------------------------------------- the rules as text


def test_every_node_has_a_mark_of_its_own() -> None:
    layout = plan(SPEC)
    rules = links.lasting(layout)
    for number, group in enumerate(links.groups(layout).values(), start=1):
        assert f"{group} : {number}" in rules
    assert len(set(links.groups(layout).values())) == len(layout.nodes)


def rows(script: str, chain: str = "input") -> list[str]:
    """The rules of a chain, without their comments."""
    inside = script.partition(f"chain {chain} {{\n")[2].partition("  }\n")[0].splitlines()
    return [row.partition(" comment")[0].strip() for row in inside if "policy accept" not in row]


@pytest.mark.parametrize(
    ("effect", "does"),
    [
        ({}, "drop"),
        ({"share": 0.25}, "numgen random mod 10000 < 2500 drop"),
        ({"share": 0.000001}, "numgen random mod 10000 < 1 drop"),
        ({"effect": LinkEffect.RESET}, "tcp flags & rst == 0 reject with tcp reset"),
        ({"effect": LinkEffect.RATE, "kbytes_per_s": 50}, "jump rate_1"),
    ],
)
def test_a_rule_hits_questions_and_answers_of_its_source_only(effect: dict[str, Any], does: str) -> None:
    layout = plan(SPEC)
    names = [node.name for node in layout.nodes]
    gate, tablet = names.index("vtgate-1") + 1, names.index("vttablet-100") + 1
    script = links.script(layout, [LinkRule(source="vtgate-1", target="vttablet-100", **effect)], {})
    assert rows(script) == [
        f"ct mark {gate} tcp dport {{ 17100, 22100 }} {does}",
        f"ct mark {tablet} tcp sport {{ 15001, 15151, 15306 }} {does}",
    ]
    if does.startswith("jump"):
        assert rows(script, "rate_1") == ["limit rate over 50 kbytes/second burst 128 kbytes drop"]


def test_a_delayed_link_leads_new_connections_away_and_resets_those_that_exist() -> None:
    layout = plan(SPEC)
    rules = [LinkRule(source="vtgate-1", target="vttablet-100", effect=LinkEffect.DELAY, delay_ms=100)]
    ports = {detour: 30000 + n for n, detour in enumerate(proxies.detours(layout, rules))}
    script = links.script(layout, rules, ports)
    gate, host = links.groups(layout)["vtgate-1"], layout.hosts["vttablet-100"]
    assert f"meta skgid {gate} tcp dport 17100 dnat ip to {host}:30000" in rows(script, "detours")
    assert len(rows(script, "detours")) == len(ports) == 2 + 3
    assert all("reject with tcp reset" in row for row in rows(script))
    assert [row for row in rows(script) if "sport" in row and "ct reply proto-src" not in row] == []


def test_a_detour_delays_by_the_rules_of_both_directions() -> None:
    layout = plan(SPEC)
    there = LinkRule(source="vtgate-1", target="vttablet-100", effect=LinkEffect.DELAY, delay_ms=100, jitter_ms=20)
    back = LinkRule(source="vttablet-100", target="vtgate-1", effect=LinkEffect.DELAY, delay_ms=7)
    drop = LinkRule(source="vtgate-2", target="vttablet-100")
    asks = {
        detour.port: (detour.questions, detour.answers)
        for detour in proxies.detours(layout, [there, back, drop])
        if detour.client == "vtgate-1"
    }
    assert asks == dict.fromkeys((17100, 22100), (Lag(delay_ms=100, jitter_ms=20), Lag(delay_ms=7, jitter_ms=0)))
    (one_way, *_) = proxies.detours(layout, [back])
    assert (one_way.client, one_way.questions) == ("vttablet-100", Lag(delay_ms=7, jitter_ms=0))
    assert proxies.detours(layout, [drop]) == ()


def test_healing_leaves_no_rule_and_a_rule_twice_is_one() -> None:
    layout = plan(SPEC)
    rule = LinkRule(source="vtgate-1", target="vttablet-100")
    assert rows(links.script(layout, (), {})) == []
    assert links.script(layout, [rule, rule], {}) == links.script(layout, [rule], {})


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("mysqld-100", "vttablet-100", "talk over a unix socket"),
        ("vttablet-100", "mysqld-100", "talk over a unix socket"),
        ("vtgate-1", "vtgate-1", "a link has two ends"),
        ("vtgate-9", "vttablet-100", "no node 'vtgate-9'"),
    ],
)
def test_what_is_no_link_is_refused(source: str, target: str, said: str) -> None:
    with pytest.raises(ClusterError, match=said):
        links.script(plan(SPEC), [LinkRule(source=source, target=target)], {})


def test_a_mysqld_that_is_reached_over_tcp_can_be_cut_off() -> None:
    cut = [LinkRule(source="vttablet-100", target="mysqld-100")]
    script = links.script(plan(replace(SPEC, mysql_over_tcp=True)), cut, {})
    assert any("tcp dport { 27100 } drop" in row for row in rows(script))


# ---------------------------------------------------------------- the means


def test_the_groups_must_be_known_to_our_user_namespace() -> None:
    assert links.has_groups("         0          0 4294967295\n", 200)
    assert not links.has_groups("0 100000 65536\n", 1)
    assert not links.has_groups(f"0 0 {links.FIRST_GROUP + 5}\n", 6)
    assert links.has_groups(f"0 0 10\n{links.FIRST_GROUP} 7 6\n", 6)


@pytest.mark.parametrize("kind", [host.USER_NAMESPACE, host.PROCESS_GROUP])
async def test_without_a_network_of_its_own_there_are_no_links(kind: str) -> None:
    found = await links.means(plan(SPEC), host.Isolation(kind=kind), Recorder())
    assert found.why_not == links.NO_NETWORK


async def test_without_nft_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nft(**_: object) -> None:
        raise SoftwareError("there is no nft\nand much more")

    monkeypatch.setattr(software, "nft", nft)
    found = await links.means(plan(SPEC), host.Isolation(kind=host.NAMESPACES), Recorder())
    assert found.why_not in ("single links cannot be cut: there is no nft", links.NO_GROUPS)


# ---------------------------------------------------------------- in a real network

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


# ---------------------------------------------------------------- what a process finds behind a faulty link


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
