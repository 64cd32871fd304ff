"""Rule sets stored here and executed by confluent-kafka-python: CEL conditions, CEL transforms, JSONata migrations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    Metadata,
    MetadataProperties,
    Rule,
    RuleKind,
    RuleMode,
    RuleSet,
    Schema,
    SchemaRegistryClient,
    SchemaRegistryError,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.rule_registry import RuleRegistry
from confluent_kafka.schema_registry.rules.cel.cel_executor import CelExecutor
from confluent_kafka.schema_registry.rules.cel.cel_field_executor import CelFieldExecutor
from confluent_kafka.schema_registry.rules.jsonata.jsonata_executor import JsonataExecutor
from confluent_kafka.schema_registry.serde import RuleConditionError
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

LATEST = {"auto.register.schemas": False, "use.latest.version": True}
READ_LATEST = {"use.latest.version": True}
TAGGED = {"name": "email", "type": "string", "confluent:tags": ["PII"]}
PERSON = {"type": "record", "name": "Person", "fields": [{"name": "age", "type": "int"}, TAGGED]}
PERSON_JSON = {
    "type": "object",
    "properties": {"age": {"type": "integer"}, "email": {"type": "string", "confluent:tags": ["PII"]}},
}
ADA = {"age": 36, "email": "ada@example.org"}


@pytest.fixture
def rules() -> Iterator[RuleRegistry]:
    """The executors that a client has to opt into."""
    registry = RuleRegistry()
    for executor in (CelExecutor(), CelFieldExecutor(), JsonataExecutor()):
        registry.register_executor(executor)
    yield registry
    registry.clear()


def rule(name: str, kind: RuleKind, mode: RuleMode, executor: str, expression: str, **members: Any) -> Rule:  # noqa: ANN401 - the members of a rule are of several types
    given = {"doc": None, "tags": None, "params": None, "on_success": None, "on_failure": None, "disabled": None}
    return Rule(name=name, kind=kind, mode=mode, type=executor, expr=expression, **{**given, **members})


def domain(*rules_of_data: Rule) -> RuleSet:
    return RuleSet(migration_rules=None, domain_rules=list(rules_of_data))


ADULT = rule("adult", RuleKind.CONDITION, RuleMode.WRITE, "CEL", "message.age >= 18")
MASK = rule("mask", RuleKind.TRANSFORM, RuleMode.WRITE, "CEL_FIELD", "value + '#'", tags=["PII"])


def value_of(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


def test_a_rule_set_comes_back_as_it_was_given(client: SchemaRegistryClient, topic: str) -> None:
    given = RuleSet(
        migration_rules=[rule("up", RuleKind.TRANSFORM, RuleMode.UPGRADE, "JSONATA", "$")],
        domain_rules=[
            rule("adult", RuleKind.CONDITION, RuleMode.WRITEREAD, "CEL", "true", doc="d", on_failure="ERROR,NONE"),
            MASK,
        ],
        encoding_rules=[],
        enable_at="CLIENT",
    )
    client.register_schema(topic, Schema(json.dumps(PERSON), "AVRO", [], None, given))
    client.clear_caches()
    assert client.get_latest_version(topic).schema.rule_set == given


def test_a_rule_set_that_is_not_well_formed_is_refused(client: SchemaRegistryClient, topic: str) -> None:
    twice = Schema(json.dumps(PERSON), "AVRO", [], None, domain(ADULT, ADULT))
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(topic, twice)
    assert refused.value.error_code == 42210


@pytest.mark.parametrize("kind", ["AVRO", "JSON"])
def test_a_condition_stops_what_breaks_it(
    client: SchemaRegistryClient, topic: str, rules: RuleRegistry, kind: str
) -> None:
    text = json.dumps(PERSON if kind == "AVRO" else PERSON_JSON)
    client.register_schema(f"{topic}-value", Schema(text, kind, [], None, domain(ADULT)))
    if kind == "AVRO":
        write = AvroSerializer(client, None, conf=LATEST, rule_registry=rules)
        read = AvroDeserializer(client, conf=READ_LATEST, rule_registry=rules)
    else:
        write = JSONSerializer(None, client, conf=LATEST, rule_registry=rules)
        read = JSONDeserializer(None, schema_registry_client=client, conf=READ_LATEST, rule_registry=rules)
    assert read(write(ADA, value_of(topic)), value_of(topic)) == ADA
    with pytest.raises(SerializationError) as broken:
        write({**ADA, "age": 17}, value_of(topic))
    assert isinstance(broken.value.__cause__, RuleConditionError)
    assert "message.age >= 18" in str(broken.value.__cause__)


@pytest.mark.parametrize("kind", ["AVRO", "JSON"])
def test_a_transform_changes_the_fields_that_bear_its_tag(
    client: SchemaRegistryClient, topic: str, rules: RuleRegistry, kind: str
) -> None:
    text = json.dumps(PERSON if kind == "AVRO" else PERSON_JSON)
    client.register_schema(f"{topic}-value", Schema(text, kind, [], None, domain(ADULT, MASK)))
    if kind == "AVRO":
        payload = AvroSerializer(client, None, conf=LATEST, rule_registry=rules)(dict(ADA), value_of(topic))
        read = AvroDeserializer(client, rule_registry=rules)(payload, value_of(topic))
    else:
        payload = JSONSerializer(None, client, conf=LATEST, rule_registry=rules)(dict(ADA), value_of(topic))
        read = JSONDeserializer(None, schema_registry_client=client, rule_registry=rules)(payload, value_of(topic))
    assert read == {"age": 36, "email": "ada@example.org#"}


def test_a_migration_rule_carries_old_data_over_a_rename(
    client: SchemaRegistryClient, topic: str, rules: RuleRegistry
) -> None:
    client.set_compatibility(f"{topic}-value", "NONE")
    old = {"type": "record", "name": "Person", "fields": [{"name": "fullName", "type": "string"}]}
    new = {"type": "record", "name": "Person", "fields": [{"name": "name", "type": "string"}]}
    upgrade = rule("rename", RuleKind.TRANSFORM, RuleMode.UPGRADE, "JSONATA", "{'name': fullName}")
    downgrade = rule("back", RuleKind.TRANSFORM, RuleMode.DOWNGRADE, "JSONATA", "{'fullName': name}")
    both = RuleSet(migration_rules=[upgrade, downgrade], domain_rules=None)
    first = Metadata(None, MetadataProperties({"major": "1"}), None)
    second = Metadata(None, MetadataProperties({"major": "2"}), None)
    client.register_schema(f"{topic}-value", Schema(json.dumps(old), "AVRO", [], first))
    client.register_schema(f"{topic}-value", Schema(json.dumps(new), "AVRO", [], second, both))

    def write_and_read(writer: str, reader: str, value: dict[str, str]) -> object:
        conf = {"auto.register.schemas": False, "use.latest.with.metadata": {"major": writer}}
        payload = AvroSerializer(client, None, conf=conf, rule_registry=rules)(value, value_of(topic))
        read = {"use.latest.with.metadata": {"major": reader}}
        return AvroDeserializer(client, conf=read, rule_registry=rules)(payload, value_of(topic))

    assert write_and_read("1", "2", {"fullName": "Ada"}) == {"name": "Ada"}
    assert write_and_read("2", "1", {"name": "Ada"}) == {"fullName": "Ada"}
