"""Values of logical types on their way into rules and out of them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from llm_schema_registry.contracts.cel.values import inward, outward
from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.rules.run import Outcome, compile_rules
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import Payloads
from llm_schema_registry.formats.shape import Logical, Shape, ShapeField, ShapeKind
from llm_schema_registry.model import Encoding, Rule, RuleKind, RuleMode, RuleSet

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG, INT, BYTES = {"type": "long"}, {"type": "int"}, {"type": "bytes"}
EVERY = {
    "type": "record",
    "name": "Every",
    "fields": [
        {"name": "at", "type": {**LONG, "logicalType": "timestamp-micros"}},
        {"name": "local", "type": {**LONG, "logicalType": "local-timestamp-millis"}},
        {"name": "day", "type": {**INT, "logicalType": "date"}},
        {"name": "ms", "type": {**INT, "logicalType": "time-millis"}},
        {"name": "us", "type": {**LONG, "logicalType": "time-micros"}},
        {"name": "key", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "amount", "type": {**BYTES, "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "raw", "type": "bytes"},
        {"name": "days", "type": {"type": "array", "items": {**INT, "logicalType": "date"}}},
        {"name": "by", "type": {"type": "map", "values": {**INT, "logicalType": "date"}}},
        {"name": "next", "type": ["null", "Every"]},
        {"name": "many", "type": {"type": "array", "items": ["null", "Every"]}},
        {"name": "any", "type": ["string", "boolean", "double", "int", BYTES, {"type": "array", "items": "bytes"}]},
        {"name": "some", "type": ["string", "int", {**LONG, "logicalType": "timestamp-millis"}, "Every"]},
    ],
}
LEAF: dict[str, Any] = {
    "at": 1_700_000_000_000_001,
    "local": 1_700_000_000_001,
    "day": 1,
    "ms": 61_001,
    "us": 61_000_001,
    "key": "7f8c1f6e-9f7d-4b7a-8f5e-0a4f3c2b1d10",
    "amount": "\u0001\u0000",
    "raw": "\u0000\u00ff",
    "days": [1, 2],
    "by": {"a": 3},
    "next": None,
    "many": [None],
    "any": {"bytes": "\u0000"},
    "some": {"long": 5},
}
WHOLE: dict[str, Any] = {**LEAF, "next": {"Every": LEAF}, "many": [None, {"Every": LEAF}], "some": {"Every": LEAF}}
TRUE = [
    "message.at == timestamp(1700000000000001, 6)",
    "message.local == timestamp(1700000000001, 3)",
    "message.day == 1 && message.days == [1, 2] && message.by.a == 3",
    "message.ms == 61001 && message.us == 61000001",
    "message.key.isUuid()",
    "message.amount == decimal('2.560')",
    "size(message.raw) == 2 && message.raw == b'\\x00\\xff'",
    "message.next.next == null && message.next.day == 1 && message.next.amount > 2",
    "message.many[0] == null && message.many[1].days.exists(d, d == 2)",
    "message.any == b'\\x00'",
    "message.some.some == timestamp(5, 3)",
]


def every() -> Payloads:
    return FORMATS["AVRO"].payloads(FORMATS["AVRO"].parse(json.dumps(EVERY)))


def read(value: object) -> Any:  # noqa: ANN401 - a record
    reading = every().read(Encoding.JSON, json.dumps(value).encode())
    assert reading.violations == ()
    return reading.value


@pytest.mark.parametrize("expr", TRUE)
def test_a_logical_type_is_to_a_rule_what_it_is_to_confluent_s(expr: str) -> None:
    rule = Rule(name="r", kind=RuleKind.CONDITION, mode=RuleMode.WRITE, type="CEL", expr=expr)
    run = compile_rules(RuleSet(domain_rules=[rule]), every(), FieldTags(None)).run(read(WHOLE), RuleMode.WRITE, NOW)
    assert (run.outcomes, run.violations) == ((("r", Outcome.PASSED),), ())


def test_a_transform_to_itself_changes_nothing() -> None:
    rule = Rule(name="r", kind=RuleKind.TRANSFORM, mode=RuleMode.WRITE, type="CEL", expr="message")
    run = compile_rules(RuleSet(domain_rules=[rule]), every(), FieldTags(None)).run(read(WHOLE), RuleMode.WRITE, NOW)
    found: Any = run.value
    expected = read(WHOLE)
    # A local timestamp has no time zone, and comes back as the same moment in UTC.
    for record in (found, found["next"], found["many"][1], found["some"]):
        record["local"] = record["local"].replace(tzinfo=None)
    assert found == expected


SCALAR = Shape(ShapeKind.LONG)
UNION = Shape(
    ShapeKind.COMBINED,
    branches=(
        Shape(ShapeKind.INT, logical=Logical.DATE),
        Shape(ShapeKind.STRING, logical=Logical.UUID),
        Shape(ShapeKind.MAP, items=Shape(ShapeKind.BYTES)),
        Shape(ShapeKind.ARRAY, items=SCALAR),
    ),
)
KEY = "7f8c1f6e-9f7d-4b7a-8f5e-0a4f3c2b1d10"


@pytest.mark.parametrize(
    ("shape", "given", "expected"),
    [
        (UNION, 1, date(1970, 1, 2)),
        (UNION, KEY, UUID(KEY)),
        (UNION, {"a": bytearray(b"x")}, {"a": b"x"}),
        (UNION, [1], [1]),
        (UNION, 1.5, 1.5),
        (Shape(ShapeKind.INT, logical=Logical.DATE), "x", "x"),
        (Shape(ShapeKind.INT, logical=Logical.DATE), True, True),
        (Shape(ShapeKind.INT, logical=Logical.TIME), 1, time(0, 0, 0, 1_000)),
        (Shape(ShapeKind.LONG, logical=Logical.TIME), 1, time(0, 0, 0, 1)),
        (Shape(ShapeKind.LONG, logical=Logical.TIME), "x", "x"),
        (Shape(ShapeKind.STRING, logical=Logical.UUID), 1, 1),
        (Shape(ShapeKind.ANY), {1: [None]}, {"1": [None]}),
    ],
)
def test_a_result_becomes_what_its_type_wants(shape: Shape, given: object, expected: object) -> None:
    found = outward(shape, given)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("logical", "given", "expected"),
    [
        (Logical.DURATION, timedelta(seconds=-1.5), "-1.500s"),
        (Logical.TIMESTAMP, datetime(1970, 1, 1, 1, tzinfo=UTC), "1970-01-01T01:00:00Z"),
    ],
)
def test_a_moment_and_a_length_become_messages(logical: Logical, given: object, expected: str) -> None:
    change = inward(Shape(ShapeKind.FIXED, logical=logical))
    assert change is not None
    message: Any = change(given)
    assert message.ToJsonString() == expected


def test_a_number_without_sign_stays_one() -> None:
    change = inward(Shape(ShapeKind.LONG, is_unsigned=True))
    assert change is not None
    message: Any = change(2**64 - 1)
    assert message.value == 2**64 - 1
    assert change("x") == "x"


def test_what_needs_no_change_is_not_looked_at() -> None:
    record = Shape(ShapeKind.RECORD)
    record.fields["a"] = ShapeField("a", "R.a", Shape(ShapeKind.STRING))
    record.fields["b"] = ShapeField("b", "R.b", Shape(ShapeKind.ARRAY, items=Shape(ShapeKind.INT)))
    record.fields["c"] = ShapeField("c", "R.c", Shape(ShapeKind.COMBINED, branches=(SCALAR, Shape(ShapeKind.STRING))))
    assert inward(record) is None


def test_a_value_that_is_not_of_its_shape_is_left_as_it_is() -> None:
    day = Shape(ShapeKind.INT, logical=Logical.DATE)
    record = Shape(ShapeKind.RECORD, fields={"a": ShapeField("a", "R.a", day)})
    for shape in (record, Shape(ShapeKind.ARRAY, items=day), UNION):
        change = inward(shape)
        assert change is not None
        assert change(7) == 7
        assert change(Decimal(7)) == Decimal(7)
    wanted = inward(record)
    assert wanted is not None
    assert wanted({"b": 1, "a": None}) == {"b": 1, "a": None}
