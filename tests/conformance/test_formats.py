"""What is stored, what `normalize` adds and what `format` answers, per format (rest-api section 8)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from registry_client import Json, Registry

AVRO_TEXT = """{ "type" : "record", "namespace" : "n", "name" : "R", "doc" : "what", "z" : 1, "b" : [1.50, {}],
  "fields" : [ {"name": "f", "type": {"type": "enum", "name": "E", "symbols": ["A"]},
                "default": "A", "aliases": ["g"]} ] }"""
AVRO_STORED = (
    '{"type":"record","name":"R","namespace":"n","doc":"what","fields":[{"name":"f","type":{"type":"enum","name":"E",'
    '"symbols":["A"]},"default":"A","aliases":["g"]}],"z":1,"b":[1.5,{}]}'
)
JSON_TEXT = (
    '{ "type" : "object", "maximum": 12345678901234567890123.10, "$comment": "é" , "additionalProperties": false}'
)
JSON_STORED = '{"type":"object","maximum":12345678901234567890123.10,"$comment":"é","additionalProperties":false}'
JSON_NORMALIZED = '{"$comment":"é","additionalProperties":false,"maximum":12345678901234567890123.10,"type":"object"}'
PROTO_TEXT = """syntax = "proto3"; // a comment
package p;
import "google/type/money.proto"; import "google/protobuf/timestamp.proto";
enum E { ZERO = 0; }
message M { map<string, E> m = 3; google.protobuf.Timestamp t = 2; string a = 1; google.type.Money y = 4; }
"""


async def test_avro_is_written_again_with_all_that_means_something(registry: Registry) -> None:
    answer = await registry.register("a", AVRO_TEXT)
    assert json.loads(answer["schema"]) == json.loads(AVRO_STORED)
    assert " " not in answer["schema"]
    normalized = await registry.register("b", AVRO_TEXT, "?normalize=true")
    assert list(json.loads(normalized["schema"]))[-2:] == ["b", "z"]
    assert normalized["id"] != answer["id"]
    assert json.loads(normalized["schema"])["name"] in {"R", "n.R"}


async def test_json_keeps_its_order_unless_normalized_and_its_numbers_always(registry: Registry) -> None:
    answer = await registry.register("a", JSON_TEXT, schemaType="JSON")
    assert answer["schema"] == JSON_STORED
    assert await registry.text("/schemas/ids/1/schema") == JSON_STORED
    normalized = await registry.register("b", JSON_TEXT, "?normalize=true", schemaType="JSON")
    assert normalized["schema"] == JSON_NORMALIZED
    await registry.put("/config/c", {"normalize": True})
    assert (await registry.register("c", JSON_STORED, schemaType="JSON"))["id"] == normalized["id"]


async def test_protobuf_is_printed_again(registry: Registry) -> None:
    answer = await registry.register("a", PROTO_TEXT, schemaType="PROTOBUF")
    stored = answer["schema"]
    assert "comment" not in stored
    assert stored.index("message M") < stored.index("enum E")
    assert stored.index("money.proto") < stored.index("timestamp.proto")
    assert stored.index("m = 3") < stored.index("a = 1")
    assert (await registry.register("a", stored, schemaType="PROTOBUF"))["version"] == 1
    normalized = (await registry.register("b", PROTO_TEXT, "?normalize=true", schemaType="PROTOBUF"))["schema"]
    assert normalized.index("timestamp.proto") < normalized.index("money.proto")
    assert normalized.index("a = 1") < normalized.index("m = 3")
    assert ".google.protobuf.Timestamp" in normalized
    assert "map<string, .p.E>" in normalized


async def test_the_version_line_of_proto2_goes_when_normalizing(registry: Registry) -> None:
    text = 'syntax = "proto2"; message M { optional int32 a = 1; }'
    normalized = await registry.register("a", text, "?normalize=true", schemaType="PROTOBUF")
    assert "proto2" not in normalized["schema"]
    assert (await registry.post("/subjects/a?normalize=true", {"schema": text, "schemaType": "PROTOBUF"}))["id"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "google/protobuf/any.proto",
        "google/protobuf/struct.proto",
        "google/type/date.proto",
        "google/type/phone_number.proto",
        "confluent/meta.proto",
        "confluent/type/decimal.proto",
    ],
)
async def test_built_in_imports_need_no_reference(registry: Registry, path: str) -> None:
    text = f'syntax = "proto3"; import "{path}"; message M {{ int32 a = 1; }}'
    assert (await registry.register("a", text, schemaType="PROTOBUF"))["id"] == 1


async def test_formats_of_protobuf(registry: Registry) -> None:
    answer = await registry.register("a", PROTO_TEXT, schemaType="PROTOBUF")
    paths = ["/schemas/ids/1", "/subjects/a/versions/1", f"/schemas/guids/{answer['guid']}", "/subjects/a/metadata"]
    for path in paths:
        serialized = (await registry.get(f"{path}?format=serialized"))["schema"]
        descriptor = FileDescriptorProto.FromString(base64.b64decode(serialized, validate=True))
        assert [message.name for message in descriptor.message_type] == ["M"]
        for style in ("", "default", "unknown", "resolved"):
            assert (await registry.get(f"{path}?format={style}"))["schema"] == answer["schema"]
    for path in ("/schemas/ids/1/schema", "/subjects/a/versions/1/schema"):
        assert await registry.text(f"{path}?format=serialized") == serialized
    body = {"schema": serialized, "schemaType": "PROTOBUF"}
    assert (await registry.post("/subjects/a?format=serialized", body))["schema"] == serialized
    assert (await registry.post("/subjects/a/versions?format=serialized", body))["schema"] == serialized


async def test_a_registration_answers_in_the_spelling_that_was_sent(registry: Registry) -> None:
    """Serializers that send a descriptor keep the answer and decode it."""
    for text in (PROTO_TEXT, "message M {}"):
        answer = await registry.register(f"a{len(text)}", text, schemaType="PROTOBUF")
        assert "message M" in answer["schema"]
        serialized = (await registry.get(f"/schemas/ids/{answer['id']}?format=serialized"))["schema"]
        again = await registry.register(f"a{len(text)}", serialized, schemaType="PROTOBUF")
        assert again == {**answer, "schema": serialized}


async def test_ignoring_extensions_drops_custom_options(registry: Registry) -> None:
    text = """syntax = "proto3"; import "confluent/meta.proto";
    message M { option (confluent.message_meta).doc = "what"; int32 a = 1; }"""
    await registry.register("a", text, schemaType="PROTOBUF")
    assert "message_meta" in (await registry.get("/schemas/ids/1"))["schema"]
    assert "message_meta" not in (await registry.get("/schemas/ids/1?format=ignore_extensions"))["schema"]


@pytest.mark.parametrize("style", ["default", "unknown", "serialized"])
async def test_avro_and_json_ignore_formats_they_do_not_know(registry: Registry, style: str) -> None:
    await registry.register("a", '"int"')
    await registry.register("b", "{}", schemaType="JSON")
    assert (await registry.get(f"/schemas/ids/1?format={style}"))["schema"] == '"int"'
    assert (await registry.get(f"/schemas/ids/2?format={style}"))["schema"] == "{}"


@pytest.mark.parametrize("text", ["true", "false", "{}"])
async def test_a_json_schema_is_an_object_or_a_boolean(registry: Registry, text: str) -> None:
    assert (await registry.register("a", text, schemaType="JSON"))["schema"] == text


@pytest.mark.parametrize(
    ("schema_type", "text"),
    [
        ("AVRO", "{"),
        ("AVRO", "not json"),
        ("AVRO", '{"type":"record","name":"R"}'),
        ("AVRO", '{"type":"record","name":"1R","fields":[]}'),
        ("AVRO", '{"type":"record","name":"R","fields":[{"name":"a","type":"Gone"}]}'),
        ("AVRO", '{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"],"default":"x"}]}'),
        ("JSON", "{"),
        ("JSON", "5"),
        ("JSON", '"text"'),
        ("JSON", "[]"),
        ("JSON", '{"type":"nothing"}'),
        ("PROTOBUF", "message M {"),
        ("PROTOBUF", 'syntax = "proto3"; message M { Gone a = 1; }'),
        ("PROTOBUF", "AAAA"),
        ("PROTOBUF", 'syntax = "proto3"; import "gone.proto"; message M {}'),
    ],
)
async def test_what_does_not_parse_is_42201_with_a_reason(registry: Registry, schema_type: str, text: str) -> None:
    message = await registry.refuse_registration(42201, "a", text, schemaType=schema_type)
    assert len(message) > 10
    assert "Traceback" not in message


async def test_avro_rules_for_new_schemas_can_be_waived(registry: Registry) -> None:
    sloppy = '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}'
    await registry.refuse_registration(42201, "a", sloppy)
    await registry.put("/config/a", {"validateNewSchemas": False})
    assert (await registry.register("a", sloppy))["id"] == 1
    assert (await registry.register("a", sloppy))["version"] == 1


@pytest.fixture
async def canary() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that must never be asked, and who asked it."""
    visits: list[str] = []

    async def visit(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(str(writer.get_extra_info("peername")))
        writer.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", visits
    server.close()


@pytest.mark.parametrize("keyword", ["$ref", "$schema", "$id", "$dynamicRef", "$recursiveRef", "id"])
@pytest.mark.parametrize("scheme", ["http", "file"])
async def test_no_schema_makes_the_server_fetch(
    registry: Registry, canary: tuple[str, list[str]], keyword: str, scheme: str
) -> None:
    address, visits = canary
    url = f"{address}/schema.json" if scheme == "http" else "file:///etc/passwd"
    for dialect in (None, "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"):
        schema: Json = {"properties": {"a": {keyword: url}}, **({"$schema": dialect} if dialect else {})}
        for text in (json.dumps(schema), json.dumps({keyword: url, "type": "object"})):
            body = {"schema": text, "schemaType": "JSON"}
            for path in ("/subjects/a/versions", "/subjects/a/versions?normalize=true"):
                response = await registry.ask("POST", path, body)
                assert response.status_code in {200, 409, 422}
                assert "root:" not in response.text
            response = await registry.ask("POST", "/compatibility/subjects/a/versions?verbose=true", body)
            assert response.status_code == 200
    assert visits == []


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "a/../../../etc/passwd"])
async def test_no_import_reads_a_file(registry: Registry, path: str) -> None:
    text = f'syntax = "proto3"; import "{path}"; message M {{}}'
    message = await registry.refuse_registration(42201, "a", text, schemaType="PROTOBUF")
    assert "root:" not in message
    await registry.register("part", 'syntax = "proto3"; message P {}', schemaType="PROTOBUF")
    reference = [{"name": path, "subject": "part", "version": 1}]
    response = await registry.ask(
        "POST", "/subjects/a/versions", {"schema": text, "schemaType": "PROTOBUF", "references": reference}
    )
    assert response.status_code in {200, 422}
    assert "root:" not in response.text
