"""Goal: what happens to a process is seen, spares the others, and is over afterwards, for every kind of process.

Method: each fault on each role of the shared cluster of every backend; and what only single ones do.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from clusters import BACKENDS
from harness.base import wait
from harness.contracts import Cluster, Fault, Stage
from harness.faults.mysql_servers import ask, server_of
from harness.faults.process import CrashLoop, Killed, Restarted, Terminated
from harness.faults.slowness import Paused, Slowed
from harness.faults.targets import Targets
from harness.model import Placement, Role
from harness.vitess.vtctld import vtctld_of
from tests.faults.conftest import SPEC
from tests.faults.rows.process import PRIMARY, REPLICA
from tests.faults.rows.row import clients_are_served, clients_are_served_soon
from tests.unit.run_fakes import Watcher, a_stage, spans

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="session")]

ANSWER_WITHIN_S = 30.0
SEMI_SYNC = "SELECT @@global.rpl_semi_sync_source_enabled AS source_side, @@global.super_read_only AS read_only"
WHERE = {
    "etcd": Targets(role=Role.ETCD),
    "vtctld": Targets(role=Role.VTCTLD),
    "vtgate": Targets(role=Role.VTGATE),
    "primary vttablet": PRIMARY,
    "replica vttablet": REPLICA,
    "primary mysqld": Targets(role=Role.MYSQLD, tablet_type="primary"),
    "replica mysqld": Targets(role=Role.MYSQLD, tablet_type="replica"),
}
KINDS: dict[str, type[Killed] | type[Terminated] | type[Restarted] | type[CrashLoop] | type[Paused] | type[Slowed]] = {
    "Killed": Killed,
    "Terminated": Terminated,
    "Restarted": Restarted,
    "CrashLoop": CrashLoop,
    "Paused": Paused,
    "Slowed": Slowed,
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("fault", KINDS)
async def test_on_every_role(fault: str, where: str, stage: Stage, tmp_path: Path) -> None:
    acting: Fault = KINDS[fault](targets=WHERE[where])
    assert not await acting.observed(stage, await acting.aim(stage)), "evidence without a fault"
    async with stage.inject(acting) as aim:
        pass
    (span,) = spans(tmp_path / "run")
    assert (span.error, span.unrecovered, span.unhealthy) == ("", "", "")
    assert span.observed, "no evidence that it took effect"
    assert span.healed_ns
    if not acting.one_shot:
        assert not await acting.observed(stage, aim), "still in force after it was healed"
    served = clients_are_served_soon if acting.one_shot else clients_are_served  # nobody waits until it is got over
    await served(stage.cluster, aim)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["local"])
async def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """A cluster with vtorc."""
    folder, backend, spec = tmp_path_factory.mktemp("vtorc"), BACKENDS[request.param], replace(SPEC, vtorc=True)
    reasons = await backend.refusals(spec, Placement())
    if reasons:
        pytest.skip("; ".join(reasons))
    opened = backend.cluster(
        spec, Placement(), run="vtorc", folder=folder / "cluster", logs=folder / "logs", observer=Watcher()
    )
    async with opened as running:
        yield running


@pytest.mark.parametrize("fault", KINDS)
async def test_on_vtorc(fault: str, watched: Cluster, tmp_path: Path) -> None:
    acting: Fault = KINDS[fault](targets=Targets(role=Role.VTORC))
    async with a_stage(tmp_path / "run", watched) as stage:
        assert not await acting.observed(stage, await acting.aim(stage)), "evidence without a fault"
        async with stage.inject(acting) as aim:
            await clients_are_served(watched, aim)
    (span,) = spans(tmp_path / "run")
    assert (span.error, span.unrecovered, span.unhealthy, span.observed) == ("", "", "", True)


@pytest.mark.parametrize("fault", ["Killed"])
async def test_vtorc_puts_a_mysqld_back_by_itself(fault: str, watched: Cluster, tmp_path: Path) -> None:
    """We leave it alone then: its shard takes writes again, through this primary or another."""
    async with a_stage(tmp_path / "run", watched) as stage, stage.inject(Killed(targets=WHERE["primary mysqld"])):
        pass
    (span,) = spans(tmp_path / "run")
    assert (span.error, span.unrecovered, span.observed) == ("", "", True)


@pytest.mark.parametrize("fault", ["Killed"])
async def test_a_killed_primary_comes_back_as_primary(fault: str, stage: Stage, tmp_path: Path) -> None:
    vtctld = await stage.shared(vtctld_of)
    was = await vtctld.shard_primary("ks", "0")
    async with stage.inject(Killed(targets=PRIMARY)) as aim:
        assert aim.details["alias"] == was
    assert await vtctld.shard_primary("ks", "0") == was
    assert [tablet.alias for tablet in await vtctld.tablets("ks", "0") if tablet.type == "primary"] == [was]
    await clients_are_served(stage.cluster, aim)


@pytest.mark.parametrize("fault", ["Killed"])
async def test_a_primarys_mysqld_that_was_killed_is_as_it_was(fault: str, stage: Stage, tmp_path: Path) -> None:
    """Writable, and with its side of semi-sync on, which nobody but a promotion turns on."""
    async with stage.inject(Killed(targets=WHERE["primary mysqld"])) as aim:
        pass
    (node,) = [node for node in stage.cluster.nodes() if node.name == aim.targets[0]]
    assert await ask(stage, server_of(stage, node), SEMI_SYNC) == [{"source_side": 1, "read_only": 0}]


@pytest.mark.parametrize("fault", ["Killed"])
async def test_a_killed_replica_is_not_felt_by_writers_and_replicates_again(
    fault: str, stage: Stage, tmp_path: Path
) -> None:
    vtctld = await stage.shared(vtctld_of)
    async with stage.inject(Killed(targets=REPLICA)) as aim:
        await clients_are_served(stage.cluster, aim)
    (span,) = spans(tmp_path / "run")
    assert span.observed
    assert span.healed_ns
    (status,) = await vtctld.execute_as_dba(str(aim.details["alias"]), "SHOW REPLICA STATUS")
    assert (status["Replica_IO_Running"], status["Replica_SQL_Running"]) == ("Yes", "Yes")


@pytest.mark.parametrize("fault", ["Killed"])
async def test_a_vttablet_that_somebody_started_already_is_healed_too(fault: str, stage: Stage, tmp_path: Path) -> None:
    async with stage.inject(Killed(targets=REPLICA)) as aim:
        (node,) = [node for node in stage.cluster.nodes() if node.name == aim.targets[0]]
        await stage.cluster.start(node, timeout_s=ANSWER_WITHIN_S)
    (span,) = spans(tmp_path / "run")
    assert (span.error, bool(span.healed_ns)) == ("", True)


@pytest.mark.parametrize("fault", ["Killed", "Paused"])
async def test_a_process_that_stands_still_is_paused_and_not_killed(fault: str, stage: Stage, tmp_path: Path) -> None:
    killed, paused = Killed(targets=REPLICA), Paused(targets=REPLICA)
    aim = await killed.aim(stage)
    (node,) = [node for node in stage.cluster.nodes() if node.name == aim.targets[0]]
    await stage.cluster.signal(node, signal.SIGSTOP)
    try:
        assert (await killed.observed(stage, aim), await paused.observed(stage, aim)) == (False, True)
    finally:
        await stage.cluster.signal(node, signal.SIGCONT)


@pytest.mark.parametrize("fault", ["CrashLoop"])
async def test_a_crash_loop_kills_again_until_it_is_left(fault: str, stage: Stage, tmp_path: Path) -> None:
    async with stage.inject(CrashLoop(targets=REPLICA, every_s=0.5)) as aim:
        (node,) = [node for node in stage.cluster.nodes() if node.name == aim.targets[0]]
        await stage.hold(6.0)
    (span,) = spans(tmp_path / "run")
    assert int(span.details["kills"]) >= 2
    await stage.cluster.signal(node, 0)


@pytest.mark.parametrize("fault", ["Slowed"])
async def test_a_limit_survives_a_restart_and_both_are_seen(fault: str, stage: Stage, tmp_path: Path) -> None:
    slowed = Slowed(targets=REPLICA, cpus=0.3)
    async with stage.inject(slowed) as aim, stage.inject(Killed(targets=REPLICA)):
        (node,) = [node for node in stage.cluster.nodes() if node.name == aim.targets[0]]
        await stage.cluster.start(node, timeout_s=ANSWER_WITHIN_S)

        async def held_back() -> bool:
            return await slowed.observed(stage, aim)

        await wait.until("the new process is held back", held_back, timeout_s=ANSWER_WITHIN_S)
    assert [span.unrecovered for span in spans(tmp_path / "run")] == ["", ""]
