"""Faults in the charts: shaded where they lay on a shard's way, whatever they were aimed at, and the legend says so."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from harness.history import History
from harness.model import FaultSpan, Scalar
from harness.reports.fault_stretches import all_stretches, merged, stretches_by_shard
from tests.unit.storm_history import ns, storm_history
from tests.unit.test_reports_html import page, parsed, payload


def fault(target: str, from_s: float, to_s: float, **details: Scalar) -> FaultSpan:
    return FaultSpan(
        number=1, fault="Paused", targets=(target,), details=details, intent_ns=ns(from_s), begin_ns=ns(from_s),
        active_ns=ns(from_s), recover_ns=ns(to_s), healed_ns=ns(to_s), observed=True,
    )  # fmt: skip


def run(*faults: FaultSpan) -> History:
    return dataclasses.replace(storm_history(shards=2, rate=2), faults=faults)


def hit(*faults: FaultSpan, vtgate: str = "") -> dict[str, list[tuple[int, int]]]:
    return stretches_by_shard(run(*faults), vtgate)


AT = (ns(42), ns(44))


@pytest.mark.parametrize(
    "target, shards",
    [
        ("vttablet-100", {"-80"}),
        ("mysqld-110", {"80-"}),
        ("-80", {"-80"}),
        ("vtgate-1", {"-80", "80-"}),
        ("a workflow", {"-80", "80-"}),
        ("etcd", set()),
    ],
)
def test_a_fault_is_on_the_way_of_whom_it_hits(target: str, shards: set[str]) -> None:
    found = hit(fault(target, 42, 44))
    assert {shard for shard, stretches in found.items() if stretches == [AT]} == shards
    assert all_stretches(run(fault(target, 42, 44))) == [AT], "all shards together show every fault"


def test_a_broken_link_is_on_the_way_of_the_tablet_at_its_end() -> None:
    link = fault("vtgate-2", 42, 44, links="vtgate-2 > vttablet-110")
    assert hit(link) == {"-80": [], "80-": [AT]}
    assert hit(link, vtgate="vtgate-1") == {"-80": [], "80-": []}
    assert hit(link, vtgate="vtgate-2")["80-"] == [AT]


def test_faults_that_overlap_are_one_stretch() -> None:
    found = hit(fault("vttablet-100", 42, 44), fault("mysqld-100", 43, 45), fault("vttablet-100", 46, 47))
    assert found["-80"] == [(ns(42), ns(45)), (ns(46), ns(47))]
    assert merged([(5, 6), (1, 9)]) == [(1, 9)]


def shown(tmp_path: Path, *faults: FaultSpan) -> tuple[Any, str]:
    text = page(run(*faults), tmp_path)
    return payload(text), parsed(text).text


def test_the_page_shades_a_paused_tablet_and_names_it(tmp_path: Path) -> None:
    data, text = shown(tmp_path, fault("vttablet-100", 42, 44))
    assert data["detail"]["faults"] == [[0.0, 2.0]]
    assert data["detail"]["faults_of"] == {"-80": [[0.0, 2.0]], "80-": []}
    lines = data["figures"]["heat-0"]["data"][1]
    assert (lines["x"], lines["y"]) == ([0.0, 2.0, None], [0, 0, None])
    assert "a fault on the shard's way" in text
    assert "shaded: a fault in force; of one shard, on its way" in text
    assert "the shard's own reparent" not in text


def test_the_legend_of_reparents_alone_says_reparent(tmp_path: Path) -> None:
    text = parsed(page(storm_history(shards=2, rate=2), tmp_path)).text
    assert "the shard's own reparent" in text
    assert "on the shard's way" not in text
