"""For development: `python -m clusters.software install --mysql --etcd --vitess 24.0.3 --programs vtgate,vttablet`,
`… inventory`, `… host`, `… verify`. The user's commands are in harness.cli."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from clusters import software
from harness.base import jsonio
from harness.base.errors import VtchaosError
from harness.base.exit_codes import EXIT_INTERRUPTED


def main() -> int:
    """Run one command; its answer is JSON on stdout."""
    parser = argparse.ArgumentParser(prog="python -m clusters.software")
    parser.add_argument("command", choices=("install", "inventory", "host", "verify"))
    parser.add_argument("--vitess", action="append", default=[], help="release, or folder of binaries")
    parser.add_argument("--programs", default=",".join(software.PROGRAMS))
    parser.add_argument("--mysql", nargs="?", const="", help="series; without one, any that Vitess runs with")
    parser.add_argument("--etcd", action="store_true")
    parser.add_argument("--sysbench", action="store_true")
    parser.add_argument("--nft", action="store_true")
    parser.add_argument("--toxiproxy", action="store_true")
    parser.add_argument("--dir", action="append", type=Path, default=[], help="folder to look into first")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--no-install", action="store_true")
    words = parser.parse_args()
    sources = software.Sources.of_environment(
        directories=words.dir, cache_dir=words.cache, install=not words.no_install
    )
    try:
        answer = asyncio.run(_answer(words, sources))
    except VtchaosError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    sys.stdout.buffer.write(jsonio.dumps(answer))
    return 0


async def _answer(words: argparse.Namespace, sources: software.Sources) -> object:
    if words.command == "host":
        return await software.host_permits(sources)
    if words.command == "verify":
        return software.verify(sources)
    if words.command == "inventory":
        return await software.inventory(words.vitess or [software.DEFAULT_RELEASE], sources=sources)
    return await _install(words, sources)


async def _install(words: argparse.Namespace, sources: software.Sources) -> list[object]:
    done: list[object] = []
    with software.shown() as progress:
        if words.mysql is not None:
            done.append(await software.mysql(words.mysql or None, sources=sources, progress=progress))
        if words.etcd:
            done.append(await software.etcd(sources=sources, progress=progress))
        for version in words.vitess:
            programs = words.programs.split(",")
            done.append(await software.vitess(version, programs, sources=sources, progress=progress))
        if words.nft:
            done.append(await software.nft(sources=sources, progress=progress))
        if words.toxiproxy:
            done.append(await software.toxiproxy(sources=sources, progress=progress))
        if words.sysbench:
            done.append(await software.sysbench(sources=sources, progress=progress))
    return done


if __name__ == "__main__":
    sys.exit(main())
