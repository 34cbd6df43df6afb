"""The data directory that every tablet starts from: made once per MySQL and Vitess version, kept in the cache.

`mysqld --initialize` takes seconds, and so does a vttablet that becomes primary for the first time and
creates the forty tables of its sidecar database `_vt`. Both are done here once, by the real programs: a
cluster of one tablet is brought up from a bare directory, its history reset, and its directory kept without
what belongs to one server (auto.cnf, logs, temporary files). The keyspace's empty database stays, too: a
replica that misses it does not serve, and asks again only a second later.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from clusters.common import mysqld
from clusters.common.commands import Programs
from clusters.common.processes import Exit
from clusters.local import host, standup, supervision
from clusters.local.supervisor import datadir
from clusters.software import Sources
from clusters.software import store as stores
from clusters.software.store import Manifest, Store
from harness.base import procs, wait
from harness.base.errors import ClusterError
from harness.contracts import Observer
from harness.model import ClusterSpec, Event, Role
from harness.mysql.session import Answer, admin_session

FORMAT = 3  # raise it when the making changes
INITIALIZE_TIMEOUT_S = 120.0
SHUTDOWN_TIMEOUT_S = 60.0
STATEMENT_TIMEOUT_S = 60.0
_INIT_SQL = Path(mysqld.__file__).with_name("init_db.sql")
_OF_ONE_SERVER = ("auto.cnf", "binlog.*", "relay*", "ib_buffer_pool", "ibtmp1", "*.pid", "*.sock*", "*.err")
_DOUBLEWRITE = "#ib_*dblwr"  # made anew; one that is there is read at start, and 26 MB of memory stay taken
_EMPTIED = ("#innodb_temp", "performance_schema")  # the latter's files describe tables that are switched off


def name_of(programs: Programs, spec: ClusterSpec) -> str:
    """Everything that the content depends on is in the name; the keyspace is the spec's main one."""
    vitess = programs.vitess[spec.vitess].version
    content = f"{FORMAT}\n{_INIT_SQL.read_text()}\n{mysqld.small()}\n{mysqld.as_vitess_wants(programs.mysql.version)}"
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    return f"mysql-{programs.mysql.version}-vitess-{vitess}-{spec.keyspace}-{digest}"


async def ready(
    spec: ClusterSpec, programs: Programs, *, isolation: host.Isolation, observer: Observer
) -> Mapping[str, Path]:
    """Keyspace → its template's data directory; made now if it is not there. Raises ClusterError."""
    mains = (replace(spec, keyspace=keyspace.name, others=()) for keyspace in spec.keyspaces)
    return {main.keyspace: await _ready(main, programs, isolation, observer) for main in mains}


def there(spec: ClusterSpec, programs: Programs) -> Mapping[str, Path] | None:
    """What `ready` would return, when all of it is made already."""
    kept = _kept()
    mains = [replace(spec, keyspace=keyspace.name, others=()) for keyspace in spec.keyspaces]
    names = {main.keyspace: name_of(programs, main) for main in mains}
    if any(kept.installed(name) is None for name in names.values()):
        return None
    return {keyspace: kept.path(name) / "data" for keyspace, name in names.items()}


def _kept() -> Store:
    return Store(Sources.of_environment().cache_dir / "templates")


async def _ready(spec: ClusterSpec, programs: Programs, isolation: host.Isolation, observer: Observer) -> Path:
    kept = _kept()
    name = name_of(programs, spec)
    if kept.installed(name) is None:
        observer.on_progress("making the template data directory (once)", None, None)
        async with kept.installing(name, _Quiet()) as staging:
            if kept.installed(name) is None:
                await _make(staging, spec, programs, isolation)
                made = staging / "template"
                how = "mysqld --initialize-insecure, then one vttablet that became primary"
                version = programs.mysql.version
                manifest = Manifest(name=name, version=version, how=how, files=stores.facts(made))
                kept.commit(made, manifest)
    return kept.path(name) / "data"


async def _make(staging: Path, spec: ClusterSpec, programs: Programs, isolation: host.Isolation) -> None:
    bare = staging / "bare"
    await _initialize(bare, programs, isolation)
    _trim(bare / "data")
    made = staging / "template" / "data"
    await _with_sidecar(staging, bare / "data", made, spec, programs, isolation)
    _trim(made)
    datadir.dig_holes(made)


async def _initialize(folder: Path, programs: Programs, isolation: host.Isolation) -> None:
    """A bare data directory with Vitess's users."""
    for path in (folder, folder / "data", folder / "tmp"):
        path.mkdir()
        if (uid := host.owner()) is not None:
            os.chown(path, uid, uid)
    cnf = folder / "my.cnf"
    mysql = programs.mysql
    cnf.write_text(mysqld.my_cnf(mysql=mysql, folder=folder, server_id=1, address=host.LOOPBACK, port=0, overrides={}))
    argv: list[str | Path] = [
        mysql.mysqld,
        f"--defaults-file={cnf}",
        "--initialize-insecure",
        f"--init-file={_INIT_SQL}",
    ]
    log = folder / "initialize.log"
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    config = supervision.config(isolation=isolation.kind, uid=host.owner())
    async with supervision.owned(config, log=folder / "supervisor.log") as supervisor:
        supervisor.on_exit(lambda end: None if ended.done() else ended.set_result(end))
        await supervisor.spawn("mysqld", argv, cwd=folder, env=dict(mysql.env), log=log)
        end = await wait.finish("mysqld --initialize-insecure", ended, timeout_s=INITIALIZE_TIMEOUT_S)
    if end.status != 0:
        raise ClusterError(f"mysqld --initialize-insecure ended with {end.how}:\n{procs.tail_of(log)}")


async def _with_sidecar(
    staging: Path, bare: Path, made: Path, spec: ClusterSpec, programs: Programs, isolation: host.Isolation
) -> None:
    """Let a vttablet of the spec's release become primary, take its traces away, keep the directory."""
    one = ClusterSpec(
        keyspace=spec.keyspace,
        shards=1,
        tablets_per_shard=1,
        vitess=spec.vitess,
        durability_policy="none",
        vtgates=(),
    )
    async with standup.stood_up(
        one,
        programs,
        templates={one.keyspace: bare},
        folder=staging / "one",
        logs=staging / "one-logs",
        isolation=isolation,
        in_memory=False,
        observer=_Quiet(),
    ) as cluster:
        (vttablet,) = cluster.nodes(Role.VTTABLET)
        (server,) = cluster.nodes(Role.MYSQLD)
        await cluster.stop(vttablet, timeout_s=SHUTDOWN_TIMEOUT_S)
        await _forget(cluster.address(server, "mysql"), programs.mysql.version)
        await cluster.stop(server, timeout_s=SHUTDOWN_TIMEOUT_S)
        made.parent.mkdir()
        shutil.copytree(cluster.layout.folder(server) / "data", made)


async def _forget(address: tuple[str, int], version: str) -> None:
    """Leave the sidecar's empty tables and the users, and no history."""
    reset = "RESET BINARY LOGS AND GTIDS" if mysqld.version_key(version) >= (8, 2) else "RESET MASTER"
    async with admin_session(*address, user=mysqld.ADMIN_USER) as session:

        async def run(statement: str) -> Answer:
            return (await session.query(statement, timeout_s=STATEMENT_TIMEOUT_S)).require(f"{statement} in a template")

        for statement in ("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF", "SET sql_log_bin = 0"):
            await run(statement)
        tables = await run("SELECT table_name FROM information_schema.tables WHERE table_schema = '_vt'")
        for (table,) in tables.rows:
            await run(f"TRUNCATE TABLE _vt.`{table}`")
        await run(reset)
        await run("SET GLOBAL innodb_fast_shutdown = 0")


def _trim(data: Path) -> None:
    for pattern in (*_OF_ONE_SERVER, _DOUBLEWRITE):
        for path in data.glob(pattern):
            path.unlink()
    for name in _EMPTIED:
        for path in (data / name).glob("*"):
            path.unlink()


class _Quiet:
    """Nobody watches the making of a template."""

    def on_event(self, event: Event) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        return
