"""What most faults say of themselves."""

from __future__ import annotations

from harness.model import Capability


class Traits:
    """Named as its class; any cluster can do it; it lasts until its block is left."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset()

    @property
    def one_shot(self) -> bool:
        return False
