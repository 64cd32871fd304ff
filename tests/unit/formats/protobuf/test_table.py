"""Protobuf schemas as tables."""

from __future__ import annotations

import pytest

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.protobuf import ProtobufFormat
from table_text import places, table_text

from .conftest import read_package_file, reference

META = "confluent/meta.proto"


def convert(fmt: ProtobufFormat, body: str, *imports: str, syntax: str = 'syntax = "proto3";') -> str:
    lines = "".join(f'import "{name}"; ' for name in imports)
    references = [reference(name, read_package_file(name)) for name in imports if name.startswith("google/type/")]
    return table_text(fmt.logical(fmt.parse(f"{syntax} {lines} message M {{ {body} }}", references)))


def params(**values: str) -> str:
    entries = ", ".join(f'{{key: "{key.replace("_", ".")}", value: "{value}"}}' for key, value in values.items())
    return f'[(confluent.field_meta) = {{doc: "d", params: [{entries}], tags: ["t"]}}]'


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("int32", "INT"),
        ("sint32", "INT"),
        ("sfixed32", "INT"),
        ("uint32", "BIGINT"),
        ("fixed32", "BIGINT"),
        ("int64", "BIGINT"),
        ("uint64", "BIGINT"),
        ("sint64", "BIGINT"),
        ("fixed64", "BIGINT"),
        ("sfixed64", "BIGINT"),
        ("float", "FLOAT"),
        ("double", "DOUBLE"),
        ("bool", "BOOLEAN"),
        ("string", "VARCHAR"),
        ("bytes", "VARBINARY"),
    ],
)
def test_scalars(fmt: ProtobufFormat, written: str, expected: str) -> None:
    assert convert(fmt, f"{written} a = 1;") == f"ROW<a {expected} NOT NULL DEFAULT>"


@pytest.mark.parametrize(
    ("written", "parameters", "expected"),
    [
        ("int32", params(connect_type="int8"), "TINYINT"),
        ("int32", params(connect_type="int16"), "SMALLINT"),
        ("int32", params(connect_type="int32"), "INT"),
        ("int64", params(connect_type="int8"), "BIGINT"),
        ("string", params(flink_maxLength="8"), "VARCHAR(8)"),
        ("string", params(flink_maxLength="8", flink_minLength="8"), "CHAR(8)"),
        ("bytes", params(flink_maxLength="8"), "VARBINARY(8)"),
        ("bytes", params(flink_maxLength="8", flink_minLength="8"), "BINARY(8)"),
        ("string", "[deprecated = true]", "VARCHAR"),
        ("string", '[(confluent.field_meta) = {params: [{key: "flink.maxLength"}]}]', ""),
    ],
)
def test_parameters_say_more(fmt: ProtobufFormat, written: str, parameters: str, expected: str) -> None:
    if expected:
        assert convert(fmt, f"{written} a = 1 {parameters};", META) == f"ROW<a {expected} NOT NULL DEFAULT>"
    else:
        with pytest.raises(InvalidSchema, match="'' is not a whole number"):
            convert(fmt, f"{written} a = 1 {parameters};", META)


@pytest.mark.parametrize(
    ("written", "imported", "expected"),
    [
        ("google.protobuf.DoubleValue", "google/protobuf/wrappers.proto", "DOUBLE"),
        ("google.protobuf.FloatValue", "google/protobuf/wrappers.proto", "FLOAT"),
        ("google.protobuf.Int32Value", "google/protobuf/wrappers.proto", "INT"),
        ("google.protobuf.Int64Value", "google/protobuf/wrappers.proto", "BIGINT"),
        ("google.protobuf.UInt32Value", "google/protobuf/wrappers.proto", "BIGINT"),
        ("google.protobuf.UInt64Value", "google/protobuf/wrappers.proto", "BIGINT"),
        ("google.protobuf.BoolValue", "google/protobuf/wrappers.proto", "BOOLEAN"),
        ("google.protobuf.StringValue", "google/protobuf/wrappers.proto", "VARCHAR"),
        ("google.protobuf.BytesValue", "google/protobuf/wrappers.proto", "VARBINARY"),
        ("google.protobuf.Timestamp", "google/protobuf/timestamp.proto", "TIMESTAMP_LTZ(9)"),
        ("google.protobuf.Duration", "google/protobuf/duration.proto", "ROW<seconds BIGINT NOT NULL DEFAULT, nanos"),
        ("google.type.Date", "google/type/date.proto", "DATE"),
        ("google.type.TimeOfDay", "google/type/timeofday.proto", "TIME(3)"),
        ("confluent.type.Decimal", "confluent/type/decimal.proto", "DECIMAL(10, 0)"),
        ("confluent.type.Variant", "confluent/type/variant.proto", "VARIANT"),
    ],
)
def test_well_known_messages(fmt: ProtobufFormat, written: str, imported: str, expected: str) -> None:
    assert convert(fmt, f"{written} a = 1;", imported).startswith(f"ROW<a {expected}")


def test_parameters_of_well_known_messages(fmt: ProtobufFormat) -> None:
    written = convert(
        fmt,
        f"""
        confluent.type.Decimal a = 1 {params(precision="12", scale="2")};
        google.protobuf.Timestamp b = 2 {params(flink_precision="6")};
        google.protobuf.Timestamp c = 3 {params(flink_precision="3", flink_type="timestamp")};
        google.type.TimeOfDay d = 4 {params(flink_precision="0")};
        """,
        META,
        "confluent/type/decimal.proto",
        "google/protobuf/timestamp.proto",
        "google/type/timeofday.proto",
    )
    assert written == "ROW<a DECIMAL(12, 2), b TIMESTAMP_LTZ(6), c TIMESTAMP(3), d TIME(0)>"


def test_an_option_of_the_same_number_and_shape_is_not_confluents(fmt: ProtobufFormat) -> None:
    body = """
        message Mine { map<string, string> params = 2; }
        extend google.protobuf.FieldOptions { Mine mine = 1088; }
        string a = 1 [(M.mine) = {params: [{key: "flink.maxLength", value: "8"}]}];
    """
    assert convert(fmt, body, "google/protobuf/descriptor.proto") == "ROW<a VARCHAR NOT NULL DEFAULT>"


@pytest.mark.parametrize(
    ("syntax", "body", "expected"),
    [
        ('syntax = "proto3";', "optional int32 a = 1;", "ROW<a INT>"),
        ('syntax = "proto3";', "repeated int32 a = 1;", "ROW<a LIST<INT NOT NULL> NOT NULL DEFAULT>"),
        (
            'syntax = "proto3";',
            "map<string, int32> a = 1;",
            "ROW<a MAP<VARCHAR NOT NULL, INT NOT NULL> NOT NULL DEFAULT>",
        ),
        ('syntax = "proto3";', "enum E { X = 0; } E a = 1;", "ROW<a VARCHAR NOT NULL DEFAULT>"),
        ('syntax = "proto3";', "message S { } S a = 1;", "ROW<a ROW<>>"),
        ('syntax = "proto3";', "message S { } repeated S a = 1;", "ROW<a LIST<ROW<> NOT NULL> NOT NULL DEFAULT>"),
        (
            'syntax = "proto3";',
            "message S { } map<int32, S> a = 1;",
            "ROW<a MAP<INT NOT NULL, ROW<> NOT NULL> NOT NULL DEFAULT>",
        ),
        (
            'syntax = "proto3";',
            "int32 a = 1; oneof u { string b = 2; int32 c = 3; } int32 d = 4; oneof v { int32 e = 5; }",
            "ROW<a INT NOT NULL DEFAULT, u UNION<b VARCHAR, c INT>, d INT NOT NULL DEFAULT, v UNION<e INT>>",
        ),
        ('syntax = "proto2";', "required int32 a = 1; optional int32 b = 2;", "ROW<a INT NOT NULL, b INT>"),
        ('syntax = "proto2";', "optional int32 a = 1 [default = 5];", "ROW<a INT DEFAULT>"),
        ('syntax = "proto2";', "optional group G = 1 { } optional int32 b = 2;", "ROW<b INT>"),
        ('edition = "2023";', "int32 a = 1;", "ROW<a INT>"),
        (
            'edition = "2023";',
            "int32 a = 1 [features.field_presence = IMPLICIT];",
            "ROW<a INT NOT NULL DEFAULT>",
        ),
        (
            'edition = "2023";',
            "int32 a = 1 [features.field_presence = LEGACY_REQUIRED];",
            "ROW<a INT NOT NULL>",
        ),
    ],
)
def test_presence(fmt: ProtobufFormat, syntax: str, body: str, expected: str) -> None:
    assert convert(fmt, body, syntax=syntax) == expected


def test_the_first_message_is_the_table(fmt: ProtobufFormat) -> None:
    text = 'syntax = "proto3"; package p; message A { B b = 1; B c = 2; } message B { int32 x = 1; }'
    table = fmt.logical(fmt.parse(text))
    assert table_text(table) == "ROW<b ROW<x INT NOT NULL DEFAULT>, c ROW<x INT NOT NULL DEFAULT>>"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('syntax = "proto3"; enum E { X = 0; }', "has no message"),
        ('syntax = "proto3"; message M { N n = 1; } message N { repeated M m = 1; }', "The type M contains itself"),
        (
            'syntax = "proto3"; import "google/protobuf/struct.proto"; message M { google.protobuf.Struct s = 1; }',
            "The type google.protobuf.Struct contains itself",
        ),
    ],
)
def test_what_is_no_table_is_refused(fmt: ProtobufFormat, text: str, reason: str) -> None:
    with pytest.raises(InvalidSchema, match=reason):
        fmt.logical(fmt.parse(text))


def test_messages_nest_to_a_depth_that_is_bound(fmt: ProtobufFormat) -> None:
    def chain(levels: int) -> str:
        links = " ".join(f"message M{level} {{ M{level + 1} m = 1; }}" for level in range(levels))
        return f'syntax = "proto3"; {links} message M{levels} {{ int32 x = 1; }}'

    assert table_text(fmt.logical(fmt.parse(chain(49)))).count("ROW<") == 50
    with pytest.raises(InvalidSchema, match="more than 50 types"):
        fmt.logical(fmt.parse(chain(50)))


def test_columns_know_where_they_stand_unless_in_an_import(fmt: ProtobufFormat) -> None:
    other = reference("o.proto", 'syntax = "proto3"; message O { int32 x = 1; }')
    text = (
        'syntax = "proto3"; package p; import "o.proto";'
        "message A { O o = 1; oneof u { int32 v = 2; } repeated B b = 3; message B { int32 y = 1; } }"
    )
    assert places(fmt.logical(fmt.parse(text, [other]))) == {
        ".o": "p.A.o",
        ".o.x": None,
        ".u": "p.A.u",
        ".u.v": "p.A.v",
        ".b": "p.A.b",
        ".b[].y": "p.A.B.y",
    }
