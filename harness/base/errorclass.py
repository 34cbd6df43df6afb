"""A short, stable name for what a client was told: the class that errors are counted by.

Messages carry shard names, tablet aliases, SQL and times, so that every one is unique; the class is what
they have in common. The names are those of `harness.mysql.outcome.RULES`, which decides outcomes while a
run goes on; checks and reports see only the history and may not import it. A test holds the two together.
"""

from __future__ import annotations

import re
from functools import lru_cache

LOAD_STOPPED = 2901  # errno of what was in flight when the load ended: the harness's doing (harness.mysql.outcome)

# (name, pattern of the message, error numbers); first match wins. The order matters: vtgate wraps the original
# error into the buffer's ("failed to automatically buffer and retry … original err …", go/vt/vtgate/tabletgateway.go
# v0.24.3), so the buffer's own words (buffer/buffer.go) go first.
ERROR_CLASSES: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("client-timeout", r"^client timeout", frozenset()),
    ("load-stopped", r"^load stopped", frozenset()),
    ("buffer-full", r"primary buffer is full", frozenset()),
    ("buffer-evicted", r"request evicted for newer request", frozenset()),
    ("buffer-cancelled", r"context was canceled before failover finished", frozenset()),
    ("shard-missing", r"destination shard is missing after a resharding", frozenset()),
    ("reparent-in-progress", r"primary is not serving, there may be a reparent", frozenset()),
    ("resharding", r"current keyspace is being resharded", frozenset()),
    ("no-healthy-tablet", r"no healthy tablet available", frozenset()),
    ("inconsistent-state", r"inconsistent state detected", frozenset()),
    ("no-connection", r"VT1400[23]|no available connection|no connection for tablet", frozenset()),
    ("tablet-gone", r"is either down or nonexistent", frozenset()),
    ("no-shards", r"upstream shards are not available", frozenset()),
    ("not-serving", r"operation not allowed in state", frozenset()),
    ("wrong-tablet", r"(wrong|invalid) tablet type", frozenset()),
    ("denied-by-rule", r"disallowed due to rule|enforce denied tables", frozenset()),
    ("autocommit-spent", r"unexpected 'autocommitted' state in transaction", frozenset()),
    ("tx-engine-closed", r"tx engine can't accept new connections", frozenset()),
    ("pool-exhausted", r"(transaction|connection) pool |pool connection limit exceeded", frozenset()),
    ("expired-before-start", r"before execution started", frozenset()),
    (
        "transaction-gone",
        r"transaction \d+: (not found|in use|ended at)|transaction was aborted|connection was aborted",
        frozenset(),
    ),
    ("vttablet-refused", r"Error while dialing|connection refused", frozenset()),
    (
        "vttablet-connection-lost",
        r"error reading from server|transport is closing|connection reset|broken pipe|client connection lost"
        r"|connection is draining|keepalive|rpc error: code = \w+ desc = EOF",
        frozenset(),
    ),
    (
        "deadline-or-cancelled",
        r"context (deadline exceeded|canceled)|code = (DeadlineExceeded|Canceled)|DEADLINE_EXCEEDED"
        r"|Query execution was interrupted|maximum statement execution time exceeded|killing (query|connection) ID",
        frozenset(),
    ),
    ("vtgate-shutdown", r"^Server shutdown in progress$", frozenset()),
    ("read-only", r"", frozenset({1290, 1792, 1836, 3100})),
    ("deadlock", r"", frozenset({1213})),
    ("lock-wait", r"", frozenset({1205})),
    ("mysqld-unreachable", r"", frozenset({2002, 2003})),
    ("mysqld-full", r"", frozenset({1040, 1129, 1130})),
    ("statement-refused", r"", frozenset({1044, 1045, 1046, 1048, 1049, 1054, 1062, 1064, 1146})),
    ("interrupted", r"", frozenset({1317, 3024, 1053, 1927})),
    ("client-timeout", r"", frozenset({2900})),  # harness.mysql.outcome: ours, above the client library's last number
    ("load-stopped", r"", frozenset({LOAD_STOPPED})),
    ("connection-lost", r"", frozenset({2006, 2013, 2055, 1080, 1152, 1158, 1159, 1160, 1161})),
)

_ROWS = tuple((name, re.compile(pattern), numbers) for name, pattern, numbers in ERROR_CLASSES)
_VARIABLE = re.compile(r"[\"'`].*?[\"'`]|\b[\w-]*\d[\w.:/-]*")
_SPACE = re.compile(r"\s+")
_WORDS = 60


@lru_cache(maxsize=4096)
def error_class(errno: int, message: str) -> str:
    """The class of an error; what no row knows keeps its number and its first words, without what varies."""
    for name, pattern, numbers in _ROWS:
        if (not numbers or errno in numbers) and pattern.search(message):
            return name
    words = _SPACE.sub(" ", _VARIABLE.sub("…", message)).strip()[:_WORDS].strip()
    return f"errno {errno}: {words}".rstrip(": ") if errno or not words else words
