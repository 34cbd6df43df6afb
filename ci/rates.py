"""How often an experiment shows a defect, over releases of vtgate: `python -m ci.rates health/late-request --runs 20`.

All releases stand side by side in one cluster, so that they see the same reparents. Every run is a new cluster: what
a vtgate believes of its shards outlives a run. A run counts for a vtgate where the assumptions held, whatever
it found. Runs that are in the folder already are not repeated: a measurement can be taken up again.

The runs are made by `vtchaos run --count`, and rates come with their intervals from `harness.statistics.rates`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.base import jsonio
from harness.model import CheckKind, CheckResult, RunVerdict, Verdict
from harness.statistics.rates import wilson

VTGATES = "21.0.2,21.0.3,22.0.4,24.0.3"
CHECK = "buffering/promotions"
SHOWN = "late"  # the figure of the check that counts what is looked for
CAUSE = "cause_"
RUN_WITHIN_S = 900.0  # each


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One vtgate in one run."""

    vtgate: str  # its release
    shown: bool
    causes: tuple[str, ...] = ()
    longest_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Rate:
    """What was seen of one release."""

    runs: int = 0
    shown: int = 0
    longest_s: float = 0.0
    causes: Counter[str] = field(default_factory=Counter)

    def add(self, seen: Seen) -> None:
        self.runs += 1
        self.shown += seen.shown
        self.longest_s = max(self.longest_s, seen.longest_s)
        self.causes.update(seen.causes)


def seen(verdict: RunVerdict, vtgates: Iterable[str]) -> Iterator[Seen]:
    """What a run says of each vtgate that it says something of; vtgate-1 is the first release."""
    for number, release in enumerate(vtgates, start=1):
        mine = [result for result in verdict.results if result.subject in ("", f"vtgate-{number}")]
        found = [result for result in mine if result.check == CHECK]
        if found and all(result.verdict is Verdict.PASS for result in mine if result.kind is CheckKind.ASSUMPTION):
            yield _seen(release, found[0])


def _seen(release: str, result: CheckResult) -> Seen:
    causes = tuple(name.removeprefix(CAUSE) for name in result.figures if name.startswith(CAUSE))
    longest_s = float(result.figures.get("longest_s", 0.0))
    return Seen(vtgate=release, shown=bool(result.figures.get(SHOWN)), causes=causes, longest_s=longest_s)


def rates(verdicts: Iterable[RunVerdict], vtgates: tuple[str, ...]) -> Mapping[str, Rate]:
    """Release → what was seen of it."""
    found = {release: Rate() for release in vtgates}
    for verdict in verdicts:
        for one in seen(verdict, vtgates):
            found[one.vtgate].add(one)
    return found


def table(found: Mapping[str, Rate]) -> str:
    """Markdown, for the report of a bug."""
    rows = ["| vtgate | runs | shown | rate, 95 % interval | longest | causes |", "|---|---|---|---|---|---|"]
    for release, rate in found.items():
        low, high = wilson(rate.shown, rate.runs)
        share = f"{rate.shown / rate.runs:.0%} ({low:.0%} to {high:.0%})" if rate.runs else "not measured"
        causes = ", ".join(f"{cause} {number}" for cause, number in sorted(rate.causes.items())) or "-"
        longest = f"{rate.longest_s:.1f} s" if rate.shown else "-"
        rows.append(f"| {release} | {rate.runs} | {rate.shown} | {share} | {longest} | {causes} |")
    return "\n".join(rows)


def verdicts_in(folder: Path) -> Iterator[RunVerdict]:
    """Of every run that came to one; runs that were broken off have been set aside under other names."""
    for run in sorted(folder.glob("[0-9][0-9][0-9]")):
        try:
            yield jsonio.load(run / "verdict.json", RunVerdict)
        except (OSError, ValueError) as error:
            print(f"{run.name}: no verdict: {error}", file=sys.stderr)


def main() -> int:
    """Run what is missing, and print the table."""
    given = _words()
    command = [sys.executable, "-m", "harness.cli", "run", given.experiment, "--vtgate", given.vtgate, "--plain"]
    more = ["--count", str(given.runs), "--out", str(given.out)]
    subprocess.run([*command, *given.more, *more], check=False, timeout=given.runs * RUN_WITHIN_S)
    verdicts = tuple(verdicts_in(given.out))
    print(f"\n{table(rates(verdicts, tuple(given.vtgate.split(','))))}", flush=True)
    return 0 if verdicts else 4


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ci.rates", description="how often a defect shows, by release")
    parser.add_argument("experiment")
    parser.add_argument("--vtgate", default=VTGATES, help="releases, side by side in one cluster")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/rates"), help="a folder for each run; kept")
    parser.add_argument("more", nargs="*", help="after --: more options of `vtchaos run`")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
