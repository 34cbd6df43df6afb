"""A vtctld that answers as it is told: a real grpc.aio server in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio

from harness.vitess.proto import vtctlservice_pb2_grpc


@dataclass
class FakeVtctld:
    """`answers`: call → reply, an (error code, text), or None for a call that never returns."""

    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[Any] = field(default_factory=list)
    port: int = 0

    def __getattr__(self, name: str) -> Any:
        """Every method of the service."""
        if name.startswith("_"):
            raise AttributeError(name)

        async def method(request: Any, context: Any) -> Any:
            self.requests.append(request)
            answer = self.answers[name]
            if answer is None:
                await asyncio.Event().wait()
            if isinstance(answer, tuple):
                await context.abort(*answer)
            return answer

        return method


@asynccontextmanager
async def served(fake: Any) -> AsyncIterator[int]:
    """The port on which `fake`, whose methods are the service's calls, answers."""
    server = grpc.aio.server()
    vtctlservice_pb2_grpc.add_VtctldServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(grace=None)
