"""What an error says about the operation it answered: OK, FAIL (surely not applied) or UNKNOWN. One table.

vtgate gives errno 1105 to most of its own errors, so the message decides first and the number after
it. Whatever no row knows is UNKNOWN when it answers a write or a COMMIT. Read in Vitess v0.24.3:
go/vt/vtgate/{buffer/buffer.go, tabletgateway.go, tx_conn.go, plan_execute.go, plugin_mysql_server.go},
go/vt/vttablet/{queryservice/wrapped.go, tabletconn/grpc_error.go, tabletserver/…}, go/mysql/sqlerror.

**vtgate itself retries an autocommit write** on another attempt whenever a vttablet answered
UNAVAILABLE, FAILED_PRECONDITION or CLUSTER_EVENT (queryservice.canRetry; 2 retries by default), and
a broken connection to a vttablet is UNAVAILABLE as well. So where vttablets or their connections die
abruptly, "primary is not serving" may be the answer of the second attempt while the first one was
applied and its reply was lost. In a planned reparent no connection breaks, and the last error tells
the whole story. `abrupt=True` is for runs that break connections: every FAIL that comes from behind
that loop is then UNKNOWN.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from functools import lru_cache

from harness.model import Outcome

CR_CONNECTION_ERROR = 2002
CR_CONN_HOST_ERROR = 2003
CR_SERVER_GONE = 2006
CR_SERVER_LOST = 2013
CR_MALFORMED_PACKET = 2027
# Ours, above the last number of MySQL's client library:
CR_CLIENT_TIMEOUT = 2900  # sent, and no answer within the operation's bound
CR_LOAD_STOPPED = 2901  # sent, and the load ended before the answer


class Phase(enum.Enum):
    """What the connection was doing when the error came."""

    CONNECT = "connect"  # nothing was sent yet
    STATEMENT = "statement"  # inside a transaction whose COMMIT was not sent
    WRITE = "autocommit write"
    COMMIT = "commit"
    READ = "read"


_FAIL, _UNKNOWN = Outcome.FAIL, Outcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of error. `write` and `commit` are its outcomes in those phases; everywhere else an
    error means FAIL. `behind_retries`: vtgate may answer this after an attempt whose reply was lost."""

    name: str
    pattern: str  # of the message; "" = any
    errnos: frozenset[int]  # empty = any
    write: Outcome
    commit: Outcome
    why: str
    behind_retries: bool = True


def _says(name: str, pattern: str, write: Outcome, commit: Outcome, why: str, *, behind_retries: bool = True) -> Rule:
    return Rule(name, pattern, frozenset(), write, commit, why, behind_retries)


def _number(name: str, errnos: set[int], write: Outcome, commit: Outcome, why: str) -> Rule:
    return Rule(name, "", frozenset(errnos), write, commit, why)


# The first row that fits decides.
RULES: tuple[Rule, ...] = (
    # -- our own client
    _says("client-timeout", r"^client timeout", _UNKNOWN, _UNKNOWN, "we gave up waiting; the server did not"),
    _says("load-stopped", r"^load stopped", _UNKNOWN, _UNKNOWN, "the run ended before the reply"),
    # -- vtgate: the buffer (buffer.go); the request waited and was never sent on
    _says("buffer-full", r"primary buffer is full", _FAIL, _FAIL, "refused by the full buffer"),
    _says("buffer-evicted", r"request evicted for newer request", _FAIL, _FAIL, "thrown out of the full buffer"),
    _says("buffer-cancelled", r"context was canceled before failover finished", _FAIL, _FAIL, "left the buffer unsent"),
    _says("shard-missing", r"destination shard is missing after a resharding", _FAIL, _FAIL, "nowhere to send it"),
    # -- vtgate: nobody to send it to (tabletgateway.go withRetry, healthcheck.go)
    _says("reparent-in-progress", r"primary is not serving, there may be a reparent", _FAIL, _FAIL, "never sent"),
    _says("resharding", r"current keyspace is being resharded", _FAIL, _FAIL, "never sent"),
    _says("no-healthy-tablet", r"no healthy tablet available", _FAIL, _FAIL, "never sent"),
    _says("inconsistent-state", r"inconsistent state detected, primary is serving", _FAIL, _FAIL, "never sent"),
    _says("no-connection", r"VT1400[23]|no available connection|no connection for tablet", _FAIL, _FAIL, "never sent"),
    _says("tablet-gone", r"is either down or nonexistent", _FAIL, _FAIL, "the transaction's own tablet is gone"),
    _says("no-shards", r"upstream shards are not available", _FAIL, _FAIL, "never sent"),
    # -- vtgate: its own session refused what a shard had begun (safe_session.go, AppendOrUpdate)
    _says(
        "autocommit-spent",
        r"unexpected 'autocommitted' state in transaction",
        _UNKNOWN,
        _UNKNOWN,
        "of one shard it is rolled back when its transaction times out; of several the first is committed (#20498)",
    ),
    # -- vttablet refused before it touched MySQL (state_manager.go, query_executor.go, tx_engine.go)
    _says(
        "not-serving", r"operation not allowed in state (NOT_SERVING|SHUTTING_DOWN)", _FAIL, _FAIL, "refused at entry"
    ),
    _says("wrong-tablet", r"(wrong|invalid) tablet type", _FAIL, _FAIL, "refused at entry"),
    _says("denied-by-rule", r"disallowed due to rule|enforce denied tables", _FAIL, _FAIL, "refused at entry"),
    _says("tx-engine-closed", r"tx engine can't accept new connections", _FAIL, _UNKNOWN, "no connection to run it on"),
    _says(
        "pool-exhausted",
        r"(transaction|connection) pool (connection limit exceeded|timed out|context already expired"
        r"|aborting request|connection waiter cap|is closed)|pool connection limit exceeded"
        r"|hot row protection: too many queued|Transaction throttled",
        _FAIL,
        _UNKNOWN,
        "no connection to run it on",
    ),
    _says("expired-before-start", r"before execution started", _FAIL, _FAIL, "its deadline passed before MySQL saw it"),
    # -- the transaction was gone before its COMMIT arrived (tx_pool.go, numbered.go, stateful_connection.go)
    _says(
        "transaction-gone",
        r"transaction \d+: (not found|in use: for tx killer|ended at .*\((?!transaction committed\)))"
        r"|transaction was aborted|connection was aborted",
        _UNKNOWN,
        _FAIL,
        "rolled back earlier; an autocommit write never says this",
    ),
    # -- gRPC to a vttablet
    _says("vttablet-refused", r"Error while dialing|connection refused", _FAIL, _FAIL, "the connection was never made"),
    _says(
        "vttablet-connection-lost",
        r"error reading from server|transport is closing|connection reset|broken pipe|client connection lost"
        r"|connection is draining|keepalive|rpc error: code = \w+ desc = EOF",
        _UNKNOWN,
        _UNKNOWN,
        "sent, and the reply was lost",
    ),
    _says(
        "deadline-or-cancelled",
        r"context (deadline exceeded|canceled)|code = (DeadlineExceeded|Canceled)|DEADLINE_EXCEEDED"
        r"|Query execution was interrupted|maximum statement execution time exceeded|killing (query|connection) ID",
        _UNKNOWN,
        _UNKNOWN,
        "interrupted at an unknown point; a statement killed while it waits for a semi-sync reply is committed",
    ),
    # -- vtgate: never left it
    _says(
        "vtgate-shutdown",
        r"^Server shutdown in progress$",
        _FAIL,
        _FAIL,
        "plugin_mysql_server.go refuses at entry; a mysqld's own comes wrapped and is errno 1053 below",
        behind_retries=False,
    ),
    _says(
        "planning",
        r"^(VT(03|05|06|07|08|09|12)\d{3}|vschema not loaded|query payload size above|no database available)"
        r"|keyspace \S+ fetch error|No partition found for tabletType|unknown database",
        _FAIL,
        _FAIL,
        "no plan, so nothing was sent",
        behind_retries=False,
    ),
    # -- MySQL's own numbers, which vttablet and vtgate pass on
    _number("read-only", {1290, 1792, 1836, 3100}, _FAIL, _FAIL, "MySQL refuses, and rolls back at COMMIT"),
    _number("deadlock", {1213}, _FAIL, _FAIL, "InnoDB rolled the transaction back"),
    _number("lock-wait", {1205}, _FAIL, _UNKNOWN, "the statement was rolled back"),
    _number("mysqld-unreachable", {2002, 2003}, _FAIL, _UNKNOWN, "vttablet could not connect to its mysqld"),
    _number("mysqld-full", {1040, 1129, 1130}, _FAIL, _UNKNOWN, "MySQL refused the connection"),
    _number(
        "statement-refused",
        {1044, 1045, 1046, 1048, 1049, 1054, 1062, 1064, 1109, 1136, 1142, 1143, 1146, 1149, 1227, 1235, 1264, 1364}
        | {1366, 1406, 1451, 1452},
        _FAIL,
        _UNKNOWN,
        "MySQL or vtgate refused the statement itself; autocommit leaves nothing of it",
    ),
    _number("interrupted", {1317, 3024, 1053, 1927}, _UNKNOWN, _UNKNOWN, "killed at an unknown point"),
    _number("connection-lost", {CR_SERVER_GONE, CR_SERVER_LOST, 2055}, _UNKNOWN, _UNKNOWN, "the reply was lost"),
    _number("connection-lost", {1080, 1152, 1158, 1159, 1160, 1161}, _UNKNOWN, _UNKNOWN, "the reply was lost"),
)

_COMPILED = tuple((rule, re.compile(rule.pattern) if rule.pattern else None) for rule in RULES)


@lru_cache(maxsize=4096)
def rule_of(errno: int, message: str) -> Rule | None:
    """The row that knows this error; None when none does."""
    for rule, pattern in _COMPILED:
        if rule.errnos and errno not in rule.errnos:
            continue
        if pattern is None or pattern.search(message):
            return rule
    return None


def outcome_of(errno: int, message: str, phase: Phase, *, abrupt: bool = False) -> Outcome:
    """The outcome of an operation that was answered with this error (or lost: errno 2xxx) in `phase`.

    `abrupt`: the run kills vttablets or cuts their connections, so vtgate's own retries may hide a
    lost reply (see the module docstring).
    """
    if phase not in (Phase.WRITE, Phase.COMMIT):
        return Outcome.FAIL  # nothing was sent, or nothing that could last
    rule = rule_of(errno, message)
    if rule is None:
        return Outcome.UNKNOWN
    if phase is Phase.COMMIT:
        return rule.commit  # vtgate sends a COMMIT once, to the transaction's own tablet
    return Outcome.UNKNOWN if abrupt and rule.behind_retries else rule.write


# What differs between two errors of one kind: addresses, aliases, shards, identifiers, statements.
# (Counting errors by a readable name is harness.base.errorclass; this only keeps one text of each kind.)
_STRIP: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r" ?\(CallerID: [^)]*\)"), ""),
    (re.compile(r"(:? ?Sql: |: ?insert into |: ?select |during query: ).*", re.DOTALL | re.IGNORECASE), ""),
    (re.compile(r"BindVars?: \{.*", re.DOTALL), ""),
    (re.compile(r"target: \S+?\.[0-9a-f]*-?[0-9a-f]*\.(\w+): "), r"\1: "),
    (re.compile(r"\b[a-z]\w*-0*\d{6,}\b"), "TABLET"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*( [A-Z]{3,4})?"), "TIME"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?|\[[0-9a-f:]+\]:\d+"), "ADDRESS"),
    (re.compile(r"\b[0-9.]+(ns|µs|us|ms|s|m)\b"), "DURATION"),
    (re.compile(r"\b(0x[0-9a-f]+|\d+)\b"), "N"),
    (re.compile(r"\s+"), " "),
)


@lru_cache(maxsize=4096)
def normalised(message: str) -> str:
    """The message without what differs between two errors of one kind."""
    for pattern, into in _STRIP:
        message = pattern.sub(into, message)
    return message.strip()
