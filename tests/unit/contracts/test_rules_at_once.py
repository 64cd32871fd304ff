"""Conditions that are asked in one question say the same as when each is asked by itself."""

from __future__ import annotations

import io
import itertools
import json
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest
from google.protobuf.message import Message

from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.rules.run import MAX_RULES, Rules, compile_rules
from llm_schema_registry.errors import InvalidRuleSet
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import Payloads
from llm_schema_registry.model import Encoding, Rule, RuleKind, RuleMode, RuleSet

NOW = datetime(2026, 11, 27, tzinfo=UTC)
JSON = {
    "type": "object",
    "properties": {
        "a": {"type": "integer"},
        "b": {"type": "string"},
        "c": {"type": "array", "items": {"type": "integer"}},
        "d": {"type": "object", "properties": {"e": {"type": "integer"}}, "additionalProperties": False},
    },
    "additionalProperties": False,
}
AVRO = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "a", "type": "long"},
        {"name": "b", "type": "string"},
        {"name": "c", "type": {"type": "array", "items": "long"}},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "m", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    ],
}
RAW = {"a": "long", "b": "string", "c": {"type": "array", "items": "long"}, "t": "long", "m": "bytes"}
"""The types of those fields without their meaning."""

PROTO = 'syntax = "proto3"; message R { int64 a = 1; string b = 2; repeated int64 c = 3; }'
EXPRESSIONS = (
    "message.a > 0",
    "event.a < 100",
    "message.b != ''",
    "10 / message.a > 0",
    "message.c.all(x, x > 0)",
    "message.c.all(message, message > 0)",
    "size(message.c) < 3 || message.b == 'x'",
    "now > timestamp('2020-01-01T00:00:00Z')",
)
OF_JSON = ("has(message.d)", "size(message) > 2", "message.d.e == 1", "message == message")
OF_AVRO = ("message.t < now", "decimals.gt(message.m, decimal('1.5'))")


def payloads(schema_type: str, schema: object) -> Payloads:
    fmt = FORMATS[schema_type]
    return fmt.payloads(fmt.parse(schema if isinstance(schema, str) else json.dumps(schema)))


def rules_of(expressions: tuple[str, ...], **more: Any) -> list[Rule]:  # noqa: ANN401 - members of a rule
    return [
        Rule(name=f"r{place}", kind=RuleKind.CONDITION, type="CEL", expr=expression, **more)
        for place, expression in enumerate(expressions)
    ]


def rules(reader: Payloads, *expressions: str, **more: Any) -> Rules:  # noqa: ANN401 - as above
    return compile_rules(RuleSet(domain_rules=rules_of(expressions, **more)), reader, FieldTags(None))


class OneByOne:
    """The same rules, each alone in a rule set of its own."""

    def __init__(self, reader: Payloads, expressions: tuple[str, ...]) -> None:
        self._rules = [
            compile_rules(RuleSet(domain_rules=[rule]), reader, FieldTags(None)) for rule in rules_of(expressions)
        ]

    def run(self, value: object) -> tuple[object, object]:
        runs = [each.run(value, RuleMode.WRITE, NOW) for each in self._rules]
        return tuple(o for run in runs for o in run.outcomes), tuple(v for run in runs for v in run.violations)


def json_values() -> list[object]:
    return [
        {"a": a, "b": b, "c": c, **({"d": {"e": 1}} if b else {})}
        for a, b, c in itertools.product((1, 0, -5, 100), ("x", ""), ([], [1], [1, 2, 3], [0]))
    ] + [{}, {"a": 1}]


@pytest.mark.parametrize("expressions", [EXPRESSIONS[:2], EXPRESSIONS[2:5], (*EXPRESSIONS, *OF_JSON), OF_JSON])
def test_json(expressions: tuple[str, ...]) -> None:
    reader = payloads("JSON", JSON)
    together, alone = rules(reader, *expressions), OneByOne(reader, expressions)
    for value in json_values():
        run = together.run(value, RuleMode.WRITE, NOW)
        assert (run.outcomes, run.violations) == alone.run(value), value


def test_avro_with_values_that_are_converted() -> None:
    reader = payloads("AVRO", AVRO)
    expressions = (*EXPRESSIONS, *OF_AVRO)
    together, alone = rules(reader, *expressions), OneByOne(reader, expressions)
    raw = fastavro.parse_schema({**AVRO, "fields": [{"name": name, "type": kind} for name, kind in RAW.items()]})
    for a, t, m in itertools.product((1, 0), (0, 4_000_000_000_000), (b"\1\0", b"\1")):
        written = io.BytesIO()
        fastavro.schemaless_writer(written, raw, {"a": a, "b": "x", "c": [1], "t": t, "m": m})
        value, broken = reader.read(Encoding.BINARY, written.getvalue())
        assert broken == ()
        run = together.run(value, RuleMode.WRITE, NOW)
        assert (run.outcomes, run.violations) == alone.run(value)


def test_protobuf() -> None:
    reader = payloads("PROTOBUF", PROTO)
    together, alone = rules(reader, *EXPRESSIONS), OneByOne(reader, EXPRESSIONS)
    for text in (b"{}", b'{"a": "5", "b": "x"}', b'{"a": "5", "b": "x", "c": [1, 0]}', b'{"a": "500"}'):
        value, _ = reader.read(Encoding.JSON, text)
        assert isinstance(value, Message)
        run = together.run(value, RuleMode.WRITE, NOW)
        assert (run.outcomes, run.violations) == alone.run(value)


def test_what_stands_behind_a_transform_sees_what_it_made() -> None:
    reader = payloads("JSON", JSON)
    given = [
        Rule(name="first", kind=RuleKind.CONDITION, type="CEL", expr="message.a == 1"),
        Rule(name="second", kind=RuleKind.CONDITION, type="CEL", expr="message.b == 'x'"),
        Rule(name="change", kind=RuleKind.TRANSFORM, type="CEL", expr="{'a': 2, 'b': 'y'}"),
        Rule(name="third", kind=RuleKind.CONDITION, type="CEL", expr="message.a == 2"),
        Rule(name="fourth", kind=RuleKind.CONDITION, type="CEL", expr="message.b == 'x'"),
    ]
    run = compile_rules(RuleSet(domain_rules=given), reader, FieldTags(None)).run(
        {"a": 1, "b": "x"}, RuleMode.WRITE, NOW
    )
    assert [outcome for _, outcome in run.outcomes] == ["passed", "passed", "passed", "passed", "failed"]


def test_a_rule_set_has_a_bound_on_its_rules() -> None:
    reader = payloads("JSON", JSON)
    assert len(rules(reader, *["true"] * MAX_RULES).of(RuleMode.WRITE)) == MAX_RULES
    with pytest.raises(InvalidRuleSet, match="at most 500"):
        rules(reader, *["true"] * (MAX_RULES + 1))


def test_a_payload_that_is_no_record_is_seen_whole() -> None:
    reader = payloads("JSON", {})
    run = rules(reader, "message.a == 1", "message.b == 2").run(5, RuleMode.WRITE, NOW)
    assert [outcome for _, outcome in run.outcomes] == ["error", "error"]


def test_a_rule_that_must_not_pass_is_asked_by_itself() -> None:
    reader = payloads("JSON", JSON)
    run = rules(reader, "message.a == 1", "message.a == 1", on_success="ERROR").run({"a": 1}, RuleMode.WRITE, NOW)
    assert [each.rule for each in run.violations] == ["r0", "r1"]


def test_a_payload_with_a_zero_byte_is_seen_whole() -> None:
    reader = payloads("JSON", JSON)
    run = rules(reader, "message.b == 'x'", "message.b != ''").run({"b": "x\0y"}, RuleMode.WRITE, NOW)
    assert [outcome for _, outcome in run.outcomes] == ["failed", "passed"]


@pytest.mark.parametrize(
    ("expression", "fields"),
    [
        ("message.a > 0 && event.b == ''", {"a", "b"}),
        ("message.d.e == 1", {"d"}),
        ("has(message.d)", {"d"}),
        ("true", set()),
        ("size(message) > 0", None),
        ("message.c.all(message, message > 0)", None),
        ("message['a'] == 1", None),
    ],
)
def test_the_fields_that_are_read_are_known(expression: str, fields: set[str] | None) -> None:
    rule = rules(payloads("JSON", JSON), expression).of(RuleMode.WRITE)[0]
    assert rule.reads == fields
