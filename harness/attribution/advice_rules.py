"""The rules of advice: one function a knob, from runs that count to a value with its margin and its reasons."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.attribution.advice_asked import DEFAULT_WINDOW_S, FEW_STORMS, LEAST_S, Asked
from harness.attribution.advice_values import (
    DRAIN,
    MAX_DURATION,
    MIN_BETWEEN,
    SHARDS_AT_ONCE,
    SIZE,
    WINDOW,
    Advice,
    Measured,
)
from harness.facts.buffer import BufferSettings
from harness.facts.notice import STALL_S, Notice
from harness.facts.outages import Spread
from harness.facts.words import counted, seconds

DEFAULT_SIZE = 1000
DEFAULT_BETWEEN_S = 60
MANY = 8  # from so many figures on a quartile says something that median and longest do not
DRAINED_WITHIN_S = 0.5  # what draining may add to a client's wait
MOST_DRAINED = 16  # --queryserver-config-pool-size's default (tabletenv/config.go v0.24.3): more than that wait again


_RULES: Mapping[str, str] = {
    WINDOW: (
        "a request waits at most so long, and the first one waits as long as its shard is held: the longest that a "
        "shard was held, with a margin, in whole seconds"
    ),
    MAX_DURATION: (
        "twice the window: who comes when a failover has already taken a whole window can still wait a whole window; "
        "Vitess's own defaults stand in the same relation"
    ),
    SIZE: (
        "one place for each request that arrives within the window, in all shards that are held together (the size is "
        "of the whole vtgate), and at most one for each connection of a client"
    ),
    MIN_BETWEEN: (
        "longer than the errors of a failover that is over may still come in, and at most half of the shortest time "
        "between two failovers of one shard: what comes sooner is not buffered at all"
    ),
    DRAIN: (
        "so many at a time that what one shard can have in the buffer is sent on within "
        f"{DRAINED_WITHIN_S:g} s, which clients wait in addition"
    ),
    SHARDS_AT_ONCE: (
        f"the most with which no client noticed: no error, and no shard without an answer for more than {STALL_S:g} s"
    ),
}


def now(knob: str, buffer: BufferSettings) -> str:
    values = {
        WINDOW: _duration(buffer.window_s),
        MAX_DURATION: _duration(buffer.max_failover_duration_s),
        SIZE: str(buffer.size),
        MIN_BETWEEN: _duration(buffer.min_time_between_failovers_s),
        DRAIN: str(buffer.drain_concurrency),
    }
    return values.get(knob, "")


def _duration(value_s: float) -> str:
    return f"{value_s:g}s"


def _window(asked: Asked) -> Advice:
    more = []
    if asked.needless:
        more.append(
            f"how long {counted(asked.needless, 'hold')} would have lasted that ran into --{MAX_DURATION} or outlasted "
            "the reparents: the storm's length stands for them: no window helps against a vtgate that learns too late"
        )
    if not asked.held_s:
        more.append("how long a shard is held: nothing was buffered, so the storm's length stands for it")
    failed = sum(run.needs.failed for run in asked.runs)
    if failed:
        more.append(f"{counted(failed, 'reparent')} failed or never returned; their length is not in it")
    return Advice(
        knob=WINDOW,
        value=_duration(asked.window_s),
        now=now(WINDOW, asked.now),
        rule=_RULES[WINDOW],
        margin=_factor_words(asked),
        measured=_times(asked),
        unknown=(
            "how long your clients wait before they give up: a longer window only keeps what nobody waits for",
            *more,
            *asked.unknown,
        ),
    )


def _factor_words(asked: Asked) -> str:
    storms = len(asked.storms)
    floor = (
        f", and with fewer than {FEW_STORMS} storms not below Vitess's default of {DEFAULT_WINDOW_S} s: too long a "
        "window costs patience, too short a one costs errors"
    )
    longer = 1 / (storms + 1)
    return (
        f"{asked.factor:g} times the longest: after n storms the next one is longer than all of them with probability "
        f"1/(n + 1), here {longer:.0%} (shards of one storm are one observation){floor if asked.few else ''}"
    )


def _times(asked: Asked) -> tuple[Measured, ...]:
    own = [own for storm in asked.storms for own in storm.own_s]
    named = (
        ("a shard was held by vtgate", asked.held_s),
        ("a shard's own reparent took", own),
        (f"a storm of up to {counted(asked.shards, 'shard')} took", [storm.lasted_s for storm in asked.storms]),
    )
    return tuple(found for what, values in named if (found := _measured(what, values)))


def _measured(what: str, values_s: Sequence[float]) -> Measured | None:
    found = Spread.of(values_s)
    if found is None:
        return None
    figures = {"n": found.n, "median_s": round(found.median, 3), "longest_s": round(found.most, 3)}
    return Measured(what=what, words=_spread_words(found), figures=figures)


def _spread_words(found: Spread) -> str:
    """median 3.1 s, three quarters within 4.8 s, longest 5.2 s (n = 32)"""
    middle = f"median {seconds(found.median)}, " if found.n > 1 else ""
    tail = f"three quarters within {seconds(found.upper)}, " if found.n >= MANY else ""
    return f"{middle}{tail}longest {seconds(found.most)} (n = {found.n})"


def _max_duration(asked: Asked) -> Advice:
    return Advice(
        knob=MAX_DURATION,
        value=_duration(2 * asked.window_s),
        now=now(MAX_DURATION, asked.now),
        rule=_RULES[MAX_DURATION],
        margin="the window's own",
        measured=_times(asked),
        unknown=(
            "failovers that need an operator: while one lasts, every request waits a whole window before it fails",
            *asked.unknown,
        ),
    )


def _size(asked: Asked) -> Advice:
    most = max(run.needs.at_once for run in asked.runs)
    refused = sum(run.needs.refused for run in asked.runs)
    rate = max(run.needs.rate for run in asked.runs)
    connections = max(run.needs.connections for run in asked.runs)
    told = Advice(knob=SIZE, now=now(SIZE, asked.now), rule=_RULES[SIZE])
    if not rate:
        return _without(told, "the clients asked for nothing, so nothing can be said of what they would fill")
    places = asked.waiting * asked.shards
    value = max(DEFAULT_SIZE, math.ceil(2 * max(places, most) / 100) * 100)
    of_connections = f", {connections} connections" if connections else ""
    return Advice(
        knob=SIZE,
        value=str(value),
        now=told.now,
        rule=told.rule,
        margin=(
            f"twice that, and never below Vitess's default of {DEFAULT_SIZE:,}: a place that nobody needs costs "
            "nothing (a semaphore), and a full buffer puts requests out with an error"
        ),
        measured=(
            Measured(
                what="requests in a vtgate's buffer at once",
                words=f"at most {most:,}" + (f"; {refused:,} found it full" if refused else ""),
                figures={"most": most, "refused": refused},
            ),
            Measured(
                what="a shard's clients through one vtgate",
                words=f"{rate:.1f} requests/s{of_connections}",
                figures={"rate": round(rate, 2), "connections": connections},
            ),
            Measured(
                what="places that a window needs",
                words=f"{asked.waiting:,} for a shard, {places:,} for {counted(asked.shards, 'shard')} together",
                figures={"shard": asked.waiting, "all": places},
            ),
        ),
        unknown=("your own clients' rate and connections: put them into the rule", *asked.unknown),
    )


def _without(told: Advice, why: str, measured: tuple[Measured, ...] = (), unknown: tuple[str, ...] = ()) -> Advice:
    return Advice(knob=told.knob, now=told.now, rule=told.rule, measured=measured, unknown=unknown, why_not=why)


def _min_between(asked: Asked) -> Advice:
    gaps = [gap for run in asked.runs for gap in run.needs.gaps_s]
    late = [late for run in asked.runs for late in run.needs.late_s]
    told = Advice(knob=MIN_BETWEEN, now=now(MIN_BETWEEN, asked.now), rule=_RULES[MIN_BETWEEN])
    named = (("between two failovers of one shard", gaps), ("late errors after buffering had ended", late))
    measured = tuple(found for what, values in named if (found := _measured(what, values)))
    if not gaps:
        why = "no shard was reparented twice; how soon the next failover follows is yours to know: at most half of it"
        return _without(told, why, measured, asked.unknown)
    shortest, settled = min(gaps), max(late, default=0.0)
    value = min(DEFAULT_BETWEEN_S, math.floor(shortest / 2))
    if value < LEAST_S or value <= settled:
        return _without(
            told,
            f"the next failover came {seconds(shortest)} after the last one, and half of that must be at least "
            f"{LEAST_S} s and longer than late errors come in ({seconds(settled)}): leave more time between them",
            measured,
            asked.unknown,
        )
    return Advice(
        knob=MIN_BETWEEN,
        value=_duration(value),
        now=told.now,
        rule=told.rule,
        margin="half of the shortest: the next failover may follow sooner than it did here",
        measured=measured,
        unknown=(
            "late errors that come later than any did here would start buffering that no promotion ends",
            *asked.unknown,
        ),
    )


def _drain(asked: Asked) -> Advice:
    drains = [drain for run in asked.runs for drain in run.needs.drains]
    told = Advice(knob=DRAIN, now=now(DRAIN, asked.now), rule=_RULES[DRAIN])
    took, each = Spread.of(drain.took_s for drain in drains), Spread.of(drain.each_s for drain in drains)
    if took is None or each is None:
        return _without(told, "no drain is on record (vtgate logs its end; nothing was buffered, or it was not kept)")
    value = max(1, math.ceil(asked.waiting * each.most / DRAINED_WITHIN_S))
    most = max(drain.requests for drain in drains)
    return Advice(
        knob=DRAIN,
        value=str(min(value, MOST_DRAINED)),
        now=told.now,
        rule=told.rule,
        margin=(
            f"reckoned with the slowest drain, and at most {MOST_DRAINED}: a vttablet has so "
            "many connections for them (--queryserver-config-pool-size)"
        ),
        measured=(
            Measured(
                what="draining a shard took",
                words=f"{_spread_words(took)}, of at most {counted(most, 'request')}",
                figures={"n": took.n, "longest_s": round(took.most, 4), "requests": most},
            ),
            Measured(
                what="of it, one request",
                words=f"median {each.median * 1000:.1f} ms, at worst {each.most * 1000:.1f} ms (n = {each.n})",
                figures={"median_ms": round(each.median * 1000, 2), "most_ms": round(each.most * 1000, 2)},
            ),
            Measured(
                what="waiting for a shard after a whole window",
                words=counted(asked.waiting, "request"),
                figures={"requests": asked.waiting},
            ),
        ),
        unknown=(
            "several vtgates drain into one vttablet at the same time: they share its connections",
            *asked.unknown,
        ),
    )


def _shards_at_once(asked: Asked) -> Advice:
    told = Advice(knob=SHARDS_AT_ONCE, now="", rule=_RULES[SHARDS_AT_ONCE])
    tried = sorted(
        ((run.needs.at_once_shards, run.notice) for run in asked.runs if run.notice is not None),
        key=lambda one: (one[0], one[1].stall_s),
    )
    measured = tuple(
        Measured(
            what=f"{counted(shards, 'shard')} at once",
            words=_felt(felt),
            figures={"shards": shards, "stall_s": round(felt.stall_s, 3), "errors": felt.errors},
        )
        for shards, felt in tried
    )
    noticed = [shards for shards, felt in tried if felt.beyond()]
    below = [shards for shards, _ in tried if shards < min(noticed, default=math.inf)]
    if not tried:
        return _without(told, "the runs had no clients that could notice, or a vtgate without a buffer")
    if not below:
        why = f"clients noticed the smallest number that was tried ({min(noticed)}); `vtchaos sweep` tries smaller ones"
        return _without(told, why, measured, asked.unknown)
    upper = f"clients noticed {min(noticed)}" if noticed else "more than that were not tried"
    return Advice(
        knob=SHARDS_AT_ONCE,
        value=str(max(below)),
        now="",
        rule=told.rule,
        margin=f"none: {upper}; `vtchaos sweep EXPERIMENT --shards 1..32` finds where it begins, with its uncertainty",
        measured=measured,
        unknown=("a bigger or busier machine: the number is that of this one", *asked.unknown),
    )


def _felt(felt: Notice) -> str:
    lost = f"{counted(felt.errors, 'error')}, " if felt.errors else ""
    return f"{lost}longest stall {seconds(felt.stall_s)}: " + ("noticed" if felt.beyond() else "nobody noticed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """What can be turned, and how advice on it is made."""

    name: str
    rule: str
    advise: Callable[[Asked], Advice]


KNOBS: tuple[Knob, ...] = (
    Knob(name=WINDOW, rule=_RULES[WINDOW], advise=_window),
    Knob(name=MAX_DURATION, rule=_RULES[MAX_DURATION], advise=_max_duration),
    Knob(name=SIZE, rule=_RULES[SIZE], advise=_size),
    Knob(name=MIN_BETWEEN, rule=_RULES[MIN_BETWEEN], advise=_min_between),
    Knob(name=DRAIN, rule=_RULES[DRAIN], advise=_drain),
    Knob(name=SHARDS_AT_ONCE, rule=_RULES[SHARDS_AT_ONCE], advise=_shards_at_once),
)
