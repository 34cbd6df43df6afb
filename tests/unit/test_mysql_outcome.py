"""The outcome table, row by row, with messages as Vitess v0.24.3 words them."""

from __future__ import annotations

import pytest

from harness.model import Outcome
from harness.mysql.outcome import (
    CR_CLIENT_TIMEOUT,
    CR_LOAD_STOPPED,
    CR_SERVER_LOST,
    RULES,
    Phase,
    normalised,
    outcome_of,
    rule_of,
)

OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN
_BUFFERED = (
    "target: ks.-80.primary: failed to automatically buffer and retry failed request during failover. "
    "original err (type=*vterrors.fundamental): primary is not serving, there may be a reparent operation in progress: "
)
_TABLET = "target: ks.-80.primary: vttablet: rpc error: code = "
_TIME_EXCEEDED = (
    "Canceled desc = (errno 3024) (sqlstate HY000): Query execution was interrupted, "
    "maximum statement execution time exceeded"
)

# errno, message, rule, outcome of a write, outcome of a COMMIT
CASES = [
    (1105, _BUFFERED + "primary buffer is full", "buffer-full", FAIL, FAIL),
    (1105, _BUFFERED + "buffer full: request evicted for newer request", "buffer-evicted", FAIL, FAIL),
    (
        1105,
        _BUFFERED + "context was canceled before failover finished: context canceled",
        "buffer-cancelled",
        FAIL,
        FAIL,
    ),
    (
        1105,
        "target: ks.80-.primary: primary is not serving, there may be a reparent operation in progress",
        "reparent-in-progress",
        FAIL,
        FAIL,
    ),
    (1105, "target: ks.-80.primary: no healthy tablet available for 'ks'", "no-healthy-tablet", FAIL, FAIL),
    (1105, "VT14002: no available connection", "no-connection", FAIL, FAIL),
    (1105, _TABLET + "Code(17) desc = operation not allowed in state NOT_SERVING", "not-serving", FAIL, FAIL),
    (1105, "VT15001: transaction error, issue ROLLBACK and retry the transaction: wrong tablet type: PRIMARY, want: "
     "REPLICA or []", "wrong-tablet", FAIL, FAIL),
    (1815, "VT13001: [BUG] unexpected 'autocommitted' state in transaction", "autocommit-spent", UNKNOWN, UNKNOWN),
    (1105, _TABLET + "FailedPrecondition desc = disallowed due to rule: enforce denied tables", "denied-by-rule", FAIL,
     FAIL),
    (1203, _TABLET + "ResourceExhausted desc = transaction pool connection limit exceeded", "pool-exhausted", FAIL,
     UNKNOWN),
    (1041, _TABLET + "ResourceExhausted desc = Transaction throttled", "pool-exhausted", FAIL, UNKNOWN),
    (3024, _TABLET + _TIME_EXCEEDED + " before execution started", "expired-before-start", FAIL, FAIL),
    (3024, _TABLET + _TIME_EXCEEDED + ", elapsed time: 30.0s, killing query ID 12", "deadline-or-cancelled", UNKNOWN,
     UNKNOWN),
    (1317, _TABLET + "Aborted desc = transaction 1700000000123: not found (potential transaction timeout)",
     "transaction-gone", UNKNOWN, FAIL),
    (1317, _TABLET + "Aborted desc = transaction 17: ended at 2026-11-21 02:00:00.000 UTC (exceeded timeout: 30s)",
     "transaction-gone", UNKNOWN, FAIL),
    (1105, _TABLET + 'Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp '
     '127.0.0.1:1: connect: connection refused"', "vttablet-refused", FAIL, FAIL),
    (1105, _TABLET + "Unavailable desc = error reading from server: EOF", "vttablet-connection-lost", UNKNOWN, UNKNOWN),
    (1105, _TABLET + "Unavailable desc = transport is closing", "vttablet-connection-lost", UNKNOWN, UNKNOWN),
    (1317, _TABLET + "DeadlineExceeded desc = context deadline exceeded", "deadline-or-cancelled", UNKNOWN, UNKNOWN),
    (1317, _TABLET + "Canceled desc = context canceled", "deadline-or-cancelled", UNKNOWN, UNKNOWN),
    (1317, "Query execution was interrupted", "deadline-or-cancelled", UNKNOWN, UNKNOWN),
    (1053, "Server shutdown in progress", "vtgate-shutdown", FAIL, FAIL),
    (1053, _TABLET + "Unavailable desc = Server shutdown in progress (errno 1053) (sqlstate 08S01)", "interrupted",
     UNKNOWN, UNKNOWN),
    (1290, _TABLET + "Code(17) desc = The MySQL server is running with the --super-read-only option so it "
     "cannot execute this statement (errno 1290) (sqlstate HY000)", "read-only", FAIL, FAIL),
    (1062, "Duplicate entry '1' for key 'PRIMARY' (errno 1062) (sqlstate 23000)", "statement-refused", FAIL, UNKNOWN),
    (1213, "Deadlock found (errno 1213) (sqlstate 40001)", "deadlock", FAIL, FAIL),
    (2003, "Can't connect to MySQL server (errno 2003) (sqlstate HY000)", "mysqld-unreachable", FAIL, UNKNOWN),
    (2013, "Lost connection to MySQL server during query (errno 2013) (sqlstate HY000)", "connection-lost", UNKNOWN,
     UNKNOWN),
    (2006, "MySQL server has gone away", "connection-lost", UNKNOWN, UNKNOWN),
    (CR_SERVER_LOST, "connection lost: the server closed the connection", "connection-lost", UNKNOWN, UNKNOWN),
    (CR_CLIENT_TIMEOUT, "client timeout: no reply within 30 s", "client-timeout", UNKNOWN, UNKNOWN),
    (CR_LOAD_STOPPED, "load stopped before the reply", "load-stopped", UNKNOWN, UNKNOWN),
    (1146, "VT05004: table 'ledger' does not exist", "planning", FAIL, FAIL),
]  # fmt: skip


@pytest.mark.parametrize(("errno", "message", "rule", "write", "commit"), CASES)
def test_each_kind_of_error_has_its_outcomes(
    errno: int, message: str, rule: str, write: Outcome, commit: Outcome
) -> None:
    found = rule_of(errno, message)
    assert found is not None
    assert found.name == rule
    assert outcome_of(errno, message, Phase.WRITE) is write
    assert outcome_of(errno, message, Phase.COMMIT) is commit


@pytest.mark.parametrize("phase", [Phase.WRITE, Phase.COMMIT])
def test_what_no_row_knows_may_have_been_applied(phase: Phase) -> None:
    assert rule_of(1105, "something new") is None
    assert outcome_of(1105, "something new", phase) is UNKNOWN


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.STATEMENT, Phase.READ])
def test_an_error_is_a_failure_where_nothing_could_be_applied(phase: Phase) -> None:
    for errno, message, *_ in CASES:
        assert outcome_of(errno, message, phase) is FAIL
    assert outcome_of(1105, "something new", phase) is FAIL


def test_vtgates_retries_may_hide_a_lost_reply_when_connections_break() -> None:
    message = "target: ks.80-.primary: primary is not serving, there may be a reparent operation in progress"
    assert outcome_of(1105, message, Phase.WRITE, abrupt=True) is UNKNOWN
    assert outcome_of(1105, message, Phase.COMMIT, abrupt=True) is FAIL  # a COMMIT is sent once
    assert outcome_of(1053, "Server shutdown in progress", Phase.WRITE, abrupt=True) is FAIL  # never left vtgate


def test_an_ambiguous_cause_wins_over_a_number_that_would_be_certain() -> None:
    message = _TABLET + "Unavailable desc = error reading from server: EOF (errno 1062) (sqlstate 23000)"
    assert outcome_of(1062, message, Phase.WRITE) is UNKNOWN


def test_every_rule_says_why_and_is_met_by_a_case() -> None:
    met = {case[2] for case in CASES}
    rare = {
        "shard-missing",
        "resharding",
        "inconsistent-state",
        "tablet-gone",
        "no-shards",
        "tx-engine-closed",
        "lock-wait",
        "mysqld-full",
    }
    assert all(rule.why for rule in RULES)
    assert {rule.name for rule in RULES} == met | rare


def test_messages_that_differ_in_keys_and_places_only_are_one() -> None:
    def message(shard: str, key: int, address: str) -> str:
        return (
            f"target: ks.{shard}.primary: vttablet: dial tcp {address}: refused (CallerID: userData1): "
            f'Sql: "insert into ledger(id, `value`) values (:v1)", BindVars: {{v1: "type:UINT64 value:{key}"}}'
        )

    assert normalised(message("-80", 17, "127.0.0.1:22100")) == normalised(message("c0-", 99, "10.1.2.3:1"))
    assert normalised(message("-80", 17, "127.0.0.1:1")) != normalised("target: ks.-80.primary: something else")
