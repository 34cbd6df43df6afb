"""The table of what was tested, as it is printed."""

from __future__ import annotations

from tests.faults.table import Results, lines


def results(*outcomes: tuple[str, str]) -> Results:
    made = Results()
    for outcome, why in outcomes:
        made.add(outcome, why)
    return made


def test_each_fault_is_tested_or_skipped_and_why() -> None:
    said = {
        ("Killed", "local"): results(("passed", ""), ("passed", "")),
        ("Killed", "docker"): results(("skipped", "no engine"), ("skipped", "no engine")),
        ("FullDisk", "local"): results(("passed", ""), ("skipped", "not root"), ("failed", ""), ("error", "")),
        ("FullDisk", "docker"): results(("skipped", "no engine"), ("skipped", "no limits")),
    }
    assert lines(("Killed", "FullDisk", "Paused"), ("local", "docker"), said) == [
        "          local                                docker",
        "Killed    tested (2)                           2 skipped [1]",
        "FullDisk  2 FAILED, tested (1), 1 skipped [2]  2 skipped [1] [3]",
        "Paused    not run                              not run",
        "[1] no engine",
        "[2] not root",
        "[3] no limits",
    ]
