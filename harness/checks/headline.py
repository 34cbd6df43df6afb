"""The answer of a run in a few sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from harness.attribution import attributed
from harness.checks.vstream_ends import end_words
from harness.facts import workflows
from harness.facts.affected import erroneous
from harness.facts.buffer import settings
from harness.facts.cycles import StreamCopy, stream_copies
from harness.facts.interruptions import interruptions, was_interrupted
from harness.facts.service import service
from harness.facts.storm import Storm, reparents, storms, trouble
from harness.facts.streams import failed, streams
from harness.facts.words import counted, listed, seconds
from harness.history import History
from harness.items import ItemsSpec
from harness.model import CheckKind, CheckResult, FaultSpan, Outcome, Verdict


def headline(history: History, verdict: Verdict, results: Sequence[CheckResult], reproduced: Sequence[str]) -> str:
    """What happened, what clients felt; then what it means, unless all is well."""
    if history.plan.streams:
        parts = [_streams(history, results), _moved(history), _clients(history)]
    elif workflows.sources(history):
        parts = [_workflow(history), _moved(history), _clients(history)]
    elif history.plan.load is None and history.faults:
        parts = [_fault(span) for span in history.faults]
    else:
        parts = [_reparents(history), _clients(history), _stall(history), _unbuffered(history)]
    said = "; ".join(part for part in parts if part)
    first = f"{said[0].upper()}{said[1:]}." if said else "Nothing was recorded."
    if was_interrupted(history):
        first = f"Interrupted {', '.join(interruptions(history))}. {first}"
    return " ".join(filter(None, (first, _causes(history), _meaning(verdict, results, reproduced))))


def _fault(span: FaultSpan) -> str:
    """Of one that was injected by hand, without clients."""
    steps = [(span.observed, "felt"), (span.healed_ns, "taken back"), (span.recovered_ns, "got over")]
    story = ", ".join([word for seen, word in steps if seen] or ["nothing of it was seen"])
    return f"{span.fault} on {listed(span.targets)}: {story}"


def _streams(history: History, results: Sequence[CheckResult]) -> str:
    """2 streams of 200,000 rows through 7 copy cycles, all rows delivered; or how the first one ended."""
    if not history.streams:
        return "no stream was recorded"
    ended = [
        f"stream {stream.lane.name} {end_words(stream, attempt)}"
        for stream in streams(history)
        for attempt in stream.record.attempts
        if failed(attempt)
    ]
    copies = stream_copies(history)
    items = history.plan.items
    if ended:
        more = f" (and {counted(len(ended) - 1, 'more end')})" if len(ended) > 1 else ""
        return "; ".join((ended[0] + more, *(_retried(copy, items) for copy in copies if copy.tried_again)))
    size = f" of {counted(items.rows * items.tables, 'row')}" if items else ""
    cycles = counted(sum(len(copy.item_cycles) for copy in copies), "copy cycle")
    all_came = ", all rows delivered" if _delivered(results) else _lost(results)
    return f"{counted(len(copies), 'stream')}{size} through {cycles}{all_came}"


def _retried(copy: StreamCopy, items: ItemsSpec | None) -> str:
    """What it came to that a client began again after an error, and what it cost."""
    if not copy.completed_ns:
        return f"{copy.lane.name} was never complete in {counted(len(copy.attempts), 'attempt')}"
    times = copy.rows_copied / (items.rows * items.tables) if items else 0.0
    return (
        f"{copy.lane.name} was complete after {counted(len(copy.attempts), 'attempt')} and {times:.2f} times its rows"
    )


def _delivered(results: Sequence[CheckResult]) -> bool:
    """Whether every stream came to its end, and was found equal to the tables."""
    ends = [r for r in results if r.check in ("vstream/completed", "vstream/reliable")]
    compared = [r.figures.get("compared", 0) for r in ends if r.check == "vstream/reliable"]
    held = all(r.verdict is Verdict.PASS and "known_bug" not in r.figures for r in ends)
    return held and bool(compared) and all(compared)


def _lost(results: Sequence[CheckResult]) -> str:
    """What the streams lack or have too much of, also where a known bug explains it."""
    kinds = {"missing": "rows never came", "gaps": "changes lost", "extra": "deleted rows stay"}
    sums = {
        words: sum(int(r.figures.get(kind, 0)) for r in results if r.check == "vstream/reliable")
        for kind, words in kinds.items()
    }
    return "".join(f", {number:,} {words}" for words, number in sums.items() if number)


def _workflow(history: History) -> str:
    """A MoveTables run: rows copied, and how its streams stand."""
    found = workflows.streams(history)
    if not found:
        return ""
    running = sum(stream.done for stream in found)
    copied = sum(stream.rows_copied for stream in found)
    interrupted = len(workflows.interrupted(history))
    cut = f", {counted(interrupted, 'interrupted copy', 'interrupted copies')}" if interrupted else ""
    return f"{running} of {counted(len(found), 'workflow stream')} copied everything and run: {copied:,} rows{cut}"


def _moved(history: History) -> str:
    return _reparents(history) if reparents(history) else ""


def _reparents(history: History) -> str:
    found = reparents(history)
    if not found:
        return "no reparent was run" if history.phases else ""
    shards = {reparent.shard for reparent in found}
    good = sum(reparent.returned_ok for reparent in found)
    if not any(reparent.end_ns for reparent in found):
        return f"{counted(len(found), 'reparent')} under way when the run ended, none had returned"
    runs: tuple[Storm, ...] = storms(history)
    longest = max(runs, key=lambda storm: storm.duration_s)
    if len(found) == len(shards):
        what = f"{good} of {counted(len(found), 'shard')} reparented"
    else:
        what = f"{good} of {counted(len(found), 'reparent')} of {counted(len(shards), 'shard')} succeeded"
    if len(runs) == 1:
        return f"{what} in {seconds(longest.duration_s)}"
    slowest = max(reparent.duration_s for reparent in found)
    at_once = max(len(storm.reparents) for storm in runs)
    how = "one after another" if at_once == 1 else f"in {len(runs)} storms of at most {at_once}"
    return f"{what}, {how}, the slowest in {seconds(slowest)}"


def _clients(history: History) -> str:
    window = trouble(history)
    if not len(history.ops):
        return "no operation was recorded" if history.plan.load else ""
    since_ns = window[0] if window else history.start_ns
    ops = history.ops[history.ops["done_ns"] >= since_ns]
    errors = len(erroneous(ops))
    waited = int(np.count_nonzero(ops["outcome"] == Outcome.NOT_ISSUED))
    part = f"{counted(len(history.ops), 'operation')}, {counted(errors, 'error')}"
    return f"{part}, {waited:,} not issued" if waited else part


def _stall(history: History) -> str:
    window = trouble(history)
    if window is None or not len(history.ops) or window[0] >= window[1]:
        return ""
    found = [item for node in history.vtgates for item in service(history, node.name, window[0])]
    if not found:
        return ""
    worst = max(found, key=lambda item: item.stall_s)
    through = f" through {worst.vtgate}" if len(history.vtgates) > 1 else ""
    return f"the worst shard ({worst.shard}{through}) stalled {seconds(worst.stall_s)}"


def _causes(history: History) -> str:
    """Of all vtgates together; each has rows of its own in the verdict."""
    numbers: Counter[str] = Counter()
    for row in attributed(history):
        numbers[row.cause] += row.operations
    if not numbers:
        return ""
    named = listed((f"{cause} {number:,}" for cause, number in numbers.most_common()), 3)
    return f"{counted(numbers.total(), 'operation')} waited or failed: {named}."


def _unbuffered(history: History) -> str:
    off = [node.name for node in history.vtgates if not settings(history, node.name).enabled]
    return f"buffering is off on {listed(off)}" if off else ""


def _meaning(verdict: Verdict, results: Sequence[CheckResult], reproduced: Sequence[str]) -> str:
    if verdict is Verdict.FAIL:
        failing = [result for result in results if result.verdict is Verdict.FAIL]
        worst = min(failing, key=lambda result: result.kind is not CheckKind.SAFETY)  # safety first
        others = dict.fromkeys(result.check for result in failing if result.check != worst.check)
        more = f" Also: {listed(others)}." if others else ""
        return f"Finding in {worst.check}: {_sentence(worst.summary)}{more}"
    if verdict is Verdict.UNKNOWN:
        unsure = [result for result in results if result.verdict is not Verdict.PASS]
        worst = min(unsure, key=lambda result: result.kind not in (CheckKind.ASSUMPTION, CheckKind.CONDITION))
        return f"This proves nothing: {_sentence(worst.summary)}"
    if reproduced:
        return f"Reproduced, as expected: {listed(reproduced)}."
    return ""


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
