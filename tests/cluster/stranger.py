"""A Vitess on Kubernetes as somebody else would deploy it: plain containers that run the programs, no agent, no label
of ours. With `operator` its pods look like vitess-operator's: its labels, its ports' names, its way to give addresses.

    python -m tests.cluster.stranger up NAMESPACE [--operator] [--shards N]
    python -m tests.cluster.stranger down NAMESPACE
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clusters.common import commands
from clusters.common.images import DATA, Images
from clusters.common.layout import Layout
from clusters.common.mysqld import my_cnf
from clusters.images import provided
from clusters.kubernetes import discovery, names
from clusters.kubernetes.api import Api
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.resources import NAMESPACE, POD
from clusters.kubernetes.store import NodeImages
from harness.base import procs, wait
from harness.model import ClusterSpec, Node, Placement, Role
from harness.mysql.session import admin_session
from harness.vitess.proto import vtctldata_pb2
from harness.vitess.vtctld import VtctldClient, VtctldError

THEIR_TABLE = "CREATE TABLE customer (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(64))"
THEIR_VSCHEMA = {
    "sharded": True,
    "vindexes": {"xxhash": {"type": "xxhash"}},
    "tables": {"customer": {"column_vindexes": [{"column": "id", "name": "xxhash"}]}},
}
SPEC = ClusterSpec(
    keyspace="shop",
    shards=2,
    vtgate_flags={"enable-buffer": "true"},
    schema=(THEIR_TABLE,),
    vschema=json.dumps(THEIR_VSCHEMA),
)
KUBECTL_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 120.0
Manifest = dict[str, Any]


class Silent:
    """Nobody watches."""

    def on_event(self, event: object) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return


async def images_of(api: Api, spec: ClusterSpec) -> Images:
    """Brought to the nodes."""
    marks = Marks(run="stranger", namespace=names.namespace_of("stranger-images"))
    return await provided(spec, Placement(), store=NodeImages(api, marks), observer=Silent())


class Stranger:
    """Their objects."""

    def __init__(
        self, spec: ClusterSpec, images: Images, namespace: str, *, operator: str = "", volumes: str = ""
    ) -> None:
        """`operator`: name of the VitessCluster that its pods seem to be of. `volumes`: a folder of the node where data
        outlives its pod, and the pods' containers see each other's processes; "" = neither."""
        self.spec, self.namespace = spec, namespace
        self._images, self._operator, self._volumes = images, operator, volumes
        programs = images.programs
        self.layout: Layout = names.layout_of(
            spec, mysql=programs.mysql.version, etcd=programs.etcd.version, logs=Path("/nowhere")
        )

    def first(self) -> list[Manifest]:
        """What the topology needs."""
        meta: Manifest = {"name": "vt", "namespace": self.namespace}
        service = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"app": "vitess"}}
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}},
            {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
            *(self._workload(node) for node in self.layout.of(Role.ETCD, Role.VTCTLD)),
        ]

    def tablets(self) -> list[Manifest]:
        return [self._workload(node) for node in self.layout.of(Role.VTTABLET)]

    def vtgates(self) -> list[Manifest]:
        return [self._workload(node) for node in self.layout.of(Role.VTGATE)]

    # ------------------------------------------------ objects

    def _workload(self, node: Node) -> Manifest:
        """A StatefulSet where a name must last, a Deployment elsewhere."""
        name = names.set_of(node)
        lasting = node.role in (Role.ETCD, Role.VTTABLET)
        labels = {"app": "vitess", "part": name, **self._labels(node)}
        nodes = [self.layout.mysqld_of(node), node] if node.role is Role.VTTABLET else [node]
        pod: Manifest = {
            "metadata": {"labels": labels},
            "spec": {
                "shareProcessNamespace": bool(self._volumes),
                "initContainers": self._prepared(node),
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 5,
                "securityContext": {"runAsUser": self._images.user, "fsGroup": self._images.user},
                "containers": [self._container(each) for each in nodes],
                "volumes": [self._volume(name, node)],
            },
        }
        spec: Manifest = {"replicas": 1, "selector": {"matchLabels": {"part": name}}, "template": pod}
        if lasting:
            spec["serviceName"] = "vt"
        return {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet" if lasting else "Deployment",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        }

    def _volume(self, name: str, node: Node) -> Manifest:
        if self._volumes and node.role in (Role.VTTABLET, Role.ETCD):
            host = {"path": f"{self._volumes}/{name}", "type": "DirectoryOrCreate"}
            return {"name": "data", "hostPath": host}
        return {"name": "data", "emptyDir": {}}

    def _prepared(self, node: Node) -> list[Manifest]:
        """A folder of the node belongs to root when it is made."""
        if not self._volumes or node.role not in (Role.VTTABLET, Role.ETCD):
            return []
        user = self._images.user
        return [
            {
                "name": "own",
                "image": self._images.of(node, self.spec),
                "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", f"chown {user}:{user} {DATA}"],
                "securityContext": {"runAsUser": 0},
                "volumeMounts": [{"name": "data", "mountPath": str(DATA)}],
            }
        ]

    def _labels(self, node: Node) -> dict[str, str]:
        if not self._operator:
            return {}
        shard = "-".join(part or "x" for part in node.shard.split("-")) if "-" in node.shard else "x-x"
        labels = {discovery.COMPONENT: node.role.value, discovery.CLUSTER: self._operator, discovery.CELL: node.cell}
        if node.tablet_uid:
            labels |= {discovery.KEYSPACE: node.keyspace, discovery.SHARD: shard}
            labels |= {discovery.TABLET_UID: str(node.tablet_uid), discovery.TABLET_TYPE: "replica"}
        return labels

    def _container(self, node: Node) -> Manifest:
        command = commands.command(self.layout, self._images.programs, node)
        environment: list[Manifest] = [{"name": key, "value": value} for key, value in command.env.items()]
        environment.append({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
        made: Manifest = {
            "name": node.role.value,
            "image": self._images.of(node, self.spec),
            "imagePullPolicy": "IfNotPresent",
            "env": environment,
            "ports": self._ports(node),
            "resources": {"requests": {"cpu": "5m", "memory": "48Mi"}},
            "volumeMounts": [{"name": "data", "mountPath": str(DATA)}],
        }
        if self._operator and node.role is not Role.MYSQLD:
            argv = [self._as_operator(word) for word in command.argv]
            folder = self._folder(node, command)
            made |= {"command": ["sh", "-c", f'{folder}; cd {command.cwd}; exec "$@"', "-"], "args": argv}
            if node.role in (Role.VTGATE, Role.VTCTLD):  # they need no folder
                made |= {"command": [argv[0]], "args": argv[1:]}
            return made
        return made | {"command": ["sh", "-c", self._script(node, command)]}

    def _as_operator(self, word: str) -> str:
        """Flags with underscores, and the address out of the environment (pkg/operator/vttablet/flags.go)."""
        if word.startswith("--tablet-hostname="):
            return "--tablet_hostname=$(POD_IP)"
        return word.replace("--grpc-port", "--grpc_port").replace("--enable-buffer", "--enable_buffer")

    def _script(self, node: Node, command: commands.Command) -> str:
        words = " ".join(f"'{word}'" for word in command.argv)
        if node.role is not Role.MYSQLD:
            wait_for = (
                f"until [ -d {command.cwd} ]; do sleep 0.2; done" if node.tablet_uid else f"mkdir -p {command.cwd}"
            )
            return f"{wait_for}; cd {command.cwd}; exec {words}"
        folder, template = self.layout.folder(node), self._images.templates[node.keyspace]
        text = my_cnf(
            mysql=self._images.programs.mysql,
            folder=folder,
            server_id=node.tablet_uid,
            address="0.0.0.0",
            port=self.layout.port(node, "mysql"),
            overrides={},
        )
        return (
            f"mkdir -p {folder}/tmp\ncat >{folder}/my.cnf <<'EOF'\n{text}EOF\n"
            f"[ -d {folder}/data ] || {{ cp -r {template} {folder}/new && mv {folder}/new {folder}/data; }}\n"
            f"cd {folder}/data\nexec {words}\n"
        )

    def _folder(self, node: Node, command: commands.Command) -> str:
        """A vttablet lives in the data directory, which its mysqld makes."""
        if node.tablet_uid:
            return f"until [ -d {command.cwd} ]; do sleep 0.2; done"
        return f"mkdir -p {command.cwd}"

    def _ports(self, node: Node) -> list[Manifest]:
        return [{"name": name, "containerPort": number} for name, number in self.layout.ports[node.name].items()]


async def deployed(api: Api, stranger: Stranger) -> None:
    """Applied with kubectl, set up with vtctld, and serving."""
    spec, layout, namespace = stranger.spec, stranger.layout, stranger.namespace
    await kubectl_apply(api, stranger.first())
    await until_ready(api, namespace, 2)
    vtctld = next(each for each in await api.list(POD, namespace) if "vtctld" in each["metadata"]["name"])
    number = layout.port(layout.node("vtctld"), "grpc")
    async with (
        api.port_forward(namespace, vtctld["metadata"]["name"], number) as (host, port),
        VtctldClient.open(f"{host}:{port}") as client,
    ):
        await until_answers(client)
        etcd_host, etcd_port = layout.address(layout.node("etcd"), "client")
        await client.add_cell_info(spec.cell, server_address=f"{etcd_host}:{etcd_port}", root=f"/vitess/{spec.cell}")
        await client.create_keyspace(spec.keyspace, durability_policy=spec.durability_policy)
        for shard in spec.shard_names:
            await client.create_shard(spec.keyspace, shard)
        await kubectl_apply(api, stranger.tablets())
        await until_ready(api, namespace, 2 + spec.shards * spec.tablets_per_shard)

        async def registered() -> bool:
            tablets = await client.tablets(spec.keyspace)  # a replica asks its source's record for MySQL's port
            return sum(bool(each.mysql_port) for each in tablets) == spec.shards * spec.tablets_per_shard

        await wait.until("the tablets are registered", registered, timeout_s=READY_TIMEOUT_S)
        for shard in spec.shard_names:
            await client.planned_reparent(spec.keyspace, shard)
        if spec.schema:
            await client.apply_schema(spec.keyspace, spec.schema, timeout_s=60)
            await client.apply_vschema(spec.keyspace, spec.vschema)
        await kubectl_apply(api, stranger.vtgates())
        await until_ready(api, namespace, 2 + spec.shards * spec.tablets_per_shard + len(spec.vtgates))
    await until_serving(api, stranger)


async def until_answers(client: VtctldClient) -> None:
    """It has no readiness probe."""

    async def answers() -> bool:
        try:
            await client.call("GetCellInfoNames", vtctldata_pb2.GetCellInfoNamesRequest(), timeout_s=2)
        except VtctldError:
            return False
        return True

    await wait.until("vtctld answers", answers, timeout_s=READY_TIMEOUT_S, poll_s=0.2)


async def until_serving(api: Api, stranger: Stranger) -> None:
    """Its MySQL port opens once it has found its tablets."""
    port = stranger.layout.port(stranger.layout.node("vtgate-1"), "mysql")
    pod = next(each for each in await api.list(POD, stranger.namespace) if "vtgate-1" in each["metadata"]["name"])
    async with api.port_forward(stranger.namespace, pod["metadata"]["name"], port) as address:

        async def serves() -> bool:
            async with admin_session(*address, database=stranger.spec.keyspace) as session:
                return (await session.query("SHOW TABLES", timeout_s=5)).ok

        await wait.until("vtgate-1 serves", serves, timeout_s=READY_TIMEOUT_S, poll_s=0.3)


async def until_ready(api: Api, namespace: str, count: int) -> None:
    async def ready() -> bool:
        pods = await api.list(POD, namespace)
        conditions = [each["status"].get("conditions") or () for each in pods]
        return (
            sum(any(row["type"] == "Ready" and row["status"] == "True" for row in each) for each in conditions) >= count
        )

    await wait.until(f"{count} pods in {namespace} are ready", ready, timeout_s=READY_TIMEOUT_S, poll_s=0.3)


async def kubectl_apply(api: Api, manifests: Sequence[Manifest], *, kubectl: str = "kubectl") -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
    words = ["sh", "-c", f'printf %s "$1" | {kubectl} --context "$2" apply -f -', "-", text, api.context]
    await procs.run(words, timeout_s=KUBECTL_TIMEOUT_S)


async def removed(api: Api, namespace: str) -> None:
    await api.delete(NAMESPACE, namespace)

    async def gone() -> bool:
        return await api.get(NAMESPACE, namespace) is None

    await wait.until(f"{namespace} is gone", gone, timeout_s=READY_TIMEOUT_S, poll_s=0.5)


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("up", "down"))
    parser.add_argument("namespace")
    parser.add_argument("--operator", action="store_true")
    parser.add_argument("--shards", type=int, default=2)
    given = parser.parse_args()
    async with Api.open() as api:
        if given.what == "down":
            await removed(api, given.namespace)
            return
        spec = replace(SPEC, shards=given.shards)
        images = await images_of(api, spec)
        await deployed(api, Stranger(spec, images, given.namespace, operator="example" if given.operator else ""))


if __name__ == "__main__":
    asyncio.run(_main())
