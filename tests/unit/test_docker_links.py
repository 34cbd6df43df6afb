"""Cut links as nftables rules: what stands where, and what is no link."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusters.common import links
from clusters.common.layout import Layout
from harness.base.errors import ClusterError
from harness.model import LinkEffect, LinkRule
from tests.unit.test_docker_processes import plan

PLAN = plan(Path("/logs"))


TALK = LinkRule(source="vtgate-1", target="vttablet-100")
EFFECTS = (
    replace(TALK, share=0.3),
    replace(TALK, effect=LinkEffect.RESET),
    replace(TALK, effect=LinkEffect.RATE, kbytes_per_s=100),
)


def scripts(*rules: tuple[str, str], layout: Layout = PLAN) -> dict[str, str]:
    wanted = [LinkRule(source=source, target=target) for source, target in rules]
    return dict(links.scripts(layout, wanted, address_of=lambda node: layout.hosts[node.name]))


def drops(script: str) -> list[str]:
    """Without their comments."""
    rules = (line.partition(" comment")[0].strip() for line in script.splitlines())
    return [rule for rule in rules if rule.endswith("drop")]


def test_no_rules_concern_nobody() -> None:
    assert scripts() == {}


def test_requests_and_answers_are_dropped_where_they_arrive() -> None:
    ((address, script),) = scripts(("vtgate-1", "vttablet-100")).items()
    assert address == PLAN.hosts["vttablet-100"]
    source = PLAN.hosts["vtgate-1"]
    assert drops(script) == [
        f"ip saddr {source} tcp dport {{ 17100, 22100 }} drop",
        f"ip saddr {source} tcp sport {{ 15001, 15151, 15306 }} drop",
    ]


def test_the_other_node_at_the_same_address_is_spared() -> None:
    script = scripts(("vttablet-101", "mysqld-100"))[PLAN.hosts["mysqld-100"]]
    assert "27100" in script
    assert "dport { 17100" not in script


def test_all_rules_of_an_address_are_one_state() -> None:
    both = scripts(("vtgate-1", "vttablet-100"), ("mysqld-101", "mysqld-100"), ("vtgate-1", "vttablet-100"))
    ((_, script),) = both.items()
    assert len(drops(script)) == 4
    assert script.startswith(links.HEALED)


def test_what_is_in_force_is_read_off_a_listing() -> None:
    (script,) = links.scripts(PLAN, EFFECTS, address_of=lambda node: PLAN.hosts[node.name]).values()
    stem = "vtgate-1 > vttablet-100"
    assert links.seen(script) == (f"{stem} drops 30%", f"{stem} resets", f"{stem} drops above 100 kB/s")
    assert links.seen("") == ()


def test_containers_delay_nothing() -> None:
    with pytest.raises(ClusterError, match="on the local backend only"):
        links.scripts(PLAN, [replace(TALK, effect=LinkEffect.DELAY, delay_ms=1)], address_of=lambda _: "198.18.7.6")


def test_a_link_has_one_direction() -> None:
    assert set(scripts(("vtgate-1", "vttablet-100"))) == {PLAN.hosts["vttablet-100"]}
    assert set(scripts(("vttablet-100", "vtgate-1"))) == {PLAN.hosts["vtgate-1"]}


@pytest.mark.parametrize(
    "source, target, said",
    [
        ("vtgate-9", "etcd", "there is no node 'vtgate-9'"),
        ("etcd", "etcd", "a link has two ends, etcd is one"),
        ("mysqld-100", "vttablet-100", "mysqld-100 and vttablet-100 talk over a unix socket"),
        ("vttablet-100", "mysqld-100", "vttablet-100 and mysqld-100 talk over a unix socket"),
    ],
)
def test_what_is_no_link(source: str, target: str, said: str) -> None:
    with pytest.raises(ClusterError, match=said):
        scripts((source, target))
