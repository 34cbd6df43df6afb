"""Runs that were recorded once are judged as they were then, byte for byte.

`made-…` come from `tests/fakes.py`; the others are real. To accept a change of a verdict:
`python -m tests.golden.record NAME`, and say in the commit why it is right.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.record import FOLDER, expected, pack, unpack

GOLDEN = sorted(FOLDER.glob("*.tar.zst"))


@pytest.mark.parametrize("packed", GOLDEN, ids=lambda packed: packed.name.removesuffix(".tar.zst"))
def test_the_verdict_is_what_it_was(packed: Path, tmp_path: Path) -> None:
    run = unpack(packed, tmp_path)
    verdict = packed.with_name(packed.name.replace(".tar.zst", ".verdict.json"))
    assert expected(run).decode() == verdict.read_text()


@pytest.mark.parametrize("packed", GOLDEN[:1], ids=lambda packed: packed.name)
def test_packing_gives_the_same_archive(packed: Path, tmp_path: Path) -> None:
    run = unpack(packed, tmp_path)
    assert pack(run.path) == pack(run.path)


def test_every_verdict_has_its_run_and_there_is_one() -> None:
    verdicts = {path.name.removesuffix(".verdict.json") for path in FOLDER.glob("*.verdict.json")}
    assert verdicts == {path.name.removesuffix(".tar.zst") for path in GOLDEN}
    assert verdicts
