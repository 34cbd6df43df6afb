"""What a lane asks of the machine, and what it takes away again."""

from __future__ import annotations

import errno
import ipaddress
from pathlib import Path

import pytest

from ci.lane import cgroups, life, permits
from ci.lane.place import Lane
from clusters.local.supervisor import netlink
from harness.base.errors import ClusterError, PlanError

HYBRID = """proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""
UNIFIED = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	0000D60A	00000000	0001	0	0	0	0000FFFF	0	0	0
vtlane0	0000D60A	0300D50A	0003	0	0	0	00C0FFFF	0	0	0
"""


@pytest.fixture
def lane(tmp_path: Path) -> Lane:
    return Lane(folder=tmp_path / "lane", number=3)


# ---------------------------------------------------------------- what it asks for


def test_an_old_kernel_is_named() -> None:
    assert permits._kernel("6.1.0-13-amd64") == ""
    assert permits._kernel("5.13") == ""
    assert "the kernel is 5.10.0" in permits._kernel("5.10.0")


def test_a_folder_that_the_lane_would_not_see_is_refused() -> None:
    assert "is below /var/lib" in permits._folder(Lane(folder=Path("/var/lib/x/lane")))
    assert "too long" in permits._folder(Lane(folder=Path("/srv/" + "x" * 80)))
    assert permits._folder(Lane(folder=Path("/var/cache/vitess-chaos/lane"))) == ""


def test_routes_of_others_are_read_without_the_default_route_and_our_own() -> None:
    found = [str(row) for row in permits.networks(ROUTES, without="vtlane0")]
    assert found == ["192.0.2.0/24", "10.214.0.0/16"]


def test_a_network_that_somebody_has_is_refused(lane: Lane) -> None:
    others = "\n".join(ROUTES.splitlines()[:3])
    assert permits._taken(lane, others) == ""
    assert permits._taken(lane, ROUTES) == f"10.214.0.0/16 is in use here, and {lane.pods} is the lane's"
    assert ipaddress.ip_network(lane.pods).overlaps(ipaddress.ip_network("10.214.0.0/16"))


@pytest.mark.parametrize(
    ("controllers", "handed", "container", "inside", "expected"),
    [
        ("cpu cpuset memory pids io", "", False, "1\n", ""),
        ("cpu cpuset memory pids io", "", True, "1\n", "cannot hand on its controllers"),
        ("cpu cpuset memory pids io", "cpu cpuset memory pids", True, "", ""),
        ("cpu memory", "", False, "", "lacks the controllers cpuset, pids"),
    ],
)
def test_version_2_needs_controllers_that_it_can_hand_on(
    tmp_path: Path, controllers: str, handed: str, container: bool, inside: str, expected: str
) -> None:
    for name, text in (("controllers", controllers), ("subtree_control", handed), ("procs", inside)):
        (tmp_path / f"cgroup.{name}").write_text(text)
    if container:
        (tmp_path / "cgroup.type").write_text("domain\n")
    found = permits._unified(tmp_path)
    assert found == "" if not expected else expected in found


async def test_a_reason_becomes_a_refusal(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(PlanError, match="no Kubernetes lane can stand on this machine: a lane needs root"):
        await permits.demand(lane)


def test_root_who_may_make_no_interface_is_refused(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def create(name: str, peer: str, pid: int) -> None:
        made.append(name)

    monkeypatch.setattr(netlink, "create_pair", create)
    monkeypatch.setattr(netlink, "delete", made.remove)
    assert (permits._link(lane), made) == ("", [])

    def refuse(name: str, peer: str, pid: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(netlink, "create_pair", refuse)
    assert permits._link(lane) == "root may not make a network interface here: Operation not permitted"


# ---------------------------------------------------------------- cgroups


def test_where_both_versions_are_mounted_the_first_has_the_controllers() -> None:
    roots, unified = cgroups.hierarchies(HYBRID)
    assert (len(roots), unified) == (2, False)
    assert cgroups.hierarchies(UNIFIED) == ((Path("/sys/fs/cgroup"),), True)


async def test_cgroups_are_made_in_every_hierarchy_and_go_with_all_below(
    lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = _mounted(tmp_path, monkeypatch, HYBRID)
    for name in ("cpu", "memory", "unified"):
        (tmp_path / f"sys/fs/cgroup/{name}").mkdir(parents=True)
    cgroups.make(lane)
    (tmp_path / f"sys/fs/cgroup/memory/{lane.name}/kubepods/pod1").mkdir(parents=True)
    (tmp_path / f"sys/fs/cgroup/unified/{lane.name}").mkdir()  # by the container runtime
    assert len(cgroups.existing(lane)) == 3
    await cgroups.remove(lane)
    assert mounts.exists()
    assert cgroups.existing(lane) == ()
    assert (tmp_path / "sys/fs/cgroup/memory").is_dir()


def test_version_2_hands_on_all_controllers(lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _mounted(tmp_path, monkeypatch, UNIFIED)
    root = tmp_path / "sys/fs/cgroup"
    root.mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpuset cpu memory\n")
    cgroups.make(lane)
    assert (root / "cgroup.subtree_control").read_text() == "+cpuset +cpu +memory"
    assert (root / lane.name).is_dir()


async def test_a_cgroup_that_does_not_go_is_an_error(
    lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _mounted(tmp_path, monkeypatch, UNIFIED)
    monkeypatch.setattr(cgroups, "REMOVE_TIMEOUT_S", 0.2)
    busy = tmp_path / f"sys/fs/cgroup/{lane.name}/kubepods"
    busy.mkdir(parents=True)
    (busy / "a process").touch()  # a plain file stands in the way of rmdir as a process does
    with pytest.raises(ClusterError, match=r"cannot be removed after 0\.2 s: .*Directory not empty"):
        await cgroups.remove(lane)


def _mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    """The machine's mounts, below the test's folder."""
    mounts = tmp_path / "mounts"
    mounts.write_text(text.replace("/sys/fs/cgroup", f"{tmp_path}/sys/fs/cgroup"))
    monkeypatch.setattr(cgroups, "MOUNTS", mounts)
    return mounts


# ---------------------------------------------------------------- what is left


def test_one_command_at_a_time(lane: Lane) -> None:
    second = life._alone(lane)
    with life._alone(lane), pytest.raises(ClusterError, match="another command is at work on the lane in"), second:
        pass
    with life._alone(lane):
        assert lane.folder.is_dir()


async def test_down_removes_only_what_is_a_lanes(lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _mounted(tmp_path, monkeypatch, UNIFIED)
    monkeypatch.setattr(life, "_interfaces", lambda: {"lo", "eth0"})
    for path in (lane.logs, lane.scratch / "etcd"):
        path.mkdir(parents=True)
    lane.kubeconfig.touch()
    users_own = lane.folder / "notes"
    users_own.touch()
    removed = await life.down(lane)
    assert removed == [str(lane.scratch), str(lane.kubeconfig)]
    assert list(lane.folder.iterdir()) == [users_own]
    users_own.unlink()
    assert await life.down(lane) == []
    assert not lane.folder.exists()
    assert await life.down(lane) == []


async def test_a_lane_that_is_down_says_so(lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _mounted(tmp_path, monkeypatch, UNIFIED)
    monkeypatch.setattr(life, "_interfaces", lambda: {"lo", lane.link})
    status = await life.status(lane)
    assert (status.services, status.ready, status.left) == ({}, False, (f"network interface {lane.link}",))
