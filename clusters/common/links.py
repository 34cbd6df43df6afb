"""Faulty links as nftables rules, and the rules for nodes that have network addresses of their own.

The rules stand where the packets arrive, so that connections that exist already are hit too, and nothing is asked of
the source, which may be paused. A node may share its address with another (a tablet's mysqld and vttablet): ports
tell targets apart. Sources cannot be told apart: what is dropped of one node is dropped of both, where it concerns the
same ports; of a tablet's two nodes only one asks another tablet's mysqld (replication) or vttablet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from clusters.common.layout import Layout
from harness.base.errors import ClusterError
from harness.model import LinkEffect, LinkRule, Node, Role

TABLE = "vtchaos_links"
HEALED = f"table inet {TABLE}\ndelete table inet {TABLE}\n"
LISTING = f"list table inet {TABLE}\n"
NO_DELAY = "links are delayed on the local backend only: containers and pods have no proxy in their network"
# A packet on the loopback interface, and what a network card is handed for cutting up, has up to 64 KB.
BURST_KBYTES = 128
_OF = 10_000  # shares are drawn as whole numbers below this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Packets of one rule: nftables' words for them. All matches of a rule share its rate."""

    rule: LinkRule
    words: str


def scripts(layout: Layout, rules: Sequence[LinkRule], *, address_of: Callable[[Node], str]) -> Mapping[str, str]:
    """For every address that a rule concerns: what to feed `nft -f -` there. It replaces what was there before.

    Raises ClusterError for an unknown node, and for a link that is not over the network.
    """
    by_address: dict[str, dict[Match, None]] = {}
    for rule in rules:
        source, target = ends(layout, rule)
        matches = by_address.setdefault(address_of(target), {})
        matches |= dict.fromkeys(_matches(layout, rule, source, target, address_of(source)))
    return {address: HEALED + table(TABLE, matches, priority="-300") for address, matches in by_address.items()}


def ends(layout: Layout, rule: LinkRule) -> tuple[Node, Node]:
    """Source and target. Raises ClusterError for an unknown node, and for a link that is not over the network."""
    source, target = _node(layout, rule.source), _node(layout, rule.target)
    _refuse(source, target, over_tcp=layout.spec.mysql_over_tcp)
    return source, target


def table(name: str, matches: Iterable[Match], *, priority: str, more: str = "") -> str:
    """A table that does to arriving packets what their rules say. `more`: further chains. Raises ClusterError."""
    matches = list(matches)
    rates = dict.fromkeys(each.rule for each in matches if each.rule.effect is LinkEffect.RATE)
    chains = {rule: f"rate_{number}" for number, rule in enumerate(rates, start=1)}
    rows = "".join(f"    {each.words} {_verdict(each.rule, chains)}\n" for each in matches)
    return (
        f"table inet {name} {{\n"
        + "".join(f"  chain {chain} {{\n    {_above(rule)}\n  }}\n" for rule, chain in chains.items())
        + f"  chain input {{\n    type filter hook input priority {priority}; policy accept;\n{rows}  }}\n{more}}}\n"
    )


def text(rule: LinkRule) -> str:
    """For people, and as the comment of the rules."""
    does = {
        LinkEffect.DROP: "drops" if rule.share == 1 else f"drops {rule.share:.0%}",
        LinkEffect.RESET: "resets",
        LinkEffect.RATE: f"drops above {rule.kbytes_per_s} kB/s",
        LinkEffect.DELAY: f"delays by {rule.delay_ms:g} ms",
    }
    return f"{rule.source} > {rule.target} {does[rule.effect]}"


def seen(listing: str) -> tuple[str, ...]:
    """The rules in what nft lists of such a table, without their counters."""
    comments = (
        line.rpartition('comment "')[2].strip().rstrip('"') for line in listing.splitlines() if "comment" in line
    )
    return tuple(dict.fromkeys(comments))


def _verdict(rule: LinkRule, chains: Mapping[LinkRule, str]) -> str:
    match rule.effect:
        case LinkEffect.DROP if rule.share < 1:
            does = f"numgen random mod {_OF} < {max(1, round(rule.share * _OF))} drop"
        case LinkEffect.DROP:
            does = "drop"
        case LinkEffect.RESET | LinkEffect.DELAY:  # a delayed link's connections go another way: this is an old one
            does = "tcp flags & rst == 0 reject with tcp reset"  # a reset must arrive, where both directions reset
        case LinkEffect.RATE:
            does = f"jump {chains[rule]}"
    return f'{does} comment "{text(rule)}"'


def _above(rule: LinkRule) -> str:
    return f"limit rate over {rule.kbytes_per_s} kbytes/second burst {BURST_KBYTES} kbytes drop"


def _matches(layout: Layout, rule: LinkRule, source: Node, target: Node, source_address: str) -> list[Match]:
    """What `source` asks of `target`, and what it answers to it."""
    if rule.effect is LinkEffect.DELAY:
        raise ClusterError(NO_DELAY)
    return [
        Match(rule=rule, words=f"ip saddr {source_address} tcp {port} {{ {ports_of(layout, node)} }}")
        for port, node in (("dport", target), ("sport", source))
        if layout.ports[node.name]
    ]


def ports_of(layout: Layout, node: Node) -> str:
    return ", ".join(str(port) for port in sorted(layout.ports[node.name].values()))


def _node(layout: Layout, name: str) -> Node:
    try:
        return layout.node(name)
    except StopIteration:
        raise ClusterError(f"there is no node {name!r} whose links could be cut") from None


def _refuse(source: Node, target: Node, *, over_tcp: bool) -> None:
    if source.name == target.name:
        raise ClusterError(f"a link has two ends, {source.name} is one")
    pair = {source.role, target.role}
    if (
        not over_tcp
        and source.tablet_uid
        and source.tablet_uid == target.tablet_uid
        and pair == {Role.MYSQLD, Role.VTTABLET}
    ):
        raise ClusterError(f"{source.name} and {target.name} talk over a unix socket: there is no link to cut")
