"""Programs that say themselves what their flags are."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters import flags
from clusters.flags import Binary
from tests.unit.test_flags import HELP_21


async def test_inspect_runs_the_program_once(tmp_path: Path) -> None:
    program = tmp_path / "vtgate"
    calls = tmp_path / "calls"
    program.write_text(
        f'#!/bin/sh\necho "$1" >> {calls}\n'
        'if [ "$1" = --version ]; then echo "Version: 23.0.1 (x)"; else echo "      --cell string   cell"; fi\n'
    )
    program.chmod(0o755)
    first, second = await flags.inspect(program), await flags.inspect(program)
    assert first is second
    assert first.version == "23.0.1"
    assert sorted(calls.read_text().split()) == ["--help", "--version"]


@pytest.fixture
def picky(tmp_path: Path) -> Binary:
    """Takes no buffer window of "abc"; keeps what it was called with."""
    path = tmp_path / "vtgate"
    path.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path / "calls"}\n'
        'case "$*" in *=abc*) echo \'Error: invalid argument "abc" for "--buffer_window" flag: why\'; exit 1;; esac\n'
    )
    path.chmod(0o755)
    return flags.parsed(path, "vtgate version Version: 21.0.2 (", HELP_21)


async def test_a_program_is_asked_whether_it_takes_a_value(picky: Binary, tmp_path: Path) -> None:
    said = await flags.refused_value(picky, {"buffer-window": "abc", "enable-buffer": ""})
    assert said == 'vtgate 21.0.2: invalid argument "abc" for "--buffer_window" flag: why'
    assert (tmp_path / "calls").read_text() == "--buffer_window=abc --enable_buffer --help\n"
    assert await flags.refused_value(picky, {"buffer-window": "1s"}) == ""


async def test_a_program_is_not_asked_about_flags_that_it_does_not_know(picky: Binary, tmp_path: Path) -> None:
    assert await flags.refused_value(picky, {"no-such-flag": "abc"}) == ""
    assert not (tmp_path / "calls").exists()
