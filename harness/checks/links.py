"""What a faulty link costs, and whom.

Vitess promises nothing about a network that loses packets. What an operator relies on all the same: who does not need
the link notices nothing, and who needs it is served soon after it is whole. What it costs in between is reported, and
judged by the bounds that the experiment sets (parameters): `errors_at_most`, `stall_at_most_s`, `p50_at_most_ms`
(none of them = not judged), `again_within_s`, `bystanders_stall_s`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.checks.results import Finding, failed, passed, per_vtgate, unknown
from harness.facts.affected import class_of_each, erroneous
from harness.facts.links import lanes_by_touch, window
from harness.facts.service import longest_stall
from harness.facts.storm import SECOND_NS, seconds_between
from harness.facts.words import counted, listed, seconds
from harness.history import History, Ops
from harness.model import CheckKind, CheckResult, Lane, Node, Outcome

AGAIN_WITHIN_S = 5.0
BYSTANDERS_STALL_S = 2.0
MILLISECOND_NS = 1e6


@dataclass(frozen=True, slots=True)
class LinkBystanders:
    """Clients whose operations do not need the faulty link see no error and no stall."""

    name: str = "links/bystanders"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _bystanders(history, node))


@dataclass(frozen=True, slots=True)
class LinkCost:
    """What clients pay whose operations need the faulty link, while it is faulty."""

    name: str = "links/cost"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _cost(history, node))


@dataclass(frozen=True, slots=True)
class LinkServedAgain:
    """Soon after the link is whole again every client is served."""

    name: str = "links/served-again"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _again(history, node))


def _bystanders(history: History, node: Node) -> Finding:
    _, others = lanes_by_touch(history, node.name)
    when = window(history)
    since_ns = when[0] if when else history.start_ns
    if not others:
        return passed(f"All clients of {node.name} needed the faulty link.")
    ops = _since(history, others, since_ns)
    if not len(ops):
        return unknown(f"No client of {node.name} that does not need the link did anything.")
    bound_s = history.plan.params.get("bystanders_stall_s", BYSTANDERS_STALL_S)
    bad = erroneous(ops)
    stalls = _stalls(history, others, since_ns)
    worst = max(stalls, key=lambda shard: stalls[shard])
    figures: dict[str, str | int | float] = {
        "operations": len(ops),
        "errors": len(bad),
        "stall_s": round(stalls[worst], 3),
    }
    if len(bad):
        return failed(
            f"{counted(len(bad), 'error')} where no link was faulty: {_kinds(history, bad)}.", (), figures, ["errors"]
        )
    if stalls[worst] > bound_s:
        return failed(
            f"{worst} stood still for {seconds(stalls[worst])}, and none of its links was faulty.",
            (),
            figures,
            ["a wait"],
        )
    return passed(f"{counted(len(ops), 'operation')} without the link: no error, no wait.", figures=figures)


def _cost(history: History, node: Node) -> Finding:
    hit, _ = lanes_by_touch(history, node.name)
    when = window(history)
    if not hit or when is None:
        return passed(f"No client of {node.name} needed a faulty link.")
    ops = history.ops_of(hit)
    before = ops[(ops["done_ns"] < when[0])]
    during = ops[(ops["intended_ns"] >= when[0]) & (ops["intended_ns"] < when[1])]
    if not len(during):
        return unknown(f"No client of {node.name} did anything while its link was faulty.")
    bad = erroneous(during)
    stalls = _stalls(history, hit, when[0])
    figures: dict[str, str | int | float] = {
        "operations": len(during),
        "errors": len(bad),
        "not_issued": int(np.count_nonzero(during["outcome"] == Outcome.NOT_ISSUED)),
        "stall_s": round(max(stalls.values()), 3),
        "lasted_s": round(seconds_between(*when), 3),
        **{f"p{share}_before_ms": _latency_ms(before, share) for share in (50, 99)},
        **{f"p{share}_ms": _latency_ms(during, share) for share in (50, 99)},
    }
    wrong = {
        name: f"{name} {figures[figure]:g}, at most {bound:g}"
        for name, figure, bound in (
            ("errors", "errors", history.plan.params.get("errors_at_most")),
            ("stall (s)", "stall_s", history.plan.params.get("stall_at_most_s")),
            ("median (ms)", "p50_ms", history.plan.params.get("p50_at_most_ms")),
        )
        if bound is not None and not float(figures[figure]) <= bound
    }
    details = [f"errors: {_kinds(history, bad)}"] if len(bad) else []
    story = (
        f"{counted(len(bad), 'error')} of {counted(len(during), 'operation')}, "
        f"the longest stall {seconds(max(stalls.values()))}, "
        f"median {figures['p50_before_ms']} ms before, {figures['p50_ms']} ms meanwhile"
    )
    if wrong:
        return failed(f"{story}: {listed(wrong.values())}.", details, figures, wrong)
    return passed(f"{story}.", details, figures)


def _again(history: History, node: Node) -> Finding:
    hit, _ = lanes_by_touch(history, node.name)
    when = window(history)
    if not hit or when is None:
        return passed(f"No client of {node.name} needed a faulty link.")
    bound_s = history.plan.params.get("again_within_s", AGAIN_WITHIN_S)
    waits = {lane.shard: _first_success_s(history.ops_of((lane,)), when[1]) for lane in hit}
    worst = max(waits, key=lambda shard: waits[shard])
    figures: dict[str, str | int | float] = {"again_s": round(waits[worst], 3) if waits[worst] < np.inf else "never"}
    if waits[worst] > bound_s:
        said = seconds(waits[worst]) if waits[worst] < np.inf else "the rest of the run"
        return failed(f"{worst} was not served for {said} after its links were whole again.", (), figures)
    return passed(f"Served again {seconds(waits[worst])} after the links were whole.", figures=figures)


def _since(history: History, lanes: Sequence[Lane], since_ns: int) -> Ops:
    ops = history.ops_of(lanes)
    found: Ops = ops[ops["done_ns"] >= since_ns]
    return found


def _stalls(history: History, lanes: Sequence[Lane], since_ns: int) -> dict[str, float]:
    """Shard → seconds."""
    return {lane.shard: longest_stall(history.ops_of((lane,)), since_ns)[0] / SECOND_NS for lane in lanes}


def _first_success_s(ops: Ops, since_ns: int) -> float:
    ok = ops[(ops["outcome"] == Outcome.OK) & (ops["done_ns"] >= since_ns)]
    return seconds_between(since_ns, int(ok["done_ns"].min())) if len(ok) else float("inf")


def _latency_ms(ops: Ops, share: int) -> float:
    ok = ops[ops["outcome"] == Outcome.OK]
    if not len(ok):
        return 0.0
    return round(float(np.percentile(ok["done_ns"] - ok["intended_ns"], share)) / MILLISECOND_NS, 1)


def _kinds(history: History, bad: Ops) -> str:
    return listed(dict.fromkeys(class_of_each(history, bad).tolist()), 3)
