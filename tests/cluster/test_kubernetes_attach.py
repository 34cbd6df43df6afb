"""Attaching to a Vitess that somebody else deployed: shown first, agreed to, used, and left as it was.

Goal: nothing of ours stays, nothing of theirs goes, and nothing is done that was not agreed to or is not permitted.
Method: two deployments of the same programs that know nothing of us. One is plain, with its programs as the first
processes of their containers and data that goes with the pods. The other looks like vitess-operator's, its pods' data
outlives them and their containers share their processes, so that everything but links can be done to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from clusters import KEEPERS, kept
from clusters.common.serving import until_serving
from clusters.kubernetes import discovery, discovery_topology, names, operator, rbac
from clusters.kubernetes.api import Api
from clusters.kubernetes.attach_reach import Reach
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.operator_manifest import NAME, as_it_will_be
from clusters.kubernetes.resources import DEFINITION, POD, ROLE, VITESS_CLUSTER
from harness.attach_command import _shown_file
from harness.base import procs, wait
from harness.base.errors import ClusterError, PlanError
from harness.base.procs import Completed
from harness.model import Capability, ClusterSpec, Event, LinkRule, Placement, Role
from harness.vitess.vtctld import VtctldClient
from tests.cluster.command import SHORT, VTCHAOS, verdict_of
from tests.cluster.stranger import SPEC, Stranger, deployed, images_of, removed

# Only where nobody else works: the test must not do what it tests on somebody's cluster.
OURS = ("vtchaos-", "kind-vtchaos")
COMMAND_TIMEOUT_S = 120.0
RUN_TIMEOUT_S = 300.0
TABLES = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A deployment, the name under which we attach to it, and what it is before."""

    namespace: str
    name: str
    context: str


@contextlib.contextmanager
def theirs(*, operator: bool) -> Iterator[Theirs]:
    namespace = f"theirs-{secrets.token_hex(3)}"
    folder = tempfile.mkdtemp(prefix="vtchaos-theirs-")
    try:
        yield asyncio.run(_deployed(namespace, operator=operator, volumes=folder if operator else ""))
    finally:
        asyncio.run(_removed(namespace))
        shutil.rmtree(folder)
        _shown_file(namespace).unlink(missing_ok=True)  # shown and not answered


async def _deployed(namespace: str, *, operator: bool, volumes: str) -> Theirs:
    try:
        async with Api.open() as api:
            if not api.context.startswith(OURS):
                pytest.skip(f"the context {api.context} is none that is made for tests")
            spec = replace(SPEC, shards=1) if operator else SPEC
            images = await images_of(api, spec)
            await deployed(
                api, Stranger(spec, images, namespace, operator="example" if operator else "", volumes=volumes)
            )
            return Theirs(namespace=namespace, name=namespace, context=api.context)
    except PlanError as error:
        pytest.skip(str(error))


async def _removed(namespace: str) -> None:
    with contextlib.suppress(PlanError):
        async with Api.open() as api:
            await removed(api, namespace)


@pytest.fixture(scope="module")
def plain() -> Iterator[Theirs]:
    with theirs(operator=False) as made:
        yield made


@pytest.fixture(scope="module")
def like_the_operators() -> Iterator[Theirs]:
    with theirs(operator=True) as made:
        yield made


def vtchaos(*words: str | Path, within_s: float = COMMAND_TIMEOUT_S, env: Mapping[str, str] | None = None) -> Completed:
    environment = {"COLUMNS": "120", **(env or {})}
    return asyncio.run(procs.run([VTCHAOS, *words], timeout_s=within_s, check=False, env=environment))


def attach(to: Theirs, *words: str, env: Mapping[str, str] | None = None) -> Completed:
    return vtchaos("attach", to.name, "--namespace", to.namespace, *words, env=env)


@contextlib.contextmanager
def attached(to: Theirs, *, env: Mapping[str, str] | None = None) -> Iterator[None]:
    done = attach(to, "--i-own-this-cluster", to.namespace, env=env)
    assert done.returncode == 0, done.output
    try:
        yield
    finally:
        ended = vtchaos("down", to.name, env=env)
    assert ended.returncode == 0, ended.output
    assert "stands on" in ended.output


def state_of(to: Theirs) -> dict[str, Any]:
    """What must not change: pods, tables, vschema."""
    return asyncio.run(_state_of(to))


async def _state_of(to: Theirs) -> dict[str, Any]:
    async with Api.open() as api:
        pods = await api.list(POD, to.namespace)
        found = discovery.programs(pods)
        async with Reach.opened(api, to.namespace, found) as reach:
            vtctld = next(each for each in found if each.role is Role.VTCTLD)
            async with VtctldClient.open("{}:{}".format(*await reach.of(vtctld, "grpc"))) as client:
                (keyspace,) = (await discovery_topology.read(client)).keyspaces
                tables = {}
                for shard in keyspace.shards:
                    primary = await client.shard_primary(keyspace.name, shard)
                    rows = await client.execute_as_dba(primary, TABLES)
                    tables[shard] = sorted(row["name"] for row in rows)
        return {
            "pods": {each["metadata"]["name"]: each["metadata"]["uid"] for each in pods},
            "tables": tables,
            "vschema": json.loads(keyspace.vschema),
        }


# ---------------------------------------------------------------- seen, agreed to, used, left


def test_nothing_is_done_before_it_was_agreed_to(plain: Theirs) -> None:
    before = state_of(plain)
    shown = attach(plain)
    assert shown.returncode == 2
    for part in (
        plain.context,
        f"namespace  {plain.namespace}",
        "vttablet-100 24.0.3",
        "shop: 2 x 2 tablets, durability semi_sync",
        "creates    table ledger",
        "vindex by_number",
        "first process of its container",
        "would go with its pod",
        "missing    vtorc",
        f"--i-own-this-cluster {plain.context}",
    ):
        assert part in shown.output, shown.output
    wrong = attach(plain, "--i-own-this-cluster", "somebody-elses")
    assert wrong.returncode == 2
    assert "refused: 'somebody-elses'" in wrong.output
    assert state_of(plain) == before
    assert plain.name not in vtchaos("status").output


def test_an_experiment_runs_on_it_and_everything_is_as_before(plain: Theirs, tmp_path: Path) -> None:
    before = state_of(plain)
    with attached(plain):
        during = state_of(plain)
        assert set(during["tables"]["-80"]) - set(before["tables"]["-80"]) == {"ledger"}
        assert during["vschema"]["tables"]["customer"] == before["vschema"]["tables"]["customer"]
        assert "attached" in vtchaos("status").output
        done = vtchaos(
            "run",
            "reparent/storm-2",
            "--cluster",
            plain.name,
            "--out",
            tmp_path / "run",
            *SHORT,
            within_s=RUN_TIMEOUT_S,
        )
        assert done.returncode in (0, 3), done.output  # 3: this host is too slow to judge
        results = {each.check: each for each in verdict_of(tmp_path / "run").results}
        assert results["assumptions/reparents"].verdict == 0, done.output
        assert results["reads/acknowledged"].verdict == 0, done.output
        assert (tmp_path / "run" / "loglines.jsonl").stat().st_size > 0  # their logs were followed
        refused = vtchaos("run", "vstream/control", "--cluster", plain.name)
        assert refused.returncode == 2
        assert "which is not ours" in refused.output
    assert state_of(plain) == before


def test_a_table_of_theirs_is_not_used(plain: Theirs) -> None:
    asyncio.run(_schema(plain, "CREATE TABLE ledger (id BIGINT NOT NULL PRIMARY KEY)"))
    try:
        done = attach(plain, "--i-own-this-cluster", plain.namespace)
        assert done.returncode == 2
        assert "a table ledger that vtchaos did not make" in done.output
        assert "ledger" in state_of(plain)["tables"]["-80"]
    finally:
        asyncio.run(_schema(plain, "DROP TABLE ledger"))


async def _schema(to: Theirs, sql: str) -> None:
    async with Api.open() as api:
        found = discovery.programs(await api.list(POD, to.namespace))
        async with Reach.opened(api, to.namespace, found) as reach:
            vtctld = next(each for each in found if each.role is Role.VTCTLD)
            async with VtctldClient.open("{}:{}".format(*await reach.of(vtctld, "grpc"))) as client:
                await client.apply_schema("shop", [sql], timeout_s=60)


def test_another_namespace_of_the_same_name_is_not_what_was_agreed_to(plain: Theirs) -> None:
    with attached(plain):
        path = kept.folder_of(plain.name) / "state.json"
        state = json.loads(path.read_text())
        path.write_text(json.dumps({**state, "target": {**state["target"], "namespace_uid": "an-earlier-one"}}))
        done = vtchaos("run", "reparent/control", "--cluster", plain.name)
        assert done.returncode == 2
        assert "is gone" in done.output
        path.write_text(json.dumps(state))


def test_through_port_forwards(plain: Theirs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this host has no way to the pods' addresses, as from a laptop."""

    async def none(*_: object) -> bool:
        return False

    with attached(plain):
        monkeypatch.setattr(Reach, "_is_direct", none)
        asyncio.run(_forwarded(plain))


async def _forwarded(to: Theirs) -> None:
    async with in_use(to, Exits()) as cluster:
        assert {cluster.address(node, "web")[0] for node in cluster.nodes(Role.VTTABLET)} == {"127.0.0.1"}
        await until_serving(cluster, timeout_s=30, observer=Exits())


# ---------------------------------------------------------------- rights


@pytest.fixture
def account(plain: Theirs, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a user who has only the rights of `vtchaos attach --rbac`."""
    manifest = vtchaos("attach", "--rbac", "attach", "--namespace", plain.namespace).output
    (tmp_path / "rbac.yaml").write_text(manifest)
    kubectl("apply", "-f", tmp_path / "rbac.yaml")
    try:
        token = kubectl("create", "token", rbac.ACCOUNT, "--namespace", plain.namespace).strip()
        config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        config["users"] = [{"name": "less", "user": {"token": token}}]
        config["contexts"][0]["context"]["user"] = "less"
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        yield {"KUBECONFIG": str(tmp_path / "kubeconfig")}
    finally:
        kubectl("delete", "-f", tmp_path / "rbac.yaml")


def kubectl(*words: str | Path) -> str:
    return asyncio.run(procs.run(["kubectl", *words], timeout_s=COMMAND_TIMEOUT_S)).output


def test_the_printed_rights_suffice(plain: Theirs, account: Mapping[str, str]) -> None:
    before = state_of(plain)
    shown = attach(plain, env=account)
    assert "it takes the right to get and create pods/exec" in shown.output  # no faults with these
    assert "kube-system cannot be read" not in shown.output
    with attached(plain, env=account):
        assert "attached" in vtchaos("status", env=account).output
    assert state_of(plain) == before


def test_a_missing_right_is_named(plain: Theirs, account: Mapping[str, str]) -> None:
    asyncio.run(_without_port_forward(plain))
    done = attach(plain, env=account)
    assert done.returncode == 2
    assert "the right to get and create pods/portforward in the namespace" in done.output


async def _without_port_forward(to: Theirs) -> None:
    async with Api.open() as api:
        role = await api.get(ROLE, "vtchaos-attach", to.namespace)
        assert role is not None
        rules = [rule for rule in role["rules"] if rule["resources"] != ["pods/portforward"]]
        await api.patch(ROLE, "vtchaos-attach", {"rules": rules}, to.namespace)


# ---------------------------------------------------------------- faults


class Exits:
    """What the cluster tells of ended processes."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.seen.append(event)

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return


@contextlib.asynccontextmanager
async def in_use(to: Theirs, exits: Exits) -> AsyncIterator[Any]:
    async with kept.attached(to.name, keepers=KEEPERS, observer=exits) as cluster:
        yield cluster


def test_what_is_permitted_can_be_done(like_the_operators: Theirs) -> None:
    before = state_of(like_the_operators)
    with attached(like_the_operators):
        asyncio.run(_faults(like_the_operators))
    after = state_of(like_the_operators)
    assert (after["tables"], after["vschema"]) == (before["tables"], before["vschema"])
    assert len(after["pods"]) == len(before["pods"])


async def _faults(to: Theirs) -> None:
    exits = Exits()
    async with in_use(to, exits) as cluster:
        assert cluster.capabilities[Capability.SIGNAL] == ""
        assert cluster.capabilities[Capability.RESTART] == ""
        assert cluster.capabilities[Capability.LINKS]
        vttablet, vtgate = cluster.nodes(Role.VTTABLET)[0], cluster.nodes(Role.VTGATE)[0]

        await cluster.signal(vttablet, signal.SIGKILL)
        (killed,) = [each for each in exits.seen if each.subject == vttablet.name]
        assert (killed.details["status"], killed.details["asked"]) == (-9, True)

        async def back() -> bool:
            try:
                await cluster.signal(vttablet, 0)
            except ClusterError:
                return False
            return True

        await wait.until(f"{vttablet.name} is started again by Kubernetes", back, timeout_s=60)

        async def told() -> int:
            return int(cluster.log_path(vttablet).stat().st_size)

        await wait.until(f"the log of {vttablet.name} is followed in its new life", told, timeout_s=30)

        await cluster.stop(vtgate, timeout_s=60)
        (stopped,) = [each for each in exits.seen if each.subject == vtgate.name]
        assert stopped.details["asked"]
        with pytest.raises(ClusterError, match="not running"):
            await cluster.signal(vtgate, signal.SIGSTOP)
        await cluster.start(vtgate, timeout_s=60)
        with pytest.raises(ClusterError, match="left alone"):
            await cluster.set_links((LinkRule(source=vtgate.name, target=vttablet.name),))
        await cluster.set_links(())


def test_the_operators_names_are_read(like_the_operators: Theirs) -> None:
    shown = attach(like_the_operators, "--cluster", "example")
    assert "VitessCluster example" in shown.output
    assert "shop: 1 x 2 tablets" in shown.output
    other = attach(like_the_operators, "--cluster", "other")
    assert other.returncode == 2
    assert "no pods of a VitessCluster other; it has example" in other.output


# ---------------------------------------------------------------- a VitessCluster


def test_there_is_no_operator_here() -> None:
    """The lane has none: `--create operator` says so before anything is made."""
    done = vtchaos("plan", "reparent/control", "--shards", "1", "--backend", "kubernetes", "--create", "operator")
    if "no Kubernetes cluster" in done.output:
        pytest.skip(done.output.strip())
    assert done.returncode == 2
    assert "VitessCluster" in done.output


def test_a_vitess_cluster_is_applied_awaited_and_attached_to(tmp_path: Path) -> None:
    """What vitess-operator would do is done by this test, which knows the object's kind and nothing of its schema."""
    asyncio.run(_as_the_operator(tmp_path))


async def _as_the_operator(logs: Path) -> None:
    try:
        async with Api.open() as api:
            if not api.context.startswith(OURS):
                pytest.skip(f"the context {api.context} is none that is made for tests")
            if await _known(api):
                pytest.skip("the real VitessCluster is known here: ours would replace it")
            await api.apply(DEFINED)
            try:
                await wait.until("the kind is known", lambda: _known(api), timeout_s=30)
                await _stood_up(api, logs)
            finally:
                await api.delete(DEFINITION, DEFINED["metadata"]["name"])
    except PlanError as error:
        pytest.skip(str(error))


async def _stood_up(api: Api, logs: Path) -> None:
    run = f"operator-{secrets.token_hex(3)}"
    marks = Marks(run=run, namespace=names.namespace_of(run))
    spec, place = as_it_will_be(replace(SPEC, shards=1)), Placement(operator=True)
    acting = asyncio.create_task(_act(api, spec, marks.namespace))
    try:
        async with operator.stood_up(api, spec, place, marks, logs=logs / "logs", observer=Exits()) as cluster:
            assert cluster.spec.shard_names == ("-",)
            assert {node.role for node in cluster.nodes()} == set(Role) - {Role.VTORC}
            assert cluster.capabilities[Capability.RESTART]
            there = await _state_of(Theirs(namespace=marks.namespace, name=run, context=api.context))
            assert there["tables"] == {"-": ["customer"]}  # the spec's own schema
            assert there["vschema"] == json.loads(spec.vschema)
    finally:
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
        await removed(api, marks.namespace)


async def _known(api: Api) -> bool:
    try:
        await api.list(VITESS_CLUSTER, "default")
    except ClusterError:
        return False
    return True


async def _act(api: Api, spec: ClusterSpec, namespace: str) -> None:
    async def applied() -> Any:
        return await api.get(VITESS_CLUSTER, NAME, namespace)

    await wait.until("a VitessCluster", applied, timeout_s=30)
    await _tell(api, namespace, {"observedGeneration": 1})
    bare = replace(spec, schema=(), vschema="")
    await deployed(api, Stranger(bare, await images_of(api, spec), namespace, operator=NAME))
    await _tell(
        api,
        namespace,
        {
            "keyspaces": {spec.keyspace: {"readyShards": 1, "readyTablets": 2}},
            "cells": {spec.cell: {"gatewayAvailable": "True"}},
            "vitessDashboard": {"available": "True"},
        },
    )


async def _tell(api: Api, namespace: str, status: Mapping[str, Any]) -> None:
    await api.patch(VITESS_CLUSTER, NAME, {"status": status}, namespace, subresource="status")


DEFINED: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "vitessclusters.planetscale.com"},
    "spec": {
        "group": "planetscale.com",
        "names": {"kind": "VitessCluster", "plural": "vitessclusters", "singular": "vitesscluster"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v2",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
