"""Avro schemas as tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.avro import AvroFormat
from llm_schema_registry.formats.base import ResolvedReference
from table_text import places, table_text

AVRO = AvroFormat()


def convert(schema: object) -> str:
    return table_text(AVRO.logical(AVRO.parse(json.dumps(schema), is_new=False)))


def record(*fields: dict[str, Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("boolean", "BOOLEAN"),
        ("int", "INT"),
        ({"type": "int", "connect.type": "int8"}, "TINYINT"),
        ({"type": "int", "connect.type": "int16"}, "SMALLINT"),
        ({"type": "int", "connect.type": "int32"}, "INT"),
        ({"type": "int", "logicalType": "date", "flink.precision": 3}, "DATE"),
        ({"type": "int", "logicalType": "time-millis"}, "TIME(3)"),
        ({"type": "int", "logicalType": "time-millis", "flink.precision": 0}, "TIME(0)"),
        ({"type": "int", "logicalType": "mine"}, "INT"),
        ("long", "BIGINT"),
        ({"type": "long", "connect.type": "int8"}, "BIGINT"),
        ({"type": "long", "logicalType": "time-micros"}, "BIGINT"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "TIMESTAMP_LTZ(3)"),
        ({"type": "long", "logicalType": "timestamp-micros"}, "TIMESTAMP_LTZ(6)"),
        ({"type": "long", "logicalType": "timestamp-nanos", "flink.precision": "9"}, "TIMESTAMP_LTZ(9)"),
        ({"type": "long", "logicalType": "local-timestamp-millis", "flink.precision": 2}, "TIMESTAMP(2)"),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, "TIMESTAMP(6)"),
        ({"type": "long", "logicalType": "local-timestamp-nanos"}, "TIMESTAMP(9)"),
        ("float", "FLOAT"),
        ("double", "DOUBLE"),
        ("string", "VARCHAR"),
        ({"type": "string", "logicalType": "uuid"}, "VARCHAR"),
        ({"type": "string", "flink.maxLength": 8, "flink.minLength": 2}, "VARCHAR(8)"),
        ({"type": "string", "flink.maxLength": 8, "flink.minLength": 8}, "CHAR(8)"),
        ({"type": "string", "flink.maxLength": 2**40}, "VARCHAR"),
        ({"type": "string", "flink.maxLength": -(2**40)}, "VARCHAR(-2147483647)"),
        ({"type": "string", "flink.maxLength": 8.0}, "VARCHAR(8)"),
        ("bytes", "VARBINARY"),
        ({"type": "bytes", "flink.maxLength": 8}, "VARBINARY(8)"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3}, "DECIMAL(12, 3)"),
        ({"type": "bytes", "logicalType": "decimal"}, "DECIMAL(10, 0)"),
        ({"type": "fixed", "name": "F", "size": 8}, "BINARY(8)"),
        ({"type": "fixed", "name": "F", "size": 8, "logicalType": "decimal", "precision": 18}, "DECIMAL(18, 0)"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "VARCHAR"),
        ({"type": "array", "items": ["null", "int"]}, "LIST<INT>"),
        ({"type": "map", "values": "int"}, "MAP<VARCHAR NOT NULL, INT NOT NULL>"),
        (["null", "string"], "VARCHAR"),
        (["int", "null"], "INT"),
        (["string"], "VARCHAR"),
        ([], "UNION<>"),
        (["int", "string"], "UNION<int INT, string VARCHAR>"),
        (
            ["null", {"type": "enum", "name": "a.E", "symbols": ["A"]}, {"type": "fixed", "name": "a.F", "size": 1}],
            "UNION<E VARCHAR, F BINARY(1)>",
        ),
        (
            [{"type": "fixed", "name": "a.F", "size": 1}, {"type": "fixed", "name": "b.F", "size": 2}],
            "UNION<a.F BINARY(1), b.F BINARY(2)>",
        ),
        (
            record({"name": "a", "type": ["null", "int"], "default": None}, {"name": "b", "type": "int", "default": 0}),
            "ROW<a INT, b INT NOT NULL DEFAULT>",
        ),
        (record({"name": "a", "type": record(name="S")}), "ROW<a ROW<> NOT NULL>"),
        ({"type": "error", "name": "R", "fields": []}, "ROW<>"),
        (record() | {"logicalType": "variant"}, "VARIANT"),
    ],
)
def test_a_schema_becomes_a_table(schema: object, expected: str) -> None:
    assert convert(schema) == expected


ENTRY = record({"name": "key", "type": "int"}, {"name": "value", "type": ["null", "string"]}, name="Entry")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (ENTRY | {"connect.internal.type": "MapEntry"}, "MAP<INT NOT NULL, VARCHAR>"),
        (ENTRY | {"name": "io.confluent.connect.avro.MapEntry"}, "MAP<INT NOT NULL, VARCHAR>"),
        (ENTRY, "LIST<ROW<key INT NOT NULL, value VARCHAR> NOT NULL>"),
        (record() | {"connect.internal.type": "MapEntry"}, "LIST<ROW<> NOT NULL>"),
    ],
)
def test_a_list_of_entries_is_a_map(entry: dict[str, Any], expected: str) -> None:
    assert convert({"type": "array", "items": entry}) == expected


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("null", "cannot be null alone"),
        (record({"name": "a", "type": "null"}), "cannot be null alone"),
        (record({"name": "a", "type": {"type": "array", "items": "R"}}), "The type R contains itself"),
        (record({"name": "a", "type": ["null", "R"]}), "The type R contains itself"),
        ({"type": "string", "flink.maxLength": "long"}, "'long' is not a whole number"),
        ({"type": "string", "flink.maxLength": True}, "'True' is not a whole number"),
        ({"type": "string", "flink.maxLength": 1.5}, "'1.5' is not a whole number"),
        ({"type": "bytes", "logicalType": "decimal", "precision": []}, "is not a whole number"),
    ],
)
def test_what_no_column_can_hold_is_refused(schema: object, reason: str) -> None:
    with pytest.raises(InvalidSchema, match=reason):
        convert(schema)


def test_a_branch_called_as_a_type_has_its_full_name() -> None:
    items = {"type": "array", "items": "boolean"}
    written = convert([{"type": "fixed", "name": "a.array", "size": 1}, items])
    assert written == "UNION<a.array BINARY(1), array LIST<BOOLEAN NOT NULL>>"


def test_types_nest_to_a_depth_that_is_bound() -> None:
    schema: Any = "int"
    for _ in range(49):
        schema = {"type": "array", "items": schema}
    assert convert(schema).startswith("LIST<LIST<")
    with pytest.raises(InvalidSchema, match="more than 50 types"):
        convert({"type": "array", "items": {"type": "array", "items": schema}})


def test_depth_counts_through_types_that_are_made_before() -> None:
    fields: list[dict[str, Any]] = []
    for level in range(60):
        inner = f"L{level - 1}" if level else "int"
        fields.append({"name": f"f{level}", "type": record({"name": "x", "type": inner}, name=f"L{level}")})
    with pytest.raises(InvalidSchema, match="more than 50 types"):
        convert(record(*fields))


def test_columns_know_where_they_stand_unless_in_a_reference() -> None:
    referenced = ResolvedReference("n.S", "s", 1, json.dumps(record({"name": "x", "type": "int"}, name="n.S")))
    inner = record({"name": "y", "type": "int"}, name="T")
    schema = record(
        {"name": "a", "type": "n.S"},
        {"name": "b", "type": {"type": "array", "items": ["null", inner]}},
        {"name": "c", "type": {"type": "map", "values": "T"}},
        {"name": "d", "type": [record({"name": "z", "type": "int"}, name="U"), "int"]},
    )
    assert places(AVRO.logical(AVRO.parse(json.dumps(schema), [referenced]))) == {
        ".a": "/fields/0",
        ".a.x": None,
        ".b": "/fields/1",
        ".b[].y": "/fields/1/type/items/1/fields/0",
        ".c": "/fields/2",
        ".c{}.y": "/fields/1/type/items/1/fields/0",
        ".d": "/fields/3",
        ".d.U": "/fields/3/type/0",
        ".d.U.z": "/fields/3/type/0/fields/0",
        ".d.int": "/fields/3/type/1",
    }
