"""Where things stand in a run directory, as evidence of a claim."""

from __future__ import annotations

from harness.causes import Evidence
from harness.facts.reparent_phases import PhaseSpan
from harness.facts.storm import Reparent
from harness.facts.words import seconds
from harness.model import LogLine

LONGEST_TEXT = 300


def of_line(line: LogLine) -> Evidence:
    return Evidence(source="loglines.jsonl", subject=line.node, at_ns=line.at_ns, text=line.text[:LONGEST_TEXT])


def of_counter(node: str, key: str, at_ns: int, by: float) -> Evidence:
    """A counter that grew; `at_ns` is the sample that saw it."""
    return Evidence(source=f"samples-{node}.jsonl", subject=node, at_ns=at_ns, text=f"{key} +{by:g}")


def of_setting(node: str, at_ns: int, text: str) -> Evidence:
    """A flag of the plan; it is set from the beginning on."""
    return Evidence(source="plan.json", subject=node, at_ns=at_ns, text=text)


def of_reparent(reparent: Reparent) -> Evidence:
    how = f"returned after {seconds(reparent.duration_s)}" if reparent.end_ns else "never returned"
    text = f"{reparent.fault} of {reparent.shard}: {reparent.was_primary or '?'} → {reparent.promoted or '?'}, {how}"
    if reparent.error:
        text += f": {reparent.error}"
    return Evidence(source="faults.jsonl", subject=reparent.shard, at_ns=reparent.begin_ns, text=text[:LONGEST_TEXT])


def of_phase(span: PhaseSpan, said: str) -> Evidence:
    return Evidence(
        source="loglines.jsonl", subject=span.node, at_ns=span.from_ns, text=f"{said}: {span.text}"[:LONGEST_TEXT]
    )
