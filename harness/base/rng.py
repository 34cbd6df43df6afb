"""Randomness from the run's seed, through named children: adding one draw never shifts another."""

from __future__ import annotations

import hashlib
import random
import secrets


def child(seed: int, name: str) -> random.Random:
    """The generator of the part `name`; the same (seed, name) always draws the same values."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return random.Random(int.from_bytes(digest[:16], "big"))


def new_seed() -> int:
    """For whoever gave none."""
    return secrets.randbelow(2**31)
