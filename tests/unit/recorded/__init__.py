"""Recorded payloads of real processes, cut down to what is read from them and a little beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent


def payload(name: str) -> dict[str, Any]:
    """/debug/vars of a process: "vtgate-24.0.3", "vttablet-24.0.3", "vtctld-24.0.3" (2 shards, one reparented)."""
    found: dict[str, Any] = orjson.loads((FOLDER / f"{name}.json").read_bytes())
    return found
