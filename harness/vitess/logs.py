"""Log lines of Vitess, etcd and mysqld processes: when, how grave, what.

Vitess up to 23 writes glog lines, `W1121 02:40:12.123456 17 file.go:12] text` (no year, local time); 24 with
`--log-format=text` writes `2026-11-21 02:40:12.123 UTC WRN file.go:12 text` (go/vt/log/flags.go, v0.24.3); 24's
default and etcd write JSON; mysqld writes `2026-11-21T02:40:12.123456Z 0 [ERROR] …`.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

import orjson

_GLOG = re.compile(r"^([IWEF])(\d{2})(\d{2}) (\d{2}):(\d{2}):(\d{2})\.(\d{6})\s+\d+ (.*)$", re.DOTALL)
_TEXT = re.compile(r"^(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{3}) (\S+) ([A-Z]{3})(?:[+-]\d+)? (.*)$", re.DOTALL)
_MYSQLD = re.compile(r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6})Z \d+ \[(\w+)\] (.*)$", re.DOTALL)
_LEVELS = {
    "I": "info",
    "W": "warning",
    "E": "error",
    "F": "fatal",
    "DBG": "info",
    "INF": "info",
    "WRN": "warning",
    "ERR": "error",
    "debug": "info",
    "note": "info",
    "system": "info",
    "warn": "warning",
    "panic": "fatal",
}
_HALF_A_YEAR = datetime.timedelta(days=183)


@dataclass(frozen=True, slots=True)
class Parsed:
    """`wall_ns` is 0 when the line carries no time (a continuation, a Go panic)."""

    wall_ns: int
    level: str  # info, warning, error, fatal
    text: str


def parse(line: str, *, today: datetime.date) -> Parsed:
    """One line of any of the formats; `today` supplies the year that glog leaves out."""
    try:
        parsed = _glog(line, today) or _text(line) or _mysqld(line) or _json(line)
    except ValueError:  # it has the form, but no date that exists
        parsed = None
    if parsed is not None:
        return parsed
    grave = line.startswith(("panic:", "fatal error:"))
    return Parsed(0, "fatal" if grave else "info", line)


def _glog(line: str, today: datetime.date) -> Parsed | None:
    match = _GLOG.match(line)
    if match is None:
        return None
    level, *numbers, text = match.groups()
    month, day, hour, minute, second, micros = (int(number) for number in numbers)
    year = today.year
    if datetime.date(year, month, day) > today + _HALF_A_YEAR:  # written on New Year's Eve, read on New Year's Day
        year -= 1
    at = datetime.datetime(year, month, day, hour, minute, second, micros).astimezone()
    return Parsed(_wall_ns(at), _LEVELS[level], text)


def _text(line: str) -> Parsed | None:
    match = _TEXT.match(line)
    if match is None:
        return None
    at = datetime.datetime.fromisoformat(match[1])  # of the zone that this machine has, or of UTC
    at = at.replace(tzinfo=datetime.UTC) if match[2] == "UTC" else at.astimezone()
    return Parsed(_wall_ns(at), _LEVELS.get(match[3], "info"), match[4])


def _mysqld(line: str) -> Parsed | None:
    match = _MYSQLD.match(line)
    if match is None:
        return None
    at = datetime.datetime.fromisoformat(match[1]).replace(tzinfo=datetime.UTC)
    return Parsed(_wall_ns(at), _level(match[2]), match[3])


def _json(line: str) -> Parsed | None:
    if not line.startswith("{"):
        return None
    fields = orjson.loads(line)
    at = datetime.datetime.fromisoformat(str(fields.get("time") or fields.get("ts")))
    extra = fields.get("error") or fields.get("err") or ""
    return Parsed(_wall_ns(at), _level(str(fields.get("level", "info"))), f"{fields.get('msg', '')} {extra}".strip())


def _wall_ns(at: datetime.datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000


def _level(word: str) -> str:
    lower = word.lower()
    return _LEVELS.get(lower, lower)
