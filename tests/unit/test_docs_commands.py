"""Goal: no page shows a command, an option, an experiment or a fault that does not exist (any more)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from experiments import EXPERIMENTS
from harness.cli import main
from harness.faults import catalogue

ROOT = Path(__file__).parents[2]
HISTORY = ("decisions", "reference")  # what was, and what is generated
PAGES = [
    page
    for page in sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
    if page.relative_to(ROOT / "docs" if page.name != "README.md" else ROOT).parts[0] not in HISTORY
]
SHOWN = re.compile(r"^    (?:\.venv/bin/)?(vtchaos .+)$|`(vtchaos [^`]+)`", re.MULTILINE)
TUTORIALS = {"backup/read-lock", "backup/control", "BackupLock", "MyFault", "EXPERIMENT"}  # the reader makes these


def commands(page: Path) -> Iterator[str]:
    text = page.read_text()
    for match in SHOWN.finditer(text):
        line = (match[1] or match[2]).partition(" #")[0]
        for part in re.split(r"[;|]", line):
            if part.strip().startswith("vtchaos ") and "…" not in part:
                yield part.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_can_be_typed(page: Path) -> None:
    assert [problem for line in commands(page) if (problem := wrong(line))] == []


def test_what_does_not_exist_is_seen() -> None:
    assert "no such command" in wrong("vtchaos rum reparent/storm").lower()
    assert "no such option" in wrong("vtchaos run reparent/storm --shard 4").lower()
    assert "reparent/strom" in wrong("vtchaos run reparent/strom")
    assert "Pausd" in wrong("vtchaos fault inject Pausd")


def wrong(line: str) -> str:
    """What is wrong with a command line; "" = nothing."""
    command: click.Command = main
    words = shlex.split(line)[1:]
    if "--help" in words:
        words.remove("--help")
        return "" if _found(command, words) else f"no such command: {line}"
    while isinstance(command, click.Group) and words:
        found = command.commands.get(words[0])
        if found is None:
            return "" if words[0].startswith("-") else f"no such command: {line}"
        command, words = found, words[1:]
    if isinstance(command, click.Group):
        return ""  # a group that is only named
    try:
        context = command.make_context(line, words, resilient_parsing=False)
    except click.MissingParameter:
        return ""  # a command that is only named
    except (click.UsageError, click.exceptions.Exit) as error:
        return f"{line}: {error}"
    return _unknown_name(line, context)


def _found(command: click.Command, words: list[str]) -> bool:
    for word in words:
        if not isinstance(command, click.Group) or word not in command.commands:
            return False
        command = command.commands[word]
    return True


def _unknown_name(line: str, context: click.Context) -> str:
    given = context.params
    experiment, fault = given.get("experiment"), given.get("name") if "inject" in line else None
    if experiment and experiment not in {*EXPERIMENTS, *TUTORIALS}:
        return f"{line}: no experiment {experiment}"
    if fault and fault not in {*catalogue.FAULTS, *TUTORIALS}:
        return f"{line}: no fault {fault}"
    return ""
