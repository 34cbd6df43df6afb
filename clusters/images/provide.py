"""The images of one cluster, and where they come from. The order, and why:

1. The image that the user named. Nobody else's wish counts then, and nothing else is tried.
2. Images that we built, when the main one is in the store: somebody has paid for them (`vtchaos image build` is how to
   ask for them). They start tablets in a fraction of a second, from a template, and can cut links by themselves.
3. The published images of the very releases: what the Vitess project ships is what people run, and a download is
   quicker than compiling a release. Their tablets initialise MySQL at the start, some seconds of CPU each.
4. Images built now of the software of this machine, which is installed first where it is missing. So it is where there
   is no registry; that none answered is remembered, and asked again the next day.

A cluster's images come all from one place: mixed ones would hide which it was that failed.
"""

from __future__ import annotations

from dataclasses import replace

from clusters.common.images import Images, ImageStore
from clusters.images import built, named, published
from clusters.software import Sources
from harness.contracts import Observer
from harness.model import ClusterSpec, Placement


async def provided(spec: ClusterSpec, place: Placement, *, store: ImageStore, observer: Observer) -> Images:
    """Every image of the cluster is in the store on return. Raises PlanError, SoftwareError, ClusterError."""
    sources = Sources.of_environment()
    if place.image:
        return await named.named(spec, place.image, store=store, observer=observer, sources=sources)
    there = await built.packed(spec, sources)
    if there is not None and not await built.missing(there.all, store):
        return there.images
    if await _chosen(spec, store, sources):
        return await build(spec, store=store, observer=observer, sources=sources)
    return await published.pulled(spec, store=store, observer=observer, sources=sources) or await build(
        spec, store=store, observer=observer, sources=sources
    )


async def _chosen(spec: ClusterSpec, store: ImageStore, sources: Sources) -> bool:
    """Whether the image for the spec's tablets was built before and is in the store."""
    main = await built.packed(replace(spec, vtgates=()), sources)
    return main is not None and not await built.missing(main.all, store)


async def build(spec: ClusterSpec, *, store: ImageStore, observer: Observer, sources: Sources) -> Images:
    """Images of this machine's software, loaded where they are not in the store."""
    made = await built.built(spec, observer=observer, sources=sources)
    await built.load(made.all, store, observer=observer, sources=sources)
    return made.images
