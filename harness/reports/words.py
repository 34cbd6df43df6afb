"""How reports say things: durations, counts, verdicts, and arbitrary text made harmless."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness import placement
from harness.base.exit_codes import EXIT_FINDING, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN, EXIT_USAGE
from harness.history import History
from harness.model import ClusterSpec, Role, RunVerdict, Verdict
from harness.reports.counters import BufferFacts

EXIT_MEANING: Mapping[int, str] = {
    EXIT_PASS: "pass",
    EXIT_FINDING: "finding",
    EXIT_USAGE: "usage",
    EXIT_UNKNOWN: "unknown: the run proves nothing",
    EXIT_HARNESS: "harness error",
    EXIT_INTERRUPTED: "interrupted",
}
_DEFAULT = ClusterSpec()
_BROKEN_OFF: Mapping[int, str] = {EXIT_HARNESS: "HARNESS ERROR", EXIT_INTERRUPTED: "INTERRUPTED"}
_CONTROL = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))


def clean(text: str) -> str:
    """Without what neither XML nor a terminal may carry: error messages are other people's bytes, and an
    escape sequence in one must not move the reader's cursor."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))


def shorten(text: str, width: int) -> str:
    """One line of at most `width` characters."""
    flat = " ".join(clean(text).split())
    return flat if len(flat) <= width else flat[: width - 1].rstrip() + "…"


def duration(span_ns: float | None) -> str:
    """270 ms, 3.3 ms, 12.3 s, 140 s; "–" for what was not measured."""
    if span_ns is None:
        return "–"
    for size, unit in _UNITS:
        if span_ns >= size:
            amount = span_ns / size
            return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:,.0f} {unit}"
    return f"{span_ns:.0f} ns" if span_ns else "0 s"


def stall_words(span_ns: int, still_open: bool) -> str:
    return f"> {duration(span_ns)}" if still_open else duration(span_ns)


def count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def short_count(number: int) -> str:
    """51k, 1.2M: where there is room for five characters."""
    if number < 1_000:
        return str(number)
    if number < 10_000:
        return f"{number / 1e3:.1f}k"
    return f"{number / 1e3:.0f}k" if number < 1_000_000 else f"{number / 1e6:.1f}M"


def tally(reasons: Mapping[str, float]) -> str:
    """`NewPrimarySeen 25, MaxDurationExceeded 7`, the most frequent first; reasons that stayed at 0 left out."""
    seen = sorted(((n, reason) for reason, n in reasons.items() if n), key=lambda pair: (-pair[0], pair[1]))
    return ", ".join(f"{reason} {number:,.0f}" for number, reason in seen)


def buffering_ended(buffer: BufferFacts) -> list[str]:
    """By which reasons buffering stopped; then what was evicted or not buffered, and why."""
    ended = tally(buffer.stops) or ("it never ended" if buffer.stops and buffer.buffered else "–")
    evicted, skipped = tally(buffer.evicted), tally(buffer.skipped)
    return [
        ended,
        *([f"evicted by {evicted}"] if evicted else []),
        *([f"not buffered: {skipped}"] if skipped else []),
    ]


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def verdict_word(verdict: RunVerdict) -> str:
    """The verdict as a word that cannot be misread: a reproduced known bug is not a plain pass, and a run
    that the harness or the user broke off is none at all (but a finding stays a finding)."""
    if verdict.verdict is not Verdict.FAIL and verdict.exit_code in _BROKEN_OFF:
        return _BROKEN_OFF[verdict.exit_code]
    if verdict.verdict is Verdict.PASS and verdict.reproduced:
        return "REPRODUCED"
    return {Verdict.PASS: "PASS", Verdict.UNKNOWN: "UNKNOWN", Verdict.FAIL: "FINDING"}[verdict.verdict]


def sabotage_sentence(history: History) -> str:
    """Of a run in which the harness was broken on purpose; "" of any other."""
    kind = history.plan.sabotage
    return f"SABOTAGED on purpose ({kind}): it says something about the checks, and nothing about Vitess." * bool(kind)


def run_sentence(history: History, verdict: RunVerdict) -> str:
    """What the verdict means to somebody who has never seen this tool."""
    return sabotage_sentence(history) or verdict_sentence(verdict)


def verdict_sentence(verdict: RunVerdict) -> str:
    """The same of a run that was made to learn something about Vitess."""
    issues = ", ".join(verdict.reproduced)
    if verdict_word(verdict) in _BROKEN_OFF.values():
        return "The run did not come to its end, so it proves nothing about Vitess."
    if verdict.verdict is Verdict.FAIL:
        return "Vitess did not keep a promise that this run could judge."
    if verdict.verdict is Verdict.UNKNOWN:
        return "This run proves nothing about Vitess: an assumption did not hold, or something could not be judged."
    if issues:
        return f"What was expected showed where it was expected, and nothing else did: {issues}."
    return "Everything that was checked held."


def command_line(history: History) -> str:
    """The command line as it can be pasted into a shell."""
    return clean(shlex.join(history.plan.command_line))


def reproduce(history: History) -> str:
    """The command line with the seed in it, whether it was given or drawn; for a kept cluster, which the command
    line only names, a comment above it says how to make one like it."""
    words = list(_without_out(history.plan.command_line))
    given = words[1:2] == ["replay"]  # the plan that it issues again has the seed
    given = given or any(word == "--seed" or word.startswith("--seed=") for word in words)
    again = clean(shlex.join(words if given else [*words, "--seed", str(history.plan.seed)]))
    return f"# such a cluster: {stand_up(history)}\n{again}" if history.plan.cluster_name else again


def _without_out(words: Sequence[str]) -> Iterator[str]:
    """The folder of a run is there when its line is read, and would be refused."""
    is_value = False
    for word in words:
        if not (is_value or word == "--out" or word.startswith("--out=")):
            yield word
        is_value = word == "--out"


def stand_up(history: History) -> str:
    """`vtchaos up NAME …` with everything in which the run's cluster may differ from the default one."""
    spec = history.plan.cluster
    words = ["vtchaos", "up", history.plan.cluster_name, "--shards", str(spec.shards)]
    words += ["--backend", history.plan.backend] if history.plan.backend != placement.DEFAULT_BACKEND else []
    words += placement.words(replace(history.plan.place, load_pods=0))
    words += ["--tablets", str(spec.tablets_per_shard), "--vitess", spec.vitess]
    words += ["--vtgate", ",".join(spec.vtgate_version(index) for index in range(len(spec.vtgates)))]
    words += ["--mysql", spec.mysql] if spec.mysql else []
    words += ["--durability", spec.durability_policy] if spec.durability_policy != _DEFAULT.durability_policy else []
    words += ["--vtorc"] if spec.vtorc else []
    for option, values in (
        ("--vtgate-flag", spec.vtgate_flags),
        ("--vttablet-flag", spec.vttablet_flags),
        ("--vtctld-flag", spec.vtctld_flags),
        ("--mysqld-setting", spec.mysqld_settings),
    ):
        for name, value in values.items():
            words += [option, f"{name}={value}" if value else name]
    return " ".join(clean(shlex.join(words)).split("\n"))


def versions(history: History) -> dict[str, str]:
    """Role → version; a vtgate has its own row because vtgates are what is compared."""
    found: dict[str, Counter[str]] = {}
    for node in history.nodes:
        name = node.name if node.role is Role.VTGATE else node.role.value
        found.setdefault(name, Counter())[node.version] += 1
    if not found:
        return _planned_versions(history)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _planned_versions(history: History) -> dict[str, str]:
    """What was asked for, when the run ended before there were nodes."""
    spec = history.plan.cluster
    planned = {"vitess (planned)": spec.vitess}
    return planned | {f"vtgate-{i + 1} (planned)": spec.vtgate_version(i) for i in range(len(spec.vtgates))}


def host_facts(history: History) -> dict[str, str]:
    """What `host.json` says, flat; bytes in GiB."""
    return {key: _host_value(key, value) for key, value in sorted(history.host.items())}


def key_words(key: str) -> str:
    """`memory_available_bytes` as a person says it: its value says the unit."""
    return clean(key.replace("_bytes", "").replace("_", " "))


def figure_words(key: str, value: Any) -> str:
    """A figure of a check, in GiB where it counts bytes."""
    if "_bytes" in key and isinstance(value, int | float):
        return f"{value / 2**30:.1f} GiB"
    return clean(str(value))


def _host_value(key: str, value: Any) -> str:
    if key.endswith("_bytes") and isinstance(value, int | float):
        return f"{value / 2**30:.1f} GiB"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {part}" for name, part in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    return clean(str(value))


def shape(history: History) -> str:
    """`32 shards × 2 tablets, 2 vtgates, 20 operations/s a shard and vtgate, 1 table of 200,000 rows, 2 streams`."""
    spec, load, items = history.plan.cluster, history.plan.load, history.plan.items
    parts = [
        f"{plural(spec.shards, 'shard')} × {plural(spec.tablets_per_shard, 'tablet')}",
        plural(len(spec.vtgates), "vtgate"),
    ]
    if load:
        parts.append(f"{load.rate_per_shard:g} operations/s per shard and vtgate")
    if items:
        parts.append(f"{plural(items.tables, 'table')} of {plural(items.rows, 'row')}")
    streams = sum(spec.count for spec in history.plan.streams) * len(spec.vtgates)
    if streams:
        parts.append(plural(streams, "stream"))
    return ", ".join(parts) + where(history)


def where(history: History) -> str:
    """` on kubernetes (context lab), the load from 2 pods`; nothing for this host's own processes."""
    plan = history.plan
    if plan.backend == placement.DEFAULT_BACKEND:
        return ""
    context = f" (context {plan.place.context})" if plan.place.context else ""
    pods = f", the load from {plural(plan.place.load_pods, 'pod')}" if plan.place.load_pods else ""
    return f" on {plan.backend}{context}{pods}"
