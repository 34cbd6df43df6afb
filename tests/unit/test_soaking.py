"""Goal: whenever a soak is ended, none of its results is lost and none is doubled, and it goes on as if nothing was.

Method: the real work of the command with a fake `vtchaos`, killed at every step at which it can be killed: before, in
the middle of and after a run; within the line that records it; before it is pruned or told.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import io
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness.base import jsonio
from harness.base.errors import ClusterError, HarnessError, RunDirError
from harness.checks.judge import judge
from harness.history import load
from harness.many.children import Stopping
from harness.many.records import RunRecord, Said
from harness.model import CheckKind, Plan, RunVerdict, Verdict
from harness.soak import files, soaking
from harness.soak.drawing import drawing
from harness.soak.limits import failed
from harness.soak.soaking import Soaking
from harness.soak.values import RUNS, SOAK, Drawing, Ended, Soak, SoakRun
from tests.fakes import calm
from tests.unit.soak_runs import WEIGHTS

SEED = 11


class Killed(BaseException):
    """SIGKILL: nothing of the soak runs on."""


@dataclass
class World:
    """Stands for `vtchaos` and for whoever kills the soak: after `lives` steps it dies."""

    template: Path
    lives: int | None = None
    codes: dict[int, int] = field(default_factory=dict)  # run → how its process ends; without a verdict where not 0
    asks: dict[int, Callable[[], None]] = field(default_factory=dict)  # run → what happens while it runs
    started: list[int] = field(default_factory=list)  # runs that were begun, in that order
    others: list[tuple[str, ...]] = field(default_factory=list)  # up, down, heal
    bulk: int = 0  # bytes of a run's recording
    said: str = ""
    reports: list[bool] = field(default_factory=list)  # told or not
    report: tuple[int, str] = (0, "")

    def step(self) -> None:
        if self.lives is not None:
            self.lives -= 1
            if self.lives < 0:
                raise Killed

    def ran(self, command: Sequence[str], turn: str, within_s: float) -> int:
        del within_s
        words = list(command)[3:]
        self.step()
        if words[0] != "run":
            self.others.append(tuple(words))
            return 0
        number, folder = int(turn.removeprefix("run ")), Path(words[words.index("--out") + 1])
        self.started.append(number)
        folder.mkdir()
        shutil.copy(self.template / "plan.json", folder)
        self.step()
        self.asks.get(number, lambda: None)()
        if self.codes.get(number, 0) == 0:
            (folder / "ops-0.bin").write_bytes(bytes(self.bulk))
            shutil.copy(self.template / "verdict.json", folder)
        self.step()
        return self.codes.get(number, 0)


class Kept:
    """Stands for KeptCluster."""

    def __init__(self, soak: str, *, ran: object, most_runs: int) -> None:
        del ran, most_runs
        self.prefix = f"soak-{soak}-"

    def ready(self, drawn: Drawing) -> tuple[str, str]:
        return ("soak-x", "new") if drawn.cluster else ("", "own")

    def after(self, why: str) -> str:
        return why

    def removed(self) -> None:
        return

    def leftovers_removed(self) -> dict[str, bool]:
        return {}


class Counting(Kept):
    removals = 0

    def removed(self) -> None:
        Counting.removals += 1


class Refusing(Kept):
    def ready(self, drawn: Drawing) -> tuple[str, str]:
        if drawn.cluster:
            raise ClusterError("it does not serve")
        return "", "own"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = calm().write(tmp_path_factory.mktemp("run") / "run")
    jsonio.save(run.verdict, judge(load(run)))
    return run.path


@contextlib.contextmanager
def replacing(world: World, kept: type[Kept] = Kept) -> Iterator[None]:
    """The world in place of the real one."""
    append, prune = files.append, files.prune

    def appended(folder: Path, run: SoakRun) -> None:
        with contextlib.suppress(FileNotFoundError):
            whole = (folder / RUNS).read_bytes()
        try:
            world.step()
        except Killed:  # the line is torn
            with (folder / RUNS).open("ab") as out:
                out.write(jsonio.line(run)[:50])
            raise
        append(folder, run)
        assert not run.number > 1 or (folder / RUNS).read_bytes().startswith(whole[: whole.rfind(b"\n") + 1])
        world.step()

    def pruned(*given: object, **more: object) -> int:
        world.step()
        return prune(*given, **more)  # type: ignore[arg-type]

    def report(folder: Path, *, told: bool) -> tuple[int, str]:
        world.reports.append(told)
        world.step()
        return world.report

    async def nobody(folder: Path, clusters: str, stopping: Stopping) -> None:
        return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stopping, "ran", lambda _, command, turn, within_s, **_more: world.ran(command, turn, within_s))
        patch.setattr(soaking, "KeptCluster", kept)
        patch.setattr(soaking, "recorded", recorded)
        patch.setattr(soaking, "report", report)
        patch.setattr(soaking, "_until_nobody_is_at", nobody)
        patch.setattr(files, "append", appended)
        patch.setattr(files, "prune", pruned)
        yield


def recorded(run: Path, inside: Path) -> RunRecord:
    verdict = jsonio.load(run / "verdict.json", RunVerdict)
    seed = jsonio.load(run / "plan.json", Plan).seed
    return RunRecord(
        run_id=verdict.run_id, folder=str(run.relative_to(inside)), experiment=verdict.experiment, seed=seed,
        verdict=Verdict.PASS, exit_code=0, headline="",
        sabotaged=drawing(SEED, int(run.name), WEIGHTS).sabotage,
    )  # fmt: skip


def soak(most_runs: int = 6, left_s: float = 10_000.0, keep_bytes: int = 10**9) -> Soak:
    now = datetime.datetime.now(tz=datetime.UTC)
    return Soak(
        name="abc",
        seed=SEED,
        budget_s=left_s,
        most_runs=most_runs,
        keep_bytes=keep_bytes,
        weights=WEIGHTS,
        begin=now.isoformat(),
        until=(now + datetime.timedelta(seconds=left_s)).isoformat(),
        harness_version="1",
        commit="",
    )


def lived(world: World, folder: Path, what: Soak) -> int | None:
    """The exit code of one soak process; None: it was killed."""
    out = io.StringIO()
    console = Console(file=out, width=200)
    try:
        return Soaking(folder, what, console, Stopping(console)).run()
    except Killed:
        return None
    finally:
        world.said = out.getvalue()


def complete(folder: Path, count: int) -> None:
    """Every run once, in order, as it would have been drawn anyway."""
    runs = list(files.runs(folder))
    assert [run.drawing for run in runs] == [drawing(SEED, number, WEIGHTS) for number in range(1, count + 1)]
    assert [run.folder for run in runs] == [f"{number:04d}" for number in range(1, count + 1)]
    assert all((folder / run.folder / "verdict.json").is_file() for run in runs)


def test_a_soak_is_taken_up_wherever_it_was_killed(template: Path, tmp_path: Path) -> None:
    for lives in range(200):
        folder = tmp_path / str(lives)
        folder.mkdir()
        world = World(template, lives=lives)
        with replacing(world):
            first = lived(world, folder, soak(3))
            world.lives = None
            assert lived(world, folder, soak(3)) is not None
        complete(folder, 3)
        again = [number for number in (1, 2, 3) if world.started.count(number) > 1]
        aside = [path.name for path in folder.glob("*-broken-off-*")]
        assert aside == [f"{number:04d}-broken-off-1" for number in again]  # only what was not whole was made again
        if first is not None:
            break
    assert 12 < lives < 100


@settings(max_examples=15, deadline=None)
@given(lives=st.lists(st.integers(min_value=0, max_value=15), max_size=8))
def test_however_often_it_is_killed(lives: list[int], template: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("soak")
    world = World(template)
    with replacing(world):
        for each in lives:
            world.lives = each
            lived(world, folder, soak(5))
        world.lives = None
        assert lived(world, folder, soak(5)) is not None
    complete(folder, 5)


def test_a_run_that_is_whole_is_taken_over_with_what_it_says(template: Path, tmp_path: Path) -> None:
    world = World(template, lives=2)  # it dies when the run has ended
    with replacing(world):
        assert lived(world, tmp_path, soak(1)) is None
        assert not (tmp_path / RUNS).exists()
        world.lives = None
        lived(world, tmp_path, soak(1))
    assert world.started == [1]
    (run,) = files.runs(tmp_path)
    assert run.exit_code == jsonio.load(template / "verdict.json", RunVerdict).exit_code
    assert run.took_s >= 0


def test_a_run_that_is_taken_over_failed_in_the_harness_as_if_its_soak_had_lived(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(template, lives=2)
    with replacing(world):
        monkeypatch.setattr(soaking, "recorded", lambda *where: dataclasses.replace(recorded(*where), failure="boom"))
        assert lived(world, tmp_path, soak(1)) is None
        world.lives = None
        lived(world, tmp_path, soak(1))
    (run,) = files.runs(tmp_path)
    assert (run.exit_code, failed(run)) == (4, True)


def test_what_a_dead_run_left_is_healed_before_it_is_made_again(template: Path, tmp_path: Path) -> None:
    world = World(template, lives=1)
    with replacing(world):
        assert lived(world, tmp_path, soak(1)) is None
        world.lives = None
        lived(world, tmp_path, soak(1))
    assert world.others == [("heal", str(tmp_path / "0001"))]
    assert world.started == [1, 1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_losing_a_result(number: signal.Signals, template: Path, tmp_path: Path) -> None:
    world = World(template, asks={2: lambda: signal.raise_signal(number)})
    with replacing(world):
        assert lived(world, tmp_path, soak(4)) == 130
        complete(tmp_path, 2)
        assert jsonio.load(tmp_path / SOAK, Soak).ended == Ended(why="interrupted", exit_code=130)
        assert world.said.endswith(f"go on with: vtchaos soak --resume {tmp_path}\n")
        world.asks = {}
        assert lived(world, tmp_path, soak(4)) != 130
    complete(tmp_path, 4)


def test_a_run_that_is_broken_off_by_the_signal_is_made_again(template: Path, tmp_path: Path) -> None:
    world = World(template, asks={2: lambda: signal.raise_signal(signal.SIGTERM)}, codes={2: 130})
    with replacing(world):
        assert lived(world, tmp_path, soak(3)) == 130
        complete(tmp_path, 1)
        world.asks, world.codes = {}, {}
        lived(world, tmp_path, soak(3))
    complete(tmp_path, 3)
    assert (tmp_path / "0002-broken-off-1").is_dir()


def test_a_run_that_failed_is_on_record_and_is_not_made_again(template: Path, tmp_path: Path) -> None:
    world = World(template, codes={2: 4})
    with replacing(world):
        lived(world, tmp_path, soak(3))
        lived(world, tmp_path, soak(3))
    assert world.started == [1, 2, 3]
    assert world.reports == [False, False, False, True, True]
    runs = list(files.runs(tmp_path))
    assert [run.exit_code for run in runs] == [0, 4, 0]
    assert runs[1].record.headline == "it came to no verdict"


def test_five_failures_in_a_row_end_it(template: Path, tmp_path: Path) -> None:
    world = World(template, codes=dict.fromkeys(range(2, 20), 4))
    with replacing(world):
        assert lived(world, tmp_path, soak(20)) == 4
    assert world.started == [1, 2, 3, 4, 5, 6]
    assert "5 runs in a row failed" in world.said


def test_a_cluster_that_does_not_start_is_a_failure_of_the_harness(template: Path, tmp_path: Path) -> None:
    world = World(template)
    with replacing(world, Refusing):
        lived(world, tmp_path, soak(3))
    runs = list(files.runs(tmp_path))
    assert [(run.exit_code, run.record.headline) for run in runs[:2]] == [(4, "it does not serve")] * 2
    assert world.started == [3]


def test_a_budget_that_is_over_begins_nothing(template: Path, tmp_path: Path) -> None:
    world = World(template)
    with replacing(world):
        assert lived(world, tmp_path, soak(3, left_s=30.0)) == 3
    assert world.started == []
    assert "of the budget" in world.said
    assert f"go on with: vtchaos soak --resume {tmp_path} --budget 1h" in world.said
    assert world.reports == [True]


def test_a_run_that_cannot_be_recorded_ends_the_soak_and_is_taken_over_later(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(template)
    with replacing(world, Counting):
        appended = files.append

        def full(folder: Path, run: SoakRun) -> None:
            if run.number == 2:
                raise HarnessError("no room")
            appended(folder, run)

        monkeypatch.setattr(files, "append", full)
        with pytest.raises(HarnessError, match="no room"):
            lived(world, tmp_path, soak(3))
        assert Counting.removals == 1
        monkeypatch.setattr(files, "append", appended)
        lived(world, tmp_path, soak(3))
    complete(tmp_path, 3)
    assert world.started == [1, 2, 3]


def test_the_folder_is_kept_small(template: Path, tmp_path: Path) -> None:
    world = World(template, bulk=300_000)
    with replacing(world):
        lived(world, tmp_path, soak(8, keep_bytes=1_000_000))
    complete(tmp_path, 8)
    runs = list(files.runs(tmp_path))
    left = [run.number for run in runs if (tmp_path / run.folder / "ops-0.bin").exists()]
    uncaught = [run.number for run in runs if run.caught is False]
    assert left == [*uncaught, 8]
    assert files.taken_bytes(tmp_path) < 1_300_000  # one run is made before there is room for it
    assert "removed by the soak" in (tmp_path / "0001" / "pruned.txt").read_text()


def test_what_a_kill_left_of_a_recording_that_was_being_removed_goes_later(tmp_path: Path) -> None:
    run = tmp_path / "0001"
    run.mkdir()
    for name in ("plan.json", files.PRUNED, "ops-0.bin"):
        (run / name).write_bytes(bytes(100_000))
    assert files.pruned(run) >= 100_000
    assert sorted(path.name for path in run.iterdir()) == ["plan.json", files.PRUNED]
    assert files.pruned(run) == 0


def test_what_the_runs_said_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOG_BYTES", 100)
    log = tmp_path / files.LOG
    files.bound_log(tmp_path)
    for word in ("a", "b", "c"):
        log.write_text(word * 60)
        files.bound_log(tmp_path)
        assert log.exists()
        log.write_text(word * 101)
        files.bound_log(tmp_path)
        assert not log.exists()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["c" * 101]


@pytest.mark.parametrize(
    ("report", "code"),
    [((0, ""), 0), ((1, ""), 1), ((3, ""), 3), ((4, ""), 4), ((0, "no room"), 4), ((130, ""), 130)],
)
def test_the_exit_code_is_that_of_the_report(
    report: tuple[int, str], code: int, template: Path, tmp_path: Path
) -> None:
    world = World(template, report=report)
    with replacing(world):
        assert lived(world, tmp_path, soak(1)) == code
    assert ("could not be written: no room" in world.said) is (report[1] != "")


def test_a_finding_is_not_hidden_by_a_report_that_cannot_be_written(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(template, report=(4, "no room"))
    red = Said(check="clients/errors", kind=CheckKind.PROMISE, verdict=Verdict.FAIL)

    def failing(run: Path, inside: Path) -> RunRecord:
        return dataclasses.replace(recorded(run, inside), verdict=Verdict.FAIL, results=(red,), sabotaged="")

    with replacing(world):
        monkeypatch.setattr(soaking, "recorded", failing)
        assert lived(world, tmp_path, soak(1)) == 1


def test_a_finding_is_said_of_a_soak_that_was_broken_off_too(template: Path, tmp_path: Path) -> None:
    world = World(template, asks={1: lambda: signal.raise_signal(signal.SIGTERM)}, report=(1, ""))
    with replacing(world):
        assert lived(world, tmp_path, soak(2)) == 1


def test_a_line_of_another_version_is_said(tmp_path: Path) -> None:
    (tmp_path / RUNS).write_text('{"number": 1}\n')
    with pytest.raises(RunDirError, match=r"runs\.jsonl, line 1 is of another version"):
        list(files.runs(tmp_path))


def test_a_line_that_was_spoilt_is_said(tmp_path: Path) -> None:
    (tmp_path / RUNS).write_text("no JSON\n{}\n")
    with pytest.raises(RunDirError, match=r"runs\.jsonl, line 1 is not JSON"):
        list(files.runs(tmp_path))


def test_what_it_takes_is_measured(tmp_path: Path) -> None:
    before = files.resources(tmp_path)
    (tmp_path / "bulk").write_bytes(bytes(1_000_000))
    after = files.resources(tmp_path)
    assert after.folder_bytes - before.folder_bytes >= 1_000_000
    assert before.own_rss_bytes > 10_000_000
    assert before.own_handles > 2
    assert dataclasses.asdict(before).keys() == dataclasses.asdict(after).keys()


@pytest.mark.parametrize(
    ("words", "is_at"),
    [
        (("python", "-m", "harness.cli", "run", "a", "--out", "/soak/0002"), True),
        (("python", "-c", "from harness import lease", "/soak/0002"), True),
        (("less", "/soak/0002"), False),
        (("python", "-m", "harness.cli", "up", "soak-abc-2", "--shards", "1"), True),
        (("python", "-m", "harness.cli", "run", "a", "--out", "/soak/0001"), False),
        (("mysqld", "--datadir=/clusters/soak-abc-2/data"), False),
        ((), False),
    ],
)
def test_who_is_still_at_work(words: tuple[str, ...], is_at: bool) -> None:
    assert soaking._is_at(words, Path("/soak/0002"), "soak-abc-") is is_at


def test_a_run_is_seen_however_its_folder_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    spelled = (tmp_path / "real" / "0002", tmp_path / "link" / "0002", tmp_path / "real" / ".." / "link" / "0002")
    for one in spelled:
        for other in spelled:
            assert soaking._is_at(("python", "-m", "harness.cli", "run", "--out", str(one)), other, "soak-abc-")
