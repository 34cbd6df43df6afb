"""What a lane's programs are told: networks that nobody else has, certificates that verify, files that parse."""

from __future__ import annotations

import ipaddress
import json
import shutil
import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from ci.lane import configs, pki, place, services
from ci.lane.place import Lane
from ci.lane.tools import Tools
from clusters.software import releases
from clusters.software.kubernetes_programs import FAMILIES, KUBERNETES, Family, ProgramsInstall

OPENSSL = shutil.which("openssl")
OTHERS = ("127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15")


def lane(folder: Path, number: int = 0) -> Lane:
    return Lane(folder=folder / "lane", number=number)


def tools(folder: Path) -> Tools:
    def install(name: str, *programs: str) -> ProgramsInstall:
        paths = {program: folder / program for program in programs}
        return ProgramsInstall(name=name, version="1", programs=paths, source="")

    return Tools(
        control_plane=install("kubernetes", *KUBERNETES.programs),
        containers=install("containerd", "containerd", "ctr"),
        plugins=folder / "cni",
        coredns=folder / "coredns",
        pause=folder / "pause",
        etcd=folder / "etcd",
        runc=folder / "runc",
        nft=folder / "nft",
        openssl=Path(OPENSSL or "openssl"),
    )


def test_lanes_share_no_address_with_each_other_or_with_docker_and_local_clusters(tmp_path: Path) -> None:
    rows = [ipaddress.ip_network(row) for number in place.NUMBERS for row in lane(tmp_path, number).networks]
    rows += [ipaddress.ip_network(row) for row in OTHERS]
    assert not [pair for pair in combinations(rows, 2) if pair[0].overlaps(pair[1])]


@pytest.mark.parametrize("number", place.NUMBERS)
def test_addresses_are_in_their_networks(tmp_path: Path, number: int) -> None:
    here = lane(tmp_path, number)
    pair, _, service_range = (ipaddress.ip_network(row) for row in here.networks)
    assert {str(address) for address in pair} == {here.host_address, here.address}
    assert str(service_range[1]) == here.api_service
    assert len(here.link) <= 15


def test_every_lane_has_names_of_its_own(tmp_path: Path) -> None:
    lanes = [lane(tmp_path, number) for number in place.NUMBERS]
    assert len({row.name for row in lanes}) == len({row.link for row in lanes}) == len(lanes)
    assert lanes[0].name == "vtchaos-lane"


def test_containerd_lowers_no_oom_score_and_uses_what_we_brought(tmp_path: Path) -> None:
    here = lane(tmp_path)
    text = configs.containerd(here, runc=Path("/x/runc"), plugins=Path("/x/cni"), pause="pause:1-abc")
    cri = tomllib.loads(text)["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == "pause:1-abc"
    assert cri["containerd"]["runtimes"]["runc"]["options"]["BinaryName"] == "/x/runc"
    assert cri["cni"] == {"bin_dir": "/x/cni", "conf_dir": str(here.config("cni")), "max_conf_num": 1}


def test_pods_get_their_addresses_from_the_lanes_network(tmp_path: Path) -> None:
    (bridge,) = json.loads(json.dumps(configs.network(lane(tmp_path, 2))))["plugins"]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.214.128.0/18"}]]


def test_the_kubelet_keeps_pods_in_the_lanes_cgroup_and_deletes_no_image(tmp_path: Path) -> None:
    told = configs.kubelet(lane(tmp_path, 1))
    assert told["cgroupRoot"] == "/vtchaos-lane-1"
    assert told["imageGCHighThresholdPercent"] == 100
    assert told["failCgroupV1"] is False


def test_nothing_is_written_outside_the_lanes_folder(tmp_path: Path) -> None:
    """Paths in the configuration are the lane's, or where the kernel and the lane's own mounts are."""
    here = lane(tmp_path)
    text = json.dumps([configs.kubelet(here), configs.proxy(here)]) + configs.corefile(here)
    folders = {word for word in text.replace('"', " ").replace("unix://", " ").split() if word.startswith("/")}
    assert folders
    assert all(word.startswith(str(here.folder)) or word == "/vtchaos-lane" for word in folders)


def test_commands_name_files_that_are_made(tmp_path: Path) -> None:
    here = lane(tmp_path)
    made = {str(here.config(name)) for name in ("containerd.toml", "kubelet.yaml", "proxy.yaml", "Corefile")}
    made |= {str(here.config(f"{name}.kubeconfig")) for name in pki.CLIENTS}
    named = [*(row.name for row in pki.certificates(here)), pki.AUTHORITY, pki.SERVICE_ACCOUNTS]
    made |= {str(path) for name in named for path in (here.key(name), here.certificate(name))}
    made |= {str(here.pki / f"{pki.SERVICE_ACCOUNTS}.pub")}
    every = (services.store, services.containers, services.api, services.controllers, services.scheduler)
    for make in (*every, services.kubelet, services.names, services.proxy):
        words = [str(word).rpartition("=")[2] for word in make(here, tools(tmp_path)).argv]
        wanted = {word for word in words if word.startswith((str(here.conf), str(here.pki)))}
        assert wanted <= made, make


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_is_pinned_to_the_version_that_it_claims(family: Family) -> None:
    folder = releases.MODULES / family.name
    assert (folder / "go.sum").is_file()
    text = (folder / "go.mod").read_text()
    if family.name != "pause":  # a program of ours
        assert f" v{family.version}\n" in text
