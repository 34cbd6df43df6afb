"""Goal: `vtchaos doctor` says what there is for every backend, and what to type where something is missing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from clusters import doctor
from clusters.docker import engine
from clusters.docker.engine import Facts
from clusters.kubernetes.api import Api
from clusters.software import HostRow
from harness.base.errors import ClusterError, PlanError
from tests.unit.kept_fakes import FakeBackend


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """No engine, no Kubernetes, no tools."""

    @contextlib.asynccontextmanager
    async def no_engine() -> AsyncIterator[None]:
        raise ClusterError("no Docker engine answers: start one with `dockerd`")
        yield

    @contextlib.asynccontextmanager
    async def no_cluster() -> AsyncIterator[None]:
        raise PlanError("no Kubernetes cluster is configured; set KUBECONFIG")
        yield

    monkeypatch.setattr(engine, "connected", no_engine)
    monkeypatch.setattr(Api, "open", no_cluster)
    monkeypatch.setenv("PATH", str(tmp_path))


async def rows(**backends: FakeBackend) -> dict[str, HostRow]:
    return {row.name: row for row in await doctor.backend_rows(backends)}


@pytest.mark.usefixtures("nothing")
async def test_where_nothing_is_there_it_says_what_to_do() -> None:
    told = await rows(docker=FakeBackend(why_not=("no engine", "no memory")), moon=FakeBackend())
    assert (told["Docker engine"].state, told["Kubernetes"].state) == ("warn", "warn")
    assert "start one with `dockerd`" in told["Docker engine"].value
    assert "set KUBECONFIG" in told["Kubernetes"].value
    assert {told["kubectl"].value, told["kind"].value} == {"not on PATH"}
    assert (told["backend docker"].state, told["backend docker"].value) == ("warn", "no engine; no memory")
    assert (told["backend moon"].state, told["backend moon"].value) == ("ok", "can stand a cluster up here")


async def test_where_all_is_there_it_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    async def facts() -> Facts:
        return Facts(version="20.10.24", memory_bytes=1, now_s=0, here=False)

    @contextlib.asynccontextmanager
    async def connected() -> AsyncIterator[object]:
        yield SimpleNamespace(facts=facts, where="unix:///x")

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[object]:
        yield SimpleNamespace(context="lab", server="https://10.0.0.1:6443")

    monkeypatch.setattr(engine, "connected", connected)
    monkeypatch.setattr(Api, "open", opened)
    told = await rows()
    assert told["Docker engine"].value == "20.10.24 at unix:///x, with a kernel of its own"
    assert told["Kubernetes"].value == "lab (https://10.0.0.1:6443)"
    assert (told["Docker engine"].state, told["Kubernetes"].state) == ("ok", "ok")
