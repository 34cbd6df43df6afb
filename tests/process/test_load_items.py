"""Worker processes of a load on item tables."""

from __future__ import annotations

from pathlib import Path

from harness.base.rundir import RunDir
from harness.base.wait import until
from harness.history import _load_ops
from harness.items import item_tables
from harness.load.config import Target
from harness.load.driver import running
from harness.model import Outcome
from tests.fake_mysql import fake_mysql
from tests.unit.test_load_items import ITEMS, SHARDS, Tables, _of, spec


async def test_worker_processes_share_the_rows_of_a_shard(tmp_path: Path) -> None:
    """Two vtgates, each with a lane in both shards, on one database: no UPDATE misses, nothing is removed twice."""
    run, tables = RunDir.create(tmp_path / "run"), Tables()
    async with fake_mysql(tables) as server:
        targets = [Target(vtgate=name, host=server.host, port=server.port) for name in ("vtgate-1", "vtgate-2")]
        load = spec(rate_per_shard=400)
        async with running(load, targets, keyspace="ks", shards=SHARDS, run=run, seed=5, items=ITEMS) as handle:

            async def enough() -> bool:
                return bool((handle.live()["ok"] >= 300).all())

            await until("operations", enough, timeout_s=20)
            await handle.stop(timeout_s=5)
    ops, _ = _load_ops(run, [])
    assert set(ops["outcome"].tolist()) == {int(Outcome.OK)}
    assert set(ops["worker"].tolist()) == {0, 1}
    assert int(ops[_of(ops, "update")]["rows"].sum()) == tables.versions()
    assert sorted(ops[_of(ops, "delete")]["key"].tolist()) == sorted(tables.removed)
    assert item_tables(3) == ("item_1", "item_2", "item_3")
