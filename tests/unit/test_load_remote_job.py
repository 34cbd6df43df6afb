"""Load pods in Kubernetes, without one: the Job, what is read off its pods, the conversation with a station."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from clusters.kubernetes import load_job, names
from clusters.kubernetes.api import Api
from clusters.kubernetes.load_job import INDEX, JobPlace, PodConversation, end_of, job
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import Manifest
from harness.base.errors import ClusterError, WaitTimeout
from harness.contracts import Observer
from harness.model import ClusterSpec, Event, Role

MARKS = Marks(run="20261121-run", namespace="vtchaos-20261121-run")
LAYOUT = names.layout_of(ClusterSpec(shards=1), mysql="9.7.4", etcd="3.6.10", logs=Path("/nonexistent"))


class Nobody:
    def on_event(self, event: Event) -> None: ...
    def on_progress(self, what: str, done: int | None, total: int | None) -> None: ...


def pod(index: int, state: Mapping[str, Any], phase: str = "Running", **status: Any) -> Manifest:
    return {
        "metadata": {"name": f"load-{index}-abcde", "uid": f"u{index}", "labels": {INDEX: str(index)}},
        "spec": {},
        "status": {"phase": phase, "containerStatuses": [{"name": "load", "state": state}], **status},
    }


RUNNING: dict[str, Any] = {"running": {}}
OOM: dict[str, Any] = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}


@dataclass
class FakeSession:
    """A session whose program says what the test wants."""

    says: Sequence[tuple[int, bytes]] = ()
    breaks: str = ""
    status: int | None = None
    heard: list[bytes] = field(default_factory=list)

    async def send(self, data: bytes) -> None:
        self.heard.append(data)

    async def pieces(self) -> AsyncIterator[tuple[int, bytes]]:
        for piece in self.says:
            yield piece
        if self.breaks:
            raise ApiError("sh in load-0/load", 0, self.breaks)


@dataclass
class FakeApi:
    """Answers `list` with one generation of pods after the other, the last for ever."""

    generations: list[list[Manifest]]
    session_of: FakeSession = field(default_factory=FakeSession)
    created: list[Manifest] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    sessions: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    async def create(self, manifest: Manifest) -> Manifest:
        self.created.append(manifest)
        return manifest

    async def list(self, resource: Any, namespace: str, *, labels: str) -> tuple[Manifest, ...]:
        assert labels == f"job-name={self.created[-1]['metadata']['name']}"
        found = self.generations.pop(0) if len(self.generations) > 1 else self.generations[0]
        return tuple(found)

    async def get(self, resource: Any, name: str, namespace: str) -> Manifest | None:
        return next((found for found in self.generations[-1] if found["metadata"]["name"] == name), None)

    async def delete(self, resource: Any, name: str, namespace: str, *, grace_s: int) -> bool:
        self.deleted.append(name)
        return True

    @asynccontextmanager
    async def session(self, namespace: str, name: str, container: str, argv: Sequence[str]) -> AsyncIterator[Any]:
        self.sessions.append((name, tuple(argv)))
        yield self.session_of


def place(api: FakeApi) -> JobPlace:
    async def image(observer: Observer) -> str:
        return "vtchaos/load:1"

    return JobPlace(cast(Api, api), LAYOUT, MARKS, image=image, user=999)


# ---------------------------------------------------------------- the Job


def test_the_job_has_the_run_s_marks_and_no_second_try() -> None:
    made = job(MARKS, "load-x", "vtchaos/load:1", 3, user=999)
    spec, pod_spec = made["spec"], made["spec"]["template"]["spec"]
    for labels in (made["metadata"]["labels"], spec["template"]["metadata"]["labels"]):
        assert labels["vtchaos.dev/run"] == "20261121-run"
        assert labels["vtchaos.dev/node"] == "load"
    assert made["metadata"]["namespace"] == "vtchaos-20261121-run"
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (3, 3, "Indexed")
    assert (spec["backoffLimit"], pod_spec["restartPolicy"]) == (0, "Never")
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["ttlSecondsAfterFinished"] > 0
    assert pod_spec["automountServiceAccountToken"] is False
    assert pod_spec["securityContext"]["runAsNonRoot"] is True
    assert "limits" not in pod_spec["containers"][0]["resources"]


@pytest.mark.parametrize(("count", "cpu"), [(1, "500m"), (2, "400m"), (4, "200m"), (64, "50m")])
def test_the_pods_together_ask_for_less_than_a_core(count: int, cpu: str) -> None:
    (container,) = job(MARKS, "load-x", "i", count, user=1)["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == cpu


async def test_runs_on_one_kept_cluster_have_jobs_of_their_own(tmp_path: Path) -> None:
    api = FakeApi([[pod(0, RUNNING), pod(1, RUNNING)]])
    await _starts(api, tmp_path)
    await _starts(api, tmp_path)
    first, second = (made["metadata"]["name"] for made in api.created)
    assert first != second
    assert len(first) <= 50  # its pods' names are longer by nine letters
    assert api.deleted == [first, second]


# ---------------------------------------------------------------- its pods


async def test_a_station_is_run_in_every_pod_in_the_job_s_order(tmp_path: Path) -> None:
    api = FakeApi([[], [pod(1, RUNNING), pod(0, {"waiting": {"reason": "ContainerCreating"}})],
                   [pod(1, RUNNING), pod(0, RUNNING)]])  # fmt: skip
    there = place(api)
    await there.prepare(Nobody())
    async with there.programs("harness.load.remote", count=2, logs=tmp_path) as talks:
        assert [talk.name for talk in talks] == ["load pod 1", "load pod 2"]
        assert [name for name, _ in api.sessions] == ["load-0-abcde", "load-1-abcde"]
        assert api.sessions[0][1][-1].endswith("exec python3 -m harness.load.remote")
        assert not api.deleted
    (made,) = api.created
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "vtchaos/load:1"
    assert api.deleted == [made["metadata"]["name"] for made in api.created] != []


async def _starts(api: FakeApi, tmp_path: Path) -> None:
    async with place(api).programs("m", count=2, logs=tmp_path):
        pass


async def test_a_pod_that_cannot_start_is_told_and_the_job_removed(tmp_path: Path) -> None:
    pull = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    for broken, says in (
        (pod(1, pull, "Pending"), r"load-1-abcde does not start: container load: ErrImagePull \(no such image\)"),
        (pod(1, OOM, "Failed"), r"load-1-abcde does not start: .*OOMKilled \(status 137\)"),
    ):
        api = FakeApi([[pod(0, RUNNING), broken]])
        with pytest.raises(ClusterError, match=says):
            await _starts(api, tmp_path)
        assert api.deleted == [made["metadata"]["name"] for made in api.created] != []


async def test_a_job_that_may_not_be_made_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(self: FakeApi, manifest: Manifest) -> Manifest:
        raise ApiError("POST jobs", 403, "may not create jobs")

    monkeypatch.setattr(FakeApi, "create", refused)
    api = FakeApi([[]])
    with pytest.raises(ApiError, match="may not create jobs"):
        await _starts(api, tmp_path)
    assert not api.deleted


async def test_pods_without_a_place_are_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_job, "START_WITHIN_S", 0.1)
    row = {"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}
    api = FakeApi([[pod(0, RUNNING), pod(1, {}, "Pending", conditions=[row])]])
    with pytest.raises(WaitTimeout, match=r"2 load pods run: .*1 of 2 run: load-1-abcde: no place: Insufficient cpu"):
        await _starts(api, tmp_path)
    assert api.deleted


def test_stations_reach_nodes_by_their_names_in_the_namespace() -> None:
    vtgate = next(node for node in LAYOUT.nodes if node.role is Role.VTGATE)
    assert place(FakeApi([[]])).address(vtgate, "mysql") == ("vtgate-1-0.vt", LAYOUT.port(vtgate, "mysql"))


# ---------------------------------------------------------------- the conversation


def talk(session: FakeSession, api: FakeApi, tmp_path: Path) -> PodConversation:
    log = tmp_path / "load-pod-1.log"
    return PodConversation(cast(Api, api), "ns", "load-0-abcde", cast(Any, session), number=1, log=log)


async def test_what_it_says_to_people_goes_to_its_log(tmp_path: Path) -> None:
    session = FakeSession([(1, b"a"), (2, b"Traceback\n"), (1, b"b")])
    conversation = talk(session, FakeApi([[pod(0, RUNNING)]]), tmp_path)
    assert [await conversation.read() for _ in range(3)] == [b"a", b"b", b""]
    await conversation.write(b"x")
    assert session.heard == [b"x"]
    session.status = 1
    assert await conversation.obituary() == "its station ended with status 1\nTraceback"


async def test_a_broken_connection_is_told_apart_from_a_dead_pod(tmp_path: Path) -> None:
    session = FakeSession(breaks="the connection broke before the program ended")
    for found, says in (
        ([pod(0, RUNNING)], ""),
        ([pod(0, OOM, "Failed")], "\nthe pod load-0-abcde: OOMKilled (status 137)"),
        ([], "\nthe pod load-0-abcde is gone"),
    ):
        conversation = talk(session, FakeApi([found]), tmp_path)
        assert await conversation.read() == b""
        broke = "Kubernetes: sh in load-0/load: the connection broke before the program ended"
        assert await conversation.obituary() == broke + says


def test_the_end_of_a_pod() -> None:
    assert end_of(pod(0, RUNNING)) == ""
    evicted = pod(0, {}, "Failed", reason="Evicted", message="low on memory")
    assert end_of(evicted) == "the pod load-0-abcde: Evicted, low on memory"
