"""Goal: a dead owner is told from a living one, also when its process number is taken again."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from harness.base import jsonio
from harness.base.owner import Owner, owner_of, this_process


def test_this_process_lives() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert me.started > 0
    assert not me.dead
    assert not me.elsewhere


def test_a_number_that_was_taken_again_is_another_process() -> None:
    assert replace(this_process(), started=1).dead


def test_of_another_host_nothing_is_said() -> None:
    other = Owner(host="elsewhere.example", pid=os.getpid(), started=1)
    assert other.elsewhere
    assert not other.dead


def test_the_text_comes_back() -> None:
    for owner in (this_process(), Owner(host="fe80::1", pid=4, started=12345)):
        assert owner_of(owner.text) == owner


@pytest.mark.parametrize("place", ["00000000.1", "x"])
def test_of_another_container_or_boot_with_the_same_host_name_nothing_is_said(place: str) -> None:
    other = replace(this_process(), started=1, place=place)
    assert other.elsewhere
    assert not other.dead


def test_a_record_without_a_place_is_read_as_before() -> None:
    me = this_process()
    assert me.place
    old = owner_of(f"{me.host}:{me.pid}:1")
    assert (old.elsewhere, old.dead) == (False, True)
    assert jsonio.structure({"host": me.host, "pid": me.pid, "started": me.started}, Owner) == replace(me, place="")
