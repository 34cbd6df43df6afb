"""What is nobody's doing in the cluster: the machine had nothing left to run on, or the instrument stood still.

A busy core is no starved host: it is one only where a limit of `assumptions/host` does not hold (`facts.host_limits`).
Then every moment without a free core is the host's, whatever else went on, and what it made slow is kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.attribution.fault_signatures import GONE
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame, Evidence
from harness.facts.host_limits import fitness, host_limits, saturated
from harness.facts.storm import SECOND_NS, seconds_between
from harness.facts.words import seconds
from harness.history import History, Series
from harness.model import Lane

HOST = "host"
LAG_MS = 250.0  # half of the shortest wait that counts: a shorter pause is the greater part of none
# Of a quarter of a second. Operations of 0.5 to 0.8 s that nothing else held had waited at 0.75 to 1.0, with three and
# four clusters on two cores; what is left of them without it is less than what counts as a wait.
BUSY_SHARE = 0.7
SAMPLE_NS = SECOND_NS // 4  # a sample of a worker, or of the host, is about so much of time
# Of a process that comes late; a server that says it is read-only, or a table that is denied, is not. vtgate's two
# views of a reparent contradict each other for as long as one of them is late.
LATE = GONE | frozenset({"buffer-full", "buffer-evicted", "inconsistent-state"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStarved:
    """Stretches without a free core, in a run whose host was not up to it."""

    name: str = "host-starved"
    title: str = "the host had no free core"
    blame: Blame = Blame.HOST
    rank: int = Rank.HOST
    advice: str = (
        "fewer shards at a time, or more cores: what waited while the host was starved says nothing about Vitess"
    )

    def claims(self, history: History) -> Iterator[Claim]:
        series = history.series.get(HOST)
        fit = fitness(history, host_limits())
        if series is None or fit is None or not fit.broken:
            return
        for from_ns, to_ns in saturated(series):
            text = f"a task waited for a core all the time, for {seconds(seconds_between(from_ns, to_ns))}"
            seen = Evidence(source="samples-host.jsonl", subject=HOST, at_ns=from_ns, text=text)
            judged = Evidence(source="samples-host.jsonl", subject=HOST, at_ns=from_ns, text=fit.broken[0])
            yield Claim(vtgate="", shard="", from_ns=from_ns, to_ns=to_ns, evidence=(seen, judged), errors=LATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFreeCore:
    """The same in a run whose host was up to it as a whole: only of moments that nothing else explains."""

    name: str = "no-free-core"
    title: str = "nothing else held it, and the host had no free core"
    blame: Blame = Blame.HOST
    rank: int = Rank.NOTHING_ELSE
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        series = history.series.get(HOST)
        for from_ns, to_ns in saturated(series, BUSY_SHARE, SAMPLE_NS) if series is not None else ():
            took = seconds(seconds_between(from_ns, to_ns))
            text = f"a task waited for a core at least {BUSY_SHARE:.0%} of the time, for {took}"
            seen = Evidence(source="samples-host.jsonl", subject=HOST, at_ns=from_ns, text=text)
            yield Claim(vtgate="", shard="", from_ns=from_ns, to_ns=to_ns, evidence=(seen,), explains_errors=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessPaused:
    """A load worker's loop came late: what it saw late may have been answered in time."""

    name: str = "harness-paused"
    title: str = "the load worker itself stood still"
    blame: Blame = Blame.HARNESS
    rank: int = Rank.INSTRUMENT
    advice: str = "more load workers, or a lower rate"

    def claims(self, history: History) -> Iterator[Claim]:
        for worker in sorted({lane.worker for lane in history.lanes}):
            lanes = [lane for lane in history.lanes if lane.worker == worker]
            series = history.series.get(f"load-{worker}")
            if series is not None:
                yield from _pauses(series, worker, lanes)


def _pauses(series: Series, worker: int, lanes: list[Lane]) -> Iterator[Claim]:
    for sample in series.samples:
        lag_ms = max(_number(sample.values.get(key)) for key in ("loop_lag_max_ms", "schedule_lag_max_ms"))
        if lag_ms < LAG_MS:
            continue
        seen = Evidence(
            source=f"samples-load-{worker}.jsonl",
            subject=f"load-{worker}",
            at_ns=sample.at_ns,
            text=f"load worker {worker} came {lag_ms:.0f} ms late",
        )
        for vtgate, shard in sorted({(lane.vtgate, lane.shard) for lane in lanes}):
            yield Claim(
                vtgate=vtgate,
                shard=shard,
                from_ns=sample.at_ns - SAMPLE_NS - round(lag_ms * 1e6),
                to_ns=sample.at_ns,
                evidence=(seen,),
                errors=frozenset({"not-issued", "client-timeout"}),
            )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


HOSTS: tuple[Signature, ...] = (HostStarved(), NoFreeCore(), HarnessPaused())
