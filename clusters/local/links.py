"""Cut links of a local cluster, whose nodes share one network and one address.

What tells the nodes apart is their group: every program runs as the same user (a tablet's mysqld and vttablet share
files) but in a group of its own. The kernel knows the group of a packet's sender, and remembers it with the
connection: each connection carries the mark of the node that opened it. Ports tell the other end. Packets are
dropped where they arrive, as on a real network: the sender, which may be paused, is not told.

Only what goes from node to node is looked at. The harness and its clients come from outside, over another interface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clusters import software
from clusters.common.layout import Layout
from clusters.common.links import TABLE, ends
from clusters.local import host
from clusters.software import Sources
from harness.base.errors import SoftwareError
from harness.contracts import Observer
from harness.model import LinkRule, Node

NO_LINKS = "this cluster cannot cut single links: it was stood up without the means"
NO_NETWORK = "single links can be cut only in a network of the cluster's own, which needs root on this host"
NO_GROUPS = "single links cannot be cut here: this user namespace has no group ids for the nodes"

FIRST_GROUP = 2_000_000_000  # beyond what systems, users and containers are given
FIRST_MARK = 1  # 0 = a connection that nobody was seen to open
SERVERS_BELOW = 32768  # every port of a node is; the kernel takes those of outgoing connections above
_GROUP_MAP = Path("/proc/self/gid_map")


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """With what a cluster cuts links: the program, and the rules that stay. `why_not` is "" or why it cannot."""

    nft: str = ""
    rules: str = ""
    why_not: str = NO_LINKS


async def means(layout: Layout, isolation: host.Isolation, observer: Observer) -> Means:
    """What this host offers; nft is installed if need be. What is missing takes links away, and nothing else."""
    if not isolation.own_network:
        return Means(why_not=NO_NETWORK)
    if not has_groups(_GROUP_MAP.read_text(), len(layout.nodes)):
        return Means(why_not=NO_GROUPS)
    try:
        found = await software.nft(sources=Sources.of_environment(), progress=_Shown(observer))
    except SoftwareError as error:
        return Means(why_not=f"single links cannot be cut: {str(error).splitlines()[0]}")
    return Means(nft=str(found.nft), rules=lasting(layout), why_not="")


def has_groups(group_map: str, count: int) -> bool:
    """Whether our user namespace knows the groups of so many nodes."""
    rows = (line.split() for line in group_map.splitlines())
    return any(int(first) <= FIRST_GROUP and FIRST_GROUP + count <= int(first) + int(size) for first, _, size in rows)


def groups(layout: Layout) -> Mapping[str, int]:
    """Node name → the group that its program runs in."""
    return {node.name: FIRST_GROUP + index for index, node in enumerate(layout.nodes)}


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
  chain cuts {{
    type filter hook input priority 0; policy accept;
  }}
}}
"""


def script(layout: Layout, rules: Sequence[LinkRule]) -> str:
    """What to feed to nft so that exactly these links are cut; it happens at once, or not at all.

    Raises ClusterError for an unknown node, and for a link that is not over the network.
    """
    drops: dict[str, None] = {}
    for rule in rules:
        source, target = ends(layout, rule)
        drops |= dict.fromkeys(_drops(layout, source, target))
    return f"flush chain inet {TABLE} cuts\n" + "".join(f"add rule inet {TABLE} cuts {drop}\n" for drop in drops)


def _drops(layout: Layout, source: Node, target: Node) -> tuple[str, str]:
    """What `source` asks of `target`, and what it answers to it."""
    mark = dict(zip((node.name for node in layout.nodes), _marks(layout), strict=True))
    return (
        f"ct mark {mark[source.name]} tcp dport {{ {_ports(layout, target)} }} drop",
        f"ct mark {mark[target.name]} tcp sport {{ {_ports(layout, source)} }} drop",
    )


def _marks(layout: Layout) -> range:
    return range(FIRST_MARK, FIRST_MARK + len(layout.nodes))


def _ports(layout: Layout, node: Node) -> str:
    return ", ".join(str(port) for port in sorted(layout.ports[node.name].values()))


class _Shown:
    """An installer's steps as progress of the start."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        self._observer.on_progress(what, done, total)
