"""Goal: what the engine's ps says of a container is told of the right node."""

from __future__ import annotations

import pytest

from clusters.docker.states import stopped
from harness.model import Node, Role

LISTING = {"Titles": ["PID", "STAT", "COMMAND"], "Processes": [["7", "Tsl", "mysqld"], ["8", "Ssl", "vttablet"]]}


@pytest.mark.parametrize("role, says", [(Role.MYSQLD, "x is stopped"), (Role.VTTABLET, ""), (Role.VTGATE, "")])
def test_of_two_programs_in_one_container(role: Role, says: str) -> None:
    assert stopped(Node(name="x", role=role, version="24.0.3"), LISTING) == says


def test_an_empty_listing() -> None:
    assert stopped(Node(name="x", role=Role.ETCD, version=""), {"Processes": None}) == ""
