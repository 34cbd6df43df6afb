"""The images of one cluster."""

from __future__ import annotations

from clusters.common.images import Images, ImageStore
from clusters.images import built
from clusters.software import Sources
from harness.contracts import Observer
from harness.model import ClusterSpec, Placement


async def provided(spec: ClusterSpec, place: Placement, *, store: ImageStore, observer: Observer) -> Images:
    """Every image of the cluster is in the store on return. Raises PlanError, SoftwareError, ClusterError."""
    sources = Sources.of_environment()
    made = await built.built(spec, observer=observer, sources=sources)
    absent = await built.missing(made.all, store)
    if absent:
        await built.load(absent, store, observer=observer, sources=sources)
    return made.images
