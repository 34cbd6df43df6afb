"""Pure functions from a History to results: no cluster, no file, no clock, no randomness.

`CHECKS` is the one table of names; a plan holds names, and `vtchaos check RUN_DIR` looks them up here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.base.errors import PlanError
from harness.checks.assumptions import BufferingStarted, ProbesAlive, RateReached, ReparentsHappened, RunComplete
from harness.checks.atomicity import TransactionsAtomic
from harness.checks.buffering import Conservation, KeyspaceConsistency
from harness.checks.clean import NothingLeft
from harness.checks.clients import ClientErrors, ClientStall
from harness.checks.durability import AcknowledgedDurable, FailedAbsent, NoPhantoms
from harness.checks.elsewhere import ClientsElsewhere
from harness.checks.emergency import EmergencyReparents, EmergencyService, OnePrimary, OthersUnaffected
from harness.checks.evictions import BufferEvictions
from harness.checks.explained import ClientsExplained
from harness.checks.faults import FaultsFelt, FaultsHealed, ServedAgain
from harness.checks.host import HarnessFit, HostFit
from harness.checks.links import LinkBystanders, LinkCost, LinkServedAgain
from harness.checks.plans import PlansKept, VSchemaHeard
from harness.checks.pools import PoolServes
from harness.checks.processes import NoCrash
from harness.checks.promotions import BufferPromotions, BufferUpdates
from harness.checks.reads import AcknowledgedReadable
from harness.checks.results import Check
from harness.checks.stops import BufferStops
from harness.checks.tablets import KnownToAll, ServesOn
from harness.checks.vstream import GUARANTEES as STREAM_GUARANTEES
from harness.checks.vstream import ITEM_TABLES
from harness.checks.vstream import PREMISES as STREAM_PREMISES
from harness.checks.workflow_rows import WorkflowAgree, WorkflowRows
from harness.checks.workflows import WorkflowCopied, WorkflowCut, WorkflowCuts, WorkflowErrors, WorkflowState

ASSUMPTIONS: tuple[Check, ...] = (
    RunComplete(),
    HarnessFit(),
    HostFit(),
    RateReached(),
    ReparentsHappened(),
    ProbesAlive(),
    BufferingStarted(),
)
SAFETY: tuple[Check, ...] = (
    AcknowledgedDurable(),
    FailedAbsent(),
    NoPhantoms(),
    AcknowledgedReadable(),
    TransactionsAtomic(),
)
PROMISES: tuple[Check, ...] = (
    ClientErrors(),
    ClientStall(),
    KeyspaceConsistency(),
    Conservation(),
    BufferStops(),
    BufferEvictions(),
    NoCrash(),
)
STANDARD: tuple[Check, ...] = (*ASSUMPTIONS, *SAFETY, *PROMISES)  # what a reparent experiment asks for
EMERGENCY: tuple[Check, ...] = (  # what an emergency experiment asks for: a primary dies with what is on its way to it
    RunComplete(),
    HarnessFit(),
    HostFit(),
    RateReached(),
    ReparentsHappened(),
    ProbesAlive(),
    *SAFETY,
    EmergencyReparents(),
    EmergencyService(),
    OthersUnaffected(),
    OnePrimary(),
    Conservation(),
    NoCrash(),
)
HEALTH: tuple[Check, ...] = (*STANDARD, FaultsFelt(), BufferPromotions())  # what a health experiment asks for
LINKS: tuple[Check, ...] = (  # what a network experiment asks for
    RunComplete(),
    HarnessFit(),
    HostFit(),
    RateReached(),
    ProbesAlive(),
    FaultsFelt(),
    *SAFETY,
    LinkBystanders(),
    LinkCost(),
    LinkServedAgain(),
    ServedAgain(),
    FaultsHealed(),
    NoCrash(),
)
VSTREAM: tuple[Check, ...] = (  # what a vstream experiment asks for
    RunComplete(),
    HarnessFit(),
    HostFit(),
    RateReached(),
    ReparentsHappened(),
    *STREAM_PREMISES,
    *STREAM_GUARANTEES,
    NoCrash(),
)

WORKFLOW: tuple[Check, ...] = (  # what a movetables experiment asks for
    RunComplete(),
    HarnessFit(),
    HostFit(),
    RateReached(),
    ReparentsHappened(),
    ITEM_TABLES,
    WorkflowCut(),
    WorkflowState(),
    WorkflowCopied(),
    WorkflowRows(),
    WorkflowAgree(),
    WorkflowErrors(),
    WorkflowCuts(),
    NoCrash(),
)
EVERY_RUN: tuple[Check, ...] = (FaultsHealed(), NothingLeft())  # whatever the experiment asks for
WITH_LOAD: tuple[Check, ...] = (ClientsExplained(),)  # of every experiment that has clients
FAULTS: tuple[Check, ...] = (FaultsFelt(), FaultsHealed(), ServedAgain())  # where a run's faults are the question
PROCESS: tuple[Check, ...] = (*STANDARD, *FAULTS, ClientsElsewhere())  # what a process experiment asks for
WORKFLOW_CLIENTS: tuple[Check, ...] = (ClientErrors(), ClientStall())  # and where its clients must feel nothing
NARROW: tuple[Check, ...] = (  # what single experiments ask for
    ServesOn(),
    KnownToAll(),
    PoolServes(),
    BufferUpdates(),
    PlansKept(),
    VSchemaHeard(),
)


def table(checks: Iterable[Check]) -> Mapping[str, Check]:
    """Name → check. Raises ValueError when two checks share a name."""
    found: dict[str, Check] = {}
    for check in checks:
        if check.name in found:
            raise ValueError(f"two checks are called {check.name}")
        found[check.name] = check
    return found


CHECKS: Mapping[str, Check] = table(
    dict.fromkeys(
        (*HEALTH, *EMERGENCY, *VSTREAM, *WORKFLOW, *FAULTS, *LINKS, *PROCESS, *EVERY_RUN, *WITH_LOAD, *NARROW)
    )
)


def names(checks: Iterable[Check], *, asks: str) -> tuple[str, ...]:
    """Each name once. Raises PlanError for a check that no recorded run of `asks` could be judged by."""
    found = tuple(dict.fromkeys(check.name for check in checks))
    absent = [name for name in found if name not in CHECKS]
    if absent:
        raise PlanError(
            f"{asks} asks for the check {absent[0]}, which is not in CHECKS of harness/checks/__init__.py, so that its "
            "runs could not be judged; add it there, or leave it out of the experiment"
        )
    return found
