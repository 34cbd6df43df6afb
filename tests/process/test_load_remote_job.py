"""The first process of a load pod, in a real shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

from clusters.kubernetes import load_job


def test_the_first_process_ends_when_its_station_has_ended(tmp_path: Path) -> None:
    script = load_job._KEEPER.replace(load_job.WORK, str(tmp_path)).replace("sleep 2", "sleep 0.1")
    (tmp_path / "station").write_text("4194304\n")  # nobody's process
    assert subprocess.run(["/bin/sh", "-c", script], timeout=10, check=False).returncode == 0


def test_the_first_process_gives_up_when_no_station_comes(tmp_path: Path) -> None:
    script = load_job._KEEPER.replace(load_job.WORK, str(tmp_path)).replace("sleep 1", "sleep 0.001")
    assert subprocess.run(["/bin/sh", "-c", script], timeout=10, check=False).returncode == 1
