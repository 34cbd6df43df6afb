"""A knock at a node's door: a connection that is opened, spoken to, and refused, reset, silent, slow or answered.

Needs nothing but Python's own modules, and nothing of ours: it is also run by itself in pods (clusters/kubernetes).
"""

from __future__ import annotations

import contextlib
import errno
import json
import selectors
import socket
import struct
import sys
import time
from typing import Any

Request = dict[str, Any]

ANSWERED = "answered"
REFUSED = "refused"  # or reset
ENDED = "ended"  # closed without a word
SILENT = "silent"  # no answer in time
_TCP_INFO_BYTES = 104
_TOTAL_RETRANS = 100  # offset of tcpi_total_retrans in struct tcp_info (linux/tcp.h)


class _Knock:
    """One connection: opened, spoken to, its first answer waited for."""

    def __init__(self, address: tuple[str, int], says: bytes) -> None:
        self.began = time.monotonic()
        self.took = 0.0
        self.outcome = ""
        self.retransmits = 0
        self._says = memoryview(says)
        self._socket = socket.socket()
        self._socket.setblocking(False)
        number = self._socket.connect_ex(address)
        if number not in (0, errno.EINPROGRESS):
            self.finish(REFUSED)

    def fileno(self) -> int:
        return self._socket.fileno()

    def wants(self) -> int:
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._says or not self._connected() else 0)

    def go_on(self) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                if self._says and self._connected():
                    self._says = self._says[self._socket.send(self._says) :]
            with contextlib.suppress(BlockingIOError):
                if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise ConnectionError
                if self._connected():
                    self.finish(ANSWERED if self._socket.recv(1) else ENDED)
        except ConnectionError:
            self.finish(REFUSED)

    def finish(self, outcome: str) -> None:
        self.outcome = outcome
        self.took = time.monotonic() - self.began
        information = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        (self.retransmits,) = struct.unpack_from("=I", information, _TOTAL_RETRANS)
        self._socket.close()

    def _connected(self) -> bool:
        try:
            self._socket.getpeername()
        except OSError:
            return False
        return True


def knock(request: Request) -> list[dict[str, object]]:
    """All at once: `times` connections to `host`:`port`, each says `says` (hexadecimal); what became of them within
    `within_s`."""
    says = bytes.fromhex(request["says"]) + bytes(request["zeros"])
    knocks = [_Knock((request["host"], request["port"]), says) for _ in range(request["times"])]
    open_ = [each for each in knocks if not each.outcome]
    deadline = time.monotonic() + request["within_s"]
    while open_ and (left := deadline - time.monotonic()) > 0:
        with selectors.DefaultSelector() as selector:
            for each in open_:
                selector.register(each, each.wants())
            for key, _ in selector.select(left):
                key.fileobj.go_on()  # type: ignore[union-attr]
        open_ = [each for each in open_ if not each.outcome]
    for each in open_:
        each.finish(SILENT)
    return [{"outcome": k.outcome, "took_ms": k.took * 1000, "retransmits": k.retransmits} for k in knocks]


if __name__ == "__main__":
    print(json.dumps(knock(json.loads(sys.argv[1]))))
