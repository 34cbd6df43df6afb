"""Goal: fewer shards than asked by default where this machine's memory does not hold them, never more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clusters.sizing import NEEDS, shards_that_fit
from harness.model import ClusterSpec

GB = 10**9
STORM = ClusterSpec(shards=32)


@pytest.mark.parametrize("backend", NEEDS)
def test_what_fits_is_not_refused_and_twice_as_much_would_not_fit(backend: str) -> None:
    fits = shards_that_fit(backend, STORM, 6 * GB)
    assert 1 <= fits < 32
    assert NEEDS[backend](replace(STORM, shards=fits)) <= 5.4 * GB < NEEDS[backend](replace(STORM, shards=2 * fits))


@pytest.mark.parametrize("backend", NEEDS)
def test_what_is_asked_for_stays_where_it_fits(backend: str) -> None:
    assert shards_that_fit(backend, STORM, 64 * GB) == 32
    assert shards_that_fit(backend, replace(STORM, shards=3), 64 * GB) == 3
    assert shards_that_fit(backend, STORM, GB // 2) == 0


def test_containers_take_more_than_processes() -> None:
    spec = replace(STORM, shards=4)
    assert NEEDS["local"](spec) < min(NEEDS["docker"](spec), NEEDS["kubernetes"](spec))
