"""Images of ours and what they were made from, removed again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from clusters.common.images import ImageShelf
from clusters.images import layers, published
from clusters.software import Silent, Sources
from clusters.software import store as stores
from clusters.software.store import Store

DEFAULT_REGISTRY = "docker.io/"  # containerd writes it, Docker leaves it out


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """References that are gone, and of the others why they stay."""

    gone: tuple[str, ...]
    kept: dict[str, str]


async def remove_all(shelf: ImageShelf, *, only: Collection[str] | None = None) -> Removed:
    """Every image of ours (`only`: of these); one that a container uses stays. Nothing is left the second time."""
    gone, kept = [], {}
    for held in await shelf.ours():
        if only is not None and held.reference.removeprefix(DEFAULT_REGISTRY) not in only:
            continue
        why_not = await shelf.remove(held.reference)
        if why_not:
            kept[held.reference] = why_not
        else:
            gone.append(held.reference)
    return Removed(gone=tuple(gone), kept=kept)


async def clear_cache(sources: Sources) -> int:
    """Remove the packed layers, and what is remembered of registries; the bytes that were freed."""
    kept = layers.kept_at(sources)
    names = kept.names("layer-")
    freed = sum((kept.path(name) / layers.FILE).stat().st_size for name in names)
    for name in names:
        await asyncio.to_thread(stores.remove, kept.path(name))
    for name in unfinished(kept):  # of a harness that was killed; one that lives is waited for
        async with kept.installing(name, Silent()):
            pass
    (kept.root / published.FILE).unlink(missing_ok=True)
    return freed


def unfinished(kept: Store) -> list[str]:
    """What is being packed or written, or was when somebody died."""
    return sorted({path.name.removeprefix(".new-").rpartition("@")[0] for path in kept.root.glob(".new-*@*")})


def cached_bytes(sources: Sources) -> int:
    """What the packed layers take."""
    kept = layers.kept_at(sources)
    return sum((kept.path(name) / layers.FILE).stat().st_size for name in kept.names("layer-"))
