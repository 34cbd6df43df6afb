"""The experiments: one module a family, each ending in EXPERIMENTS; the one table of names is here."""

from __future__ import annotations

from collections.abc import Mapping

from experiments import (
    disk,
    emergency,
    health,
    movetables,
    mysql,
    network,
    pools,
    process,
    random,
    reparent,
    resharding,
    rollout,
    switching,
    topology,
    vstream,
    vstream_resume,
)
from harness.contracts import Experiment

FAMILIES: tuple[tuple[Experiment, ...], ...] = (
    reparent.EXPERIMENTS,
    emergency.EXPERIMENTS,
    switching.EXPERIMENTS,
    resharding.EXPERIMENTS,
    disk.EXPERIMENTS,
    process.EXPERIMENTS,
    pools.EXPERIMENTS,
    vstream.EXPERIMENTS,
    vstream_resume.EXPERIMENTS,
    movetables.EXPERIMENTS,
    mysql.EXPERIMENTS,
    network.EXPERIMENTS,
    random.EXPERIMENTS,
    health.EXPERIMENTS,
    topology.EXPERIMENTS,
    rollout.EXPERIMENTS,
)


def _table() -> Mapping[str, Experiment]:
    table: dict[str, Experiment] = {}
    for experiment in (each for family in FAMILIES for each in family):
        if experiment.name in table:
            raise ValueError(f"two experiments are called {experiment.name}")
        table[experiment.name] = experiment
    return table


EXPERIMENTS: Mapping[str, Experiment] = _table()
"""Name → experiment."""
