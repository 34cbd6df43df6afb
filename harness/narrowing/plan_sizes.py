"""In what a plan can be smaller: each knob with its value, its least value, and the plan in which it has another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from harness.load.config import MIN_ITEM_ROWS
from harness.model import Plan, VtgateSpec

START_S = 8.0  # of a small cluster, and the end of a run: what no plan can save
ROWS_A_SECOND = 50_000  # filled and copied; only to put knobs in order
LEAST_S = 1.0  # of a part of a timeline; what is shorter is left alone
COUNTED = frozenset({"reparents"})  # parameters that are numbers of things, fewer of which are less
LIMITS = ("_within_s",)  # parameters that bound a wait: less of them saves nothing, and breaks what waits
MANY = 4  # values that are tried of one knob, at most

Change = Callable[[Plan, float], Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One way in which a plan can be smaller."""

    name: str
    value: float
    least: float
    change: Change
    whole: bool = True
    unit: str = ""

    def text(self, value: float) -> str:
        return f"{value:g}{self.unit}"

    def smaller(self) -> tuple[float, ...]:
        """Values to try, the smallest first: its runs are the quickest, and where it does there are no others."""
        factor, values = 2.0, _steps(self.least, self.value, 2.0)
        while len(values) > MANY:
            factor *= 2
            values = _steps(self.least, self.value, factor)
        return values


def _steps(least: float, below: float, factor: float) -> tuple[float, ...]:
    found = []
    while least < below:
        found.append(least)
        least *= factor
    return tuple(found)


def knobs(plan: Plan, keep: VtgateSpec | None = None) -> tuple[Knob, ...]:
    """All that can be turned down. `keep`: the vtgate that must stay; None: the first one."""
    return tuple(knob for knob in _knobs(plan, keep) if knob.value > knob.least)


def _knobs(plan: Plan, keep: VtgateSpec | None) -> Iterator[Knob]:
    spec, load = plan.cluster, plan.load
    yield Knob(name="vtgates", value=len(spec.vtgates), least=1, change=lambda p, n: _vtgates(p, n, keep))
    if not spec.further_shards and not any(stream.shards for stream in plan.streams):
        yield Knob(name="shards", value=spec.shards, least=1, change=_shards)
    yield Knob(name="tablets a shard", value=spec.tablets_per_shard, least=_least_tablets(plan), change=_tablets)
    if load is not None:
        yield Knob(name="rate", value=load.rate_per_shard, least=1, change=_rate, unit="/s a shard", whole=False)
        yield Knob(name="connections", value=load.connections_per_shard, least=1, change=_connections)
    if plan.items is not None:
        least = MIN_ITEM_ROWS * spec.shards
        yield Knob(name="rows", value=plan.items.rows, least=least, change=_rows, whole=False)
        yield Knob(name="item tables", value=plan.items.tables, least=1, change=_tables)
    if plan.streams:
        yield Knob(name="streams", value=max(stream.count for stream in plan.streams), least=1, change=_streams)
    if plan.schedule:
        yield Knob(name="schedule", value=span_s(plan), least=LEAST_S, change=_quicker, unit=" s", whole=False)
    yield from _params(plan)


def _least_tablets(plan: Plan) -> int:
    """One more to reparent to or to read from (as `harness.planning` has it), and one that acknowledges: a primary of
    a policy that wants it is not promoted alone ("won't be able to make forward progress", vtctld 24.0.3)."""
    read = any(stream.tablet_type != "primary" for stream in plan.streams)
    return 2 if read or "reparents" in plan.params or plan.cluster.durability_policy != "none" else 1


def _params(plan: Plan) -> Iterator[Knob]:
    for name, value in plan.params.items():
        if name in COUNTED:
            yield Knob(name=name, value=value, least=1, change=_param(name))
        elif name.endswith("_s") and not name.endswith(LIMITS) and not (plan.schedule and name in ("gap_s", "hold_s")):
            yield Knob(name=name, value=value, least=LEAST_S, change=_param(name), unit=" s", whole=False)


def least_of(plan: Plan, keep: VtgateSpec | None = None) -> Plan:
    """Everything at its least at once."""
    for name in [knob.name for knob in knobs(plan, keep)]:
        knob = next((knob for knob in knobs(plan, keep) if knob.name == name), None)
        plan = knob.change(plan, knob.least) if knob is not None else plan
    return plan


# ---------------------------------------------------------------- how large a plan is


def span_s(plan: Plan) -> float:
    """From the beginning of the phase of faults to the end of the last one."""
    return max((each.at_s + each.hold_s for each in plan.schedule), default=0.0)


def size(plan: Plan) -> float:
    """Seconds that it takes times processes that it needs: what a smaller one saves. Only to put plans in order."""
    timed = [knob.value for knob in _params(plan) if knob.name not in COUNTED]
    rows = plan.items.rows * plan.items.tables if plan.items is not None else 0
    seconds = START_S + sum(timed) + span_s(plan) + rows / ROWS_A_SECOND
    tablets = sum(each.shards * each.tablets_per_shard for each in plan.cluster.keyspaces)
    clients = float(sum(stream.count for stream in plan.streams))
    if plan.load is not None:
        clients += plan.cluster.shards * (plan.load.rate_per_shard + plan.load.connections_per_shard) / 100
    return seconds * (2 * tablets + len(plan.cluster.vtgates) * (1 + clients))


def told(plan: Plan) -> Mapping[str, str]:
    """What a reader wants to compare of two plans."""
    found = {knob.name: knob.text(knob.value) for knob in _knobs(plan, None)}
    if plan.schedule:
        found["faults"] = str(len(plan.schedule))
    return found


# ---------------------------------------------------------------- the plans


def _vtgates(plan: Plan, number: float, keep: VtgateSpec | None) -> Plan:
    """The one that must stay, and the first of the others."""
    others = list(plan.cluster.vtgates)
    first = others.pop(others.index(keep) if keep is not None else 0)
    return replace(plan, cluster=replace(plan.cluster, vtgates=(first, *others[: int(number) - 1])))


def _shards(plan: Plan, number: float) -> Plan:
    """What is done to more shards than there are is done to all of them."""
    params = {name: min(value, float(number)) if name in COUNTED else value for name, value in plan.params.items()}
    return replace(plan, cluster=replace(plan.cluster, shards=int(number)), params=params)


def _tablets(plan: Plan, number: float) -> Plan:
    return replace(plan, cluster=replace(plan.cluster, tablets_per_shard=int(number)))


def _rate(plan: Plan, number: float) -> Plan:
    assert plan.load is not None
    return replace(plan, load=replace(plan.load, rate_per_shard=float(number)))


def _connections(plan: Plan, number: float) -> Plan:
    assert plan.load is not None
    return replace(plan, load=replace(plan.load, connections_per_shard=int(number)))


def _rows(plan: Plan, number: float) -> Plan:
    assert plan.items is not None
    return replace(plan, items=replace(plan.items, rows=int(number)))


def _tables(plan: Plan, number: float) -> Plan:
    assert plan.items is not None
    return replace(plan, items=replace(plan.items, tables=int(number)))


def _streams(plan: Plan, number: float) -> Plan:
    return replace(plan, streams=tuple(replace(each, count=min(each.count, int(number))) for each in plan.streams))


def _quicker(plan: Plan, seconds: float) -> Plan:
    """The same faults in the same order, all moments and durations shorter."""
    share = seconds / span_s(plan)
    drawn = (
        replace(each, at_s=round(each.at_s * share, 3), hold_s=round(each.hold_s * share, 3)) for each in plan.schedule
    )
    return replace(plan, schedule=tuple(drawn))


def _param(name: str) -> Change:
    return lambda plan, value: replace(plan, params={**plan.params, name: float(value)})
