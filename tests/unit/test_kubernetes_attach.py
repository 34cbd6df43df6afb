"""What is put into somebody else's keyspace and taken out again; whose process is which; what may be done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from clusters.common.processes import Exit
from clusters.kubernetes import attach_permits, rbac
from clusters.kubernetes.attach import State
from clusters.kubernetes.attach_keeper import AttachedKeeper, refuse_changed
from clusters.kubernetes.attach_processes import AttachedProcesses
from clusters.kubernetes.attach_reach import _same_process
from clusters.kubernetes.attach_schema import Added, LoadTable, merged, without
from clusters.kubernetes.attach_watch import Begun, Ended, Lives, watch
from clusters.kubernetes.discovery import Owner, Program, programs
from clusters.kubernetes.discovery_layout import assembled
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import RESOURCES, Resource
from clusters.kubernetes.sockets import Ran
from harness.base.errors import ClusterError, PlanError
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import Capability, Placement
from tests.unit.test_kubernetes_discovery import LOGS, TOPOLOGY, container, operator_pods, pod
from tests.unit.test_kubernetes_safety import TARGET

LEDGER = LoadTable(name="ledger", sql=LEDGER_SQL, vschema=LEDGER_VSCHEMA)
THEIRS = {
    "sharded": True,
    "require_explicit_routing": True,
    "vindexes": {"xxhash": {"type": "xxhash"}},
    "tables": {"customer": {"column_vindexes": [{"column": "id", "name": "xxhash"}]}},
}


# ---------------------------------------------------------------- the vschema


def put(theirs: dict[str, Any], *, shards: int = 2) -> tuple[dict[str, Any], Added]:
    text, added = merged(json.dumps(theirs), LEDGER, keyspace="shop", shards=shards)
    return json.loads(text), added


def test_the_ledger_is_added_to_their_vschema_and_nothing_else_changes() -> None:
    made, added = put(THEIRS)
    assert made["tables"]["customer"] == THEIRS["tables"]["customer"]  # type: ignore[index]
    assert made["vindexes"]["xxhash"] == {"type": "xxhash"}
    assert made["require_explicit_routing"] is True
    assert made["tables"]["ledger"]["column_vindexes"] == [{"column": "id", "name": "by_number"}]
    assert made["vindexes"]["by_number"] == {"type": "numeric"}
    assert added == Added(table="ledger", vindexes=("by_number",))


def test_what_was_added_is_taken_out_again_and_their_changes_meanwhile_stay() -> None:
    made, added = put(THEIRS)
    assert json.loads(without(json.dumps(made), added)) == THEIRS
    made["tables"]["order"] = {"column_vindexes": [{"column": "id", "name": "xxhash"}]}
    left = json.loads(without(json.dumps(made), added))
    assert set(left["tables"]) == {"customer", "order"}
    assert set(left["vindexes"]) == {"xxhash"}


def test_a_vindex_that_they_have_begun_to_use_stays() -> None:
    made, added = put(THEIRS)
    made["tables"]["order"] = {"column_vindexes": [{"column": "id", "name": "by_number"}]}
    assert "by_number" in json.loads(without(json.dumps(made), added))["vindexes"]


def test_a_vindex_of_theirs_that_is_the_same_is_used_and_not_ours_to_remove() -> None:
    theirs = {**THEIRS, "vindexes": {"xxhash": {"type": "xxhash"}, "by_number": {"type": "numeric"}}}
    made, added = put(theirs)
    assert added.vindexes == ()
    assert json.loads(without(json.dumps(made), added)) == theirs


def test_a_vindex_of_theirs_with_the_same_name_and_another_meaning_is_left_alone() -> None:
    theirs = {**THEIRS, "vindexes": {"xxhash": {"type": "xxhash"}, "by_number": {"type": "hash"}}}
    made, added = put(theirs)
    assert made["vindexes"]["by_number"] == {"type": "hash"}
    assert made["tables"]["ledger"]["column_vindexes"] == [{"column": "id", "name": "vtchaos_by_number"}]
    assert json.loads(without(json.dumps(made), added)) == theirs


def test_an_unsharded_keyspace_stays_unsharded() -> None:
    theirs: dict[str, Any] = {"tables": {"customer": {}}}
    made, added = put(theirs, shards=1)
    assert made == {"tables": {"customer": {}, "ledger": {}}}
    assert json.loads(without(json.dumps(made), added)) == theirs


def test_an_empty_vschema_over_several_shards_becomes_sharded_and_empty_again() -> None:
    made, added = put({})
    assert made["sharded"] is True
    assert added.sharded
    assert json.loads(without(json.dumps(made), added)) == {}


@pytest.mark.parametrize(
    ("theirs", "says"),
    [
        ({"tables": {"customer": {}}}, "not sharded, over 2 shards"),
        (
            {**THEIRS, "tables": {"ledger": {"column_vindexes": [{"column": "account", "name": "xxhash"}]}}},
            "has a table ledger",
        ),
    ],
)
def test_a_vschema_that_cannot_take_it_is_refused(theirs: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        put(theirs)


def test_what_an_attach_that_was_cut_short_left_is_taken_over() -> None:
    made, _ = put(THEIRS)
    again, added = put(made)
    assert again == made
    assert added.table == "ledger"


def test_our_table_can_be_told_from_one_of_theirs() -> None:
    assert LEDGER.marked_sql.endswith("COMMENT = 'made by vtchaos attach'")


# ---------------------------------------------------------------- lives


def gate(
    name: str, *, uid: str = "", restarts: int = 0, running: bool = True, owner: str = "gate-7d9f"
) -> dict[str, Any]:
    made = pod(name, "10.0.0.1", container("vtgate", "vtgate", "--port=15001"), owner=("ReplicaSet", owner))
    made["metadata"]["uid"] = uid or f"uid-{name}"
    state: dict[str, Any] = {"running": {}} if running else {"terminated": {"exitCode": 137}}
    status: dict[str, Any] = {"name": "vtgate", "restartCount": restarts, "state": state}
    if restarts:
        status["lastState"] = {"terminated": {"exitCode": 2}}
    made["status"]["containerStatuses"] = [status]
    return made


def lives_of(*pods: dict[str, Any]) -> Lives:
    found = programs(pods)
    lives = Lives({f"vtgate-{number}": each for number, each in enumerate(found, start=1)})
    assert {type(change) for change in lives.take("LISTED", {"items": list(pods)})} <= {Begun}
    return lives


def test_a_restarted_container_is_an_end_and_a_beginning() -> None:
    lives = lives_of(gate("gate-a"))
    changes = lives.take("MODIFIED", gate("gate-a", restarts=1))
    assert [type(each) for each in changes] == [Ended, Begun]
    assert changes[0] == Ended(node="vtgate-1", status=2)


def test_a_container_that_was_killed_has_ended_by_signal_9() -> None:
    lives = lives_of(gate("gate-a"))
    assert lives.take("MODIFIED", gate("gate-a", running=False)) == [Ended(node="vtgate-1", status=-9)]
    assert lives.now("vtgate-1") is None


def test_a_pod_that_replaces_another_takes_its_place() -> None:
    lives = lives_of(gate("gate-a"), gate("gate-b"))
    deleted = Ended(node="vtgate-1", status=-15, cause="gone: its pod was deleted")
    assert lives.take("DELETED", gate("gate-a")) == [deleted]
    (begun,) = lives.take("ADDED", gate("gate-c"))
    assert isinstance(begun, Begun)
    assert (begun.node, begun.life.program.pod) == ("vtgate-1", "gate-c")
    second = lives.now("vtgate-2")
    assert second is not None
    assert second.program.pod == "gate-b"


@pytest.mark.parametrize("how", ["leaving", "another"])
def test_a_pod_that_was_deleted_is_the_cause_of_the_end(how: str) -> None:
    lives = lives_of(gate("gate-a"))
    now = gate("gate-a", running=False)
    now["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z"} if how == "leaving" else {"uid": "another"}
    (ended,) = lives.take("MODIFIED", now)
    assert ended == Ended(node="vtgate-1", status=-15, cause="gone: its pod was deleted")


@pytest.mark.parametrize("asked", [False, True])
def test_the_cause_of_an_end_that_was_asked_for_is_ours(asked: bool) -> None:
    exits: list[Exit] = []
    lives = lives_of(gate("gate-a"))
    reach: Any = SimpleNamespace(direct=False)
    processes = AttachedProcesses(None, "vitess", None, None, reach, lives)  # type: ignore[arg-type]
    processes.on_exit(exits.append)
    processes._asked |= {"vtgate-1"} if asked else set()
    for change in lives.take("DELETED", gate("gate-a")):
        processes.take(change)
    assert [(each.asked, each.cause) for each in exits] == [(asked, "" if asked else "gone: its pod was deleted")]


@pytest.mark.parametrize("space", [None, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}])
async def test_a_namespace_that_goes_ends_the_watch_with_a_sentence(space: Any) -> None:
    class Going:
        def __init__(self, *spaces: Any) -> None:
            self._spaces = list(spaces)

        async def watch(self, resource: Resource, namespace: str) -> AsyncIterator[tuple[str, Any]]:
            yield "LISTED", {"items": [gate("gate-a")]}
            yield "DELETED", gate("gate-a")
            yield "ADDED", gate("gate-b")
            yield "DELETED", gate("gate-b")

        async def get(self, resource: Resource, name: str) -> Any:
            return self._spaces.pop(0)

    seen: list[Begun | Ended] = []
    lives = Lives({"vtgate-1": programs([gate("gate-a")])[0]})
    with pytest.raises(ClusterError, match="the namespace vitess was deleted while it was in use"):
        await watch(Going({"metadata": {}}, space), "vitess", lives, seen.append)  # type: ignore[arg-type]
    assert [type(each) for each in seen] == [Begun, Ended, Begun, Ended]


def test_a_pod_of_somebody_elses_takes_no_place() -> None:
    lives = lives_of(gate("gate-a"))
    lives.take("DELETED", gate("gate-a"))
    assert lives.take("ADDED", gate("other-a", owner="other-1")) == []


def test_a_tablets_pod_is_known_by_its_alias() -> None:
    tablets = [each for each in operator_pods() if "vttablet" in each["metadata"]["name"]][:1]
    for status in ("vttablet", "mysqld"):
        tablets[0]["status"].setdefault("containerStatuses", []).append(
            {"name": status, "restartCount": 0, "state": {"running": {}}}
        )
    vttablet = next(each for each in programs(tablets) if each.container == "vttablet")
    lives = Lives({"vttablet-1": vttablet})
    lives.take("LISTED", {"items": tablets})
    again = json.loads(json.dumps(tablets[0]))
    again["metadata"] |= {"name": "made-anew", "uid": "another"}
    lives.take("DELETED", tablets[0])
    (begun,) = lives.take("ADDED", again)
    assert begun.node == "vttablet-1"


# ---------------------------------------------------------------- what is permitted


class FakeApi:
    """An Api that may some things. `answers`: container → what the signal script prints there; None: no shell."""

    def __init__(
        self, *, denied: tuple[str, ...] = (), answers: Mapping[str, str | None] = {}, replicas: int = 1
    ) -> None:
        self.denied, self.answers, self.replicas = denied, answers, replicas
        self.asked: list[str] = []
        self.patched: list[tuple[str, Mapping[str, Any]]] = []

    async def can(
        self, verb: str, resource: Resource, namespace: str = "", *, subresource: str = "", name: str = ""
    ) -> bool:
        what = f"{verb} {resource.plural}" + (f"/{subresource}" if subresource else "")
        self.asked.append(f"{what} {namespace} {name}".strip())
        return what not in self.denied

    async def exec(self, namespace: str, pod: str, container: str, argv: tuple[str, ...], *, timeout_s: float) -> Any:
        answer = self.answers.get(container, "7\n")
        if answer is None:
            raise ApiError("exec", 500, "no such file: sh")

        return Ran(status=0, stdout=answer.encode(), stderr=b"")

    async def get(self, resource: Resource, name: str, namespace: str = "", *, subresource: str = "") -> Any:
        return {"spec": {"replicas": self.replicas}}


def theirs(*, volume: bool = True, owner: tuple[str, str] = ("StatefulSet", "t")) -> dict[str, Program]:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "x"}}] if volume else []
    made = pod(
        "t-0",
        "10.0.0.1",
        container("vttablet", "vttablet", "--tablet-path=zone1-100"),
        container("mysqld", "mysqld"),
        owner=owner,
        volumes=volumes,
    )
    return {f"{each.role}-100": each for each in programs([made])}


def permits(api: FakeApi, programs_: dict[str, Program]) -> attach_permits.Permits:
    return asyncio.run(attach_permits.asked(api, "vitess", programs_))  # type: ignore[arg-type]


def test_everything_is_permitted_where_shells_rights_and_volumes_are() -> None:
    found = permits(FakeApi(), theirs())
    assert found.signals == ""
    assert found.restarts == ""
    assert found.scales == dict.fromkeys(("vttablet-100", "mysqld-100"), Owner(kind="StatefulSet", name="t"))
    assert set(found.capabilities) == set(Capability)
    assert found.capabilities[Capability.LINKS]  # never: what it takes cannot be removed from their pods


@pytest.mark.parametrize(
    ("api", "says"),
    [
        (FakeApi(denied=("create pods/exec",)), "the right to create pods/exec in the namespace vitess"),
        (FakeApi(answers={"vttablet": None}), "no shell"),
        (FakeApi(answers={"mysqld": "1\n"}), "first process of its container"),
        (FakeApi(answers={"vttablet": ""}), "was not found"),
    ],
)
def test_why_no_signal_can_be_sent(api: FakeApi, says: str) -> None:
    assert says in permits(api, theirs()).signals


@pytest.mark.parametrize(
    ("api", "programs_", "says"),
    [
        (FakeApi(denied=("patch statefulsets/scale",)), theirs(), "the right to patch statefulsets/scale"),
        (FakeApi(), theirs(volume=False), "data of mysqld-100 would go with its pod"),
        (FakeApi(replicas=3), theirs(), "has 3 pods, which stop together"),
        (FakeApi(), theirs(owner=("VitessShard", "shop-x-80")), "made by a VitessShard (shop-x-80)"),
        (FakeApi(), theirs(owner=("", "")), "made by nobody"),
    ],
)
def test_why_a_node_cannot_be_stopped(api: FakeApi, programs_: dict[str, Program], says: str) -> None:
    assert says in permits(api, programs_).restarts


def test_a_deployment_stands_behind_its_replica_set() -> None:
    made = pod("gate-7d9f-x", "10.0.0.1", container("vtgate", "vtgate"), owner=("ReplicaSet", "gate-7d9f"))
    made["metadata"]["labels"] = {"pod-template-hash": "7d9f"}
    (program,) = programs([made])
    assert attach_permits.workload_of(program) == Owner(kind="Deployment", name="gate")


# ---------------------------------------------------------------- rights


@pytest.mark.parametrize("kit", list(rbac.KITS))
def test_the_printed_manifest_gives_exactly_the_rights_of_the_table(kit: str) -> None:
    objects = list(yaml.safe_load_all(rbac.manifest(kit, namespace="shop")))
    kinds = [each["kind"] for each in objects]
    roles = [each for each in objects if each["kind"] in ("Role", "ClusterRole")]
    given = {
        (rule["apiGroups"][0], rule["resources"][0], verb, *rule.get("resourceNames", [""]))
        for rule in roles[0]["rules"]
        for verb in rule["verbs"]
    }
    wanted = {
        (right.resource.group, right.what, verb, "shop" if right.only == "." else right.only)
        for right in rbac.KITS[kit].rights
        for verb in right.verbs
    }
    assert given == wanted
    assert all("*" not in part for rule in given for part in rule)
    assert kinds.count("ServiceAccount") == 1
    assert kinds.count("Role") + kinds.count("ClusterRole") == kinds.count("RoleBinding") + kinds.count(
        "ClusterRoleBinding"
    )
    assert ("ClusterRole" in kinds) is (kit == "own")  # attaching takes nothing outside of the namespace
    if kit != "own":
        assert roles[1]["metadata"]["namespace"] == "kube-system"
        assert roles[1]["rules"] == [
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"], "resourceNames": ["kube-system"]}
        ]


def test_a_missing_right_is_named_with_its_reason() -> None:
    api = FakeApi(denied=("watch pods", "get pods/log"))
    said = asyncio.run(rbac.lacking(api, "vitess", rbac.ATTACH))  # type: ignore[arg-type]
    assert said == (
        "it takes the right to watch pods in the namespace vitess (find Vitess, and see when a pod is replaced)",
        "it takes the right to get pods/log in the namespace vitess (read the logs)",
    )
    assert "get namespaces vitess vitess" in api.asked


def test_every_right_is_about_a_kind_that_is_known() -> None:
    assert all(right.resource in RESOURCES for kit in rbac.KITS.values() for right in kit.rights)


# ---------------------------------------------------------------- the keeper, reach


def test_a_process_at_a_pods_address_is_the_pods_only_with_its_command_line_and_age() -> None:
    one = {"cmdline": ["/vt/bin/vtgate", "--port=15001"], "Uptime": 10_000_000_000}
    assert _same_process(one, {**one, "Uptime": 10_100_000_000})
    assert not _same_process(one, {**one, "Uptime": 99_000_000_000})
    assert not _same_process(one, {**one, "cmdline": ["/vt/bin/vtgate"]})
    assert not _same_process({}, {})


def test_a_cluster_that_changed_is_attached_to_anew() -> None:
    found = assembled(programs(operator_pods()), TOPOLOGY, keyspace="", versions={}, logs=LOGS)
    state = State(name="theirs", target=TARGET, spec=found.layout.spec, added=Added(table="ledger"))
    refuse_changed(state, found)
    later = assembled(
        programs(operator_pods()),
        TOPOLOGY,
        keyspace="",
        versions={("example-zone1-vtgate-bc6cde92-x1", "vtgate"): "25.0.0"},
        logs=LOGS,
    )
    with pytest.raises(ClusterError, match="changed since it was attached"):
        refuse_changed(state, later)


async def test_up_does_not_attach(tmp_path: Any) -> None:
    keeper = AttachedKeeper()
    with pytest.raises(PlanError, match="vtchaos attach"):
        await keeper.start("x", None, Placement(), folder=tmp_path, observer=None)  # type: ignore[arg-type]
    assert not (await keeper.look(tmp_path)).alive
    await keeper.stop(tmp_path)  # nothing was attached to: nothing to take back
