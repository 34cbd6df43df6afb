"""Goal: item tables read back are complete, in the form that checks expect, or named as not read; marks are written
to the shard itself.

Method: a MySQL server of a few lines that answers as one, or as one that cuts off, is told.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.base import jsonio
from harness.base.errors import ClusterError
from harness.base.rundir import RunDir
from harness.items import first_id
from harness.load.config import Target
from harness.load.marks import write_marks
from harness.load.tables import GROUP, read_tables
from harness.model import ROW_DTYPE
from tests.fake_mysql import Err, FakeMysql, Hang, Ok, Reply, Rows, fake_mysql

ROW = (first_id("80-", 3) + (1 << 47) + 5, 4_000_000_000)  # no number is too big


def target(server: FakeMysql) -> Target:
    return Target(vtgate="vtgate-1", host=server.host, port=server.port)


def group(*rows: tuple[int, int], wrong: int = 0, cut: int = 0) -> tuple[str, str, str]:
    digits = "".join(f"{item:016X}{version:08X}" for item, version in rows)
    return digits[: len(digits) - cut], str(len(rows)), str(wrong)


class Tables:
    """Answers for each table; SET and the like are fine."""

    def __init__(self, **answers: Reply) -> None:
        self.answers = answers

    def __call__(self, query: str) -> Reply:
        if not query.startswith("SELECT GROUP_CONCAT"):
            return Ok()
        return self.answers[query.split(" FROM ")[1].split(" ")[0]]


def groups(*found: tuple[str, str, str]) -> Rows:
    return Rows(found, ("digits", "rows", "wrong"), texts=("digits",))


async def read(run: RunDir, answers: Tables, *names: str, timeout_s: float = 10) -> dict[str, str]:
    async with fake_mysql(answers) as server:
        return await read_tables(
            target(server), keyspaces={"ks": ("-80",), "to": ("0",)}, tables=names, run=run, timeout_s=timeout_s
        )


async def test_rows_and_wrong_pads_are_kept(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    many = [(number, 1) for number in range(1, GROUP + 1)]
    answers = Tables(item_1=groups(group(*many, wrong=2), group(ROW, wrong=1)), item_2=groups())
    assert await read(run, answers, "item_1", "item_2") == {}
    for keyspace, shard in (("ks", "-80"), ("to", "0")):
        rows = np.fromfile(run.table(keyspace, "item_1", shard), dtype=ROW_DTYPE)
        assert [(int(row["id"]), int(row["value"])) for row in rows] == [*many, ROW]
        assert run.table(keyspace, "item_2", shard).read_bytes() == b""
    assert jsonio.load(run.tables, list) == [
        {"keyspace": keyspace, "table": table, "shard": shard, "wrong": wrong}
        for keyspace, shard in (("ks", "-80"), ("to", "0"))
        for table, wrong in (("item_1", 3), ("item_2", 0))
    ]


async def test_a_group_that_was_cut_off_is_no_table(tmp_path: Path) -> None:
    """GROUP_CONCAT cuts off at group_concat_max_len and only warns."""
    run = RunDir.create(tmp_path / "run")
    failed = await read(run, Tables(item_1=groups(group((1, 1), ROW, cut=24)), item_2=groups(group(ROW))), "item_1")
    assert set(failed) == {"ks.item_1.-80", "to.item_1.0"}
    assert "2 rows have 24 digits, not 24 each" in failed["ks.item_1.-80"]
    assert not run.table("ks", "item_1", "-80").exists()
    assert jsonio.load(run.tables, list) == []


async def test_one_table_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    answers = Tables(item_1=Err(1146, "Table 'vt_ks.item_1' doesn't exist"), item_2=groups(group(ROW)))
    failed = await read(run, answers, "item_1", "item_2")
    assert set(failed) == {"ks.item_1.-80", "to.item_1.0"}
    assert "errno 1146: Table 'vt_ks.item_1' doesn't exist" in failed["to.item_1.0"]
    assert [entry["table"] for entry in jsonio.load(run.tables, list)] == ["item_2", "item_2"]


async def test_a_table_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    failed = await read(run, Tables(item_1=Hang(), item_2=groups()), "item_1", "item_2", timeout_s=0.5)
    assert set(failed) == {"ks.item_1.-80", "to.item_1.0"}
    assert "client timeout" in failed["ks.item_1.-80"]


async def test_a_group_fits_into_mysqls_default() -> None:
    assert len(group(*[ROW] * GROUP)[0]) <= 1024


async def test_marks_go_to_every_shard(tmp_path: Path) -> None:
    async with fake_mysql(lambda query: Ok()) as server:
        await write_marks(target(server), keyspace="ks", shards=("-80", "80-"), number=17, timeout_s=10)
    marks = [query for query in server.queries if query.startswith("INSERT")]
    assert marks == [
        f"INSERT INTO stream_mark (id, value) VALUES ({place}, 17) ON DUPLICATE KEY UPDATE value = 17"
        for place in (1, 2)
    ]
    assert server.databases == ["ks/-80@primary", "ks/80-@primary"]


async def test_a_mark_that_is_refused_or_late_is_an_error() -> None:
    async with fake_mysql(lambda query: Err(1290, "read-only") if query.startswith("INSERT") else Ok()) as server:
        with pytest.raises(ClusterError, match="the mark of ks/-80 through vtgate-1: errno 1290: read-only"):
            await write_marks(target(server), keyspace="ks", shards=("-80",), number=17, timeout_s=10)
    async with fake_mysql(lambda query: Hang() if query.startswith("INSERT") else Ok()) as server:
        with pytest.raises(ClusterError, match=r"the mark of ks/-80 .*client timeout"):
            await write_marks(target(server), keyspace="ks", shards=("-80", "80-"), number=17, timeout_s=0.3)
