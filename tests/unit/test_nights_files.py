"""Goal: whatever state a soak's folder is in, what is whole in it is read, and what is not is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click.testing
import pytest

from harness.base.errors import RunDirError
from harness.cli import main
from harness.model import Verdict
from harness.nights.files import MOST_NIGHTS, Past, before, read, renewed
from harness.nights.words import again
from harness.soak.files import PRUNED
from harness.soak.values import RUNS, SOAK
from tests.unit.nights_made import errors, run, written

RED, GREEN = errors(Verdict.FAIL), errors(Verdict.PASS)


def test_a_torn_last_line_is_left_out_and_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "n1", [run(1, GREEN), run(2, RED)])
    whole = (folder / RUNS).read_bytes()
    (folder / RUNS).write_bytes(whole[:-20])
    night = read(folder)
    assert (night.runs, night.found) == (1, 0)
    assert night.left_out == ("the last line of runs.jsonl is torn: the soak was killed while it wrote it",)
    assert any("torn" in what for what in renewed(folder).left_out)


def test_lines_of_another_version_are_left_out_and_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "n1", [run(1, GREEN), run(2, GREEN)])
    lines = (folder / RUNS).read_bytes().splitlines(keepends=True)
    (folder / RUNS).write_bytes(lines[0] + b'{"other": 1}\n' + b"no json\n" + lines[1])
    night = read(folder)
    assert night.runs == 2
    assert night.left_out[0].startswith("2 lines of runs.jsonl cannot be read by this version of vtchaos; line 2: ")


def test_a_soak_without_a_run_yet_has_a_report(tmp_path: Path) -> None:
    folder = written(tmp_path / "n1", [])
    (folder / RUNS).unlink()
    assert renewed(folder).left_out == (f"{read(folder).name}: no run has ended yet",)
    assert (folder / "soak.html").is_file()


def test_a_run_whose_recording_was_removed_is_named_and_not_replayed(tmp_path: Path) -> None:
    folder = written(tmp_path / "n1", [run(1, RED), run(2, RED)])
    (folder / "0002").mkdir()
    (folder / "0002" / PRUNED).write_text("")
    (finding,) = renewed(folder).findings
    assert (finding.first.kept, finding.latest.kept) == (True, False)
    assert again(finding) == (f"vtchaos replay {folder}/0001", f"vtchaos shrink {folder}/0001")
    page = (folder / "soak.html").read_text()
    assert 'href="0001/report.html"' in page
    assert f"{folder}/0002 (its recording was removed)" in page


def test_a_run_that_is_recorded_twice_counts_once_and_one_that_is_missing_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "n1", [run(number, GREEN) for number in (1, 2, 2, 5, 7)])
    night = read(folder)
    assert night.runs == 4
    assert night.left_out == (
        "runs.jsonl has no runs 3 to 4",
        "runs.jsonl has no run 6",
        "runs.jsonl has 0002 more than once; the first of each counts",
    )


def test_a_copy_is_no_other_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monday = written(tmp_path / "mon", [run(1, RED)], day=1)
    tuesday = written(tmp_path / "tue", [run(1, RED)], day=2)
    shutil.copytree(monday, tmp_path / "mon-backup")
    shutil.copytree(tuesday, tmp_path / "tue-backup")
    found = before(tuesday)
    assert len(found.nights) == 1
    assert found.left_out == (
        f"{tmp_path}/mon-backup holds the same soak as {monday}, and counts once",
        f"{tmp_path}/tue-backup holds the same soak as {tuesday}, and counts once",
    )
    monkeypatch.chdir(tmp_path)
    assert "1 new" in nights("mon", monday, "mon-backup").output
    assert nights(monday, "gone").exit_code == 2


def test_no_soak_is_an_error_of_the_user(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone", Path(__file__)):
        with pytest.raises(RunDirError, match="holds no soak"):
            read(folder)
    (tmp_path / SOAK).write_text('{"seed": 1}')
    with pytest.raises(RunDirError, match="does not fit this version of vtchaos"):
        read(tmp_path)


def test_the_nights_before_are_those_beside_it_that_began_before(tmp_path: Path) -> None:
    nights = [written(tmp_path / name, [run(1, GREEN)], day=day) for name, day in (("z", 1), ("b", 2), ("a", 3))]
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("")
    assert [night.name for night in before(nights[2]).nights] == ["z", "b"]
    assert [night.name for night in before(nights[1]).nights] == ["z"]
    assert before(nights[0]).nights == ()
    assert [night.name for night in before(nights[2], most=1).nights] == ["b"]
    assert before(nights[2], most=0) == Past(compared=False)


def test_an_unreadable_night_is_told_and_the_others_count(tmp_path: Path) -> None:
    written(tmp_path / "n1", [run(1, GREEN)], day=1)
    (written(tmp_path / "n2", [], day=2) / SOAK).write_text("{}")
    found = renewed(written(tmp_path / "n3", [run(1, GREEN)], day=3))
    assert [row.path.rpartition("/")[2] for row in found.nights] == ["n1", "n3"]
    assert "does not fit this version" in found.left_out[0]


def test_at_most_so_many_nights(tmp_path: Path) -> None:
    for day in range(1, MOST_NIGHTS + 4):
        folder = written(tmp_path / f"n{day:02d}", [run(1, GREEN)], day=day)
    assert len(renewed(folder).nights) == MOST_NIGHTS + 1


def nights(*words: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, ["nights", *(str(word) for word in words)])


def test_the_command_compares_and_writes(tmp_path: Path) -> None:
    written(tmp_path / "n1", [run(1, GREEN)], day=1)
    tonight = written(tmp_path / "n2", [run(1, RED)], day=2)
    said = nights(tonight)
    assert said.exit_code == 1
    assert "Findings in 1 run, against 1 earlier night: 1 new." in " ".join(said.output.split())
    assert json.loads((tonight / "soak-report.json").read_text())["findings"][0]["standing"] == "new"
    assert not (tmp_path / "n1" / "soak.html").exists()


def test_of_several_folders_the_latest_is_tonight(tmp_path: Path) -> None:
    tonight = written(tmp_path / "here" / "n2", [run(1, RED)], day=2)
    earlier = written(tmp_path / "there" / "n1", [run(1, RED)], day=1)
    assert nights(tonight).exit_code == 1
    assert "1 new" in nights(tonight).output
    assert "1 ongoing" in nights(tonight, earlier).output
    assert "1 ongoing" in nights(tonight, "--history", tmp_path / "there").output
    assert nights(tonight, earlier, "--history", tmp_path / "there").exit_code == 2
