"""Operations that did not end well, grouped by what the client was told.

Messages differ in shard names, tablet aliases and numbers; a reader wants one row for one cause, with
one whole message as the example.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.history import History, Ops
from harness.model import Outcome
from harness.reports.words import clean

_TARGET = re.compile(r"\b(\w+)\.(?:[0-9a-f]*-[0-9a-f]*|0)\.(primary|replica|rdonly)\b", re.IGNORECASE)
_NAMED = re.compile(r"\b(\w+)/(?:[0-9a-f]*-[0-9a-f]*|0)(?![\w-])")
_ALIAS = re.compile(r"\b[\w]+-\d{10}\b")
_STATEMENT = re.compile(r"\bSql: .*", re.DOTALL)
_DIGITS = re.compile(r"\d+")
_READ_CHARACTERS = 600  # of a message; what follows is the statement and its values


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """All operations that ended alike. Stamps are those of the outcomes."""

    outcome: Outcome
    errno: int
    number: int
    shards: tuple[str, ...]
    vtgates: tuple[str, ...]
    first_ns: int
    last_ns: int
    example: str

    @property
    def title(self) -> str:
        if self.outcome is Outcome.NOT_ISSUED:
            return "not issued"
        return f"errno {self.errno}" if self.errno else "no errno"


def error_kinds(history: History) -> tuple[ErrorKind, ...]:
    """The kinds by outcome (surely failed, unknown, not issued), the most frequent first."""
    bad = history.ops[history.ops["outcome"] != Outcome.OK]
    if not len(bad):
        return ()
    labels, kinds = _label(history, bad)
    found = [_kind(history, bad[labels == index], example) for index, example in enumerate(kinds)]
    return tuple(sorted(found, key=lambda kind: (kind.outcome, -kind.number, kind.errno, kind.example)))


def _label(history: History, bad: Ops) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], list[str]]:
    """For each operation the number of its kind, and one example message a kind."""
    packed = _pack(bad)
    distinct, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
    normal = _normaliser(history.plan.cluster.shard_names)
    numbers: dict[tuple[int, int, str], int] = {}
    examples: list[str] = []
    kind_of = np.empty(len(distinct), dtype=np.int64)
    for index, position in enumerate(first):
        op = bad[position]
        text = history.message(op)
        key = (int(op["outcome"]), int(op["errno"]), normal(text))
        if key not in numbers:
            numbers[key] = len(numbers)
            examples.append(clean(text))
        kind_of[index] = numbers[key]
    return kind_of[inverse], examples


def _pack(bad: Ops) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """worker, message, errno and outcome in one number: unique() on numbers is fast."""
    packed = bad["worker"].astype(np.uint64) << np.uint64(56)
    packed |= bad["outcome"].astype(np.uint64) << np.uint64(48)
    packed |= bad["errno"].astype(np.uint64) << np.uint64(32)
    packed |= bad["message"].astype(np.uint64)
    return packed


def _normaliser(shards: tuple[str, ...]) -> Callable[[str], str]:
    names = sorted((re.escape(shard) for shard in shards if "-" in shard), key=len, reverse=True)
    named = re.compile(rf"(?<![\w-])(?:{'|'.join(names)})(?![\w-])") if names else None

    def normal(text: str) -> str:
        short = _STATEMENT.sub("", text[:_READ_CHARACTERS])
        short = _ALIAS.sub("*", _NAMED.sub(r"\1/*", _TARGET.sub(r"\1.*.\2", short)))
        return _DIGITS.sub("#", named.sub("*", short) if named else short)

    return normal


def _kind(history: History, ops: Ops, example: str) -> ErrorKind:
    numbers = set(np.unique(ops["lane"]).tolist())
    lanes = [lane for lane in history.lanes if lane.number in numbers]
    return ErrorKind(
        outcome=Outcome(int(ops["outcome"][0])),
        errno=int(ops["errno"][0]),
        number=len(ops),
        shards=tuple(dict.fromkeys(lane.shard for lane in lanes)),
        vtgates=tuple(dict.fromkeys(lane.vtgate for lane in lanes)),
        first_ns=int(ops["done_ns"].min()),
        last_ns=int(ops["done_ns"].max()),
        example=example or "(no message)",
    )
