"""The premises of a stream run hold on a sound one, and each is seen not to hold; vtgate's counters as well."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from harness.history import History, Series, TableRead
from harness.model import CheckResult, Node, OpKind, Role, Sample, Scalar, VtgateSpec, Workload
from tests.fakes import ns
from tests.unit.stream_history import COPY_S, SETTLE_S, StreamRun
from tests.unit.test_checks_vstream import half_of, judged, of, only, sound
from tests.unit.verdicts import FAIL, PASS, UNKNOWN

CUT, STREAMS, COUNTERS = "assumptions/copy-cut", "assumptions/streams", "vstream/counters"


def with_params(history: History, **params: float) -> History:
    return dataclasses.replace(history, plan=dataclasses.replace(history.plan, params=params))


# ---------------------------------------------------------------- the cuts


def test_a_copy_that_was_cut_says_how_often() -> None:
    result = only(CUT, sound("cut"))
    assert result.verdict is PASS
    assert (result.figures["cycles"], result.figures["cuts_seen"]) == (20, 16)
    assert result.details[0].startswith("items-1@vtgate-1: 20 cycles, cut 16 times, ")


def test_a_run_whose_copy_was_never_cut_proves_nothing() -> None:
    whole = with_params(sound("never cut"), cuts=1.0)
    assert only(CUT, whole).verdict is UNKNOWN
    assert judged(whole).exit_code == 3
    assert only(CUT, with_params(sound("cut"), cuts=17.0)).verdict is UNKNOWN
    assert only(CUT, with_params(sound("cut"), cuts=16.0)).verdict is PASS


def test_a_control_whose_copy_was_cut_is_none() -> None:
    assert only(CUT, with_params(sound("cut"), cuts=0.0)).verdict is UNKNOWN
    assert only(CUT, with_params(sound("never cut"), cuts=0.0)).verdict is PASS
    assert only(CUT, with_params(sound("cut"))).verdict is PASS


def test_an_attempt_that_the_cut_ended_was_cut() -> None:
    history = StreamRun(fails_after=5, cut_after=0).history()
    assert only(CUT, with_params(history, cuts=1.0)).verdict is PASS


def tablets(history: History, values: Mapping[str, Scalar], shard: str = "", since: Scalar = 0) -> History:
    """Two vttablets that count the same, from 0 at the begin of the copy on (or from `since`)."""
    names = ("vttablet-100", "vttablet-101")
    nodes = tuple(Node(name=name, role=Role.VTTABLET, version="24.0.3", shard=shard) for name in names)
    samples = [
        Sample(at_ns=ns(COPY_S - 1), took_ns=1, values=dict.fromkeys(values, since)),
        Sample(at_ns=ns(SETTLE_S), took_ns=1, values=values),
    ]
    series = {**history.series, **{name: Series(samples) for name in names}}
    return dataclasses.replace(history, nodes=(*history.nodes, *nodes), series=series)


def test_the_vttablets_account_counts_too() -> None:
    errors = {"VStreamerErrors:StreamRows": 3, "VStreamerPhaseTiming:copy.count": 8}
    history = tablets(sound("never cut"), errors)
    result = only(CUT, with_params(history, cuts=0.0))
    assert result.verdict is UNKNOWN
    assert "6 times by the vttablets' account" in result.summary
    assert result.figures["copies_of_tablets"] == 16


def test_a_copy_that_is_cut_before_its_first_row_is_known_to_vttablets_alone() -> None:
    history = with_params(StreamRun().history(), cuts=1.0)
    record = history.streams[0]
    nothing = of(history, dataclasses.replace(record, events=record.events[:0], vgtids=()))
    assert only(CUT, nothing).verdict is UNKNOWN
    assert only(CUT, tablets(nothing, {"VStreamerErrors:StreamRows": 400})).verdict is PASS


def test_what_vttablets_count_of_clients_that_leave_is_no_cut() -> None:
    history = tablets(sound("resumed often"), {"VStreamerErrors:StreamRows": 30})
    assert only(CUT, with_params(history, cuts=0.0)).verdict is PASS


# ---------------------------------------------------------------- refused positions

REFUSED = {"VStreamerErrors:GTIDSet Mismatch": 1}


def test_a_shard_that_is_silent_for_a_position_that_was_refused() -> None:
    silent = tablets(half_of(sound("cut")), REFUSED, "-80")
    result = only("vstream/completed", silent)
    assert result.verdict is FAIL
    said = "vttablet-100 refused 1 stream (GTIDSet Mismatch): to begin ahead of what it had committed"
    assert said in result.details
    assert said in result.summary
    assert "GTIDSet Mismatch" in result.symptoms


def test_a_refused_position_of_another_shard_or_before_the_stream_or_of_one_that_got_everything_is_none() -> None:
    half = half_of(sound("cut"))
    elsewhere = tablets(half, REFUSED, "c0-")
    before = tablets(half, REFUSED, "-80", 1)
    for history in (half, elsewhere, before):
        result = only("vstream/completed", history)
        assert (result.verdict, "GTIDSet Mismatch" in str(result)) == (FAIL, False)
    assert only("vstream/completed", tablets(sound("cut"), REFUSED, "-80")).verdict is PASS


# ---------------------------------------------------------------- streams and tables


def other_table(history: History, change: Callable[[TableRead], TableRead]) -> History:
    tables = dict(history.tables)
    where = next(iter(tables))
    tables[where] = change(tables[where])
    return dataclasses.replace(history, tables=tables)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda read: dataclasses.replace(read, wrong=2), "2 rows of item_1 in -80 hold a pad that is not theirs"),
        (lambda read: dataclasses.replace(read, rows=read.rows[:20]), "of 60 rows that it was filled with"),
        (
            lambda read: dataclasses.replace(read, rows=np.concatenate((read.rows, read.rows))),
            "of 60 rows that it was filled with",
        ),
    ],
)
def test_tables_that_are_not_what_was_planned(change: Callable[[TableRead], TableRead], words: str) -> None:
    result = only(STREAMS, other_table(sound("cut"), change))
    assert result.verdict is UNKNOWN
    assert words in result.summary


def test_tables_that_were_not_read() -> None:
    whole = dataclasses.replace(sound("cut"), tables={})
    assert "item_1 in -80 was not read back" in only(STREAMS, whole).summary
    assert "item_1 of -80, item_1 of 80-, item_2 of -80" in only("assumptions/complete", whole).summary


def test_removals_explain_missing_rows_but_not_more_of_them() -> None:
    """The clients may have removed what is not there; without their operations nobody did."""
    assert only(STREAMS, sound("cut")).verdict is PASS
    without = dataclasses.replace(sound("cut"), ops=sound("cut").ops[:0])
    assert only(STREAMS, without).verdict is UNKNOWN


def test_streams_that_are_not_what_was_planned() -> None:
    whole = sound("cut")
    spec = dataclasses.replace(whole.plan.streams[0], count=2)
    twice = dataclasses.replace(whole, plan=dataclasses.replace(whole.plan, streams=(spec,)))
    assert "1 of 2 planned streams were recorded" in only(STREAMS, twice).summary
    cluster = dataclasses.replace(whole.plan.cluster, vtgates=(VtgateSpec(), VtgateSpec()))
    through_two = dataclasses.replace(whole, plan=dataclasses.replace(whole.plan, cluster=cluster))
    assert "1 of 2 planned streams were recorded" in only(STREAMS, through_two).summary
    never = of(whole, dataclasses.replace(whole.streams[0], attempts=(), events=whole.streams[0].events[:0], vgtids=()))
    assert "items-1@vtgate-1 never began" in only(STREAMS, never).summary


def test_a_resume_from_a_position_that_never_was() -> None:
    history = sound("resumed often")
    record = history.streams[0]
    attempts = list(record.attempts)
    start = tuple(dataclasses.replace(p, gtid=p.gtid + "1", last_pks={"item_1": 1}) for p in attempts[1].start)
    attempts[1] = dataclasses.replace(attempts[1], start=start)
    moved = of(history, dataclasses.replace(record, attempts=tuple(attempts)))
    assert "attempt 2 resumed -80 from a position that it never had" in only(STREAMS, moved).summary


def test_a_load_that_changed_nothing_while_the_streams_copied() -> None:
    whole = sound("cut")
    ops = whole.ops.copy()
    ops["done_ns"][ops["done_ns"] >= ns(COPY_S)] += int(2e9)
    assert "nothing was changed while items-1@vtgate-1 copied" in only(STREAMS, replace_ops(whole, ops)).summary
    ended = StreamRun(fails_after=2).history()  # too soon for a change: that is the finding, not the premise
    assert only(STREAMS, replace_ops(ended, ended.ops[ended.ops["kind"] == OpKind.READ])).verdict is UNKNOWN
    assert only(STREAMS, ended).verdict is PASS


def replace_ops(history: History, ops: np.ndarray) -> History:
    return dataclasses.replace(history, ops=ops)


def test_a_run_that_writes_no_ledger_needs_none() -> None:
    history = sound("cut")
    assert history.rows == {}
    assert only("assumptions/complete", history).verdict is PASS
    load = dataclasses.replace(history.plan.load, workload=Workload.LEDGER) if history.plan.load else None
    ledger = dataclasses.replace(history, plan=dataclasses.replace(history.plan, load=load))
    assert only("assumptions/complete", ledger).verdict is UNKNOWN


def test_what_is_missing_of_the_streams_makes_a_run_incomplete() -> None:
    history = dataclasses.replace(sound("nobody writes"), incomplete=("stream-1.bin (what items-1 received)",))
    assert "stream-1.bin" in only("assumptions/complete", history).summary


def test_the_copy_is_what_the_host_is_watched_in() -> None:
    """Copying is meant to use every core; there is no buffer whose window it could exceed."""
    builder = StreamRun().builder()
    for tick in range(45):
        builder.set("host", tick / 5, {"cpu_some_us": 200_000 * tick})
    history = dataclasses.replace(builder.build(), rows={})
    result = only("assumptions/host", history)
    assert "storm_host_cpu_some_us_saturated" not in result.figures
    assert "storm_host_memory_available_bytes_lowest" in result.figures


# ---------------------------------------------------------------- vtgate's counters

KEY = "zone1.ks.-80.PRIMARY"


def counting(run: StreamRun, values: Mapping[float, Mapping[str, Scalar]]) -> CheckResult:
    """vtgate shows these values instead, from then on."""
    builder = run.builder()
    for at_s, shown in values.items():
        builder.set("vtgate-1", at_s, shown)
    history = dataclasses.replace(builder.build(), rows={}, tables=run.tables, streams=(run.record,))
    return only(COUNTERS, history)


def new() -> StreamRun:
    return StreamRun(vtgate="24.0.3")


def test_counters_that_fit() -> None:
    result = counting(new(), {})
    assert result.verdict is PASS
    assert result.figures["created"] == 2
    assert result.figures["events_received"] == result.figures["events_streamed"]


def test_an_old_release_does_not_export_all() -> None:
    result = counting(StreamRun(vtgate="21.0.2"), {})
    assert result.verdict is PASS
    assert result.figures["events_streamed"] == "not exported by this release"
    assert result.figures["ended_with_errors"] == "not exported by this release"


@pytest.mark.parametrize("created", [0, 7])
def test_streams_that_vtgate_created_without_a_call_or_did_not(created: int) -> None:
    run = new()
    result = counting(run, {at_s: {f"VStreamsCreated:{KEY}": created} for at_s in (COPY_S, COPY_S + 0.001)})
    assert result.verdict is FAIL
    assert "VStreamsCreated grew by" in result.summary


def test_events_that_nobody_sent() -> None:
    run = new()
    result = counting(run, {SETTLE_S: {f"VStreamsEventsStreamed:{KEY}": 5}})
    assert result.verdict is FAIL
    assert "vtgate counts 5 sent" in result.summary


def test_errors_that_nobody_saw_and_errors_that_were_not_counted() -> None:
    zero = {COPY_S: {f"VStreamsEndedWithErrors:{KEY}": 0}}
    assert counting(new(), zero).verdict is PASS
    unseen = counting(new(), {**zero, COPY_S + 1: {f"VStreamsEndedWithErrors:{KEY}": 1}})
    assert unseen.verdict is FAIL
    assert "clients saw 0 errors" in unseen.summary
    ended = StreamRun(vtgate="24.0.3", fails_after=20)
    assert "1 attempt ended with an error" in counting(ended, zero).summary
    counted = {**zero, COPY_S + 0.05: {f"VStreamsEndedWithErrors:{KEY}": 1}}
    assert counting(ended, counted).verdict is PASS


def test_streams_that_vtgate_never_lets_go() -> None:
    ended = StreamRun(vtgate="24.0.3", fails_after=20)
    begun = {COPY_S: {f"VStreamsCount:{KEY}": 1}, COPY_S + 0.05: {f"VStreamsEndedWithErrors:{KEY}": 1}}
    leaked = counting(ended, begun)
    assert leaked.verdict is FAIL
    assert "VStreamsCount says 1 streams to a shard were open, of 0" in leaked.summary
    assert counting(ended, {**begun, COPY_S + 0.5: {f"VStreamsCount:{KEY}": 0}}).verdict is PASS


def test_a_vtgate_that_was_not_watched_or_had_no_streams() -> None:
    run = new()
    builder = run.builder()
    builder.silence("vtgate-1", 0.0, 100.0)
    unwatched = dataclasses.replace(builder.build(), rows={}, streams=(run.record,))
    assert only(COUNTERS, unwatched).verdict is UNKNOWN
    assert only(COUNTERS, dataclasses.replace(unwatched, streams=())).verdict is PASS


def test_a_vtgate_that_began_anew() -> None:
    run = new()
    builder = run.builder()
    builder.event("exit", "vtgate-1", COPY_S + 1, code=-9)
    ended = dataclasses.replace(builder.build(), rows={}, streams=(run.record,))
    assert only(COUNTERS, ended).verdict is PASS
    assert "restarted" in only(COUNTERS, ended).summary
