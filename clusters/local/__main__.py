"""For development: `python -m clusters.local --shards 2 --seconds 60` stands a cluster up, prints where it is, waits.

The user's commands are in harness.cli.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from clusters.common import layout
from clusters.local.backend import LocalBackend
from harness.base import wait
from harness.base.errors import VtchaosError
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, Event, VtgateSpec


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
    parser = argparse.ArgumentParser(prog="python -m clusters.local", description=__doc__)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--tablets", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--vtgate", default="24.0.3", help="versions, separated by commas")
    parser.add_argument("--vitess", default="24.0.3")
    parser.add_argument("--isolation", default="")
    parser.add_argument("--vtorc", action="store_true")
    parser.add_argument("--folder", type=Path)
    words = parser.parse_args()
    try:
        asyncio.run(_run(words))
    except VtchaosError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


async def _run(words: argparse.Namespace) -> None:
    spec = ClusterSpec(
        shards=words.shards,
        tablets_per_shard=words.tablets,
        vitess=words.vitess,
        vtorc=words.vtorc,
        durability_policy="semi_sync" if words.tablets > 1 else "none",
        vtgates=tuple(VtgateSpec(version=version) for version in words.vtgate.split(",")),
        schema=(LEDGER_SQL,),
        vschema=LEDGER_VSCHEMA,
    )
    folder = words.folder or Path(tempfile.mkdtemp(prefix="vtchaos-local-"))
    lines = Lines()
    backend = LocalBackend(isolation=words.isolation)
    async with backend.cluster(spec, folder=folder, logs=folder / "logs", observer=lines) as cluster:
        rows = {
            node.name: {port: "{}:{}".format(*cluster.address(node, port)) for port in layout.ROLE_PORTS[node.role]}
            for node in cluster.nodes()
        }
        lines.on_progress("serving", None, None)
        print(json.dumps({"folder": str(folder), "nodes": rows}, indent=1), flush=True)
        await wait.hold(words.seconds)
        lines.on_progress("tearing down", None, None)
    lines.on_progress("gone", None, None)


if __name__ == "__main__":
    sys.exit(main())
