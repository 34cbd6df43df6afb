"""Images of ours on a node, told and removed, with a program that stands in for containerd's `ctr`."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters.kubernetes.shelf import NodeShelf
from clusters.kubernetes.store import CONTAINERD, CTR

OURS = "docker.io/vtchaos/vitess:a"
THEIRS = "docker.io/library/nginx:1"
IMAGES = f"""REF TYPE DIGEST SIZE PLATFORMS LABELS
{OURS} type sha256:11 523.6 MiB linux/amd64 -
docker.io/vtchaos/vitess:b type sha256:22 523.6 MiB linux/amd64 -
sha256:c0 type sha256:11 523.6 MiB linux/amd64 -
{THEIRS} type sha256:33 1.4 MiB linux/amd64 -
"""


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """What the program was asked to remove."""
    return tmp_path / "removed"


@pytest.fixture
def shelf(tmp_path: Path, said: Path) -> NodeShelf:
    (tmp_path / "images").write_text(IMAGES)
    ctr = tmp_path / "ctr"
    ctr.write_text(
        f"""#!/bin/sh
shift 4  # --address SOCKET --namespace k8s.io
case "$*" in
"images list -q") tail -n +2 {tmp_path}/images | cut -d' ' -f1 ;;
"images list") cat {tmp_path}/images ;;
"containers list") echo "CONTAINER IMAGE RUNTIME"; echo "abc docker.io/vtchaos/vitess:b runc" ;;
"images remove --sync "*) shift 3; echo "$*" > {said} ;;
*) exit 3 ;;
esac
"""
    )
    ctr.chmod(0o755)
    return NodeShelf({CONTAINERD: str(tmp_path / "socket"), CTR: str(ctr)})


async def test_others_images_are_not_ours(shelf: NodeShelf) -> None:
    assert [held.reference for held in await shelf.ours()] == [OURS, "docker.io/vtchaos/vitess:b"]


async def test_an_image_goes_with_the_kubelets_name_of_it(shelf: NodeShelf, said: Path) -> None:
    assert await shelf.remove(OURS) == ""
    assert said.read_text().split() == [OURS, "sha256:c0"]


async def test_one_in_use_stays(shelf: NodeShelf, said: Path) -> None:
    assert await shelf.remove("docker.io/vtchaos/vitess:b") == "a container uses it"
    assert not said.exists()


async def test_one_that_is_gone_is_no_error(shelf: NodeShelf, said: Path) -> None:
    assert await shelf.remove("docker.io/vtchaos/vitess:z") == ""
    assert not said.exists()
