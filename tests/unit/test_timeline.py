"""One timeline: what every source of a run says is on it, in order, and can be asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness.attribution.moments import Kind, Moment
from harness.attribution.timeline import EPISODE_GAP_NS, Timeline
from harness.history import History
from harness.model import OP_DTYPE, Outcome, Scalar
from harness.timeline_command import timeline
from tests.fakes import START, calm, ns
from tests.unit.tablet_history import NODES, builder, history, lines, sampled

WRITES: dict[str, Scalar] = {"super_read_only": 0, "read_only": 0, "transactions": 10, "source": "", "behind_s": -1}
REPLICATES: dict[str, Scalar] = {
    "transactions": 9,
    "behind_s": 2,
    "source": "h:1",
    "io_running": "Yes",
    "sql_running": "No",
    "sql_errno": 1062,
}


def eventful() -> History:
    """Something from every source but buffering's log."""
    made = builder()
    made.op(5.3, took_s=0.9)
    made.op(5.4, took_s=0.7)
    made.op(9.0, took_s=0.1, outcome=Outcome.FAIL, errno=1290, message="running with the --super-read-only option")
    made.buffered("-80", 5.3, 5.8)
    made.fault("Paused", "vttablet-102", 7.0, 8.0)
    made.set("harness", 10.0, {"loop_lag_max_ms": 400.0})
    made.set("harness", 10.2, {"loop_lag_max_ms": 3.0})
    for tick in range(10):  # a second without a free core
        made.set("host", 11 + tick / 10, {"cpu_some_us": 3_000_000 + 100_000 * tick})
    made.silence("vtctld", 3.0, 4.0)
    made.event("note", "the timeline says something", 2.0, shards=1)
    own, other = made.build(), history()
    extra = {
        "mysqld-100": sampled((1.0, WRITES), (9.0, REPLICATES)),
        "mysqld-101": sampled((6.2, {**WRITES, "read_only": 1}), (7.2, {"read_only": 0})),
        "topology": sampled((1.0, {"primary:ks/-80": "zone1-0000000100", "term_ns:ks/-80": 0})),
    }
    named = {name: other.series[name] for name in ("vttablet-100", "vttablet-101")}
    return dataclasses.replace(own, nodes=other.nodes, logs=other.logs, series={**own.series, **named, **extra})


def texts(moments: tuple[Moment, ...]) -> list[str]:
    return [moment.text for moment in moments]


def test_every_source_is_on_it() -> None:
    found = Timeline.of(eventful())
    assert {moment.kind for moment in found.moments} == set(Kind)
    assert [moment.at_ns for moment in found.moments] == sorted(moment.at_ns for moment in found.moments)
    assert all(moment.until_ns >= moment.at_ns for moment in found.moments)


def test_what_the_moments_say() -> None:
    found = Timeline.of(eventful())
    begin, end = ns(0), ns(15)

    def said(kind: Kind, *subjects: str) -> list[str]:
        return texts(found.between(begin, end, (kind,), subjects))

    assert said(Kind.CLIENTS) == [
        "2 operations of -80 through vtgate-1 affected, the longest for 0.90 s",
        "1 operation of -80 through vtgate-1 affected, the longest for 0.10 s, 1 read-only",
    ]
    assert said(Kind.NO_PRIMARY) == ["-80 has no serving primary (vttablet-100 → vttablet-101)"]
    assert "BufferStarts:ks.-80 +1" in said(Kind.COUNTER)
    assert said(Kind.BUFFERING) == ["vtgate-1 buffers -80, ended by NewPrimarySeen"]
    assert said(Kind.REPARENT_PHASE)[3] == "demote (vttablet-100)"
    assert said(Kind.POSITION, "mysqld-100")[1] == "mysqld-100 has executed 9 transactions, 2 s behind"
    assert said(Kind.REPLICATION, "mysqld-100") == [
        "mysqld-100 replicates from nobody",
        "mysqld-100 replicates from h:1: receiver Yes, applier No, errno 1062",
    ]
    assert said(Kind.TOPOLOGY) == ["the record of -80 names zone1-0000000100"]
    assert said(Kind.READ_ONLY) == ["vttablet-101 is a serving primary, and its MySQL is read-only"]
    assert said(Kind.UNANSWERED) == ["vtctld did not answer its probe: no answer"]
    assert said(Kind.HARNESS) == ["harness stood still for 400 ms"]
    assert said(Kind.FAULT, "Paused") == ["Paused on vttablet-102"]
    assert said(Kind.EVENT) == ["note: the timeline says something, shards 1"]


def test_asking() -> None:
    found = Timeline.of(eventful())
    inside = found.between(ns(5.2), ns(5.3), (Kind.LOG,), ("-80",))
    assert [moment.subject for moment in inside] == [
        "vtctld",
        "vttablet-100",
        "vttablet-100",
    ]  # a vtctld's line names it
    assert texts(found.at(ns(5.5), (Kind.TABLET,), ("vttablet-100",))) == ["vttablet-100 primary NOT_SERVING"]
    last = found.before(ns(5.5), Kind.TABLET, "vttablet-100")
    assert last is not None
    assert last.at_ns == ns(5.25)
    assert found.before(ns(0.1), Kind.TABLET) is None
    assert not found.between(ns(50), ns(60))


def test_a_calm_run_has_no_trouble() -> None:
    found = Timeline.of(calm(storm=False).build())
    kinds = {moment.kind for moment in found.moments}
    assert not kinds & {
        Kind.CLIENTS,
        Kind.FAULT,
        Kind.NO_PRIMARY,
        Kind.READ_ONLY,
        Kind.UNANSWERED,
        Kind.HOST,
        Kind.HARNESS,
    }


def test_operations_that_are_far_apart_are_troubles_of_their_own() -> None:
    made = calm(storm=False)
    gap_s = EPISODE_GAP_NS / 1e9
    for at_s in (6.0, 6.6 + 0.9 * gap_s, 20.0):
        made.op(at_s, took_s=0.6)
    moments = Timeline.of(made.build()).between(ns(0), ns(60), (Kind.CLIENTS,))
    assert [moment.details["operations"] for moment in moments] == [2, 1]


def test_a_million_operations() -> None:
    """All are looked at in one piece; only the affected ones one by one."""
    made = history()
    ops = np.zeros(1_000_000, dtype=OP_DTYPE)
    ops["intended_ns"] = START + np.arange(len(ops)) * 10_000
    ops["done_ns"] = ops["intended_ns"] + 1_000_000
    ops["done_ns"][400_000:500_000] += 2_000_000_000
    moments = Timeline.of(dataclasses.replace(made, ops=ops)).between(ns(0), ns(99), (Kind.CLIENTS,))
    assert [moment.details["operations"] for moment in moments] == [100_000]


# ---------------------------------------------------------------- the command


def printed(folder: Path, *args: str) -> list[str]:
    made = builder()
    made.op(5.3, took_s=0.9)
    made.write(folder)
    answer = CliRunner().invoke(timeline, [str(folder), *args], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output.splitlines()


def test_the_lines(tmp_path: Path) -> None:
    head, *found = printed(tmp_path / "run")
    assert head == "seconds since the first fault"
    stamps = [float(line.split()[0]) for line in found]
    assert stamps == sorted(stamps)
    assert any("PlannedReparent of -80" in line for line in found)


def test_a_part_of_the_lines(tmp_path: Path) -> None:
    _, line = printed(tmp_path / "run", "--from", "0", "--to", "1", "--kind", "clients", "--subject", "vtgate-1")
    assert line.split()[:4] == ["+0.300", "0.900", "clients", "vtgate-1"]


def test_positions_are_told_when_they_are_asked_for(tmp_path: Path) -> None:
    eventful_lines = builder()
    eventful_lines.set("mysqld-100", 1.0, WRITES)
    eventful_lines.nodes += list(NODES)
    eventful_lines.write(tmp_path / "run")
    ask = [str(tmp_path / "run")]
    usual, asked = (CliRunner().invoke(timeline, words).output for words in (ask, [*ask, "--kind", "position"]))
    assert "has executed 10 transactions" in asked
    assert "has executed" not in usual
    assert "replicates from nobody" in usual


def test_a_kind_that_is_none(tmp_path: Path) -> None:
    answer = CliRunner().invoke(timeline, [str(tmp_path), "--kind", "weather"])
    assert answer.exit_code == 2
    assert "clients" in answer.output


@pytest.mark.parametrize("text", ["ks/-80 [reparent <nil> -> <nil>] x", "Locking shard ks/-80 for", "(ks/-80)"])
def test_a_line_of_vtctld_is_its_shards(text: str) -> None:
    (moment,) = Timeline.of(history(*lines([(6.0, "vtctld", text)]))).between(ns(0), ns(20), (Kind.LOG,), ("-80",))
    assert moment.subject == "vtctld"
