"""Inline tags: paths, reading, writing."""

from __future__ import annotations

import json

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.model import EntityKind, EntityTags

FIELD, RECORD = EntityKind.FIELD, EntityKind.RECORD
FORMAT = JsonSchemaFormat()
SCHEMA = {
    "type": "object",
    "confluent:tags": ["ROOT"],
    "properties": {
        "name": {"type": "string", "confluent:tags": ["PII", "PII"]},
        "address": {
            "type": "object",
            "confluent:tags": ["PLACE"],
            "properties": {"street": {"anyOf": [{"type": "string", "confluent:tags": ["PII"]}, {"type": "null"}]}},
        },
        "phones": {"items": {"type": "string", "confluent:tags": ["PHONE"]}},
        "orders": {"type": "array", "items": [{"$ref": "#/definitions/order"}]},
        "last": {"$ref": "#/definitions/order"},
    },
    "definitions": {
        "order": {
            "type": ["object", "null"],
            "confluent:tags": ["ORDER"],
            "properties": {"parent": {"$ref": "#/definitions/order"}, "price": {"confluent:tags": ["MONEY", 5]}},
        }
    },
}
TAGS = (
    EntityTags("object", RECORD, ("ROOT",)),
    EntityTags("object.name", FIELD, ("PII",)),
    EntityTags("object.address", FIELD, ("PLACE",)),
    EntityTags("object.address.street", FIELD, ("PII",)),
    EntityTags("object.phones.array", FIELD, ("PHONE",)),
    EntityTags("object.orders.array", RECORD, ("ORDER",)),
    EntityTags("object.orders.array.price", FIELD, ("MONEY",)),
)


def test_tags_are_listed_in_document_order() -> None:
    assert FORMAT.parse(json.dumps(SCHEMA)).tags == TAGS
    assert FORMAT.parse("true").tags == ()


def test_tags_are_removed_and_added() -> None:
    parsed = FORMAT.parse('{"properties":{"a":{"type":"object","confluent:tags":["X"]},"b":{"confluent:tags":["Y"]}}}')
    text = parsed.with_tags(
        add=[EntityTags("object", RECORD, ("T", "T")), EntityTags("object.a", RECORD, ("Z", "X"))],
        remove=[EntityTags("object.b", FIELD, ("Y", "other"))],
    )
    assert text == '{"properties":{"a":{"type":"object","confluent:tags":["X","Z"]},"b":{}},"confluent:tags":["T"]}'
    assert parsed.canonical.count("T") == 0
    assert FORMAT.parse(text).tags == (
        EntityTags("object", RECORD, ("T",)),
        EntityTags("object.a", FIELD, ("X", "Z")),
    )


def test_a_tag_of_one_alternative_is_not_repeated_on_another() -> None:
    text = '{"anyOf":[{"type":"object"},{"type":"object","confluent:tags":["T"]}]}'
    parsed = FORMAT.parse(text)
    assert parsed.with_tags([EntityTags("object", RECORD, ("T",))], []) == text
    assert "T" not in parsed.with_tags([], [EntityTags("object", RECORD, ("T",))])


@pytest.mark.parametrize(
    "entity", [EntityTags("object.nope", FIELD, ("T",)), EntityTags("object.name", RECORD, ("T",))]
)
def test_an_unknown_place_is_refused_with_the_known_ones(entity: EntityTags) -> None:
    with pytest.raises(InvalidSchema, match=r"object\.address \(sr_field\)"):
        FORMAT.parse(json.dumps(SCHEMA)).with_tags([entity], [])


def test_a_boolean_schema_has_no_place() -> None:
    with pytest.raises(InvalidSchema, match="there are none"):
        FORMAT.parse("true").with_tags([EntityTags("object", RECORD, ("T",))], [])


def test_shared_definitions_do_not_multiply() -> None:
    definitions: dict[str, object] = {
        f"d{i}": {"properties": {"l": {"$ref": f"#/definitions/d{i + 1}"}, "r": {"$ref": f"#/definitions/d{i + 1}"}}}
        for i in range(200)
    }
    definitions["d200"] = {"confluent:tags": ["T"]}
    parsed = FORMAT.parse(json.dumps({"$ref": "#/definitions/d0", "definitions": definitions}))
    assert len(parsed.tags) == 1
