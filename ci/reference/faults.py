"""Faults: what they do, what can be set, what shows them, where they can be had."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from ci.reference.fields import comments
from ci.reference.markdown import NOTHING, code, codes, docstring, page, plain, table
from clusters import BACKENDS
from harness.contracts import Fault
from harness.faults import catalogue
from harness.faults.targets import Targets

HEAD = """
All faults that `vtchaos fault inject NAME` and experiments can inject. How one lives, is aimed and is taken back:
[faults.md](../faults.md). `vtchaos fault list --cluster NAME` says what a cluster that stands can do.
"""


def faults() -> str:
    """One overview, then one section each."""
    rows = (
        (f"[`{name}`](#{name.lower()})", catalogue.says(kind), codes(sorted(catalogue.sample(kind).needs)))
        for name, kind in catalogue.FAULTS.items()
    )
    overview = table(("fault", "what it does", "needs"), rows)
    sections = (_section(kind) for kind in catalogue.FAULTS.values())
    return page("Faults", HEAD.strip(), overview, *sections)


def _section(kind: type[Fault]) -> str:
    return "\n\n".join(part for part in _parts(kind) if part)


def _parts(kind: type[Fault]) -> Iterator[str]:
    sample = catalogue.sample(kind)
    yield f"## {kind.__name__}"
    yield docstring(kind)
    yield _parameters(kind)
    yield "\n".join((f"- Evidence: {plain(catalogue.evidence(sample))}", _one_shot(sample), _where(sample)))


def _one_shot(fault: Fault) -> str:
    return "- One-shot: there is nothing to take back" if fault.one_shot else "- Lasts until it is taken back"


def _parameters(kind: type[Fault]) -> str:
    fields = catalogue.fields(kind)
    if not fields:
        return "No parameters."
    beside = comments(kind)
    rows = (
        (code(each.name), _type(each.kind), _default(each), plain(beside.get(each.name, NOTHING))) for each in fields
    )
    return table(("parameter", "type", "default", "meaning"), rows)


def _type(kind: object) -> str:
    if kind is Targets:
        return "[targets](../faults.md#by-hand)"
    return kind.__name__ if inspect.isclass(kind) and not hasattr(kind, "__args__") else "words, with commas between"


def _default(field: catalogue.Field) -> str:
    return "must be given" if field.default is None else code(field.text.partition("=")[2])


def _where(sample: Fault) -> str:
    if not sample.needs:
        return "- Where: any cluster"
    lines = [f"- Needs: {codes(sorted(sample.needs))}"]
    for name, backend in BACKENDS.items():
        lines += [f"- Not on {name}: {backend.never[need]}" for need in sorted(sample.needs) if need in backend.never]
    return "\n".join(lines)
