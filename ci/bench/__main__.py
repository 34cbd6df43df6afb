"""`make bench`: every figure that the project promises, one line each, and bench.json.

`python -m ci.bench [NAME…]` measures only the named parts. Nothing else should run meanwhile.
"""

from __future__ import annotations

import asyncio
import datetime
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from ci.bench import backends, faults, load, startup, storm, streams, verdict
from ci.bench.figure import Figure
from harness.base import jsonio
from harness.base.exit_codes import EXIT_USAGE
from harness.base.hostfacts import host_facts

Measure = Callable[[], Sequence[Figure] | Awaitable[Sequence[Figure]]]
PARTS: Mapping[str, Measure] = {
    "startup": startup.measure,
    "backends": backends.measure,
    "faults": faults.measure,
    "load": load.measure,
    "streams": streams.measure,
    "verdict": verdict.measure,
    "storm": storm.measure,
}
OUT = Path("bench.json")


def main(words: Sequence[str]) -> int:
    unknown = [word for word in words if word not in PARTS]
    if unknown:
        print(f"no part is called {unknown[0]}; there are {', '.join(PARTS)}", file=sys.stderr)
        return EXIT_USAGE
    figures: dict[str, list[Figure]] = {}
    for name in words or PARTS:
        figures[name] = list(_measured(PARTS[name]))
        for figure in figures[name]:
            print(figure.line(), flush=True)
    at = datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds")
    jsonio.save(OUT, {"at": at, "host": host_facts(), "figures": figures})
    print(f"written to {OUT}")
    return 0


def _measured(measure: Measure) -> Sequence[Figure]:
    result = measure()
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(work: Awaitable[Sequence[Figure]]) -> Sequence[Figure]:
    return await work


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
