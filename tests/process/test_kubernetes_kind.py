"""The kind command, played by a script that keeps its clusters in a folder."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from clusters.kubernetes import kind as kinds
from clusters.kubernetes.kind import Kind
from clusters.software import Sources
from harness.base import wait
from harness.base.errors import ClusterError, PlanError, SoftwareError

SCRIPT = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/calls"
test -f "$here/trouble" && { cat "$here/trouble"; exit 1; }
case "$1 $2" in
"version ") echo "kind v$(cat "$here/version") go1.26.8 linux/amd64" ;;
"get clusters") ls "$here/clusters"; test -n "$(ls "$here/clusters")" || echo "No kind clusters found." ;;
"create cluster")
    mkdir "$here/clusters/$4"
    echo "Creating cluster"
    test -f "$here/slow" && sleep 600
    test -f "$here/broken" && { cat "$here/broken"; exit 1; }
    echo config >"$8" ;;
"delete cluster") rm -rf "$here/clusters/$4"; echo "Deleting cluster" ;;
"get kubeconfig") echo "apiVersion: v1" ;;
"load image-archive") test -f "$3" ;;
*) exit 2 ;;
esac
"""

NO_IMAGE = """Creating cluster "a" ...
ERROR: failed to create cluster: failed to pull image "kindest/node:v1.37.0@sha256:a1ed": command "docker pull" failed

Command Output: Error response from daemon: Get "https://registry/v2/": no such host
"""
NO_ENGINE = """ERROR: failed to list clusters: command "docker ps" failed with error: exit status 1

Command Output: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    (folder / "clusters").mkdir(parents=True)
    (folder / "version").write_text("0.33.0")
    path = folder / "kind"
    path.write_text(SCRIPT)
    path.chmod(0o755)
    return path


def calls(program: Path) -> list[str]:
    return (program.parent / "calls").read_text().splitlines()


async def test_a_cluster_lasts_as_long_as_its_block(program: Path, tmp_path: Path) -> None:
    kind = Kind(program)
    assert await kind.names() == ()
    async with kind.cluster("vtchaos-a", tmp_path / "kubeconfig"):
        assert await kind.names() == ("vtchaos-a",)
        assert (tmp_path / "kubeconfig").read_text() == "config\n"
    assert await kind.names() == ()


async def test_the_node_image_is_asked_for_only_where_one_is_named(program: Path, tmp_path: Path) -> None:
    await Kind(program).create("a", tmp_path / "kubeconfig")
    await Kind(program, "kindest/node:v1.34.0").create("b", tmp_path / "kubeconfig")
    created = [line for line in calls(program) if line.startswith("create")]
    assert [line.endswith("--image kindest/node:v1.34.0") for line in created] == [False, True]
    assert "--wait 180s" in created[0]


async def test_removing_what_is_not_there_is_no_error(program: Path) -> None:
    await Kind(program).delete("vtchaos-a")


async def test_an_archive_is_loaded_into_the_cluster_of_that_name(program: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.touch()
    await Kind(program).load("a", archive)
    assert calls(program)[-1] == f"load image-archive {archive} --name a"
    with pytest.raises(ClusterError, match=r"loading gone\.tar into the kind cluster a failed"):
        await Kind(program).load("a", tmp_path / "gone.tar")


async def test_the_kubeconfig_is_given_as_text(program: Path) -> None:
    assert await Kind(program).kubeconfig("a") == "apiVersion: v1\n"


@pytest.mark.parametrize("name", ["Upper", "", "-a", "a" * 42, "a b"])
async def test_a_bad_name_is_refused_before_anything_is_run(program: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanError, match="no name for a kind cluster"):
        await Kind(program).create(name, tmp_path / "kubeconfig")
    assert not (program.parent / "calls").exists()


async def test_another_cluster_of_that_name_is_left_alone(program: Path, tmp_path: Path) -> None:
    (program.parent / "clusters/a").mkdir()
    with pytest.raises(PlanError, match="there is a kind cluster a already"):
        await Kind(program).create("a", tmp_path / "kubeconfig")
    assert await Kind(program).names() == ("a",)


async def test_a_failed_start_leaves_nothing_and_says_what_is_missing(program: Path, tmp_path: Path) -> None:
    (program.parent / "broken").write_text(NO_IMAGE)
    with pytest.raises(ClusterError) as raised:
        await Kind(program).create("a", tmp_path / "kubeconfig")
    assert "kindest/node:v1.37.0, is not here and cannot be pulled" in str(raised.value)
    assert "no such host" in str(raised.value)
    assert await Kind(program).names() == ()


async def test_a_cancelled_start_leaves_nothing(program: Path, tmp_path: Path) -> None:
    (program.parent / "slow").touch()
    work = asyncio.create_task(Kind(program).create("a", tmp_path / "kubeconfig"))

    async def begun() -> bool:
        return (program.parent / "clusters/a").exists()

    await wait.until("kind has begun", begun, timeout_s=20)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert await Kind(program).names() == ()


async def test_without_an_engine_the_refusal_says_what_to_start(program: Path) -> None:
    assert await Kind(program).refusal() == ""
    (program.parent / "trouble").write_text(NO_ENGINE)
    refusal = await Kind(program).refusal()
    assert refusal.startswith("listing kind clusters failed: kind finds no container engine: Cannot connect")
    assert refusal.endswith("start one (`dockerd`, or Docker Desktop)")


async def test_other_trouble_is_told_in_kinds_own_words(program: Path) -> None:
    (program.parent / "trouble").write_text('ERROR: no nodes found for cluster "a"\n')
    with pytest.raises(ClusterError, match='failed: exit status 1: no nodes found for cluster "a"'):
        await Kind(program).kubeconfig("a")


async def test_a_kind_on_the_path_is_taken_and_one_that_is_too_old_is_not(program: Path, tmp_path: Path) -> None:
    sources = Sources(cache_dir=tmp_path / "cache", search_path=(program.parent,), install=False)
    assert (await kinds.kind(sources=sources)).program == program
    (program.parent / "version").write_text("0.11.1")
    with pytest.raises(SoftwareError, match=r"kind-0\.33\.0 is not in .*installing was switched off"):
        await kinds.kind(sources=sources)
    with pytest.raises(SoftwareError):
        await kinds.kind(sources=replace(sources, search_path=()))


def test_the_context_is_kinds() -> None:
    assert kinds.context("vtchaos-a") == "kind-vtchaos-a"
