"""Refusals, records, and the finding and removing of what was left. The server is a fake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusters.kubernetes import healing, manifests, names, records, removal
from clusters.kubernetes.backend import KubernetesBackend, marks_of
from clusters.kubernetes.records import Record
from clusters.kubernetes.resources import NAMESPACE
from harness.base.owner import this_process
from harness.model import ClusterSpec, Placement
from tests.unit.kubernetes_fakes import FakeServer

RUN = "20261121-082118-reparent-storm-ab12"
SMALL = ClusterSpec(shards=1)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of our own, and no cluster but the fake one."""
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def namespace(run: str, *, started: int | None = None) -> tuple[str, dict[str, object]]:
    """A run's namespace by its path; of this process, or of one that began at another time."""
    me = this_process()
    marks = replace(marks_of(run), owner=(me if started is None else replace(me, started=started)).text)
    return NAMESPACE.path(name=marks.namespace), manifests.namespace(marks)


def record(run: str, path: Path) -> Record:
    return Record(
        run=run, namespace=names.namespace_of(run), context="one", kubeconfig=str(path / "kubeconfig"), server="s"
    )


async def test_no_cluster_is_a_refusal() -> None:
    (refusal,) = await KubernetesBackend().refusals(SMALL, Placement())
    assert "no Kubernetes cluster is configured" in refusal


async def test_a_missing_right_is_named(tmp_path: Path) -> None:
    server = FakeServer(denied={("create", "namespaces"), ("list", "pods")})
    async with server.opened(tmp_path):
        refusals = await KubernetesBackend().refusals(SMALL, Placement(image="x/y:z"))
    assert len(refusals) == 2
    assert refusals[0].startswith("the context one may not create namespaces (")
    assert refusals[1].startswith("the context one may not list pods (")


async def test_an_unknown_storage_class_is_refused(tmp_path: Path) -> None:
    server = FakeServer(objects={"/apis/storage.k8s.io/v1/storageclasses/fast": {"metadata": {"name": "fast"}}})
    async with server.opened(tmp_path):
        refusals = await KubernetesBackend().refusals(SMALL, Placement(image="x/y:z", storage_class="slow"))
    assert refusals == ("one has no storage class 'slow'; it has fast",)


async def test_a_cluster_that_is_too_large_is_refused(tmp_path: Path) -> None:
    node = {"metadata": {"name": "n"}, "spec": {}, "status": {"allocatable": {"memory": "2Gi"}}}
    async with FakeServer(objects={"/api/v1/nodes/n": node}).opened(tmp_path):
        (refusal,) = await KubernetesBackend().refusals(ClusterSpec(shards=64), Placement(image="x/y:z"))
    assert refusal.startswith("64 shards x 2 tablets in pods need about ")
    assert refusal.endswith("of the machines of one 1.1 GB may be taken")


async def test_what_dead_harnesses_left_is_found(tmp_path: Path) -> None:
    server = FakeServer(objects=dict([namespace(RUN, started=7), namespace("alive"), namespace("gone-elsewhere")]))
    async with server.opened(tmp_path):
        assert list(await healing.orphans()) == [RUN]


async def test_a_run_is_removed_where_it_is_on_record_and_the_record_with_it(tmp_path: Path) -> None:
    server = FakeServer(objects=dict([namespace(RUN), namespace("other")]))
    records.save(record(RUN, tmp_path))
    records.save(record("other", tmp_path))
    async with server.opened(tmp_path) as api:
        removed = await healing.healed(RUN)
        assert removed == [f"namespace vtchaos-{RUN} in one ({api.server})"]
        assert await healing.healed(RUN) == []
    assert list(server.objects) == [NAMESPACE.path(name="vtchaos-other")]
    assert [row.run for row in records.everything()] == ["other"]


async def test_the_pods_go_while_the_namespace_waits(tmp_path: Path) -> None:
    """The order to remove the namespace comes first: its time runs from then on."""
    path, row = namespace(RUN)
    server = FakeServer(objects={path: row})
    async with server.opened(tmp_path) as api:
        assert await removal.namespace_removed(api, names.namespace_of(RUN))
        assert not await removal.namespace_removed(api, names.namespace_of(RUN))
    deleted = [path.rpartition("/")[2] for method, path in server.asked if method == "DELETE"]
    assert deleted[:3] == [names.namespace_of(RUN), "statefulsets", "pods"]


def test_a_record_of_another_version_is_left_out(tmp_path: Path) -> None:
    records.save(record(RUN, tmp_path))
    (tmp_path / "kubernetes" / "odd.json").write_text("{}")
    assert [row.run for row in records.everything()] == [RUN]
    records.forget(names.namespace_of(RUN))
    records.forget(names.namespace_of(RUN))
    assert records.of(RUN) == ()
