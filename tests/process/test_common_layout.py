"""Ports of a local cluster beside those that somebody has."""

from __future__ import annotations

import socket

import pytest

from clusters.common import layout
from clusters.local import network
from harness.base.errors import ClusterError
from harness.model import ClusterSpec


def test_free_ports_avoid_those_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = layout.nodes_of(ClusterSpec(shards=1, tablets_per_shard=1))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(network, "_SCAN_PORTS", range(port, port + 40))
        rows = network.free_ports(nodes, "127.0.0.1")
    ports = [number for row in rows.values() for number in row.values()]
    assert port not in ports
    assert len(set(ports)) == len(ports)


def test_too_few_free_ports_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_SCAN_PORTS", range(20000, 20003))
    with pytest.raises(ClusterError, match="not enough free ports"):
        network.free_ports(layout.nodes_of(ClusterSpec(shards=4)), "127.0.0.1")
