"""Frozen values that everything exchanges: what a cluster is, what was run, what was seen, what was judged.

All stamps are `harness.base.clock` nanoseconds.
"""

from harness.model.cluster import ClusterSpec, KeyspaceSpec, Placement, VtgateSpec, key_ranges
from harness.model.nodes import Capability, HeldBack, Knock, Limits, LinkEffect, LinkRule, Node, PodSeen, Role
from harness.model.plan import ConnectionMode, Drawn, KnownBug, LoadSpec, Objective, Plan, Suite, Workload
from harness.model.seen import (
    OP_DTYPE,
    ROW_DTYPE,
    Clean,
    Event,
    FaultSpan,
    Lane,
    LogLine,
    OpKind,
    Outcome,
    ReadResult,
    Remedy,
    Sample,
    Scalar,
)
from harness.model.verdict import PREMISES, CheckKind, CheckResult, RunVerdict, Verdict

__all__ = [
    "OP_DTYPE",
    "PREMISES",
    "ROW_DTYPE",
    "Capability",
    "CheckKind",
    "CheckResult",
    "Clean",
    "ClusterSpec",
    "ConnectionMode",
    "Drawn",
    "Event",
    "FaultSpan",
    "HeldBack",
    "KeyspaceSpec",
    "Knock",
    "KnownBug",
    "Lane",
    "Limits",
    "LinkEffect",
    "LinkRule",
    "LoadSpec",
    "LogLine",
    "Node",
    "Objective",
    "OpKind",
    "Outcome",
    "Placement",
    "Plan",
    "PodSeen",
    "ReadResult",
    "Remedy",
    "Role",
    "RunVerdict",
    "Sample",
    "Scalar",
    "Suite",
    "Verdict",
    "VtgateSpec",
    "Workload",
    "key_ranges",
]
