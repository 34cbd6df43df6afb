"""How a probe writes: only what changed since the sample before, at once into the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.base.clock import now_ns
from harness.base.rundir import LineLog
from harness.model import Sample, Scalar


class SampleLog:
    """The samples file of one source."""

    def __init__(self, path: Path) -> None:
        self._lines = LineLog(path)
        self._last: dict[str, Scalar] = {}

    def add(self, values: Mapping[str, Scalar], *, began_ns: int) -> None:
        """A sample that was asked for at `began_ns` and is complete now."""
        at_ns = now_ns()
        last = self._last
        changed = {key: value for key, value in values.items() if last.get(key) != value}
        last.update(changed)
        self._lines.append(Sample(at_ns=at_ns, took_ns=at_ns - began_ns, values=changed))

    def failed(self, error: str, *, began_ns: int) -> None:
        """The source did not answer."""
        at_ns = now_ns()
        self._lines.append(Sample(at_ns=at_ns, took_ns=at_ns - began_ns, error=error))

    def close(self) -> None:
        self._lines.close()
