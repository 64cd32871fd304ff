"""Every method of confluent-kafka-python's SchemaRegistryClient that the API serves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Metadata,
    MetadataProperties,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    SchemaRegistryError,
    ServerConfig,
)
from confluent_kafka.schema_registry.common.schema_registry_client import SchemaVersion

from server_process import running_server

STRING, INT, LONG = (Schema(f'"{name}"', "AVRO") for name in ("string", "int", "long"))


@pytest.fixture
def own_client() -> Iterator[SchemaRegistryClient]:
    """A client of a server that no other test sees."""
    with running_server() as server, SchemaRegistryClient({"url": server.url}) as opened:
        yield opened


def code_of(refused: pytest.ExceptionInfo[SchemaRegistryError]) -> tuple[int, int]:
    return refused.value.http_status_code, refused.value.error_code


def test_schemas_and_where_they_stand(client: SchemaRegistryClient, topic: str) -> None:
    first, second = f"{topic}/first value", f"{topic}-second"
    registered = client.register_schema_full_response(first, INT)
    assert (registered.version, registered.subject, registered.schema.schema_str) == (1, first, '"int"')
    assert client.register_schema(second, INT) == registered.schema_id
    client.clear_caches()
    assert client.get_schema(registered.schema_id).schema_str == '"int"'
    assert client.get_schema(registered.schema_id, second, fmt="resolved").schema_str == '"int"'
    assert client.get_schema_by_guid(registered.guid).schema_str == '"int"'
    assert {first, second} <= set(client.get_subjects_by_schema_id(registered.schema_id))
    pairs = client.get_schema_versions(registered.schema_id)
    assert {SchemaVersion(first, 1), SchemaVersion(second, 1)} <= set(pairs)
    assert sorted(client.get_schema_types()) == ["AVRO", "JSON", "PROTOBUF"]
    found = client.lookup_schema(first, INT)
    assert (found.schema_id, found.version, found.guid) == (registered.schema_id, 1, registered.guid)
    with pytest.raises(SchemaRegistryError) as refused:
        client.get_schema(2**31 - 1)
    assert code_of(refused) == (404, 40403)
    with pytest.raises(SchemaRegistryError) as refused:
        client.get_schema_by_guid("00000000-0000-0000-0000-000000000000")
    assert code_of(refused) == (404, 40403)
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(first, Schema('{"type": "nonsense"}', "AVRO"))
    assert code_of(refused) == (422, 42201)


def test_subjects_and_versions(client: SchemaRegistryClient, topic: str) -> None:
    client.register_schema(topic, INT)
    client.register_schema(topic, LONG)
    assert client.get_subjects(subject_prefix=topic) == [topic]
    assert client.get_versions(topic) == [1, 2]
    assert client.get_versions(topic, offset=1, limit=1) == [2]
    assert client.get_version(topic, 1).schema.schema_str == '"int"'
    assert client.get_version(topic, "latest").version == 2
    assert client.get_latest_version(topic).version == 2
    client.clear_latest_caches()
    assert client.delete_version(topic, 1) == 1
    assert client.get_versions(topic) == [2]
    assert client.get_versions(topic, deleted=True) == [1, 2]
    with pytest.raises(SchemaRegistryError) as refused:
        client.get_version(topic, 1)
    assert code_of(refused) == (404, 40402)
    assert client.get_version(topic, 1, deleted=True).schema.schema_str == '"int"'
    assert client.lookup_schema(topic, INT, deleted=True).version == 1
    assert client.delete_version(topic, 1, permanent=True) == 1
    with pytest.raises(SchemaRegistryError) as refused:
        client.delete_subject(topic, permanent=True)
    assert code_of(refused) == (404, 40405)
    assert client.delete_subject(topic) == [2]
    assert client.get_subjects(subject_prefix=topic) == []
    assert client.get_subjects(subject_prefix=topic, deleted=True) == [topic]
    assert client.delete_subject(topic, permanent=True) == [2]
    assert client.get_subjects(subject_prefix=topic, deleted=True) == []
    with pytest.raises(SchemaRegistryError) as refused:
        client.delete_subject(topic)
    assert code_of(refused) == (404, 40401)


def test_references(client: SchemaRegistryClient, topic: str) -> None:
    city = Schema('{"type": "record", "name": "City", "fields": []}', "AVRO")
    client.register_schema(f"{topic}-city", city)
    home = Schema('{"type": "array", "items": "City"}', "AVRO", [SchemaReference("City", f"{topic}-city", 1)])
    schema_id = client.register_schema(f"{topic}-home", home)
    assert client.get_referenced_by(f"{topic}-city") == [schema_id]
    stored = client.get_version(f"{topic}-home", 1).schema
    assert stored.references == [SchemaReference("City", f"{topic}-city", 1)]
    resolved = client.get_version(f"{topic}-home", "latest", fmt="resolved").schema.schema_str
    assert resolved == '{"type":"array","items":{"type":"record","name":"City","fields":[]}}'


def test_compatibility(client: SchemaRegistryClient, topic: str) -> None:
    client.register_schema(topic, INT)
    client.register_schema(topic, LONG)
    assert client.test_compatibility(topic, STRING) is False
    assert client.test_compatibility(topic, INT, version=1, normalize=True, verbose=True) is True
    assert client.test_compatibility(topic, LONG, version="latest") is True
    assert client.test_compatibility_all_versions(topic, STRING, normalize=True, verbose=True) is False
    assert client.set_compatibility(topic, "none") == {"compatibility": "NONE"}
    assert client.get_compatibility(topic) == "NONE"
    assert client.test_compatibility_all_versions(topic, STRING) is True
    with pytest.raises(SchemaRegistryError) as refused:
        client.set_compatibility(topic, "sometimes")
    assert code_of(refused) == (422, 42203)


def test_config_of_a_subject(client: SchemaRegistryClient, topic: str) -> None:
    with pytest.raises(SchemaRegistryError) as refused:
        client.get_config(topic)
    assert code_of(refused) == (404, 40408)
    config = ServerConfig(
        compatibility=ConfigCompatibilityLevel.FULL,
        compatibility_group="major",
        default_metadata=Metadata(None, MetadataProperties({"owner": "shop"}), None),
    )
    client.set_config(topic, config)
    stored = client.get_config(topic)
    assert stored.compatibility_level is ConfigCompatibilityLevel.FULL
    assert stored.compatibility_group == "major"
    client.register_schema(topic, INT)
    inherited = client.get_latest_version(topic).schema.metadata
    assert inherited.properties.properties == {"owner": "shop"}
    assert client.delete_config(topic).compatibility_level is ConfigCompatibilityLevel.FULL
    with pytest.raises(SchemaRegistryError) as refused:
        client.delete_config(topic)
    assert code_of(refused) == (404, 40401)


def test_mode_of_a_subject(client: SchemaRegistryClient, topic: str) -> None:
    with pytest.raises(SchemaRegistryError) as refused:
        client.get_mode(topic)
    assert code_of(refused) == (404, 40409)
    assert client.update_mode(topic, "READONLY") == "READONLY"
    assert client.get_mode(topic) == "READONLY"
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(topic, INT)
    assert code_of(refused) == (422, 42205)
    assert client.delete_mode(topic) == "READONLY"
    assert client.register_schema(topic, INT) > 0
    with pytest.raises(SchemaRegistryError) as refused:
        client.update_mode(topic, "IMPORT")
    assert code_of(refused) == (422, 42205)
    assert client.update_mode(topic, "IMPORT", force=True) == "IMPORT"


def test_what_holds_for_every_subject(own_client: SchemaRegistryClient) -> None:
    assert own_client.get_subjects() == []
    assert own_client.get_contexts() == ["."]
    assert own_client.get_compatibility() == "BACKWARD"
    assert own_client.set_compatibility(level="full") == {"compatibility": "FULL"}
    own_client.set_config(config=ServerConfig(compatibility=ConfigCompatibilityLevel.FORWARD))
    assert own_client.get_config().compatibility_level is ConfigCompatibilityLevel.FORWARD
    assert own_client.delete_config().compatibility_level is ConfigCompatibilityLevel.FORWARD
    assert own_client.get_compatibility() == "BACKWARD"
    assert own_client.get_global_mode() == "READWRITE"
    assert own_client.update_global_mode("READONLY") == "READONLY"
    with pytest.raises(SchemaRegistryError) as refused:
        own_client.register_schema("s", INT)
    assert code_of(refused) == (422, 42205)
    assert own_client.update_global_mode("READWRITE", force=True) == "READWRITE"


def test_no_topic_is_bound_to_a_subject(client: SchemaRegistryClient, topic: str) -> None:
    assert client.get_associations_by_resource_name(topic, "-", "topic", ["key", "value"]) == []
