"""What an image that we did not build holds: asked of the programs in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clusters import flags
from clusters.common.images import ImageStore
from clusters.flags import Binary
from clusters.images import parts
from clusters.software import EtcdInstall, MysqlInstall, VitessInstall, versions
from harness.base.errors import ClusterError

TIMEOUT_S = 60.0
# A container per image, not per question: each takes half a second. What the questions print is told apart by marks.
MARK = "==vtchaos=="
_PATH = "PATH=$PATH:/vt/bin:/usr/local/bin:/opt/bitnami/etcd/bin:/vt/mysql/sbin:/usr/sbin:/usr/bin"
_MESSAGES = ("share/mysql", "share", "share/mysql-8.0", "share/mysql-8.4", "share/mysql-9.0")
_PLUGINS = ("lib/mysql/plugin", "lib/plugin", "lib64/mysql/plugin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a container of an image sees."""

    user: int
    binaries: Mapping[str, Binary]
    etcd: EtcdInstall | None
    mysql: MysqlInstall | None
    nft: bool
    python: bool
    ours: frozenset[str]  # templates, and the file beside them, of an image that vtchaos has built

    def vitess(self, version: str, reference: str) -> VitessInstall:
        """Some version of the programs: the image's own word where they have one."""
        said = next(iter(self.binaries.values())).version if self.binaries else version
        paths = {name: binary.path for name, binary in self.binaries.items()}
        return VitessInstall(version=said, programs=paths, source=reference)


async def found(reference: str, programs: tuple[str, ...], *, store: ImageStore) -> Found:
    """Raises ClusterError when no container of it runs, or it has no shell."""
    try:
        text = await store.run(reference, ("/bin/sh", "-c", script(programs)), timeout_s=TIMEOUT_S)
    except ClusterError as error:
        raise ClusterError(f"the programs in the image {reference} cannot be asked: {error}") from None
    return read(text, programs, reference)


def script(programs: tuple[str, ...]) -> str:
    """Questions in the language of /bin/sh; each answer stands behind a mark."""
    lines = [_PATH, _says("user", "id -u"), _says("nft", "command -v nft"), _says("python", "command -v python3")]
    for name in (*programs, "etcd", "mysqld"):
        lines.append(_says(f"path {name}", f'readlink -f "$(command -v {name})"'))
        lines.append(_says(f"version {name}", f"{name} --version"))
    lines += [_says(f"help {name}", f"{name} --help") for name in programs]
    lines += ['base=$(dirname "$(dirname "$(readlink -f "$(command -v mysqld)")")")']
    folders = (*_PLUGINS, *(f"{folder}/english" for folder in _MESSAGES))
    lines.append(_says("folders", f"ls -d {_in_base(folders)}"))
    lines.append(_says("plugins", f"ls {_in_base(_PLUGINS)}"))
    lines.append(_says("templates", f"ls -d {parts.TEMPLATES}/* {parts.INIT_SQL}"))
    return "\n".join([*lines, "true"])


def read(text: str, programs: tuple[str, ...], reference: str) -> Found:
    """The answers to `script`."""
    answers = _answers(text)
    binaries = {}
    for name in programs:
        path = answers.get(f"path {name}", "")
        if _is_path(path):
            said = (answers.get(f"version {name}", ""), answers.get(f"help {name}", ""))
            binaries[name] = flags.parsed(Path(path), *said)
    return Found(
        user=int(answers.get("user") or 0),
        binaries=binaries,
        etcd=_etcd(answers, reference),
        mysql=_mysql(answers, reference),
        nft=_is_path(answers.get("nft", "")),
        python=_is_path(answers.get("python", "")),
        ours=frozenset(_paths(answers, "templates")),
    )


def _says(what: str, command: str) -> str:
    return f"echo '{MARK}{what}'; {command} 2>&1"


def _in_base(folders: tuple[str, ...]) -> str:
    return " ".join(f'"$base/{folder}"' for folder in folders)


def _answers(text: str) -> dict[str, str]:
    rows = (part.partition("\n") for part in text.split(MARK)[1:])
    return {what.strip(): answer.strip("\n") for what, _, answer in rows}


def _etcd(answers: Mapping[str, str], reference: str) -> EtcdInstall | None:
    path, version = answers.get("path etcd", ""), versions.parse(answers.get("version etcd", ""))
    return EtcdInstall(version=version, etcd=Path(path), source=reference) if _is_path(path) and version else None


def _paths(answers: Mapping[str, str], what: str) -> list[str]:
    """What `ls -d` found, without what it said of the rest."""
    return [row for row in answers.get(what, "").splitlines() if _is_path(row)]


def _is_path(answer: str) -> bool:
    """A shell's complaint begins with "/" too: `/bin/sh: 3: readlink: not found`."""
    return answer.startswith("/") and not any(sign.isspace() or sign == ":" for sign in answer)


def _mysql(answers: Mapping[str, str], reference: str) -> MysqlInstall | None:
    path, version = answers.get("path mysqld", ""), versions.parse(answers.get("version mysqld", ""))
    base, there = Path(path).parent.parent, _paths(answers, "folders")
    plugins = next((base / folder for folder in _PLUGINS if str(base / folder) in there), None)
    messages = next((base / folder for folder in _MESSAGES if str(base / folder / "english") in there), None)
    if not _is_path(path) or version is None or plugins is None or messages is None:
        return None
    names = answers.get("plugins", "").split()
    return MysqlInstall(
        version=version,
        flavour="mysql",
        basedir=base,
        mysqld=Path(path),
        mysql=None,
        plugin_dir=plugins,
        messages_dir=messages,
        semi_sync=not {"semisync_source.so", "semisync_master.so"}.isdisjoint(names),
        source=reference,
    )
