"""Goal: every line format that a process of the cluster writes is read for what it is: when, how grave, what.

The lines are recorded ones: 24.0.3 (`--log-format=text` and its JSON), 21.0.2 (glog), etcd 3.6, mysqld 9.7.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator

import pytest

from harness.vitess.logs import Parsed, parse

TODAY = datetime.date(2026, 11, 21)
AT = datetime.datetime(2026, 11, 21, 2, 57, 51, 762_000, tzinfo=datetime.UTC)


def ns(at: datetime.datetime) -> int:
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000


@pytest.fixture(params=["UTC", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """glog and 24's text lines carry the time of the machine's own zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "word, level",
    [("DBG", "info"), ("INF", "info"), ("WRN", "warning"), ("ERR", "error"), ("ERR+4", "error"), ("XYZ", "info")],
)
def test_text_lines_of_24(word: str, level: str, zone: str) -> None:
    parsed = parse(f"2026-11-21 02:57:51.762 UTC {word} buffer/shard_buffer.go:321 Starting buffering", today=TODAY)
    assert parsed == Parsed(ns(AT), level, "buffer/shard_buffer.go:321 Starting buffering")


def test_text_lines_of_24_in_another_zone(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    local = AT.astimezone()
    line = f"{local:%Y-%m-%d %H:%M:%S}.762 {local:%Z} ERR discovery/healthcheck.go:625 gone"
    assert parse(line, today=TODAY).wall_ns == ns(AT)


@pytest.mark.parametrize("letter, level", [("I", "info"), ("W", "warning"), ("E", "error"), ("F", "fatal")])
def test_glog_lines(letter: str, level: str, zone: str) -> None:
    local = AT.astimezone()
    line = f"{letter}{local:%m%d %H:%M:%S}.762000   51772 shard_buffer.go:321] Starting buffering for shard: ks/-80"
    assert parse(line, today=local.date()) == Parsed(
        ns(AT), level, "shard_buffer.go:321] Starting buffering for shard: ks/-80"
    )


def test_a_glog_line_of_last_year_read_in_the_new_one() -> None:
    parsed = parse("I1231 23:59:59.000000 1 x.go:1] late", today=datetime.date(2027, 1, 1))
    assert parsed.wall_ns == ns(datetime.datetime(2026, 12, 31, 23, 59, 59).astimezone())


def test_json_lines_of_24() -> None:
    line = (
        '{"time":"2026-11-21T02:57:51.762Z","level":"ERROR","source":{"function":"f","file":"x.go","line":1},'
        '"msg":"can\'t connect to syslog","err":"Unix syslog delivery error"}'
    )
    assert parse(line, today=TODAY) == Parsed(ns(AT), "error", "can't connect to syslog Unix syslog delivery error")


def test_json_lines_of_etcd() -> None:
    line = (
        '{"level":"warn","ts":"2026-11-21T02:57:51.762000Z","caller":"auth/store.go:1137","msg":"simple token is not '
        'cryptographically signed"}'
    )
    assert parse(line, today=TODAY) == Parsed(ns(AT), "warning", "simple token is not cryptographically signed")


@pytest.mark.parametrize(
    "word, level", [("System", "info"), ("Note", "info"), ("Warning", "warning"), ("ERROR", "error")]
)
def test_lines_of_mysqld(word: str, level: str) -> None:
    line = f"2026-11-21T02:57:51.762000Z 0 [{word}] [MY-010116] [Server] mysqld starting as process 14"
    assert parse(line, today=TODAY) == Parsed(ns(AT), level, "[MY-010116] [Server] mysqld starting as process 14")


@pytest.mark.parametrize("line", ["panic: runtime error: index out of range", "fatal error: all goroutines are asleep"])
def test_a_panic_has_no_time_and_is_fatal(line: str) -> None:
    assert parse(line, today=TODAY) == Parsed(0, "fatal", line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "goroutine 1 [running]:",
        "{not json}",
        '{"msg":"without a time"}',
        "I1399 02:40:12.123456 17 x.go:1] a month that does not exist",
        "2026-11-41 02:57:51.762 UTC ERR a day that does not exist",
        "2026-11-41T02:57:51.762000Z 0 [ERROR] a day that does not exist",
    ],
)
def test_anything_else_is_a_line_of_no_weight(line: str) -> None:
    assert parse(line, today=TODAY) == Parsed(0, "info", line)
