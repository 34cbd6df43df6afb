"""Runs that were recorded once are judged as they were then, byte for byte.

`made-…` come from `tests/fakes.py`; the others are real. To accept a change of a verdict:
`python -m tests.golden.record NAME`, and say in the commit why it is right.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.checks import VSTREAM
from harness.history import History, load
from harness.model import Verdict
from harness.streams import StreamRecord
from tests.golden.record import FOLDER, expected, pack, unpack
from tests.unit.stream_mutations import mutations

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


def test_every_guarantee_is_seen_red_on_a_recorded_stream(tmp_path: Path) -> None:
    """A stream of vtgate 24.0.3 through copy cycles, with one event dropped, doubled, swapped or changed."""
    seen = load(unpack(FOLDER / "vstream-17778.tar.zst", tmp_path))
    stream = next(stream for stream in seen.streams if stream.lane.vtgate == "vtgate-1")
    assert red(seen, stream) == set()
    made = list(mutations(stream))
    wrong = {
        mutation.name: found
        for mutation in made
        for found in [red(seen, mutation.record)]
        if not mutation.must <= found <= mutation.must | mutation.may
    }
    assert wrong == {}
    assert {name for mutation in made for name in mutation.must} >= {
        f"vstream/{guarantee}"
        for guarantee in ("ordered", "unique", "atomic", "reliable", "values", "grammar", "completed", "uninterrupted")
    }


def red(seen: History, stream: StreamRecord) -> set[str]:
    """The checks of streams that fail when this is the only stream; its counters are those of the whole run."""
    changed = dataclasses.replace(seen, streams=(stream,))
    judged = [result for check in VSTREAM if check.name.startswith("vstream/") for result in check.check(changed)]
    return {r.check for r in judged if r.verdict is Verdict.FAIL and r.check != "vstream/counters"}


def test_every_verdict_has_its_run_and_there_is_one() -> None:
    verdicts = {path.name.removesuffix(".verdict.json") for path in FOLDER.glob("*.verdict.json")}
    assert verdicts == {path.name.removesuffix(".tar.zst") for path in GOLDEN}
    assert verdicts
