"""The lane's start and its tests, told by what they must not overlook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from ci.lane import __main__ as command
from ci.lane import permits, standup, suite, tools
from ci.lane.place import Lane
from ci.lane.services import Service
from ci.lane.standup import Standup
from ci.lane.suite import Counts
from clusters.common.processes import Exit
from clusters.software import NftInstall, Progress, Silent, Sources, kubernetes_programs
from harness.base.errors import ClusterError, SoftwareError
from tests.unit.test_lane_configs import tools as made_up

JUNIT = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"><system-out>words</system-out></testcase>
<testcase name="c"><skipped message="no"/></testcase>
<testcase name="d"><failure/></testcase><testcase name="e"><error/></testcase>
</testsuite></testsuites>"""


class Spawned:
    """A supervisor whose programs end as the test says."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.callback: Callable[[Exit], None] = lambda report: None

    def on_exit(self, callback: Callable[[Exit], None]) -> None:
        self.callback = callback

    async def spawn(
        self, name: str, argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path
    ) -> int:
        self.names.append(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{name} is told PATH={env['PATH']}\n")
        return 1

    def ends(self, name: str, status: int) -> None:
        self.callback(Exit(name=name, status=status, asked=False, at_ns=0))


def a_start(tmp_path: Path) -> tuple[Standup, Spawned, list[str]]:
    said: list[str] = []
    spawned = Spawned()
    start = Standup(Lane(folder=tmp_path / "lane"), made_up(tmp_path), spawned, said.append)  # type: ignore[arg-type]
    spawned.on_exit(start._ended)
    return start, spawned, said


async def test_a_wait_ends_at_once_when_a_program_dies(tmp_path: Path) -> None:
    start, spawned, said = a_start(tmp_path)
    await start._start(Service(name="apiserver", argv=("x",)))

    async def never() -> bool:
        return False

    waiting = asyncio.create_task(start._until("node ready", "kubelet", never))
    await asyncio.sleep(0)
    spawned.ends("apiserver", 1)
    with pytest.raises(ClusterError, match=r"apiserver of the lane ended with status 1; its log:\napiserver is told"):
        await asyncio.wait_for(waiting, 5)
    assert said == []


async def test_a_wait_that_is_over_says_how_long_it_was(tmp_path: Path) -> None:
    start, _, said = a_start(tmp_path)

    async def now() -> bool:
        return True

    await start._until("node ready", "kubelet", now)
    assert said[0].endswith("s  node ready")


async def test_a_wait_that_passes_its_bound_shows_the_log_that_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, _, _ = a_start(tmp_path)
    monkeypatch.setattr(standup, "READY_TIMEOUT_S", 0.2)
    await start._start(Service(name="kubelet", argv=("x",)))

    async def never() -> bool:
        return False

    with pytest.raises(ClusterError, match=r"node ready: not within 0\.2 s(.|\n)*kubelet ends with:\nkubelet is told"):
        await start._until("node ready", "kubelet", never)


async def test_a_command_inside_the_lane_must_succeed(tmp_path: Path) -> None:
    start, spawned, _ = a_start(tmp_path)
    for status, expected in ((0, ""), (32, "mounts of the lane: exit status 32")):
        work = asyncio.create_task(start._once(Service(name="mounts", argv=("mount",))))
        await asyncio.sleep(0)
        spawned.ends("mounts", status)
        if expected:
            with pytest.raises(ClusterError, match=expected):
                await work
        else:
            await work
        start.ended.clear()


def test_programs_find_our_tools_before_the_machines(tmp_path: Path) -> None:
    words = made_up(tmp_path).search_path.split(":")
    assert words[0] == str(tmp_path)
    assert {"/usr/bin", "/bin", "/usr/sbin", "/sbin"} <= set(words)


def test_a_report_is_counted() -> None:
    assert suite.counts(JUNIT) == Counts(passed=2, failed=2, skipped=1)


@pytest.mark.parametrize(
    ("returncode", "counts", "expected"),
    [
        (0, Counts(3, 0, 1), 0),
        (1, Counts(3, 1, 0), 1),
        (0, Counts(0, 0, 9), suite.NOTHING_PROVEN),  # every test skipped: no green
        (5, Counts(0, 0, 0), 5),  # pytest found none
    ],
)
def test_only_tests_that_passed_make_it_green(returncode: int, counts: Counts, expected: int) -> None:
    said: list[str] = []
    assert suite.verdict(returncode, counts, said.append) == expected
    assert said[0].startswith(f"on the lane: {counts.passed} passed")


async def test_a_machine_that_cannot_is_skipped_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def reason(lane: Lane) -> str:
        return "a lane needs Linux"

    words = command.Words(command="may", sources=Sources(cache_dir=tmp_path), number=None, folder=None)
    monkeypatch.setattr(permits, "why_not", reason)
    assert await command._may(words) == command.SKIPPED
    assert capsys.readouterr().out.startswith("SKIPPED: the Kubernetes tests")

    async def none(lane: Lane) -> str:
        return ""

    monkeypatch.setattr(permits, "why_not", none)
    assert await command._may(words) == 0


async def test_an_nft_that_kube_proxy_cannot_use_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Sources] = []

    async def nft(*, sources: Sources, progress: Progress | None = None) -> NftInstall:
        asked.append(sources)
        version = "0.9.8" if sources.search_path else "1.1.7"
        return NftInstall(version=version, nft=tmp_path / version, source="")

    monkeypatch.setattr(tools, "nft", nft)
    sources = Sources(cache_dir=tmp_path, search_path=(Path("/usr/sbin"),))
    assert await tools._nft(sources, Silent()) == tmp_path / "1.1.7"
    assert [bool(row.search_path) for row in asked] == [True, False]


async def test_programs_that_are_not_there_are_not_built_when_installing_is_off(tmp_path: Path) -> None:
    sources = Sources(cache_dir=tmp_path, install=False)
    with pytest.raises(SoftwareError, match=r"kubernetes-1\.34\.2 is not in"):
        await kubernetes_programs.programs(kubernetes_programs.KUBERNETES, sources=sources)
