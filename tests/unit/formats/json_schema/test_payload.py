"""Payloads of JSON Schemas: every row of a table, and what a violation tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.formats.json_schema.faults import Faults
from llm_schema_registry.formats.json_schema.payload import JsonPayloads
from llm_schema_registry.formats.json_schema.rewrite import rewritten
from llm_schema_registry.model import Encoding, Violation, ViolationKind

FORMAT = JsonSchemaFormat()
CASES = json.loads((Path(__file__).parents[3] / "data" / "payloads" / "json.json").read_text())
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
Json = Any


def payloads(schema: Json, references: dict[str, Json] | None = None) -> JsonPayloads:
    resolved = [ResolvedReference(name, name, 1, json.dumps(text)) for name, text in (references or {}).items()]
    return FORMAT.payloads(FORMAT.parse(json.dumps(schema), resolved))


def faults(schema: Json, value: Json, references: dict[str, Json] | None = None) -> tuple[Violation, ...]:
    return payloads(schema, references).read(Encoding.JSON, json.dumps(value).encode()).violations


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_each_case_has_its_faults_in_their_places(case: Json) -> None:
    reading = payloads(case["schema"], case.get("references")).read(Encoding.JSON, case["payload"].encode())
    assert [[fault.kind, fault.path] for fault in reading.violations] == case["expected"]
    for fault in reading.violations:
        assert fault.message.endswith(f"found {fault.found}") or fault.kind in _OWN_WORDS
        assert fault.expected
        assert len(fault.expected) <= 100 >= len(fault.found)
    if not reading.violations:
        assert reading.value == json.loads(case["payload"])


_OWN_WORDS = {ViolationKind.FIELD_REPEATED, ViolationKind.INVALID_TEXT}


def test_a_violation_says_where_what_was_asked_for_and_what_was_there() -> None:
    schema = {"properties": {"a/b": {"items": {"type": ["integer", "null"]}}}}
    assert faults(schema, {"a/b": [1, "x"]}) == (
        Violation(
            ViolationKind.TYPE_MISMATCH,
            "/a~1b/1",
            "The value at '/a~1b/1' has another type: expected integer or null, found string \"x\"",
            expected="integer or null",
            found='string "x"',
            schema_path="/properties/a~1b/items/type",
        ),
    )
    assert faults({"type": "object"}, 3)[0].message == (
        "The value at the top has another type: expected object, found integer 3"
    )


@pytest.mark.parametrize(
    ("schema", "value", "expected", "found", "schema_path"),
    [
        ({"type": "string"}, {"a": 1}, "string", "an object of 1 fields", "/type"),
        ({"type": "string"}, [1, 2], "string", "a list of 2 items", "/type"),
        ({"enum": list(range(9))}, 10, "one of 0, 1, 2, 3, 4 or 4 more", "10", "/enum"),
        ({"const": 1.5}, 10, "1.5", "10", "/const"),
        ({"minimum": 2}, 1.5, "at least 2", "1.5", "/minimum"),
        ({"exclusiveMaximum": 2}, 2, "less than 2", "2", "/exclusiveMaximum"),
        ({"$schema": DRAFT_4, "minimum": 2, "exclusiveMinimum": True}, 2, "more than 2", "2", "/minimum"),
        ({"$schema": DRAFT_4, "maximum": 2, "exclusiveMaximum": False}, 3, "at most 2", "3", "/maximum"),
        ({"multipleOf": 2}, 3, "a multiple of 2", "3", "/multipleOf"),
        ({"minLength": 2}, "a", "at least 2 characters", "1", "/minLength"),
        ({"maxItems": 1}, [1, 2], "at most 1 items", "2", "/maxItems"),
        ({"minProperties": 1}, {}, "at least 1 fields", "0", "/minProperties"),
        ({"format": "date"}, "x", "the format date", '"x"', "/format"),
        ({"pattern": "^a"}, "b" * 99, 'a match of "^a"', f'"{"b" * 60}... of 99 characters', "/pattern"),
        ({"uniqueItems": True}, [1, 1], "items that differ", "an item again", "/uniqueItems"),
        ({"required": ["a"]}, {}, "a value", "nothing", "/required"),
        ({"dependencies": {"a": ["b"]}}, {"a": 1}, 'a value, because "a" is there', "nothing", "/dependencies/a"),
        ({"properties": {"a": False}}, {"a": 1}, "nothing here", "1", "/properties/a"),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "a name with at most 1 characters", '"ab"', "/propertyNames"),
        (
            {"anyOf": [{"required": ["a"]}, {"required": ["b", "c"]}]},
            {},
            "at least one of 2 branches",
            "none; branch 0 asks for a value at '/a'",
            "/anyOf",
        ),
        ({"oneOf": [{}, {}, {"type": "null"}]}, 1, "exactly one of 3 branches", "a match of 0 and 1", "/oneOf"),
    ],
)
def test_expected_and_found_are_short_and_plain(
    schema: Json, value: Json, expected: str, found: str, schema_path: str
) -> None:
    (fault,) = faults(schema, value)
    assert (fault.expected, fault.found, fault.schema_path) == (expected, found, schema_path)


def test_a_path_into_a_reference_begins_with_its_name() -> None:
    references = {"money.json": {"definitions": {"amount": {"type": "number"}}}}
    schema = {"properties": {"cost": {"$ref": "money.json#/definitions/amount"}}}
    assert faults(schema, {"cost": "x"}, references)[0].schema_path == "money.json#/definitions/amount/type"


def test_a_dynamic_reference_into_registered_schemas_is_followed() -> None:
    base = {"$dynamicAnchor": "node", "properties": {"c": {"items": {"$dynamicRef": "#node"}}}}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$dynamicAnchor": "node",
        "$ref": "base.json",
        "unevaluatedProperties": False,
    }
    base["$schema"] = schema["$schema"]
    assert faults(schema, {"c": [{"c": []}]}, {"base.json": base}) == ()
    assert faults(schema, {"c": [{"x": 1}]}, {"base.json": base})[0].kind is ViolationKind.COMBINATION_FAILED


def test_binary_payloads_do_not_exist() -> None:
    (fault,) = payloads(True).read(Encoding.BINARY, b"\x00").violations
    assert fault.kind is ViolationKind.MALFORMED


def test_a_schema_has_no_messages() -> None:
    parsed = FORMAT.parse("{}")
    with pytest.raises(InvalidPayload, match=r"the message 'a\.B' is not in it"):
        FORMAT.payloads(parsed, "a.B")
    assert FORMAT.unframe(parsed, b'{"a": 1}') == ("", Encoding.JSON, b'{"a": 1}')


def test_plain_values_are_the_values_and_come_back_as_json() -> None:
    ready = payloads({})
    value = {"a": [1, None, "x"]}
    assert ready.plain(value) is value
    assert ready.restore(value) == value
    changed = {"at": datetime(2024, 1, 2, tzinfo=UTC), "cost": Decimal("1.50"), "raw": b"ab", 1: 2}
    assert ready.restore(changed) == {"at": "2024-01-02T00:00:00Z", "cost": "1.50", "raw": "YWI=", "1": 2}
    with pytest.raises(ValueError, match="object"):
        ready.restore(object())


@pytest.mark.parametrize("case", [case for case in CASES if "dynamic reference" not in case["name"]])
def test_the_search_alone_has_the_same_answer(case: Json) -> None:
    """Where a schema is not compiled the search gives the verdict."""
    resolved = [ResolvedReference(n, n, 1, json.dumps(text)) for n, text in case.get("references", {}).items()]
    resources = FORMAT.parse(json.dumps(case["schema"]), resolved).resources
    reading = payloads({}).read(Encoding.JSON, case["payload"].encode())
    if not reading.violations:
        found, is_whole = Faults(resources.draft, rewritten(resources), resources.names).find(reading.value, 100)
        assert is_whole
        assert [[fault.kind, fault.path] for fault in found] == case["expected"]
