"""For development and tests: `python -m clusters --backend docker --shards 2 --seconds 60` stands a cluster up, prints
where it is, waits, and removes it.

The user's commands are in harness.cli.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from clusters import BACKENDS
from clusters.common import layout
from clusters.local.backend import LocalBackend
from clusters.local.host import ISOLATIONS
from harness.base import wait
from harness.base.errors import VtchaosError
from harness.contracts import Backend, Cluster
from harness.model import ClusterSpec, Event, Placement, VtgateSpec


class Lines:
    """What happens, on stderr, with the seconds since the start."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()

    def on_event(self, event: Event) -> None:
        self._say(f"{event.kind} {event.subject} {dict(event.details)}")

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        self._say(what if done is None else f"{what} {done}/{total}")

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._start_s:7.2f} s  {text}", file=sys.stderr)


def main() -> int:
    """Stand up, print the addresses as JSON, wait, tear down."""
    parser = argparse.ArgumentParser(prog="python -m clusters", description=__doc__)
    parser.add_argument("--backend", default="local", choices=BACKENDS)
    parser.add_argument("--isolation", default="", choices=("", *ISOLATIONS), help="of the local backend")
    parser.add_argument("--run", default="by-hand", help="run id")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--tablets", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--vtgate", default="24.0.3", help="versions, separated by commas")
    parser.add_argument("--vitess", default="24.0.3")
    parser.add_argument("--vtorc", action="store_true")
    parser.add_argument("--folder", type=Path)
    words = parser.parse_args()
    spec = ClusterSpec(
        shards=words.shards,
        tablets_per_shard=words.tablets,
        vitess=words.vitess,
        vtorc=words.vtorc,
        durability_policy="semi_sync" if words.tablets > 1 else "none",
        vtgates=tuple(VtgateSpec(version=version) for version in words.vtgate.split(",")),
    )
    backend = LocalBackend(isolation=words.isolation) if words.isolation else BACKENDS[words.backend]
    folder = words.folder or Path(tempfile.mkdtemp(prefix=f"vtchaos-{backend.name}-"))
    try:
        asyncio.run(_run(backend, spec, words.run, folder, words.seconds))
    except VtchaosError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


async def _run(backend: Backend, spec: ClusterSpec, run: str, folder: Path, seconds: float) -> None:
    lines = Lines()
    async with backend.cluster(
        spec, Placement(), run=run, folder=folder, logs=folder / "logs", observer=lines
    ) as cluster:
        lines.on_progress("serving", None, None)
        print(json.dumps({"folder": str(folder), "nodes": _addresses(cluster)}, indent=1), flush=True)
        await wait.hold(seconds)
        lines.on_progress("tearing down", None, None)
    lines.on_progress("gone", None, None)


def _addresses(cluster: Cluster) -> Mapping[str, Mapping[str, str]]:
    return {
        node.name: {port: "{}:{}".format(*cluster.address(node, port)) for port in layout.ROLE_PORTS[node.role]}
        for node in cluster.nodes()
    }


if __name__ == "__main__":
    sys.exit(main())
