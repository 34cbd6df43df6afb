"""Images made of the software on this machine, the same that a local cluster runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clusters import software
from clusters.common import obtained
from clusters.common.commands import Programs
from clusters.common.images import Images, ImageStore
from clusters.images import archive, layers, mysql_parts, parts
from clusters.images.archive import Count, Image, Layer
from clusters.images.layers import Recipe, Shown
from clusters.local import host, template
from clusters.software import EtcdInstall, Progress, Sources, VitessInstall
from clusters.software.base_root import base_root, python_root
from harness.base.clock import now_ns
from harness.base.errors import PlanError, SoftwareError
from harness.contracts import Observer
from harness.model import ClusterSpec, Event, VtgateSpec

REPOSITORY = "vtchaos/vitess"
ETCD_REPOSITORY = "vtchaos/etcd"
LABEL = "vtchaos.image"  # every image of ours has it; its value says what it is for
MAIN, VTGATE, ETCD, LOAD = "cluster", "vtgate", "etcd", "load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Images that are packed but perhaps nowhere loaded yet, and what a cluster has to know of them."""

    images: Images
    all: tuple[Image, ...]


def why_not() -> str:
    """Empty when this machine can build images; otherwise the reason."""
    return "" if sys.platform == "linux" else "images are made of this machine's own programs, which must be Linux's"


async def built(spec: ClusterSpec, *, observer: Observer, sources: Sources) -> Built:
    """Find or install the programs, pack what is not packed yet. Raises PlanError, SoftwareError, ClusterError."""
    if reason := why_not():
        raise PlanError(f"no image can be built here: {reason}; name one with --image")
    progress = Shown(observer)
    programs = await obtained.programs_for(whole(spec), observer=observer, sources=sources)
    data = await template.ready(spec, programs, isolation=await host.isolation(), observer=observer)
    root = await base_root(sources=sources, progress=progress)
    python = await python_root(sources=sources, progress=progress)
    recipes = _recipes(spec, programs, [parts.base(root), parts.python(python, root)], data, sources)
    kept = layers.kept_at(sources)
    stacks = {version: [await layers.ready(each, kept, progress) for each in rows] for version, rows in recipes.items()}
    return _built(spec, programs, stacks)


async def packed(spec: ClusterSpec, sources: Sources) -> Built | None:
    """What `built` would return, when all of it is there already; None otherwise. Nothing is installed or packed.

    Raises PlanError for what can never work.
    """
    if why_not():
        return None
    there = replace(sources, install=False)
    try:
        programs = await obtained.programs_for(whole(spec), observer=_Nobody(), sources=there)
        root = await base_root(sources=there)
        python = await python_root(sources=there)
    except SoftwareError:
        return None
    data = template.there(spec, programs)
    if data is None:
        return None
    kept, stacks = layers.kept_at(sources), dict[str, list[Layer]]()
    for version, rows in _recipes(
        spec, programs, [parts.base(root), parts.python(python, root)], data, sources
    ).items():
        found = [layers.known(each, kept) for each in rows]
        stacks[version] = [layer for layer in found if layer is not None]
        if len(stacks[version]) < len(rows):
            return None
    return _built(spec, programs, stacks)


async def load(images: Sequence[Image], store: ImageStore, *, observer: Observer, sources: Sources) -> None:
    """Bring images to where containers take them from, where they are not there. Raises ClusterError, SoftwareError."""
    if not await missing(images, store):
        return
    kept, progress = layers.kept_at(sources), Shown(observer)
    async with kept.installing("archive", progress) as staging:
        absent = await missing(images, store)  # asked in here: another process may have loaded them meanwhile
        if absent:
            for image in absent:  # on record before it is there, so that `heal` can take it away again
                observer.on_event(Event(at_ns=now_ns(), kind="image", subject=image.reference))
            path = staging / "images.tar"
            await write(absent, path, progress)
            await store.load(path)


async def write(images: Sequence[Image], path: Path, progress: Progress) -> None:
    """An archive that `docker load`, `ctr images import` and `kind load image-archive` take."""

    def save(count: Count) -> None:
        with path.open("wb") as out:
            archive.save(images, out, count)

    await layers.counted("writing the image (MB)", archive.size_of(images), save, progress)


async def etcd_alone(*, store: ImageStore, observer: Observer, sources: Sources) -> tuple[EtcdInstall, str]:
    """A small image with etcd, beside images of others which have none."""
    progress = Shown(observer)
    install = await software.etcd(sources=sources, progress=progress)
    rows = (parts.base(await base_root(sources=sources, progress=progress)), parts.etcd(install))
    kept = layers.kept_at(sources)
    stack = tuple([await layers.ready(each, kept, progress) for each in rows])
    image = Image(repository=ETCD_REPOSITORY, version=_tag(install.version), layers=stack, labels={LABEL: ETCD})
    await load([image], store, observer=observer, sources=sources)
    return replace(install, etcd=parts.ETCD), image.reference


def whole(spec: ClusterSpec) -> ClusterSpec:
    """A release's image has all programs, so that one serves every spec; of a user's own build, those that the spec
    needs: others may not be there."""
    if "/" in spec.vitess:
        return spec
    return replace(spec, vtorc=True, vtgates=(*spec.vtgates, VtgateSpec()))


def _recipes(
    spec: ClusterSpec, programs: Programs, system: Sequence[Recipe], data: Mapping[str, Path], sources: Sources
) -> dict[str, list[Recipe]]:
    """The layers of each version's image, the lowest first. A version that only vtgates have gets a small image."""
    vitess = programs.vitess[spec.vitess]
    main = [
        *system,
        mysql_parts.recipe(programs.mysql),
        parts.etcd(programs.etcd),
        parts.init_sql(),
        *(parts.vitess(vitess, program, sources) for program in sorted(vitess.programs)),
        *(parts.template(keyspace, path) for keyspace, path in sorted(data.items())),
    ]
    others = [(version, install) for version, install in programs.vitess.items() if version != spec.vitess]
    return {spec.vitess: main} | {
        version: [*system, parts.vitess(install, "vtgate", sources)] for version, install in others
    }


def _built(spec: ClusterSpec, programs: Programs, stacks: Mapping[str, Sequence[Layer]]) -> Built:
    images = {
        version: _image(stack, programs, version) if version == spec.vitess else _small(stack, programs, version)
        for version, stack in stacks.items()
    }
    return Built(images=_described(spec, programs, images), all=tuple(images.values()))


def _image(stack: Sequence[Layer], programs: Programs, version: str) -> Image:
    vitess, mysql = programs.vitess[version].version, programs.mysql.version
    return Image(
        repository=REPOSITORY,
        version=_tag(f"{vitess}-mysql{mysql}"),
        layers=tuple(stack),
        labels={LABEL: MAIN, "vtchaos.vitess": vitess, "vtchaos.mysql": mysql},
        environment={"VTROOT": str(parts.VT)},
    )


def _small(stack: Sequence[Layer], programs: Programs, version: str) -> Image:
    vitess = programs.vitess[version].version
    return Image(
        repository=REPOSITORY,
        version=_tag(f"{vitess}-vtgate"),
        layers=tuple(stack),
        labels={LABEL: VTGATE, "vtchaos.vitess": vitess},
        environment={"VTROOT": str(parts.VT)},
    )


def _tag(words: str) -> str:
    """What a tag may hold: a version like 25.0.0+build would not fit."""
    return "".join(each if each.isalnum() or each in "_.-" else "-" for each in words)


def _described(spec: ClusterSpec, programs: Programs, images: Mapping[str, Image]) -> Images:
    references = {version: image.reference for version, image in images.items()}
    return Images(
        programs=as_containers_see(programs),
        of_version=references,
        etcd=references[spec.vitess],
        templates={keyspace.name: str(parts.TEMPLATES / keyspace.name) for keyspace in spec.keyspaces},
        init_sql=str(parts.INIT_SQL),
        has_nft=True,
        has_python=True,
    )


def as_containers_see(programs: Programs) -> Programs:
    """The same programs with the paths that they have in the images."""

    def moved(install: VitessInstall) -> VitessInstall:
        return replace(install, programs={name: parts.BIN / name for name in install.programs})

    return Programs(
        etcd=replace(programs.etcd, etcd=parts.ETCD),
        mysql=mysql_parts.inside(programs.mysql),
        vitess={version: moved(install) for version, install in programs.vitess.items()},
        binaries={
            (version, name): replace(binary, path=parts.BIN / name)
            for (version, name), binary in programs.binaries.items()
        },
    )


async def missing(images: Sequence[Image], store: ImageStore) -> list[Image]:
    """Those that the store does not have."""
    there = await asyncio.gather(*(store.has(image.reference) for image in images))
    return [image for image, has in zip(images, there, strict=True) if not has]


class _Nobody:
    """Finding is quick; nobody watches."""

    def on_event(self, event: Event) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return
