"""Knocking at a node's door: what is said there, so that it answers, and nothing of Vitess is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.model import Node, Role

PORTS: Mapping[Role, str] = {Role.MYSQLD: "mysql", Role.ETCD: "client"}
"""Where a role is knocked at; all others on their web port."""
_PAGE = "/vtchaos-knocks"  # nobody has it: 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """The first words of a connection, and how many zeros follow them."""

    words: bytes
    zeros: int = 0


def port_of(node: Node) -> str:
    return PORTS.get(node.role, "web")


def says(node: Node, kbytes: int) -> Says:
    """A mysqld greets who connects, all others are asked for a page. `kbytes` (below 256) go with it: a mysqld reads a
    whole packet before it refuses it as a handshake, and Go's net/http reads so much of a request's body before it
    answers, where the connection could go on (server.go, maxPostHandlerReadBytes): not with HTTP/1.0, there it answers
    at once and resets what it has not read."""
    zeros = kbytes << 10
    if node.role is Role.MYSQLD:
        return Says(words=zeros.to_bytes(3, "little") + b"\1" if zeros else b"", zeros=zeros)
    return Says(
        words=f"POST {_PAGE} HTTP/1.1\r\nHost: {node.name}\r\nContent-Length: {zeros}\r\n\r\n".encode(), zeros=zeros
    )
