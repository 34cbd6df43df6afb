"""Every backend, one after the other."""

from __future__ import annotations

import pytest
import pytest_asyncio

from clusters import BACKENDS
from harness.contracts import Backend
from harness.model import ClusterSpec, Placement


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=BACKENDS)
async def backend(request: pytest.FixtureRequest) -> Backend:
    """Skipped with its own words where it cannot stand up a small cluster here."""
    found = BACKENDS[request.param]
    reasons = await found.refusals(ClusterSpec(shards=2, tablets_per_shard=2), Placement())
    if reasons:
        pytest.skip(f"{found.name}: {'; '.join(reasons)}")
    return found
