"""What a VStream client costs, beside Vitess's own Go client and the mysql client, over the same table.

One shard, a million item rows, a copy phase so long that nothing is cut, one reader at a time: our worker, which
records every event; a Go program that reads with the release's client library and counts (vstream_reference/, as the
release's examples/local/vstream_client.go); and `mysql` that reads the same rows through the same vtgate (OLAP). In
turn, medians of the rounds. On a machine of two cores readers and servers share the processor, so that a reader that
costs less is also fed faster.

CPU is the reader's own: of our worker from the beginning of the stream (its start-up is said beside it), of the others
of the whole process. Decoding and recording alone is measured without a cluster, on responses of the same shape.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ci.bench.figure import Figure
from clusters.local.backend import LocalBackend
from clusters.software import DEFAULT_RELEASE, RELEASES, MysqlInstall, Silent, Sources, gobuild, mysql, mysql_series_for
from harness.base import jsonio, procs
from harness.base.errors import HarnessError
from harness.base.rundir import RunDir
from harness.base.wait import until
from harness.items import MARK_TABLE, ItemsSpec
from harness.load import streams
from harness.load.seeding import seed
from harness.load.stream_decode import Decoder, Progress, StreamBuffers
from harness.model import ClusterSpec, Event, Role
from harness.streams import EVENT_DTYPE, EventType, StreamLane, StreamSpec, StreamState
from tests.unit.vstream_fakes import copied_rows

ROUNDS = 3
ROWS = 1_000_000
ITEMS = ItemsSpec(tables=1, rows=ROWS)
TIMEOUT_S = 120.0
PEAK_MB = 200.0
NOISE = 0.1  # of three rounds on a shared machine
DECODED_PER_S = 300_000.0
RESPONSE_ROWS = 1874  # what fits --vstream-packet-size
_REFERENCE = Path(__file__).parent / "vstream_reference"

# Runs a command, counts the lines that it prints, keeps the last; and says what it cost.
_MEASURED = """
import json, resource, subprocess, sys, time
began, lines, last = time.monotonic(), 0, b""
with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as process:
    while chunk := process.stdout.read(1 << 20):
        lines, last = lines + chunk.count(b"\\n"), (last + chunk)[-4096:]
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"status": process.returncode, "seconds": time.monotonic() - began, "lines": lines,
    "cpu_s": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024,
    "last": last.splitlines()[-1].decode(errors="replace") if last else ""}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One reading of all rows."""

    per_s: float
    cpu_s: float  # a million rows
    peak_bytes: float
    start_cpu_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A cluster with the rows in it, and what reads them."""

    grpc: str
    mysql_host: str
    mysql_port: int
    mysql: MysqlInstall
    reference: Path
    folder: Path


async def measure() -> list[Figure]:
    """Stands a cluster up and fills it."""
    decoded = _decoded_per_s()
    async with _place() as place:
        ours, theirs, sql = [], [], []
        for turn in range(ROUNDS):
            ours.append(await _ours(place, place.folder / f"run-{turn}"))
            theirs.append(await _theirs(place))
            sql.append(await _mysql(place))
    mine, go = _median(ours, "per_s"), _median(theirs, "per_s")
    peak_mb = max(cost.peak_bytes for cost in ours) / 1e6
    return [
        Figure(
            name="streams: rows a second, recording",
            value=mine,
            unit="rows/s",
            bound=f"≥ {1 - NOISE:g} × Go client's {go:.4g}",
            met=mine >= (1 - NOISE) * go,
            detail=f"{mine / go:.2f} times; mysql {_median(sql, 'per_s'):.4g}; {_spread(ours, theirs, sql, 'per_s')}",
        ),
        Figure(
            name="streams: CPU of the reader",
            value=_median(ours, "cpu_s"),
            unit="s a million rows",
            detail=f"Go client {_median(theirs, 'cpu_s'):.3g}, mysql {_median(sql, 'cpu_s'):.3g}; our start-up "
            f"{_median(ours, 'start_cpu_s'):.2g} s more; {_spread(ours, theirs, sql, 'cpu_s')}",
        ),
        Figure(
            name=f"streams: peak memory of the reader at {ROWS:,} rows",
            value=peak_mb,
            unit="MB",
            bound=f"≤ {PEAK_MB:g} MB",
            met=peak_mb <= PEAK_MB,
            detail=f"Go client {_median(theirs, 'peak_bytes') / 1e6:.0f}, mysql {_median(sql, 'peak_bytes') / 1e6:.0f}",
        ),
        Figure(
            name="streams: decoding and recording alone, one core",
            value=decoded,
            unit="rows/s",
            bound=f"≥ {DECODED_PER_S:g}",
            met=decoded >= DECODED_PER_S,
        ),
    ]


def _median(costs: Sequence[Cost], name: str) -> float:
    return float(statistics.median(getattr(cost, name) for cost in costs))


def _spread(ours: Sequence[Cost], theirs: Sequence[Cost], sql: Sequence[Cost], name: str) -> str:
    """All rounds, so that the noise shows."""
    rows = [("ours", ours), ("Go", theirs), ("mysql", sql)]
    return "; ".join(f"{who} " + " ".join(f"{getattr(cost, name):.3g}" for cost in costs) for who, costs in rows)


# ---------------------------------------------------------------- the readers


async def _ours(place: _Place, folder: Path) -> Cost:
    run = RunDir.create(folder)
    async with streams.running(
        [StreamSpec()],
        [("vtgate-1", place.grpc)],
        keyspace="ks",
        shards=("0",),
        tables=(*ITEMS.names, MARK_TABLE),
        run=run,
    ) as handle:
        await handle.begin()

        async def copied() -> bool:
            handle.require_alive()
            (status,) = handle.status()
            if status.over:
                raise HarnessError(f"our stream ended: {status.message}")
            return status.state is StreamState.COPIED

        await until("our stream copied", copied, timeout_s=TIMEOUT_S)
        await handle.stop(timeout_s=10)
    events = np.memmap(run.stream(1), dtype=EVENT_DTYPE, mode="r")
    rows = events[events["type"] == EventType.ROW]
    _require("our stream", len(np.unique(rows["key"])))
    begin, end = list(jsonio.read_lines(run.attempts(1)))
    last = list(jsonio.read_lines(run.samples("streams-0")))[-1]["values"]
    cost = Cost(
        per_s=1e9 * len(rows) / (int(rows["at_ns"][-1]) - begin["begin_ns"]),
        cpu_s=end["cpu_ns"] / 1e9 * 1e6 / ROWS,
        peak_bytes=last["peak_rss_bytes"],
        start_cpu_s=last["cpu_s"] - end["cpu_ns"] / 1e9,
    )
    del events, rows
    shutil.rmtree(folder)  # 56 MB of records
    return cost


async def _theirs(place: _Place) -> Cost:
    found = await _measured([place.reference, place.grpc, "ks", "0", ITEMS.names[0]])
    counted = orjson.loads(found["last"])
    _require("the Go client", counted["rows"])
    return Cost(per_s=ROWS / counted["seconds"], cpu_s=found["cpu_s"] * 1e6 / ROWS, peak_bytes=found["peak_bytes"])


async def _mysql(place: _Place) -> Cost:
    if place.mysql.mysql is None:
        raise HarnessError(f"the MySQL of {place.mysql.source} has no mysql client to compare with")
    query = f"SET workload = 'olap'; SELECT id, version, txn, pad FROM {ITEMS.names[0]}"
    words: list[str | Path] = [
        place.mysql.mysql,
        f"--plugin-dir={place.mysql.plugin_dir}",
        "--quick",
        "--skip-column-names",
        f"--host={place.mysql_host}",
        f"--port={place.mysql_port}",
        "--user=vtchaos",
        f"--execute={query}",
        "ks",
    ]
    found = await _measured(words, env=place.mysql.env)
    _require("mysql", found["lines"])
    return Cost(per_s=ROWS / found["seconds"], cpu_s=found["cpu_s"] * 1e6 / ROWS, peak_bytes=found["peak_bytes"])


async def _measured(words: Sequence[str | Path], env: Mapping[str, str] | None = None) -> dict[str, Any]:
    done = await procs.run([sys.executable, "-c", _MEASURED, *words], timeout_s=TIMEOUT_S, env=env)
    found: dict[str, Any] = orjson.loads(done.output.splitlines()[-1])
    if found["status"]:
        raise HarnessError(f"{words[0]} ended with status {found['status']}:\n{done.output[-2000:]}")
    return found


def _require(who: str, rows: float) -> None:
    if rows != ROWS:
        raise HarnessError(f"{who} received {rows} of {ROWS} rows: nothing was measured")


def _decoded_per_s() -> float:
    """Responses of a long copy, decoded and recorded as the worker does it, files left out."""
    lane = StreamLane(
        number=1,
        name="items-1@vtgate-1",
        vtgate="vtgate-1",
        spec=StreamSpec(),
        keyspace="ks",
        shards=("-80",),
        tables=(*ITEMS.names, MARK_TABLE),
    )
    buffers = StreamBuffers()
    decoder = Decoder(lane, 1, buffers, Progress())
    decoder.receive(copied_rows(1, 1, begin=True).SerializeToString(), 1)
    responses = [
        copied_rows(first, RESPONSE_ROWS).SerializeToString() for first in range(10_000, 300_000, RESPONSE_ROWS)
    ]
    began_s = time.process_time()
    for response in responses:
        decoder.receive(response, 2)
        buffers.records.clear()
    return len(responses) * RESPONSE_ROWS / (time.process_time() - began_s)


# ---------------------------------------------------------------- where they read


class _Nobody:
    def on_event(self, event: Event) -> None: ...

    def on_progress(self, what: str, done: int | None, total: int | None) -> None: ...


@asynccontextmanager
async def _place() -> AsyncIterator[_Place]:
    sources = Sources.of_environment()
    install = await mysql(mysql_series_for(DEFAULT_RELEASE), sources=sources)
    spec = ClusterSpec(shards=1, tablets_per_shard=2)
    with tempfile.TemporaryDirectory(prefix="vtchaos-bench-") as name:
        folder = Path(name)
        reference = await _build_reference(folder, sources)
        async with LocalBackend().cluster(spec, folder=folder, logs=folder / "logs", observer=_Nobody()) as cluster:
            await seed(cluster, ITEMS, progress=lambda *_: None, timeout_s=300)
            (vtgate,) = cluster.nodes(Role.VTGATE)
            host, port = cluster.address(vtgate, "mysql")
            yield _Place(
                grpc="{}:{}".format(*cluster.address(vtgate, "grpc")),
                mysql_host=host,
                mysql_port=port,
                mysql=install,
                reference=reference,
                folder=folder,
            )


async def _build_reference(folder: Path, sources: Sources) -> Path:
    """Against the modules that the release's own programs are pinned to: nothing new is fetched."""
    release = RELEASES[DEFAULT_RELEASE]
    module, program = folder / "reference", folder / "vstream_reference"
    shutil.copytree(_REFERENCE, module)
    for name in ("go.mod", "go.sum"):
        shutil.copy(release.module_dir / name, module / name)
    (folder / "build").mkdir()
    await gobuild.build(
        ["."],
        module=module,
        out=program,
        work=folder / "build",
        go_version=release.go,
        sources=sources,
        progress=Silent(),
        label="the reference client",
    )
    return program


if __name__ == "__main__":
    for figure in asyncio.run(measure()):
        print(figure.line())
