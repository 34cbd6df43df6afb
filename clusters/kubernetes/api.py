"""The Kubernetes API: plain dict objects in, plain dict objects out."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from clusters.kubernetes import kubeconfig as kubeconfigs
from clusters.kubernetes import sockets
from clusters.kubernetes.requests import CONNECT_TIMEOUT_S, ApiError, Requests
from clusters.kubernetes.resources import (
    NAMESPACE,
    NODE,
    POD,
    Manifest,
    Resource,
    annotations_of,
    name_of,
    namespace_of,
    resource_of,
)
from clusters.kubernetes.sockets import Ran
from harness.base.errors import PlanError

__all__ = ["Api", "ApiError", "Ran"]

MANAGER = "vtchaos"  # who applied an object (server-side apply)
_PIECE = 1 << 22


class Api:
    """One cluster, as one context of the kubeconfig reaches it."""

    def __init__(self, requests: Requests, said: kubeconfigs.Loaded) -> None:
        """Users call `open`."""
        self.said = said
        self.kubeconfig = said.file  # "" = we are in a pod
        self.requests = requests
        self.context = said.context
        self.namespace = said.namespace  # the context's own

    @property
    def server(self) -> str:
        return self.requests.server

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: str = "", *, kubeconfig: str | Path = "") -> AsyncIterator[Api]:
        """`context` "": the current one. Raises PlanError when none is configured or no cluster answers."""
        said = await asyncio.to_thread(kubeconfigs.load, context, str(kubeconfig))
        trust = await asyncio.to_thread(kubeconfigs.trust, said.configuration)
        connector = aiohttp.TCPConnector(limit=0, ssl=trust)  # no limit: logs and shells are connections that stay
        async with aiohttp.ClientSession(connector=connector, read_bufsize=_PIECE) as session:
            api = cls(Requests(session, said.configuration), said)
            try:
                await api.requests.ask("GET", "/version", timeout_s=CONNECT_TIMEOUT_S)
            except ApiError as error:
                raise PlanError(
                    f"no Kubernetes cluster answers at {api.server} (context {said.context}): {error.why}; "
                    f"{kubeconfigs.WHAT_TO_DO}"
                ) from None
            yield api

    # ------------------------------------------------------------ objects

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Manifest | None:
        """None when there is none. Raises ApiError."""
        try:
            return await self.requests.ask(
                "GET", resource.path(namespace=namespace, name=name, subresource=subresource)
            )
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> tuple[Manifest, ...]:
        """All of a kind; of all namespaces when none is given. `labels`, `fields`: selectors. Raises ApiError."""
        return tuple((await self._listed(resource, namespace, labels, fields)).get("items") or [])

    async def create(self, manifest: Mapping[str, Any]) -> Manifest:
        """Raises ApiError, with status 409 when it exists."""
        path = resource_of(manifest).path(namespace=namespace_of(manifest))
        return await self.requests.ask("POST", path, body=manifest)

    async def apply(self, manifest: Mapping[str, Any]) -> Manifest:
        """Create it, or change what is there to it (server-side apply). Raises ApiError."""
        path = resource_of(manifest).path(namespace=namespace_of(manifest), name=name_of(manifest))
        query = {"fieldManager": MANAGER, "force": "true"}
        return await self.requests.ask(
            "PATCH", path, body=manifest, query=query, content="application/apply-patch+yaml"
        )

    async def patch(
        self,
        resource: Resource,
        name: str,
        change: Mapping[str, Any],
        namespace: str = "",
        *,
        subresource: str = "",
        content: str = "application/merge-patch+json",
    ) -> Manifest:
        """Raises ApiError."""
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        return await self.requests.ask("PATCH", path, body=change, content=content)

    async def delete(self, resource: Resource, name: str, namespace: str = "", *, grace_s: int | None = None) -> bool:
        """Ask for the removal, what it owns included; False when there is none. Raises ApiError."""
        options: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            await self.requests.ask("DELETE", resource.path(namespace=namespace, name=name), body=options)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def delete_all(self, resource: Resource, namespace: str, *, grace_s: int | None = None) -> None:
        """Ask for the removal of all of a kind in a namespace. Raises ApiError."""
        options: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        await self.requests.ask("DELETE", resource.path(namespace=namespace), body=options)

    async def watch(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[tuple[str, Manifest]]:
        """("LISTED", the list with its `items`) first, then each change: ("ADDED" | "MODIFIED" | "DELETED", object).

        LISTED comes again whenever the server ended the watch: it may have missed something. Ends never. Raises
        ApiError.
        """
        while True:
            listed = await self._listed(resource, namespace, labels, fields)
            yield "LISTED", listed
            version = listed["metadata"]["resourceVersion"]
            query = _selectors(labels, fields) | {"watch": "true", "resourceVersion": version}
            async with self.requests.stream(resource.path(namespace=namespace), query=query) as response:
                async for line in _lines(response):
                    change = json.loads(line)
                    if change["type"] not in ("ADDED", "MODIFIED", "DELETED"):  # ERROR 410: too old
                        break
                    yield change["type"], change["object"]

    async def evict(self, pod: str, namespace: str, *, grace_s: int | None = None) -> None:
        """Delete a pod if its disruption budget permits. Raises ApiError, with status 429 when it does not."""
        eviction: Manifest = {"apiVersion": "policy/v1", "kind": "Eviction"}
        eviction["metadata"] = {"name": pod, "namespace": namespace}
        if grace_s is not None:
            eviction["deleteOptions"] = {"gracePeriodSeconds": grace_s}
        path = POD.path(namespace=namespace, name=pod, subresource="eviction")
        await self.requests.ask("POST", path, body=eviction)

    # ------------------------------------------------------------ questions

    async def can(
        self, verb: str, resource: Resource, namespace: str = "", *, subresource: str = "", name: str = ""
    ) -> bool:
        """Whether we may (SelfSubjectAccessReview). Raises ApiError."""
        attributes = {
            "verb": verb,
            "group": resource.group,
            "resource": resource.plural,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        answer = await self.requests.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
        return bool(answer["status"]["allowed"])

    async def namespaces(self, *, labels: str = "") -> tuple[Manifest, ...]:
        """Raises ApiError."""
        return await self.list(NAMESPACE, labels=labels)

    async def node_annotations(self) -> Mapping[str, Mapping[str, str]]:
        """Node name → its annotations. Raises ApiError."""
        return {name_of(node): annotations_of(node) for node in await self.list(NODE)}

    async def identity(self) -> str:
        """What tells this cluster from any other: the uid of its namespace kube-system. Raises ApiError."""
        found = await self.get(NAMESPACE, "kube-system")
        return str(found["metadata"]["uid"]) if found else ""

    # ------------------------------------------------------------ inside pods

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout_s: float,
    ) -> Ran:
        """Run a program in a container: status, stdout, stderr. A bad status is no error. Raises ApiError."""
        return await sockets.run(self.requests, namespace, pod, container, argv, stdin=stdin, timeout_s=timeout_s)

    def session(
        self, namespace: str, pod: str, container: str, argv: Sequence[str]
    ) -> AbstractAsyncContextManager[sockets.Session]:
        """A program in a container that is talked to. Raises ApiError."""
        return sockets.session(self.requests, namespace, pod, container, argv, stdin=True)

    def port_forward(self, namespace: str, pod: str, port: int) -> AbstractAsyncContextManager[tuple[str, int]]:
        """An address on this host behind which a pod's port is, also when the pod was replaced under its name."""
        return sockets.forwarded(self.requests, namespace, pod, port)

    # ------------------------------------------------------------ logs

    async def log(
        self, namespace: str, pod: str, container: str, *, follow: bool = False, since: str = "", stamps: bool = False
    ) -> AsyncIterator[bytes]:
        """What a container printed, in pieces as they come; with `follow` until it ends. `since`: RFC 3339, whole
        seconds count; with `stamps` each line begins with its time. Raises ApiError."""
        query = {"container": container, "follow": _word(follow), "timestamps": _word(stamps)}
        if since:
            query["sinceTime"] = since
        path = POD.path(namespace=namespace, name=pod, subresource="log")
        async with self.requests.stream(path, query=query) as response:
            async for piece in response.content.iter_any():
                yield piece

    async def _listed(self, resource: Resource, namespace: str, labels: str, fields: str) -> Manifest:
        answer = await self.requests.ask("GET", resource.path(namespace=namespace), query=_selectors(labels, fields))
        for item in answer.get("items") or []:  # the items of a list do not say what they are
            item.setdefault("apiVersion", resource.api)
            item.setdefault("kind", resource.kind)
        return answer


# ---------------------------------------------------------------- answers


def _selectors(labels: str, fields: str) -> dict[str, str]:
    given = {"labelSelector": labels, "fieldSelector": fields}
    return {key: value for key, value in given.items() if value}


def _word(yes: bool) -> str:
    return "true" if yes else "false"


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of any length (`StreamReader.readline` has a limit)."""
    rest = b""
    async for piece in response.content.iter_any():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line


def host_of(server: str) -> str:
    """The host in a server's address."""
    return urlsplit(server).hostname or server
