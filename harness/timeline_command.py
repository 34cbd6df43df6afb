"""`vtchaos timeline RUN_DIR`: everything that happened in a run, as lines in order of time."""

from __future__ import annotations

from pathlib import Path

import click

from harness import history
from harness.attribution.moments import Kind, Moment
from harness.attribution.timeline import Timeline
from harness.base.rundir import RunDir
from harness.reports.digest import digest

_ONLY_ASKED = (Kind.POSITION,)  # of every server at every look: a screenful before anything has happened
_USUAL = tuple(kind.value for kind in Kind if kind not in _ONLY_ASKED)
_KINDS = f"Only these. Without it, all but {', '.join(_ONLY_ASKED)}."


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("--from", "from_s", type=float, metavar="S", help="From this second on, as the reports count them.")
@click.option("--to", "to_s", type=float, metavar="S", help="Until this second.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice([kind.value for kind in Kind]), help=_KINDS)
@click.option("--subject", "subjects", multiple=True, metavar="NODE|SHARD", help="Only these, e.g. vttablet-100, -80.")
def timeline(
    run_dir: Path, from_s: float | None, to_s: float | None, kinds: tuple[str, ...], subjects: tuple[str, ...]
) -> None:
    """Print everything that happened in a recorded run, on one clock.

    A line: when it began, in seconds since what the reports count from; how long it lasted (~ for an instant); of
    which kind it is; what it is about; what it was.
    """
    seen = history.load(RunDir.open(run_dir))
    facts = digest(seen)
    everything = Timeline.of(seen)
    from_ns = seen.start_ns - 1 if from_s is None else facts.zero_ns + round(from_s * 1e9)
    ends = [moment.until_ns for moment in everything.moments]
    to_ns = max(ends, default=seen.end_ns) if to_s is None else facts.zero_ns + round(to_s * 1e9)
    click.echo(f"seconds since {facts.zero_words}")
    for moment in everything.between(from_ns, to_ns, kinds or _USUAL, subjects):
        click.echo(_line(moment, facts.zero_ns))


def _line(moment: Moment, zero_ns: int) -> str:
    lasted_ns = moment.until_ns - moment.at_ns
    lasted = f"{lasted_ns / 1e9:8.3f}" if lasted_ns else f"{'~':>8}"
    text = " ".join(moment.text.split())
    return f"{(moment.at_ns - zero_ns) / 1e9:+10.3f} {lasted}  {moment.kind:14} {moment.subject:16} {text}"
