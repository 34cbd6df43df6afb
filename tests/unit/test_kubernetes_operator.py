"""A ClusterSpec as a VitessCluster: it fits vitess-operator's schema, and says what the spec says.

The schema here is a table of our own: of the fields that we use, the types, what is required, the patterns and bounds
that the markers in planetscale/vitess-operator, pkg/apis/planetscale/v2/*_types.go, put on them. An unknown field would
be dropped by the API server without a word, so that it is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusters.flags import Binary
from clusters.kubernetes.operator import lacking, problem_of
from clusters.kubernetes.operator_manifest import as_it_will_be, manifests, refusals, spelled
from harness.model import ClusterSpec, KeyspaceSpec, Placement, Role, VtgateSpec

PLACE = Placement(operator=True)
SPEC = ClusterSpec(
    keyspace="shop",
    shards=4,
    tablets_per_shard=3,
    vtorc=True,
    vtgates=(VtgateSpec(), VtgateSpec()),
    vtgate_flags={"enable-buffer": "", "buffer-window": "20s", "buffer-max-failover-duration": "30s"},
    vttablet_flags={"health-check-interval": "1s", "vreplication-copy-phase-duration": "300ms"},
    vtctld_flags={"action-timeout": "1m"},
    mysqld_settings={"max_connections": "900"},
    others=(KeyspaceSpec(name="target", shards=2, tablets_per_shard=2),),
)

TEXT, NUMBER = "string", "integer"
FLAGS = {"*": TEXT}
QUANTITIES = {"requests": {"*": r"\d+(m|Mi|Gi)?"}, "limits": {"*": r"\d+(m|Mi|Gi)?"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources!": QUANTITIES, "storageClassName": TEXT}
SECRET_SOURCE = {"name": TEXT, "key": TEXT, "volumeName": TEXT}
POOL = {
    "cell!": r"[A-Za-z0-9]([_.A-Za-z0-9]*[A-Za-z0-9])?",
    "type!": r"replica|rdonly|externalmaster|externalreplica|externalrdonly",
    "name": TEXT,
    "replicas!": NUMBER,
    "dataVolumeClaimTemplate": CLAIM,
    "vttablet!": {"resources!": QUANTITIES, "extraFlags": FLAGS},
    "mysqld": {"resources!": QUANTITIES, "configOverrides": TEXT},
}
SHARD = {"databaseInitScriptSecret!": SECRET_SOURCE, "tabletPools": [POOL], "replication": {"*": TEXT}}
KEYSPACE = {
    "name!": r"[A-Za-z0-9]([A-Za-z0-9-_.]*[A-Za-z0-9])?",
    "databaseName": TEXT,
    "durabilityPolicy": TEXT,
    "vitessOrchestrator": {"resources": QUANTITIES, "extraFlags": FLAGS},
    "partitionings!": [{"equal": {"parts!": NUMBER, "shardTemplate": SHARD}}],
    "turndownPolicy": r"RequireIdle|Immediate",
}
CLUSTER = {
    "images": {
        **dict.fromkeys(("vtctld", "vtadmin", "vtorc", "vtgate", "vttablet", "vtbackup", "mysqldExporter"), TEXT),
        "mysqld": {"mysql56Compatible": TEXT, "mysql80Compatible": TEXT},
    },
    "cells!": [
        {
            "name!": r"[A-Za-z0-9]([_.A-Za-z0-9]*[A-Za-z0-9])?",
            "gateway": {"replicas": NUMBER, "resources": QUANTITIES, "extraFlags": FLAGS},
        }
    ],
    "vitessDashboard": {"cells": [TEXT], "replicas": NUMBER, "resources": QUANTITIES, "extraFlags": FLAGS},
    "globalLockserver": {"etcd": {"resources": QUANTITIES, "dataVolumeClaimTemplate": CLAIM}},
    "keyspaces": [KEYSPACE],
    "updateStrategy": {"type": r"External|Immediate"},
}


def misfits(value: Any, schema: Any, where: str = "spec") -> list[str]:
    """What of a value does not fit: a dict of fields (`!` = required, `*` = any), a list of one kind, a pattern."""
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return [f"{where}: no object"]
        fields = {key.rstrip("!"): each for key, each in schema.items()}
        found = [
            f"{where}: {key.rstrip('!')} is missing" for key in schema if key.endswith("!") and key[:-1] not in value
        ]
        for key, each in value.items():
            if key not in fields and "*" not in fields:
                found.append(f"{where}.{key}: unknown")
            else:
                found += misfits(each, fields.get(key, fields.get("*")), f"{where}.{key}")
        return found
    if isinstance(schema, list):
        if not isinstance(value, list):
            return [f"{where}: no list"]
        return [each for number, one in enumerate(value) for each in misfits(one, schema[0], f"{where}[{number}]")]
    if schema == NUMBER:
        return [] if isinstance(value, int) and not isinstance(value, bool) else [f"{where}: no number"]
    if not isinstance(value, str):
        return [f"{where}: no text ({value!r})"]
    return [] if schema == TEXT or re.fullmatch(schema, value) else [f"{where}: {value!r} is no {schema}"]


def made(spec: ClusterSpec = SPEC, place: Placement = PLACE, **more: Any) -> dict[str, Any]:
    _, cluster = manifests(spec, place, namespace="run", labels={"vtchaos.dev/run": "r1"}, **more)
    assert cluster["apiVersion"] == "planetscale.com/v2"
    found: dict[str, Any] = cluster["spec"]
    return found


def test_the_schema_check_finds_what_does_not_fit() -> None:
    spec = made()
    spec["keyspaces"][0]["partitionings"][0]["equal"]["shardTemplate"]["tabletPools"][0]["replicas"] = "3"
    spec["cells"][0]["gateway"]["extraFlags"]["a"] = True
    spec["sizes"] = 1
    del spec["keyspaces"][1]["partitionings"]
    said = "\n".join(misfits(spec, CLUSTER))
    for part in ("replicas: no number", "extraFlags.a: no text", "spec.sizes: unknown", "partitionings is missing"):
        assert part in said


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        (SPEC, PLACE),
        (ClusterSpec(), PLACE),
        (replace(SPEC, mysql="8.4"), replace(PLACE, storage_class="fast")),
        (SPEC, replace(PLACE, image="mirror/vitess:{version}")),
    ],
)
def test_it_fits_the_operators_schema(spec: ClusterSpec, place: Placement) -> None:
    assert misfits(made(spec, place), CLUSTER) == []


def test_sizes_and_names() -> None:
    spec = made()
    shop, target = spec["keyspaces"]
    assert shop["partitionings"][0]["equal"]["parts"] == 4
    (pool,) = shop["partitionings"][0]["equal"]["shardTemplate"]["tabletPools"]
    assert (pool["cell"], pool["type"], pool["replicas"]) == ("zone1", "replica", 3)
    assert shop["durabilityPolicy"] == "semi_sync"
    assert "vitessOrchestrator" in shop
    assert "vitessOrchestrator" not in made(replace(SPEC, vtorc=False))["keyspaces"][0]
    assert target["partitionings"][0]["equal"]["parts"] == 2
    assert spec["cells"][0]["gateway"]["replicas"] == 2
    assert "storageClassName" not in pool["dataVolumeClaimTemplate"]
    fast = made(place=replace(PLACE, storage_class="fast"))
    assert fast["globalLockserver"]["etcd"]["dataVolumeClaimTemplate"]["storageClassName"] == "fast"


def test_flags_replace_the_operators_own_only_under_its_spelling() -> None:
    spec = made()
    assert spec["cells"][0]["gateway"]["extraFlags"] == {
        "mysql_auth_server_impl": "none",
        "enable_buffer": "true",
        "buffer-window": "20s",
        "buffer_max_failover_duration": "30s",
    }
    (pool,) = spec["keyspaces"][0]["partitionings"][0]["equal"]["shardTemplate"]["tabletPools"]
    assert pool["vttablet"]["extraFlags"] == {
        "health_check_interval": "1s",
        "vreplication-copy-phase-duration": "300ms",
    }
    assert spec["vitessDashboard"]["extraFlags"] == {"action-timeout": "1m"}
    assert pool["mysqld"]["configOverrides"] == "max_connections = 900\n"


def test_an_old_binary_knows_its_own_spelling() -> None:
    old = Binary(path=Path("/vt/bin/vtgate"), version="21.0.2", flags=frozenset(("buffer_window", "enable_buffer")))
    assert spelled("buffer-window", "20s", old) == ("buffer_window", "20s")
    assert spelled("queryserver-config-pool-size", "4") == ("queryserver-config-pool-size", "4")
    assert (
        made(binaries={Role.VTGATE: replace(old, flags=old.flags | {"buffer_max_failover_duration"})})["cells"][0][
            "gateway"
        ]["extraFlags"]["buffer_window"]
        == "20s"
    )


def test_images() -> None:
    images = made(replace(SPEC, vtgates=(VtgateSpec(version="21.0.2"),)))["images"]
    assert images["vtgate"] == "vitess/lite:v21.0.2"
    assert images["vttablet"] == images["vtctld"] == images["mysqld"]["mysql80Compatible"] == "vitess/lite:v24.0.3"
    assert made(replace(SPEC, mysql="8.4"))["images"]["mysqld"] == {"mysql80Compatible": "mysql:8.4"}
    mirrored = made(place=replace(PLACE, image="mirror/vitess:{version}"))["images"]
    assert mirrored["vtgate"] == "mirror/vitess:24.0.3"


def test_the_init_script_is_there_and_runs_on_a_read_only_server() -> None:
    secret, cluster = manifests(SPEC, PLACE, namespace="run", labels={"vtchaos.dev/run": "r1"})
    source = cluster["spec"]["keyspaces"][0]["partitionings"][0]["equal"]["shardTemplate"]["databaseInitScriptSecret"]
    assert source["name"] == secret["metadata"]["name"]
    script = secret["stringData"][source["key"]]
    assert script.index("super_read_only = OFF") < script.index("vt_dba") < script.index("super_read_only = ON")
    assert secret["metadata"]["labels"] == cluster["metadata"]["labels"] == {"vtchaos.dev/run": "r1"}


@pytest.mark.parametrize(
    ("spec", "place", "says"),
    [
        (replace(SPEC, vtgates=(VtgateSpec(), VtgateSpec(version="21.0.2"))), PLACE, "in one release"),
        (replace(SPEC, vtgates=(VtgateSpec(), VtgateSpec(flags={"a": "1"}))), PLACE, "the same flags"),
        (replace(SPEC, vitess="/src/vitess/bin"), PLACE, "takes --image"),
        (replace(SPEC, mysql="/opt/mysql"), PLACE, "MySQL server"),
        (replace(SPEC, cell="zone-1"), PLACE, "'zone-1' as a cell's name"),
        (replace(SPEC, further_shards=("-40", "40-80")), PLACE, "shards that do not serve"),
        (SPEC, replace(PLACE, memory_mb=512), "limits"),
    ],
)
def test_what_a_vitess_cluster_cannot_express(spec: ClusterSpec, place: Placement, says: str) -> None:
    assert any(says in reason for reason in refusals(spec, place))
    assert refusals(SPEC, PLACE) == ()


def test_the_only_shard_has_the_operators_name() -> None:
    assert as_it_will_be(replace(SPEC, shards=1)).shard_names == ("-",)
    assert as_it_will_be(SPEC).shard_names == SPEC.shard_names


# ---------------------------------------------------------------- the operator itself


def operator(**variable: Any) -> Mapping[str, Any]:
    env = [{"name": "WATCH_NAMESPACE", **variable}] if variable else []
    container = {"name": "vitess-operator", "image": "planetscale/vitess-operator:v2.17.0", "env": env}
    metadata = {"name": "op", "namespace": "vitess", "labels": {"app": "vitess-operator"}}
    return {"metadata": metadata, "spec": {"containers": [container]}}


OWN_NAMESPACE = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}


def test_an_operator_that_watches_all_namespaces_will_act() -> None:
    assert problem_of([operator(value="")]) == ""
    assert problem_of([operator()]) == ""
    assert problem_of([operator(**OWN_NAMESPACE), operator(value="")]) == ""


def test_an_operator_that_watches_its_own_namespace_will_not() -> None:
    assert "only in the namespace vitess" in problem_of([operator(**OWN_NAMESPACE)])
    assert "only in the namespace one" in problem_of([operator(value="one")])


def test_no_operator() -> None:
    other = {"metadata": {"name": "x", "namespace": "y"}, "spec": {"containers": [{"name": "x", "image": "nginx"}]}}
    assert "no vitess-operator runs" in problem_of([other])


def test_it_is_ready_when_its_status_says_so() -> None:
    spec = replace(SPEC, others=())
    status: dict[str, Any] = {
        "keyspaces": {"shop": {"readyShards": 4, "readyTablets": 12}},
        "cells": {"zone1": {"gatewayAvailable": "True"}},
        "vitessDashboard": {"available": "True"},
    }
    assert lacking({"status": status}, spec) == ""
    assert "0 of 4 shards" in lacking({}, spec)
    for key, value, says in (
        ("keyspaces", {"shop": {"readyShards": 4, "readyTablets": 11}}, "11 of 12 tablets"),
        ("cells", {"zone1": {"gatewayAvailable": "Unknown"}}, "no vtgate"),
        ("vitessDashboard", {}, "no vtctld"),
    ):
        assert says in lacking({"status": {**status, key: value}}, spec)
