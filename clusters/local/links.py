"""Faulty links of a local cluster, whose nodes share one network and one address.

What tells the nodes apart is their group: every program runs as the same user (a tablet's mysqld and vttablet share
files) but in a group of its own. The kernel knows the group of a packet's sender, and remembers it with the
connection: each connection carries the mark of the node that opened it. Ports tell the other end. Packets are
dropped where they arrive, as on a real network: the sender, which may be paused, is not told. New connections of
delayed links are led to a proxy by their sender's group (`proxies.py`); those that exist are reset, and made anew.

Only what goes from node to node is looked at. The harness and its clients come from outside, over another interface.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clusters import software
from clusters.common.layout import Layout
from clusters.common.links import TABLE, Match, ends, ports_of, table
from clusters.local import host
from clusters.local.proxies import Detour
from clusters.software import Sources
from harness.base.errors import SoftwareError
from harness.contracts import Observer
from harness.model import LinkEffect, LinkRule

NO_LINKS = "this cluster cannot cut single links: it was stood up without the means"
NO_NETWORK = "single links can be cut only in a network of the cluster's own, which needs root on this host"
NO_GROUPS = "single links cannot be cut here: this user namespace has no group ids for the nodes"

CUTS = "vtchaos_cuts"  # the table of what is in force; the other one stays
LISTING = f"list table inet {CUTS}\n"
FIRST_GROUP = 2_000_000_000  # beyond what systems, users and containers are given
FIRST_MARK = 1  # 0 = a connection that nobody was seen to open
SERVERS_BELOW = 32768  # every port of a node is; the kernel takes those of outgoing connections above
_GROUP_MAP = Path("/proc/self/gid_map")


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """With what a cluster cuts links: the program, and the rules that stay; and the program that delays them. `why_not`
    and `no_proxy` are "" or why it cannot."""

    nft: str = ""
    rules: str = ""
    why_not: str = NO_LINKS
    proxy: str = ""
    no_proxy: str = NO_LINKS


async def means(layout: Layout, isolation: host.Isolation, observer: Observer) -> Means:
    """What this host offers; nft and toxiproxy are installed if need be. What is missing takes links away, or their
    delays, and nothing else."""
    if not isolation.own_network:
        return Means(why_not=NO_NETWORK, no_proxy=NO_NETWORK)
    if not has_groups(_GROUP_MAP.read_text(), len(layout.nodes) + 1):
        return Means(why_not=NO_GROUPS, no_proxy=NO_GROUPS)
    try:
        found = await software.nft(sources=Sources.of_environment(), progress=_Shown(observer))
    except SoftwareError as error:
        return Means(why_not=f"single links cannot be cut: {str(error).splitlines()[0]}")
    proxy, no_proxy = await _proxy(observer)
    return Means(nft=str(found.nft), rules=lasting(layout), why_not="", proxy=proxy, no_proxy=no_proxy)


async def _proxy(observer: Observer) -> tuple[str, str]:
    """The program that delays, or why there is none."""
    try:
        found = await software.toxiproxy(sources=Sources.of_environment(), progress=_Shown(observer))
    except SoftwareError as error:
        return "", f"links cannot be delayed: {str(error).splitlines()[0]}"
    return str(found.server), ""


def has_groups(group_map: str, count: int) -> bool:
    """Whether our user namespace knows the groups of so many nodes."""
    rows = (line.split() for line in group_map.splitlines())
    return any(int(first) <= FIRST_GROUP and FIRST_GROUP + count <= int(first) + int(size) for first, _, size in rows)


def groups(layout: Layout) -> Mapping[str, int]:
    """Node name → the group that its program runs in."""
    return {node.name: FIRST_GROUP + index for index, node in enumerate(layout.nodes)}


def proxy_group(layout: Layout) -> int:
    """Of the program that delays: what it opens is led nowhere else."""
    return FIRST_GROUP + len(layout.nodes)


def lasting(layout: Layout) -> str:
    """The rules that stay as long as the cluster: they mark connections, and drop nothing."""
    marks = ", ".join(f"{group} : {mark}" for group, mark in zip(groups(layout).values(), _marks(layout), strict=True))
    return f"""\
table inet {TABLE} {{
  chain arrivals_from_outside {{
    type filter hook prerouting priority -300; policy accept;
    iifname != "lo" notrack
  }}
  chain answers_to_outside {{
    type filter hook output priority -300; policy accept;
    oifname != "lo" notrack
  }}
  chain openers {{
    type filter hook output priority 0; policy accept;
    tcp dport < {SERVERS_BELOW} ct mark 0 ct mark set meta skgid map {{ {marks} }}
  }}
}}
table inet {CUTS} {{
}}
"""


def script(layout: Layout, rules: Sequence[LinkRule], detours: Mapping[Detour, int]) -> str:
    """What to feed to nft so that exactly these links are faulty; it happens at once, or not at all. `detours`: where
    those begin that delay.

    Raises ClusterError for an unknown node, and for a link that is not over the network.
    """
    matches = dict.fromkeys(match for rule in rules for match in _matches(layout, rule))
    fresh = f"table inet {CUTS}\ndelete table inet {CUTS}\n"
    return fresh + table(CUTS, matches, priority="0", more=_detours(layout, detours) if detours else "")


def _matches(layout: Layout, rule: LinkRule) -> Iterator[Match]:
    source, target = ends(layout, rule)
    mark = dict(zip((node.name for node in layout.nodes), _marks(layout), strict=True))
    if rule.effect is LinkEffect.DELAY:
        yield from _past_the_proxy(layout, rule, mark)
        return
    yield Match(rule=rule, words=f"ct mark {mark[source.name]} tcp dport {{ {ports_of(layout, target)} }}")
    yield Match(rule=rule, words=f"ct mark {mark[target.name]} tcp sport {{ {ports_of(layout, source)} }}")


def _past_the_proxy(layout: Layout, rule: LinkRule, mark: Mapping[str, int]) -> Iterator[Match]:
    """Connections that were there before. A proxy's answers, too, have the server's port by the time they arrive: the
    kernel's record of the connection tells them apart."""
    for client, server in ((rule.source, rule.target), (rule.target, rule.source)):
        ports = f"{{ {ports_of(layout, layout.node(server))} }}"
        yield Match(rule=rule, words=f"ct mark {mark[client]} tcp dport {ports}")
        yield Match(rule=rule, words=f"ct mark {mark[client]} tcp sport {ports} ct reply proto-src {ports}")


def _detours(layout: Layout, detours: Mapping[Detour, int]) -> str:
    group = groups(layout)
    rows = "".join(
        f"    meta skgid {group[detour.client]} tcp dport {detour.port} "
        f"dnat ip to {layout.hosts[detour.server]}:{begins}\n"
        for detour, begins in detours.items()
    )
    return f"  chain detours {{\n    type nat hook output priority -100; policy accept;\n{rows}  }}\n"


def _marks(layout: Layout) -> range:
    return range(FIRST_MARK, FIRST_MARK + len(layout.nodes))


class _Shown:
    """An installer's steps as progress of the start."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        self._observer.on_progress(what, done, total)
