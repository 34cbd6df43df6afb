"""Log lines of Vitess, etcd and mysqld processes: when, how grave, what.

Vitess up to 23 and 24 with `--log-format=text` write glog lines, `W1121 02:40:12.123456 17 file.go:12] text`
(no year, local time); 24's default and etcd write JSON; mysqld writes `2026-11-21T02:40:12.123456Z 0 [ERROR] …`.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

import orjson

_GLOG = re.compile(r"^([IWEF])(\d{2})(\d{2}) (\d{2}):(\d{2}):(\d{2})\.(\d{6})\s+\d+ (.*)$", re.DOTALL)
_MYSQLD = re.compile(r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6})Z \d+ \[(\w+)\] (.*)$", re.DOTALL)
_LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "fatal", "warn": "warning", "panic": "fatal"}


@dataclass(frozen=True, slots=True)
class Parsed:
    """`wall_ns` is 0 when the line carries no time (a continuation, a Go panic)."""

    wall_ns: int
    level: str  # info, warning, error, fatal
    text: str


def parse(line: str, *, today: datetime.date) -> Parsed:
    """One line of any of the formats; `today` supplies the year that glog leaves out."""
    if match := _GLOG.match(line):
        level, month, day, hour, minute, second, micros, text = match.groups()
        at = datetime.datetime(
            today.year, int(month), int(day), int(hour), int(minute), int(second), int(micros)
        ).astimezone()
        return Parsed(int(at.timestamp() * 1e9), _LEVELS[level], text)
    if match := _MYSQLD.match(line):
        when = datetime.datetime.fromisoformat(match[1]).replace(tzinfo=datetime.UTC)
        return Parsed(int(when.timestamp() * 1e9), _level(match[2]), match[3])
    if line.startswith("{"):
        parsed = _json(line)
        if parsed is not None:
            return parsed
    grave = line.startswith(("panic:", "fatal error:"))
    return Parsed(0, "fatal" if grave else "info", line)


def _json(line: str) -> Parsed | None:
    try:
        fields = orjson.loads(line)
        when = datetime.datetime.fromisoformat(str(fields.get("time") or fields.get("ts")))
    except ValueError:
        return None
    text = str(fields.get("msg", ""))
    extra = fields.get("error") or fields.get("err")
    return Parsed(
        int(when.timestamp() * 1e9), _level(str(fields.get("level", "info"))), f"{text} {extra or ''}".strip()
    )


def _level(word: str) -> str:
    lower = word.lower()
    return {"warn": "warning", "panic": "fatal", "note": "info", "system": "info", "debug": "info"}.get(lower, lower)
