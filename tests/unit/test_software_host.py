"""Host facts judged from given values; the machine's own must merely be readable."""

from __future__ import annotations

import resource
from pathlib import Path

from rich.console import Console

from clusters.software import gobuild, host, progress


def test_memory_is_told_in_tablets() -> None:
    row = host.memory(16 * host.GIB)
    assert (row.state, "about 69 tablets" in row.meaning) == ("ok", True)
    assert host.memory(host.GIB // 2).state == "warn"


def test_aio_is_told_in_mysqlds() -> None:
    assert "62 mysqlds" in host.aio(0, 65536).meaning
    assert host.aio(65000, 65536).state == "warn"


def test_open_files() -> None:
    assert host.open_files(resource.RLIM_INFINITY).value == "unlimited"
    assert host.open_files(4096).state == "warn"


def test_the_capability_is_bit_24() -> None:
    assert host.capability_sys_resource("CapEff:\t0000000001000000\n").state == "ok"
    assert host.capability_sys_resource("CapEff:\t00000000feffffff\n").state == "warn"


def test_pressure_may_be_absent(tmp_path: Path) -> None:
    assert host.pressure(tmp_path / "none").state == "warn"


def test_a_confined_mysqld_is_told(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles"
    profiles.write_text("/usr/sbin/mysqld (enforce)\n")
    assert host.apparmor(profiles).state == "warn"
    assert host.apparmor(tmp_path / "none").state == "ok"


def test_a_cache_behind_a_closed_folder_does_not_serve_roots_mysqlds(tmp_path: Path) -> None:
    closed = tmp_path / "root"
    closed.mkdir(mode=0o700)
    assert host.cache_reachable(closed / ".cache", root=True).state == "missing"
    assert host.cache_reachable(closed / ".cache", root=False).state == "ok"


def test_lines_of_go_become_counts() -> None:
    seen: list[tuple[str, int | None, int | None]] = []

    class Recorder:
        def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
            seen.append((what, done, total))

    lines = gobuild.Lines(Recorder(), "x")
    lines.listed("go: downloading example.org/a v1.0.0")
    lines.listed("errors")
    lines.listed("fmt")
    lines.compiled("errors")
    assert seen == [("downloading modules of x", 1, None), ("compiling x", 1, 2)]


def test_lines_of_progress_are_few(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out, progress.shown(Console(file=out)) as shown:
        for number in range(1000):
            shown.step("compiling", number, 1000)
        shown.step("linking")
    assert (tmp_path / "out").read_text() == "compiling 0/1000\nlinking\n"


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        console = Console(file=out, force_terminal=True, width=100)
        with progress.shown(console) as shown:
            shown.step("compiling [vtgate]", 5, 10)
    assert "compiling [vtgate] 5/10" in (tmp_path / "out").read_text()
