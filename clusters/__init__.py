"""Backends: ways to stand up real Vitess clusters; and the software they are made of."""

from __future__ import annotations

from collections.abc import Mapping

from clusters.local.backend import LocalBackend
from harness.contracts import Backend

BACKENDS: Mapping[str, Backend] = {"local": LocalBackend()}
"""Name → backend."""
