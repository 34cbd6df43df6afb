"""Cut links of a local cluster: the rules as text, and the rules in a real network with small programs."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from clusters import software
from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.local import host, links, network, supervision
from clusters.local.links import Means
from clusters.local.processes import SupervisedProcesses
from harness.base import wait
from harness.base.errors import ClusterError, SoftwareError
from harness.model import Capability, ClusterSpec, LinkRule, VtgateSpec
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


def test_a_rule_drops_questions_and_answers_of_its_source_only() -> None:
    layout = plan(SPEC)
    names = [node.name for node in layout.nodes]
    gate, tablet = names.index("vtgate-1") + 1, names.index("vttablet-100") + 1
    cut = links.script(layout, [LinkRule(source="vtgate-1", target="vttablet-100")])
    assert cut.splitlines() == [
        "flush chain inet vtchaos_links cuts",
        f"add rule inet vtchaos_links cuts ct mark {gate} tcp dport {{ 17100, 22100 }} drop",
        f"add rule inet vtchaos_links cuts ct mark {tablet} tcp sport {{ 15001, 15151, 15306 }} drop",
    ]


def test_healing_leaves_no_rule_and_a_rule_twice_is_one() -> None:
    layout = plan(SPEC)
    rule = LinkRule(source="vtgate-1", target="vttablet-100")
    assert links.script(layout, ()) == "flush chain inet vtchaos_links cuts\n"
    assert links.script(layout, [rule, rule]) == links.script(layout, [rule])


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
        links.script(plan(SPEC), [LinkRule(source=source, target=target)])


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
# FILE=PORT=KIND on the command line makes it such a client, which writes into FILE how many words have come.
_NODE = """
import itertools, pathlib, socket, sys, threading, time
address, port = sys.argv[1], int(sys.argv[2])
def serve(peer):
    with peer:
        if peer.recv(1) == b"p":
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
