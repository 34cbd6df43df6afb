"""What a probe saw of one source, key by key."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from harness.model import Sample, Scalar


class Series:
    """The samples of one source: for every key, when it took which value."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = tuple(samples)
        self.at_ns = np.array([sample.at_ns for sample in samples], dtype=np.int64)
        self._steps: dict[str, tuple[list[int], list[Scalar]]] = {}
        for sample in samples:
            for key, value in sample.values.items():
                times, values = self._steps.setdefault(key, ([], []))
                times.append(sample.at_ns)
                values.append(value)

    def keys(self) -> tuple[str, ...]:
        return tuple(self._steps)

    def steps(self, key: str) -> tuple[Sequence[int], Sequence[Scalar]]:
        """Stamps and values of every change of `key` (the first sample included)."""
        return self._steps.get(key, ([], []))

    def at(self, key: str, at_ns: int) -> Scalar | None:
        """The value of `key` in the last sample not later than `at_ns`; None if there was none yet."""
        times, values = self.steps(key)
        index = bisect.bisect_right(times, at_ns) - 1
        return values[index] if index >= 0 else None

    def last(self, key: str) -> Scalar | None:
        values = self.steps(key)[1]
        return values[-1] if values else None

    def number(self, key: str, at_ns: int | None = None) -> float | None:
        """`at` (or `last`) as a number; None when the key was never there. An absent key is not 0."""
        value = self.last(key) if at_ns is None else self.at(key, at_ns)
        return float(value) if isinstance(value, int | float) else None

    def growth(self, key: str, since_ns: int, until_ns: int | None = None) -> float | None:
        """How much a counter grew between two stamps. A key that appears only after `since_ns` starts
        from 0 (Vitess creates most keys at the first touch), unless the very first sample has it; None
        when it never appeared, is no number, or shrank meanwhile (its process restarted)."""
        times, values = self.steps(key)
        to = len(times) if until_ns is None else bisect.bisect_right(times, until_ns)
        if to == 0:
            return None
        first = bisect.bisect_right(times, since_ns) - 1
        if first < 0 and times[0] == self.samples[0].at_ns:
            first = 0
        path = [values[index] for index in range(max(first, 0), to)]
        numbers = [float(value) for value in path if isinstance(value, int | float)]
        if len(numbers) < len(path):
            return None
        if first < 0:
            numbers.insert(0, 0.0)
        falling = any(later < earlier for earlier, later in itertools.pairwise(numbers))
        return None if falling or not numbers else numbers[-1] - numbers[0]

    @cached_property
    def _labels(self) -> Mapping[str, tuple[str, ...]]:
        labels: dict[str, list[str]] = {}
        for key in self._steps:
            name, colon, label = key.partition(":")
            if colon:
                labels.setdefault(name, []).append(label)
        return {name: tuple(found) for name, found in labels.items()}

    def labels(self, name: str) -> tuple[str, ...]:
        """The labels of a map variable: "ks.-80.NewPrimarySeen" of the key "BufferStops:ks.-80.NewPrimarySeen"."""
        return self._labels.get(name, ())

    def rises(self, key: str, since_ns: int) -> tuple[tuple[int, int, float], ...]:
        """Every step upwards after `since_ns`: (sample before, sample after, by how much). What was counted happened
        between the two stamps: when the sample before was asked for, and when the one after was answered. The first is
        `since_ns` when nothing was sampled before."""
        times, values = self.steps(key)
        found: list[tuple[int, int, float]] = []
        before: float | None = None
        for at_ns, value in zip(times, values, strict=True):
            number = float(value) if isinstance(value, int | float) else None
            rise = (number or 0.0) - (before or 0.0)
            first_sample = before is None and at_ns == self.samples[0].at_ns
            if at_ns > since_ns and rise > 0 and not first_sample:
                found.append((max(since_ns, self._good_before(at_ns)), at_ns, rise))
            before = number
        return tuple(found)

    def _good_before(self, at_ns: int) -> int:
        """When the last sample before `at_ns` that was answered was asked for, 0 if none: its answer may be of any
        moment since."""
        index = bisect.bisect_left(self._answered, at_ns) - 1
        return self._answered[index] - self._took_ns[index] if index >= 0 else 0

    @cached_property
    def _answered(self) -> tuple[int, ...]:
        return tuple(sample.at_ns for sample in self.samples if not sample.error)

    @cached_property
    def _took_ns(self) -> tuple[int, ...]:
        return tuple(sample.took_ns for sample in self.samples if not sample.error)

    @property
    def answered_ns(self) -> Sequence[int]:
        """The stamps of the samples that the source answered."""
        return self._answered

    def failures(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.error)
