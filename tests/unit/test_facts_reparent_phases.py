"""The phases of a reparent from recorded lines: those that a line shows, and no other."""

from __future__ import annotations

import dataclasses

import pytest

from harness.facts.reparent_phases import Phase, ReparentPhases, phases
from harness.probes.loglines import KEPT_TEXTS
from tests.fakes import START, ns
from tests.unit.tablet_history import CALLS, LOCK, STEPS, TRANSITIONS, Line, builder, history, lines

ENDED = "TabletManager."


def only(*logs: tuple[Line, ...], level: str = "info") -> ReparentPhases:
    (found,) = phases(history(*lines(*logs, level=level)))
    return found


def at(found: ReparentPhases, phase: Phase) -> tuple[float, float] | None:
    span = found.of(phase)
    return None if span is None else (_s(span.from_ns), _s(span.to_ns))


def _s(stamp_ns: int) -> float:
    return round((stamp_ns - START) / 1e9, 2)


def test_every_phase_of_a_planned_reparent() -> None:
    found = only(STEPS, CALLS, TRANSITIONS)
    assert {phase: at(found, phase) for phase in Phase if found.of(phase)} == {
        Phase.LOCK: (5.0, 5.05),
        Phase.ELECT: (5.05, 5.08),
        Phase.PREPARE: (5.08, 5.2),
        Phase.DEMOTE: (5.21, 5.45),
        Phase.CATCH_UP: (5.5, 5.55),
        Phase.PROMOTE: (5.61, 5.8),
        Phase.JOURNAL: (5.82, 5.85),
        Phase.REST: (5.85, 5.95),
    }
    assert [span.phase for span in found.spans] == [phase for phase in Phase if phase is not Phase.STOP]
    assert (_s(found.stopped_ns), _s(found.serving_ns)) == (5.25, 5.78)
    assert found.unserved_s == pytest.approx(0.53)
    demote = found.of(Phase.DEMOTE)
    assert demote is not None
    assert demote.node == "vttablet-100"
    assert demote.duration_s == pytest.approx(0.24)


def test_an_old_record_has_only_what_its_lines_show() -> None:
    kept = tuple(line for line in CALLS if "WaitForPosition" not in line[2])
    found = only(tuple(line for line in STEPS if line[2] == LOCK), kept)
    assert [span.phase for span in found.spans] == [Phase.DEMOTE, Phase.PROMOTE, Phase.JOURNAL]


def test_a_call_that_never_returned_and_one_that_failed() -> None:
    hung = only(STEPS[:5], tuple(line for line in CALLS if ENDED not in line[2])[:1])
    span = hung.of(Phase.DEMOTE)
    assert span is not None
    assert span.to_ns == 0
    assert span.duration_s == 0
    assert not hung.of(Phase.REST)
    warned = lines([line for line in CALLS if ENDED in line[2]], level="warning")
    (failed,) = phases(history(*lines([line for line in CALLS if ENDED not in line[2]]), *warned))
    span = failed.of(Phase.DEMOTE)
    assert span is not None
    assert span.failed
    assert _s(span.to_ns) == 5.45


def test_an_emergency_reparent() -> None:
    steps: tuple[Line, ...] = (
        (
            5.0,
            "vtctld",
            "locks.go:166] Locking shard ks/-80 for action EmergencyReparentShard with options: {lockType:0}",
        ),
        (5.1, "vtctld", "syslogger.go:133] ks/-80 [reparent <nil> -> <nil>] reading all tablets ()"),
        (5.2, "vtctld", "syslogger.go:133] ks/-80 [reparent <nil> -> <nil>] stop replication on all replicas ()"),
        (5.6, "vtctld", "syslogger.go:133] ks/-80 [reparent <nil> -> <nil>] reparenting all tablets ()"),
        (
            5.9,
            "vtctld",
            "syslogger.go:133] ks/-80 [reparent <nil> -> zone1-0000000101] finished EmergencyReparentShard ()",
        ),
    )
    found = only(steps, CALLS[3:])
    assert [span.phase for span in found.spans] == [
        Phase.LOCK,
        Phase.ELECT,
        Phase.STOP,
        Phase.CATCH_UP,
        Phase.PROMOTE,
        Phase.JOURNAL,
        Phase.REST,
    ]
    assert at(found, Phase.STOP) == (5.2, 5.6)


def test_the_first_primary_of_a_shard_has_nobody_to_demote() -> None:
    found = only((*STEPS[:4], (5.2, "vtctld", STEPS[5][2])))
    assert found.of(Phase.PREPARE) is None
    assert found.of(Phase.ELECT) is not None


def test_lines_belong_to_the_reparent_in_which_they_come_and_to_its_shard() -> None:
    made = builder()
    made.reparent("-80", 8.0, 9.0)
    made.reparent("80-", 5.0, 6.0)
    again = tuple((at_s + 3, node, text) for at_s, node, text in (*STEPS, *CALLS))
    run = dataclasses.replace(history(*lines(STEPS, CALLS, again)), faults=made.build().faults)
    first, other, second = phases(run)
    assert at(first, Phase.DEMOTE) == (5.21, 5.45)
    assert at(second, Phase.DEMOTE) == (8.21, 8.45)
    assert other.reparent.shard == "80-"
    assert not other.spans
    assert other.unserved_s == 0
    assert sum(span.phase is Phase.PROMOTE for span in first.spans) == 1


def test_a_reparent_outside_every_line() -> None:
    late = tuple((at_s - 3, node, text) for at_s, node, text in (*STEPS, *CALLS))
    found = only(late)
    assert not found.spans
    assert found.reparent.begin_ns == ns(5)


def test_what_the_phases_are_read_from_is_kept() -> None:
    for _, _, text in (*STEPS, *CALLS, *TRANSITIONS):
        assert KEPT_TEXTS.search(text), text
    assert not KEPT_TEXTS.search("tabletserver/tx_engine.go:345 TxEngine - called shutdownLocked")
