"""The API: what is asked of the server, and what its answers become."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clusters.kubernetes.api import Api, ApiError
from clusters.kubernetes.resources import (
    DEPLOYMENT,
    NAMESPACE,
    POD,
    STATEFUL_SET,
    VITESS_CLUSTER,
    name_of,
    resource_of,
)
from harness.base.errors import ClusterError, PlanError
from tests.unit.kubernetes_fakes import FakeServer, Object, kubeconfig

NS: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}}
PODS = "/api/v1/namespaces/mine/pods"


def pod(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "mine"}}


def test_paths() -> None:
    assert NAMESPACE.path(namespace="x", name="mine") == "/api/v1/namespaces/mine"
    assert POD.path(namespace="mine", name="a", subresource="log") == f"{PODS}/a/log"
    assert POD.path() == "/api/v1/pods"
    assert STATEFUL_SET.path(namespace="mine") == "/apis/apps/v1/namespaces/mine/statefulsets"
    assert DEPLOYMENT.group == "apps"
    assert POD.group == ""
    assert resource_of({"apiVersion": "planetscale.com/v2", "kind": "VitessCluster"}) is VITESS_CLUSTER


def test_an_unknown_kind_is_told() -> None:
    with pytest.raises(ClusterError, match=r"the kind Gadget \(v1\)"):
        resource_of({"apiVersion": "v1", "kind": "Gadget"})


# ------------------------------------------------------------ opening


async def test_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(PlanError, match=r"no Kubernetes cluster is configured .*set KUBECONFIG"):
        async with Api.open():
            pass


async def test_an_unknown_context_names_those_that_there_are(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(PlanError, match="no context 'three'; it has one, two"):
        async with Api.open("three", kubeconfig=path):
            pass


async def test_a_cluster_that_does_not_answer(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(PlanError, match=r"no Kubernetes cluster answers at http://127.0.0.1:1 \(context two\)"):
        async with Api.open("two", kubeconfig=path):
            pass


async def test_a_damaged_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text('{"contexts": [{"name": "one", "context": {"cluster": "c"}}], "current-context": "one"}')
    with pytest.raises(PlanError, match="cannot be used"):
        async with Api.open(kubeconfig=path):
            pass


async def test_what_is_known_of_it(tmp_path: Path) -> None:
    async with FakeServer().opened(tmp_path) as api:
        assert (api.context, api.namespace) == ("one", "default")
        assert api.kubeconfig == str(tmp_path / "kubeconfig")
        assert api.server.startswith("http://127.0.0.1:")


# ------------------------------------------------------------ objects


async def test_objects_come_and_go(tmp_path: Path) -> None:
    server = FakeServer()
    async with server.opened(tmp_path) as api:
        await api.create(NS)
        assert name_of(await api.get(NAMESPACE, "mine") or {}) == "mine"
        assert [name_of(row) for row in await api.namespaces()] == ["mine"]
        with pytest.raises(ApiError, match=r"already exists \(409\)"):
            await api.create(NS)
        assert await api.delete(NAMESPACE, "mine", grace_s=1)
        assert server.bodies[-1]["gracePeriodSeconds"] == 1
        assert not await api.delete(NAMESPACE, "mine")
        assert await api.get(NAMESPACE, "mine") is None


async def test_apply_changes_what_is_there(tmp_path: Path) -> None:
    server = FakeServer()
    async with server.opened(tmp_path) as api:
        await api.apply(pod("a"))
        await api.apply({**pod("a"), "spec": {"nodeName": "n"}})
        found = await api.get(POD, "a", "mine")
    assert found is not None
    assert found["spec"] == {"nodeName": "n"}
    assert server.asked[-1] == ("GET", f"{PODS}/a")


async def test_items_of_a_list_say_what_they_are(tmp_path: Path) -> None:
    server = FakeServer(objects={f"{PODS}/a": {"metadata": {"name": "a"}}})
    async with server.opened(tmp_path) as api:
        (found,) = await api.list(POD, "mine")
    assert resource_of(found) is POD


async def test_a_watch_begins_with_the_list_and_lists_again_when_it_ends(tmp_path: Path) -> None:
    changes = [{"type": "ADDED", "object": pod("b")}, {"type": "ERROR", "object": {"code": 410}}]
    server = FakeServer(objects={f"{PODS}/a": pod("a")}, changes=changes)
    heard: list[str] = []
    async with server.opened(tmp_path) as api:
        async for kind, row in api.watch(POD, "mine"):
            heard.append(kind if kind == "LISTED" else f"{kind} {name_of(row)}")
            if len(heard) == 3:
                break
    assert heard == ["LISTED", "ADDED b", "LISTED"]


async def test_rights(tmp_path: Path) -> None:
    async with FakeServer(denied={("create", "namespaces")}).opened(tmp_path) as api:
        assert not await api.can("create", NAMESPACE)
        assert await api.can("get", POD, "mine", subresource="log")


async def test_an_answer_that_does_not_come_is_bounded(tmp_path: Path) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    async with server, FakeServer().opened(tmp_path) as api:
        api.requests.server = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ApiError, match=r"no answer within 0\.1 s"):
            await api.requests.ask("GET", "/version", timeout_s=0.1)


# ------------------------------------------------------------ inside pods


async def test_exec_keeps_the_streams_apart(tmp_path: Path) -> None:
    server = FakeServer()
    async with server.opened(tmp_path) as api:
        ran = await api.exec("mine", "a", "c", ("cat", "-"), stdin=b"x" * 100_000, timeout_s=5)
    assert (ran.status, ran.stdout, ran.stderr) == (0, b"cat -", b"x" * 100_000)


async def test_a_bad_exit_status_is_no_error(tmp_path: Path) -> None:
    failed = {
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": "7"}]},
    }
    async with FakeServer(exec_status=failed).opened(tmp_path) as api:
        assert (await api.exec("mine", "a", "c", ("false",), timeout_s=5)).status == 7


async def test_a_program_that_was_never_run_is_one(tmp_path: Path) -> None:
    refused = {"status": "Failure", "message": "no such container", "code": 500}
    async with FakeServer(exec_status=refused).opened(tmp_path) as api:
        with pytest.raises(ApiError, match=r"true in a/c: no such container \(500\)"):
            await api.exec("mine", "a", "c", ("true",), timeout_s=5)


async def test_a_log(tmp_path: Path) -> None:
    async with FakeServer(log=[b"one\n", b"two\n"]).opened(tmp_path) as api:
        assert b"".join([piece async for piece in api.log("mine", "a", "c")]) == b"one\ntwo\n"


async def test_a_forwarded_port(tmp_path: Path) -> None:
    async with FakeServer().opened(tmp_path) as api, api.port_forward("mine", "a", 3306) as address:
        for _ in range(2):  # each connection is one of its own
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"hello")
            assert await asyncio.wait_for(reader.readexactly(5), 5) == b"HELLO"
            writer.close()
            await writer.wait_closed()
