"""The images of ours that a Docker engine holds: for `vtchaos image list` and `remove`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clusters.common.images import Held
from clusters.docker.engine import Engine, Refused
from clusters.images.built import LABEL


class EngineShelf:
    """`clusters.common.images.ImageShelf` of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ours(self) -> Sequence[Held]:
        """Also those without a name any more."""
        rows = await self._engine.call("list its images", self._engine.api.images, filters={"label": LABEL})
        held = (_held(row) for row in rows)
        return sorted((each for several in held for each in several), key=lambda each: each.reference)

    async def remove(self, reference: str) -> str:
        try:
            await self._engine.call(f"remove the image {reference}", self._engine.api.remove_image, reference)
        except Refused as refused:
            return "" if refused.gone else str(refused)
        return ""


def _held(row: dict[str, Any]) -> list[Held]:
    """One for each of its names; its id where it has none."""
    names = [name for name in row.get("RepoTags") or () if name != "<none>:<none>"]
    labels = row.get("Labels") or {}
    return [
        Held(
            reference=name,
            purpose=str(labels.get(LABEL, "")),
            vitess=str(labels.get("vtchaos.vitess", "")),
            size_bytes=int(row.get("Size", 0)),
        )
        for name in names or [str(row["Id"])]
    ]
