"""How long each fault takes: until it is in force, until it is taken back, until the cluster has got over it.

Each row of tests/faults/rows once, one after the other on one local cluster of 1 shard x 2 tablets, without load. The
stamps are the ledger's own: from the intent on the disk to in force, from leaving the block to taken back, from there
to got over. The evidence is looked for, and the bystander asked, in between.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ci.bench.figure import Figure
from clusters import BACKENDS
from harness.base.errors import PlanError
from harness.contracts import Cluster
from harness.model import FaultSpan, Placement
from tests.faults.conftest import SPEC
from tests.faults.rows import ROWS
from tests.faults.rows.row import Row, clients_are_served
from tests.unit.run_fakes import Watcher, a_stage, spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """Seconds of one fault's life; nan = it has no such part. `why_not`: why nothing could be measured."""

    in_force_s: float = math.nan
    taken_back_s: float = math.nan
    got_over_s: float = math.nan
    why_not: str = ""


PARTS: Mapping[str, str] = {"in_force_s": "in force", "taken_back_s": "taken back", "got_over_s": "got over"}


async def measure() -> list[Figure]:
    """A fault that this host cannot do is told with its reason."""
    backend = BACKENDS["local"]
    with tempfile.TemporaryDirectory(prefix="vtchaos-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # mysqld is another user
        async with backend.cluster(
            SPEC,
            Placement(),
            run="bench-faults",
            folder=folder / "cluster",
            logs=folder / "logs",
            observer=Watcher(),
        ) as cluster:
            measured = {fault: await _measured(row, cluster, folder / fault) for fault, row in ROWS.items()}
    Console(width=120).print(table(measured))
    return [figure for fault, row in measured.items() for figure in figures(fault, row)]


async def _measured(row: Row, cluster: Cluster, folder: Path) -> Took:
    async with a_stage(folder, cluster) as stage:
        try:
            async with stage.inject(row.fault) as aim:
                await row.bystander(cluster, aim)
        except PlanError as error:
            return Took(why_not=str(error))
        await clients_are_served(cluster, aim)
    (span,) = spans(folder)
    if span.error and not row.says:
        return Took(why_not=span.error)
    return took(span)


def took(span: FaultSpan) -> Took:
    return Took(
        in_force_s=_between(span.intent_ns, span.active_ns),
        taken_back_s=_between(span.recover_ns, span.healed_ns),
        got_over_s=_between(span.healed_ns, span.recovered_ns),
        why_not=span.unrecovered,
    )


def _between(first_ns: int, then_ns: int) -> float:
    return (then_ns - first_ns) / 1e9 if first_ns and then_ns else math.nan


def table(measured: Mapping[str, Took]) -> Table:
    """A row for each fault that was measured; below it why others were not."""
    made = Table("", *(f"{words}, s" for words in PARTS.values()), box=None)
    for fault, row in measured.items():
        if not row.why_not:
            made.add_row(fault, *(_cell(getattr(row, part)) for part in PARTS))
    made.caption = "\n".join(f"{fault}: {row.why_not}" for fault, row in measured.items() if row.why_not)
    return made


def figures(fault: str, row: Took) -> Sequence[Figure]:
    if row.why_not:
        return [Figure(name=f"{fault}: not measured", value=math.nan, unit="", detail=row.why_not)]
    known = {words: getattr(row, part) for part, words in PARTS.items()}
    return [Figure(name=f"{fault}: {words}", value=s, unit="s") for words, s in known.items() if not math.isnan(s)]


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
