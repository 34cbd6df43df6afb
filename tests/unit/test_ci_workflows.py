"""The workflows fit the files that they name. (Their grammar is actionlint's; GitHub is not asked here.)"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from ci.suite.command import _parser
from ci.suite.deciding import EXIT_CODES

ROOT = Path(__file__).parents[2]
ACTIONS = ROOT / ".github" / "actions"
WORKFLOWS = (ROOT / ".github" / "workflows" / "ci.yml", ROOT / "ci" / "workflows" / "vitess-pull-request.yml")
REGRESSION = (ACTIONS / "regression" / "action.yml").read_text(encoding="utf-8")


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_of_ours_are_there_and_take_what_they_are_given(path: Path) -> None:
    ours = [step for step in steps(path) if "/.github/actions/" in step.get("uses", "")]
    assert ours
    for step in ours:
        action = yaml.safe_load((ACTIONS / step["uses"].rpartition("/")[2] / "action.yml").read_text(encoding="utf-8"))
        assert set(step.get("with", {})) <= set(action.get("inputs", {}))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_is_bounded(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    assert all(job["timeout-minutes"] for job in jobs.values())


def test_targets_of_make_are_there() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = {word for step in steps(WORKFLOWS[0]) for word in re.findall(r"^make (\S+)", step.get("run", ""))}
    assert called
    assert called <= targets


def test_options_and_exit_codes_of_the_suite_are_those_that_it_has() -> None:
    given = set(re.findall(r'(--[a-z]+) "\$', REGRESSION))
    assert given <= {option for action in _parser()._actions for option in action.option_strings}
    assert {int(code) for code in re.findall(r"== '(\d+)'", REGRESSION)} == {1, 3}  # told apart from all others
    assert set(EXIT_CODES.values()) == {0, 1, 3, 4}


def test_every_command_of_the_page_can_be_typed() -> None:
    page = (ROOT / "docs" / "how-to" / "ci.md").read_text(encoding="utf-8")
    lines = [line.partition("#")[0] for line in re.findall(r"^    ci/regression (.*)$", page, re.MULTILINE)]
    assert len(lines) >= 4
    for line in lines:
        _parser().parse_args([word for word in shlex.split(line) if word != "…"])


def test_the_script_is_executable() -> None:
    assert (ROOT / "ci" / "regression").stat().st_mode & 0o111
