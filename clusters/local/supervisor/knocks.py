"""Knocks at a node's door from where another node stands: in the cluster's network, in that node's group.

What a process there would find is found by one: connections that are refused, reset, silent or slow. It runs in a
forked child, so that the server goes on meanwhile.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from . import kernel
from .knock import Request, knock

Done = Callable[[str, object], None]  # is told an error or "", and the answer


class Knocks:
    """The children that knock at present."""

    def __init__(self, uid: int | None) -> None:
        self._uid = uid
        self._children: dict[int, tuple[int, Done]] = {}

    def order(self, request: Request, done: Done) -> None:
        said = os.memfd_create("knocks")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                if self._uid is not None:
                    kernel.become(self._uid, request["gid"])
                os.write(said, json.dumps(knock(request)).encode())
                code = 0
            except BaseException as error:  # noqa: BLE001  a forked child must not return into the server
                os.write(2, f"knocking: {error!r}\n".encode())
            finally:
                os._exit(code)
        self._children[pid] = (said, done)

    def ended(self, pid: int, status: int) -> bool:
        """A child of the supervisor ended; False when it was none of ours."""
        if pid not in self._children:
            return False
        said, done = self._children.pop(pid)
        with open(said, "rb") as output:
            output.seek(0)
            text = output.read()
        if status:
            done(f"knocking failed with status {status}", None)
        else:
            done("", json.loads(text))
        return True
