"""Goal: images come from where the user wants them, in the order that clusters.images.provide gives, and all of one
cluster from one place; what cannot be had is said in one sentence."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clusters.common import obtained
from clusters.common.commands import Programs
from clusters.common.images import Images
from clusters.images import built, named, provide, published
from clusters.images.archive import Image
from clusters.images.built import Built
from clusters.software import EtcdInstall, Sources
from harness.base import jsonio
from harness.base.errors import ClusterError, PlanError, SoftwareError
from harness.contracts import Observer
from harness.model import ClusterSpec, Placement, VtgateSpec
from tests.unit.images_fakes import FakeStore, Told, small_image
from tests.unit.images_transcripts import ETCD, LITE, transcript, vitess
from tests.unit.local_fakes import programs

SPEC = ClusterSpec(shards=1)
MIXED = ClusterSpec(shards=1, vtgates=(VtgateSpec(), VtgateSpec(version="21.0.2")))
LITE_24, LITE_21 = "vitess/lite:v24.0.3", "vitess/lite:v21.0.2"


class Machine:
    """A machine whose software makes images of a few bytes. `packed`: they were built before."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, packed: bool = False) -> None:
        self.folder = folder
        self.packed = packed
        self.builds = 0
        self.sources = Sources(cache_dir=folder)
        monkeypatch.setenv("VTCHAOS_CACHE", str(folder))
        monkeypatch.setattr(built, "built", self._built)
        monkeypatch.setattr(built, "packed", self._packed)
        monkeypatch.setattr(built, "etcd_alone", self._etcd_alone)

    def images(self, spec: ClusterSpec) -> tuple[Image, ...]:
        return tuple(small_image(self.folder, version) for version in named.wanted_of(spec))

    async def _built(self, spec: ClusterSpec, *, observer: Observer, sources: Sources) -> Built:
        self.builds += 1
        return self._made(spec)

    async def _packed(self, spec: ClusterSpec, sources: Sources) -> Built | None:
        return self._made(spec) if self.packed else None

    async def _etcd_alone(self, **_: object) -> tuple[EtcdInstall, str]:
        return EtcdInstall(version="3.6.10", etcd=Path("/vt/bin/etcd"), source="built"), "vtchaos/etcd:3.6.10-x"

    def _made(self, spec: ClusterSpec) -> Built:
        images = self.images(spec)
        references = dict(zip(named.wanted_of(spec), (image.reference for image in images), strict=True))
        described = built._described(spec, programs(), dict.fromkeys(references, images[0]))
        return Built(images=replace(described, of_version=references), all=images)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


async def provided(store: FakeStore, spec: ClusterSpec = SPEC, *, image: str = "", told: Told | None = None) -> Images:
    return await provide.provided(spec, Placement(image=image), store=store, observer=told or Told())


# ---------------------------------------------------------------- the order


async def test_what_is_built_and_loaded_is_used_without_asking_anybody(machine: Machine) -> None:
    machine.packed = True
    store = FakeStore(machine.images(SPEC)[0].reference, published=(LITE_24,))
    images = await provided(store)
    assert images.of_version == {"24.0.3": machine.images(SPEC)[0].reference}
    assert (store.pulls, store.loads, machine.builds) == ([], [], 0)


async def test_beside_a_built_main_image_the_others_are_built_too(machine: Machine) -> None:
    machine.packed = True
    main, other = (image.reference for image in machine.images(MIXED))
    store = FakeStore(main, published=(LITE_24, LITE_21))
    assert (await provided(store, MIXED)).of_version == {"24.0.3": main, "21.0.2": other}
    assert store.pulls == []
    assert store.loads == [[other]]  # what is there is not loaded again


async def test_the_published_images_are_pulled_where_nothing_was_built(machine: Machine) -> None:
    store = FakeStore(published=(LITE_24, named.ETCD), says={LITE_24: LITE, named.ETCD: ETCD})
    images = await provided(store)
    assert images.of_version == {"24.0.3": LITE_24}
    assert images.etcd == named.ETCD
    assert images.templates == {"ks": ""}
    assert not images.has_nft
    assert str(images.programs.etcd.etcd) == "/opt/bitnami/etcd/bin/etcd"
    assert machine.builds == 0


async def test_packed_but_not_loaded_is_no_reason_against_the_published_ones(machine: Machine) -> None:
    machine.packed = True
    store = FakeStore(published=(LITE_24, named.ETCD), says={LITE_24: LITE, named.ETCD: ETCD})
    assert (await provided(store)).of_version == {"24.0.3": LITE_24}


async def test_without_a_registry_they_are_built_and_the_registry_is_asked_once(machine: Machine) -> None:
    store, told = FakeStore(), Told()
    images = await provided(store, told=told)
    assert images.of_version == {"24.0.3": machine.images(SPEC)[0].reference}
    assert store.loads == [[machine.images(SPEC)[0].reference]]
    assert "images are built here: vitess/lite:v24.0.3 cannot be pulled (no such host)" in told.words
    store.held.clear()
    await provided(store)
    assert store.pulls == [LITE_24]


async def test_a_registry_is_asked_again_the_next_day(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeStore()
    await provided(store)
    path = machine.folder / "images" / published.FILE
    jsonio.save(path, published.Refusals(why_not={LITE_24: "no such host"}, at_s={LITE_24: 1.0}))
    store.held.clear()
    await provided(store)
    assert store.pulls == [LITE_24, LITE_24]


async def test_one_missing_published_image_means_that_all_are_built(machine: Machine) -> None:
    store = FakeStore(published=(LITE_24, named.ETCD), says={LITE_24: LITE, named.ETCD: ETCD})
    images = await provided(store, MIXED)
    assert list(images.of_version.values()) == [image.reference for image in machine.images(MIXED)]


@pytest.mark.parametrize(
    ("says", "spec", "why"),
    [
        (LITE, ClusterSpec(shards=1, mysql="9.7"), "has MySQL 8.4.6, wanted is 9.7"),
        (vitess("24.0.3", **{"path mysqld": ""}), SPEC, "has no mysqld"),
        (vitess("24.0.3", plugins="auth_socket.so"), SPEC, "no semi-sync plugin"),
        (vitess("24.0.1"), SPEC, "is Vitess 24.0.1"),
    ],
)
async def test_a_published_image_that_does_not_serve_is_left(
    machine: Machine, says: str, spec: ClusterSpec, why: str
) -> None:
    told = Told()
    await provided(FakeStore(published=(LITE_24,), says={LITE_24: says}), spec, told=told)
    assert machine.builds == 1
    assert why in told.words


async def test_a_users_own_build_is_never_pulled(machine: Machine) -> None:
    store = FakeStore()
    await provided(store, ClusterSpec(shards=1, vitess="/home/me/vitess"))
    assert store.pulls == []
    assert machine.builds == 1


# ---------------------------------------------------------------- named by the user


async def test_a_named_image_is_used_and_nothing_else_is_tried(machine: Machine) -> None:
    machine.packed = True
    ours = machine.images(SPEC)[0].reference
    store = FakeStore(
        ours, published=("me/vitess:24.0.3", named.ETCD), says={"me/vitess:24.0.3": LITE, named.ETCD: ETCD}
    )
    images = await provided(store, image="me/vitess:{version}")
    assert images.of_version == {"24.0.3": "me/vitess:24.0.3"}
    assert machine.builds == 0


async def test_a_named_image_with_everything_of_ours(machine: Machine) -> None:
    own = vitess(
        "24.0.3",
        nft="/usr/sbin/nft",
        python="/usr/bin/python3",
        templates="/vt/config/vtchaos_init_db.sql\n/vt/template/ks",
        **{"path etcd": "/vt/bin/etcd", "version etcd": "etcd Version: 3.6.10"},
    )
    images = await provided(FakeStore("me/all", says={"me/all": own}), image="me/all")
    assert images.etcd == "me/all"
    assert images.templates == {"ks": "/vt/template/ks"}
    assert images.init_sql == "/vt/config/vtchaos_init_db.sql"
    assert images.has_nft
    assert images.has_python


async def test_without_an_etcd_anywhere_ours_is_built_for_it(machine: Machine) -> None:
    images = await provided(FakeStore("me/vitess", says={"me/vitess": LITE}), image="me/vitess")
    assert images.etcd == "vtchaos/etcd:3.6.10-x"


async def test_a_named_image_may_run_as_another_user_but_not_as_root(machine: Machine) -> None:
    say = {"me/a": vitess("24.0.3", user="1001"), "me/b": vitess("24.0.3", user="0")}
    assert (await provided(FakeStore(*say, says=say), image="me/a")).user == 1001
    assert (await provided(FakeStore(*say, says=say), image="me/b")).user == 999


@pytest.mark.parametrize(
    ("spec", "image", "says", "kind", "sentence"),
    [
        (SPEC, "me/gone:1", "", ClusterError, "the image me/gone:1 is not here and cannot be pulled: no such host"),
        (MIXED, "me/x", LITE, PlanError, "is one, and the cluster has Vitess 24.0.3 and 21.0.2: write {version}"),
        (ClusterSpec(vitess="/own/bin"), "me/x", LITE, PlanError, "an image and a folder of binaries"),
        (SPEC, "me/x", vitess("23.0.5"), PlanError, "vtctld in the image me/x is Vitess 23.0.5, and the cluster is"),
        (SPEC, "me/x", transcript(user="0"), PlanError, "has no vtctld, vttablet, vtgate on its PATH"),
        (SPEC, "me/x", vitess("24.0.3", **{"path mysqld": ""}), PlanError, "the image me/x has no mysqld"),
        (SPEC, "me/x", vitess("24.0.3", plugins=""), PlanError, "no semi-sync plugin"),
    ],
)
async def test_a_named_image_that_cannot_serve_is_refused(
    machine: Machine, spec: ClusterSpec, image: str, says: str, kind: type[Exception], sentence: str
) -> None:
    store = FakeStore("me/x", says={"me/x": says})
    with pytest.raises(kind) as refusal:
        await provided(store, spec, image=image)
    assert sentence in str(refusal.value)
    assert machine.builds == 0


# ---------------------------------------------------------------- building


async def test_a_failed_load_leaves_no_archive(machine: Machine) -> None:
    store = FakeStore()
    store.fails = True
    with pytest.raises(ClusterError, match="full"):
        await provided(store)
    left = [path.name for path in (machine.folder / "images").iterdir() if not path.name.startswith(".lock")]
    assert left == [published.FILE]


async def test_an_image_that_came_meanwhile_is_not_loaded_again(machine: Machine) -> None:
    image = machine.images(SPEC)[0]

    class Raced(FakeStore):
        """Another process loads it between the first look and the second."""

        async def has(self, reference: str) -> bool:
            there = await super().has(reference)
            self.held.add(reference)
            return there

    store, told = Raced(), Told()
    await built.load([image], store, observer=told, sources=machine.sources)
    assert (store.loads, told.loading) == ([], [])


async def test_what_is_loaded_is_on_record_before_it_is_there(machine: Machine) -> None:
    image, told = machine.images(SPEC)[0], Told()

    class Killed(FakeStore):
        """The harness dies while it loads."""

        async def load(self, archive: Path) -> None:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await built.load([image], Killed(), observer=told, sources=machine.sources)
    assert told.loading == [image.reference]


async def test_a_release_gets_all_programs_and_an_own_build_what_is_needed() -> None:
    assert built.whole(SPEC).vtorc
    assert built.whole(MIXED).vtgates[-1] == VtgateSpec()
    own = ClusterSpec(vitess="/home/me/bin")
    assert built.whole(own) is own


async def test_a_machine_that_is_not_linux_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    sources = Sources(cache_dir=tmp_path)
    assert await built.packed(SPEC, sources) is None
    with pytest.raises(PlanError, match=r"no image can be built here: .* name one with --image"):
        await built.built(SPEC, observer=Told(), sources=sources)


async def test_nothing_is_packed_on_an_empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object, **__: object) -> Programs:
        raise SoftwareError("not installed")

    monkeypatch.setattr(obtained, "programs_for", nothing)
    assert await built.packed(SPEC, Sources(cache_dir=tmp_path)) is None
