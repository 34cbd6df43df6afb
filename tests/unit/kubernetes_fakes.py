"""A Kubernetes API server's half of what we use: objects by path, rights, exec, logs and port-forwards."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from clusters.common.commands import Programs
from clusters.common.images import Images
from clusters.kubernetes.api import Api
from clusters.software.installs import EtcdInstall, MysqlInstall

Object = dict[str, Any]

COLLECTIONS = ("pods", "namespaces", "nodes", "statefulsets", "storageclasses")


@dataclass
class FakeServer:
    """Set what it is to answer, then `opened`."""

    objects: dict[str, Object] = field(default_factory=dict)  # path → object
    denied: set[tuple[str, str]] = field(default_factory=set)  # (verb, resource)
    asked: list[tuple[str, str]] = field(default_factory=list)  # (method, path)
    bodies: list[Object] = field(default_factory=list)
    log: list[bytes] = field(default_factory=list)
    exec_status: Object = field(default_factory=lambda: {"status": "Success"})
    changes: list[Object] = field(default_factory=list)  # what a watch tells, then its end
    on_delete: Callable[[str], None] = lambda path: None
    heard: bytes = b""  # on the input of exec

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path))
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.34.2"})
        if request.path.endswith("/exec"):
            return await self._exec(request)
        if request.path.endswith("/portforward"):
            return await self._forward(request)
        if request.path.endswith("/log"):
            return await self._streamed(request, self.log)
        if "watch" in request.query:
            return await self._streamed(request, [json.dumps(row).encode() + b"\n" for row in self.changes])
        if request.path.endswith("/selfsubjectaccessreviews"):
            return self._review(await request.json())
        return await self._object(request)

    async def _object(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if request.method in ("POST", "PATCH"):
            body = await request.json() if request.can_read_body else {}
            self.bodies.append(body)
            if request.method == "POST":
                path = f"{path}/{body['metadata'].get('name', 'made')}"
                if path in self.objects:
                    return _failure(409, "already exists")
            self.objects[path] = {**self.objects.get(path, {}), **body}
            return web.json_response(self.objects[path])
        if request.method == "DELETE":
            self.bodies.append(await request.json())
            self.on_delete(path)
            gone = [known for known in self.objects if known == path or known.startswith(f"{path}/")]
            for known in gone:
                del self.objects[known]
            collection = path.rpartition("/")[2] in COLLECTIONS
            return web.json_response({}) if gone or collection else _failure(404, "not found")
        if path in self.objects:
            return web.json_response(self.objects[path])
        items = [row for known, row in self.objects.items() if known.rpartition("/")[0] == path]
        if items or path.rpartition("/")[2] in COLLECTIONS:
            items = [row for row in items if _selected(row, request.query.get("labelSelector", ""))]
            return web.json_response({"metadata": {"resourceVersion": "7"}, "items": items})
        return _failure(404, "not found")

    def _review(self, body: Object) -> web.Response:
        wanted = body["spec"]["resourceAttributes"]
        allowed = (wanted["verb"], wanted["resource"]) not in self.denied
        return web.json_response({"status": {"allowed": allowed}})

    async def _streamed(self, request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        """Echoes its command on the output, and its input on the error stream."""
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
        await socket.prepare(request)
        await socket.send_bytes(b"\1" + " ".join(request.query.getall("command")).encode())
        if request.query["stdin"] == "true":
            async for message in socket:
                if message.data[:1] == b"\xff":
                    break
                self.heard += message.data[1:]
            await socket.send_bytes(b"\2" + self.heard)
        await socket.send_bytes(b"\3" + json.dumps(self.exec_status).encode())
        await socket.close()
        return socket

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        """Answers each message in capital letters."""
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        number = int(request.query["ports"]).to_bytes(2, "little")
        await socket.send_bytes(b"\0" + number)
        await socket.send_bytes(b"\1" + number)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(b"\0" + message.data[1:].upper())
        return socket

    @contextlib.asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Api]:
        """An Api of this server, through a kubeconfig in `folder`."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            async with Api.open(kubeconfig=kubeconfig(folder, f"http://127.0.0.1:{port}")) as api:
                yield api
        finally:
            await runner.cleanup()


def kubeconfig(folder: Path, server: str) -> Path:
    """A file with the contexts `one` (the current one) and `two`."""
    path = folder / "kubeconfig"
    contexts = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")]
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": contexts,
        "current-context": "one",
    }
    path.write_text(json.dumps(content))
    return path


def images(*, has_nft: bool = True, has_python: bool = True, template: str = "/vt/template/ks") -> Images:
    """Of one release, as our own builder makes them."""
    vt = Path("/vt/bin")
    mysql = MysqlInstall(
        version="9.7.4",
        flavour="mysql",
        basedir=Path("/vt/mysql"),
        mysqld=Path("/vt/mysql/bin/mysqld"),
        mysql=None,
        plugin_dir=Path("/vt/mysql/plugin"),
        messages_dir=Path("/vt/mysql/share"),
        semi_sync=True,
        source="image",
    )
    programs = Programs(
        etcd=EtcdInstall(version="3.6.10", etcd=vt / "etcd", source="image"), mysql=mysql, vitess={}, binaries={}
    )
    return Images(
        programs=programs,
        of_version={"24.0.3": "vtchaos/vitess:24.0.3-test", "21.0.2": "vtchaos/vitess:21.0.2-test"},
        etcd="vtchaos/etcd:test",
        templates={"ks": template},
        init_sql="",
        has_nft=has_nft,
        has_python=has_python,
    )


def _selected(row: Object, selector: str) -> bool:
    """`key` and `key=value`, separated by commas."""
    labels = row["metadata"].get("labels", {})
    wanted = [part.partition("=") for part in selector.split(",") if part]
    return all(key in labels and (not sign or labels[key] == value) for key, sign, value in wanted)


def _failure(status: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "status": "Failure", "message": message, "code": status}, status=status)
