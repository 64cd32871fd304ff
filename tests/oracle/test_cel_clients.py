"""The same rule sets with the same payloads through confluent-kafka-python's rule engine and through ours.

Differences are listed in `tests/data/cel/differences.json`, each with its reason; an entry that is one no more fails.
"""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import confluent_kafka.schema_registry as confluent
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.common.protobuf import _schema_to_str
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.schema_registry.rule_registry import RuleRegistry
from confluent_kafka.schema_registry.rules.cel.cel_executor import CelExecutor
from confluent_kafka.schema_registry.rules.cel.cel_field_executor import CelFieldExecutor
from confluent_kafka.schema_registry.serde import RuleConditionError
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.contracts.rules.run import compile_rules
from llm_schema_registry.errors import InvalidRuleSet
from llm_schema_registry.formats import FORMATS
from llm_schema_registry.formats.base import Payloads
from llm_schema_registry.model import Encoding, Rule, RuleKind, RuleMode, RuleSet, ViolationKind

DATA = Path(__file__).parents[1] / "data" / "cel"
CASES = json.loads((DATA / "clients.json").read_text())
DIFFERENCES = json.loads((DATA / "differences.json").read_text())
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATEST = {"auto.register.schemas": False, "use.latest.version": True}
VALUE = SerializationContext("t", MessageField.VALUE)
EVERY = [
    pytest.param(schema_type, case, id=f"{schema_type}: {case['name']}")
    for schema_type in ("AVRO", "JSON", "PROTOBUF")
    for case in CASES["cases"]["EVERY"] + CASES["cases"][schema_type]
]


def text_of(schema_type: str) -> str:
    schema = CASES["schemas"][schema_type]
    return "\n".join(schema) if schema_type == "PROTOBUF" else json.dumps(schema)


@lru_cache
def payloads_of(schema_type: str) -> Payloads:
    return FORMATS[schema_type].payloads(FORMATS[schema_type].parse(text_of(schema_type)))


@lru_cache
def values_of(schema_type: str) -> tuple[Any, ...]:
    readings = [
        payloads_of(schema_type).read(Encoding.JSON, json.dumps(payload).encode())
        for payload in CASES["payloads"][schema_type]
    ]
    assert [reading.violations for reading in readings] == [()] * len(readings)
    return tuple(reading.value for reading in readings)


class Theirs:
    """Confluent's serializer with a rule set: what it makes of a value."""

    def __init__(self, schema_type: str, rules: list[dict[str, Any]]) -> None:
        registry = RuleRegistry()
        for executor in (CelExecutor(), CelFieldExecutor()):
            registry.register_executor(executor)
        rule_set = confluent.RuleSet(None, [_theirs(rule) for rule in rules])
        client: Any = SchemaRegistryClient.new_client({"url": "mock://"})
        self._payloads = payloads_of(schema_type)
        text = text_of(schema_type)
        descriptor = self._payloads.shape.descriptor
        if descriptor is not None:
            text = _schema_to_str(descriptor.file)
        client.register_schema("t-value", confluent.Schema(text, schema_type, [], None, rule_set))
        self._encoding = Encoding.JSON if schema_type == "JSON" else Encoding.BINARY
        self._frame = 6 if schema_type == "PROTOBUF" else 5
        self._write: Any
        if schema_type == "AVRO":
            self._write = AvroSerializer(client, None, conf=LATEST, rule_registry=registry)
        elif schema_type == "JSON":
            self._write = JSONSerializer(None, client, conf=LATEST, rule_registry=registry)
        else:
            kind = type(values_of(schema_type)[0])
            conf = {**LATEST, "use.deprecated.format": False}
            self._write = ProtobufSerializer(kind, client, conf=conf, rule_registry=registry)

    def outcome(self, value: Any) -> tuple[str, Any]:  # noqa: ANN401 - a value of any format
        try:
            framed = self._write(deepcopy(value), VALUE)
        except Exception as error:  # noqa: BLE001 - whatever it raises is its outcome
            # An action of ERROR on success has no cause, and says nothing.
            is_no = isinstance(error, SerializationError) and (
                isinstance(error.__cause__, RuleConditionError) or not (error.__cause__ or error.args)
            )
            return ("failed" if is_no else "error"), None
        reading = self._payloads.read(self._encoding, framed[self._frame :])
        return "passed", reading.value


def _theirs(rule: dict[str, Any]) -> confluent.Rule:
    return confluent.Rule(
        name=rule["name"],
        doc=None,
        kind=confluent.RuleKind[rule["kind"]],
        mode=confluent.RuleMode[rule["mode"]],
        type=rule["type"],
        tags=rule.get("tags"),
        params=None,
        expr=rule["expr"],
        on_success=rule.get("onSuccess"),
        on_failure=rule.get("onFailure"),
        disabled=rule.get("disabled"),
    )


def _ours(rule: dict[str, Any]) -> Rule:
    return Rule(
        name=rule["name"],
        kind=RuleKind(rule["kind"]),
        mode=RuleMode(rule["mode"]),
        type=rule["type"],
        tags=rule.get("tags"),
        expr=rule["expr"],
        on_success=rule.get("onSuccess"),
        on_failure=rule.get("onFailure"),
        disabled=rule.get("disabled"),
    )


def our_outcomes(schema_type: str, rules: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    payloads = payloads_of(schema_type)
    try:
        compiled = compile_rules(RuleSet(domain_rules=[_ours(rule) for rule in rules]), payloads, FieldTags(None))
    except InvalidRuleSet:
        return [("refused", None)] * len(values_of(schema_type))
    found: list[tuple[str, Any]] = []
    for value in values_of(schema_type):
        run = compiled.run(value, RuleMode.WRITE, NOW)
        if not run.violations:
            found.append(("passed", run.value))
        else:
            found.append(("failed" if run.violations[0].kind is ViolationKind.RULE_FAILED else "error", None))
    return found


@pytest.mark.parametrize(("schema_type", "case"), EVERY)
def test_both_engines_say_the_same(schema_type: str, case: dict[str, Any]) -> None:
    theirs = Theirs(schema_type, case["rules"])
    differing = {}
    for index, ours in enumerate(our_outcomes(schema_type, case["rules"])):
        other = theirs.outcome(values_of(schema_type)[index])
        if ours != other:
            differing[index] = (ours[0], other[0])
    listed = {
        index: (entry["ours"], entry["theirs"])
        for entry in DIFFERENCES
        if entry["case"] == case["name"] and entry["format"] == schema_type
        for index in entry["payloads"]
    }
    assert differing == listed


def test_there_are_enough_payloads_and_every_difference_is_of_a_case() -> None:
    ran = sum(len(CASES["payloads"][param.values[0]]) for param in EVERY)
    assert ran >= 50
    known = {(param.values[0], param.values[1]["name"]) for param in EVERY}
    assert {(entry["format"], entry["case"]) for entry in DIFFERENCES} <= known
    assert all(entry["reason"] for entry in DIFFERENCES)
