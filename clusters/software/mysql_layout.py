"""Where the parts of a MySQL server lie, in the layouts of distributions, tarballs and our own cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clusters.software import versions
from clusters.software.installs import MysqlInstall
from clusters.software.store import Store

_MESSAGES = ("share/mysql", "share", "share/mysql-8.0", "share/mysql-8.4")
_PLUGINS = ("lib/mysql/plugin", "lib/plugin", "lib64/mysql/plugin")
_SEMI_SYNC = ("semisync_source.so", "semisync_master.so")


def described(mysqld: Path, version: str, source: str) -> MysqlInstall | None:
    """The parts that belong to a mysqld; None when its messages or plugins cannot be found."""
    base = mysqld.parent.parent
    messages = _first(base, _MESSAGES, "english/errmsg.sys") or _first(base, _MESSAGES, "english")
    plugins = _first(base, _PLUGINS, ".")
    if messages is None or plugins is None:
        return None
    client = base / "bin/mysql"
    return MysqlInstall(
        version=version,
        flavour="mysql",
        basedir=base,
        mysqld=mysqld,
        mysql=client if client.is_file() else None,
        plugin_dir=plugins,
        messages_dir=messages,
        semi_sync=any((plugins / name).is_file() for name in _SEMI_SYNC),
        source=source,
    )


def installed(kept: Store, wanted: Sequence[str]) -> MysqlInstall | None:
    """The newest wanted server in the cache."""
    manifests = (kept.installed(name) for name in kept.names("mysql-"))
    fitting = [row for row in manifests if row is not None and versions.matches(row.version, wanted)]
    if not fitting:
        return None
    best = max(fitting, key=lambda row: versions.key(row.version))
    base = kept.path(best.name)
    places = (base / "usr/sbin/mysqld", base / "bin/mysqld")
    mysqld = next((path for path in places if path.is_file()), None)
    return described(mysqld, best.version, best.how) if mysqld else None


def _first(base: Path, folders: Sequence[str], sign: str) -> Path | None:
    return next((base / folder for folder in folders if (base / folder / sign).exists()), None)
