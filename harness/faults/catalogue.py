"""All faults by name, and their making from text: what the command line offers.

A fault's fields are its parameters. Targets are given by options of their own, which fill a field `targets`, or the
fields of the same names (`shard`, `tablet_type`, `number` …) of a fault that has them itself.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from harness.base.errors import PlanError
from harness.contracts import Fault
from harness.faults import (
    addresses,
    candidates,
    cells,
    churn,
    disk,
    emergency,
    hosts,
    logs,
    mysql,
    network,
    pods,
    pools,
    process,
    reparent,
    rollout,
    slowness,
    switching,
    tablet_types,
)
from harness.faults.targets import Targets
from harness.model import Role

FAMILIES: tuple[tuple[type[Fault], ...], ...] = (
    process.FAULTS,
    addresses.FAULTS,
    slowness.FAULTS,
    reparent.FAULTS,
    emergency.FAULTS,
    hosts.FAULTS,
    network.FAULTS,
    candidates.FAULTS,
    tablet_types.FAULTS,
    switching.FAULTS,
    mysql.FAULTS,
    disk.FAULTS,
    logs.FAULTS,
    pods.FAULTS,
    pools.FAULTS,
    churn.FAULTS,
    cells.FAULTS,
    rollout.FAULTS,
)


def _table() -> Mapping[str, type[Fault]]:
    table: dict[str, type[Fault]] = {}
    for kind in (each for family in FAMILIES for each in family):
        if kind.__name__ in table:
            raise ValueError(f"two faults are called {kind.__name__}")
        table[kind.__name__] = kind
    return table


FAULTS: Mapping[str, type[Fault]] = _table()
"""Name → fault."""

TARGET = "targets"
PLACEHOLDERS: Mapping[type, object] = {str: "0", int: 1, float: 1.0, Targets: Targets(role=Role.VTTABLET)}


# ---------------------------------------------------------------- what there is


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter as a user sees it. `default` None: it must be given."""

    name: str
    kind: Any  # str, int, float, bool, tuple[str, ...] or Targets
    default: Any = None

    @property
    def text(self) -> str:
        """`delay_ms=100`."""
        return self.name if self.default is None else f"{self.name}={_shown(self.default)}"


def chosen(name: str) -> type[Fault]:
    """Upper and lower case, dashes and underscores do not matter. Raises PlanError with near names."""
    by_plain = {_plain(known): kind for known, kind in FAULTS.items()}
    if _plain(name) in by_plain:
        return by_plain[_plain(name)]
    raise PlanError(f"no fault is called {name} (`vtchaos fault list` shows all){_near(name, FAULTS)}")


def fields(kind: type[Fault]) -> tuple[Field, ...]:
    """What can be set from text; a field of another type (a gate of the harness's own) cannot."""
    hints = typing.get_type_hints(kind)
    return tuple(
        Field(name=field.name, kind=hints[field.name], default=_default(field))
        for field in dataclasses.fields(typing.cast(Any, kind))
        if hints[field.name] in _READERS
    )


def says(kind: type[Fault]) -> str:
    """The first sentences of its docstring, up to an empty line, as one line."""
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())


def evidence(fault: Fault) -> str:
    """What its evidence is."""
    return " ".join((inspect.getdoc(fault.observed) or "").partition("\n\n")[0].split())


def sample(kind: type[Fault]) -> Fault:
    """One with its defaults, and something where there is none: to ask what it needs."""
    required = {field.name: PLACEHOLDERS[field.kind] for field in fields(kind) if field.default is None}
    return kind(**required)


def told(fault: Fault) -> str:
    """Its name and what differs from the defaults: `PlannedReparent(shard='-80')`."""
    defaults = {field.name: field.default for field in fields(type(fault))}
    given = {name: getattr(fault, name) for name in defaults if getattr(fault, name) != defaults[name]}
    return f"{fault.name}({', '.join(f'{name}={_shown(value)}' for name, value in given.items())})"


def shards_of(fault: Fault) -> tuple[str, ...]:
    """The shards that it names."""
    values = [getattr(fault, field.name) for field in fields(type(fault))]
    named = [getattr(fault, "shard", ""), *getattr(fault, "shards", ())]
    named += [shard for value in values if isinstance(value, Targets) for shard in value.shards]
    return tuple(shard for shard in named if shard)


# ---------------------------------------------------------------- from text


def made(kind: type[Fault], settings: Mapping[str, str], targets: Mapping[str, Any]) -> Fault:
    """`settings`: field → text. `targets`: fields of `Targets` that were asked for. Raises PlanError."""
    known = {field.name: field for field in fields(kind)}
    values = {name: _read(kind, known, name, text) for name, text in settings.items()}
    values |= _aimed(kind, known, targets)
    missing = [field.name for field in known.values() if field.default is None and field.name not in values]
    if missing:
        raise PlanError(f"{kind.__name__} must be told its {' and '.join(missing)}: {_how(missing)}")
    return kind(**values)


def _read(kind: type[Fault], known: Mapping[str, Field], name: str, text: str) -> Any:
    if name not in known:
        near = _near(name, known)
        raise PlanError(f"{kind.__name__} has no {name}{near}; it has {', '.join(known) or 'nothing to set'}")
    reader, form = _READERS[known[name].kind]
    try:
        return reader(text)
    except ValueError:
        raise PlanError(f"--set {name}={text}: it takes {form}") from None


def targets_of(text: str) -> Targets:
    """`vtgate`, `primary,vttablet,shard=-80`, `replica,vttablet,count=2`, or names: `vtgate-1,vttablet-100`. Raises
    ValueError, PlanError."""
    given: dict[str, Any] = {}
    for word in text.split(","):
        name, equals, value = word.partition("=")
        if word in list(Role):
            given["role"] = Role(word)
        elif word in TABLET_TYPES:
            given["tablet_type"] = word
        elif name == "shard" and value:
            given["shards"] = (*given.get("shards", ()), value)
        elif name in _NUMBERS:
            given[name] = _NUMBERS[name](value)
        elif word and not equals:
            given["names"] = (*given.get("names", ()), word)
        else:
            raise ValueError(word)
    return Targets(**given)


def _aimed(kind: type[Fault], known: Mapping[str, Field], targets: Mapping[str, Any]) -> dict[str, Any]:
    if not targets:
        return {}
    if TARGET in known:
        return {TARGET: _targets(known[TARGET].default, targets)}
    own = dict(targets)
    if "shard" in known and len(own.get("shards", ())) == 1:
        (own["shard"],) = own.pop("shards")
    useless = [f"--{_OPTIONS.get(name, name).replace('_', '-')}" for name in own if name not in known]
    if useless:
        raise PlanError(f"{kind.__name__} has no use for {', '.join(useless)}")
    return own


def _targets(default: Targets | None, asked: Mapping[str, Any]) -> Targets:
    """The fault's own, but for what was asked for. Named nodes are these, whatever the default is."""
    if "names" in asked:
        return Targets(**asked)
    if default is None or ("role" in asked and default.role is None):
        return Targets(**asked)
    chooses = {"number", "count", "share"} & set(asked)
    base = dataclasses.replace(default, number=0, count=0, share=1.0) if chooses else default
    return dataclasses.replace(base, **asked)


# ---------------------------------------------------------------- words

TABLET_TYPES = ("primary", "replica", "rdonly")
_NUMBERS: Mapping[str, typing.Callable[[str], float]] = {"number": int, "count": int, "share": float}
_OPTIONS = {"names": "node", "shards": "shard"}  # field of Targets → option


def _true(text: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]


def _bool(text: str) -> bool:
    try:
        return _true(text)
    except KeyError:
        raise ValueError(text) from None


_READERS: Mapping[Any, tuple[typing.Callable[[str], Any], str]] = {
    str: (str, "text"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (_bool, "true or false"),
    Targets: (targets_of, "vtgate, primary,vttablet,shard=-80, replica,mysqld,count=1, or names of processes"),
    tuple[str, ...]: (lambda text: tuple(part for part in text.split(",") if part), "words with commas in between"),
}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else None


def _shown(value: Any) -> str:
    """As it can be given, except for text in quotes."""
    if not isinstance(value, Targets):
        return repr(value)
    words = [*value.names, value.tablet_type, value.role or "", *(f"shard={shard}" for shard in value.shards)]
    words += [f"{name}={getattr(value, name):g}" for name in ("number", "count") if getattr(value, name)]
    return ",".join(word for word in (*words, f"share={value.share:g}" if value.share < 1 else "") if word)


def _how(missing: Iterable[str]) -> str:
    options = {"shard": "--shard -80", TARGET: "--role vttablet, or --node vttablet-100"}
    return ", ".join(options.get(name, f"--set {name}=…") for name in missing)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _near(name: str, known: Iterable[str]) -> str:
    plain = {_plain(each): each for each in known}
    near = difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(plain[each] for each in near)}?" if near else ""
