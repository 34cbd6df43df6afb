"""`ci/regression`, or `python -m ci.suite` where everything is installed: see docs/how-to/ci.md."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ci.suite import building, deciding, installing, words
from ci.suite.making import Suite
from ci.suite.table import SUITE, Part
from ci.suite.values import Asked, Begun, Build, Result, Strictness
from clusters import BACKENDS, software
from experiments import EXPERIMENTS
from harness.base import jsonio
from harness.base.errors import RunDirError, UsageError, VtchaosError
from harness.base.exit_codes import EXIT_FINDING, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS
from harness.base.goduration import budget_s
from harness.base.rundir import RUNS
from harness.base.taken_up import new_name, owned, taken_up
from harness.facts.words import counted
from harness.many.children import refusal
from harness.placement import DEFAULT_BACKEND

BEGUN = "suite.json"
MOST_SEED = 2**63 - 1  # as numbers in JSON go
STYLES = {EXIT_PASS: "bold green", EXIT_FINDING: "bold red", EXIT_HARNESS: "bold magenta"}
CODES = """\
exit codes: 0 every experiment passed, or showed the known bugs of these versions and nothing else; 1 a finding;
2 usage; 3 no finding and no whole answer (a run proved nothing, or was not begun); 4 the harness or its host failed,
which says nothing about Vitess; 130 interrupted"""


def main(given: Sequence[str] | None = None) -> int:
    words_given = _parser().parse_args(given)
    console = Console()
    try:
        return _run(words_given, console)
    except VtchaosError as error:
        print(f"ci/regression: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("ci/regression: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run(given: argparse.Namespace, console: Console) -> int:
    parts = deciding.chosen(SUITE, given.only)
    if not parts:
        raise UsageError(f"no experiment of the suite is named {' or '.join(given.only)}; --list shows them")
    if given.list:
        _show(parts, console)
        return 0
    asked, lasts_s, strictness = _asked(given), budget_s(given.budget), _strictness(given)
    folder = (given.out or RUNS / new_name("regression")).absolute()
    _fits(folder, asked)
    if given.install and (asked.backend or DEFAULT_BACKEND) == DEFAULT_BACKEND:
        asyncio.run(installing.installed(asked, parts))
    refused = refusal(asked.words(parts[0], len(EXPERIMENTS[parts[0].experiment].cluster.vtgates)))
    if refused:
        raise UsageError(refused)
    with owned(folder):
        begun = _begun(folder, asked, asyncio.run(building.build(asked, parts)))
        jsonio.save(folder / BEGUN, begun)
        title = asked.title(begun.build.said)
        many = counted(len(parts), "experiment")
        console.print(Text(f"{title}: {many} into {folder}, seed {asked.seed}"), soft_wrap=True)
        found = Suite(folder, begun, parts, strictness, budget_s=lasts_s, console=console).run()
        _told(found, folder, console)
    return found.exit_code


def _asked(given: argparse.Namespace) -> Asked:
    if given.backend and given.backend not in BACKENDS:
        raise UsageError(f"--backend takes {', '.join(BACKENDS)}, not {given.backend}")
    if given.image and (given.backend or DEFAULT_BACKEND) == DEFAULT_BACKEND:
        raise UsageError("--image goes with --backend docker or kubernetes")
    return Asked(
        vitess=_place(given.vitess),
        vtgate=",".join(_place(each) for each in given.vtgate.split(",")),
        mysql=_place(given.mysql),
        image=given.image,
        backend=given.backend,
        seed=given.seed,
    )


def _place(release: str) -> str:
    """A folder of binaries is the same from wherever the command is given again."""
    release = release.strip()
    return str(Path(release).expanduser().absolute()) if "/" in release else release


def _strictness(given: argparse.Namespace) -> Strictness:
    issues = {bug.issue for experiment in EXPERIMENTS.values() for bug in experiment.known_bugs}
    strange = [issue for issue in given.fixed if issue not in issues]
    if strange:
        raise UsageError(f"--fixed {strange[0]}: no known bug has this name; docs/reference/experiments.md lists them")
    return Strictness(every=given.strict, fixed=tuple(given.fixed))


def _fits(folder: Path, asked: Asked) -> Begun | None:
    """What the folder says of itself, if it holds runs of the same words. Raises RunDirError."""
    there = taken_up(folder, BEGUN, Begun, what="suite")
    if there is not None and there.asked != asked:
        words = f"`{there.asked.command}`, not of `{asked.command}`"
        raise RunDirError(f"{folder} has a suite of {words}; give another --out")
    return there


def _begun(folder: Path, asked: Asked, build: Build) -> Begun:
    """The same, of the same build: what was run before it was built again says nothing about this one. Raises
    RunDirError."""
    there = _fits(folder, asked)
    if there is None:
        return Begun(asked=asked, build=build)
    strange = list(building.differences(there.build, build))
    if strange:
        raise RunDirError(f"{folder} has runs of another build ({'; '.join(strange)}); give another --out")
    return Begun(asked=asked, build=building.both(there.build, build))


def _show(parts: Sequence[Part], console: Console) -> None:
    for part in parts:
        console.print(Text(f"{part.experiment:30} {part.takes_s:3.0f} s  {part.why}"), soft_wrap=True)
    console.print(Text(f"{len(parts)} experiments, about {sum(part.takes_s for part in parts) / 60:.0f} minutes"))


def _told(found: Result, folder: Path, console: Console) -> None:
    style = STYLES.get(found.exit_code, "bold yellow")
    verdict = words.VERDICTS.get(found.exit_code, str(found.exit_code))
    console.print(Text(f"\n{verdict}: {found.answer}", style=style), soft_wrap=True)
    console.print(Text(f"{words.budget(found)} {folder}/index.html, summary.md, junit.xml"), soft_wrap=True)
    if found.exit_code not in (EXIT_PASS, EXIT_FINDING):
        console.print(Text(f"The same command with --out {shlex.quote(str(folder))} goes on."), soft_wrap=True)


def _seed(text: str) -> int:
    """Raises ArgumentTypeError."""
    try:
        found = int(text)
    except ValueError:
        found = -1
    if not 0 <= found <= MOST_SEED:
        raise argparse.ArgumentTypeError(f"a whole number from 0 to {MOST_SEED}, not {text!r}")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ci/regression",
        description="Does this Vitess still protect its clients? Runs the experiments of ci/suite/table.py against it.",
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--vitess",
        default=software.DEFAULT_RELEASE,
        metavar="RELEASE|DIR",
        help="of all components (default: %(default)s)",
    )
    add("--vtgate", default="", metavar="RELEASE|DIR[,…]", help="of the vtgates alone")
    add("--mysql", default="", metavar="SERIES|DIR", help="MySQL server, e.g. 8.0 for vttablets before 22")
    add(
        "--image", default="", metavar="REF", help="image of all Vitess components, with --backend docker or kubernetes"
    )
    add(
        "--backend",
        default="",
        metavar="|".join(BACKENDS),
        help=f"where the clusters stand (default: {DEFAULT_BACKEND})",
    )
    add("--budget", default="30m", metavar="TIME", help="what would not end in it is not begun (default: %(default)s)")
    add(
        "--only", action="append", default=[], metavar="PATTERN", help="experiments with this in their name; repeatable"
    )
    add("--seed", type=_seed, default=1, help="every run's seed is drawn from it (default: %(default)s)")
    add("--strict", action="store_true", help="known bugs that show are findings, unless they are designs")
    add(
        "--fixed",
        action="append",
        default=[],
        metavar="ISSUE",
        help="this known bug is a finding if it shows; repeatable",
    )
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="runs of this build that it has are not made again (default: a new one in runs)",
    )
    add("--list", action="store_true", help="show the experiments")
    add("--install", action="store_true", help=argparse.SUPPRESS)  # ci/regression's
    return parser
