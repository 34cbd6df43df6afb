"""Images that somebody else has built: named by the user, or published. What is in them is asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from clusters.common import obtained
from clusters.common.commands import VITESS_ROLES, Programs
from clusters.common.images import Images, ImageStore
from clusters.common.layout import nodes_of
from clusters.images import asked, built, parts, tree
from clusters.images.asked import Found
from clusters.software import EtcdInstall, MysqlInstall, Sources, versions
from harness.base.errors import ClusterError, PlanError
from harness.contracts import Observer
from harness.model import ClusterSpec

# The published images of Vitess hold no etcd. This one has a shell, which etcd's own have no more since 3.5.7, and is
# frozen: the same for everybody, every day.
ETCD = "bitnamilegacy/etcd:3.6.1"


async def named(spec: ClusterSpec, pattern: str, *, store: ImageStore, observer: Observer, sources: Sources) -> Images:
    """The images that the user named; `{version}` stands for a release. Raises PlanError, ClusterError."""
    references = references_of(spec, pattern)
    for reference in dict.fromkeys(references.values()):
        why_not = "" if await store.has(reference) else await _pulled(reference, store, observer)
        if why_not:
            raise ClusterError(f"the image {reference} is not here and cannot be pulled: {why_not}")
    return await described(spec, references, store=store, observer=observer, sources=sources)


def references_of(spec: ClusterSpec, pattern: str) -> dict[str, str]:
    """Version → reference. Raises PlanError when one image would have to be two."""
    found = list(wanted_of(spec))
    if "{version}" not in pattern and len(found) > 1:
        raise PlanError(
            f"the image {pattern} is one, and the cluster has Vitess {' and '.join(found)}: write "
            "{version} where the release stands in its name"
        )
    folders = [version for version in found if "/" in version]
    if folders:
        raise PlanError(f"an image and a folder of binaries ({folders[0]}) are named: only one of them can be used")
    return {version: pattern.replace("{version}", version) for version in found}


def wanted_of(spec: ClusterSpec) -> dict[str, tuple[str, ...]]:
    """The programs of each version that the spec's nodes run, the main version first."""
    rows: dict[str, dict[str, None]] = {spec.vitess: {}}
    for node in nodes_of(spec):
        if node.role in VITESS_ROLES:
            rows.setdefault(node.version, {})[node.role.value] = None
    return {version: tuple(programs) for version, programs in rows.items()}


async def described(
    spec: ClusterSpec, references: Mapping[str, str], *, store: ImageStore, observer: Observer, sources: Sources
) -> Images:
    """What the images in the store hold. Raises PlanError when it is not what the spec wants."""
    observer.on_progress("asking the images for their programs", None, None)
    wanted = wanted_of(spec)
    answers = await asyncio.gather(
        *(asked.found(references[version], wanted[version], store=store) for version in wanted)
    )
    found = dict(zip(wanted, answers, strict=True))
    for version, programs in wanted.items():
        _check(version, references[version], programs, found[version])
    main, reference = found[spec.vitess], references[spec.vitess]
    mysql = _mysql(spec, main, reference)
    vitess = {version: found[version].vitess(version, references[version]) for version in wanted}
    obtained.check_fit(spec, vitess[spec.vitess], mysql)
    etcd, etcd_image = await _etcd(main, reference, store=store, observer=observer, sources=sources)
    binaries = {(version, name): binary for version in wanted for name, binary in found[version].binaries.items()}
    templates = {keyspace.name: str(parts.TEMPLATES / keyspace.name) for keyspace in spec.keyspaces}
    return Images(
        programs=Programs(etcd=etcd, mysql=mysql, vitess=vitess, binaries=binaries),
        of_version=dict(references),
        etcd=etcd_image,
        templates={name: path if path in main.ours else "" for name, path in templates.items()},
        init_sql=str(parts.INIT_SQL) if str(parts.INIT_SQL) in main.ours else "",
        has_nft=all(each.nft for each in found.values()),
        has_python=all(each.python for each in found.values()),
        user=main.user or tree.USER,
    )


def _check(version: str, reference: str, programs: tuple[str, ...], found: Found) -> None:
    missing = [name for name in programs if name not in found.binaries]
    if missing:
        raise PlanError(f"the image {reference} has no {', '.join(missing)} on its PATH or in /vt/bin")
    for name in programs:
        said = found.binaries[name].version
        if said != version:
            raise PlanError(
                f"{name} in the image {reference} is Vitess {said}, and the cluster is to have {version}: "
                "name another image, or another release with --vitess and --vtgate"
            )


def _mysql(spec: ClusterSpec, main: Found, reference: str) -> MysqlInstall:
    if main.mysql is None:
        raise PlanError(f"the image {reference} has no mysqld with its plugins and messages")
    if spec.mysql and not versions.matches(main.mysql.version, (spec.mysql,)):
        raise PlanError(f"the image {reference} has MySQL {main.mysql.version}, wanted is {spec.mysql}")
    return main.mysql


async def _etcd(
    main: Found, reference: str, *, store: ImageStore, observer: Observer, sources: Sources
) -> tuple[EtcdInstall, str]:
    """etcd and its image: the cluster's own where it is in there, else the published one, else one that we build."""
    if main.etcd is not None:
        return main.etcd, reference
    why_not = "" if await store.has(ETCD) else await _pulled(ETCD, store, observer)
    if not why_not:
        etcd = (await asked.found(ETCD, (), store=store)).etcd
        if etcd is not None:
            return etcd, ETCD
        why_not = "it holds no etcd"
    if built.why_not():
        raise ClusterError(f"the image {reference} has no etcd, and {ETCD} cannot be used: {why_not}")
    return await built.etcd_alone(store=store, observer=observer, sources=sources)


async def _pulled(reference: str, store: ImageStore, observer: Observer) -> str:
    observer.on_progress(f"pulling {reference}", None, None)
    return await store.pull(reference)
