"""What payloads of Avro are read as, and what their values look like. Violations: `test_payload_cases`."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.formats.avro.format import AvroFormat
from llm_schema_registry.formats.base import Payloads, Reading, ResolvedReference
from llm_schema_registry.formats.shape import Logical, Shape, ShapeKind, walk_fields
from llm_schema_registry.model import Encoding, Violation, ViolationKind

AVRO = AvroFormat()
UUID_TEXT = "123e4567-e89b-12d3-a456-426614174000"


def payloads(schema: object, *references: ResolvedReference) -> Payloads:
    return AVRO.payloads(AVRO.parse(json.dumps(schema), references))


def binary(schema: object, payload: str) -> Reading:
    return payloads(schema).read(Encoding.BINARY, bytes.fromhex(payload))


def from_json(schema: object, value: object) -> Reading:
    return payloads(schema).read(Encoding.JSON, json.dumps(value).encode())


def logical(base: str, name: str, **more: object) -> dict[str, Any]:
    return {"type": base, "logicalType": name, **more}


def fixed(size: int, name: str, **more: object) -> dict[str, Any]:
    return {"type": "fixed", "name": "F", "size": size, "logicalType": name, **more}


@pytest.mark.parametrize(
    ("schema", "payload", "value", "expected"),
    [
        (logical("int", "date"), "01", -1, date(1969, 12, 31)),
        (logical("int", "time-millis"), "02", 1, time(0, 0, 0, 1000)),
        (logical("long", "time-micros"), "febfbaabfa01", 33_599_999_999, time(9, 19, 59, 999_999)),
        (logical("long", "timestamp-millis"), "01", -1, datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC)),
        (logical("long", "timestamp-micros"), "02", 1, datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
        (logical("long", "timestamp-nanos"), "9e1f", 1999, datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
        (logical("long", "local-timestamp-millis"), "02", 1, datetime(1970, 1, 1, 0, 0, 0, 1000)),  # noqa: DTZ001 - local
        (logical("long", "local-timestamp-micros"), "02", 1, datetime(1970, 1, 1, 0, 0, 0, 1)),  # noqa: DTZ001 - local
        (logical("long", "local-timestamp-nanos"), "01", -1, datetime(1969, 12, 31, 23, 59, 59, 999_999)),  # noqa: DTZ001 - local
        (logical("bytes", "decimal", precision=4, scale=2), "0400fa", "\x00\xfa", Decimal("2.50")),
        (logical("bytes", "decimal", precision=4), "02fa", "\xfa", Decimal(-6)),
        (fixed(2, "decimal", precision=4, scale=4), "00fa", "\x00\xfa", Decimal("0.0250")),
        (logical("string", "uuid"), "48" + UUID_TEXT.encode().hex(), UUID_TEXT, UUID(UUID_TEXT)),
        (fixed(16, "uuid"), "00" * 15 + "ff", "\0" * 15 + "\xff", UUID(int=255)),
        (
            fixed(12, "duration"),
            "010000000200000003000000",
            "\1\0\0\0\2\0\0\0\3\0\0\0",
            timedelta(days=32, milliseconds=3),
        ),
        ("float", "cdcccc3d", 0.1, 0.10000000149011612),
        ("double", "9a9999999999b93f", 0.1, 0.1),
        ("double", "000000000000f0ff", "-Infinity", -math.inf),
        ("bytes", "0400ff", "\0\xff", b"\0\xff"),
        (["null", "string"], "00", None, None),
        (
            ["null", {"type": "map", "values": ["int", "null"]}],
            "020202610002" + "00",
            {"map": {"a": {"int": 1}}},
            {"a": 1},
        ),
        (logical("long", "unknown"), "02", 1, 1),
        (logical("bytes", "big-decimal"), "0201", "\1", b"\1"),
    ],
)
def test_values_are_the_same_in_both_encodings(schema: object, payload: str, value: object, expected: object) -> None:
    for reading in (binary(schema, payload), from_json(schema, value)):
        assert reading.violations == ()
        assert reading.value == expected
        assert type(reading.value) is type(expected)
        assert payloads(schema).restore(payloads(schema).plain(reading.value)) is reading.value
    if isinstance(expected, datetime):
        assert reading.value.tzinfo is expected.tzinfo  # type: ignore[attr-defined]  # it is a datetime, as seen above


def test_a_violation_says_it_all() -> None:
    [violation] = binary(
        {"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}]}, "8080808010"
    ).violations

    assert violation == Violation(
        ViolationKind.OUT_OF_RANGE,
        "/n",
        "Expected an int of 32 bits at /n, found 2147483648",
        expected="an int of 32 bits",
        found="2147483648",
        schema_path="/fields/0/type",
    )


def test_json_that_is_not_utf_8() -> None:
    [violation] = payloads("string").read(Encoding.JSON, b'"caf\xe9"').violations

    assert (violation.kind, violation.found) == (ViolationKind.INVALID_TEXT, "the byte 0xe9 at offset 4")


@pytest.mark.parametrize(
    ("union", "value", "hint"),
    [
        (["null", "string"], "x", '{"string": "x"}'),
        (["string", "boolean"], True, '{"boolean": true}'),
        (["string", "int", "long"], 5, '{"int": 5}'),
        (["string", "double"], 0.5, '{"double": 0.5}'),
        (["null", {"type": "array", "items": "int"}], [1], '{"array": [...]}'),
        (["null", {"type": "map", "values": "int"}], {"a": 1}, '{"map": {...}}'),
        (["null", {"type": "enum", "name": "n.E", "symbols": ["A"]}, "string"], "A", '{"n.E": "A"}'),
        (["null", {"type": "enum", "name": "n.E", "symbols": ["A"]}, "string"], "B", '{"string": "B"}'),
        (
            ["null", {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": "int"}]}],
            {"a": 1},
            '{"n.R": {...}}',
        ),
        (["null", "string"], "y" * 1000, '{"string": "' + "y" * 40 + '..."}'),
    ],
)
def test_a_bare_value_of_a_union_is_shown_as_it_should_be(union: object, value: object, hint: str) -> None:
    [violation] = from_json(union, value).violations

    assert violation.message.endswith(f"; a union's value stands under the name of its branch: {hint}")


@pytest.mark.parametrize("value", [5, True, {"b": 1}, []])
def test_a_value_like_no_branch_gets_no_advice(value: object) -> None:
    record = {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": "int"}]}

    [violation] = from_json(["null", "string", record], value).violations

    assert ";" not in violation.message


def test_reading_goes_on_after_a_fault_with_what_there_is() -> None:
    schema = {"type": "array", "items": {"type": "map", "values": "string"}}

    reading = binary(schema, "04" + "02026102ff00" + "02026202" + "78" + "00" + "00")

    assert reading.value == [{"a": "�"}, {"b": "x"}]
    assert [violation.path for violation in reading.violations] == ["/0/a"]


def test_no_more_violations_than_asked_for() -> None:
    many = payloads({"type": "array", "items": {"type": "array", "items": "boolean"}})
    rows = b"\x14" + b"\x14" + b"\x05" * 10 + b"\0" + b"\x14" + b"\x05" * 10 + b"\0"

    assert len(many.read(Encoding.BINARY, rows).violations) == 21
    assert len(many.read(Encoding.BINARY, rows, 15).violations) == 15
    assert len(many.read(Encoding.JSON, json.dumps([[1] * 10] * 20).encode()).violations) == 100


def test_names_in_a_payload_cannot_make_a_violation_large_or_break_its_line() -> None:
    key = "k\n\x1b" + "k" * 100_000

    [violation] = from_json({"type": "map", "values": "int"}, {key: key}).violations

    assert len(violation.path) < 200
    assert len(violation.message) < 500
    assert violation.message.isprintable()


def test_what_a_reference_defines_has_no_place_in_the_text() -> None:
    reference = ResolvedReference(
        "n.Ref", "s", 1, json.dumps({"type": "record", "name": "n.Ref", "fields": [{"name": "a", "type": "int"}]})
    )
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "r", "type": "n.Ref"}, {"name": "b", "type": "boolean"}],
    }
    reader = payloads(schema, reference)

    violations = reader.read(Encoding.BINARY, bytes.fromhex("808080801005")).violations

    assert [(one.path, one.schema_path) for one in violations] == [("/r/a", ""), ("/b", "/fields/1/type")]
    inner = reader.shape.fields["r"]
    assert (inner.schema_path, inner.shape.fields["a"].schema_path) == ("/fields/0", "")


def test_a_payload_has_no_message_and_no_more_frame() -> None:
    parsed = AVRO.parse('"int"')

    assert AVRO.unframe(parsed, b"\0\1") == ("", Encoding.BINARY, b"\0\1")
    with pytest.raises(InvalidPayload, match=r"one type, found the message 'a\.M'"):
        AVRO.payloads(parsed, "a.M")


def described(shape: Shape) -> tuple[Any, ...]:
    return shape.kind, shape.name, shape.is_nullable, shape.logical


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        *(
            (name, (ShapeKind(name.upper()), "", False, None))
            for name in ("boolean", "int", "long", "float", "double", "bytes", "string")
        ),
        ("null", (ShapeKind.NULL, "", True, None)),
        (["null"], (ShapeKind.NULL, "", True, None)),
        ([], (ShapeKind.COMBINED, "", False, None)),
        (["null", "string"], (ShapeKind.STRING, "", True, None)),
        (["string"], (ShapeKind.STRING, "", False, None)),
        (["int", "string"], (ShapeKind.COMBINED, "", False, None)),
        (["int", "null", "string"], (ShapeKind.COMBINED, "", True, None)),
        ({"type": "enum", "name": "n.E", "symbols": ["A"]}, (ShapeKind.ENUM, "n.E", False, None)),
        ({"type": "fixed", "name": "n.F", "size": 2}, (ShapeKind.FIXED, "n.F", False, None)),
        (fixed(12, "duration"), (ShapeKind.FIXED, "F", False, Logical.DURATION)),
        (fixed(16, "uuid"), (ShapeKind.FIXED, "F", False, Logical.UUID)),
        (fixed(15, "uuid"), (ShapeKind.FIXED, "F", False, None)),
        (logical("int", "date"), (ShapeKind.INT, "", False, Logical.DATE)),
        (logical("long", "date"), (ShapeKind.LONG, "", False, None)),
        (logical("int", "time-millis"), (ShapeKind.INT, "", False, Logical.TIME)),
        (logical("long", "local-timestamp-nanos"), (ShapeKind.LONG, "", False, Logical.TIMESTAMP)),
        (["null", logical("long", "timestamp-micros")], (ShapeKind.LONG, "", True, Logical.TIMESTAMP)),
        (logical("bytes", "decimal", precision=4), (ShapeKind.BYTES, "", False, Logical.DECIMAL)),
        (logical("bytes", "decimal", precision=0), (ShapeKind.BYTES, "", False, None)),
        (logical("bytes", "big-decimal"), (ShapeKind.BYTES, "", False, None)),
        (logical("string", "uuid"), (ShapeKind.STRING, "", False, Logical.UUID)),
    ],
)
def test_the_shape_of_a_type(schema: object, expected: tuple[Any, ...]) -> None:
    assert described(payloads(schema).shape) == expected


def test_the_shape_of_a_record() -> None:
    schema = {
        "type": "record",
        "name": "Event",
        "namespace": "llm",
        "fields": [
            {"name": "user", "type": ["null", "string"], "default": None, "confluent:tags": ["PII", 5, "SECRET"]},
            {"name": "op", "type": {"type": "enum", "name": "Op", "symbols": ["A", "B"]}, "confluent:tags": "PII"},
            {
                "name": "parts",
                "type": {
                    "type": "array",
                    "items": {"type": "record", "name": "n.Part", "fields": [{"name": "text", "type": "string"}]},
                },
            },
            {"name": "map", "type": {"type": "map", "values": ["int", "n.Part"]}},
            {"name": "again", "type": "n.Part"},
        ],
    }

    shape = payloads(schema).shape

    assert (shape.kind, shape.name, shape.is_open) == (ShapeKind.RECORD, "llm.Event", False)
    assert [(one.name, one.full_name, one.schema_path) for one in shape.fields.values()] == [
        (name, f"llm.Event.{name}", f"/fields/{index}")
        for index, name in enumerate(("user", "op", "parts", "map", "again"))
    ]
    assert all(one.is_required for one in shape.fields.values())
    assert [one.tags for one in shape.fields.values()] == [("PII", "SECRET"), (), (), (), ()]
    assert shape.fields["op"].shape.symbols == ("A", "B")
    items = shape.fields["parts"].shape.items
    assert items is not None
    assert items is shape.fields["again"].shape
    text = items.fields["text"]
    assert (text.full_name, text.schema_path) == ("n.Part.text", "/fields/2/type/items/fields/0")
    values = shape.fields["map"].shape.items
    assert values is not None
    assert [branch.kind for branch in values.branches] == [ShapeKind.INT, ShapeKind.RECORD]


def test_a_record_that_holds_itself_is_a_circle() -> None:
    shape = payloads({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}).shape

    inner = shape.fields["next"].shape

    assert (shape.is_nullable, inner.is_nullable) == (False, True)
    assert inner.fields["next"] is shape.fields["next"]
    assert list(walk_fields(shape)) == [shape.fields["next"]]


def test_a_schema_as_deep_as_may_be_is_prepared() -> None:
    deepest = "int"
    for _ in range(199):
        deepest = {"type": "array", "items": deepest}  # type: ignore[assignment]  # a schema is text or object

    assert binary(deepest, "02" * 199).violations[0].kind is ViolationKind.TOO_DEEP
    assert binary(deepest, "02" * 5 + "00" * 6).violations == ()
