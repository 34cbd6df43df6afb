"""What the parts promise each other: Protocols of at most nine members, and Experiment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from harness.items import ItemsSpec
from harness.model import (
    Capability,
    CheckKind,
    CheckResult,
    ClusterSpec,
    Event,
    HeldBack,
    Knock,
    KnownBug,
    Limits,
    LinkRule,
    LoadSpec,
    Node,
    Placement,
    Plan,
    PodSeen,
    Remedy,
    Role,
    Suite,
)
from harness.streams import StreamSpec, StreamStatus

if TYPE_CHECKING:
    from harness.history import History

T = TypeVar("T")

RECOVER_WITHIN_S = 60.0


class Cluster(Protocol):
    """A running cluster. A tenth member needs a discussion."""

    @property
    def spec(self) -> ClusterSpec: ...
    @property
    def capabilities(self) -> Mapping[Capability, str]: ...  # "" = yes; otherwise the reason why not
    def nodes(self, role: Role | None = None) -> tuple[Node, ...]: ...
    def address(self, node: Node, port: str) -> tuple[str, int]: ...  # port: "mysql" | "grpc" | "web" | "client"
    def log_path(self, node: Node) -> Path: ...
    async def start(self, node: Node, *, timeout_s: float) -> None: ...
    async def stop(self, node: Node, *, timeout_s: float) -> None: ...
    async def signal(self, node: Node, signum: int) -> None: ...
    async def set_links(self, rules: Sequence[LinkRule]) -> None: ...  # the whole desired state; () heals


@runtime_checkable
class OffersLimits(Protocol):
    """A Cluster that can take from a node what its host gives it."""

    async def set_limits(self, node: Node, limits: Limits) -> None: ...  # the whole desired state; Limits() heals

    # ^ survives a restart of the node; raises ClusterError when it cannot be done (see `Cluster.capabilities`)
    async def held_back(self, node: Node) -> HeldBack: ...


@runtime_checkable
class OffersVersions(Protocol):
    """A Cluster whose nodes may be started again with another release."""

    async def set_version(self, node: Node, version: str) -> None: ...  # of its next start; raises ClusterError


@runtime_checkable
class OffersPorts(Protocol):
    """A Cluster whose nodes may be started again at each other's ports."""

    async def set_ports(self, node: Node, of: Node) -> None: ...  # of its next start; raises ClusterError


@runtime_checkable
class OffersKnocks(Protocol):
    """A Cluster that can find out what a process in one node's place would find at another node's door."""

    async def knock(
        self, source: Node, target: Node, *, times: int, kbytes: int, within_s: float
    ) -> Sequence[Knock]: ...  # so many connections at once, each with so many kB of words; raises ClusterError


class WholePods(Protocol):
    """The pods that nodes live in: one is taken away, and another, empty one takes its name. All raise ClusterError."""

    def why_not(self, node: Node) -> str: ...  # why its pod cannot be taken; "" = it can
    async def why_no_cordon(self) -> str: ...
    def inside(self, node: Node) -> tuple[Node, ...]: ...  # all nodes in its pod
    async def seen(self, node: Node) -> PodSeen: ...  # asked, not remembered
    async def take(self, node: Node, *, evict: bool) -> None: ...  # returns when it is accepted
    async def again(self, node: Node, *, unlike: str, timeout_s: float) -> None: ...  # "" = it may be the same

    # ^ waits for its pod, of another uid than `unlike`; then its nodes can be started there
    async def is_cordoned(self, machine: str) -> bool: ...
    async def set_cordon(self, machine: str, cordoned: bool) -> None: ...  # no pod, of anybody, is placed on it then

    # ^ what somebody else cordoned is left alone
    async def traces(self) -> Sequence[str]: ...


@runtime_checkable
class OffersPods(Protocol):
    """A Cluster whose nodes may live in pods. None: they do not."""

    @property
    def pods(self) -> WholePods | None: ...


@runtime_checkable
class OffersTraces(Protocol):
    """A Cluster that can look for what faults left in force."""

    async def traces(self) -> Sequence[str]: ...  # seen, not remembered: "vttablet-100 is stopped"; () = clean


class Conversation(Protocol):
    """Standard input and output of a program that runs somewhere else."""

    @property
    def name(self) -> str: ...  # of the place, for people: "load pod 1"
    async def read(self) -> bytes: ...  # what has come; b"" = the program, or the way to it, has ended
    async def write(self, data: bytes) -> None: ...  # raises HarnessError when it cannot be delivered
    async def obituary(self) -> str: ...  # after the end: what is known of how it came; "" = nothing


class LoadPlace(Protocol):
    """Where load processes can run beside a cluster, so that the way from here to it is not what is measured."""

    def address(self, node: Node, port: str) -> tuple[str, int]: ...  # where a process there reaches a node
    async def prepare(self, observer: Observer) -> None: ...  # what takes long (an image), before anything is measured
    def programs(
        self, module: str, *, count: int, logs: Path
    ) -> AbstractAsyncContextManager[Sequence[Conversation]]: ...  # running on entry, gone on exit

    # ^ `python -m module`, so many times, each in a place of its own; it must end when its standard input ends


@runtime_checkable
class OffersLoadPlace(Protocol):
    """A Cluster beside which load processes can run. None: not beside this one."""

    @property
    def load_place(self) -> LoadPlace | None: ...


class Observer(Protocol):
    """Who wants to know what is going on (live view, plain lines). Must not block or raise."""

    def on_event(self, event: Event) -> None: ...
    def on_progress(self, what: str, done: int | None, total: int | None) -> None: ...


class Backend(Protocol):
    """A way to stand up clusters."""

    @property
    def name(self) -> str: ...
    @property
    def never(self) -> Mapping[Capability, str]: ...  # what no cluster of it can do, wherever it stands, and why
    async def refusals(self, spec: ClusterSpec, place: Placement) -> Sequence[str]: ...  # why it cannot; () = it can
    def cluster(
        self, spec: ClusterSpec, place: Placement, *, run: str, folder: Path, logs: Path, observer: Observer
    ) -> AbstractAsyncContextManager[Cluster]: ...  # serving on entry, gone on exit

    # ^ `run`: the run id, by which everything that is made outside our own process can be found again
    async def heal(self, run: str) -> Sequence[str]: ...  # remove what a run left; what it was, () = nothing
    async def orphans(self) -> Mapping[str, Sequence[str]]: ...  # run → what it left, of harnesses that are dead

    # ^ both raise ClusterError or PlanError when nobody answers who could know


@runtime_checkable
class OffersProof(Protocol):
    """A Backend that can look for what is left of a run."""

    async def left(
        self, run: str, place: Placement
    ) -> Mapping[str, Sequence[str]]: ...  # kind of thing → what is there of it

    # ^ raises ClusterError or PlanError when nobody answers who could know


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a fault is about to hit, resolved before the intent is written. `details` also hold what the
    world was like before, so that the evidence afterwards has something to differ from.

    `undo`: everything that takes it back, last to first; the stage does it when the block is left, and whoever heals a
    dead run. What only our own process holds (a connection) needs none. `claims`: what no second fault may touch
    meanwhile ("process vttablet-100").
    """

    targets: tuple[str, ...]
    details: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    undo: tuple[Remedy, ...] = ()
    claims: frozenset[str] = frozenset()
    recover_within_s: float = RECOVER_WITHIN_S


class SpanRecorder(Protocol):
    """Where a fault writes its own story; every call is appended to the ledger at once."""

    def begin(self, at_ns: int = 0) -> None: ...  # the act started (0 = now)
    def active(self, at_ns: int = 0) -> None: ...  # in force (one-shot: returned)
    def detail(self, **details: str | int | float | bool) -> None: ...
    def failed(self, error: str) -> None: ...  # the operation's own error


class Streams(Protocol):
    """The VStream clients of a run, in processes of their own."""

    async def begin(self) -> None: ...  # all of them; a second call is harmless
    def status(self) -> tuple[StreamStatus, ...]: ...
    async def stop(self, *, timeout_s: float) -> None: ...  # end the streams; everything is written on return


class Ground(Protocol):
    """Where faults are taken back: a run's stage, or a cluster whose run is dead."""

    @property
    def cluster(self) -> Cluster: ...
    @property
    def quiet(self) -> bool: ...  # no fault but the one that is being taken back is in force
    async def until(self, name: str, condition: Callable[[], Awaitable[T]], *, timeout_s: float) -> T: ...
    async def shared(self, opener: Callable[[Cluster], AbstractAsyncContextManager[T]]) -> T: ...

    # ^ one client per opener, closed at the end


class Stage(Ground, Protocol):
    """What an experiment's timeline and the faults see of a run."""

    @property
    def plan(self) -> Plan: ...
    @property
    def streams(self) -> Streams: ...
    def phase(self, name: str) -> None: ...
    def note(self, text: str, **details: str | int | float | bool) -> None: ...
    async def hold(self, seconds: float) -> None: ...
    def inject(self, fault: Fault) -> AbstractAsyncContextManager[Aim]: ...


class Fault(Protocol):
    """A frozen dataclass. Its block lets go of what our own process holds when it is left; `Aim.undo` does the rest,
    and `recovered` is waited for."""

    @property
    def name(self) -> str: ...
    @property
    def needs(self) -> frozenset[Capability]: ...
    @property
    def one_shot(self) -> bool: ...  # an operation that is over when it returned: nothing to heal
    async def aim(self, stage: Stage) -> Aim: ...
    def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AbstractAsyncContextManager[None]: ...
    async def observed(self, stage: Stage, aim: Aim) -> bool: ...  # independent evidence; False without injection
    async def recovered(self, stage: Stage, aim: Aim) -> object: ...  # true when the cluster has got over it

    # ^ something false says what is missing, when it is shown


class Probe(Protocol):
    """Samples a source until cancelled; appends to its own file; a source that does not answer is a Sample."""

    @property
    def name(self) -> str: ...
    async def run(self, stage: Stage, folder: Path) -> None: ...


class Check(Protocol):
    """Pure: no I/O, no clock, no random."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> CheckKind: ...
    def check(self, history: History) -> tuple[CheckResult, ...]: ...  # one per subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A question to a cluster. The fixed parts are data; only the timeline is code."""

    name: str
    why: str
    suites: frozenset[Suite]
    timeout_s: float
    cluster: ClusterSpec
    load: LoadSpec | None
    probes: tuple[Probe, ...]
    checks: tuple[Check, ...]
    timeline: Callable[[Stage], Awaitable[None]]
    after_load: Callable[[Stage], Awaitable[None]] | None = (
        None  # when the clients have stopped, before the reading back
    )
    items: ItemsSpec | None = None
    streams: tuple[StreamSpec, ...] = ()
    params: Mapping[str, float] = field(default_factory=dict)
    known_bugs: tuple[KnownBug, ...] = ()
