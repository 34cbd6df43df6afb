"""What the rest of the harness gets to know about an installed program: values, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class VitessInstall:
    """Programs of one Vitess release. `source` says where they were found, or how they were made."""

    version: str
    programs: Mapping[str, Path]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlInstall:
    """A MySQL server. `basedir` suits VT_MYSQL_ROOT and --basedir; `messages_dir` is for lc-messages-dir.

    `env` must be in the environment of its programs (empty unless said otherwise). Without `semi_sync`
    the server has no semi-synchronous plugins, so the keyspace's durability policy must be "none".
    Set secure-file-priv yourself: the folder that Debian compiled in does not exist here, and mysqld
    would not start.
    """

    version: str
    flavour: str
    basedir: Path
    mysqld: Path
    mysql: Path | None
    plugin_dir: Path
    messages_dir: Path
    semi_sync: bool
    source: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdInstall:
    """The topology server."""

    version: str
    etcd: Path
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NftInstall:
    """The program that sets packet rules."""

    version: str
    nft: Path
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxiproxyInstall:
    """The proxy that delays connections."""

    version: str
    server: Path
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SysbenchInstall:
    """The load generator of the benchmarks. `scripts` holds oltp_*.lua; `env` lets them find each other."""

    version: str
    sysbench: Path
    scripts: Path
    source: str
    env: Mapping[str, str] = field(default_factory=dict)
