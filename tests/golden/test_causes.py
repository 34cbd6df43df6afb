"""Recorded runs of which the causes are known: at least 99 of 100 affected operations have the right one.

What is right is told here from who was reparented, and when, and from what the clients saw: not from claims.

- own-reparent: one shard alone is reparented.
- keyspace-held: a transaction holds the demotion of one shard; the other shard's reparent is over long before.
- storm-one-held: 32 shards at once, and a transaction holds the demotion of the first: keyspace-wide consistency.
- window-shorter: a transaction holds the demotion of the only shard that is reparented beyond the window of 2 s.
- starved-host: 32 shards at once on two cores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.attribution import SIGNATURES, attributed, causes_of
from harness.attribution.join import NOBODY
from harness.causes import UNEXPLAINED, Blame
from harness.facts.affected import total
from harness.facts.storm import Reparent, reparents, reparents_of_shards
from harness.history import History, load
from harness.model import Outcome
from tests.golden.record import FOLDER, unpack

RIGHT = 0.99
SETTLED_NS = 1_500_000_000  # a vtgate hears of a new primary, and its clients of their answers, a little later
WINDOW_NS = 2_000_000_000
SAMPLES_APART_NS = 300_000_000  # vtgate is sampled every 250 ms
Op = tuple[str, int, int, int]  # shard, intended, done, outcome
Truth = Callable[[History, Op], str]


def own_reparent(history: History, op: Op) -> str:
    """Nothing else is done to the cluster."""
    shard, from_ns, to_ns, _ = op
    return "own-reparent" if _during(_only(history, shard), from_ns, to_ns) else UNEXPLAINED


def keyspace_held(history: History, op: Op) -> str:
    """Of the quick shard, the rest of its wait is for the slow one; whichever is longer."""
    shard, from_ns, to_ns, _ = op
    own = _only(history, shard)
    slowest = max(reparents(history), key=lambda call: call.duration_s)
    if own is None or own == slowest:
        return own_reparent(history, op)
    for_own = min(to_ns, own.end_ns) - max(from_ns, own.begin_ns)
    for_others = to_ns - max(from_ns, own.end_ns)
    return "keyspace-wide-consistency" if for_others > for_own else "own-reparent"


def storm_one_held(history: History, op: Op) -> str:
    """A wait is for the shard's own reparent until vtgate counts its promotion, then for the others until the last one
    is over, then for the clients that waited too; whichever is longest. Where two are equally long but for the time
    between two samples, what is named of them is right. Who fails is told why."""
    shard, from_ns, to_ns, outcome = op
    if outcome == Outcome.FAIL:
        return "inconsistent-state"
    known_ns, over_ns = _promotion_known_ns(history, shard), max(call.end_ns for call in reparents(history))
    parts = {
        "own-reparent": min(to_ns, known_ns) - from_ns,
        "keyspace-wide-consistency": min(to_ns, over_ns) - max(from_ns, known_ns),
        "backlog draining": to_ns - max(from_ns, over_ns),
    }
    longest = max(parts.values())
    return " ".join(name for name, length in parts.items() if longest - length < SAMPLES_APART_NS)


def _promotion_known_ns(history: History, shard: str) -> int:
    """From the counter that vtgate keeps, not from its log."""
    own = _only(history, shard)
    assert own is not None
    rises = history.series["vtgate-1"].rises(f"HealthcheckPrimaryPromoted:ks.{shard}", own.begin_ns)
    return min([own.end_ns, *(seen_ns for _, seen_ns, _ in rises)])


def window_shorter(history: History, op: Op) -> str:
    """Who fails was in the buffer for its whole window."""
    _, from_ns, to_ns, outcome = op
    if outcome in (Outcome.FAIL, Outcome.UNKNOWN):
        return "window-shorter-than-reparent" if to_ns - from_ns >= WINDOW_NS else UNEXPLAINED
    return own_reparent(history, op)


def starved_host(history: History, op: Op) -> str:
    """Two cores, 130 processes, and every moment of the storm somebody waits for a core."""
    return "host-starved"


def _only(history: History, shard: str) -> Reparent | None:
    calls = reparents_of_shards(history).get(shard, ())
    assert len(calls) <= 1
    return calls[0] if calls else None


def _during(call: Reparent | None, from_ns: int, to_ns: int) -> bool:
    return call is not None and from_ns < call.end_ns + SETTLED_NS and to_ns > call.begin_ns


RUNS: dict[str, Truth] = {
    "own-reparent": own_reparent,
    "keyspace-held": keyspace_held,
    "storm-one-held": storm_one_held,
    "window-shorter": window_shorter,
    "starved-host": starved_host,
}


def golden(name: str, folder: Path) -> History:
    return load(unpack(FOLDER / f"{name}.tar.zst", folder))


@pytest.mark.parametrize("name", RUNS)
def test_the_right_cause_is_named(name: str, tmp_path: Path) -> None:
    history = golden(name, tmp_path)
    found = list(named(history))
    wrong = Counter((said, truth) for op, said in found if said not in (truth := RUNS[name](history, op)).split())
    assert len(found) == total(history) > 0
    assert 1 - wrong.total() / len(found) >= RIGHT, wrong


def named(history: History) -> list[tuple[Op, str]]:
    """Every affected operation and its cause."""
    found = []
    for part in causes_of(history):
        for index, cause in zip(part.affected.index.tolist(), part.cause.tolist(), strict=True):
            op = history.ops[index]
            told = (part.affected.where, int(op["intended_ns"]), int(op["done_ns"]), int(op["outcome"]))
            found.append((told, SIGNATURES[cause].name if cause != NOBODY else UNEXPLAINED))
    return found


def test_a_starved_host_is_never_vitess_fault(tmp_path: Path) -> None:
    rows = attributed(golden("starved-host", tmp_path))
    assert {row.blame for row in rows} <= {Blame.HOST, Blame.NOBODY}
    host = next(row for row in rows if row.blame is Blame.HOST)
    assert host.through["inconsistent-state"] > 0  # a defect, on a host that keeps up
    assert host.through["own-reparent"] > 0
    assert host.through["keyspace-wide-consistency"] > 0


@pytest.mark.parametrize("name", RUNS)
def test_every_cause_has_evidence_and_the_rows_hold_every_operation(name: str, tmp_path: Path) -> None:
    history = golden(name, tmp_path)
    rows = attributed(history)
    assert all(row.evidence for row in rows)
    assert sum(row.operations for row in rows) == total(history)
