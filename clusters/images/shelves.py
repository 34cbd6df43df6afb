"""Every place on this host where a run of a backend may have put images of ours."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from clusters.common.images import ImageShelf
from clusters.docker import engine
from clusters.images.shelf import EngineShelf
from clusters.kubernetes import store
from clusters.kubernetes.api import Api
from clusters.kubernetes.shelf import NodeShelf
from harness.model import Placement


@contextlib.asynccontextmanager
async def opened(backend: str, place: Placement) -> AsyncIterator[Sequence[ImageShelf]]:
    """Raises ClusterError, PlanError when the engine or the cluster does not answer."""
    if backend == "docker":
        async with engine.connected() as docker:
            yield (EngineShelf(docker),)
    elif backend == "kubernetes" and not place.kind:  # a kind cluster is gone, with its images
        async with Api.open(place.context) as api:
            yield tuple(NodeShelf(row) for row in (await store.on_this_host(api)).values())
    else:
        yield ()
