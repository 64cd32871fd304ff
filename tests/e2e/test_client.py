"""The client's validation against a running registry: what it fetches, when, and that it judges as the server does."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import fastavro
import httpx
import pytest

from llm_schema_registry.client import PayloadValidator, RegistryUnavailable
from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.model import Encoding, RuleMode
from server_process import ServerProcess

EVENT = {
    "type": "record",
    "name": "Usage",
    "fields": [{"name": "model", "type": "string"}, {"name": "tokens", "type": "long"}],
}
POSITIVE = {"name": "positive", "kind": "CONDITION", "type": "CEL", "expr": "message.tokens > 0"}
KNOWN = {"name": "known", "kind": "CONDITION", "type": "CEL", "expr": "message.model in catalog('models')"}


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counted(httpx.HTTPTransport):
    """Counts what is asked of the registry, and fails when it is to be away."""

    asked = 0
    is_away = False
    answer: httpx.Response | None = None
    while_asked: Callable[[], object] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.while_asked is not None:
            self.while_asked()
        if self.answer is not None:
            return self.answer
        if self.is_away:
            raise httpx.ConnectError("away")
        return super().handle_request(request)


@pytest.fixture
def transport() -> Counted:
    return Counted()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def validator(server: ServerProcess, transport: Counted, clock: Clock) -> Iterator[PayloadValidator]:
    http = httpx.Client(transport=transport)
    with PayloadValidator(f"{server.url}/", http=http, refresh_seconds=60, clock=clock) as opened:
        yield opened


def avro(model: str, tokens: int) -> bytes:
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(EVENT), {"model": model, "tokens": tokens})
    return written.getvalue()


def framed(schema_id: int, payload: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4) + payload


def register(server: ServerProcess, subject: str, schema: object, schema_type: str = "AVRO", *rules: object) -> int:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    body = {"schema": text, "schemaType": schema_type, "ruleSet": {"domainRules": list(rules)}}
    answer = httpx.post(f"{server.url}/subjects/{subject}/versions", json=body)
    assert answer.status_code == 200, answer.text
    found: int = answer.json()["id"]
    return found


def test_a_schema_is_fetched_once(server: ServerProcess, validator: PayloadValidator, transport: Counted) -> None:
    schema_id = register(server, "client-once", EVENT, "AVRO", POSITIVE)
    judged = validator.validate(framed(schema_id, avro("m", 1)))
    assert (judged.schema, judged.is_valid, judged.value) == (schema_id, True, {"model": "m", "tokens": 1})
    broken = validator.validate(framed(schema_id, avro("m", 0)))
    assert not broken.is_valid
    assert [each.rule for each in broken.violations] == ["positive"]
    for number in range(20):
        validator.validate(framed(schema_id, avro("m", number)))
    assert transport.asked == 1


def test_a_guid_names_a_schema_too(server: ServerProcess, validator: PayloadValidator) -> None:
    schema_id = register(server, "client-guid", EVENT)
    guid = httpx.get(f"{server.url}/schemas/ids/{schema_id}").json()["guid"]
    judged = validator.validate(b"\1" + bytes.fromhex(guid.replace("-", "")) + avro("m", 1))
    assert (judged.schema, judged.is_valid) == (guid, True)


def test_each_message_of_a_protobuf_schema_is_read(server: ServerProcess, validator: PayloadValidator) -> None:
    text = 'syntax = "proto3"; message A { string a = 1; } message B { int64 b = 1; }'
    schema_id = register(server, "client-proto", text, "PROTOBUF")
    assert validator.validate(framed(schema_id, b"\0\n\1m")).value == {"a": "m"}
    assert validator.validate(framed(schema_id, b"\2\2\x08\5")).value == {"b": 5}
    judged = validator.validate_payload(schema_id, b'{"b": "5"}', encoding=Encoding.JSON, message="B")
    assert judged.value == {"b": 5}
    with pytest.raises(InvalidPayload):
        validator.validate_payload(schema_id, b"", message="C")


@pytest.mark.parametrize("broken", [b"", b"\7", b"\0\0\0\0\1"[:3]])
def test_a_broken_frame_is_a_violation(validator: PayloadValidator, broken: bytes) -> None:
    judged = validator.validate(broken)
    assert (judged.schema, judged.is_valid) == (None, False)
    assert [each.kind for each in judged.violations] == ["FRAME_BROKEN"]


def test_a_schema_that_is_not_registered_is_a_violation(validator: PayloadValidator) -> None:
    judged = validator.validate(framed(2**30, b""))
    assert (judged.schema, judged.is_valid) == (2**30, False)
    with pytest.raises(InvalidPayload, match="not registered"):
        validator.validate_payload(2**30, b"")


def test_what_changed_is_seen_after_a_while(
    server: ServerProcess, validator: PayloadValidator, transport: Counted, clock: Clock
) -> None:
    data = f"{server.url}/v1/reference-data/models"
    httpx.put(data, json={"entries": ["a"]}).raise_for_status()
    schema_id = register(server, "client-data", EVENT, "AVRO", KNOWN)
    payload = framed(schema_id, avro("b", 1))
    assert not validator.validate(payload).is_valid
    httpx.put(data, json={"entries": ["a", "b"]}).raise_for_status()
    assert not validator.validate(payload).is_valid
    clock.now = 61
    assert validator.validate(payload).is_valid
    clock.now = 122
    # Nothing changed: the registry says so in a few bytes.
    assert validator.validate(payload).is_valid
    assert transport.asked == 3


def test_what_is_known_goes_on_without_the_registry(
    server: ServerProcess, validator: PayloadValidator, transport: Counted, clock: Clock
) -> None:
    schema_id = register(server, "client-away", EVENT)
    payload = framed(schema_id, avro("m", 1))
    assert validator.validate(payload).is_valid
    transport.is_away, clock.now = True, 61
    assert validator.validate(payload).is_valid
    assert validator.validate(payload).is_valid
    assert transport.asked == 2
    with pytest.raises(RegistryUnavailable, match="away"):
        validator.validate(framed(schema_id + 1, b""))


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, "<html>"), (404, '{"error_code": 404}'), (404, "[]"), (200, "<html>"), (200, "{}"), (500, "")],
)
def test_what_is_known_goes_on_whatever_stands_in_the_registrys_place(
    server: ServerProcess, validator: PayloadValidator, transport: Counted, clock: Clock, status: int, body: str
) -> None:
    schema_id = register(server, "client-proxy", EVENT)
    payload = framed(schema_id, avro("m", 1))
    assert validator.validate(payload).is_valid
    transport.answer, clock.now = httpx.Response(status, text=body), 61
    assert validator.validate(payload).is_valid
    assert transport.asked == 2
    with pytest.raises(RegistryUnavailable):
        validator.validate(framed(schema_id + 1, b""))


def test_a_registry_that_does_not_answer_is_asked_seldom_and_by_one(
    server: ServerProcess, validator: PayloadValidator, transport: Counted, clock: Clock
) -> None:
    payloads = [framed(register(server, f"client-slow-{name}", {**EVENT, "name": name}), avro("m", 1)) for name in "ab"]

    def judged() -> list[bool]:
        return [validator.validate(payload).is_valid for payload in payloads]

    assert judged() == [True, True]
    transport.is_away, clock.now = True, 61

    def hang() -> None:
        with ThreadPoolExecutor(1) as other:
            assert other.submit(judged).result(timeout=30) == [True, True]
        clock.now += 10

    transport.while_asked = hang
    assert judged() == [True, True]
    assert transport.asked == 3
    clock.now += 99
    assert judged() == [True, True]
    assert transport.asked == 3
    clock.now += 2
    assert judged() == [True, True]
    assert transport.asked == 4


@pytest.mark.parametrize(
    "terms",
    [
        {"ruleSet": {"domainRules": [{**POSITIVE, "expr": "message.tokns > 0"}]}},
        {"metadata": {"properties": {"validation.level": "LOUD"}}},
    ],
)
def test_terms_that_do_not_fit_are_a_violation_as_on_the_server(
    server: ServerProcess, validator: PayloadValidator, terms: dict[str, object]
) -> None:
    subject = f"client-unfit-{len(str(terms))}"
    httpx.put(f"{server.url}/mode/{subject}", json={"mode": "IMPORT"}).raise_for_status()
    body = {"schema": json.dumps(EVENT), "id": 2**20 + len(str(terms)), "version": 1, **terms}
    httpx.post(f"{server.url}/subjects/{subject}/versions", json=body).raise_for_status()
    payload = framed(int(str(body["id"])), avro("m", 1))
    for judged in (validator.validate(payload), validator.validate_payload(int(str(body["id"])), avro("m", 1))):
        assert [each.kind for each in judged.violations] == ["RULE_ERROR"]
    headers = {"content-type": "application/octet-stream"}
    [told] = httpx.post(f"{server.url}/v1/validate", content=payload, headers=headers).json()["violations"]
    assert (told["kind"], told["message"]) == ("RULE_ERROR", judged.violations[0].message)


def test_a_registry_that_fails_is_told_with_its_words(server: ServerProcess) -> None:
    with (
        PayloadValidator(f"{server.url}/not-there", timeout_seconds=5) as validator,
        pytest.raises(RegistryUnavailable, match="HTTP 404"),
    ):
        validator.validate_payload(1, b"")
    refusing = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(503, text="later")))
    with (
        PayloadValidator(server.url, http=refusing) as validator,
        pytest.raises(RegistryUnavailable, match="503 later"),
    ):
        validator.validate_payload(1, b"")


def test_rules_for_reading_run_on_framed_payloads(server: ServerProcess, validator: PayloadValidator) -> None:
    schema_id = register(server, "client-mode", EVENT, "AVRO", POSITIVE | {"mode": "WRITE"})
    payload = framed(schema_id, avro("m", 0))
    assert validator.validate(payload).is_valid
    assert not validator.validate(payload, mode=RuleMode.WRITE).is_valid
