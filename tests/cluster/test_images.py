"""Goal: images made of this machine's software work in containers: every program runs as the unprivileged user, mysqld
serves from the template, and nothing half is left when loading is given up. On a Docker engine; where none answers the
tests are skipped with the engine's refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from clusters.common.images import Images
from clusters.docker import engine
from clusters.docker.engine import Engine
from clusters.docker.labels import Marks
from clusters.docker.store import DockerImageStore
from clusters.images import built, load_image, provide
from clusters.images.shelf import EngineShelf
from clusters.software import Sources
from clusters.software.progress import Silent
from harness.base.errors import ClusterError
from harness.model import ClusterSpec, Event, Placement, VtgateSpec

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SPEC = ClusterSpec(shards=1, vtgates=(VtgateSpec(), VtgateSpec(version="21.0.2")))
RUN_S = 60.0
START_MYSQLD = """
set -e
mkdir -p /vt/vtdataroot/t/tmp && cp -R "$1" /vt/vtdataroot/t/data && cd /vt/vtdataroot/t/data
"$2" --no-defaults --datadir="$PWD" --socket=mysql.sock --tmpdir=../tmp --basedir=/vt/mysql --plugin-dir="$3" \
  --lc-messages-dir="$4" --secure-file-priv= --mysqlx=0 --pid-file=mysqld.pid --skip-networking \
  --plugin-load="rpl_semi_sync_source=semisync_source.so" > ../log 2>&1 &
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  [ -S mysql.sock ] && "$5" --no-defaults -S "$PWD/mysql.sock" -u vt_dba -N -e 'SHOW DATABASES; SHOW PLUGINS' && break
  sleep 1
done
kill $! && wait $! || cat ../log
"""


class Quiet:
    def on_event(self, event: Event) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return


@pytest.fixture
async def docker() -> AsyncIterator[Engine]:
    why_not = await engine.refusal()
    if why_not:
        pytest.skip(why_not)
    async with engine.connected() as found:
        yield found


def store_of(docker: Engine) -> DockerImageStore:
    return DockerImageStore(docker, Marks(run="test-images"), Quiet())


async def images_of(docker: Engine) -> Images:
    return await provide.build(SPEC, store=store_of(docker), observer=Quiet(), sources=Sources.of_environment())


async def test_every_program_runs_as_the_unprivileged_user(docker: Engine) -> None:
    images, store = await images_of(docker), store_of(docker)
    main, old = images.of_version["24.0.3"], images.of_version["21.0.2"]

    async def says(reference: str, *argv: str) -> str:
        return await store.run(reference, argv, timeout_s=RUN_S)

    assert (await says(main, "id", "-u")).strip() == str(images.user) == "999"
    for program in ("vtctld", "vttablet", "vtgate", "vtorc"):
        assert "Version: 24.0.3" in await says(main, f"/vt/bin/{program}", "--version")
    assert "Version: 21.0.2" in await says(old, "/vt/bin/vtgate", "--version")
    assert images.programs.etcd.version in await says(images.etcd, str(images.programs.etcd.etcd), "--version")
    assert images.programs.mysql.version in await says(main, str(images.programs.mysql.mysqld), "--version")
    for reference in (main, old):
        assert "nftables v" in await says(reference, "nft", "--version")
        assert "iproute2" in await says(reference, "ip", "-V")


async def test_mysqld_serves_from_the_template(docker: Engine) -> None:
    images = await images_of(docker)
    mysql = images.programs.mysql
    assert mysql.mysql is not None
    words = (images.templates["ks"], mysql.mysqld, mysql.plugin_dir, mysql.messages_dir, mysql.mysql)
    argv = ("/bin/sh", "-c", START_MYSQLD, "sh", *map(str, words))
    printed = (await store_of(docker).run(images.of_version["24.0.3"], argv, timeout_s=RUN_S)).splitlines()
    assert {"_vt", "vt_ks"} <= set(printed), "\n".join(printed)
    assert any(row.startswith("rpl_semi_sync_source\tACTIVE") for row in printed), "\n".join(printed)


async def test_what_is_there_is_found_and_not_built_again(docker: Engine) -> None:
    images = await images_of(docker)
    again = await provide.provided(SPEC, Placement(), store=store_of(docker), observer=Quiet())
    assert again.of_version == images.of_version
    made = await built.packed(SPEC, Sources.of_environment())
    assert made is not None
    assert made.images.of_version == images.of_version


async def test_our_own_image_can_be_named(docker: Engine) -> None:
    """As one in a registry would be, whose programs are asked."""
    images = await images_of(docker)
    place = Placement(image=images.of_version["24.0.3"])
    named = await provide.provided(ClusterSpec(shards=1), place, store=store_of(docker), observer=Quiet())
    assert named.templates == {"ks": "/vt/template/ks"}
    assert named.has_nft
    assert named.programs.mysql.mysqld == images.programs.mysql.mysqld
    assert named.programs.etcd.etcd == images.programs.etcd.etcd
    flags = images.programs.binaries["24.0.3", "vttablet"].flags
    assert named.programs.binaries["24.0.3", "vttablet"].flags == flags


async def test_the_load_image_has_all_that_workers_import(docker: Engine) -> None:
    store = store_of(docker)
    reference = await load_image(store=store, observer=Quiet())
    script = "import harness.load.worker, numpy, uvloop, orjson, cattrs; print(numpy.zeros(3).sum())"
    assert (await store.run(reference, ("python3", "-c", script), timeout_s=RUN_S)).strip() == "0.0"


async def test_a_load_that_is_given_up_leaves_no_image(docker: Engine, tmp_path: Path) -> None:
    """An archive that ends in the middle is what an engine sees of a harness that dies while it loads."""
    made = await built.built(SPEC, observer=Quiet(), sources=Sources.of_environment())
    before = await EngineShelf(docker).ours()
    path = tmp_path / "half.tar"
    other = replace(made.all[0], labels={built.LABEL: built.MAIN, "vtchaos.test": "half"})
    await built.write([other], path, Silent())
    with path.open("r+b") as archive:
        archive.truncate(path.stat().st_size // 2)
    with pytest.raises(ClusterError):
        await store_of(docker).load(path)
    assert not await store_of(docker).has(other.reference)
    assert await EngineShelf(docker).ours() == before


async def test_an_image_can_be_removed(docker: Engine) -> None:
    made = await built.built(SPEC, observer=Quiet(), sources=Sources.of_environment())
    other = replace(made.all[1], labels={built.LABEL: built.VTGATE, "vtchaos.test": "removal"})
    store, shelf = store_of(docker), EngineShelf(docker)
    await built.load([other], store, observer=Quiet(), sources=Sources.of_environment())
    assert other.reference in {row.reference for row in await shelf.ours()}
    assert await shelf.remove(other.reference) == ""
    assert not await store.has(other.reference)
    assert await store.has(made.all[1].reference)  # the other one with the same layers stays
    assert await shelf.remove(other.reference) == ""  # the second time, too


async def test_two_who_load_the_same_do_not_disturb_each_other(docker: Engine) -> None:
    first, second = await asyncio.gather(images_of(docker), images_of(docker))
    assert first.of_version == second.of_version
