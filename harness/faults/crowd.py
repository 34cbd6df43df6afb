"""Queries that wait at a vttablet over one connection, until this process is killed.

    python -m harness.faults.crowd HOST PORT QUERIES PER_S REQUEST

REQUEST: of `harness.vitess.queryservice.request`, in hex; PER_S: how many come in a second, at most.

A process of its own, because tens of thousands of calls would hold up the harness's loop for seconds, and because its
end is what a vtgate's end is: the kernel closes the connection, and nobody cancels one call after the other.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from harness.base.clock import now_ns
from harness.base.wait import hold_until
from harness.vitess import queryservice

BURST = 100


async def queue_up(address: tuple[str, int], request: bytes, *, queries: int, per_s: float) -> None:
    """Returns when all are answered. Raises grpc.aio.AioRpcError when one is refused."""
    began_ns, waiting = now_ns(), []
    async with queryservice.execute_at(address) as execute:
        for sent in range(0, queries, BURST):
            await hold_until(began_ns + int(sent / per_s * 1e9))
            waiting += [execute(request) for _ in range(min(BURST, queries - sent))]
        await asyncio.gather(*waiting)


def main(words: Sequence[str]) -> None:
    host, port, queries, per_s, request = words
    address = host, int(port)
    asyncio.run(queue_up(address, bytes.fromhex(request), queries=int(queries), per_s=float(per_s)))


if __name__ == "__main__":
    main(sys.argv[1:])
