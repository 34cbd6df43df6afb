"""Does a mysqld know the settings of a spec, and take their values? It is asked, before anything starts.

With `--verbose --help` it lists its options, and reads its command line as it would at a start (0.03 s).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from clusters.common.mysqld import as_vitess_wants
from clusters.software.installs import MysqlInstall
from harness.base import procs
from harness.base.errors import ProcessError

HELP_TIMEOUT_S = 30.0
# What an option may begin with beside its name (MySQL manual, "Program Option Modifiers").
_MODIFIERS = ("skip-", "disable-", "enable-", "maximum-")
_LOOSE = "loose-"  # "ignore it if you do not know it"
_OPTION = re.compile(r"^  (?:-\S, )?--([a-z][a-z0-9-]*)", re.MULTILINE)
_REFUSED = re.compile(r"Error while setting value '(.*)' to '([\w-]+)'")


async def refused(mysql: MysqlInstall, settings: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for every setting that this server does not know, or whose value it does not take; () also when
    it does not say what it knows."""
    if not settings:
        return ()
    options = frozenset(_OPTION.findall(await _help(mysql)))
    if not options:
        return ()
    known = {key: value for key, value in settings.items() if _knows(options, key)}
    unknown = [_unknown(mysql, options, key) for key in settings if key not in known]
    said = await _help(mysql, known)
    return (*unknown, *(f"mysqld {mysql.version} does not take {key} = {value}" for value, key in _refusals(said)))


def _knows(options: frozenset[str], key: str) -> bool:
    """MySQL takes underscores for dashes, and no abbreviations (8.0.15 and 9.7.4, tried)."""
    option = key.replace("_", "-")
    bare = {option.removeprefix(modifier) for modifier in _MODIFIERS}
    return option.startswith(_LOOSE) or not options.isdisjoint({option, *bare})


def _unknown(mysql: MysqlInstall, options: frozenset[str], key: str) -> str:
    close = difflib.get_close_matches(key.replace("_", "-"), options, n=1)
    hint = f"; did you mean {close[0].replace('-', '_')}?" if close else ""
    return f"mysqld {mysql.version} has no setting {key}{hint}"


def _refusals(said: str) -> list[tuple[str, str]]:
    return list(dict.fromkeys(_REFUSED.findall(said)))


async def _help(mysql: MysqlInstall, settings: Mapping[str, str] | None = None) -> str:
    """What mysqld prints. With its plugins, as a cluster's has them: their options are its options."""
    plugins = as_vitess_wants(mysql.version)["plugin_load"] if mysql.semi_sync else ""
    words = [f"--plugin-dir={mysql.plugin_dir}", f"--plugin-load={plugins}"] if plugins else []
    words += [f"--{key}={value}" for key, value in (settings or {}).items()]
    argv: list[str | Path] = [mysql.mysqld, "--no-defaults", *words, "--verbose", "--help"]
    try:
        return (await procs.run(argv, timeout_s=HELP_TIMEOUT_S, env=mysql.env, check=False)).output
    except ProcessError:
        return ""
