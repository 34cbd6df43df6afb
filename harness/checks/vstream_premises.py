"""Was there anything to see? The premises of a run with streams."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.checks.results import Finding, passed, unknown
from harness.facts import workflows
from harness.facts.cycles import StreamCopy, stream_copies
from harness.facts.streams import Stream, failed, streams, vttablet_growths
from harness.facts.words import counted, listed
from harness.history import History, TableRead
from harness.items import INSERTED, TABLE_BITS, ItemsSpec, seeded_rows
from harness.model import OpKind, Outcome, Scalar, Workload
from harness.streams import EventType

# ---------------------------------------------------------------- the cuts


def judge_cut(history: History) -> Finding:
    """Parameter `cuts`: how often each stream's copy must have been cut at least; 0 = never; absent = it does not
    matter. Accounts: the client's (a copy that begins again within an attempt, or an attempt that errno 3024 ended),
    and the vttablets' (`VStreamerErrors` StreamRows: every copy that did not come to its end)."""
    if not history.plan.streams and not history.streams:
        return passed("No streams were planned.")
    copies = stream_copies(history)
    tablets = tablet_cuts(history)
    cuts = {copy.lane.name: copy.cuts for copy in copies}
    figures: dict[str, Scalar] = {
        "cycles": sum(len(copy.item_cycles) for copy in copies),
        "cuts_seen": sum(cuts.values()),
        "fewest_cuts": min(cuts.values(), default=0),
    }
    if tablets is not None:
        figures["cuts_of_tablets"] = int(tablets)
    copied = _growth(history, "VStreamerPhaseTiming:copy.count")
    if copied is not None:
        figures["copies_of_tablets"] = int(copied)  # also of the mark table; ended ones only
    wanted = history.plan.params.get("cuts")
    if wanted is None:
        return passed(f"The copy was cut {counted(_cut_times(history, figures), 'time')}.", figures=figures)
    if wanted == 0:
        return _never(cuts, tablets if _undisturbed(history) else None, figures)
    few = [copy for copy in copies if cuts[copy.lane.name] < wanted and not _kept_from_beginning(copy, tablets)]
    if few or not copies:
        names = listed(f"{copy.lane.name} ({cuts[copy.lane.name]})" for copy in few) or "no stream"
        return unknown(f"The copy was to be cut {wanted:g} times at least, and was not: {names}.", figures=figures)
    said = f"{counted(int(figures['cycles']), 'copy cycle')}, cut {counted(_cut_times(history, figures), 'time')}"
    return passed(f"{said}.", _cycle_lines(copies), figures)


def _cut_times(history: History, figures: dict[str, Scalar]) -> int:
    """What the client saw; the vttablets' account as well where only cuts end copies."""
    of_tablets = int(figures.get("cuts_of_tablets", 0)) if _undisturbed(history) else 0
    return max(int(figures["cuts_seen"]), of_tablets)


def _undisturbed(history: History) -> bool:
    """Whether nothing but the copy phase duration ends copies: a client that leaves and a tablet that is taken away
    do, and vttablets count these as well."""
    codes = {attempt.code for record in history.streams for attempt in record.attempts}
    return not history.faults and codes <= {"", "STOPPED"}


def _never(cuts: dict[str, int], tablets: float | None, figures: dict[str, Scalar]) -> Finding:
    cut = [f"{name} ({number})" for name, number in cuts.items() if number]
    if cut or tablets:
        said = listed(cut) if cut else f"{tablets:g} times by the vttablets' account"
        return unknown(f"The copy was not to be cut, and was: {said}.", figures=figures)
    return passed("The copy was never cut, as intended.", figures=figures)


def _kept_from_beginning(copy: StreamCopy, tablets: float | None) -> bool:
    """Cut before the first row could be sent: only the vttablets know of it."""
    return not copy.rows_copied and bool(tablets)


def _cycle_lines(copies: tuple[StreamCopy, ...]) -> list[str]:
    return [
        f"{copy.lane.name}: {counted(len(copy.item_cycles), 'cycle')}, cut {counted(copy.cuts, 'time')}, "
        f"{copy.rows_copied:,} rows copied and {copy.rows_replicated:,} changes"
        for copy in copies
    ]


def tablet_cuts(history: History) -> float | None:
    """How many copies the vttablets count as ended by an error since the first stream began; None = not sampled, or
    one of them began anew."""
    return _growth(history, "VStreamerErrors:StreamRows")


def _growth(history: History, key: str) -> float | None:
    growths = list(vttablet_growths(history, key))
    if not growths or any(growth is None and history.series[node.name].steps(key)[0] for node, growth in growths):
        return None  # nobody was asked, or it fell: the process began anew
    return sum(growth or 0.0 for _, growth in growths)


# ---------------------------------------------------------------- streams and tables


def judge_streams(history: History) -> Finding:
    """Every planned stream began; the tables were filled as planned, their values are MySQL's own, and they were read
    back; with a load on them, they changed while every stream was copying."""
    if not history.plan.streams and not history.streams:
        return passed("No streams were planned.")
    items = history.plan.items
    reads = list(history.tables.values())
    figures: dict[str, Scalar] = {
        "streams": len(history.streams),
        "rows_received": sum(copy.rows for copy in stream_copies(history)),
        "rows_read": sum(len(read.rows) for read in reads),
    }
    wrong = [*_missing_streams(history), *_faults_missing(history), *_positions_missing(history)]
    wrong += _tables_wrong(history, items) if items else ()
    changes, unchanged = _changes(history)
    figures["changes_while_copying"] = changes
    wrong += [f"nothing was changed while {listed(unchanged)} copied"] if unchanged else []
    if wrong:
        return unknown(f"The streams were not what was planned: {wrong[0]}.", wrong, figures)
    return passed(
        f"{counted(len(history.streams), 'stream')}; {counted(int(figures['rows_read']), 'row')} read back"
        + (f"; {counted(changes, 'change')} while they copied." if history.plan.load else "."),
        figures=figures,
    )


def judge_item_tables(history: History) -> Finding:
    """For runs that move the item tables instead of streaming them: they were filled as planned, were read back, and
    every shard of every further keyspace was watched."""
    items, cluster = history.plan.items, history.plan.cluster
    wrong = list(_tables_wrong(history, items)) if items else []
    watched = {(keyspace, shard) for keyspace, shard, _ in workflows.sources(history)}
    wrong += [
        f"nobody watched {other.name}/{shard}"
        for other in cluster.others
        for shard in other.shard_names
        if (other.name, shard) not in watched
    ]
    if wrong:
        return unknown(f"The tables were not what was planned: {wrong[0]}.", wrong)
    return passed("The item tables were filled as planned, read back, and watched in every shard.")


def _faults_missing(history: History) -> Iterator[str]:
    """Parameter `faults`: how many faults must have been in force at least, by their own evidence."""
    wanted = int(history.plan.params.get("faults", 0))
    found = [span for span in history.faults if span.begin_ns and span.observed]
    if len(found) < wanted:
        yield f"{len(found)} of {wanted} faults are on record as in force"


def _positions_missing(history: History) -> Iterator[str]:
    """A VGTID event whose positions were not written down, or are gone."""
    for record in history.streams:
        vgtids = record.events["vgtid"][record.events["type"] == EventType.VGTID]
        if len(vgtids) and (not record.vgtids or not vgtids.all()):
            yield f"the positions of {record.lane.name} are not on record"


def _missing_streams(history: History) -> Iterator[str]:
    planned = sum(spec.count for spec in history.plan.streams) * max(1, len(history.plan.cluster.vtgates))
    if history.plan.streams and len(history.streams) != planned:
        yield f"{len(history.streams)} of {planned} planned streams were recorded"
    for stream in streams(history):
        if not stream.record.attempts:
            yield f"{stream.lane.name} never began"
        yield from (f"{stream.lane.name}: {line}" for chain in stream.chains for line in chain.lost)


def _tables_wrong(history: History, items: ItemsSpec) -> Iterator[str]:
    cluster = history.plan.cluster
    planned = seeded_rows(items.rows, cluster.shard_names)
    removed = _removals(history)
    for table in items.names:
        for shard in cluster.shard_names:
            read = history.tables.get((cluster.keyspace, table, shard))
            if read is None:
                yield f"{table} in {shard} was not read back"
                continue
            if read.wrong:
                yield f"{counted(read.wrong, 'row')} of {table} in {shard} hold a pad that is not theirs"
            seeded = _seeded(read)
            if not planned[shard] - removed.get(shard, 0) <= seeded <= planned[shard]:
                yield f"{table} in {shard} has {seeded:,} of {planned[shard]:,} rows that it was filled with"


def _seeded(read: TableRead) -> int:
    """Rows that were there before the load."""
    number = read.rows["id"] & np.uint64((1 << TABLE_BITS) - 1)
    return int(np.count_nonzero(number < INSERTED))


def _removals(history: History) -> dict[str, int]:
    """Shard → how many rows its clients removed, or may have removed."""
    ops = history.ops
    removals = ops[(ops["kind"] == OpKind.CHANGE) & (ops["value"] == 0)]
    removals = removals[np.isin(removals["outcome"], (Outcome.OK, Outcome.UNKNOWN))]
    found: dict[str, int] = {}
    for lane in history.lanes:
        found[lane.shard] = found.get(lane.shard, 0) + int(np.count_nonzero(removals["lane"] == lane.number))
    return found


def _changes(history: History) -> tuple[int, list[str]]:
    """Acknowledged changes while the streams copied, and the streams during whose copy there were none."""
    load = history.plan.load
    if load is None or load.workload is not Workload.ITEMS:
        return 0, []
    ops = history.ops
    stamps = ops["done_ns"][(ops["kind"] == OpKind.CHANGE) & (ops["outcome"] == Outcome.OK)]
    counts, without = [], []
    for stream, copy in zip(streams(history), stream_copies(history), strict=True):
        if not stream.record.attempts:
            continue
        number = int(np.count_nonzero((stamps >= copy.begin_ns) & (stamps <= _copied_ns(copy))))
        counts.append(number)
        if not number and not _ended(stream):
            without.append(copy.lane.name)
    return max(counts, default=0), without


def _copied_ns(copy: StreamCopy) -> int:
    shards = [at_ns for attempt in copy.attempts for at_ns in attempt.shards_completed_ns.values()]
    return copy.completed_ns or max(shards, default=copy.last_ns)


def _ended(stream: Stream) -> bool:
    """The server ended it, perhaps too soon for anything to change meanwhile."""
    return failed(stream.record.attempts[-1])
