"""Which ledger rows a lane owns: the ids it used, and the ones that were acknowledged."""

from __future__ import annotations

from array import array

from harness.base.rng import child
from harness.load.schema import first_id, value_of

_MASK = 0xFFFFFFFFFFFFFFFF


class Ledger:
    """Invariant: an id is handed out once, whatever becomes of it; 0 is never handed out (it means
    "no row" in a record); only acknowledged rows are ever read back."""

    __slots__ = ("_draw", "_next", "_seed", "_values", "ids")

    def __init__(self, *, shard: str, lane: int, seed: int) -> None:
        self._next = first_id(shard, lane) + 1
        self._seed = seed
        self.ids = array("Q")  # acknowledged
        self._values = array("Q")
        self._draw = child(seed, f"reads/{lane}").random

    def fresh(self, rows: int = 1) -> tuple[int, int]:
        """An unused id and its value; with `rows`, the ids and values that follow it are taken as well."""
        key = self._next
        self._next = key + rows
        return key, value_of(self._seed, key)

    def acknowledge(self, key: int, value: int, rows: int = 1) -> None:
        for offset in range(rows):
            self.ids.append(key + offset)
            self._values.append((value + offset) & _MASK)

    def acknowledged(self) -> tuple[int, int]:
        """Any acknowledged row: id and value."""
        index = int(self._draw() * len(self.ids))
        return self.ids[index], self._values[index]
