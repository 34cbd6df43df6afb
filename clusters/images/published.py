"""The images that the Vitess project publishes, where they can be pulled."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from clusters.common.images import Images, ImageStore
from clusters.images import layers, named
from clusters.software import Sources
from harness.base import jsonio
from harness.base.errors import VtchaosError
from harness.contracts import Observer
from harness.model import ClusterSpec

PATTERN = "vitess/lite:v{version}"
REMEMBERED_S = 24 * 3600.0
FILE = "unpublished.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """References that could not be had, and why; so that no start waits for the same registry again."""

    why_not: dict[str, str] = field(default_factory=dict)
    at_s: dict[str, float] = field(default_factory=dict)  # seconds since 1970

    def of(self, reference: str, now_s: float) -> str:
        """Why it is not asked for; "" when it is to be tried."""
        at_s = self.at_s.get(reference, 0.0)
        return self.why_not.get(reference, "") if 0 <= now_s - at_s < REMEMBERED_S else ""

    def with_one(self, reference: str, why_not: str, now_s: float) -> Refusals:
        return Refusals(why_not={**self.why_not, reference: why_not}, at_s={**self.at_s, reference: now_s})


async def pulled(spec: ClusterSpec, *, store: ImageStore, observer: Observer, sources: Sources) -> Images | None:
    """The published images of the spec's releases; None when they do not serve it, or cannot be had."""
    if any("/" in version for version in named.wanted_of(spec)):
        return None
    references = named.references_of(spec, PATTERN)
    path = layers.kept_at(sources).root / FILE
    for reference in references.values():
        why_not = await _why_not(reference, path, store, observer)
        if why_not:
            observer.on_progress(f"images are built here: {reference} cannot be pulled ({_first(why_not)})", None, None)
            return None
    try:
        return await named.described(spec, references, store=store, observer=observer, sources=sources)
    except VtchaosError as error:
        observer.on_progress(f"images are built here: {_first(str(error))}", None, None)
        return None


async def _why_not(reference: str, path: Path, store: ImageStore, observer: Observer) -> str:
    if await store.has(reference):
        return ""
    known = remembered(path)
    why_not = known.of(reference, time.time())
    if why_not:
        return why_not
    observer.on_progress(f"pulling {reference}", None, None)
    why_not = await store.pull(reference)
    if why_not:
        path.parent.mkdir(parents=True, exist_ok=True)
        jsonio.save(path, known.with_one(reference, why_not, time.time()))
    return why_not


def remembered(path: Path) -> Refusals:
    try:
        return jsonio.load(path, Refusals)
    except (OSError, ValueError):
        return Refusals()


def _first(text: str) -> str:
    return (text.splitlines() or [""])[0]
