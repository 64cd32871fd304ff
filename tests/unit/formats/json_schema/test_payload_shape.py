"""The outline of JSON Schemas: names, kinds, tags, circles and bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.sensitive.masking import Masker
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from llm_schema_registry.formats.json_schema.outline import MAX_FIELDS
from llm_schema_registry.formats.shape import Shape, ShapeKind

FORMAT = JsonSchemaFormat()
MODERN = "https://json-schema.org/draft/2020-12/schema"


def shape(schema: Any, references: dict[str, Any] | None = None) -> Shape:  # noqa: ANN401 - any JSON value
    resolved = [ResolvedReference(name, name, 1, json.dumps(text)) for name, text in (references or {}).items()]
    return FORMAT.payloads(FORMAT.parse(json.dumps(schema), resolved)).shape


def drawn(shape: Shape, depth: int = 4) -> str:
    """Write a shape in one line."""
    mark = "?" if shape.is_nullable else ""
    if depth == 0:
        return "..."
    if shape.kind is ShapeKind.RECORD:
        inner = ", ".join(
            f"{name}{'' if field.is_required else '~'}: {drawn(field.shape, depth - 1)}"
            for name, field in shape.fields.items()
        )
        return f"{{{inner}{', *' if shape.is_open else ''}}}{mark}"
    if shape.items is not None:
        return f"{shape.kind}<{drawn(shape.items, depth - 1)}>{mark}"
    if shape.branches:
        return f"({' | '.join(drawn(branch, depth - 1) for branch in shape.branches)}){mark}"
    return f"{shape.kind}{list(shape.symbols) if shape.symbols else ''}{mark}".replace("'", "")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (True, "ANY"),
        (False, "ANY"),
        ({}, "ANY"),
        ({"type": "string", "format": "date-time"}, "STRING"),
        ({"type": "integer"}, "INT"),
        ({"type": "number"}, "DOUBLE"),
        ({"type": ["integer", "number"]}, "DOUBLE"),
        ({"type": "boolean"}, "BOOLEAN"),
        ({"type": "null"}, "NULL"),
        ({"type": ["string", "null"]}, "STRING?"),
        ({"type": ["string", "integer", "null"]}, "(STRING | INT)?"),
        ({"type": ["object", "string"], "properties": {"a": {}}}, "({a~: ANY, *} | STRING)"),
        ({"enum": ["a", "b"]}, "ENUM[a, b]"),
        ({"enum": ["a", None]}, "ENUM[a]?"),
        ({"enum": [1, 2.5, None]}, "(INT | DOUBLE)?"),
        ({"enum": [None]}, "NULL"),
        ({"const": "a"}, "ENUM[a]"),
        ({"const": 5}, "INT"),
        ({"type": "array"}, "ARRAY<ANY>"),
        ({"items": {"type": "string"}}, "ARRAY<STRING>"),
        ({"type": "array", "items": [{"type": "string"}]}, "ARRAY<ANY>"),
        ({"type": "object"}, "MAP<ANY>"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "MAP<STRING>"),
        ({"patternProperties": {"^a": {"type": "integer"}}}, "MAP<INT>"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, "{a: STRING, *}"),
        ({"properties": {"a": {}}, "additionalProperties": False}, "{a~: ANY}"),
        ({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}, "required": ["a"]}]}, "{a: ANY, b~: ANY, *}"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "STRING?"),
        ({"anyOf": [{"type": "null"}, {"type": "null"}]}, "NULL"),
        ({"anyOf": [{"type": "string"}, {}]}, "ANY"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}, "(STRING | INT)?"),
        ({"oneOf": [{"type": "string"}, {"enum": [None, 1]}]}, "(STRING | INT?)?"),
        (
            {"anyOf": [{"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "boolean"}]},
            "(STRING | INT | BOOLEAN)",
        ),
        ({"anyOf": [{"oneOf": [{"type": "string"}, {"type": "null"}]}, {"type": "null"}]}, "STRING?"),
        (
            {"properties": {"k": {}}, "oneOf": [{"properties": {"a": {}}}, {"required": ["k"]}]},
            "{k~: ANY, a~: ANY, *}",
        ),
        ({"type": "string", "anyOf": [{"minLength": 3}, {"maxLength": 1}]}, "STRING"),
        ({"allOf": [{"type": ["string", "null"]}, {"type": ["string", "integer"]}]}, "STRING"),
        ({"definitions": {"a": {"type": "string"}}, "$ref": "#/definitions/a", "type": "integer"}, "STRING"),
        ({"$ref": "http://json-schema.org/draft-07/schema#"}, "ANY"),
        (
            {"$schema": MODERN, "$defs": {"a": {"type": ["string", "null"]}}, "$ref": "#/$defs/a", "minLength": 1},
            "STRING?",
        ),
        ({"$schema": MODERN, "type": "array", "prefixItems": [{}], "items": {"type": "string"}}, "ARRAY<ANY>"),
        ({"$schema": MODERN, "properties": {"a": {}}, "unevaluatedProperties": False}, "{a~: ANY}"),
    ],
)
def test_kinds_are_those_of_what_values_can_be(schema: Any, expected: str) -> None:  # noqa: ANN401 - any JSON value
    assert drawn(shape(schema)) == expected


def test_what_says_nothing_is_open() -> None:
    assert shape({}).is_open
    assert shape({"properties": {"a": {}}}).fields["a"].shape.is_open
    assert not shape({"type": "string"}).is_open


def test_fields_are_called_as_confluents_clients_call_them() -> None:
    root = shape(
        {
            "properties": {
                "user": {"properties": {"ssn": {"type": "string"}}},
                "list": {"items": {"properties": {"x": {}}}},
                "map": {"additionalProperties": {"properties": {"y": {}}}},
                "ref": {"$ref": "#/definitions/r"},
                "either": {"oneOf": [{"properties": {"p": {}}}, {"properties": {"q": {}}}]},
            },
            "definitions": {"r": {"properties": {"z": {}}}},
        }
    )
    found = root.fields
    assert found["user"].full_name == "$.user"
    assert found["user"].shape.fields["ssn"].full_name == "$.user.ssn"
    assert found["user"].shape.fields["ssn"].schema_path == "/properties/user/properties/ssn"
    items, members = found["list"].shape.items, found["map"].shape.items
    assert items is not None
    assert items.fields["x"].full_name == "$.list.x"
    assert members is not None
    assert members.fields["y"].full_name == "$.map.y"
    assert found["ref"].shape.fields["z"].full_name == "$.ref.z"
    assert found["ref"].shape.fields["z"].schema_path == "/definitions/r/properties/z"
    first, second = found["either"].shape.branches
    assert (first.fields["p"].full_name, second.fields["q"].full_name) == ("$.either.p", "$.either.q")


def test_tags_are_those_of_the_field_and_of_all_it_refers_to() -> None:
    root = shape(
        {
            "properties": {
                "a": {"confluent:tags": ["PII"], "allOf": [{"confluent:tags": ["SECRET", "PII", 5]}]},
                "b": {"$ref": "user.json"},
                "c": {"confluent:tags": "PII"},
            }
        },
        {"user.json": {"confluent:tags": ["PII"], "properties": {"mail": {"confluent:tags": ["MAIL"]}}}},
    )
    assert root.fields["a"].tags == ("PII", "SECRET")
    assert root.fields["b"].tags == ("PII",)
    assert root.fields["c"].tags == ()
    mail = root.fields["b"].shape.fields["mail"]
    assert mail.tags == ("MAIL",)
    assert mail.schema_path == "user.json#/properties/mail"


def test_a_circle_of_schemas_is_a_circle_of_shapes() -> None:
    root = shape({"properties": {"next": {"$ref": "#"}, "all": {"items": {"$ref": "#"}}}})
    assert root.fields["next"].shape is root
    assert root.fields["all"].shape.items is root
    maybe = shape({"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "v": {"type": "string"}}})
    following = maybe.fields["next"].shape
    assert following.is_nullable
    assert following.fields["next"].shape is following
    assert following.fields["v"].full_name == "$.next.v"


def test_a_dense_graph_of_references_ends_at_the_bound() -> None:
    definitions = {
        f"d{level}": {"properties": {name: {"$ref": f"#/definitions/d{level + 1}"} for name in "abcdefgh"}}
        for level in range(40)
    }
    root = shape({"definitions": definitions | {"d40": {"type": "string"}}, "$ref": "#/definitions/d0"})
    count, waiting = 0, [root]
    while waiting:
        current = waiting.pop()
        count += len(current.fields)
        waiting.extend(field.shape for field in current.fields.values())
        assert current.fields or current.is_open
    assert count <= MAX_FIELDS


def test_a_record_of_very_many_fields_is_cut_and_open() -> None:
    root = shape(
        {
            "properties": {f"f{index}": {"type": "string"} for index in range(MAX_FIELDS + 5)},
            "additionalProperties": False,
        }
    )
    assert len(root.fields) == MAX_FIELDS
    assert root.is_open


TAGGED = {"type": "string", "confluent:tags": ["PII"]}
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


LIST, NAMED = ["hunter2", "hunter2"], {"a": "hunter2"}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (LIST, {"type": "array", "items": TAGGED}),
        (LIST, {"type": "array", "prefixItems": [{}, TAGGED]}),
        (LIST, {"type": "array", "unevaluatedItems": TAGGED}),
        (LIST, {"$ref": "#/$defs/list"}),
        (LIST, {"type": ["array", "integer"], "items": TAGGED}),
        (LIST, {"anyOf": [{"type": "array", "items": TAGGED}, {"type": "integer"}]}),
        ("hunter2", {"anyOf": [TAGGED, {"type": "null"}]}),
        ("hunter2", {"anyOf": [TAGGED, {"type": "integer"}]}),
        (NAMED, {"type": "object", "additionalProperties": TAGGED}),
        (NAMED, {"type": "object", "patternProperties": {"^b": {}, "^a": TAGGED}}),
        (NAMED, {"properties": {"b": {}}, "patternProperties": {"^a": TAGGED}}),
        (NAMED, {"properties": {"b": {}}, "then": {"properties": {"a": TAGGED}}}),
        (NAMED, {"properties": {"b": {}}, "if": {}, "else": {"properties": {"a": TAGGED}}}),
        (NAMED, {"properties": {"b": {}}, "dependentSchemas": {"b": {"properties": {"a": TAGGED}}}}),
    ],
)
def test_what_is_tagged_where_no_field_is_stays_hidden(value: object, schema: object) -> None:
    whole = {"$schema": MODERN, "properties": {"x": schema, "y": {}}, "$defs": {"list": {"items": TAGGED}}}
    masked = Masker(shape(whole), FieldTags(None)).mask({"x": value, "y": 1})
    assert "hunter2" not in json.dumps(masked)
    assert isinstance(masked, dict)
    assert masked["y"] == 1


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (LIST, {"type": "array", "items": [{}, TAGGED]}),
        (LIST, {"type": "array", "items": [{}], "additionalItems": TAGGED}),
        (NAMED, {"properties": {"b": {}}, "dependencies": {"c": ["d"], "b": {"properties": {"a": TAGGED}}}}),
    ],
)
def test_it_does_in_the_words_of_older_drafts(value: object, schema: dict[str, Any]) -> None:
    masked = Masker(shape({"$schema": DRAFT_7, **schema}), FieldTags(None)).mask(value)
    assert "hunter2" not in json.dumps(masked)


def test_tags_of_the_whole_hide_the_whole() -> None:
    masker = Masker(shape({"confluent:tags": ["PII"], "properties": {"a": {}}}), FieldTags(None))
    assert masker.mask({"a": 1}) == "***"


@pytest.mark.parametrize("keyword", ["then", "dependentSchemas", "prefixItems", "contains", "unevaluatedProperties"])
@pytest.mark.parametrize("said", [5, {"properties": 5}, {"a": {"properties": 5}}, [{"properties": 5}]])
def test_what_a_draft_does_not_know_is_not_looked_into(keyword: str, said: object) -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {}}, keyword: said}
    assert drawn(shape(schema)) == "{a~: ANY, *}"
