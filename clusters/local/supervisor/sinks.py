"""Takes the programs' output from pipes and puts it into their logs, as fast as it comes or as slowly as asked.

A program that logs holds a lock while it writes (glog, log/slog), so whoever stalls its log stalls all of its threads
that have something to say: that is how health updates get lost in production.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import selectors
import struct
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOMY = 64 << 10  # the kernel's own size of a pipe: some hundred lines while we do something else
TIGHT = 4 << 10  # the smallest there is: a limit is felt after some twenty lines
TICK_S = 0.1
AT_ONCE = 64 << 10
TRIES = 50


class Sink:
    """One program's output on its way to its log. `bytes_per_s` 0 = at once."""

    def __init__(self, name: str, pipe: int, log: int) -> None:
        self.name = name
        self.pipe = pipe
        self.bytes_per_s = 0
        self._log = log
        self._since_s = 0.0
        self._taken = 0

    def limit(self, bytes_per_s: int) -> None:
        self._resize(TIGHT if bytes_per_s else ROOMY)
        self.bytes_per_s = bytes_per_s
        self._since_s, self._taken = time.monotonic(), 0

    def _resize(self, size: int) -> None:
        """A pipe that holds more than that refuses (EBUSY); somebody may write between emptying and resizing."""
        for _ in range(TRIES):
            self.take(AT_ONCE)
            try:
                fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, size)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
            else:
                return
        raise OSError(errno.EBUSY, f"{self.name} wrote each of {TRIES} times between emptying its pipe and resizing it")

    def take_due(self) -> bool:
        """False at the end of the output. What was not used of the rate is not saved up."""
        due = int(self.bytes_per_s * (time.monotonic() - self._since_s)) - self._taken
        if due <= 0:
            return True
        if not self.waiting():
            self._since_s, self._taken = time.monotonic(), 0
        self._taken += due
        return self.take(due)

    def take(self, size: int) -> bool:
        """False at the end of the output."""
        try:
            data = os.read(self.pipe, size)
        except BlockingIOError:
            return True
        with contextlib.suppress(OSError):  # a full disk of the host must not end the cluster
            os.write(self._log, data)
        return bool(data)

    def waiting(self) -> int:
        """Bytes that the program has written and nobody has taken."""
        (waiting,) = struct.unpack("i", fcntl.ioctl(self.pipe, termios.FIONREAD, b"\0\0\0\0"))
        return int(waiting)

    def room(self) -> int:
        return fcntl.fcntl(self.pipe, fcntl.F_GETPIPE_SZ)

    def close(self) -> None:
        os.close(self.pipe)
        os.close(self._log)


class Sinks:
    """The output of all programs. A limit is of a name: it holds for the program's next start too."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._sinks: dict[int, Sink] = {}  # by pipe: what a dead program started may still write into its old one
        self._limits: dict[str, int] = {}

    @contextlib.contextmanager
    def opened(self, name: str, log: str) -> Iterator[int]:
        """The end that a program writes into; it is closed here when the block is left."""
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(ours, False)
        sink = self._sinks[ours] = Sink(name, ours, file)
        self._arrange(sink)
        try:
            yield theirs
        finally:
            os.close(theirs)

    def limit(self, name: str, bytes_per_s: int) -> None:
        """0 = none."""
        self._limits[name] = bytes_per_s
        for sink in self._of(name):
            self._arrange(sink)

    def wait_s(self) -> float | None:
        """After what time `take_due` has something to do; None = never."""
        return TICK_S if any(sink.bytes_per_s for sink in self._sinks.values()) else None

    def take_due(self) -> None:
        for sink in [sink for sink in self._sinks.values() if sink.bytes_per_s]:
            if not sink.take_due():
                self._close(sink)

    def ended(self, name: str) -> None:
        """A program has ended: what it said is in its log on return, whatever the limit is."""
        for sink in self._of(name):
            while sink.waiting():
                sink.take(AT_ONCE)

    def limited(self, pid_of: Callable[[str], int]) -> dict[str, tuple[int, int, int]]:
        """Name → bytes that wait, room for them, threads that wait to write; of those whose pipe is small."""
        return {
            sink.name: (sink.waiting(), sink.room(), _threads_that_write(pid_of(sink.name)))
            for sink in self._sinks.values()
            if sink.room() < ROOMY
        }

    def _of(self, name: str) -> list[Sink]:
        return [sink for sink in self._sinks.values() if sink.name == name]

    def _arrange(self, sink: Sink) -> None:
        """Read as soon as something comes, or by the clock."""
        rate = self._limits.get(sink.name, 0)
        if sink.pipe in self._selector.get_map():
            self._selector.unregister(sink.pipe)
        if rate or sink.bytes_per_s:
            sink.limit(rate)
        if not rate:
            self._selector.register(sink.pipe, selectors.EVENT_READ, lambda: self._take(sink))

    def _take(self, sink: Sink) -> None:
        if sink.pipe in self._sinks and not sink.take(AT_ONCE):
            self._selector.unregister(sink.pipe)
            self._close(sink)

    def _close(self, sink: Sink) -> None:
        del self._sinks[sink.pipe]
        sink.close()


def _threads_that_write(pid: int) -> int:
    """Threads that sleep in the kernel's pipe_write (anon_pipe_write since 6.15)."""
    found = 0
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            found += (task / "wchan").read_text().endswith("pipe_write")
    return found
