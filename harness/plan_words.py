"""A plan for people: what `plan` prints, and `run` before it begins."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from harness import placement
from harness.model import LoadSpec, Placement, Plan, Workload
from harness.streams import Resume, StreamSpec


def show(made: Plan, console: Console) -> None:
    """The plan, a line for each part."""
    spec, load = made.cluster, made.load
    vtgates = ", ".join(spec.vtgate_version(index) for index in range(len(spec.vtgates)))
    console.print(f"[bold]{made.experiment}[/bold]  {made.why}", highlight=False)
    console.print(
        f"  {spec.shards} shards x {spec.tablets_per_shard} tablets on {made.backend}, Vitess {spec.vitess}, "
        f"vtgate {vtgates}",
        highlight=False,
    )
    if made.place != Placement():
        console.print(f"  placed with {escape(shlex.join(placement.words(made.place)))}", highlight=False)
    if spec.further_shards:
        console.print(f"  beside them {', '.join(spec.further_shards)}, which do not serve", highlight=False)
    for other in spec.others:
        console.print(
            f"  keyspace {other.name}: {other.shards} shards x {other.tablets_per_shard} tablets", highlight=False
        )
    for role, flags in (("vtgate", spec.vtgate_flags), ("vttablet", spec.vttablet_flags)):
        if flags:
            console.print(f"  {role}: {' '.join(_flag_words(flags))}", highlight=False)
    if load is not None:
        total = load.rate_per_shard * spec.shards * len(spec.vtgates)
        console.print(
            f"  load: {load.rate_per_shard:g}/s for each shard ({total:g}/s in all), {_load_words(load)}, "
            f"{load.connections_per_shard} {load.mode.value} connections for each shard",
            highlight=False,
        )
    if made.items is not None:
        console.print(f"  item tables: {made.items.tables} of {made.items.rows:,} rows", highlight=False)
    for stream in made.streams:
        console.print(f"  {_stream_words(stream)}", highlight=False)
    for note in made.notes:
        console.print(f"  [yellow]note[/yellow]: {note}", highlight=False)
    if made.sabotage:
        console.print(f"  [bold magenta]SABOTAGED on purpose[/bold magenta]: {made.sabotage}", highlight=False)
    if made.schedule:
        console.print(f"  {len(made.schedule)} faults as they were issued before", highlight=False)
    console.print(f"  seed {made.seed}, at most {made.timeout_s:g} s", highlight=False)


def _flag_words(flags: Mapping[str, str]) -> list[str]:
    return [f"--{flag}={value}" if value else f"--{flag}" for flag, value in flags.items()]


def _load_words(load: LoadSpec) -> str:
    return "changes of item rows" if load.workload is Workload.ITEMS else f"{load.write_share:.0%} writes"


def _stream_words(stream: StreamSpec) -> str:
    """One line about the streams of a plan."""
    slow = f", {stream.pause_ms:g} ms after every response" if stream.pause_ms else ""
    leaves = f", each ends after every {stream.leave_after} responses" if stream.leave_after else ""
    resume = {
        Resume.NONE: "an error ends it",
        Resume.CHECKPOINT: "after an error from its checkpoint",
        Resume.SCRATCH: "after an error from scratch",
    }[stream.resume]
    one = ", tables one by one" if stream.one_by_one else ""
    return (
        f"streams: {stream.count} through each vtgate, from {stream.tablet_type} tablets; {resume}{one}{slow}{leaves}"
    )
