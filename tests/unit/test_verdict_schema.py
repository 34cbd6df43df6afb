"""docs/verdict.schema.json is what the code says, and the golden verdicts are what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from ci.verdict_schema import PATH, schema, text
from harness.base import jsonio
from tests.unit.cause_rows import verdict_with_causes
from tests.unit.storm_history import storm_history

GOLDEN = Path(__file__).parent.parent / "golden"
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
_KNOWN = {"$schema", "title", "description", "$defs", "type", "properties", "required", "additionalProperties"}
_KNOWN |= {"items", "anyOf", "enum", "$ref"}


def misfits(value: Any, rule: Any, defs: Any, where: str = "") -> list[str]:
    """What of `value` does not fit. Knows the words that the generator uses, and raises for any other."""
    assert set(rule) <= _KNOWN
    if "$ref" in rule:
        return misfits(value, defs[rule["$ref"].removeprefix("#/$defs/")], defs, where)
    if "anyOf" in rule:
        return [] if any(not misfits(value, one, defs, where) for one in rule["anyOf"]) else [f"{where}: none of them"]
    if "enum" in rule:
        return [] if value in rule["enum"] else [f"{where}: {value!r} is none of {rule['enum']}"]
    kind: Any = _KINDS[rule["type"]]
    if not isinstance(value, kind) or (isinstance(value, bool) and rule["type"] != "boolean"):
        return [f"{where}: {value!r} is no {rule['type']}"]
    if rule["type"] == "array":
        return [wrong for n, item in enumerate(value) for wrong in misfits(item, rule["items"], defs, f"{where}[{n}]")]
    return _object_misfits(value, rule, defs, where) if rule["type"] == "object" else []


def _object_misfits(value: Any, rule: Any, defs: Any, where: str) -> list[str]:
    found = [f"{where}: lacks {name}" for name in rule.get("required", ()) if name not in value]
    properties, others = rule.get("properties", {}), rule["additionalProperties"]
    for name, part in value.items():
        inner = properties.get(name, others)
        found += [f"{where}: unknown {name}"] if inner is False else misfits(part, inner, defs, f"{where}.{name}")
    return found


def test_the_file_is_what_the_code_says() -> None:
    assert PATH.read_bytes() == text(), "run: python -m ci.verdict_schema"


def test_fields_are_documented() -> None:
    rows = schema()["$defs"]["CauseRow"]["properties"]
    assert rows["waited_s"]["description"] == "client-seconds"
    assert schema()["$defs"]["Verdict"]["enum"] == [0, 1, 2]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.verdict.json")), ids=lambda path: path.name)
def test_golden_verdicts_fit(path: Path) -> None:
    rule = schema()
    assert misfits(orjson.loads(path.read_bytes()), rule, rule["$defs"]) == []


def test_a_verdict_with_causes_fits_and_a_wrong_one_does_not() -> None:
    rule = schema()
    whole = orjson.loads(jsonio.dumps(verdict_with_causes(storm_history(shards=2, rate=1))))
    assert misfits(whole, rule, rule["$defs"]) == []
    for wrong in ({"exit_code": "1"}, {"extra": 1}, {"verdict": 7}):
        assert misfits(whole | wrong, rule, rule["$defs"])
    del whole["causes"][0]["blame"]
    assert misfits(whole, rule, rule["$defs"]) == [".causes[0]: lacks blame"]
