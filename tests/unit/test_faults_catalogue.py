"""Goal: every fault can be found, read and made from text, and what makes no sense is refused with what would."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pytest

import harness.faults
from harness.base.errors import PlanError
from harness.faults import catalogue
from harness.faults.mysql import StatementTimeLimit
from harness.faults.network import Partition
from harness.faults.process import Killed
from harness.faults.reparent import PlannedReparent
from harness.faults.targets import Targets
from harness.model import Role


def test_every_fault_is_in_the_catalogue() -> None:
    found = {
        name
        for module in pkgutil.iter_modules(harness.faults.__path__, "harness.faults.")
        for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        if kind.__module__ == module.name and hasattr(kind, "inject") and not name.startswith("_")
    }
    assert found == set(catalogue.FAULTS)


@pytest.mark.parametrize("name", catalogue.FAULTS)
def test_it_says_what_it_does_what_shows_it_and_what_it_needs(name: str) -> None:
    fault = catalogue.sample(catalogue.FAULTS[name])
    assert fault.name == name
    assert catalogue.says(type(fault)).endswith((".", ")"))
    assert catalogue.evidence(fault), "what is its evidence?"
    assert isinstance(fault.needs, frozenset)


@pytest.mark.parametrize("name", catalogue.FAULTS)
def test_every_field_can_be_read_and_its_default_is_shown_as_it_is_given(name: str) -> None:
    kind = catalogue.FAULTS[name]
    for field in catalogue.fields(kind):
        if field.kind is Targets and field.default is not None:
            text = field.text.partition("=")[2]
            assert catalogue.targets_of(text) == Targets(**_given(field.default))


def _given(targets: Targets) -> dict[str, Any]:
    names = ("role", "names", "shards", "tablet_type", "number", "count", "share")
    return {name: getattr(targets, name) for name in names}


@pytest.mark.parametrize(
    ("settings", "targets", "fault"),
    [
        ({}, {"shards": ("-80",)}, PlannedReparent(shard="-80")),
        ({"shard": "80-", "timeout_s": "3.5"}, {}, PlannedReparent(shard="80-", timeout_s=3.5)),
        ({"limit_ms": "50"}, {"shards": ("0",)}, StatementTimeLimit(shard="0", limit_ms=50)),
        ({}, {}, Killed()),
        ({}, {"shards": ("0",)}, Killed(targets=Targets(role=Role.VTTABLET, tablet_type="primary", shards=("0",)))),
        ({}, {"role": Role.VTGATE, "count": 1, "tablet_type": ""}, Killed(targets=Targets(role=Role.VTGATE, count=1))),
        ({}, {"names": ("vtgate-1",)}, Killed(targets=Targets(names=("vtgate-1",)))),
        ({"targets": "etcd"}, {}, Killed(targets=Targets(role=Role.ETCD))),
        (
            {"sources": "vtgate-1,vtgate-2", "targets": "replica,mysqld,shard=-80,number=2", "direction": "back"},
            {},
            Partition(
                sources=Targets(names=("vtgate-1", "vtgate-2")),
                targets=Targets(role=Role.MYSQLD, tablet_type="replica", shards=("-80",), number=2),
                direction="back",
            ),
        ),
    ],
)
def test_made_from_text(settings: dict[str, str], targets: dict[str, Any], fault: Any) -> None:
    made = catalogue.made(type(fault), settings, targets)
    assert made == fault


@pytest.mark.parametrize(
    ("name", "settings", "targets", "says"),
    [
        ("PlannedReparent", {}, {}, "must be told its shard: --shard -80"),
        ("StatementTimeLimit", {}, {"shards": ("0",)}, r"must be told its limit_ms: --set limit_ms=…"),
        ("PlannedReparent", {"timeout": "3"}, {"shards": ("0",)}, r"has no timeout; did you mean timeout_s"),
        ("PlannedReparent", {"gate": "3"}, {"shards": ("0",)}, "has no gate"),
        ("PlannedReparent", {"timeout_s": "soon"}, {"shards": ("0",)}, "timeout_s=soon: it takes a number"),
        ("Restarted", {"abrupt": "maybe"}, {}, "abrupt=maybe: it takes true or false"),
        ("PlannedReparent", {}, {"shards": ("0", "1")}, "has no use for --shard"),
        ("PlannedReparent", {}, {"shards": ("0",), "tablet_type": "primary"}, "has no use for --tablet-type"),
        ("PlannedReparent", {}, {"names": ("vtgate-1",)}, "has no use for --node"),
        ("Killed", {"targets": "vtgate,colour=red"}, {}, "it takes vtgate, primary"),
        ("Killed", {"targets": "vtgate,vtgate-1"}, {}, "either nodes of a role or named nodes"),
        ("Killed", {}, {"share": 2.0}, "a share of targets is above 0"),
    ],
)
def test_refused(name: str, settings: dict[str, str], targets: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        catalogue.made(catalogue.FAULTS[name], settings, targets)


@pytest.mark.parametrize("name", ["planned-reparent", "PLANNEDREPARENT", "planned_reparent", "PlannedReparent"])
def test_a_name_is_found_however_it_is_spelt(name: str) -> None:
    assert catalogue.chosen(name) is PlannedReparent


def test_a_name_that_is_nearly_one() -> None:
    with pytest.raises(PlanError, match=r"no fault is called PlanedReparent .*; did you mean PlannedReparent"):
        catalogue.chosen("PlanedReparent")


def test_told_shortly() -> None:
    assert catalogue.told(PlannedReparent(shard="-80")) == "PlannedReparent(shard='-80')"
    assert catalogue.told(Killed()) == "Killed()"
    assert catalogue.told(Killed(targets=Targets(role=Role.VTGATE, count=1))) == "Killed(targets=vtgate,count=1)"


def test_the_shards_that_a_fault_names() -> None:
    assert catalogue.shards_of(PlannedReparent(shard="-80")) == ("-80",)
    assert catalogue.shards_of(Killed(targets=Targets(role=Role.VTTABLET, shards=("a", "b")))) == ("a", "b")
    assert catalogue.shards_of(Killed()) == ()
