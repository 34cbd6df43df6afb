"""Goal: CI's Docker engine: which one is used, why none is, and that the machine's firewall is as before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ci import engine
from clusters.docker import engine as docker

BEFORE = ("-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT", "-A INPUT -s 10.0.0.0/8 -j ACCEPT")
AFTER = (
    "-P INPUT ACCEPT",
    "-P FORWARD DROP",
    "-P OUTPUT ACCEPT",
    "-N DOCKER",
    "-N DOCKER-USER",
    "-A INPUT -s 10.0.0.0/8 -j ACCEPT",
    "-A FORWARD -j DOCKER-USER",
    '-A FORWARD -m comment --comment "two words" -j DOCKER',
    "-A DOCKER-USER -j DOCKER",
)


def test_what_dockerd_changed_is_undone_and_nothing_else() -> None:
    assert engine.undone(BEFORE, AFTER) == [
        ["-D", "FORWARD", "-j", "DOCKER-USER"],
        ["-D", "FORWARD", "-m", "comment", "--comment", "two words", "-j", "DOCKER"],
        ["-F", "DOCKER"],
        ["-F", "DOCKER-USER"],
        ["-X", "DOCKER"],
        ["-X", "DOCKER-USER"],
        ["-P", "FORWARD", "ACCEPT"],
    ]
    assert engine.undone(AFTER, AFTER) == []


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """root on Linux, and nothing installed."""

    async def refusal() -> str:
        return "no Docker engine answers"

    monkeypatch.setattr(docker, "refusal", refusal)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CI", raising=False)


async def test_one_that_runs_is_used(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def refusal() -> str:
        return ""

    monkeypatch.setattr(docker, "refusal", refusal)
    async with engine.engine_beside():
        assert capsys.readouterr().out == "docker: an engine runs already, and is used\n"


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    "change, said",
    [
        (("sys.platform", "darwin"), "it is started by itself only on Linux"),
        (("os.geteuid", lambda: 1000), "only root can start one"),
        (None, "packages are installed only where CI=true"),
    ],
)
async def test_why_there_is_none_is_said_and_the_command_runs(
    change: tuple[str, object] | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if change is not None:
        monkeypatch.setattr(*change)
    entered = False
    async with engine.engine_beside():
        entered = True
    assert entered
    assert f"docker: SKIPPED: no Docker engine answers; {'' if change else 'there is no dockerd, and '}{said}\n" == (
        capsys.readouterr().out
    )


@pytest.mark.usefixtures("no_engine")
async def test_on_a_ci_machine_debians_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    asked: list[tuple[str, ...]] = []
    there = {"apt-get"}

    async def run(argv: tuple[str, ...], **more: object) -> None:
        asked.append(tuple(argv))
        there.add("dockerd")

    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr("harness.base.procs.run", run)
    assert await engine._installable() == ""
    assert [words[1] for words in asked] == ["update", "install"]
    assert "docker.io" in asked[1]


def test_without_a_command_it_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert engine.main(()) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_two_at_once_do_not_take_each_others_engine_away(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "ci-engine"
    with engine._alone(folder) as first, engine._alone(folder) as second:
        assert (first, second) == (True, False)
    with engine._alone(folder) as later:
        assert later
