"""nft itself reads the rules of cut links."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess

import pytest

from clusters.common import links
from tests.unit.test_docker_links import EFFECTS, PLAN, scripts


@pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed here")
def test_nft_understands_them() -> None:
    """With --check nothing is changed; without the rights for it nft says that, and nothing about the rules."""
    everything = [(node.name, "vtgate-1") for node in PLAN.nodes if node.name != "vtgate-1"]
    ((address, script),) = scripts(*everything).items()
    assert ipaddress.ip_address(address)
    (of_all_kinds,) = links.scripts(PLAN, EFFECTS, address_of=lambda node: PLAN.hosts[node.name]).values()
    for text in (script, of_all_kinds, links.HEALED):
        done = subprocess.run(
            ["nft", "--check", "-f", "-"], input=text, capture_output=True, text=True, timeout=20, check=False
        )
        if "Operation not permitted" in done.stderr:
            pytest.skip("this user may not ask nft")
        assert done.returncode == 0, done.stderr
    wrong = script.replace("tcp dport", "tcp dprot")
    assert subprocess.run(
        ["nft", "--check", "-f", "-"], input=wrong, text=True, capture_output=True, timeout=20
    ).returncode
