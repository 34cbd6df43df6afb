"""The command line where it asks the machine: programs for their versions, an engine at its socket."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from harness.base import jsonio
from harness.model import Plan
from tests.unit.test_cli import refused, vtchaos


def test_doctor_cuts_no_path_in_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    (folder / "vtgate").write_text('#!/bin/sh\necho "vtgate version Version: 24.0.3 (x)"\n')
    (folder / "vtgate").chmod(0o755)
    monkeypatch.setenv("VTROOT", str(tmp_path))
    (tmp_path / "bin").symlink_to(folder)
    done = vtchaos("doctor")
    assert done.exit_code == 0
    assert str(tmp_path / "bin" / "vtgate") in done.stdout
    assert "…" not in done.stdout


def test_plan_as_json_is_a_whole_plan() -> None:
    done = vtchaos("plan", "reparent/storm-2", "--json", "--seed", "7", "--vtgate", "24.0.3,21.0.2", "--rate", "5")
    assert done.exit_code == 0
    plan = jsonio.structure(orjson.loads(done.stdout), Plan)
    assert plan.seed == 7
    assert [vtgate.version for vtgate in plan.cluster.vtgates] == ["24.0.3", "21.0.2"]
    assert plan.load is not None
    assert plan.load.rate_per_shard == 5


def test_plan_for_people() -> None:
    done = vtchaos("plan", "reparent/storm-2", "--seed", "7", "--vtgate", "24.0.3,21.0.2")
    assert done.exit_code == 0
    assert "2 shards x 2 tablets on local, Vitess 24.0.3, vtgate 24.0.3, 21.0.2" in done.stdout
    assert "seed 7" in done.stdout


@pytest.mark.parametrize(
    "words, said",
    [
        ("reparent/strom", "no experiment is called reparent/strom; did you mean reparent/storm"),
        ("reparent/storm-2 --set nope=1", "reparent/storm-2 has no parameter nope; --set takes baseline_s"),
        ("reparent/storm-2 --set baseline_s=long", "--set baseline_s=long: it takes a number"),
        ("reparent/storm-2 --set baseline_s", "--set takes a name and a value, as in baseline_s=10"),
        ("reparent/storm-2 --window 10", "--window takes a duration such as 10s, 1m30s or 500ms, not '10'"),
        ("reparent/storm-2 --vtgate-flag =5", "--vtgate-flag takes a name and a value, as in buffer-size=500"),
        ("reparent/storm-2 --vitess 99.0.0", "Vitess 99.0.0 is not one of the releases that vtchaos can build (24.0.3"),
        ("reparent/storm-2 --vtgate 24.0.3,1.0", "Vitess 1.0 is not one of the releases"),
        ("reparent/storm-2 --vitess ./no/such", "./no/such is not a folder of Vitess binaries"),
        ("reparent/storm-2 --backend moon", "no backend is called moon; there"),
        ("reparent/storm-2 --shards 0", "--shards 0: a keyspace has 1 to 256 shards"),
        ("reparent/storm-2 --tablets 1", "one tablet has nothing to reparent to; use --tablets 2 or more"),
        ("reparent/storm-2 --tablets 10000", "2 shards x 10000 tablets need about"),
        ("reparent/storm-2 --durability sometimes", "no durability policy is called sometimes; there are none"),
        ("reparent/storm-2 --rate nan", "--rate nan"),
    ],
)
def test_a_plan_that_cannot_be(words: str, said: str) -> None:
    assert said in refused("plan", *words.split())


def test_run_never_writes_into_somebody_elses_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "is not empty; give another --out" in refused("run", "reparent/storm-2", "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("below", ["", "further/down"])
def test_run_cannot_make_its_folder_of_a_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refused("run", "reparent/storm-2", "--out", tmp_path / "file" / below)


def test_an_unknown_kept_cluster() -> None:
    assert "there is no cluster 'never-made' that serves" in refused(
        "run", "reparent/storm-2", "--cluster", "never-made"
    )


def test_who_reads_half_of_it_is_told_no_finding() -> None:
    words = [sys.executable, "-m", "harness.cli", "list"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (4, b"vtchaos: nobody reads what it says any more\n")
