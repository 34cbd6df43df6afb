"""What `Fault.recovered` answers."""

from __future__ import annotations


class Missing:
    """What is still missing until a cluster has got over a fault; true when nothing is. "" is nothing."""

    def __init__(self, *what: str) -> None:
        self._what = tuple(each for each in what if each)

    def __bool__(self) -> bool:
        return not self._what

    def __repr__(self) -> str:
        return "; ".join(self._what) or "nothing is missing"
