"""What shards beside those that serve make of their keyspace's clients: the targets of a Reshard, and its switch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from harness.attribution.buffer_signatures import GAVE_UP, ends_of
from harness.attribution.evidence import of_line
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame, Evidence
from harness.facts import promotions
from harness.facts.buffering import SETTLED_NS, Ending, bufferings
from harness.history import History


@dataclass(frozen=True, slots=True)
class NeverConsistent:
    """A primary of a shard that is not among the keyspace's serving ones says that it serves. vtgate's keyspace event
    watcher takes that for the switch of a Reshard, and tells nobody that a reparent is over (ensureConsistentLocked,
    go/vt/discovery/keyspace_events.go, v0.21 to v0.24)."""

    name: ClassVar[str] = "keyspace-never-consistent"
    title: ClassVar[str] = "buffered for a reparent that was over: shards that a Reshard splits into stand by"
    blame: ClassVar[Blame] = Blame.VITESS
    rank: ClassVar[int] = Rank.DEFECT
    advice: ClassVar[str] = (
        "A defect of vtgate: reparent no shard of a keyspace between the first primary of a Reshard's targets and the "
        "switch of its traffic."
    )

    def claims(self, history: History) -> Iterator[Claim]:
        for node in history.vtgates:
            late = (*promotions.late(history, node.name), *promotions.never_ended(history, node.name))
            for ended in late:
                if standing_by := _standing_by(history, node.name, ended.at_ns):
                    yield Claim(
                        vtgate=node.name,
                        shard=ended.shard,
                        from_ns=ended.needed_ns,
                        to_ns=ended.at_ns,
                        evidence=(*_promotion(history, node.name, ended.needed_ns), *standing_by),
                        errors=GAVE_UP,
                    )


def _promotion(history: History, vtgate: str, at_ns: int) -> list[Evidence]:
    return [of_line(seen.line) for seen in promotions.seen(history, vtgate) if seen.line.at_ns == at_ns]


def _standing_by(history: History, vtgate: str, at_ns: int) -> tuple[Evidence, ...]:
    """The primaries beside those that serve, as the vtgate's health check has them; none when it is a switch that is
    over: then it is the source's primary that no longer serves."""
    cluster, series = history.plan.cluster, history.series.get(vtgate)
    if series is None:
        return ()
    keys = {shard: f"HealthcheckConnections:{cluster.keyspace}.{shard}.primary" for shard in cluster.all_shards}
    serving = {shard: series.number(key, at_ns) for shard, key in keys.items()}
    if not all(serving[shard] for shard in cluster.shard_names):
        return ()
    return tuple(
        Evidence(source=f"samples-{vtgate}.jsonl", subject=vtgate, at_ns=at_ns, text=f"{keys[shard]} is 1")
        for shard in cluster.further_shards
        if serving[shard]
    )


@dataclass(frozen=True, slots=True)
class TriedAgain:
    """An autocommit write that was buffered while its shard was split is tried again on the new shard. Its session has
    spent its one autocommit on the first try: the second opens a transaction, which the session refuses, and nobody
    ends (ExecutePrimitive in vcursor_impl.go, AppendOrUpdate in safe_session.go, v0.21 to v0.24)."""

    name: ClassVar[str] = "resharded-autocommit"
    title: ClassVar[str] = "an autocommit write that had waited for a Reshard was refused by its own session"
    blame: ClassVar[Blame] = Blame.VITESS
    rank: ClassVar[int] = Rank.REFUSED
    advice: ClassVar[str] = "A defect of vtgate: write in transactions (BEGIN … COMMIT) while a Reshard is switched."

    def claims(self, history: History) -> Iterator[Claim]:
        for stretch in bufferings(history):
            if stretch.ending is Ending.RESHARDED:
                yield Claim(
                    vtgate=stretch.vtgate,
                    shard="",  # the lane's shard is one that serves by the plan, the buffer's one that served then
                    from_ns=stretch.to_ns - SETTLED_NS,
                    to_ns=stretch.to_ns + SETTLED_NS,
                    evidence=ends_of(stretch),
                    waits=False,
                    errors=frozenset({"autocommit-spent"}),
                )


RESHARDS: tuple[Signature, ...] = (NeverConsistent(), TriedAgain())
