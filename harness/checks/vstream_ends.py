"""How streams ended: not with an error, and not before everything had come."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.checks.results import Finding, failed, passed, unknown
from harness.checks.vstream_results import shard_name
from harness.facts.storm import seconds_between
from harness.facts.stream_copies import announced, chain_completions, past_the_copy
from harness.facts.stream_refusals import MISMATCH, refusals
from harness.facts.streams import Chain, Stream
from harness.facts.streams import failed as server_ended
from harness.facts.words import counted, listed, seconds
from harness.history import History
from harness.model import Scalar
from harness.streams import NO_INDEX, Attempt, EventType

MESSAGE_SHOWN = 300
TOO_SLOW = 0.85  # of a reader's time in its own pauses: responses that came at once were waiting for it


def judge_uninterrupted(stream: Stream) -> Finding:
    """A cut of the copy phase, a reparent, a lost tablet: vtgate is to hide them. Only the client ends a stream."""
    ended = [attempt for attempt in stream.record.attempts if server_ended(attempt)]
    figures: dict[str, Scalar] = {"attempts": len(stream.record.attempts), "ended": len(ended)}
    if not stream.record.attempts:
        return passed(f"{stream.lane.name} never began.", figures=figures)
    if not ended:
        return passed(f"{counted(len(stream.record.attempts), 'attempt')}, none ended by the server.", figures=figures)
    first = ended[0]
    figures |= {"errno": first.errno, "code": first.code, "rows": rows_of(stream, first)}
    figures["after_ms"] = round(1000 * seconds_between(first.begin_ns, first.end_ns), 1)
    lines = [f"attempt {attempt.number} {end_words(stream, attempt)}: {_message(attempt)}" for attempt in ended]
    again = f", and {counted(len(ended) - 1, 'more attempt')}" if len(ended) > 1 else ""
    said = f"Stream {stream.lane.name} {end_words(stream, first)}{again}."
    return failed(said, lines, figures, (_why(attempt) for attempt in ended))


def end_words(stream: Stream, attempt: Attempt) -> str:
    """Ended after 0.41 s and 51,366 rows: errno 3024."""
    took = seconds(seconds_between(attempt.begin_ns, attempt.end_ns))
    return f"ended after {took} and {counted(rows_of(stream, attempt), 'row')}: {_why(attempt)}"


def _why(attempt: Attempt) -> str:
    return f"errno {attempt.errno}" if attempt.errno else attempt.code


def rows_of(stream: Stream, attempt: Attempt) -> int:
    events = stream.events
    return int(np.count_nonzero((events["attempt"] == attempt.number) & (events["type"] == EventType.ROW)))


def _message(attempt: Attempt) -> str:
    said = attempt.message or "no message"
    return f"{attempt.code}: {said[:MESSAGE_SHOWN]}{'…' if len(said) > MESSAGE_SHOWN else ''}"


def judge_completed(history: History, stream: Stream) -> Finding:
    """Every stream's copy comes to its end and says so, and then everything that was committed comes: the row that
    each shard's mark table got when the load had ended. A stream that hangs, starves or forgets a table does not."""
    chains = [chain for chain in stream.chains if chain.current]
    figures: dict[str, Scalar] = {"shards": len(stream.lane.shards), "chains": len(chains)}
    if not chains:
        return failed(f"{stream.lane.name} never began.", figures=figures, symptoms=["never began"])
    ended = [chain for chain in chains if server_ended(chain.last)]
    lines, refused, notes, symptoms = [], [], [], []
    for chain in chains:
        if chain in ended:
            notes.append(
                f"{_chain_name(stream, chain)}attempt {chain.last.number} ended before, see vstream/uninterrupted"
            )
            continue
        missing, unannounced = list(_missing(stream, chain)), _unannounced(stream, chain)
        lines += [f"{_chain_name(stream, chain)}{what}{of}" for what, of in missing]
        symptoms += [what for what, _ in missing]
        refused += _refused(history, stream, chain)
        notes += [f"{_chain_name(stream, chain)}{line}" for line in unannounced]
    figures |= {"missing": len(lines), "marks": sum(len(stream.marked(chain)) for chain in chains)}
    pausing = paused_share(stream)
    figures["paused_share"] = round(pausing, 3)
    if lines and pausing >= TOO_SLOW:
        why = f"the reader itself paused for {pausing:.0%} of its time, and could not have kept up"
        return unknown(f"{stream.lane.name} did not get everything, but {why}.", [*lines, *notes], figures)
    if lines:
        said = f"{stream.lane.name} did not get everything: {listed([*lines, *refused])}."
        return failed(said, [*lines, *refused, *notes], figures, [*symptoms, *([MISMATCH] if refused else [])])
    if ended:
        return passed(f"{stream.lane.name} ended before it could.", notes, figures)
    return passed("Every shard was copied and then followed to its mark.", notes, figures)


def paused_share(stream: Stream) -> float:
    """Of the time of all attempts, what the reader's own pauses after every response took."""
    attempts = [attempt for attempt in stream.record.attempts if attempt.end_ns]
    spent_ns = sum(attempt.end_ns - attempt.begin_ns for attempt in attempts)
    paused_ns = sum(attempt.responses for attempt in attempts) * stream.lane.spec.pause_ms * 1e6
    return paused_ns / spent_ns if spent_ns else 0.0


def _chain_name(stream: Stream, chain: Chain) -> str:
    return f"{chain.tables[0]}: " if stream.lane.spec.one_by_one else ""


def _missing(stream: Stream, chain: Chain) -> Iterator[tuple[str, str]]:
    """What did not come, and of which shards."""
    shards = range(len(stream.lane.shards))
    silent = [shard for shard in shards if not _said(stream, chain, shard) and not _gone(stream, chain, shard)]
    if silent:
        yield "no COPY_COMPLETED", f" of {listed(shard_name(stream, shard) for shard in silent)}"
    elif _final_is_due(stream, chain) and not any(_finals(stream, attempt) for attempt in chain.attempts):
        yield "no final COPY_COMPLETED", ""
    unmarked = _unmarked(stream, chain)
    if unmarked:
        yield "no mark row", f" of {listed(unmarked)}"


def _refused(history: History, stream: Stream, chain: Chain) -> list[str]:
    """Why a shard that was to be resumed, by the client or by vtgate itself, may have been silent."""
    unmarked = _unmarked(stream, chain)
    if not unmarked:
        return []
    return [
        f"{tablet} refused {counted(times, 'stream')} ({MISMATCH}): to begin ahead of what it had committed"
        for tablet, times in refusals(history, unmarked)
    ]


def _unmarked(stream: Stream, chain: Chain) -> list[str]:
    """The shards whose mark row did not come."""
    marked = stream.marked(chain)
    return [shard_name(stream, shard) for shard in range(len(stream.lane.shards)) if shard not in marked]


def _unannounced(stream: Stream, chain: Chain) -> Iterator[str]:
    for shard in range(len(stream.lane.shards)):
        if not _said(stream, chain, shard) and _gone(stream, chain, shard):
            yield f"{shard_name(stream, shard)} was copied, but its COPY_COMPLETED was lost between two attempts"


def _said(stream: Stream, chain: Chain, shard: int) -> bool:
    return any(announced(stream, attempt, shard) for attempt in chain.attempts)


def _gone(stream: Stream, chain: Chain, shard: int) -> bool:
    """The client resumed behind the last table and before COPY_COMPLETED, which is never sent again then."""
    name = stream.lane.shards[shard]
    past = any(past_the_copy(position) for a in chain.attempts for position in a.start if position.shard == name)
    return past and set(tables_to_copy(stream, chain)) <= set(chain_completions(stream, chain, shard))


def tables_to_copy(stream: Stream, chain: Chain) -> tuple[int, ...]:
    """Numbers of the tables that a chain is to copy, the mark table included."""
    wanted = stream.lane.spec.tables_to_copy or chain.tables
    return tuple(n for n, name in enumerate(stream.lane.tables) if name in wanted and name in chain.tables)


def _final_is_due(stream: Stream, chain: Chain) -> bool:
    """vtgate sends it when COPY_COMPLETED of all shards came in one call (vstream_manager.go isCopyFullyCompleted)."""
    shards = range(len(stream.lane.shards))
    return any(all(announced(stream, attempt, shard) for shard in shards) for attempt in chain.attempts)


def _finals(stream: Stream, attempt: Attempt) -> int:
    indexes = stream.events_of(attempt.number, NO_INDEX)
    return int(np.count_nonzero(stream.events["type"][indexes] == EventType.COPY_COMPLETED))
