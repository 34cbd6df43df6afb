"""What two runs say of one thing is the same but for its particulars: numbers, names of shards, tables and nodes."""

from __future__ import annotations

import re

CLAUSE = 80  # characters

_PARTICULARS = re.compile(
    r"(?<![\w.-])0x[0-9a-f]+\b"
    r"|\b[0-9a-f]+-[0-9a-f]*(?![\w-])|(?<!\w)-[0-9a-f]{2,}(?![\w-])"  # shards: -80, 80-, 40-80
    r"|(?<=[a-z][-_])\d+\b"  # vttablet-100, item_1
    r"|(?<!errno )(?<![\w.#])[+-]?\d+(?:\.\d+)?e[+-]?\d+\b"
    r"|(?<!errno )(?<![\w.#])[+-]?\d[\d,.]*\d|(?<!errno )(?<![\w.#])[+-]?\d"
)
_SEVERAL = re.compile(r"#(?:, #)+(?: and # more)?")
_TOLD_BY = re.compile(r"^(?:\w+: )?[A-Z][A-Z_]+: ")  # "EmergencyReparentShard: UNKNOWN: …", of a call over gRPC


def without_particulars(text: str) -> str:
    """The same in every run that says it. An errno and the number of an issue stay: they say what it is. One noun or
    several is still two texts: what a check finds is told apart by its symptoms, not by its words."""
    return _SEVERAL.sub("#", _PARTICULARS.sub("#", text))


def first_clause(message: str) -> str:
    """What a server says first, without what it adds behind colons: the code that it gives, and its cause's words."""
    said = _TOLD_BY.sub("", " ".join(message.split()))
    return without_particulars(said.partition(": ")[0][:CLAUSE]).rstrip(". ")
