"""Goal: a line is in its file whole or not at all, and what could not be written is told. Method: a kernel that writes
less than it was given, as where a disk is nearly full, and one that has no room."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.base import jsonio
from harness.base.errors import HarnessError
from harness.base.rundir import LineLog

LINES = [{"number": 1}, {"number": 2}, {"number": 3}]
write = os.write


def lines(path: Path) -> list[dict[str, int]]:
    return list(jsonio.read_lines(path))


def test_what_the_kernel_takes_in_parts_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:5]))
    log = LineLog(tmp_path / "lines")
    for each in LINES:
        log.append(each)
    log.close()
    assert lines(tmp_path / "lines") == LINES


def test_a_disk_that_is_full_is_told_and_leaves_no_part_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LineLog(tmp_path / "lines")
    log.append(LINES[0])
    room = 5

    def full(fd: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken, room = room, 0
        return write(fd, data[:taken])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(HarnessError, match="lines cannot be written: No space left on device"):
        log.append(LINES[1])
    monkeypatch.setattr(os, "write", write)
    log.append(LINES[2])
    log.close()
    assert lines(tmp_path / "lines") == [LINES[0], LINES[2]]


def test_a_torn_end_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(jsonio.line(LINES[0]) + b'{"num')
    log = LineLog(tmp_path / "lines")
    log.append(LINES[1])
    log.close()
    assert lines(tmp_path / "lines") == LINES[:2]
