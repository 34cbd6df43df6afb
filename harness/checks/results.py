"""Making results: one line each, so that a check reads as what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.facts.storm import seconds_between
from harness.history import History
from harness.model import CheckKind, CheckResult, Node, Scalar, Verdict

DETAILS_SHOWN = 40  # a verdict is read by people; the run directory has the rest


class Check(Protocol):
    """The shape that `harness.contracts.Check` asks for (checks may not import it)."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> CheckKind: ...
    def check(self, history: History) -> tuple[CheckResult, ...]: ...


class Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> CheckKind: ...


@dataclass(kw_only=True)
class Finding:
    """What a check says about one subject. Building it up line by line keeps the worst verdict."""

    summary: str = ""
    verdict: Verdict = Verdict.PASS
    details: list[str] = field(default_factory=list)
    figures: dict[str, Scalar] = field(default_factory=dict)
    symptoms: list[str] = field(default_factory=list)  # see CheckResult

    def add(self, verdict: Verdict, *details: str) -> None:
        self.verdict = max(self.verdict, verdict)
        self.details.extend(details)


def passed(summary: str, details: Iterable[str] = (), figures: Mapping[str, Scalar] | None = None) -> Finding:
    return Finding(summary=summary, details=list(details), figures=dict(figures or {}))


def unknown(summary: str, details: Iterable[str] = (), figures: Mapping[str, Scalar] | None = None) -> Finding:
    return Finding(summary=summary, verdict=Verdict.UNKNOWN, details=list(details), figures=dict(figures or {}))


def failed(
    summary: str,
    details: Iterable[str] = (),
    figures: Mapping[str, Scalar] | None = None,
    symptoms: Iterable[str] = (),
) -> Finding:
    """`symptoms`: needed where more than one sort of thing can be wrong. A finding is told from another by them, so
    they hold nothing that differs between two runs: no number, no name of a shard or node, no list."""
    return Finding(
        summary=summary,
        verdict=Verdict.FAIL,
        details=list(details),
        figures=dict(figures or {}),
        symptoms=list(symptoms),
    )


def result(check: Named, finding: Finding, subject: str = "") -> CheckResult:
    shown = finding.details[:DETAILS_SHOWN]
    if len(finding.details) > DETAILS_SHOWN:
        shown.append(f"… and {len(finding.details) - DETAILS_SHOWN} more")
    return CheckResult(
        check=check.name,
        kind=check.kind,
        verdict=finding.verdict,
        summary=finding.summary,
        subject=subject,
        details=tuple(shown),
        symptoms=tuple(sorted(set(finding.symptoms))) if finding.verdict is Verdict.FAIL else (),
        figures=dict(sorted(finding.figures.items())),
    )


def per_vtgate(check: Named, history: History, judge: Callable[[Node], Finding]) -> tuple[CheckResult, ...]:
    """One result a vtgate."""
    if not history.vtgates:
        return (result(check, unknown("No vtgate was recorded, so there is nothing to look at.")),)
    return tuple(result(check, judge(node), node.name) for node in history.vtgates)


def offset(history_ns: int, since_ns: int) -> str:
    """A moment relative to another: "+3.21 s"."""
    return f"{seconds_between(since_ns, history_ns):+.2f} s"
