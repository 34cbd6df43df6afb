"""One small cluster (1 shard x 2 tablets) for each backend, shared by all faults; a table of what was tested."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from _pytest.terminal import TerminalReporter

from clusters import BACKENDS
from harness.contracts import Cluster, Stage
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, Placement
from tests.faults import nightly, table
from tests.faults.rows import ELSEWHERE, ROWS
from tests.unit.run_fakes import Watcher, a_stage, spans

# Waits of Vitess that say nothing about a fault are short. A request that fails while a primary's vttablet restarts
# lets vtgate wait for a new term, which does not come: its buffering ends by its maximum (24.0.3, docs/bug-17629.md).
SPEC = ClusterSpec(
    shards=1,
    vtgate_flags={"enable-buffer": "", "buffer-window": "4s", "buffer-max-failover-duration": "4s"},
    vttablet_flags={"onterm-timeout": "1s", "replication-connect-retry": "1s", "health-check-interval": "2s"},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
TESTED = pytest.StashKey[dict[str, tuple[str, str]]]()  # node id → (fault, backend)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=BACKENDS)
async def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, watcher: Watcher
) -> AsyncIterator[Cluster]:
    backend = BACKENDS[request.param]
    reasons = await backend.refusals(SPEC, Placement())
    if reasons:
        pytest.skip("; ".join(reasons))
    folder = tmp_path_factory.mktemp("faults")
    opened = backend.cluster(
        SPEC, Placement(), run="faults", folder=folder / "cluster", logs=folder / "logs", observer=watcher
    )
    async with opened as running:
        yield running


@pytest.fixture(scope="session")
def watcher() -> Watcher:
    """Hears of every process of the shared cluster that ends."""
    return Watcher()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(
    request: pytest.FixtureRequest, cluster: Cluster, watcher: Watcher, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A stage on the shared cluster, with a run directory of its own in `tmp_path`/run. What the backend cannot do is
    a skip with the capability's reason, and so is what only the nightly run tests there."""
    why_not = _lacking(request, cluster) or nightly.why_not_now(request.node.callspec.id)
    if why_not:
        pytest.skip(why_not)
    watcher.events.clear()
    async with a_stage(tmp_path / "run", cluster) as acting:
        yield acting
    aimed_at = {target for span in spans(tmp_path / "run") for target in span.targets}
    ended = {event.subject for event in watcher.events if event.kind == "exit"}
    assert ended <= aimed_at, "a process of the cluster ended that no fault was aimed at"


def _lacking(request: pytest.FixtureRequest, cluster: Cluster) -> str:
    """Of what the test's fault needs."""
    row = ROWS.get(request.node.callspec.params.get("fault", ""))
    needs = row.fault.needs if row else ()
    return "; ".join(filter(None, (cluster.capabilities.get(need, "") for need in sorted(needs))))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    known = config.stash.setdefault(TESTED, {})
    for item in items:
        params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if "fault" in params:
            backends = [str(value) for value in params.values() if isinstance(value, str) and value in BACKENDS]
            known[item.nodeid] = (str(params["fault"]), backends[0] if backends else "")


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """For each fault and backend: tested, or skipped and why."""
    known = config.stash.get(TESTED, {})
    if not known:
        return
    said: dict[tuple[str, str], table.Results] = defaultdict(table.Results)
    for outcome in (*table.BAD, "skipped", "passed"):
        for report in terminalreporter.stats.get(outcome, []):
            if report.nodeid in known:
                why = report.longrepr[2] if outcome == "skipped" and isinstance(report.longrepr, tuple) else ""
                said[known[report.nodeid]].add(outcome, why.removeprefix("Skipped: "))
    terminalreporter.section("faults")
    for line in table.lines((*ROWS, *sorted(ELSEWHERE)), tuple(BACKENDS), said):
        terminalreporter.line(line)
