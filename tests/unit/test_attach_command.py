"""`vtchaos attach`: what it asks for before it looks, and to what an answer is bound."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments import EXPERIMENTS
from harness import attach_command, cli
from harness.base.errors import PlanError
from harness.model import Placement
from tests.unit.test_kubernetes_safety import TARGET, showing


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path))
    monkeypatch.setattr(attach_command, "_shown_file", lambda name: tmp_path / "shown" / f"{name}.json")
    return tmp_path


def test_a_context_that_was_switched_after_the_plan_was_shown_is_noticed_once() -> None:
    other = replace(TARGET, context="kind-other", cluster_uid="99999999-zzzz")
    attach_command._bound("theirs", showing())
    attach_command._bound("theirs", showing())
    with pytest.raises(PlanError, match="when the plan was shown, context kind-mine was the cluster 11111111-aaaa"):
        attach_command._bound("theirs", showing(other))
    attach_command._bound("theirs", showing(other))  # it was shown now: the next answer is for this one


def test_what_was_shown_under_another_name_does_not_count() -> None:
    attach_command._bound("one", showing())
    attach_command._bound("two", showing(replace(TARGET, cluster_uid="99999999-zzzz")))


def test_it_takes_a_name_and_a_namespace() -> None:
    for words in (["attach"], ["attach", "theirs"], ["attach", "--namespace", "shop"]):
        done = CliRunner().invoke(cli.main, words)
        assert done.exit_code == 2
        assert "--namespace" in done.output


def test_rights_are_printed_without_a_cluster() -> None:
    done = CliRunner().invoke(cli.main, ["attach", "--namespace", "shop", "--rbac"])
    assert done.exit_code == 0
    assert "name: vtchaos-attach" in done.output


def test_no_cluster_is_a_plain_refusal(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cache / "nowhere"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    done = CliRunner().invoke(cli.main, ["attach", "theirs", "--namespace", "shop"])
    assert done.exit_code == 2
    assert "no Kubernetes cluster is configured" in done.output


def test_what_is_not_done_to_a_cluster_that_is_not_ours() -> None:
    items = next(each for each in EXPERIMENTS.values() if each.items is not None)
    plain = next(each for each in EXPERIMENTS.values() if each.items is None)
    with pytest.raises(PlanError, match="replaces the vschema"):
        cli._refuse_on_theirs("theirs", items, Placement())
    with pytest.raises(PlanError, match="--load-pods"):
        cli._refuse_on_theirs("theirs", plain, Placement(load_pods=2))
    cli._refuse_on_theirs("theirs", plain, Placement())
