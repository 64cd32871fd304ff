"""confluent-kafka-python's Protobuf serializer, with generated classes, against a running server."""

from __future__ import annotations

import base64
import sys
import uuid
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
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
    SchemaReference,
    SchemaRegistryClient,
    SchemaRegistryError,
    header_schema_id_serializer,
)
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.schema_registry.rule_registry import RuleRegistry
from confluent_kafka.schema_registry.rules.cel.cel_executor import CelExecutor
from confluent_kafka.schema_registry.rules.cel.cel_field_executor import CelFieldExecutor
from confluent_kafka.schema_registry.serde import RuleConditionError
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, timestamp_pb2

from server_process import ServerProcess

PROTOS = Path(__file__).parent / "protos" / "e2e_shop"
MONEY, ORDER = (PROTOS / "money.proto").read_text(), (PROTOS / "order.proto").read_text()
ORDER_WITH_NOTE = ORDER.replace("optional string coupon = 8;", "optional string coupon = 8;\n  string note = 9;")
TO_MONEY = SchemaReference("e2e_shop/money.proto", "e2e_shop/money.proto", 1)
LOOKUP = {"auto.register.schemas": False}
LATEST = {"auto.register.schemas": False, "use.latest.version": True}


@pytest.fixture(scope="module")
def shop(compiled: Path) -> Iterator[ModuleType]:
    """The module that protoc wrote for order.proto."""
    sys.path.insert(0, str(compiled))
    yield import_module("e2e_shop.order_pb2")
    sys.path.remove(str(compiled))


@pytest.fixture
def order(shop: ModuleType) -> Any:  # noqa: ANN401 - the class exists only once it is generated
    money = import_module("e2e_shop.money_pb2").Money(currency="EUR", minor_units=250)
    placed = timestamp_pb2.Timestamp(seconds=1_700_000_000, nanos=5)
    return shop.Order(
        id="1", total=money, placed=placed, state=1, quantities={"tea": 2}, email="ada@example.org", coupon=""
    )


@pytest.fixture
def money(client: SchemaRegistryClient) -> None:
    """The file that order.proto imports, registered as text where the serializer looks for it."""
    client.register_schema("e2e_shop/money.proto", Schema(MONEY, "PROTOBUF"))


def fresh(server: ServerProcess) -> SchemaRegistryClient:
    """A client that has cached nothing."""
    return SchemaRegistryClient({"url": server.url})


def value_of(topic: str, headers: list[tuple[str, bytes]] | None = None) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE, headers)


def id_in(payload: bytes) -> int:
    assert payload[0] == 0
    return int.from_bytes(payload[1:5], "big")


def read(client: SchemaRegistryClient, kind: type[message.Message], payload: bytes, topic: str, **conf: Any) -> Any:  # noqa: ANN401 - generated messages have no static type
    return ProtobufDeserializer(kind, conf, client)(payload, value_of(topic))


def test_auto_register_with_imports(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    payload = ProtobufSerializer(shop.Order, client)(order, value_of(topic))
    # Order is the second message of its file, and not nested: one index, 1, both zig-zag.
    assert payload[5:7] == b"\x02\x02"
    stored = fresh(server).get_latest_version(f"{topic}-value")
    assert id_in(payload) == stored.schema_id
    assert stored.schema.references == [TO_MONEY]
    assert "message Order {" in stored.schema.schema_str
    assert read(fresh(server), shop.Order, payload, topic) == order
    assert ProtobufSerializer(shop.Order, fresh(server))(order, value_of(topic)) == payload
    assert client.get_versions(f"{topic}-value") == [1]


def test_one_client_writes_and_reads(
    client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    payload = ProtobufSerializer(shop.Order, client)(order, value_of(topic))
    # The client keeps what a registration answered, and takes it for a descriptor.
    assert read(client, shop.Order, payload, topic) == order
    text = Schema(ORDER, "PROTOBUF", [TO_MONEY])
    assert "message Order {" in client.register_schema_full_response(topic, text).schema.schema_str


def test_the_first_and_a_nested_message(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, shop: ModuleType
) -> None:
    envelope = shop.Envelope(attempts=[shop.Envelope.Attempt(number=3)])
    payload = ProtobufSerializer(shop.Envelope, client)(envelope, value_of(topic))
    assert payload[5:6] == b"\x00"
    assert read(fresh(server), shop.Envelope, payload, topic) == envelope
    attempt = shop.Envelope.Attempt(number=7)
    payload = ProtobufSerializer(shop.Envelope.Attempt, client)(attempt, value_of(topic))
    assert payload[5:8] == b"\x04\x00\x00"
    assert read(fresh(server), shop.Envelope.Attempt, payload, topic) == attempt


@pytest.mark.usefixtures("money")
def test_what_was_registered_as_text_is_found_by_its_descriptor(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    with pytest.raises(SchemaRegistryError) as unknown:
        ProtobufSerializer(shop.Order, fresh(server), LOOKUP)(order, value_of(topic))
    assert unknown.value.error_code == 40401
    schema_id = client.register_schema(f"{topic}-value", Schema(ORDER, "PROTOBUF", [TO_MONEY]))
    payload = ProtobufSerializer(shop.Order, fresh(server), LOOKUP)(order, value_of(topic))
    assert id_in(payload) == schema_id
    assert read(fresh(server), shop.Order, payload, topic) == order
    other = client.register_schema(f"{topic}-2-value", Schema(ORDER_WITH_NOTE, "PROTOBUF", [TO_MONEY]))
    assert other != schema_id
    with pytest.raises(SchemaRegistryError) as absent:
        ProtobufSerializer(shop.Order, fresh(server), LOOKUP)(order, value_of(f"{topic}-2"))
    assert absent.value.error_code == 40403


@pytest.mark.usefixtures("money")
def test_use_latest_version(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    client.register_schema(f"{topic}-value", Schema(ORDER, "PROTOBUF", [TO_MONEY]))
    latest = client.register_schema(f"{topic}-value", Schema(ORDER_WITH_NOTE, "PROTOBUF", [TO_MONEY]))
    payload = ProtobufSerializer(shop.Order, fresh(server), LATEST)(order, value_of(topic))
    assert id_in(payload) == latest
    assert read(fresh(server), shop.Order, payload, topic, **{"use.latest.version": True}) == order


@pytest.mark.usefixtures("money")
def test_use_latest_with_metadata(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    for major, text in (("1", ORDER), ("2", ORDER_WITH_NOTE)):
        metadata = Metadata(None, MetadataProperties({"major": major}), None)
        schema_id = client.register_schema(f"{topic}-value", Schema(text, "PROTOBUF", [TO_MONEY], metadata))
        wanted = {"use.latest.with.metadata": {"major": major}}
        payload = ProtobufSerializer(shop.Order, fresh(server), {**LOOKUP, **wanted})(order, value_of(topic))
        assert id_in(payload) == schema_id
        assert read(fresh(server), shop.Order, payload, topic, **wanted) == order


def test_normalize(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    conf = {"normalize.schemas": True}
    payload = ProtobufSerializer(shop.Order, client, conf)(order, value_of(topic))
    imports = 'import "confluent/meta.proto";\nimport "e2e_shop/money.proto";\n'
    turned = "\n".join(reversed(imports.strip().splitlines())) + "\n"
    again = Schema(ORDER.replace(imports, turned), "PROTOBUF", [TO_MONEY])
    assert client.register_schema(f"{topic}-value", again, normalize_schemas=True) == id_in(payload)
    assert ProtobufSerializer(shop.Order, fresh(server), {**conf, **LOOKUP})(order, value_of(topic)) == payload
    assert client.get_versions(f"{topic}-value") == [1]
    assert read(fresh(server), shop.Order, payload, topic) == order


def test_a_reader_of_the_next_version(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    payload = ProtobufSerializer(shop.Order, client)(order, value_of(topic))
    client.register_schema(f"{topic}-value", Schema(ORDER_WITH_NOTE, "PROTOBUF", [TO_MONEY]))
    newer = class_of_the_latest(fresh(server), f"{topic}-value", "e2e.shop.Order")
    found = read(fresh(server), newer, payload, topic, **{"use.latest.version": True})
    assert (found.id, found.total.minor_units, found.note) == ("1", 250, "")
    found.note = "gift"
    written = ProtobufSerializer(newer, fresh(server), LATEST)(found, value_of(topic))
    assert read(fresh(server), newer, written, topic).note == "gift"
    older = read(fresh(server), shop.Order, written, topic)
    assert (older.id, older.email, older.HasField("coupon")) == ("1", "ada@example.org", True)


def class_of_the_latest(client: SchemaRegistryClient, subject: str, name: str) -> type[message.Message]:
    """Build a message class from nothing but what the registry answers for a subject and its references."""
    pool = descriptor_pool.DescriptorPool()
    for module in (descriptor_pb2, timestamp_pb2, import_module("confluent.meta_pb2")):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    latest = client.get_version(subject, "latest", fmt="serialized")
    for reference in latest.schema.references:
        imported = client.get_version(reference.subject, reference.version, fmt="serialized")
        add_file(pool, reference.name, imported.schema.schema_str)
    add_file(pool, "latest.proto", latest.schema.schema_str)
    kind: type[message.Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    return kind


def add_file(pool: descriptor_pool.DescriptorPool, name: str, serialized: str) -> None:
    file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(serialized))
    file.name = name
    pool.Add(file)


def test_what_breaks_readers_is_refused(
    client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    ProtobufSerializer(shop.Order, client)(order, value_of(topic))
    broken = Schema(ORDER.replace("string id = 1;", "Money id = 1;"), "PROTOBUF", [TO_MONEY])
    assert client.test_compatibility(f"{topic}-value", broken) is False
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(f"{topic}-value", broken)
    assert refused.value.http_status_code == 409


def test_the_guid_in_a_header(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    headers: list[tuple[str, bytes]] = []
    conf = {"schema.id.serializer": header_schema_id_serializer}
    payload = ProtobufSerializer(shop.Order, client, conf)(order, value_of(topic, headers))
    ((name, framed),) = headers
    assert (name, framed[0], framed[17:]) == ("__value_schema_id", 1, b"\x02\x02")
    assert client.get_version(f"{topic}-value", 1).guid == str(uuid.UUID(bytes=framed[1:17]))
    assert ProtobufDeserializer(shop.Order, {}, fresh(server))(payload, value_of(topic, headers)) == order


def test_the_record_names_the_subject(client: SchemaRegistryClient, topic: str, shop: ModuleType) -> None:
    conf = {"subject.name.strategy.type": "RECORD"}
    payload = ProtobufSerializer(shop.Envelope, client, conf)(shop.Envelope(), value_of(topic))
    assert client.get_latest_version("e2e.shop.Envelope").schema_id == id_in(payload)


@pytest.mark.usefixtures("money")
def test_rules_are_executed(
    server: ServerProcess, client: SchemaRegistryClient, topic: str, shop: ModuleType, order: message.Message
) -> None:
    rules = RuleRegistry()
    rules.register_executor(CelExecutor())
    rules.register_executor(CelFieldExecutor())
    paid = Rule(
        "paid", None, RuleKind.CONDITION, RuleMode.WRITE, "CEL", None, None, "message.id != ''", None, None, None
    )
    mask = Rule(
        "mask", None, RuleKind.TRANSFORM, RuleMode.WRITE, "CEL_FIELD", ["PII"], None, "value + '#'", None, None, None
    )
    rule_set = RuleSet(migration_rules=None, domain_rules=[paid, mask])
    client.register_schema(f"{topic}-value", Schema(ORDER, "PROTOBUF", [TO_MONEY], None, rule_set))
    write = ProtobufSerializer(shop.Order, fresh(server), LATEST, rule_registry=rules)
    found = read(fresh(server), shop.Order, write(order, value_of(topic)), topic)
    assert (found.id, found.email) == ("1", "ada@example.org#")
    with pytest.raises(SerializationError) as broken:
        write(shop.Order(), value_of(topic))
    assert isinstance(broken.value.__cause__, RuleConditionError)
