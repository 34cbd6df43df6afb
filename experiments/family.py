"""What the experiments of one module share. A member says what is its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from harness.contracts import Check, Experiment, Stage
from harness.model import ClusterSpec, KnownBug, LoadSpec, Suite
from harness.probes import STANDARD as PROBES

NIGHTLY = frozenset({Suite.NIGHTLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Experiments under one name, on one kind of cluster, under one load."""

    name: str
    cluster: ClusterSpec
    load: LoadSpec
    checks: tuple[Check, ...]
    params: Mapping[str, float]
    timeout_s: float

    def member(
        self,
        name: str,
        why: str,
        timeline: Callable[[Stage], Awaitable[None]],
        *,
        cluster: ClusterSpec | None = None,
        load: LoadSpec | None = None,
        checks: tuple[Check, ...] | None = None,
        suites: frozenset[Suite] = NIGHTLY,
        params: Mapping[str, float] | None = None,
        known_bugs: tuple[KnownBug, ...] = (),
    ) -> Experiment:
        """`cluster`, `load`, `checks`: instead of the family's; `params`: beside or instead of the family's."""
        return Experiment(
            name=f"{self.name}/{name}",
            why=why,
            suites=suites,
            timeout_s=self.timeout_s,
            cluster=cluster or self.cluster,
            load=load or self.load,
            probes=PROBES,
            checks=self.checks if checks is None else checks,
            timeline=timeline,
            params={**self.params, **(params or {})},
            known_bugs=known_bugs,
        )
