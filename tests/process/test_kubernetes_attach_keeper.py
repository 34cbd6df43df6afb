"""An attached cluster's end: what is of ours goes, and what says so is kept until it did."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from clusters import kept
from clusters.common.keeping import STATE
from clusters.kept import MADE, Made
from clusters.kubernetes.attach import State
from clusters.kubernetes.attach_keeper import AttachedKeeper
from clusters.kubernetes.attach_schema import Added
from clusters.kubernetes.safety import Target
from harness.base import jsonio
from harness.base.errors import HarnessError, PlanError
from harness.model import ClusterSpec, Placement
from tests.unit.kubernetes_fakes import FakeServer, Object

KEEPERS = {"attached": AttachedKeeper()}
CLUSTER, SPACE = "/api/v1/namespaces/kube-system", "/api/v1/namespaces/vitess"


def namespace(uid: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", "uid": uid}}


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(objects={CLUSTER: namespace("cluster-1"), SPACE: namespace("space-1")})


@contextlib.asynccontextmanager
async def attached(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, cluster_uid: str = "cluster-1"
) -> AsyncIterator[Path]:
    """The folder of a cluster `theirs` that was attached to when `server` was as it is."""
    async with server.opened(tmp_path) as api:
        monkeypatch.setenv("KUBECONFIG", api.kubeconfig)
        monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path))
        folder = kept.folder_of("theirs")
        folder.mkdir(parents=True)
        target = Target(
            context="one", server=api.server, namespace="vitess", cluster_uid=cluster_uid, namespace_uid="space-1"
        )
        state = State(name="theirs", target=target, spec=ClusterSpec(), added=Added(table="ledger"))
        jsonio.save(folder / STATE, state)
        jsonio.save(folder / MADE, Made(keeper="attached", place=Placement()))
        yield folder


@pytest.mark.parametrize("gone", [True, False])
async def test_another_cluster_behind_the_context_forgets_nothing(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    async with attached(server, tmp_path, monkeypatch) as folder:
        server.objects = {CLUSTER: namespace("cluster-2")} | ({} if gone else {SPACE: namespace("space-2")})
        with pytest.raises(PlanError, match=r"leads to another cluster by now.*cluster-2.*it was cluster-1") as caught:
            await kept.stop("theirs", keepers=KEEPERS)
        assert caught.value.exit_code == 2
        (row,) = await kept.listed(KEEPERS)
        assert row.state.startswith("unknown: the context one leads to another cluster by now")
        with pytest.raises(PlanError, match="cannot be told"):
            async with kept.claimed("theirs", "attached", Placement(), keepers=KEEPERS):
                pass
        assert (folder / STATE).is_file()


async def test_a_cluster_that_does_not_answer_is_not_forgotten(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with attached(server, tmp_path, monkeypatch) as folder:
        pass
    with pytest.raises(PlanError, match="no Kubernetes cluster answers"):
        await kept.stop("theirs", keepers=KEEPERS)
    assert (folder / STATE).is_file()


@pytest.mark.parametrize("anew", [True, False])
async def test_a_namespace_that_is_gone_from_the_same_cluster_is_forgotten(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    async with attached(server, tmp_path, monkeypatch) as folder:
        server.objects = {CLUSTER: namespace("cluster-1")} | ({SPACE: namespace("space-2")} if anew else {})
        await kept.stop("theirs", keepers=KEEPERS)
        assert not folder.exists()


async def test_where_kube_system_was_never_read_the_address_tells(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with attached(server, tmp_path, monkeypatch, cluster_uid="") as folder:
        server.objects = {}
        state = jsonio.load(folder / STATE, State)
        jsonio.save(folder / STATE, replace(state, target=replace(state.target, server="https://elsewhere")))
        with pytest.raises(PlanError, match="cannot be told"):
            await kept.stop("theirs", keepers=KEEPERS)
        jsonio.save(folder / STATE, state)
        await kept.stop("theirs", keepers=KEEPERS)
        assert not folder.exists()


async def test_a_vitess_that_cannot_be_found_keeps_the_folder(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with attached(server, tmp_path, monkeypatch) as folder:
        with pytest.raises((PlanError, HarnessError), match="no pod in vitess"):
            await kept.stop("theirs", keepers=KEEPERS)
        assert folder.is_dir()
