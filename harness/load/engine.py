"""The load of one worker without its event loop: lanes and pools, driven by a clock that is given to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.load.arrivals import Arrivals
from harness.load.changes import Change
from harness.load.config import WorkerConfig
from harness.load.items_pool import item_pools
from harness.load.operation import Operation
from harness.load.pool import Connection, Pool, PoolRules
from harness.load.reads import Read
from harness.load.recorder import Recorder
from harness.load.traffic import Traffic
from harness.load.transactions import Transaction
from harness.load.writes import Write
from harness.model import ConnectionMode, Workload
from harness.mysql.wire import WireOwner


class Engine:
    """Whoever owns it calls `issue` when `next_ns` has come, and `scan` every few milliseconds."""

    def __init__(
        self,
        config: WorkerConfig,
        *,
        connect: Callable[[WireOwner], Connection],
        recorder: Recorder,
        clock: Callable[[], int],
    ) -> None:
        spec = config.spec
        self._clock = clock
        self._rules = PoolRules(
            connect=connect,
            recorder=recorder,
            clock=clock,
            operation_timeout_ns=int(spec.operation_timeout_s * 1e9),
            issue_within_ns=int(spec.issue_within_s * 1e9),
            per_operation=spec.mode is ConnectionMode.PER_OPERATION,
            abrupt=config.abrupt,
        )
        self._arrivals = Arrivals(
            lanes=len(config.lanes),
            rate=spec.rate_per_shard,
            write_share=spec.write_share,
            poisson=spec.poisson,
            seed=config.seed,
            name=f"{config.target.vtgate}/{config.worker}",
        )
        self.lanes = _lanes(config)
        self.pools, self._pool_of = self._pools(config)
        self.late_ns: list[int] = []  # how late each arrival was offered; the owner takes and clears it

    def _pools(self, config: WorkerConfig) -> tuple[list[Pool], list[Pool]]:
        """The pools, and each lane's. Twice what can arrive within `issue_within_s` may wait in a pool: the
        bound is for a worker that was stopped for long, not for a stalled database."""
        spec = config.spec
        arriving = int(spec.rate_per_shard * spec.issue_within_s)

        def pool(lanes: int, first: Traffic) -> Pool:
            return Pool(
                self._rules,
                slots=spec.connections_per_shard * lanes,
                queue_limit=(2 * arriving + 100) * lanes,
                lane_of_errors=first.number,
            )

        if spec.mode is ConnectionMode.POOLED:
            shared = pool(len(self.lanes), self.lanes[0])
            return [shared], [shared] * len(self.lanes)
        own = [pool(1, lane) for lane in self.lanes]
        return own, own

    def open(self) -> None:
        """Begin to connect."""
        for pool in self.pools:
            pool.open()

    def begin(self, start_ns: int) -> None:
        """Arrivals start at this stamp."""
        for lane in self.lanes:
            lane.begin(start_ns)
        self._arrivals.begin(start_ns)

    @property
    def next_ns(self) -> int:
        """The next arrival of any lane; `begin` must have been called."""
        return self._arrivals.times[self._arrivals.at]

    def issue(self, until_ns: int) -> None:
        """Offer every arrival that is due up to `until_ns` to its lane's pool."""
        arrivals = self._arrivals
        times, at = arrivals.times, arrivals.at
        while times[at] <= until_ns:
            position = arrivals.lanes[at]
            lane = self.lanes[position]
            # with nothing acknowledged to read yet, a read becomes a write
            operation = lane.write if arrivals.writes[at] or not lane.ledger.ids else lane.read
            now_ns = self._clock()
            self.late_ns.append(now_ns - times[at])
            self._pool_of[position].offer(lane, operation, times[at], now_ns)
            at += 1
            if at == len(times):
                arrivals.refill()
                times, at = arrivals.times, 0
        arrivals.at = at

    def scan(self, now_ns: int) -> None:
        for pool in self.pools:
            pool.scan(now_ns)

    def abandon(self) -> None:
        for pool in self.pools:
            pool.abandon()

    @property
    def idle(self) -> bool:
        return all(pool.idle for pool in self.pools)

    @property
    def wanted(self) -> int:
        return sum(len(pool.slots) for pool in self.pools)

    @property
    def connected(self) -> int:
        return sum(pool.connected for pool in self.pools)

    @property
    def trouble(self) -> str:
        """The last reason why a connection could not be made."""
        return next((pool.trouble for pool in self.pools if pool.trouble), "")


def _lanes(config: WorkerConfig) -> list[Traffic]:
    """The lanes, and what they do when they are to write and when they are to read."""
    transactions = config.spec.mode is ConnectionMode.TRANSACTION  # everything is one
    writes: Sequence[Operation] = [Transaction() if transactions else Write()] * len(config.lanes)
    reads: Sequence[Operation] = writes if transactions else [Read()] * len(config.lanes)
    if config.spec.workload is Workload.ITEMS:
        writes = reads = [Change(pool, always_transaction=transactions) for pool in item_pools(config)]
    return [
        Traffic(lane, config.seed, write=write, read=read)
        for lane, write, read in zip(config.lanes, writes, reads, strict=True)
    ]
