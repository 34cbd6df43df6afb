"""Feeds packet rules to nft, in the cluster's own network, one order after the other.

The order matters: a rule that is set late would outlive its healing. So nothing is started while nft runs.
"""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable
from typing import Any

FIRST_TIMEOUT_S = 20.0  # the kernel may have to load its modules
Done = Callable[[str, object], None]  # is told "" or what went wrong, and what nft printed


class Links:
    """`why_not` is "" once links can be cut, otherwise the reason why they cannot."""

    def __init__(self, config: dict[str, Any]) -> None:
        """`config`: nft (path), rules (those that stay), why_not (known beforehand), proxy and no_proxy (announced)."""
        self._nft: str = config["nft"]
        self._proxy: str = config["proxy"]
        self._no_proxy: str = config["no_proxy"]
        self._running: tuple[int, int, Done] | None = None
        self._waiting: deque[tuple[str, Done]] = deque()
        self.why_not: str = config["why_not"] or self._begin(config["rules"])

    def announced(self) -> dict[str, str]:
        """What every client is told first."""
        return {"no_links": self.why_not, "proxy": self._proxy, "no_proxy": self.why_not or self._no_proxy}

    def order(self, script: str, done: Done) -> None:
        """Feed a script to nft when those before it are through."""
        self._waiting.append((script, done))
        self._next()

    def ended(self, pid: int, status: int) -> bool:
        """A child of the supervisor ended; False when it was none of ours."""
        if self._running is None or self._running[0] != pid:
            return False
        _, said, done = self._running
        self._running = None
        text = _text(said)
        done(_words(status, text), text.decode(errors="replace"))
        self._next()
        return True

    def _begin(self, script: str) -> str:
        try:
            run = subprocess.run(
                [self._nft, "-f", "-"],
                input=script.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=FIRST_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"nft cannot be run here: {error}"
        return _words(run.returncode, run.stdout)

    def _next(self) -> None:
        if self._running is not None or not self._waiting:
            return
        script, done = self._waiting.popleft()
        rules, said = _in_memory(script.encode()), _in_memory(b"")
        actions = [(os.POSIX_SPAWN_DUP2, rules, 0), (os.POSIX_SPAWN_DUP2, said, 1), (os.POSIX_SPAWN_DUP2, said, 2)]
        try:
            pid = os.posix_spawn(self._nft, [self._nft, "-f", "-"], {}, file_actions=actions)
        except OSError as error:
            os.close(said)
            done(f"nft cannot be run here: {error}", None)
        else:
            self._running = (pid, said, done)
        finally:
            os.close(rules)


def _in_memory(content: bytes) -> int:
    """An open file with this content, at its beginning: unlike a pipe it takes any length at once."""
    file = os.memfd_create("nft")
    os.write(file, content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _text(file: int) -> bytes:
    with open(file, "rb") as output:
        output.seek(0)
        return output.read()


def _words(status: int, output: bytes) -> str:
    """ "" or nft's first line, which names the error; the rows below it repeat the rule."""
    if status == 0:
        return ""
    lines = output.decode(errors="replace").strip().splitlines()
    return f"nft refuses the rules: {lines[0] if lines else f'exit status {status}'}"
