"""`vtchaos nights`: what a soak found, against the nights before it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from harness.base.errors import UsageError
from harness.nights import text
from harness.nights.files import MOST_NIGHTS, Past, before, known_soaks, read, renewed, soak_of


@click.command("nights")
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...", type=click.Path(path_type=Path))
@click.option(
    "--history",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of earlier soaks; may be given several times.  [default: the soaks beside FOLDER]",
)
@click.option(
    "--nights",
    "most",
    type=click.IntRange(0),
    default=MOST_NIGHTS,
    show_default=True,
    help="How many earlier nights tonight is held against; 0 = it is not compared.",
)
def nights_command(folders: tuple[Path, ...], history: tuple[Path, ...], most: int) -> None:
    """Tell what is new in a soak's night: `vtchaos nights runs/soak-20261121`.

    Compares with earlier soaks: new, resolved, ongoing and rare findings, known bugs, canaries, figures that changed.
    Of several FOLDERs the latest is tonight and the others are the nights before. Writes soak.html, summary.md,
    summary.txt, soak-report.json and junit.xml into tonight's. The exit code is the soak's: 1 for a finding or a canary
    that was not caught, 4 where the harness failed too often, 3 where most runs proved nothing, else 0.
    """
    if len(folders) > 1 and history:
        raise UsageError("several folders are the history themselves; give one FOLDER with --history, or no --history")
    for folder in folders:
        soak_of(folder)  # raises: one that is named must be there
    known, left_out = known_soaks(folders)
    *others, tonight = (folder for folder, _ in known)
    if others and most:
        past = Past(nights=tuple(read(folder) for folder in others[-most:]), left_out=tuple(left_out))
    else:
        past = before(tonight, history, most)
    made = renewed(tonight, past)
    text.show(made, Console(), folder=tonight)
    sys.exit(made.exit_code)
