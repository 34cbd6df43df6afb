"""A cluster as vitess-operator's VitessCluster (planetscale.com/v2). Pure.

Fields as in planetscale/vitess-operator, pkg/apis/planetscale/v2/{vitesscluster,vitesscell,vitesskeyspace,vitessshard,
etcdlockserver}_types.go; what a small cluster needs as in test/endtoend/operator/101_initial_cluster.yaml there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from clusters.common import mysqld
from clusters.flags import Binary
from clusters.kubernetes.discovery_layout import WHOLE
from clusters.kubernetes.resources import Manifest
from harness.model import ClusterSpec, KeyspaceSpec, Placement, Role

NAME = "vt"  # of the VitessCluster; every pod's name begins with it
SECRET = "vt-init"
INIT_KEY = "init_db.sql"
TABLET_STORAGE, ETCD_STORAGE = "4Gi", "1Gi"
_INIT_SQL = Path(mysqld.__file__).with_name("init_db.sql")
_CELL = re.compile(r"[A-Za-z0-9]([_.A-Za-z0-9]*[A-Za-z0-9])?")
# What the operator itself gives, as it spells it (pkg/operator/{vtgate,vtctld}/deployment.go, vttablet/flags.go there):
# only under the same spelling does ours replace it. Vitess takes underscores up to release 24.
_ITS_OWN = frozenset(
    (
        "buffer_max_failover_duration",
        "buffer_min_time_between_failovers",
        "cell",
        "cells_to_watch",
        "enable_buffer",
        "enable_queries",
        "enable_realtime_stats",
        "grpc_max_message_size",
        "health_check_interval",
        "init_tablet_type",
        "logtostderr",
        "mysql_auth_server_impl",
        "mysql_server_port",
        "queryserver-config-max-result-size",
        "queryserver-config-pool-size",
        "queryserver-config-query-timeout",
        "queryserver-config-stream-pool-size",
        "queryserver-config-transaction-cap",
        "service_map",
        "tablet_types_to_wait",
    )
)
_REQUESTS: Mapping[Role, tuple[str, str]] = {
    Role.VTGATE: ("20m", "128Mi"),
    Role.VTCTLD: ("10m", "64Mi"),
    Role.VTORC: ("10m", "64Mi"),
    Role.VTTABLET: ("20m", "96Mi"),
    Role.MYSQLD: ("20m", "256Mi"),
    Role.ETCD: ("10m", "64Mi"),
}


def refusals(spec: ClusterSpec, place: Placement) -> tuple[str, ...]:
    """What a VitessCluster cannot express, a sentence each."""
    reasons = []
    versions = {spec.vtgate_version(index) for index in range(len(spec.vtgates))}
    if len(versions) > 1:
        reasons.append(
            f"vitess-operator runs all vtgates of a cluster in one release, not in {', '.join(sorted(versions))}"
        )
    if len({tuple(sorted(vtgate.flags.items())) for vtgate in spec.vtgates}) > 1:
        reasons.append("vitess-operator gives all vtgates of a cell the same flags")
    if not place.image and any("/" in version for version in (spec.vitess, *versions)):
        reasons.append("vitess-operator runs images: a folder of Vitess binaries takes --image")
    if "/" in spec.mysql:
        reasons.append("vitess-operator runs images: a folder with a MySQL server means nothing to it")
    if spec.further_shards:
        reasons.append("vitess-operator has no shards that do not serve beside a partitioning of equal ones")
    if not _CELL.fullmatch(spec.cell):
        reasons.append(f"vitess-operator does not take {spec.cell!r} as a cell's name")
    if place.memory_mb or place.cpus:
        reasons.append("limits of memory and CPU are not mapped into a VitessCluster")
    return tuple(reasons)


def manifests(
    spec: ClusterSpec,
    place: Placement,
    *,
    namespace: str,
    labels: Mapping[str, str],
    binaries: Mapping[Role, Binary] | None = None,
) -> tuple[Manifest, Manifest]:
    """The Secret and the VitessCluster. `binaries`: this host's programs of the same releases, which know how flags
    were spelled before Vitess 23. Raises UsageError for a flag that they do not know."""
    return _secret(namespace, labels), _cluster(spec, place, namespace, labels, binaries or {})


def spelled(flag: str, value: str, binary: Binary | None = None) -> tuple[str, str]:
    """A flag as `extraFlags` wants it: in the operator's spelling, else the binary's, else with dashes; never bare."""
    underscored = flag.replace("-", "_")
    name = underscored if underscored in _ITS_OWN else flag
    if name == flag and flag not in _ITS_OWN and binary is not None:
        name = binary.arguments({flag: "x"})[0].lstrip("-").partition("=")[0]
    return name, value or "true"


def _cluster(
    spec: ClusterSpec, place: Placement, namespace: str, labels: Mapping[str, str], binaries: Mapping[Role, Binary]
) -> Manifest:
    gateway = {
        "replicas": len(spec.vtgates),
        "resources": _requests(Role.VTGATE),
        "extraFlags": _extra(
            {"mysql-auth-server-impl": "none", **spec.vtgate_flags, **spec.vtgates[0].flags}, binaries.get(Role.VTGATE)
        ),
    }
    dashboard = {
        "cells": [spec.cell],
        "replicas": 1,
        "resources": _requests(Role.VTCTLD),
        "extraFlags": _extra(spec.vtctld_flags, binaries.get(Role.VTCTLD)),
    }
    return {
        "apiVersion": "planetscale.com/v2",
        "kind": "VitessCluster",
        "metadata": {"name": NAME, "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "images": _images(spec, place),
            "cells": [{"name": spec.cell, "gateway": gateway}],
            "vitessDashboard": dashboard,
            "globalLockserver": {
                "etcd": {
                    "resources": _requests(Role.ETCD),
                    "dataVolumeClaimTemplate": _claim(ETCD_STORAGE, place.storage_class),
                }
            },
            "keyspaces": [_keyspace(spec, keyspace, place, binaries) for keyspace in spec.keyspaces],
            "updateStrategy": {"type": "Immediate"},
        },
    }


def _images(spec: ClusterSpec, place: Placement) -> Manifest:
    """vitess/lite has a mysqld too; another series is MySQL's own image, which the operator gives its mysqlctld."""
    main, gate = (_image(version, place) for version in (spec.vitess, spec.vtgate_version(0)))
    server = f"mysql:{spec.mysql}" if spec.mysql and not place.image else main
    names = dict.fromkeys(("vtctld", "vttablet", "vtbackup", "vtorc"), main)
    return {**names, "vtgate": gate, "mysqld": {"mysql80Compatible": server}}


def _image(version: str, place: Placement) -> str:
    return place.image.replace("{version}", version) if place.image else f"vitess/lite:v{version}"


def _keyspace(spec: ClusterSpec, keyspace: KeyspaceSpec, place: Placement, binaries: Mapping[Role, Binary]) -> Manifest:
    """Without a backup location: the operator then makes the first primary of each shard from an empty database."""
    tablets = {
        "cell": spec.cell,
        "type": "replica",
        "replicas": keyspace.tablets_per_shard,
        "dataVolumeClaimTemplate": _claim(TABLET_STORAGE, place.storage_class),
        "vttablet": {
            "resources": _requests(Role.VTTABLET),
            "extraFlags": _extra(spec.vttablet_flags, binaries.get(Role.VTTABLET)),
        },
        "mysqld": {"resources": _requests(Role.MYSQLD), "configOverrides": _configuration(spec)},
    }
    shard = {
        "databaseInitScriptSecret": {"name": SECRET, "key": INIT_KEY},
        "tabletPools": [tablets],
    }
    made: Manifest = {
        "name": keyspace.name,
        "durabilityPolicy": spec.durability_policy,
        "turndownPolicy": "Immediate",
        "partitionings": [{"equal": {"parts": keyspace.shards, "shardTemplate": shard}}],
    }
    if spec.vtorc:
        made["vitessOrchestrator"] = {"resources": _requests(Role.VTORC)}
    return made


def as_it_will_be(spec: ClusterSpec) -> ClusterSpec:
    """With the names that the operator gives: the only shard of a keyspace is "-" (keyrange.go, String)."""
    others = tuple(replace(keyspace, whole=WHOLE) for keyspace in spec.others)
    return replace(spec, whole=WHOLE, others=others)


def _configuration(spec: ClusterSpec) -> str:
    """A my.cnf snippet. The operator's mysqld keeps Vitess's own settings; small ones would only slow its volumes."""
    return "".join(f"{key} = {value}\n" for key, value in spec.mysqld_settings.items())


def _extra(flags: Mapping[str, str], binary: Binary | None) -> dict[str, str]:
    return dict(spelled(flag, value, binary) for flag, value in flags.items())


def _requests(role: Role) -> Manifest:
    cpu, memory = _REQUESTS[role]
    return {"requests": {"cpu": cpu, "memory": memory}}


def _claim(size: str, storage_class: str) -> Manifest:
    named = {"storageClassName": storage_class} if storage_class else {}
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **named}


def _secret(namespace: str, labels: Mapping[str, str]) -> Manifest:
    """mysqlctld runs the script on a server that is already read-only, as in the operator's own example."""
    script = f"SET GLOBAL super_read_only = OFF;\n{_INIT_SQL.read_text()}SET GLOBAL super_read_only = ON;\n"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace, "labels": dict(labels)},
        "type": "Opaque",
        "stringData": {INIT_KEY: script},
    }
