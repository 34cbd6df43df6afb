"""How reports tell of streams: how one ended, its copy cycles in a line, and its attempts' errors by kind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.facts.cycles import AttemptCopy, Cycle, CycleEnd, StreamCopy
from harness.reports.words import clean, count, duration, plural, shorten

CYCLES_NAMED = 4
_DIGITS = re.compile(r"\d+")
_SHARD = re.compile(r"\b(\w+)\.(?:[0-9a-f]*-[0-9a-f]*|0)\.(?=primary|replica|rdonly)")
_ALIAS = re.compile(r"\b\w+-\d{10}\b")


def in_trouble(copy: StreamCopy) -> bool:
    """Ended by the server, or never had its copy complete."""
    return copy.ended_by_server or not copy.completed_ns


def worst_first(copies: Sequence[StreamCopy]) -> list[StreamCopy]:
    """Those that the server ended, then those whose copy is not complete, then by the number of attempts and
    by the time that the copy took."""

    def order(copy: StreamCopy) -> tuple[bool, bool, int, int, int]:
        return (
            not copy.ended_by_server,
            bool(copy.completed_ns),
            -len(copy.attempts),
            -(copy.copy_ns or 0),
            copy.lane.number,
        )

    return sorted(copies, key=order)


def how_ended(copy: StreamCopy) -> str:
    """`errno 3024 (UNKNOWN): target: ks.-80 …`, `stopped when the run was over`, …; of the last attempt."""
    if not copy.attempts:
        return "never began"
    last = copy.attempts[-1]
    early = "" if copy.completed_ns else ", before its copy was complete"
    if last.failed and last.attempt.code != "EOF":
        return attempt_error(last)
    return {
        "STOPPED": f"stopped when the run was over{early}",
        "LEFT": f"left by the client{early}",
        "EOF": f"ended by the server without an error{early}",
    }.get(last.attempt.code, f"still open when the record ended{early}")


def attempt_error(attempt: AttemptCopy) -> str:
    """gRPC's code, MySQL's errno, and what the server said."""
    code, errno = clean(attempt.attempt.code), attempt.attempt.errno
    told = f"errno {errno} ({code})" if errno else code
    return f"{told}: {clean(attempt.attempt.message)}" if attempt.attempt.message else told


def cycles_line(cycles: Sequence[Cycle], cuts: int) -> str:
    """`7 copy cycles, 6 cut; 51,366 + 49,120 + … rows`."""
    if not cycles:
        return "no copy cycle"
    rows = [count(cycle.rows) for cycle in cycles[:CYCLES_NAMED]] + (["…"] if len(cycles) > CYCLES_NAMED else [])
    cut = f", {cuts:,} cut" if cuts else ", none cut"
    return f"{plural(len(cycles), 'copy cycle')}{cut}; {' + '.join(rows)} rows"


def many_cycles_line(copies: Sequence[StreamCopy]) -> str:
    """`140 copy cycles of 20 streams, 120 cut; 0 to 51,366 rows each`."""
    rows = [cycle.rows for copy in copies for cycle in copy.item_cycles]
    if not rows:
        return "no copy cycle"
    cuts = sum(copy.cuts for copy in copies)
    what = (
        f"{plural(len(rows), 'copy cycle')} of {plural(len(copies), 'stream')}, {count(cuts) if cuts else 'none'} cut"
    )
    return f"{what}; {min(rows):,} to {max(rows):,} rows each"


def cycle_words(cycle: Cycle) -> str:
    """How a cycle ended, and by what."""
    if cycle.end is CycleEnd.ATTEMPT_ENDED:
        return f"its attempt ended: {clean(cycle.code)}{f', errno {cycle.errno}' if cycle.errno else ''}"
    return cycle.end.value


def copy_rate(copy: StreamCopy) -> str:
    return count(copy.rows_per_s)


def pause_words(copies: Sequence[StreamCopy]) -> tuple[str, str] | None:
    """The longest pause of all streams, and whose it was; None where nothing was received."""
    worst = max(copies, key=lambda copy: copy.longest_pause.span_ns, default=None)
    if worst is None or not worst.longest_pause.span_ns:
        return None
    return duration(worst.longest_pause.span_ns), clean(worst.lane.name)


@dataclass(slots=True, kw_only=True)
class AttemptKind:
    """Attempts that the server ended alike."""

    code: str
    errno: int
    number: int
    streams: dict[str, None] = field(default_factory=dict)  # their names, in order
    first_ns: int
    last_ns: int
    example: str


def attempt_kinds(copies: Sequence[StreamCopy]) -> list[AttemptKind]:
    """Attempts that the server ended, by what the client was told; the most frequent first."""
    kinds: dict[tuple[str, int, str], AttemptKind] = {}
    for copy in copies:
        for failed in copy.failed_attempts:
            attempt = failed.attempt
            key = (attempt.code, attempt.errno, _alike(attempt.message))
            kind = kinds.setdefault(
                key,
                AttemptKind(
                    code=clean(attempt.code),
                    errno=attempt.errno,
                    number=0,
                    first_ns=attempt.end_ns,
                    last_ns=attempt.end_ns,
                    example=clean(attempt.message),
                ),
            )
            kind.number += 1
            kind.streams[clean(copy.lane.name)] = None
            kind.first_ns = min(kind.first_ns, attempt.end_ns)
            kind.last_ns = max(kind.last_ns, attempt.end_ns)
    return sorted(kinds.values(), key=lambda kind: (-kind.number, kind.code, kind.errno, kind.example))


def _alike(message: str) -> str:
    """Without what differs between shards and tablets of one cause."""
    return _DIGITS.sub("#", _ALIAS.sub("*", _SHARD.sub(r"\1.*.", message[:600])))


def short_end(copy: StreamCopy, width: int) -> str:
    return shorten(how_ended(copy), width)
