"""confluent-kafka-python's Avro and JSON Schema serializers against a running server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    Metadata,
    MetadataProperties,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    SchemaRegistryError,
    header_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.schema_registry_client import AsyncSchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

from server_process import ServerProcess

Serialize = Callable[[Any, SerializationContext], bytes]
Deserialize = Callable[[bytes, SerializationContext], Any]
LOOKUP = {"auto.register.schemas": False}
LATEST = {"auto.register.schemas": False, "use.latest.version": True}


@dataclass(frozen=True)
class Dialect:
    """One format's documents for the same story: an order that gains a note."""

    kind: str
    order: str
    order_with_note: str
    order_otherwise_laid_out: str
    order_with_other_id: str
    customer: str
    address: str
    sale: str
    customer_name: str
    address_name: str
    record_name: str

    def schema(self, text: str, *references: SchemaReference, **properties: str) -> Schema:
        metadata = Metadata(None, MetadataProperties(properties), None) if properties else None
        return Schema(text, self.kind, list(references), metadata)

    def serializer(
        self, client: SchemaRegistryClient, schema: Schema | None, conf: dict[str, Any] | None = None
    ) -> Serialize:
        if self.kind == "AVRO":
            return AvroSerializer(client, schema, conf=conf)
        return JSONSerializer(schema, client, conf=conf)

    def deserializer(
        self, client: SchemaRegistryClient, schema: Schema | None = None, conf: dict[str, Any] | None = None
    ) -> Deserialize:
        if self.kind == "AVRO":
            return AvroDeserializer(client, schema, conf=conf)
        return JSONDeserializer(schema, schema_registry_client=client, conf=conf)


def avro_record(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "shop", "fields": list(fields)}


def json_object(title: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


ID = {"name": "id", "type": "string"}
AMOUNT = {"name": "amount", "type": "double", "currency": "EUR", "unit": "cent"}
NOTE = {"name": "note", "type": "string", "default": ""}
ORDER = json_object("shop.Order", {"id": {"type": "string"}, "amount": {"type": "number"}}, ["id", "amount"])

AVRO = Dialect(
    kind="AVRO",
    order=json.dumps(avro_record("Order", ID, AMOUNT)),
    order_with_note=json.dumps(avro_record("Order", ID, AMOUNT, NOTE)),
    order_otherwise_laid_out=json.dumps(avro_record("Order", ID, dict(reversed(AMOUNT.items()))), indent=2),
    order_with_other_id=json.dumps(avro_record("Order", {"name": "id", "type": "int"}, AMOUNT)),
    customer=json.dumps(
        avro_record("Customer", {"name": "name", "type": "string"}, {"name": "home", "type": "shop.Address"})
    ),
    address=json.dumps(avro_record("Address", {"name": "city", "type": "string"})),
    sale=json.dumps(avro_record("Sale", ID, {"name": "customer", "type": "shop.Customer"})),
    customer_name="shop.Customer",
    address_name="shop.Address",
    record_name="shop.Order",
)
JSON = Dialect(
    kind="JSON",
    order=json.dumps(ORDER),
    order_with_note=json.dumps({**ORDER, "properties": {**ORDER["properties"], "note": {"type": "string"}}}),
    order_otherwise_laid_out=json.dumps(dict(reversed(ORDER.items())), indent=2),
    order_with_other_id=json.dumps({**ORDER, "properties": {**ORDER["properties"], "id": {"type": "integer"}}}),
    customer=json.dumps(
        json_object("Customer", {"name": {"type": "string"}, "home": {"$ref": "address.json"}}, ["name", "home"])
    ),
    address=json.dumps(json_object("Address", {"city": {"type": "string"}}, ["city"])),
    sale=json.dumps(json_object("Sale", {"id": {"type": "string"}, "customer": {"$ref": "customer.json"}}, ["id"])),
    customer_name="customer.json",
    address_name="address.json",
    record_name="shop.Order",
)
SALE = {"id": "7", "customer": {"name": "Ada", "home": {"city": "Riga"}}}
PLAIN = {"id": "1", "amount": 2.5}
NOTED = {"id": "1", "amount": 2.5, "note": "gift"}

pytestmark = pytest.mark.parametrize("dialect", [AVRO, JSON], ids=["avro", "json"])


def value_of(topic: str, headers: list[tuple[str, bytes]] | None = None) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE, headers)


def id_in(payload: bytes) -> int:
    assert payload[0] == 0
    return int.from_bytes(payload[1:5], "big")


def fresh(server: ServerProcess, path: str = "") -> SchemaRegistryClient:
    """A client that has cached nothing."""
    return SchemaRegistryClient({"url": server.url + path})


def test_auto_register(server: ServerProcess, client: SchemaRegistryClient, topic: str, dialect: Dialect) -> None:
    payload = dialect.serializer(client, dialect.schema(dialect.order))(PLAIN, value_of(topic))
    registered = client.get_version(f"{topic}-value", 1)
    assert id_in(payload) == registered.schema_id
    reader = fresh(server)
    assert dialect.deserializer(reader)(payload, value_of(topic)) == PLAIN
    again = dialect.serializer(reader, dialect.schema(dialect.order))(PLAIN, value_of(topic))
    assert again == payload
    assert client.get_versions(f"{topic}-value") == [1]


def test_auto_register_refuses_what_breaks_readers(client: SchemaRegistryClient, topic: str, dialect: Dialect) -> None:
    dialect.serializer(client, dialect.schema(dialect.order))(PLAIN, value_of(topic))
    with pytest.raises(SchemaRegistryError) as refused:
        dialect.serializer(client, dialect.schema(dialect.order_with_other_id))(
            {"id": 1, "amount": 2.5}, value_of(topic)
        )
    assert (refused.value.http_status_code, refused.value.error_code) == (409, 40901)
    assert "oldSchemaVersion: 1" in refused.value.error_message


def test_lookup_without_auto_register(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, dialect: Dialect
) -> None:
    order = dialect.schema(dialect.order)
    with pytest.raises(SchemaRegistryError) as unknown:
        dialect.serializer(client, order, LOOKUP)(PLAIN, value_of(topic))
    assert unknown.value.error_code == 40401
    schema_id = client.register_schema(f"{topic}-value", order)
    assert id_in(dialect.serializer(fresh(server), order, LOOKUP)(PLAIN, value_of(topic))) == schema_id
    with pytest.raises(SchemaRegistryError) as other:
        dialect.serializer(client, dialect.schema(dialect.order_with_note), LOOKUP)(NOTED, value_of(topic))
    assert other.value.error_code == 40403


def test_use_latest_version(server: ServerProcess, client: SchemaRegistryClient, topic: str, dialect: Dialect) -> None:
    client.register_schema(f"{topic}-value", dialect.schema(dialect.order))
    latest = client.register_schema(f"{topic}-value", dialect.schema(dialect.order_with_note))
    payload = dialect.serializer(fresh(server), None, LATEST)(NOTED, value_of(topic))
    assert id_in(payload) == latest
    assert dialect.deserializer(fresh(server), conf={"use.latest.version": True})(payload, value_of(topic)) == NOTED


def test_use_latest_with_metadata(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, dialect: Dialect
) -> None:
    first = client.register_schema(f"{topic}-value", dialect.schema(dialect.order, major="1", team="a b/c"))
    second = client.register_schema(f"{topic}-value", dialect.schema(dialect.order_with_note, major="2"))
    for major, schema_id, order in (("1", first, PLAIN), ("2", second, NOTED)):
        wanted = {"auto.register.schemas": False, "use.latest.with.metadata": {"major": major}}
        payload = dialect.serializer(fresh(server), None, wanted)(order, value_of(topic))
        assert id_in(payload) == schema_id
        read = {"use.latest.with.metadata": {"major": major}}
        assert dialect.deserializer(fresh(server), conf=read)(payload, value_of(topic)) == order
    found = fresh(server).get_latest_with_metadata(f"{topic}-value", {"major": "1"})
    assert found.schema.metadata.properties.properties == {"major": "1", "team": "a b/c"}


def test_normalize(server: ServerProcess, client: SchemaRegistryClient, topic: str, dialect: Dialect) -> None:
    conf = {"normalize.schemas": True}
    payload = dialect.serializer(client, dialect.schema(dialect.order), conf)(PLAIN, value_of(topic))
    laid_out = dialect.schema(dialect.order_otherwise_laid_out)
    assert dialect.serializer(fresh(server), laid_out, conf)(PLAIN, value_of(topic)) == payload
    assert dialect.serializer(fresh(server), laid_out, {**conf, **LOOKUP})(PLAIN, value_of(topic)) == payload
    assert client.get_versions(f"{topic}-value") == [1]
    assert dialect.deserializer(fresh(server))(payload, value_of(topic)) == PLAIN


def test_without_normalize_the_layout_counts(client: SchemaRegistryClient, topic: str, dialect: Dialect) -> None:
    dialect.serializer(client, dialect.schema(dialect.order))(PLAIN, value_of(topic))
    dialect.serializer(client, dialect.schema(dialect.order_otherwise_laid_out))(PLAIN, value_of(topic))
    assert client.get_versions(f"{topic}-value") == [1, 2]


def test_references(server: ServerProcess, client: SchemaRegistryClient, topic: str, dialect: Dialect) -> None:
    address, customer = f"{topic}-address", f"{topic}-customer"
    client.register_schema(address, dialect.schema(dialect.address))
    to_address = SchemaReference(dialect.address_name, address, 1)
    client.register_schema(customer, dialect.schema(dialect.customer, to_address))
    sale = dialect.schema(dialect.sale, SchemaReference(dialect.customer_name, customer, 1))
    payload = dialect.serializer(client, sale)(SALE, value_of(topic))
    assert dialect.deserializer(fresh(server))(payload, value_of(topic)) == SALE
    assert dialect.serializer(fresh(server), None, LATEST)(SALE, value_of(topic)) == payload
    assert dialect.serializer(fresh(server), sale, LOOKUP)(SALE, value_of(topic)) == payload
    assert client.get_referenced_by(customer, 1) == [id_in(payload)]
    with pytest.raises(SchemaRegistryError) as held:
        client.delete_subject(customer)
    assert held.value.error_code == 42206


def test_a_reader_of_the_next_version(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, dialect: Dialect
) -> None:
    payload = dialect.serializer(client, dialect.schema(dialect.order))(PLAIN, value_of(topic))
    newer = dialect.schema(dialect.order_with_note)
    client.register_schema(f"{topic}-value", newer)
    expected = {**PLAIN, "note": ""} if dialect is AVRO else PLAIN
    assert dialect.deserializer(fresh(server), newer)(payload, value_of(topic)) == expected
    assert dialect.deserializer(fresh(server), conf={"use.latest.version": True})(payload, value_of(topic)) == expected


def test_the_guid_in_a_header(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, dialect: Dialect
) -> None:
    headers: list[tuple[str, bytes]] = []
    conf = {"schema.id.serializer": header_schema_id_serializer}
    payload = dialect.serializer(client, dialect.schema(dialect.order), conf)(PLAIN, value_of(topic, headers))
    ((name, framed),) = headers
    assert (name, framed[0], len(framed)) == ("__value_schema_id", 1, 17)
    guid = str(uuid.UUID(bytes=framed[1:]))
    assert client.get_version(f"{topic}-value", 1).guid == guid
    assert fresh(server).get_schema_by_guid(guid).schema_type == dialect.kind
    assert dialect.deserializer(fresh(server))(payload, value_of(topic, headers)) == PLAIN


@pytest.mark.parametrize("strategy", ["TOPIC", "RECORD", "TOPIC_RECORD", "ASSOCIATED"])
def test_subject_name_strategies(client: SchemaRegistryClient, topic: str, dialect: Dialect, strategy: str) -> None:
    subject = {
        "RECORD": dialect.record_name,
        "TOPIC_RECORD": f"{topic}-{dialect.record_name}",
    }.get(strategy, f"{topic}-key")
    conf = {"subject.name.strategy.type": strategy}
    key = SerializationContext(topic, MessageField.KEY)
    # One record name, two formats: the subject of the strategy RECORD is theirs in turn.
    client.set_compatibility(subject, "NONE")
    payload = dialect.serializer(client, dialect.schema(dialect.order), conf)(PLAIN, key)
    assert client.get_latest_version(subject).schema_id == id_in(payload)
    assert dialect.deserializer(client, conf=conf)(payload, key) == PLAIN


def test_a_context_in_the_url(server: ServerProcess, topic: str, dialect: Dialect) -> None:
    inside = fresh(server, f"/contexts/.{topic}")
    payload = dialect.serializer(inside, dialect.schema(dialect.order))(PLAIN, value_of(topic))
    assert id_in(payload) == 1
    assert dialect.deserializer(fresh(server, f"/contexts/.{topic}"))(payload, value_of(topic)) == PLAIN
    assert f":.{topic}:{topic}-value" in fresh(server).get_subjects()
    assert f".{topic}" in fresh(server).get_contexts()


async def test_the_asynchronous_client(server: ServerProcess, topic: str, dialect: Dialect) -> None:
    client = AsyncSchemaRegistryClient({"url": server.url})
    schema = dialect.schema(dialect.order)
    schema_id = await client.register_schema(f"{topic}-value", schema)
    assert (await client.lookup_schema(f"{topic}-value", schema)).schema_id == schema_id
    assert (await client.get_latest_version(f"{topic}-value")).version == 1
    assert (await client.get_schema(schema_id)).schema_type == dialect.kind
    assert await client.delete_subject(f"{topic}-value") == [1]
