"""my.cnf and command line of one mysqld: small, quick to start, and keeping every acknowledged commit.

The durability that a chaos test needs is that of the process, not of the machine: after `kill -9` of mysqld
everything acknowledged must be there. What mysqld has written is in the kernel's page cache by then, so no
fsync is needed (`innodb_flush_method=nosync`, `sync_binlog=0`), but the redo log must be *written* at each
commit: `innodb_flush_log_at_trx_commit=2`, never 0. The doublewrite buffer stays on, because a SIGKILL can
cut a 16 KiB page write between two 4 KiB pages of the page cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clusters.software.installs import MysqlInstall

SOCKET = "mysql.sock"  # relative to the data directory: a socket's path holds only 107 characters
ADMIN_USER = "vtchaos"  # all rights from everywhere, no password: the harness's own way in
MAX_CONNECTIONS = 500  # as in Vitess's own default.cnf


def version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split(".") if part.isdigit())


def small() -> dict[str, str]:
    """What keeps a mysqld of a test cluster small and quick to start."""
    return {
        "performance_schema": "OFF",
        "innodb_buffer_pool_size": "24M",
        "innodb_log_buffer_size": "1M",
        "loose_innodb_redo_log_capacity": "8M",
        "loose_innodb_doublewrite_pages": "4",  # 9.x reads the whole buffer into memory at start: 50 MB by default
        "loose_innodb_doublewrite_batch_size": "4",
        "innodb_use_native_aio": "0",  # 62 of them exhaust fs.aio-max-nr
        "innodb_flush_method": "nosync",
        "innodb_flush_log_at_trx_commit": "2",
        "sync_binlog": "0",
        "innodb_buffer_pool_dump_at_shutdown": "OFF",
        "innodb_buffer_pool_load_at_startup": "OFF",
        "innodb_page_cleaners": "1",
        "innodb_purge_threads": "1",
        "innodb_read_io_threads": "1",
        "innodb_write_io_threads": "1",
        "key_buffer_size": "8",
        "mysqlx": "0",
        "event_scheduler": "OFF",
    }


def as_vitess_wants(version: str) -> dict[str, str]:
    """Vitess's own default.cnf and mysql80.cnf, mysql8026.cnf, mysql90.cnf (v0.24.3, config/mycnf)."""
    renamed = version_key(version) >= (8, 0, 26)
    source, replica, old_source = ("source", "replica", "") if renamed else ("master", "slave", "master")
    plugins = f"rpl_semi_sync_{source}=semisync_{source}.so;rpl_semi_sync_{replica}=semisync_{replica}.so"
    return {
        "gtid_mode": "ON",
        "enforce_gtid_consistency": "ON",
        "log_bin": "binlog",
        "relay_log": "relay",
        "relay_log_recovery": "1",
        f"skip_{replica}_start": "ON",
        f"{replica}_net_timeout": "8",
        "super_read_only": "ON",
        "plugin_load": plugins,
        f"loose_rpl_semi_sync_{source}_timeout": "1000000000000000000",
        f"loose_rpl_semi_sync_{source}_wait_no_{'slave' if old_source else 'replica'}": "1",
        "skip_name_resolve": "ON",
        "connect_timeout": "30",
        "innodb_lock_wait_timeout": "20",
        "max_allowed_packet": "64M",
        "max_connections": str(MAX_CONNECTIONS),
    }


def my_cnf(
    *, mysql: MysqlInstall, folder: Path, server_id: int, address: str, port: int, overrides: Mapping[str, str]
) -> str:
    """The whole file. vttablet reads it too, and wants `server-id`, `port`, `socket` and `datadir` there."""
    settings = {
        "datadir": str(folder / "data"),
        "socket": SOCKET,
        "pid_file": "mysqld.pid",
        "tmpdir": str(folder / "tmp"),
        "basedir": str(mysql.basedir),
        "plugin_dir": str(mysql.plugin_dir),
        "lc_messages_dir": str(mysql.messages_dir),
        "secure_file_priv": "",  # the packaged default is a folder that may not exist
        "bind_address": address,
        "port": str(port),
        "server_id": str(server_id),
        **as_vitess_wants(mysql.version),
        **small(),
    }
    for key, value in overrides.items():
        spelled = key.replace("-", "_")
        settings.pop(f"loose_{spelled}", None)
        settings[spelled] = value
    rows = "".join(f"{key} = {value}\n" for key, value in settings.items())
    return f"[mysqld]\n{rows}"
