"""Cut links of a local cluster: the rules as text, and the rules in a real network with small programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clusters import software
from clusters.local import host, links, proxies
from clusters.local.proxies import Lag
from harness.base.errors import ClusterError, SoftwareError
from harness.model import ClusterSpec, LinkEffect, LinkRule, VtgateSpec
from tests.unit.local_fakes import Recorder, plan

SPEC = ClusterSpec(shards=1, tablets_per_shard=2, vtgates=(VtgateSpec(), VtgateSpec()))
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

# ---------------------------------------------------------------- what a process finds behind a faulty link
