"""Goal: a defect of the harness is told in one sentence and keeps its traceback, and nothing takes it for a finding."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness import one_run
from harness.base.unexpected import told
from harness.cli import main
from tests.golden.record import FOLDER, unpack


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where tracebacks go."""
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_sentence_says_what_and_where(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(ExceptionGroup("two", [ZeroDivisionError("by zero\nand more"), KeyError(1)]), "vtchaos") == 4
    (path,) = kept.iterdir()
    said = f"vtchaos: the harness itself failed: ZeroDivisionError: by zero; its traceback is in {path}\n"
    assert capsys.readouterr().err == said
    assert "KeyError" in path.read_text()


def test_where_nothing_can_be_written_the_traceback_is_above(
    kept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(kept / "none"))
    assert told(ValueError(), "vtchaos") == 4
    said = capsys.readouterr().err
    assert said.startswith("ValueError")
    assert said.endswith("vtchaos: the harness itself failed: ValueError; its traceback is above\n")


def test_a_command_with_a_defect_ends_with_4(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_run, "judged", lambda *_, **__: dict[str, str]()["gone"])
    run = unpack(FOLDER / "made-calm.tar.zst", tmp_path)
    done = CliRunner().invoke(main, ["check", str(run.path)])
    assert done.exit_code == 4
    assert done.stderr.startswith("vtchaos: the harness itself failed: KeyError: 'gone'; its traceback is in ")
    assert "one_run.judged" in next(kept.iterdir()).read_text()


@pytest.mark.parametrize("error", [click.UsageError("no"), click.exceptions.Exit(2)])
def test_what_click_raises_is_no_defect(kept: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def judged(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(one_run, "judged", judged)
    monkeypatch.setattr("harness.cli.RunDir.open", lambda path: path)
    assert CliRunner().invoke(main, ["check", "x"]).exit_code == 2
    assert not list(kept.iterdir())
