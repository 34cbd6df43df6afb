"""Goal: VStreams on real clusters, through the real command line. A vtgate of 21.0.2 ends the stream of a copy that is
cut (vitess#17778), one of 24.0.3 beside it delivers every row; and every guarantee's check is seen red on the stream
that was really recorded, with one event dropped, doubled, swapped or changed.

A starved machine may make a run UNKNOWN. That is accepted where it is said, and never taken for a PASS.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import history
from harness.base.rundir import RunDir
from harness.checks import VSTREAM
from harness.facts.cycles import stream_copy
from harness.history import History
from harness.model import RunVerdict, Verdict
from harness.streams import StreamRecord
from tests.cluster.command import RUN_WITHIN_S, require_honest, results, started, until_event, verdict_of, vtchaos
from tests.unit.stream_mutations import MUTATIONS, mutations

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S + 100)]

NEW, OLD = "items-1@vtgate-1", "items-1@vtgate-2"


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished run."""

    folder: Path
    exit_code: int
    output: str
    verdict: RunVerdict
    history: History

    def stream(self, name: str) -> StreamRecord:
        return next(stream for stream in self.history.streams if stream.lane.name == name)


def ran(folder: Path, *words: str) -> Ran:
    done = vtchaos("run", *words, "--plain", "--out", folder, within_s=RUN_WITHIN_S)
    assert RunDir(folder).verdict.is_file(), done.output
    return Ran(folder, done.returncode, done.output, verdict_of(folder), history.load(RunDir.open(folder)))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same tables, cuts and writers for a vtgate that is mended and for one that is not."""
    folder = tmp_path_factory.mktemp("vstream") / "run"
    return ran(folder, "vstream/copy-cycles", "--vtgate", "24.0.3,21.0.2", "--seed", "7")


# ---------------------------------------------------------------- vitess#17778


def test_the_bug_is_reproduced_where_it_is_and_nowhere_else(both: Ran) -> None:
    require_honest(both.verdict, both.output)
    (of_old,) = [r for r in results(both.verdict, "vstream/uninterrupted") if r.subject == OLD]
    assert "errno 3024" in of_old.summary
    if both.exit_code == 0:
        assert both.verdict.reproduced == ("vitess#17778",)
        assert of_old.figures["known_bug"] == "vitess#17778"
    (of_new,) = [r for r in results(both.verdict, "vstream/uninterrupted") if r.subject == NEW]
    assert (of_new.verdict, "known_bug" in of_new.figures) == (Verdict.PASS, False)


def test_the_old_vtgate_ends_the_stream_with_errno_3024(both: Ran) -> None:
    (attempt,) = both.stream(OLD).attempts
    assert (attempt.code, attempt.errno) == ("UNKNOWN", 3024)


def test_the_new_vtgate_goes_on_through_the_cuts(both: Ran) -> None:
    stream = both.stream(NEW)
    assert [attempt.code for attempt in stream.attempts] == ["STOPPED"]
    assert stream_copy(stream).cuts > 0
    told = {r.check: r.verdict for r in both.verdict.results if r.subject == NEW}
    assert {check: verdict for check, verdict in told.items() if verdict is not Verdict.PASS} == {}
    assert {"vstream/reliable", "vstream/ordered", "vstream/unique", "vstream/atomic", "vstream/resumable"} <= set(told)


def test_the_copy_cycles_are_in_the_reports(both: Ran) -> None:
    assert "copy cycles" in both.output
    page = (both.folder / "report.html").read_text()
    assert "Copy cycles" in page
    assert NEW in page


# ---------------------------------------------------------------- the oracle, on what was really recorded


def red(seen: History, stream: StreamRecord) -> frozenset[str]:
    """The checks of streams that fail when a record is replaced; each looks at this stream alone."""
    changed = dataclasses.replace(seen, streams=(stream,))
    judged = [result for check in VSTREAM if check.name.startswith("vstream/") for result in check.check(changed)]
    return frozenset(r.check for r in judged if r.verdict is Verdict.FAIL and r.check != "vstream/counters")


def test_each_guarantee_is_seen_red_on_the_recorded_stream(both: Ran) -> None:
    stream = both.stream(NEW)
    assert red(both.history, stream) == frozenset()
    made = list(mutations(stream))
    assert len(made) >= len(MUTATIONS) // 2
    told = [mutation.misjudged(red(both.history, mutation.record)) for mutation in made]
    wrong = [line for line in told if line]
    assert not wrong, " | ".join(wrong)
    assert frozenset().union(*(mutation.must for mutation in made)) >= {
        "vstream/ordered",
        "vstream/unique",
        "vstream/atomic",
        "vstream/reliable",
        "vstream/values",
        "vstream/grammar",
    }


def test_a_row_that_the_table_does_not_have_is_a_finding_of_check(both: Ran, tmp_path: Path) -> None:
    """The other side of the comparison, through the command line: a table's last row is missing from what was read."""
    copied = tmp_path / "run"
    vtchaos_copy(both.folder, copied)
    table = copied / "table-ks.item_1.-80.bin"
    table.write_bytes(table.read_bytes()[:-16])
    done = vtchaos("check", copied)
    assert done.returncode == 1, done.output
    (reliable,) = [r for r in results(verdict_of(copied), "vstream/reliable") if r.subject == NEW]
    assert reliable.verdict is Verdict.FAIL
    assert "1 extra" in reliable.summary


# ---------------------------------------------------------------- other runs


def test_a_copy_that_is_never_cut_proves_nothing(tmp_path: Path) -> None:
    run = ran(tmp_path / "run", "vstream/copy-cycles", "--copy-phase", "1h", "--rows", "2000")
    assert run.exit_code == 3, run.output
    (cut,) = results(run.verdict, "assumptions/copy-cut")
    assert cut.verdict is Verdict.UNKNOWN


def test_resumes_in_the_middle_of_a_table_lose_and_double_nothing(tmp_path: Path) -> None:
    run = ran(tmp_path / "run", "vstream/resume", "--rows", "100000")
    require_honest(run.verdict, run.output)
    assert len(run.stream(NEW).attempts) > 2


async def test_an_interrupted_run_keeps_what_its_streams_recorded(tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    words = ("run", "vstream/copy-cycles", "--reader-pause", "50", "--plain", "--out", run)
    async with started(*words, log=log) as process:
        await until_event(run, "phase", "copy", process, log=log)
        os.kill(process.pid, signal.SIGINT)
        assert await process.wait() == 130, log.read_text()
    seen = history.load(RunDir.open(run))
    (stream,) = seen.streams
    assert [attempt.code for attempt in stream.attempts] in ([], ["STOPPED"])
    again = await asyncio.to_thread(vtchaos, "check", run)
    assert again.returncode == 130, again.output


def vtchaos_copy(source: Path, target: Path) -> None:
    """A run directory without its logs."""
    target.mkdir()
    for path in source.iterdir():
        if path.is_file():
            (target / path.name).write_bytes(path.read_bytes())
    (target / "logs").mkdir()
