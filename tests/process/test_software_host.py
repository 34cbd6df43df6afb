"""The machine's own facts are readable."""

from __future__ import annotations

from pathlib import Path

from clusters import software
from clusters.software.sources import Sources


async def test_every_row_can_be_told_here(tmp_path: Path) -> None:
    rows = await software.host_permits(Sources(cache_dir=tmp_path / "not/yet"))
    names = [row.name for row in rows]
    assert len(names) == len(set(names))
    assert {"memory", "netem", "nftables", "pid namespaces", "reflink", "Go"} <= set(names)
    assert all(row.value and row.meaning for row in rows)
