"""A lane's image, built by a real shell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clusters.software import Sources, kubernetes_programs


async def test_a_family_is_built_with_its_stamps_and_tags(tmp_path: Path) -> None:
    """By a go command that writes down how it was called, and makes what was asked for."""
    go = tmp_path / "bin/go"
    go.parent.mkdir()
    go.write_text(
        '#!/bin/sh\necho "$@" >>"$(dirname "$0")/calls"\ncase "$1" in\n'
        'version) echo "go version go1.26.8 linux/amd64";;\n'
        'build) while [ "$1" != -o ]; do shift; done; for name in containerd containerd-shim-runc-v2 ctr; do '
        'echo x >"$2/$name"; done;;\nesac\n'
    )
    go.chmod(0o755)
    sources = Sources(cache_dir=tmp_path / "cache", search_path=(go.parent,))
    install = await kubernetes_programs.programs(kubernetes_programs.CONTAINERD, sources=sources)
    assert install.programs["ctr"].read_text() == "x\n"
    listing, building = [row for row in (go.parent / "calls").read_text().splitlines() if row != "version"]
    assert listing.startswith("list -tags no_btrfs,")
    assert "-X github.com/containerd/containerd/version.Version=v1.7.35" in building
    assert "-tags no_btrfs," in building
    again = await kubernetes_programs.programs(kubernetes_programs.CONTAINERD, sources=replace(sources, install=False))
    assert again.programs == install.programs
