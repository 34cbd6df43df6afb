"""The files of a station's workers, on their way into the run directory: their stamps become ours.

A file has its name only when it is whole: what a broken connection leaves is not taken for a worker's record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from harness.base import jsonio
from harness.base.errors import HarnessError
from harness.base.rundir import RunDir
from harness.load.remote import files_of
from harness.load.remote_clock import StationClock
from harness.model import OP_DTYPE

STAMPS = ("intended_ns", "sent_ns", "done_ns")


class Fetched:
    """What comes from one station."""

    def __init__(self, run: RunDir, workers: Iterable[int], clock: StationClock, who: str) -> None:
        self._expected = {path.name: path for worker in workers for path in files_of(run, worker)}
        self._came: dict[str, int] = {}
        self._clock = clock
        self._who = who
        for path in self._expected.values():
            _part(path).unlink(missing_ok=True)

    def part(self, name: str, data: bytes) -> None:
        """The next bytes of a file. Raises HarnessError for a file that is none of its workers'."""
        if name not in self._expected:
            raise HarnessError(f"{self._who} sent a file that nobody asked for: {name}")
        self._came[name] = self._came.get(name, 0) + len(data)
        with _part(self._expected[name]).open("ab") as out:
            out.write(data)

    def finish(self, sizes: Mapping[str, int]) -> None:
        """Everything has come. Raises HarnessError when it has not; nothing gets its name then."""
        for name, size in sizes.items():
            if self._came.get(name, 0) != size:
                raise HarnessError(f"{self._who} sent {self._came.get(name, 0)} of {size} bytes of {name}")
            if not size:
                _part(self._expected[name]).touch()
        for name in sizes:
            path = self._expected[name]
            self._shift(_part(path), name)
            _part(path).replace(path)

    def _shift(self, path: Path, name: str) -> None:
        if name.startswith("ops-") and name.endswith(".bin"):
            shift_ops(path, self._clock)
        elif name.startswith("samples-"):
            shift_samples(path, self._clock)


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def shift_ops(path: Path, clock: StationClock) -> None:
    """Operation records from the station's clock to ours, in place."""
    count = path.stat().st_size // OP_DTYPE.itemsize
    if clock.is_ours or not count:
        return
    ops: npt.NDArray[np.void] = np.memmap(path, dtype=OP_DTYPE, mode="r+", shape=(count,))
    for field in STAMPS:
        ops[field] = clock.ours(ops[field].astype(np.int64))
    assert isinstance(ops, np.memmap)
    ops.flush()


def shift_samples(path: Path, clock: StationClock) -> None:
    """Samples likewise; the first says how well the clock is known, which a check wants to know of what measures."""
    lines = list(jsonio.read_lines(path))
    for index, line in enumerate(lines):
        line["at_ns"] = clock.our(int(line["at_ns"]))
        if index == 0:
            line["values"]["clock_uncertainty_ms"] = round(clock.uncertainty_ns / 1e6, 3)
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
