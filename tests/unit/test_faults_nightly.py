"""Goal: the list of what only the nightly run tests names tests that exist, and each with a reason."""

from __future__ import annotations

import pytest

from tests.faults.nightly import ONLY, SWITCH, why_not_now
from tests.faults.test_process import KINDS, WHERE


def test_every_entry_is_a_test() -> None:
    all_of_them = {f"{fault}-{where}" for fault in KINDS for where in WHERE}
    assert [entry for entries in ONLY.values() for entry in entries if entry not in all_of_them] == []


def test_every_entry_is_tested_at_once_on_another_backend() -> None:
    every_run = {"local"}
    assert not every_run & set(ONLY)


def test_the_switch_and_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    assert why_not_now("docker-Slowed-etcd").startswith(f"only nightly ({SWITCH}=1): 8 s of waiting")
    assert why_not_now("docker-Slowed-vtgate") == why_not_now("local-Slowed-etcd") == ""
    monkeypatch.setenv(SWITCH, "1")
    assert why_not_now("docker-Slowed-etcd") == ""
