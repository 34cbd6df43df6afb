"""Goal: an option about where a cluster stands reaches the plan, or is refused with a sentence when the backend has no
use for it; and a place can be told as the options that make it."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import shlex
from pathlib import Path
from typing import Any

import click.testing
import orjson
import pytest

import harness.cli
from clusters import BACKENDS
from clusters.common.keeping import Kept
from harness import placement
from harness.base import jsonio
from harness.base.errors import PlanError
from harness.cli import main
from harness.kept import up
from harness.model import ClusterSpec, Placement, Plan
from harness.options import overrides
from harness.placement import OPTIONS, on_kept, placed, words
from harness.reports.words import stand_up, where
from tests.fakes import calm
from tests.unit.kept_fakes import FakeBackend

OTHER: dict[str, Any] = {
    "image": "me/vitess:{version}",
    "together": True,
    "memory_mb": 700,
    "cpus": 1.5,
    "context": "lab",
    "kind": True,
    "storage_class": "fast",
    "operator": True,
    "load_pods": 3,
}
"""A value that differs from the default, for every field."""


def test_every_field_of_a_place_has_its_option() -> None:
    assert [option.field for option in OPTIONS] == list(Placement.__dataclass_fields__)
    assert OTHER.keys() == Placement.__dataclass_fields__.keys()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
@pytest.mark.parametrize("backend", ["local", "docker", "kubernetes"])
def test_an_option_is_taken_or_refused(option: placement.Option, backend: str) -> None:
    given = {option.field: OTHER[option.field]}
    if backend in option.backends:
        assert getattr(placed(backend, given), option.field) == OTHER[option.field]
    else:
        with pytest.raises(PlanError, match=f"^{option.flag} means nothing to the backend {backend}; it is for "):
            placed(backend, given)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"memory_mb": 0}, "--memory 0: it takes megabytes"),
        ({"memory_mb": -5}, "--memory -5: it takes megabytes"),
        ({"cpus": 0.0}, "--cpus 0: it takes a number of cores"),
        ({"cpus": math.nan}, "--cpus nan"),
        ({"cpus": math.inf}, "--cpus inf"),
        ({"load_pods": -1}, "--load-pods -1: it takes 1 to 64"),
        ({"load_pods": 65}, "--load-pods 65: it takes 1 to 64"),
        ({"kind": True, "context": "lab"}, "give one of them"),
        ({"image": " x"}, "--image ' x': a name has no blanks"),
    ],
)
def test_what_cannot_be(given: dict[str, str | int | float | bool], said: str) -> None:
    with pytest.raises(PlanError) as refused:
        placed("kubernetes", given)
    assert said in str(refused.value)


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.field != "load_pods"], ids=str)
def test_a_place_as_options_makes_the_same_place(option: placement.Option) -> None:
    """`vtchaos up NAME …` in a report stands the same cluster up."""
    place = dataclasses.replace(Placement(), **{option.field: OTHER[option.field]})
    context = up.make_context("up", ["name", *words(place)])
    given = {name: value for name, value in context.params.items() if name not in ("name", "backend")}
    assert placed(option.backends[-1], overrides(given).place) == place


def test_the_default_place_has_no_words() -> None:
    assert words(Placement()) == ()


def test_a_report_says_how_to_make_such_a_cluster_where_it_stood() -> None:
    seen = calm().build()
    place = Placement(memory_mb=700, together=True)
    made = dataclasses.replace(seen.plan, backend="docker", place=place, cluster_name="mine")
    told = stand_up(dataclasses.replace(seen, plan=made))
    assert " --backend docker --together --memory 700 " in told
    assert "--backend" not in stand_up(dataclasses.replace(seen, plan=dataclasses.replace(made, backend="local")))


# ---------------------------------------------------------------- on a kept cluster


def test_a_run_on_a_kept_cluster_takes_its_place() -> None:
    place = Placement(context="lab", memory_mb=500)
    assert on_kept("mine", "kubernetes", place, {}) == place
    assert on_kept("mine", "kubernetes", place, {"context": "lab"}) == place
    assert on_kept("mine", "kubernetes", place, {"load_pods": 2}) == dataclasses.replace(place, load_pods=2)


def test_a_kept_clusters_place_cannot_be_contradicted() -> None:
    with pytest.raises(PlanError, match=r"the cluster mine stands already, --memory 500; leave --memory out"):
        on_kept("mine", "docker", Placement(memory_mb=500), {"memory_mb": 600})


# ---------------------------------------------------------------- the command line


KUBECONFIG = """
contexts: [{name: lab, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
current-context: lab
"""


@pytest.fixture
def boxes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, FakeBackend]:
    """Backends that refuse nothing, and are not asked about this machine's memory; a kubeconfig."""
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    table = {"docker": FakeBackend(), "kubernetes": FakeBackend(name="kubernetes")}
    monkeypatch.setattr(harness.cli, "BACKENDS", table)
    monkeypatch.setattr("clusters.local.capacity.available_bytes", lambda: 4_000_000_000)
    return table


def planned(*typed: str) -> Plan:
    done = click.testing.CliRunner().invoke(main, ["plan", "reparent/storm", "--json", *typed])
    assert done.exit_code == 0, done.output
    return jsonio.structure(orjson.loads(done.stdout), Plan)


@pytest.mark.usefixtures("boxes")
def test_the_current_context_is_on_record() -> None:
    assert planned("--backend", "kubernetes", "--shards", "4").place == Placement(context="lab")
    assert planned("--backend", "kubernetes", "--shards", "4", "--kind").place == Placement(kind=True)


@pytest.mark.usefixtures("boxes")
def test_the_plan_has_the_place() -> None:
    made = planned("--backend", "docker", "--together", "--memory", "700", "--shards", "4")
    assert (made.backend, made.place) == ("docker", Placement(together=True, memory_mb=700))
    shown = click.testing.CliRunner().invoke(
        main, ["plan", "reparent/storm", *shlex.split("--backend docker --memory 700 --image 'a[b]c' --shards 4")]
    )
    assert "on docker, Vitess" in shown.stdout
    assert "placed with --image 'a[b]c' --memory 700" in shown.stdout


@pytest.mark.usefixtures("boxes")
def test_memory_of_this_machine_counts_only_where_the_cluster_is_on_it() -> None:
    assert planned("--backend", "docker").cluster.shards < 32
    assert planned("--backend", "kubernetes", "--kind").cluster.shards < 32
    remote = planned("--backend", "kubernetes")
    assert remote.cluster.shards == 32
    assert remote.notes == ()


def test_a_refusal_is_one_sentence(boxes: dict[str, FakeBackend]) -> None:
    boxes["docker"].why_not = ("no Docker engine answers: start one with `dockerd`",)
    done = click.testing.CliRunner().invoke(main, ["plan", "reparent/storm", "--backend", "docker", "--shards", "2"])
    assert (done.exit_code, done.stderr) == (2, "vtchaos: no Docker engine answers: start one with `dockerd`\n")
    done = click.testing.CliRunner().invoke(main, ["plan", "reparent/storm", "--backend", "docker", "--kind"])
    assert (done.exit_code, done.stderr) == (
        2,
        "vtchaos: --kind means nothing to the backend docker; it is for kubernetes\n",
    )


@pytest.mark.usefixtures("boxes")
def test_backend_and_place_come_from_the_kept_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    running = ClusterSpec(shards=2)
    place = Placement(memory_mb=500)

    async def known(name: str) -> tuple[ClusterSpec, Kept]:
        return running, Kept(backend="docker", spec=running, place=place, alive=True)

    monkeypatch.setattr("harness.kept.known", known)
    made, _ = run_planned("reparent/storm-2", None)
    assert (made.backend, made.place, made.cluster, made.cluster_name) == ("docker", place, running, "mine")
    with pytest.raises(PlanError, match="the cluster mine stands on docker, not on kubernetes"):
        run_planned("reparent/storm-2", "kubernetes")


def run_planned(experiment: str, backend: str | None) -> tuple[Plan, object]:
    return asyncio.run(harness.cli._planned(experiment, {}, backend_name=backend, seed=1, cluster_name="mine"))


def test_help_names_the_backends() -> None:
    for command in ("plan", "run", "up"):
        text = click.testing.CliRunner().invoke(main, [command, "--help"]).stdout
        assert f"--backend {'|'.join(BACKENDS)}" in text


def test_an_unknown_backend_hears_all_that_there_are() -> None:
    for command in (("plan", "reparent/storm-2"), ("up", "x")):
        done = click.testing.CliRunner().invoke(main, [*command, "--backend", "moon"])
        assert done.exit_code == 2
        assert done.stderr.startswith("vtchaos: no backend is called moon; there ")
        assert done.stderr.rstrip().endswith(", ".join(BACKENDS))


def test_a_summary_says_where_it_ran() -> None:
    seen = calm().build()

    def on(backend: str, place: Placement) -> str:
        return where(dataclasses.replace(seen, plan=dataclasses.replace(seen.plan, backend=backend, place=place)))

    assert on("local", Placement()) == ""
    assert on("docker", Placement()) == " on docker"
    assert (
        on("kubernetes", Placement(context="lab", load_pods=2)) == " on kubernetes (context lab), the load from 2 pods"
    )
