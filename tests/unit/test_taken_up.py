"""A folder is taken up only by what wrote it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from harness.base import jsonio
from harness.base.errors import RunDirError
from harness.base.taken_up import LOCK, fitting, make, new_name, owned, taken_up


@dataclasses.dataclass(frozen=True)
class Kept:
    seed: int


def test_a_name_says_when_and_what_and_is_not_given_twice() -> None:
    names = {new_name("sweep", "reparent/storm") for _ in range(20)}
    assert len(names) > 1
    assert all(re.fullmatch(r"\d{8}-\d{6}-sweep-reparent-storm-[0-9a-f]{4}", name) for name in names)


def test_a_new_and_an_empty_folder_have_nothing_to_take_up(tmp_path: Path) -> None:
    assert taken_up(tmp_path / "new", "sweep.json", Kept, what="sweep") is None
    assert taken_up(tmp_path, "sweep.json", Kept, what="sweep") is None


def test_what_is_there_is_taken_up(tmp_path: Path) -> None:
    jsonio.save(tmp_path / "sweep.json", Kept(seed=7))
    (tmp_path / "runs").mkdir()
    assert taken_up(tmp_path, "sweep.json", Kept, what="sweep") == Kept(seed=7)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(RunDirError, match="holds no sweep; give another --out"):
        taken_up(tmp_path, "sweep.json", Kept, what="sweep")
    with pytest.raises(RunDirError, match="holds no sweep"):
        taken_up(tmp_path / "holiday.jpg", "sweep.json", Kept, what="sweep")


@pytest.mark.parametrize("text", ["{", "[]", '{"seed": "x"}'])
def test_a_file_that_does_not_fit_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "sweep.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunDirError, match="does not fit this version of vtchaos"):
        fitting(tmp_path / "sweep.json", Kept)


def test_a_folder_is_made_with_those_above_it_and_what_stands_there_is_told(tmp_path: Path) -> None:
    make(tmp_path / "a" / "b")
    make(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(RunDirError, match=r"file cannot be made \(File exists\); give another --out"):
        make(tmp_path / "file")


def test_a_folder_has_one_at_work_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    second = owned(folder)
    with owned(folder), pytest.raises(RunDirError, match="another vtchaos is at work in"):
        second.__enter__()
    with owned(folder):
        assert taken_up(folder, "sweep.json", Kept, what="sweep") is None  # the lock alone makes it no other's
    (tmp_path / "elsewhere" / LOCK).mkdir(parents=True)
    with pytest.raises(RunDirError, match="cannot be written"), owned(tmp_path / "elsewhere"):
        pytest.fail("it was taken")


def test_what_was_killed_at_once_left_nothing_that_hinders(tmp_path: Path) -> None:
    (tmp_path / "sweep.json.part").touch()
    assert taken_up(tmp_path, "sweep.json", Kept, what="sweep") is None
