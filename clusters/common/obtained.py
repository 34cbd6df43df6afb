"""The programs that one spec needs, found or installed: nothing else is built."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from clusters import flags, software
from clusters.common import commands, settings
from clusters.common.commands import VITESS_ROLES, Programs, startable
from clusters.software import MysqlInstall, Sources, VitessInstall, releases
from harness.base.clock import now_ns
from harness.base.errors import PlanError, SoftwareError
from harness.contracts import Observer
from harness.model import ClusterSpec, Event


class _Nobody:
    """Finding is quick; nobody watches."""

    def on_event(self, event: Event) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return


class _Shown:
    """An installer's steps as progress of the run."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        self._observer.on_progress(what, done, total)


async def refusals(spec: ClusterSpec) -> tuple[str, ...]:
    """What cannot work with the programs that the spec names, as far as it shows without installing any."""
    there = Sources.of_environment(install=False)
    reasons = unknown_releases(spec) or await unusable(spec, there)
    if reasons:
        return reasons
    try:
        programs = await programs_for(spec, observer=_Nobody(), sources=there)
    except PlanError as error:
        return (str(error),)
    except SoftwareError:  # not installed yet: the start will tell
        return ()
    return (
        *unknown_flags(spec, programs),
        *await refused_values(spec, programs),
        *await settings.refused(programs.mysql, spec.mysqld_settings),
    )


async def unusable(spec: ClusterSpec, sources: Sources) -> tuple[str, ...]:
    """What is wrong with the folders and the MySQL that the spec names, each looked at by itself: that something else
    is still to be installed hides nothing."""
    looks = [
        software.vitess(version, sorted(programs), sources=sources)
        for version, programs in _wanted(spec).items()
        if _is_folder(version)
    ]
    reasons = [await _refusal(look) for look in looks]
    if spec.mysql:
        reasons.append(await _refusal(software.mysql((spec.mysql,), sources=sources)))
        if "/" not in spec.mysql + spec.vitess + spec.upgrade_to:
            reasons += [_misfit(version, spec.mysql) for version in (spec.vitess, spec.upgrade_to) if version]
    return tuple(filter(None, reasons))


async def _refusal(look: Awaitable[object]) -> str:
    try:
        await look
    except PlanError as error:
        return str(error)
    except SoftwareError:  # not installed yet
        return ""
    return ""


def unknown_flags(spec: ClusterSpec, programs: Programs) -> tuple[str, ...]:
    """A sentence for every flag of the spec that a binary of the cluster does not know."""
    reasons: dict[str, None] = {}
    for node in startable(spec):
        flags = commands.flags_of_spec(spec, node)
        if flags:
            reasons |= dict.fromkeys(programs.binary(node).unknown(flags))
    return tuple(reasons)


async def refused_values(spec: ClusterSpec, programs: Programs) -> tuple[str, ...]:
    """A sentence for every binary that does not take the value of a flag of the spec: the first one it meets."""
    asked = {
        (programs.binary(node), tuple(sorted(flags_of_spec.items())))
        for node in startable(spec)
        if (flags_of_spec := commands.flags_of_spec(spec, node))
    }
    in_order = sorted(asked, key=lambda pair: (str(pair[0].path), pair[1]))
    said = await asyncio.gather(*(flags.refused_value(binary, dict(given)) for binary, given in in_order))
    return tuple(dict.fromkeys(filter(None, said)))


def unknown_releases(spec: ClusterSpec) -> tuple[str, ...]:
    """Which releases of the spec can be neither found nor built; empty when all can."""
    reasons = []
    for version in dict.fromkeys(node.version for node in startable(spec) if node.role in VITESS_ROLES):
        try:
            if "/" not in version:
                releases.release(version)
        except PlanError as error:
            reasons.append(str(error))
    return tuple(reasons)


async def programs_for(spec: ClusterSpec, *, observer: Observer, sources: Sources | None = None) -> Programs:
    """Find or install, one after another where they would compete. Raises SoftwareError, PlanError."""
    where = sources or Sources.of_environment()
    progress = _Shown(observer)
    etcd = await software.etcd(sources=where, progress=progress)
    vitess = await _vitess(spec, where, progress)
    for folder in filter(_is_folder, vitess):
        details = {"version": vitess[folder].version}
        observer.on_event(Event(at_ns=now_ns(), kind="build", subject=folder, details=details))
    vttablets = [vitess[version] for version in (spec.vitess, spec.upgrade_to) if version]
    mysql = await software.mysql(_mysql_wanted(spec, vttablets), sources=where, progress=progress)
    for each in vttablets:
        check_fit(spec, each, mysql)
    return await commands.inspected(etcd=etcd, mysql=mysql, vitess=vitess, nodes=startable(spec))


def _is_folder(version: str) -> bool:
    return "/" in version


async def _vitess(spec: ClusterSpec, sources: Sources, progress: software.Progress) -> dict[str, VitessInstall]:
    """One install per version of the spec, with just the programs that its nodes run."""
    wanted = _wanted(spec)
    versions = list(wanted)
    installs = await asyncio.gather(
        *(software.vitess(version, sorted(wanted[version]), sources=sources, progress=progress) for version in versions)
    )
    return dict(zip(versions, installs, strict=True))


def _wanted(spec: ClusterSpec) -> dict[str, set[str]]:
    """The programs of each version that the spec's nodes run."""
    wanted: dict[str, set[str]] = {}
    for node in startable(spec):
        if node.role in VITESS_ROLES:
            wanted.setdefault(node.version, set()).add(node.role.value)
    return wanted


def _mysql_wanted(spec: ClusterSpec, vttablets: Sequence[VitessInstall]) -> tuple[str, ...]:
    """What all of them take, the first one's best first. Raises PlanError."""
    if spec.mysql:
        return (spec.mysql,)
    taken = [software.mysql_series_for(each.version) for each in vttablets]
    fitting = tuple(series for series in taken[0] if all(series in others for others in taken))
    if not fitting:
        raise PlanError(f"no MySQL fits vttablets of {' and '.join(each.version for each in vttablets)}")
    return fitting


def _misfit(vttablet_version: str, mysql_version: str) -> str:
    """Why these vttablets cannot manage this MySQL, a version or a series; "" when they can."""
    if not mysql_version.startswith("9") or "9" in software.mysql_series_for(vttablet_version):
        return ""
    fitting = " or ".join(software.mysql_series_for(vttablet_version))
    return f"vttablet {vttablet_version} cannot manage MySQL {mysql_version}; it takes {fitting}"


def check_fit(spec: ClusterSpec, vttablets: VitessInstall, mysql: MysqlInstall) -> None:
    """Raises PlanError when these vttablets cannot do with this MySQL what the spec wants."""
    misfit = _misfit(vttablets.version, mysql.version)
    if misfit:
        raise PlanError(misfit)
    if "semi_sync" in spec.durability_policy and not mysql.semi_sync:
        raise PlanError(
            f"MySQL {mysql.version} ({mysql.source}) has no semi-sync plugin: use the durability policy none, "
            "or a MySQL server with lib/plugin/semisync_source.so"
        )
