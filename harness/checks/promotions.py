"""Did buffering end when vtgate had seen the new primaries, and if not, what held it?

The promise behind #17629, per shard and from vtgate's own log: when the last promotion of the keyspace has been seen,
there is nothing to wait for any more. The causes are told apart (harness/facts/promotions.py); the one with which
#17629 was closed, a message that is dropped, has a check of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.checks.results import Finding, offset, passed, per_vtgate, unknown
from harness.facts import promotions
from harness.facts.buffer import settings
from harness.facts.processes import restarted
from harness.facts.promotions import WORDS, Cause, Ended
from harness.facts.storm import trouble
from harness.facts.words import counted, listed, seconds
from harness.history import History
from harness.model import CheckKind, CheckResult, Node, Verdict


@dataclass(frozen=True, slots=True)
class BufferPromotions:
    """Buffering ends with the last promotion of the keyspace, not with a timeout or a later health message."""

    name: str = "buffering/promotions"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _judged(history, node))


@dataclass(frozen=True, slots=True)
class BufferUpdates:
    """No new primary that vtgate's health check has seen is lost on the way to its buffer (#17629).

    One of the causes of buffering/promotions by itself: a watcher that stands still and then goes on has lost nothing,
    and what an old primary says late is no loss either.
    """

    name: str = "buffering/updates"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _lost(history, node))


def _lost(history: History, node: Node) -> Finding:
    blind = _blind(history, node)
    if blind is not None:
        return blind
    late = promotions.late(history, node.name)
    seen = len(promotions.seen(history, node.name))
    causes = promotions.causes_of(history, node.name, late)
    if Cause.DROPPED not in causes.values():
        figures = {"promotions": seen, "held": 0, "dropped": promotions.dropped(history, node.name)}
        return passed(f"None of {counted(seen, 'promotion')} was lost on the way to {node.name}'s buffer.", [], figures)
    longest_s = max(ended.late_s for ended in late)
    shards = listed(dict.fromkeys(ended.shard for ended in late))
    finding = Finding(
        summary=f"{node.name} buffered {shards} for {seconds(longest_s)} too long: {WORDS[Cause.DROPPED]}."
    )
    finding.figures.update(promotions=seen, held=len(late), longest_s=round(longest_s, 3))
    finding.figures["dropped"] = promotions.dropped(history, node.name)
    window = trouble(history)
    for ended in late:
        finding.add(Verdict.FAIL, _line(ended, window[0] if window else history.start_ns))
    return finding


def _blind(history: History, node: Node) -> Finding | None:
    """What leaves nothing to judge by."""
    if not settings(history, node.name).enabled:
        return passed(f"Buffering is off on {node.name}.")
    if restarted(history, node.name):
        return unknown(f"{node.name} ended or restarted: what it knew before is in no log.")
    return None


def _judged(history: History, node: Node) -> Finding:
    blind = _blind(history, node)
    if blind is not None:
        return blind
    ends = promotions.ends(history, node.name)
    late = promotions.late(history, node.name)
    finding = Finding(figures={"ends": len(ends), "late": len(late), "dropped": promotions.dropped(history, node.name)})
    if not late:
        finding.summary = f"Each of {counted(len(ends), 'buffering')} ended when the new primaries had been seen."
        return finding
    causes = promotions.causes_of(history, node.name, late)
    finding.figures.update({f"cause_{cause}": number for cause, number in Counter(causes.values()).items()})
    finding.figures["longest_s"] = round(max(ended.late_s for ended in late), 3)
    window = trouble(history)
    for ended in late:
        finding.add(Verdict.FAIL, _line(ended, window[0] if window else history.start_ns))
    finding.details.extend(f"{shard}: {WORDS[cause]}" for shard, cause in causes.items() if shard)
    finding.symptoms.extend(causes.values())
    finding.summary = _summary(node, late, causes)
    return finding


def _line(ended: Ended, since_ns: int) -> str:
    how = "ran to its maximum duration" if ended.timed_out else "ended"
    return (
        f"{ended.shard}: buffering {how} at {offset(ended.at_ns, since_ns)}, {seconds(ended.late_s)} after vtgate had "
        "seen the last new primary of the keyspace (#17629)"
    )


def _summary(node: Node, late: Sequence[Ended], causes: dict[str, Cause]) -> str:
    shards = listed(dict.fromkeys(ended.shard for ended in late))
    longest = seconds(max(ended.late_s for ended in late))
    because = "; ".join(
        f"{listed(shard for shard, found in causes.items() if found is cause) or node.name}: {WORDS[cause]}"
        for cause in dict.fromkeys(causes.values())
    )
    return f"{node.name} buffered {shards} for up to {longest} after the new primaries were known. {because}."
