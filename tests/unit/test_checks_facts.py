"""Reading without judging: durations, settings, storms, stalls, versions, error classes."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errorclass import error_class
from harness.base.goduration import duration_s
from harness.facts.buffer import settings
from harness.facts.service import longest_stall
from harness.facts.storm import baseline, first_fault_ns, quiet_ns, reparents, storms, trouble
from harness.facts.versions import affected, parse
from harness.facts.words import counted, listed
from harness.model import OP_DTYPE, KnownBug, Outcome, Role, VtgateSpec
from harness.mysql import outcome
from tests.fakes import HistoryBuilder, calm, ns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 10),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("0", 0),
        ("-2s", -2),
        ("1h2m3.5s", 3723.5),
        ("3µs", 3e-6),
    ],
)
def test_go_durations(text: str, expected: float) -> None:
    assert duration_s(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "10", "s", "10 s", "1d", "10s5", "--5s5"])
def test_what_is_no_go_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Go duration"):
        duration_s(text)


def test_buffer_settings_are_vitess_defaults_then_the_clusters_then_the_vtgates() -> None:
    builder = HistoryBuilder(vtgates=("24.0.3", "24.0.3"), buffering=False, flags={"buffer_window": "3s"})
    own = VtgateSpec(flags={"enable-buffer": "true", "buffer-window": "4s", "buffer-size": "7"})
    cluster = dataclasses.replace(builder.plan.cluster, vtgates=(VtgateSpec(), own))
    builder.plan = dataclasses.replace(builder.plan, cluster=cluster)
    history = builder.build()
    first, second = settings(history, "vtgate-1"), settings(history, "vtgate-2")
    assert (first.enabled, first.window_s, first.size) == (False, 3, 1000)
    assert (second.enabled, second.window_s, second.size) == (True, 4, 7)
    assert (first.max_failover_duration_s, first.min_time_between_failovers_s) == (20, 60)


def test_overlapping_reparents_are_one_storm_and_rolling_ones_are_many() -> None:
    builder = HistoryBuilder(shards=4)
    for shard, begin, end in zip(builder.shards, (1.0, 1.5, 3.0, 6.0), (2.0, 4.0, 5.0, 7.0), strict=True):
        builder.reparent(shard, begin, end)
    found = storms(builder.build())
    assert [storm.shards for storm in found] == [tuple(builder.shards[:3]), (builder.shards[3],)]
    assert found[0].duration_s == 4.0


def test_a_reparent_that_never_returned_lasts_to_the_end() -> None:
    builder = calm(storm=False)
    builder.reparent("-80", 6.0, None)
    history = builder.build()
    assert storms(history)[0].end_ns == history.end_ns
    assert not reparents(history)[0].returned_ok


def test_the_windows_of_a_run_and_of_its_control() -> None:
    history, control = calm().build(), calm(storm=False).build()
    assert first_fault_ns(history) == ns(5.1)
    assert trouble(history) == (ns(5.1), ns(5.501))
    assert baseline(history) == (ns(0), ns(5))
    assert first_fault_ns(control) is None
    assert trouble(control) == (ns(5), ns(8))
    assert quiet_ns(control) == ns(12)
    assert trouble(HistoryBuilder().build()) is None


def ops(*rows: tuple[float, float, Outcome]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    made = np.zeros(len(rows), dtype=OP_DTYPE)
    for record, (intended, done, result) in zip(made, rows, strict=True):
        record["intended_ns"], record["done_ns"], record["outcome"] = ns(intended), ns(done), result
    return made


def stall_s(*rows: tuple[float, float, Outcome], since: float = 0.0) -> float:
    return longest_stall(ops(*rows), ns(since))[0] / 1e9


OK, FAIL = Outcome.OK, Outcome.FAIL


def test_a_stall_begins_with_what_was_due_and_ends_with_the_next_success() -> None:
    assert stall_s((0, 0.1, OK), (5, 8, OK)) == 3  # nothing was due from 0.1 to 5
    assert stall_s((0, 1, OK), (0.5, 6, OK)) == 5  # the second was waiting already
    assert stall_s((0, 1, OK), (1.5, 2, FAIL), (3, 4, OK)) == 2.5  # an error is no service
    assert stall_s((0, 1, OK), (1.5, 9, Outcome.NOT_ISSUED)) == 7.5  # to the very end
    assert stall_s() == 0


def test_a_stall_before_the_window_does_not_count() -> None:
    assert stall_s((0, 4, OK), (5, 5.5, OK), since=4.5) == 0.5
    assert stall_s((0, 4, OK), (5, 5.5, OK), since=3) == 1  # only its part inside


@given(
    st.lists(
        st.tuples(
            st.integers(0, 50), st.integers(0, 20), st.sampled_from([OK, FAIL, Outcome.UNKNOWN, Outcome.NOT_ISSUED])
        ),
        max_size=12,
    ),
    st.integers(0, 40),
)
def test_the_longest_stall_is_that_of_a_slow_and_plain_count(rows: list[tuple[int, int, Outcome]], since: int) -> None:
    """Walk from success to success, and within each stretch look for the first moment at which one waits."""
    made = [(float(begin), float(begin + took), result) for begin, took, result in rows]
    ends = [done for _, done, _ in made]
    goods = sorted(done for _, done, result in made if result is OK and done > since)
    marks = [float(since), *goods, max([*ends, since])]
    worst = 0.0
    for begin, end in itertools.pairwise(marks):
        if any(due <= begin < done for due, done, _ in made):
            waiting_from = begin
        else:
            waiting_from = min((due for due, _, _ in made if due > begin), default=float("inf"))
        worst = max(worst, end - waiting_from)
    assert stall_s(*made, since=since) == worst


def test_releases_are_compared_as_numbers() -> None:
    bug = KnownBug(issue="#17629", check="x", component=Role.VTGATE, affected_from="18.0.0", fixed_in="21.0.3")
    assert [affected(bug, version) for version in ("17.0.9", "18.0.0", "21.0.2", "v21.0.3", "21.0.10", "24.0.3")] == [
        False,
        True,
        True,
        False,
        False,
        False,
    ]
    assert affected(bug, "/opt/vitess/bin") is None
    assert affected(dataclasses.replace(bug, affected_from="0", fixed_in=""), "/opt/vitess/bin") is True
    assert (parse("25.0.0-rc1") or ()) < (parse("25.0.0") or ())


SAMPLES = [
    (1105, "failed to automatically buffer and retry failed request during failover. original err (type=*x): Code: "
     "CLUSTER_EVENT\nprimary is not serving, there may be a reparent operation in progress: primary buffer is full"),
    (1105, "original err: …: context was canceled before failover finished"),
    (1105, "target: ks.-80.primary: primary is not serving, there may be a reparent operation in progress"),
    (1290, "The MySQL server is running with the --super-read-only option (errno 1290)"),
    (1105, "target: ks.-80.primary: no healthy tablet available for 'keyspace:\"ks\"'"),
    (1105, "inconsistent state detected, primary is serving but initially found no available tablet"),
    (1105, "vttablet: rpc error: operation not allowed in state NOT_SERVING"),
    (1105, "transaction 1234: ended at 2026-01-01 (unlocked closed connection)"),
    (2013, "Lost connection to MySQL server during query"),
    (1105, "rpc error: code = Unavailable desc = error reading from server: EOF"),
    (1317, "Query execution was interrupted"),
    (2006, ""),
    (1062, "Duplicate entry"),
    (0, "client timeout after 30 s"),
]  # fmt: skip


@pytest.mark.parametrize(("errno", "message"), SAMPLES)
def test_error_classes_have_the_names_that_the_outcome_table_gives_them(errno: int, message: str) -> None:
    rule = outcome.rule_of(errno, message)
    assert rule is not None
    assert error_class(errno, message) == rule.name


def test_an_error_that_no_row_knows_keeps_its_number_and_words_without_what_varies() -> None:
    first = error_class(1105, "tablet zone1-0000000100 said 'boo' after 3.5s")
    assert (
        first
        == error_class(1105, "tablet zone1-0000000733 said 'hoo' after 17s")
        == "errno 1105: tablet … said … after …"
    )
    assert error_class(1105, "") == "errno 1105"


def test_words() -> None:
    assert [counted(1, "error"), counted(12_840, "error"), counted(2, "primary", "primaries")] == [
        "1 error",
        "12,840 errors",
        "2 primaries",
    ]
    assert listed("abcdef", 2) == "a, b and 4 more"
