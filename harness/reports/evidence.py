"""The evidence of a verdict's causes with what stands around it in the run directory, so that a reader who
doubts a cause sees the place itself: neighbouring log lines, a counter's steps, a fault's life cycle."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.causes import CauseRow, Evidence
from harness.history import History, Series
from harness.model import FaultSpan, LogLine
from harness.reports.words import clean, shorten

LINES_AROUND = 3  # log lines of the same process, before and after
STEPS_AROUND = 3
KEYS = 6
WIDTH = 400
_SAMPLES = re.compile(r"samples-(.+)\.jsonl")
STEPS = ("intent", "begin", "active", "recover", "healed", "recovered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """One line of what stands around an evidence; `it`: the line that is meant."""

    at_ns: int
    text: str
    it: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One evidence, numbered in the order of the table of causes."""

    number: int
    evidence: Evidence
    around: tuple[Near, ...]


def places(history: History, causes: Sequence[CauseRow]) -> Mapping[Evidence, Place]:
    """Every evidence of every cause, once."""
    every = dict.fromkeys(evidence for row in causes for evidence in row.evidence)
    logs = _by_node(history)
    return {
        evidence: Place(number=number, evidence=evidence, around=tuple(_around(history, logs, evidence)))
        for number, evidence in enumerate(every, 1)
    }


def _by_node(history: History) -> Mapping[str, list[LogLine]]:
    found: dict[str, list[LogLine]] = {}
    for line in sorted(history.logs, key=lambda line: line.at_ns):
        found.setdefault(line.node, []).append(line)
    return found


def _around(history: History, logs: Mapping[str, list[LogLine]], evidence: Evidence) -> Iterator[Near]:
    sampled = _SAMPLES.fullmatch(evidence.source)
    if evidence.source == "loglines.jsonl":
        yield from _lines(logs.get(evidence.subject, []), evidence.at_ns)
    elif evidence.source == "faults.jsonl":
        yield from _life(history.faults, evidence)
    elif sampled and sampled[1] in history.series:
        yield from _steps(history.series[sampled[1]], evidence)


def _lines(lines: Sequence[LogLine], at_ns: int) -> Iterator[Near]:
    first = bisect.bisect_left(lines, at_ns, key=lambda line: line.at_ns)
    after = bisect.bisect_right(lines, at_ns, key=lambda line: line.at_ns)
    for line in lines[max(first - LINES_AROUND, 0) : after + LINES_AROUND]:
        yield Near(at_ns=line.at_ns, text=_short(f"{line.level} {line.text}"), it=line.at_ns == at_ns)


def _life(faults: Sequence[FaultSpan], evidence: Evidence) -> Iterator[Near]:
    for span in faults:
        concerned = evidence.subject == span.fault or evidence.subject in span.targets
        end_ns = max(span.active_ns, span.healed_ns, span.recovered_ns, span.begin_ns)
        if concerned and span.intent_ns <= evidence.at_ns <= end_ns:
            yield from life(span, evidence.at_ns)


def life(span: FaultSpan, at_ns: int = 0) -> Iterator[Near]:
    """The steps of a fault that were reached."""
    for step in STEPS:
        when_ns = int(getattr(span, f"{step}_ns"))
        if when_ns:
            words = f"{span.fault} {', '.join(span.targets)}: {step}"
            yield Near(at_ns=when_ns, text=_short(words), it=when_ns == at_ns)


def _steps(series: Series, evidence: Evidence) -> Iterator[Near]:
    """The steps of the counters that the evidence names."""
    found: list[Near] = []
    for key in _named(series, evidence):
        times, values = series.steps(key)
        near = bisect.bisect_left(times, evidence.at_ns)
        for index in range(max(near - STEPS_AROUND, 0), min(near + STEPS_AROUND, len(times))):
            text = _short(f"{key} = {values[index]}")
            found.append(Near(at_ns=times[index], text=text, it=times[index] == evidence.at_ns))
    yield from sorted(found, key=lambda step: (step.at_ns, step.text))


def _named(series: Series, evidence: Evidence) -> list[str]:
    """Keys that the text has in full; else those of a variable that it has, changed at that moment."""
    keys = series.keys()
    exact = [key for key in keys if re.search(rf"(?<![\w.:]){re.escape(key)}(?![\w.:-])", evidence.text)]
    if exact:
        return exact[:KEYS]
    of_variable = [key for key in keys if key.partition(":")[0] in evidence.text]
    return [key for key in of_variable if evidence.at_ns in series.steps(key)[0]][:KEYS]


def _short(text: str) -> str:
    return clean(shorten(text, WIDTH))
