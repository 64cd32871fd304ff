"""Validating payloads over HTTP: one at a time and a line at a time, framed or not; what violations lead to."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import fastavro
import pytest

from llm_schema_registry import telemetry
from llm_schema_registry.errors import StoreUnavailable
from llm_schema_registry.registry.sample_rate import PER_MINUTE
from llm_schema_registry.registry.validation import MAX_PAYLOAD_BYTES
from llm_schema_registry.rest.app import Options
from llm_schema_registry.rest.validation import MAX_LINE_BYTES
from llm_schema_registry.store.sql import SqlStore
from registry_client import Registry

AVRO = {
    "type": "record",
    "name": "Usage",
    "namespace": "cost",
    "fields": [
        {"name": "model", "type": "string"},
        {"name": "tokens", "type": "long"},
        {"name": "user", "type": ["null", "string"], "default": None, "confluent:tags": ["PII"]},
    ],
}
JSON = {
    "type": "object",
    "properties": {"model": {"type": "string"}, "tokens": {"type": "integer", "minimum": 0}},
    "required": ["model"],
    "additionalProperties": False,
}
PROTO = 'syntax = "proto3"; message Usage { string model = 1; Part part = 2; message Part { int64 tokens = 1; } }'
LINES = {"content-type": "application/x-ndjson"}
BYTES = {"content-type": "application/octet-stream"}
POSITIVE = {"name": "positive", "kind": "CONDITION", "type": "CEL", "expr": "message.tokens >= 0", "doc": "No debts"}


def rules(*given: dict[str, Any]) -> dict[str, Any]:
    return {"domainRules": list(given)}


def avro(model: str = "m", tokens: int = 1, user: str | None = None) -> bytes:
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(AVRO), {"model": model, "tokens": tokens, "user": user})
    return written.getvalue()


def framed(schema_id: int, payload: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4) + payload


async def register(registry: Registry, subject: str, schema: object, schema_type: str = "AVRO", **more: object) -> int:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    answer = await registry.ask(
        "POST", f"/subjects/{subject}/versions", {"schema": text, "schemaType": schema_type, **more}
    )
    assert answer.status_code == 200, answer.text
    found: int = answer.json()["id"]
    return found


async def validate(
    registry: Registry, path: str, payload: object, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    answer = await registry.ask("POST", path, payload, headers)
    return answer.status_code, answer.json()


def told(body: dict[str, Any], member: str = "violations") -> list[tuple[str, str]]:
    return [(each["kind"], each["path"]) for each in body.get(member, [])]


async def lines(registry: Registry, path: str, *payloads: bytes) -> list[dict[str, Any]]:
    answer = await registry.ask("POST", path, b"\n".join(payloads), LINES)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


OF_VERSION = "/v1/subjects/s/versions/latest/validate"


async def test_a_valid_payload_is_told_so(registry: Registry) -> None:
    schema_id = await register(registry, "s", JSON, "JSON")
    assert await validate(registry, OF_VERSION, {"model": "m"}) == (200, {"valid": True, "schema_id": schema_id})


async def test_a_broken_payload_is_refused_with_every_violation(registry: Registry) -> None:
    await register(registry, "s", JSON, "JSON")
    status, body = await validate(registry, OF_VERSION, {"tokens": -1, "x": 1})
    assert (status, body["error_code"], body["valid"]) == (422, 42213, False)
    assert sorted(told(body)) == [("FIELD_MISSING", "/model"), ("FIELD_UNKNOWN", "/x"), ("OUT_OF_RANGE", "/tokens")]
    first = body["violations"][0]
    assert first["level"] == "STRICT"
    assert first["source"] == "STRUCTURE"
    assert first["message"]
    assert "more" in body["message"]
    _, short = await validate(registry, f"{OF_VERSION}?limit=1", {"tokens": -1, "x": 1})
    assert len(short["violations"]) == 1


async def test_a_schema_can_be_named_by_its_id(registry: Registry) -> None:
    schema_id = await register(registry, "s", JSON, "JSON")
    path = f"/v1/schemas/ids/{schema_id}/validate"
    assert (await validate(registry, path, {"model": "m"}))[0] == 200
    assert (await validate(registry, f"{path}?subject=s", {"model": 1}))[0] == 422
    assert (await validate(registry, "/v1/schemas/ids/99/validate", {}))[1]["error_code"] == 40403
    assert (await validate(registry, "/v1/subjects/x/versions/1/validate", {}))[1]["error_code"] == 40401
    assert (await validate(registry, "/v1/subjects/s/versions/9/validate", {}))[1]["error_code"] == 40402


async def test_bytes_are_the_formats_binary_encoding(registry: Registry) -> None:
    await register(registry, "s", AVRO)
    assert (await validate(registry, OF_VERSION, avro(), BYTES))[0] == 200
    status, body = await validate(registry, OF_VERSION, avro() + b"\0", BYTES)
    assert (status, told(body)) == (422, [("TRAILING_BYTES", "")])
    # JSON is text of the format's JSON encoding, and may be asked for by name.
    assert (await validate(registry, OF_VERSION, {"model": "m", "tokens": 1, "user": None}))[0] == 200
    path = f"{OF_VERSION}?encoding=json"
    assert (await validate(registry, path, b'{"model": "m", "tokens": 1, "user": null}', BYTES))[0] == 200
    assert (await validate(registry, f"{OF_VERSION}?encoding=x", b""))[1]["error_code"] == 404
    assert (await validate(registry, OF_VERSION, b"", {"content-type": "text/plain"}))[1]["error_code"] == 415


async def test_a_frame_names_its_schema(registry: Registry) -> None:
    schema_id = await register(registry, "s", AVRO)
    other = await register(registry, "t", JSON, "JSON")
    answer = {"valid": True, "schema_id": schema_id}
    assert await validate(registry, "/v1/validate", framed(schema_id, avro()), BYTES) == (200, answer)
    guid = (await registry.get(f"/schemas/ids/{schema_id}"))["guid"]
    by_guid = b"\1" + bytes.fromhex(guid.replace("-", "")) + avro()
    assert await validate(registry, "/v1/validate", by_guid, BYTES) == (200, answer)
    # Where a schema was named as well, it is held against the frame.
    path = f"{OF_VERSION}?encoding=framed"
    assert (await validate(registry, path, framed(schema_id, avro()), BYTES))[0] == 200
    for broken in (framed(other, b"{}"), framed(99, b""), b"", b"\7", b"\0\0", b"\1\0"):
        status, body = await validate(registry, path, broken, BYTES)
        assert (status, told(body)) == (422, [("FRAME_BROKEN", "")])
    status, body = await validate(registry, "/v1/validate", framed(99, b""), BYTES)
    assert (status, told(body)) == (422, [("FRAME_BROKEN", "")])
    unknown = b"\1" + bytes(16) + avro()
    assert told((await validate(registry, "/v1/validate", unknown, BYTES))[1]) == [("FRAME_BROKEN", "")]


async def test_a_protobuf_message_is_named_by_indexes_or_by_name(registry: Registry) -> None:
    schema_id = await register(registry, "s", PROTO, "PROTOBUF")
    assert (await validate(registry, "/v1/validate", framed(schema_id, b"\0\n\1m"), BYTES))[0] == 200
    # The first message's first nested one: 2 indexes, 0 and 0.
    assert (await validate(registry, "/v1/validate", framed(schema_id, b"\4\0\0\x08\5"), BYTES))[0] == 200
    status, body = await validate(registry, "/v1/validate", framed(schema_id, b"\2\x12"), BYTES)
    assert (status, told(body)) == (422, [("FRAME_BROKEN", "")])
    path = f"{OF_VERSION}?message=Usage.Part"
    assert (await validate(registry, path, {"tokens": "5"}))[0] == 200
    assert told((await validate(registry, path, {"model": "m"}))[1]) == [("FIELD_UNKNOWN", "/model")]
    assert (await validate(registry, f"{OF_VERSION}?message=X", {}))[0] == 422


async def test_lines_are_judged_one_by_one(registry: Registry) -> None:
    schema_id = await register(registry, "s", JSON, "JSON")
    found = await lines(registry, OF_VERSION, b'{"model": "m"}', b"", b'{"model": 1}', b"  ", b"{", b'{"model": "n"}\r')
    assert [each["index"] for each in found] == [0, 1, 2, 3]
    assert [each["valid"] for each in found] == [True, False, False, True]
    assert found[0] == {"valid": True, "schema_id": schema_id, "index": 0}
    assert [told(each) for each in found[1:3]] == [[("TYPE_MISMATCH", "/model")], [("MALFORMED", "")]]
    assert found[1]["error_code"] == 42213
    assert await lines(registry, OF_VERSION) == []


async def test_binary_lines_are_base64(registry: Registry) -> None:
    schema_id = await register(registry, "s", AVRO)
    text = base64.b64encode(avro())
    found = await lines(registry, f"{OF_VERSION}?encoding=binary", text, b'"' + text + b'"', b"!")
    assert [told(each) for each in found] == [[], [], [("INVALID_BASE64", "")]]
    inside = base64.b64encode(framed(schema_id, avro(tokens=-5)))
    other = base64.b64encode(framed(99, b""))
    found = await lines(registry, "/v1/validate", inside, other, inside)
    assert [each["valid"] for each in found] == [True, False, True]


async def test_a_batch_of_any_length_is_streamed(registry: Registry) -> None:
    """More than one turn, in pieces that end anywhere."""
    await register(registry, "s", JSON, "JSON")
    count = 3_000
    body = b"".join(b'{"model":"%d"}\n' % number for number in range(count))

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 777):
            yield body[at : at + 777]

    answer = await registry.http.post(OF_VERSION, content=pieces(), headers=LINES)
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["index"] for each in found] == list(range(count))
    assert all(each["valid"] for each in found)


async def test_what_ends_a_batch_is_told_in_its_last_line(registry: Registry) -> None:
    await register(registry, "s", JSON, "JSON")
    found = await lines(registry, OF_VERSION, b'{"model": "m"}', b"x" * (MAX_LINE_BYTES + 1))
    assert found[-1]["error_code"] == 400
    assert "longer" in found[-1]["message"]


async def test_a_batch_whose_sender_falls_silent_ends(store: SqlStore) -> None:
    registry = Registry(store, options=Options(request_timeout_seconds=0.05))
    await register(registry, "s", JSON, "JSON")

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"model": "m"}\n'
        await asyncio.sleep(30)

    answer = await registry.http.post(OF_VERSION, content=pieces(), headers=LINES)
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [each.get("error_code") for each in found] == [None, 408]
    await registry.close()


async def test_a_payload_that_is_too_large_is_refused_unread(registry: Registry) -> None:
    await register(registry, "s", JSON, "JSON")
    large = b'{"model": "%s"}' % (b"x" * MAX_PAYLOAD_BYTES)
    status, body = await validate(registry, OF_VERSION, large)
    assert (status, told(body)) == (422, [("TOO_LARGE", "")])


async def test_rules_run_when_their_moment_is_asked(registry: Registry) -> None:
    reading = {**POSITIVE, "name": "some", "expr": "message.tokens > 0", "mode": "READ"}
    await register(registry, "s", AVRO, ruleSet=rules(POSITIVE, reading))
    status, body = await validate(registry, OF_VERSION, avro(tokens=-1), BYTES)
    assert (status, told(body)) == (422, [("RULE_FAILED", "")])
    assert body["violations"][0]["rule"] == "positive"
    assert "No debts" in body["violations"][0]["message"]
    assert (await validate(registry, OF_VERSION, avro(tokens=0), BYTES))[0] == 200
    _, body = await validate(registry, f"{OF_VERSION}?mode=READ", avro(tokens=0), BYTES)
    assert [each["rule"] for each in body["violations"]] == ["some"]


async def test_a_rule_is_checked_against_the_schema_at_registration(registry: Registry) -> None:
    body = {"schema": json.dumps(AVRO), "ruleSet": rules({**POSITIVE, "expr": "message.tokns > 0"})}
    refused = await registry.refuse(42210, "POST", "/subjects/s/versions", body)
    assert "tokns" in refused
    assert "positive" in refused
    assert "1:" in refused or "line 1" in refused
    await registry.ask("PUT", "/config/s", {"validateRules": False})
    assert (await registry.ask("POST", "/subjects/s/versions", body)).status_code == 200
    # Then no payload can be held against it.
    _, answer = await validate(registry, OF_VERSION, avro(), BYTES)
    assert told(answer) == [("RULE_ERROR", "")]


async def test_a_transformed_payload_is_handed_back(registry: Registry) -> None:
    lower = {
        "name": "lower",
        "kind": "TRANSFORM",
        "type": "CEL_FIELD",
        "tags": ["PII"],
        "expr": "value + '!'",
    }
    await register(registry, "s", AVRO, ruleSet=rules(lower))
    status, body = await validate(registry, OF_VERSION, avro(user="ann"), BYTES)
    assert status == 200
    assert body["payload"] == {"model": "m", "tokens": 1, "user": "ann!"}


@pytest.mark.parametrize(
    ("level", "status", "member"), [("STRICT", 422, "violations"), ("WARN", 200, "annotations"), ("MONITOR", 200, "")]
)
async def test_the_level_decides_what_a_violation_means(
    registry: Registry, level: str, status: int, member: str
) -> None:
    """Of a version, by its metadata; of a subject, by its settings; of a rule, by a parameter."""
    metadata = {"properties": {"validation.level": level}}
    await register(registry, "version", JSON, "JSON", metadata=metadata)
    await register(registry, "subject", JSON, "JSON")
    await registry.ask("PUT", "/config/subject", {"validationLevel": level})
    params = {**POSITIVE, "expr": "message.tokens > 5", "params": {"level": level}}
    await register(registry, "rule", JSON, "JSON", ruleSet=rules(params))
    for subject, payload in (("version", {}), ("subject", {}), ("rule", {"model": "m", "tokens": 1})):
        found, body = await validate(registry, f"/v1/subjects/{subject}/versions/1/validate", payload)
        assert (found, body["valid"]) == (status, status == 200), subject
        assert [name for name in ("violations", "annotations") if name in body] == [name for name in [member] if name]
    assert (await registry.get("/config/subject"))["validationLevel"] == level


async def test_a_version_says_more_than_its_subject_and_a_rule_more_than_both(registry: Registry) -> None:
    rule = {**POSITIVE, "expr": "message.tokens > 5", "params": {"level": "STRICT"}}
    metadata = {"properties": {"validation.level": "WARN"}}
    await register(registry, "s", JSON, "JSON", metadata=metadata, ruleSet=rules(rule))
    await registry.ask("PUT", "/config/s", {"validationLevel": "STRICT"})
    assert (await validate(registry, OF_VERSION, {}))[0] == 200
    assert (await validate(registry, OF_VERSION, {"model": "m", "tokens": 1}))[0] == 422


@pytest.mark.parametrize("name", ["validation.level", "validation.pii"])
async def test_a_level_that_does_not_exist_is_refused(registry: Registry, name: str) -> None:
    body = {"schema": json.dumps(AVRO), "metadata": {"properties": {name: "HARSH"}}}
    assert "MONITOR" in await registry.refuse(42214, "POST", "/subjects/s/versions", body)
    answer = await registry.ask("PUT", "/config/s", {"validationLevel": "HARSH"})
    assert answer.json()["error_code"] == 400


async def test_payloads_and_rules_are_counted(registry: Registry) -> None:
    await register(registry, "counted", AVRO, ruleSet=rules(POSITIVE))
    path = "/v1/subjects/counted/versions/1/validate"
    for tokens in (1, 2, -1):
        await validate(registry, path, avro(tokens=tokens), BYTES)
    metrics = telemetry.exposition().decode()
    rule = 'schema_registry_rule_outcomes_total{outcome="%s",rule="positive",subject="counted"} %s'
    assert rule % ("passed", "2.0") in metrics
    assert rule % ("failed", "1.0") in metrics
    assert 'schema_registry_payloads_validated_total{worst_level="STRICT"}' in metrics


async def test_broken_payloads_are_sampled_with_sensitive_fields_masked(registry: Registry) -> None:
    schema_id = await register(registry, "s", AVRO, ruleSet=rules(POSITIVE))
    await register(registry, "t", JSON, "JSON")
    for number in range(PER_MINUTE + 2):
        await validate(registry, OF_VERSION, avro(tokens=-1 - number, user="ann@example.org"), BYTES)
    await validate(registry, "/v1/subjects/t/versions/1/validate", b"{")
    found = (await registry.get("/v1/violations?subject=s"))["samples"]
    assert len(found) == PER_MINUTE
    sample = found[-1]
    assert (sample["subject"], sample["version"], sample["schema_id"], sample["encoding"]) == (
        "s",
        1,
        schema_id,
        "binary",
    )
    assert sample["payload"]["tokens"] == -1
    assert "ann" not in json.dumps(found)
    assert [each["rule"] for each in sample["violations"]] == ["positive"]
    [unread] = (await registry.get("/v1/violations?subject=t"))["samples"]
    assert unread["payload"] is None
    first = await registry.get("/v1/violations?limit=2")
    rest = await registry.get(f"/v1/violations?cursor={first['next']}")
    assert len(first["samples"]) == 2
    assert len(rest["samples"]) == PER_MINUTE - 1
    assert rest["next"] is None


async def test_protobuf_is_told_of_by_its_names_in_json_and_sampled_by_its_own(registry: Registry) -> None:
    schema = 'syntax = "proto3"; message M { int32 server_port = 1; string user_mail = 2; string free_text = 3; }'
    metadata = {
        "tags": {"M.user_mail": ["PII"]},
        "properties": {"constraints:M.server_port": '{"minimum": 1}', "constraints:M.user_mail": '{"maxLength": 3}'},
    }
    await register(registry, "s", schema, "PROTOBUF", metadata=metadata)
    payload = {"serverPort": -1, "userMail": "bob@example.org", "free_text": "ann@example.org"}
    _, body = await validate(registry, OF_VERSION, payload)
    assert [path for _, path in told(body)] == ["/serverPort", "/userMail"]
    assert told(body, "annotations") == [("PII_FOUND", "/freeText")]
    [sample] = (await registry.get("/v1/violations"))["samples"]
    assert sample["payload"] == {"server_port": -1, "user_mail": "***", "free_text": "***"}
    assert "example" not in json.dumps(sample)


async def test_a_sample_that_cannot_be_kept_stops_no_answer(
    registry: Registry, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(registry, "s", JSON, "JSON")

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, "transaction", away)
    assert (await validate(registry, OF_VERSION, {}))[0] == 422


async def test_payloads_of_a_schema_that_is_too_large_to_be_kept_are_judged(registry: Registry) -> None:
    schema = json.dumps({"type": "object", "description": "x" * 4_500_000, "required": ["a"]})
    body = {"schema": schema, "schemaType": "JSON"}
    assert (await registry.ask("POST", "/subjects/large/versions", body)).status_code == 200
    for payload, status in (({"a": 1}, 200), ({}, 422)):
        assert (await validate(registry, "/v1/subjects/large/versions/1/validate", payload))[0] == status
