"""When a fault lay on the way of a shard's clients, as the charts show it: overlapping faults are one stretch, so that
no shade is darker than another. Each fault by itself has a bar of its own in the chart of faults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.attribution.reach import lanes_of, nodes_hit
from harness.facts.links import LINKS
from harness.facts.storm import REPARENTS
from harness.history import History
from harness.model import FaultSpan

Stretch = tuple[int, int]  # from, to


def begun(history: History) -> list[FaultSpan]:
    return [span for span in history.faults if span.begin_ns]


def end_ns(history: History, span: FaultSpan) -> int:
    """Healed, returned or failed; what never came to an end lasts to the end of the run."""
    one_shot = 0 if span.recover_ns else span.active_ns
    return span.healed_ns or one_shot or int(span.details.get("failed_ns", 0)) or history.end_ns


def all_stretches(history: History) -> list[Stretch]:
    """When any fault was in force, whomever it hit."""
    return merged((span.begin_ns, end_ns(history, span)) for span in begun(history))


def stretches_by_shard(history: History, vtgate: str = "") -> dict[str, list[Stretch]]:
    """When one lay on the way of each shard's clients, through any vtgate or through this one."""
    shards = list(dict.fromkeys(lane.shard for lane in history.lanes))
    found: dict[str, list[Stretch]] = {shard: [] for shard in shards}
    for span in begun(history):
        for shard in _shards_of(history, span, shards, vtgate):
            found[shard].append((span.begin_ns, end_ns(history, span)))
    return {shard: merged(each) for shard, each in found.items()}


def _shards_of(history: History, span: FaultSpan, shards: Sequence[str], vtgate: str) -> list[str]:
    """What names no shard and none of the cluster's processes is done to all of it."""
    lanes = lanes_of(history, span)
    if not lanes and LINKS not in span.details and not nodes_hit(history, span):
        return list(shards)
    through = {shard for name, shard in lanes if not vtgate or name in ("", vtgate)}
    return [shard for shard in shards if through & {"", shard}]


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    for from_ns, to_ns in sorted(stretches):
        if found and from_ns <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], to_ns)
        else:
            found.append((from_ns, to_ns))
    return found


def only_reparents(history: History) -> bool:
    return all(span.fault in REPARENTS for span in begun(history))
