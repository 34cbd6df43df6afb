"""Cut links as nftables rules, for nodes that have network addresses of their own.

The rules stand where the packets arrive, so that connections that exist already are cut too, and nothing is asked of
the source, which may be paused. A node may share its address with another (a tablet's mysqld and vttablet): ports
tell targets apart. Sources cannot be told apart: what is dropped of one node is dropped of both, where it concerns the
same ports; of a tablet's two nodes only one asks another tablet's mysqld (replication) or vttablet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from clusters.common.layout import Layout
from harness.base.errors import ClusterError
from harness.model import LinkRule, Node, Role

TABLE = "vtchaos_links"
HEALED = f"table inet {TABLE}\ndelete table inet {TABLE}\n"


def scripts(layout: Layout, rules: Sequence[LinkRule], *, address_of: Callable[[Node], str]) -> Mapping[str, str]:
    """For every address that a rule concerns: what to feed `nft -f -` there. It replaces what was there before.

    Raises ClusterError for an unknown node, and for a link that is not over the network.
    """
    by_address: dict[str, dict[str, None]] = {}
    for rule in rules:
        source, target = ends(layout, rule)
        drops = by_address.setdefault(address_of(target), {})
        drops |= dict.fromkeys(_drops(layout, source, target, address_of(source)))
    return {address: _script(drops) for address, drops in by_address.items()}


def ends(layout: Layout, rule: LinkRule) -> tuple[Node, Node]:
    """Source and target. Raises ClusterError for an unknown node, and for a link that is not over the network."""
    source, target = _node(layout, rule.source), _node(layout, rule.target)
    _refuse(source, target)
    return source, target


def _drops(layout: Layout, source: Node, target: Node, source_address: str) -> list[str]:
    """What `source` asks of `target`, and what it answers to it."""
    return [
        f"ip saddr {source_address} tcp {port} {{ {_ports(layout, node)} }} drop"
        for port, node in (("dport", target), ("sport", source))
        if layout.ports[node.name]
    ]


def _ports(layout: Layout, node: Node) -> str:
    return ", ".join(str(port) for port in sorted(layout.ports[node.name].values()))


def _script(drops: Mapping[str, None]) -> str:
    rows = "".join(f"    {drop}\n" for drop in drops)
    return (
        f"{HEALED}table inet {TABLE} {{\n  chain input {{\n"
        f"    type filter hook input priority -300; policy accept;\n{rows}  }}\n}}\n"
    )


def _node(layout: Layout, name: str) -> Node:
    try:
        return layout.node(name)
    except StopIteration:
        raise ClusterError(f"there is no node {name!r} whose links could be cut") from None


def _refuse(source: Node, target: Node) -> None:
    if source.name == target.name:
        raise ClusterError(f"a link has two ends, {source.name} is one")
    pair = {source.role, target.role}
    if source.tablet_uid and source.tablet_uid == target.tablet_uid and pair == {Role.MYSQLD, Role.VTTABLET}:
        raise ClusterError(f"{source.name} and {target.name} talk over a unix socket: there is no link to cut")
