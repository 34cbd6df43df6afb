"""Goal: a setting that mysqld would refuse at its start is refused before anything starts, and no other.

Method: a program that prints what mysqld 9.7.4 prints, cut short; the installed mysqlds are asked in tests/cluster.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusters.common import settings
from clusters.software import MysqlInstall
from tests.unit.local_fakes import mysql_install

HELP = """\
mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))
Usage: mysqld [OPTIONS]
--no-defaults           Don't read default options from any option file,
  --max-connections=# The number of simultaneous clients allowed
  --innodb-buffer-pool-load-at-startup
                      Load the buffer pool. Use --skip-everything to say no.
  -u, --user=name     Run mysqld daemon as user.
  --mysqlx-max-connections[=#]
"""
WITH_PLUGIN = "  --rpl-semi-sync-source-timeout=#\n"
REFUSED = "[ERROR] [MY-000077] [Server] /x/mysqld: Error while setting value 'abc' to 'max_connections'."


@pytest.fixture
def mysql(tmp_path: Path) -> MysqlInstall:
    program = tmp_path / "mysqld"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path / "calls"}\n'
        f'case "$*" in *--max_connections=abc*) echo "{REFUSED}"; exit 1;; esac\n'
        f'cat <<"EOF"\n{HELP}EOF\n'
        f'case "$*" in *--plugin-load=*semisync*) echo "{WITH_PLUGIN}";; esac\n'
    )
    program.chmod(0o755)
    return replace(mysql_install(), mysqld=program)


@pytest.mark.parametrize(
    "key",
    [
        "max_connections",
        "max-connections",
        "user",
        "loose_nonsense",
        "skip_innodb_buffer_pool_load_at_startup",
        "maximum-max-connections",
        "rpl_semi_sync_source_timeout",
    ],
)
async def test_settings_that_it_knows(mysql: MysqlInstall, key: str) -> None:
    assert await settings.refused(mysql, {key: "1"}) == ()


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("nonsense", ""),
        ("max_connection", "; did you mean max_connections?"),
        ("skip_everything", ""),  # only in a description
        ("no_defaults", ""),
    ],
)
async def test_settings_that_it_does_not_know(mysql: MysqlInstall, key: str, hint: str) -> None:
    assert await settings.refused(mysql, {key: "1"}) == (f"mysqld 9.7.4 has no setting {key}{hint}",)


async def test_values_that_it_does_not_take(mysql: MysqlInstall) -> None:
    assert await settings.refused(mysql, {"max_connections": "abc", "nonsense": "1"}) == (
        "mysqld 9.7.4 has no setting nonsense",
        "mysqld 9.7.4 does not take max_connections = abc",
    )


async def test_a_server_without_the_plugin_has_not_its_settings(mysql: MysqlInstall) -> None:
    without = replace(mysql, semi_sync=False)
    assert await settings.refused(without, {"rpl_semi_sync_source_timeout": "1"}) != ()


async def test_nothing_is_asked_where_nothing_is_set(mysql: MysqlInstall, tmp_path: Path) -> None:
    assert await settings.refused(mysql, {}) == ()
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("mysqld", ["/bin/true", "/nonexistent/mysqld"])
async def test_a_server_that_does_not_say_what_it_knows_refuses_nothing(mysql: MysqlInstall, mysqld: str) -> None:
    assert await settings.refused(replace(mysql, mysqld=Path(mysqld)), {"nonsense": "1"}) == ()
