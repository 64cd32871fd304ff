"""JSON Schemas as tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.json_schema import JsonSchemaFormat
from table_text import places, table_text

FORMAT = JsonSchemaFormat()
MODERN = "https://json-schema.org/draft/2020-12/schema"
CONNECT = "org.apache.kafka.connect.data."


def convert(schema: object, *references: ResolvedReference) -> str:
    return table_text(FORMAT.logical(FORMAT.parse(json.dumps(schema), references)))


def number(connect_type: str, title: str = "", **more: object) -> dict[str, object]:
    return {"type": "number", "connect.type": connect_type, "title": f"{CONNECT}{title}", **more}


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "boolean"}, "BOOLEAN"),
        ({"type": "integer"}, "BIGINT"),
        ({"type": "number"}, "DOUBLE"),
        (number("int8"), "TINYINT"),
        (number("int16"), "SMALLINT"),
        (number("int32"), "INT"),
        (number("int32", "Date"), "DATE"),
        (number("int32", "Time"), "TIME(3)"),
        (number("int32", "Time", **{"flink.precision": 0}), "TIME(0)"),
        (number("int32", "Timestamp"), "INT"),
        (number("int64"), "BIGINT"),
        (number("int64", "Timestamp"), "TIMESTAMP_LTZ(3)"),
        (number("int64", "Timestamp", **{"flink.precision": 2, "flink.type": "timestamp"}), "TIMESTAMP(2)"),
        (number("float32"), "FLOAT"),
        (number("float64"), "DOUBLE"),
        (number("bytes", "Decimal"), "DECIMAL(10, 0)"),
        (
            number("bytes", "Decimal", **{"connect.parameters": {"connect.decimal.precision": "12", "scale": "2"}}),
            "DECIMAL(12, 2)",
        ),
        ({"type": "string"}, "VARCHAR"),
        ({"type": "string", "format": "date-time"}, "VARCHAR"),
        ({"type": "string", "maxLength": 8}, "VARCHAR(8)"),
        ({"type": "string", "maxLength": 8.0}, "VARCHAR(8)"),
        ({"type": "string", "minLength": 8, "maxLength": 8}, "CHAR(8)"),
        ({"type": "string", "connect.type": "bytes", "maxLength": 4}, "VARBINARY"),
        ({"type": "string", "connect.type": "bytes", "flink.maxLength": 8}, "VARBINARY(8)"),
        ({"type": "string", "connect.type": "bytes", "flink.minLength": 8, "flink.maxLength": 8}, "BINARY(8)"),
        ({"enum": ["a", "b"]}, "VARCHAR"),
        ({"const": "a"}, "VARCHAR"),
        ({"enum": [1, 2]}, "BIGINT"),
        ({"enum": [1, 2.5]}, "DOUBLE"),
        ({"enum": [True, None]}, "BOOLEAN"),
        ({"type": ["null", "string"]}, "VARCHAR"),
        ({"type": ["integer", "number"]}, "DOUBLE"),
        ({"type": ["integer", "string"]}, "UNION<connect_union_field_0 BIGINT, connect_union_field_1 VARCHAR>"),
        ({"type": "array", "items": TEXT}, "LIST<VARCHAR NOT NULL>"),
        ({"items": {"type": ["string", "null"]}}, "LIST<VARCHAR>"),
        ({"type": "object"}, "ROW<>"),
        ({"type": "object", "additionalProperties": TEXT}, "MAP<VARCHAR NOT NULL, VARCHAR NOT NULL>"),
        ({"type": "object", "additionalProperties": {}}, "ROW<>"),
        ({"type": "object", "additionalProperties": False}, "ROW<>"),
        ({"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT}, "ROW<a VARCHAR>"),
        (
            {"type": "object", "connect.type": "map", "properties": {"a": TEXT}, "additionalProperties": WHOLE},
            "MAP<VARCHAR NOT NULL, BIGINT NOT NULL>",
        ),
        (
            {"type": "array", "connect.type": "map", "items": {"properties": {"key": WHOLE, "value": TEXT}}},
            "MAP<BIGINT, VARCHAR>",
        ),
        (
            {"properties": {"b": TEXT, "a": TEXT | {"default": "x"}}, "required": ["a", "z"]},
            "ROW<a VARCHAR NOT NULL DEFAULT, b VARCHAR>",
        ),
        (
            {"properties": {"a": TEXT, "c": TEXT | {"connect.index": 1}, "b": TEXT | {"connect.index": 0}}},
            "ROW<b VARCHAR, c VARCHAR, a VARCHAR>",
        ),
        ({"oneOf": [{"type": "null"}, TEXT]}, "VARCHAR"),
        ({"anyOf": [TEXT, {"const": None}]}, "VARCHAR"),
        ({"anyOf": [TEXT]}, "VARCHAR"),
        (
            {"oneOf": [{"type": "null"}, {"type": "boolean"}, {"type": ["integer", "null"]}]},
            "UNION<connect_union_field_0 BOOLEAN, connect_union_field_1 BIGINT>",
        ),
        ({"type": "string", "oneOf": [{"minLength": 1}, {"maxLength": 0}]}, "VARCHAR"),
        ({"allOf": [TEXT, {"title": "x"}, True]}, "VARCHAR"),
        ({"allOf": [True], "anyOf": [WHOLE]}, "BIGINT"),
        (
            {
                "type": "object",
                "properties": {"a": TEXT},
                "allOf": [{"properties": {"b": TEXT}, "required": ["b"]}, {"$ref": "#/definitions/c"}],
                "definitions": {"c": {"type": "object", "properties": {"c": WHOLE}}},
            },
            "ROW<a VARCHAR, b VARCHAR NOT NULL, c BIGINT>",
        ),
        ({"properties": {"a": {"$ref": "#/definitions/x"}}, "definitions": {"x": WHOLE}}, "ROW<a BIGINT>"),
        (
            {"$schema": MODERN, "properties": {"a": {"$ref": "#/$defs/x", "default": 1}}, "$defs": {"x": WHOLE}},
            "ROW<a BIGINT DEFAULT>",
        ),
    ],
)
def test_a_schema_becomes_a_table(schema: object, expected: str) -> None:
    assert convert(schema) == expected


def test_a_nullable_row_is_nullable_where_all_its_parts_are() -> None:
    part: dict[str, Any] = {"type": ["object", "null"], "properties": {"b": TEXT}}
    parts = {"a": {"allOf": [part, part]}, "b": {"allOf": [part, {"type": "object"}]}}
    schema = {"properties": parts, "required": ["a", "b"]}
    assert convert(schema) == "ROW<a ROW<b VARCHAR>, b ROW<b VARCHAR> NOT NULL>"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (True, "says no type"),
        ({}, "The schema at '#' says no type"),
        ({"properties": {"a": {"title": "any"}}}, "The schema at '#/properties/a' says no type"),
        ({"allOf": [{"title": "any"}]}, "says no type"),
        ({"type": "array"}, "The schema at '#/items' says no type"),
        ({"type": "object", "connect.type": "map"}, "The schema at '#/additionalProperties' says no type"),
        ({"type": "null"}, "allows null alone"),
        ({"oneOf": [{"type": "null"}]}, "allows null alone"),
        ({"items": [TEXT, WHOLE]}, "The tuple at '#'"),
        ({"$schema": MODERN, "prefixItems": [TEXT]}, "The tuple at '#'"),
        ({"enum": [{"a": 1}]}, "An enum of objects"),
        ({"allOf": [TEXT, WHOLE]}, "The parts of the allOf at '#'"),
        ({"allOf": [{"type": ["string", "integer"]}, {"type": "object"}]}, "The parts of the allOf at '#'"),
        ({"properties": {"a": {"$ref": "#"}}}, "The type at '#' contains itself"),
        ({"$ref": "http://json-schema.org/draft-07/schema#"}, "leads to a metaschema"),
        (number("int128"), "cannot have the connect.type 'int128'"),
        (number("int32") | {"connect.type": 7}, "cannot have the connect.type '7'"),
        (number("bytes", "Date"), "cannot have the connect.type 'bytes'"),
        (number("bytes", "Decimal", **{"connect.parameters": {"scale": "x"}}), "is not a whole number"),
        ({"properties": {"a": TEXT | {"connect.index": "x"}}}, "is not a whole number"),
        ({"properties": {"a": True}}, "The schema at '#/properties/a' says no type"),
        (
            {"type": "array", "connect.type": "map", "items": {"properties": {"key": WHOLE}}},
            "The map at '#' has to be a list of objects with key and value",
        ),
    ],
)
def test_what_no_column_can_hold_is_refused(schema: object, reason: str) -> None:
    with pytest.raises(InvalidSchema, match=reason):
        convert(schema)


def test_parameters_of_another_shape_say_nothing() -> None:
    assert convert(number("bytes", "Decimal", **{"connect.parameters": "x"})) == "DECIMAL(10, 0)"


def test_references_nest_to_a_depth_that_is_bound() -> None:
    definitions: dict[str, Any] = {f"d{level}": {"$ref": f"#/definitions/d{level + 1}"} for level in range(60)}
    with pytest.raises(InvalidSchema, match="more than 50 types"):
        convert({"$ref": "#/definitions/d0", "definitions": definitions | {"d60": TEXT}})


def test_deep_schemas_are_converted_or_refused() -> None:
    def nested(levels: int) -> dict[str, Any]:
        schema: dict[str, Any] = TEXT
        for level in range(levels):
            schema = {"properties": {"a": schema}} if level % 2 else {"allOf": [schema]}
        return schema

    assert convert(nested(40)).startswith("ROW<a ROW<")
    definitions = {f"d{level}": {"properties": {"a": {"$ref": f"#/definitions/d{level + 1}"}}} for level in range(49)}
    with pytest.raises(InvalidSchema, match="more than 50 types"):
        convert({"$ref": "#/definitions/d0", "definitions": definitions | {"d49": TEXT}})


def test_columns_know_where_they_stand_unless_in_a_reference() -> None:
    other = ResolvedReference("other.json", "s", 1, json.dumps({"properties": {"x": {"properties": {"y": TEXT}}}}))
    schema = {
        "properties": {
            "a": {"$ref": "other.json"},
            "b/c": {"items": {"properties": {"d": TEXT}}},
            "e": {"oneOf": [{"$ref": "#/definitions/f%20g"}, WHOLE]},
            "h": {"additionalProperties": {"allOf": [{"properties": {"i": TEXT}}]}},
        },
        "definitions": {"f g": {"properties": {"z": TEXT}}},
    }
    assert places(FORMAT.logical(FORMAT.parse(json.dumps(schema), [other]))) == {
        ".a": "/properties/a",
        ".a.x": None,
        ".a.x.y": None,
        ".b/c": "/properties/b~1c",
        ".b/c[].d": "/properties/b~1c/items/properties/d",
        ".e": "/properties/e",
        ".e.connect_union_field_0": "/properties/e/oneOf/0",
        ".e.connect_union_field_0.z": "/definitions/f g/properties/z",
        ".e.connect_union_field_1": "/properties/e/oneOf/1",
        ".h": "/properties/h",
        ".h{}.i": "/properties/h/additionalProperties/allOf/0/properties/i",
    }
