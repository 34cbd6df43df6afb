"""One measured figure of `make bench`, and the one line it prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`bound` is what the issue asked for ("" = none); `met` says whether the value keeps it (None = no bound)."""

    name: str
    value: float
    unit: str
    bound: str = ""
    met: bool | None = None
    detail: str = ""

    def line(self) -> str:
        mark = {True: "ok  ", False: "MISS", None: "    "}[self.met]
        bound = f"  (asked: {self.bound})" if self.bound else ""
        detail = f"  {self.detail}" if self.detail else ""
        return f"{mark} {self.name}: {self.value:.4g} {self.unit}{bound}{detail}"
