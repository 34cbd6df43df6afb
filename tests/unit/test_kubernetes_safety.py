"""What is refused on a cluster that somebody else made, and what is shown before anything is done to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clusters.kubernetes.safety import (
    MOST_TABLETS,
    Showing,
    Target,
    accepted,
    confirm,
    lines,
    same,
    signs_of_production,
)
from harness.base.errors import PlanError

TARGET = Target(
    context="kind-mine",
    server="https://127.0.0.1:6443",
    namespace="vitess",
    cluster_uid="11111111-aaaa",
    namespace_uid="22222222-bbbb",
)


def showing(target: Target = TARGET, *, tablets: int = 4) -> Showing:
    return Showing(
        name="theirs",
        target=target,
        found=("vtgate-1 in pod gate-abc",),
        missing=("vtorc: nobody repairs",),
        creates=("table ledger in keyspace shop",),
        faults={"reparents": "", "signals": "no shell in the containers"},
        signs=signs_of_production(target, tablets=tablets),
    )


@pytest.mark.parametrize(
    "context",
    [
        "prod",
        "production",
        "shop-prod-eu",
        "gke_shop-prod_europe-west1_main",
        "arn:aws:eks:eu-west-1:123456789012:cluster/shop-production",
        "aks-prd-1",
        "prod2",
        "eks.live",
        "shopProd",
        "PRODUCTION",
        "pre-prod",  # shared with people, as a rule
        "preprod",
        "PRODeu",
        "LIVEdb",
        "dbLIVE",
        "DBPROD",
        "pRod",
        "prods",
        "prodeu",
        "euprod",
        "eu-no-prod",  # Norway's
        "not-prod",
        "non-prod-and-prod",
        "nonprod2prod",
        "prdeu",
        "EUprd",
        "shopPRDeu",
        "storeproduction",
        "\uff30\uff32\uff2f\uff24",  # PROD, in full-width letters
        "p\u0433od",  # a Cyrillic letter
        "pr\u200bod",  # a space without width
    ],
)
def test_a_context_that_looks_like_production_needs_its_own_name(context: str) -> None:
    target = replace(TARGET, context=context)
    shown = showing(target)
    assert shown.signs
    assert accepted(target, shown.signs) == (context,)
    with pytest.raises(PlanError, match="looks like production"):
        confirm(shown, "vitess")  # the namespace's name would do elsewhere
    confirm(shown, context)


@pytest.mark.parametrize(
    "context",
    [
        "kind-mine",
        "product-tests",
        "reproduce",
        "delivery",
        "liver",
        "olive",
        "alive-test",
        "non-prod",
        "nonprod",
        "NonProd",
        "non-live",
        "producer",
        "productivity",
        "reproduction",
        "produkt",
        "Olive",
        "Delivery",
        "staging-1",
        "gke_shop_eu_main",
    ],
)
def test_words_that_only_contain_such_a_word_are_none(context: str) -> None:
    assert signs_of_production(replace(TARGET, context=context), tablets=4) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("namespace", "vitess-prod"),
        ("server", "https://prod-dns-1a2b.hcp.westeurope.azmk8s.io:443"),
        ("vitess_cluster", "live"),
        ("cluster_entry", "gke-shop-prod"),
        ("user_entry", "alice-prod"),
    ],
)
def test_other_names_count_too_and_still_ask_for_the_context(field: str, value: str) -> None:
    target = replace(TARGET, **{field: value})
    signs = signs_of_production(target, tablets=4)
    assert len(signs) == 1
    assert accepted(target, signs) == ("kind-mine",)


def test_a_keyspace_larger_than_any_experiments_counts() -> None:
    assert signs_of_production(TARGET, tablets=MOST_TABLETS) == ()
    (sign,) = signs_of_production(TARGET, tablets=MOST_TABLETS + 1)
    assert "65 tablets" in sign


def test_without_the_answer_nothing_is_done_and_what_to_type_is_said() -> None:
    with pytest.raises(PlanError, match=r"nothing was done.*--i-own-this-cluster kind-mine") as caught:
        confirm(showing(), "")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("answer", ["kind-mine", "vitess"])
def test_the_name_of_the_context_or_of_the_namespace_is_an_answer(answer: str) -> None:
    confirm(showing(), answer)


@pytest.mark.parametrize("answer", ["kind", "Kind-Mine", "vitess ", "theirs", "yes", "kind-mine/vitess"])
def test_anything_else_is_refused(answer: str) -> None:
    with pytest.raises(PlanError, match="refused"):
        confirm(showing(), answer)


def test_the_same_cluster_and_namespace_pass() -> None:
    same(TARGET, TARGET, when="it was attached")
    same(TARGET, replace(TARGET, context="renamed", server="https://10.0.0.1"), when="it was attached")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("cluster_uid", "99999999-zzzz", "is the cluster 99999999-zzzz"),
        ("cluster_uid", "", "can no longer be told"),
        ("namespace_uid", "33333333-cccc", "now it is vitess"),
        ("namespace_uid", "", "gone"),
        ("namespace", "other", "now it is other"),
        ("vitess_cluster", "example", "VitessCluster"),
    ],
)
def test_an_answer_is_good_only_for_what_was_shown(field: str, value: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        same(TARGET, replace(TARGET, **{field: value}), when="it was attached")


def test_where_kube_system_cannot_be_read_the_namespace_alone_tells() -> None:
    blind = replace(TARGET, cluster_uid="")
    same(blind, blind, when="it was attached")
    same(blind, TARGET, when="it was attached")  # more is known than before
    with pytest.raises(PlanError, match="namespace"):
        same(blind, replace(blind, namespace_uid="other"), when="it was attached")


def test_the_plan_shows_everything() -> None:
    text = "\n".join(lines(replace(showing(replace(TARGET, namespace="prod")), warnings=("3 clients are connected",))))
    for part in (
        "kind-mine",
        "https://127.0.0.1:6443",
        "namespace  prod",
        "vtgate-1 in pod gate-abc",
        "missing    vtorc",
        "creates    table ledger",
        "permitted  reparents",
        "not        signals: no shell",
        "beware     3 clients",
        "PRODUCTION? the namespace's name",
    ):
        assert part in text
