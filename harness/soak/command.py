"""`vtchaos soak`: runs all night, one after the other, drawn from one seed; a process for each, as with --count.

Every run is appended to runs.jsonl when it is over. A soak that ends, however it ends, is taken up with the number that
comes next: a run that was whole when its soak died is taken over, one that was not is set aside and made again.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import re
import secrets
import sys
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from clusters.software import RELEASES, Sources, vitess_release
from clusters.software.releases import release
from experiments import EXPERIMENTS
from harness.base import checkout, jsonio
from harness.base.errors import RunDirError, UsageError
from harness.base.goduration import budget_s
from harness.base.hostfacts import host_facts
from harness.base.rng import new_seed
from harness.base.rundir import RUNS as RUN_DIRS
from harness.base.taken_up import new_name, owned, taken_up
from harness.many.children import Stopping
from harness.options import SEED
from harness.soak import files
from harness.soak import text as soak_text
from harness.soak import weights as soak_weights
from harness.soak.drawing import drawing
from harness.soak.limits import expected_s
from harness.soak.soaking import Soaking
from harness.soak.values import SOAK, Soak, Weights

BUDGET = "8h"
KEEP = "20GB"
MOST_KEPT_BYTES = 10**18  # what a JSON file of ours can hold
SHOWN = 20  # drawings of a --dry-run without --runs
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B", re.IGNORECASE)


@click.command("soak")
@click.option("--budget", metavar="DURATION", help=f"No run is begun that would not end in time.  [default: {BUDGET}]")
@click.option("--seed", type=SEED, help="Everything that is drawn is drawn from it.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the soak; one that is there is taken up.")
@click.option("--resume", type=click.Path(path_type=Path), help="Take up the soak in this folder.")
@click.option("--weights", "weights_file", type=click.Path(path_type=Path), help="What is drawn from: a TOML file.")
@click.option("--runs", "most_runs", type=click.IntRange(1), metavar="N", help="No more than so many runs.")
@click.option("--keep", metavar="SIZE", help=f"How large the folder may become.  [default: {KEEP}]")
@click.option(
    "--releases", metavar="RELEASE[,RELEASE…]", help="What vtgates may be of.  [default: all that are installed]"
)
@click.option("--dry-run", is_flag=True, help=f"Show the first drawings ({SHOWN}, or --runs), and make none of them.")
def soak_command(
    *,
    budget: str | None,
    seed: int | None,
    out: Path | None,
    resume: Path | None,
    weights_file: Path | None,
    most_runs: int | None,
    keep: str | None,
    releases: str | None,
    dry_run: bool,
) -> None:
    """Make runs all night: `vtchaos soak --budget 8h --seed 1`.

    Experiments, their parameters, faults, releases, sizes and load are drawn from the seed. Some runs share a cluster
    as long as it is healthy; one in ten is a canary: the harness is broken on purpose, and a check must see it. Ctrl-C
    ends after the running run, SIGTERM at once; `vtchaos soak --resume FOLDER` goes on, with --budget from now. Exit
    code: 1 a finding, or a canary that was not caught; 4 the harness failed in too many runs; 130 interrupted; 3 most
    runs prove nothing; 0.
    """
    before, folder = _place(out, resume)
    if before is not None:
        _require_same(before, folder, seed=seed, weights_file=weights_file, releases=releases)
        soak = _again(before, budget=budget, from_now=resume is not None, most_runs=most_runs, keep=keep)
    else:
        weights = _weights(weights_file, releases)
        soak = _new(weights, seed=seed, budget=budget or BUDGET, most_runs=most_runs or 0, keep=keep or KEEP)
        _require_time(soak)
    if dry_run:
        for number in range(1, (most_runs or SHOWN) + 1):
            click.echo(soak_text.drawing_line(drawing(soak.seed, number, soak.weights)))
        return
    with owned(folder):
        jsonio.save(folder / SOAK, soak)
        sys.exit(_soaked(folder, soak))


def _soaked(folder: Path, soak: Soak) -> int:
    console = Console()
    console.print(f"soak into {folder}, seed {soak.seed}, until {soak.until}", highlight=False, soft_wrap=True)
    stopping = Stopping(console, log=None if console.is_terminal else folder / files.LOG)
    return Soaking(folder, soak, console, stopping).run()


# ---------------------------------------------------------------- the folder


def _place(out: Path | None, resume: Path | None) -> tuple[Soak | None, Path]:
    """What soaks in the folder already, if there is one. Raises UsageError, RunDirError."""
    if out is not None and resume is not None:
        raise UsageError("give --out for a new soak, --resume for one that is there")
    folder = (resume or out or RUN_DIRS / new_name("soak")).absolute()
    before = taken_up(folder, SOAK, Soak, what="soak")
    if resume is not None and before is None:
        raise RunDirError(f"{folder} holds no soak ({SOAK})")
    return before, folder


def _require_same(
    before: Soak, folder: Path, *, seed: int | None, weights_file: Path | None, releases: str | None
) -> None:
    """What is drawn from may not change in the middle of a soak. Raises UsageError."""
    if seed not in (None, before.seed):
        raise UsageError(f"the soak in {folder} has the seed {before.seed}; give another --out for another")
    for option, given in (("--weights", weights_file), ("--releases", releases)):
        if given is not None:
            raise UsageError(f"the soak in {folder} has its own {option}; leave it out, or give another --out")


def _again(before: Soak, *, budget: str | None, from_now: bool, most_runs: int | None, keep: str | None) -> Soak:
    """With the time that is left of its budget, or with another: from now, or from when the soak began. The latter is
    for a command that is given again as it was, as a service's is, and that is to make the night no longer."""
    soak = replace(
        before,
        ended=None,
        most_runs=before.most_runs if most_runs is None else most_runs,
        keep_bytes=before.keep_bytes if keep is None else _bytes(keep),
    )
    if budget is None:
        return soak
    begin = _now() if from_now else datetime.datetime.fromisoformat(before.begin)
    return replace(soak, budget_s=budget_s(budget), until=_stamp(begin + datetime.timedelta(seconds=budget_s(budget))))


def _require_time(soak: Soak) -> None:
    """Raises UsageError for a budget in which not even one run would be begun."""
    first = drawing(soak.seed, 1, soak.weights)
    needed_s = expected_s(first.lot, EXPERIMENTS[first.experiment].timeout_s, {})
    if soak.budget_s < needed_s:
        raise UsageError(
            f"--budget is {soak.budget_s:.0f} s, and the first run may take {needed_s:.0f} s: no run is begun that "
            "would not end in time"
        )


def _new(weights: Weights, *, seed: int | None, budget: str, most_runs: int, keep: str) -> Soak:
    lasts_s, begin = budget_s(budget), _now()
    return Soak(
        name=secrets.token_hex(3),
        seed=new_seed() if seed is None else seed,
        budget_s=lasts_s,
        most_runs=most_runs,
        keep_bytes=_bytes(keep),
        weights=weights,
        begin=_stamp(begin),
        until=_stamp(begin + datetime.timedelta(seconds=lasts_s)),
        harness_version=importlib.metadata.version("vitess-chaos"),
        commit=checkout.commit(),
        host=host_facts(),
    )


# ---------------------------------------------------------------- words


def _weights(file: Path | None, releases: str | None) -> Weights:
    return soak_weights.read(file or soak_weights.SHIPPED, _releases(releases))


def _releases(text: str | None) -> tuple[str, ...]:
    """Those that are named, or all of which a vtgate is installed. Raises PlanError for one that cannot be had."""
    if text is not None:
        return tuple(release(each.strip()).version for each in text.split(",") if each.strip())
    store = Sources.of_environment().store
    return tuple(version for version in RELEASES if "vtgate" in vitess_release.installed(store, version))


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--keep takes a size such as 20GB or 500MB, not {text!r}")
    number, prefix, binary = found.groups()
    size = float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " ")
    if size > MOST_KEPT_BYTES:
        raise UsageError(f"--keep takes at most {MOST_KEPT_BYTES / 1e12:,.0f} TB, not {text!r}")
    return int(size)


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)


def _stamp(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="seconds")
