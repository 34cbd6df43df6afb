"""How each binary spells its flags: asked of the binary itself.

Vitess 23.0 moved most flags from underscores to dashes (PR #18280). 23 and 24 take both spellings, 25 only
dashes, and 22 and earlier only the exact old one, where some flags were dashed all along (`--tablet-path`,
`--queryserver-config-*`) and others (`--log-format`) did not exist. `--help` lists the exact spelling in
every release, so that no list of ours can be wrong, also for a binary that somebody built himself.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.base import procs
from harness.base.errors import SoftwareError, UsageError

HELP_TIMEOUT_S = 30.0

_VERSION = re.compile(r"\bVersion: (\d+\.\d+\.\d+\S*)")
# pflag's words (its errors.go) for a value that does not fit, a value that is missing, a flag that is not there.
# In the log they stand alone before the usage text, and once more behind it: as glog (to 23) or as JSON (24).
_COMPLAINT = re.compile(
    r"""(invalid argument .*? for ".*?" flag: .*|flag needs an argument: .*|unknown (?:shorthand )?flag: .*)"""
)
_FLAG = re.compile(r"^ +(?:-\w, )?--([a-zA-Z][\w-]*)(?:[ =\[]|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A Vitess program: its release and the flags that it knows, in its own spelling."""

    path: Path
    version: str
    flags: frozenset[str]

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def knows(self, flag: str) -> bool:
        return self._spelling(flag) is not None

    def arguments(self, flags: Mapping[str, str], *, if_known: Iterable[str] = ()) -> list[str]:
        """`--flag=value` words for flags in dashed spelling without leading dashes; "" is the bare flag.

        Flags named in `if_known` are left out where the release does not have them.
        Raises UsageError for any other flag that this binary does not know.
        """
        optional = frozenset(if_known)
        words = []
        for flag, value in flags.items():
            spelling = self._spelling(flag)
            if spelling is not None:
                words.append(f"--{spelling}={value}" if value else f"--{spelling}")
            elif flag not in optional:
                raise UsageError(self._unknown(flag))
        return words

    def unknown(self, flags: Iterable[str]) -> list[str]:
        """A sentence for every flag that this binary does not know."""
        return [self._unknown(flag) for flag in flags if not self.knows(flag)]

    def _spelling(self, flag: str) -> str | None:
        for spelling in (flag.replace("_", "-"), flag.replace("-", "_"), flag):
            if spelling in self.flags:
                return spelling
        wanted = flag.replace("_", "-")  # e.g. a flag that mixes both
        return next((known for known in self.flags if known.replace("_", "-") == wanted), None)

    def _unknown(self, flag: str) -> str:
        known = [each.replace("_", "-") for each in self.flags]
        close = difflib.get_close_matches(flag.replace("_", "-"), known, n=1)
        hint = f"; did you mean --{close[0]}?" if close else ""
        return f"{self.path.name} {self.version} has no flag --{flag}{hint}"


def complaint(text: str) -> str:
    """What a program says of a flag that it cannot take, out of what it printed; "" when it says no such thing.

    Its usage text, hundreds of lines, stands around it.
    """
    for line in text.splitlines():
        found = _COMPLAINT.search(_message(line))
        if found is not None:
            return found[1]
    return ""


def _message(line: str) -> str:
    """The message of a structured log line, where quotes are escaped; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        return str(json.loads(line).get("msg", ""))
    except ValueError:
        return line


async def refused_value(binary: Binary, flags: Mapping[str, str]) -> str:
    """A sentence for the first of these flags whose value the program does not take; "" when it takes them all.

    It is asked: with `--help` it reads its command line and does nothing else. Flags that it does not know are left
    out. What it reads only later (a file, an address) is not tried.
    """
    words = binary.arguments(flags, if_known=flags)
    if not words:
        return ""
    done = await procs.run([binary.path, *words, "--help"], timeout_s=HELP_TIMEOUT_S, check=False)
    said = complaint(done.output) if done.returncode else ""
    return f"{binary.path.name} {binary.version}: {said}" if said else ""


def parsed(path: Path, version_text: str, help_text: str) -> Binary:
    """A Binary from what it prints. Raises SoftwareError when that is not a Vitess program's output."""
    version = _VERSION.search(version_text)
    flags = frozenset(_FLAG.findall(help_text))
    if version is None or not flags:
        shown = (version_text or help_text).strip().splitlines()[:1]
        raise SoftwareError(f"{path} does not look like a Vitess program: --version and --help printed {shown}")
    return Binary(path=path, version=version[1], flags=flags)


_known: dict[tuple[str, int, int], Binary] = {}


async def inspect(path: Path) -> Binary:
    """Ask a program for its version and flags (0.1 s of CPU; remembered while the file stays the same)."""
    stat = path.stat()
    key = (str(path), stat.st_mtime_ns, stat.st_size)
    if key not in _known:
        version, text = await asyncio.gather(
            procs.run([path, "--version"], timeout_s=HELP_TIMEOUT_S),
            procs.run([path, "--help"], timeout_s=HELP_TIMEOUT_S),
        )
        _known[key] = parsed(path, version.output, text.output)
    return _known[key]
