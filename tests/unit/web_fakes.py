"""A process's web port that serves whatever a test wants as its /debug/vars."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class FakeWeb:
    """`variables` are served as JSON; `raw` instead of them; `status` other than 200; `hangs`: no answer at all."""

    variables: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    status: int = 200
    hangs: bool = False
    asked: int = 0
    port: int = 0

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        body = self.raw if self.raw is not None else orjson.dumps(self.variables)
        return web.Response(status=self.status, body=body)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeWeb]:
        app = web.Application()
        app.router.add_get("/debug/vars", self.answer)
        server = TestServer(app)
        await server.start_server(shutdown_timeout=0.1)
        try:
            self.port = server.port or 0
            yield self
        finally:
            await server.close()
