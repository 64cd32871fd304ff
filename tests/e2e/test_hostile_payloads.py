"""Payloads and rules that mean harm, sent to a running server: each gets an answer, the process lives, memory returns.

`pytest -s` prints how long each answer took, and what the process holds before and after.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import psutil
import pytest

from server_process import ServerProcess, running_server

MIB = 1 << 20
PATIENCE_SECONDS = 60

LIST = {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}
ENDLESS = {"type": "record", "name": "E", "fields": [{"name": "e", "type": "E"}]}
NULLS = {"type": "record", "name": "N", "fields": [{"name": "n", "type": {"type": "array", "items": "null"}}]}
EMPTY = {"type": "record", "name": "X", "fields": []}
EMPTIES = {"type": "record", "name": "M", "fields": [{"name": "m", "type": {"type": "array", "items": EMPTY}}]}
TEXT = {"type": "record", "name": "T", "fields": [{"name": "t", "type": "string"}]}
TREE = {"$ref": "#/$defs/t", "$defs": {"t": {"type": "object", "additionalProperties": {"$ref": "#/$defs/t"}}}}
PATTERNS = {"properties": {"a": {"pattern": "^(a+)+$"}, "b": {"pattern": "^(?=(a+)+$)b"}, "u": {"uniqueItems": True}}}
FAN = {
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)} | {"d30": {"type": "object"}},
    "$ref": "#/$defs/d0",
}
NODE = 'syntax = "proto3"; message N { N n = 1; repeated N m = 2; string s = 3; repeated int32 i = 4; }'
GROUP = 'syntax = "proto2"; message G { repeated group A = 1 { optional G g = 1; } }'


def varint(number: int) -> bytes:
    written = b""
    while number > 0x7F:
        written += bytes([number & 0x7F | 0x80])
        number >>= 7
    return written + bytes([number])


def nested_message(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = b"\x0a" + varint(len(body)) + body
    return body


class Attack(NamedTuple):
    name: str
    schema_type: str
    schema: object
    payload: bytes
    encoding: str = "binary"


ATTACKS = (
    Attack("avro, linked list of 5,000", "AVRO", LIST, b"\x02" * 5_000 + b"\0"),
    Attack("avro, linked list of 1,000,000", "AVRO", LIST, b"\x02" * 1_000_000 + b"\0"),
    Attack("avro, a record that holds itself", "AVRO", ENDLESS, b""),
    Attack("avro, a billion nulls", "AVRO", NULLS, b"\x80\xa8\xd6\xb9\x07\0"),
    Attack("avro, a billion empty records", "AVRO", EMPTIES, b"\x80\xa8\xd6\xb9\x07\0"),
    Attack("avro, blocks of nulls without end", "AVRO", NULLS, b"\xfe\xff\xff\xff\x0f" * 100_000),
    Attack("avro, a text of 2^62 bytes", "AVRO", TEXT, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"),
    Attack("avro, an overlong number", "AVRO", TEXT, b"\x80" * 100_000 + b"\1"),
    Attack("avro json, 100,000 deep", "AVRO", LIST, b'{"next":{"L":' * 100_000 + b"null", "json"),
    Attack("json, 100,000 deep", "JSON", TREE, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "json"),
    Attack(
        "json, 90 deep, then wide", "JSON", TREE, b'{"a":' * 90 + b"[" + b"1," * 400_000 + b"1]" + b"}" * 90, "json"
    ),
    Attack("json, a pattern that backtracks", "JSON", PATTERNS, b'{"a":"' + b"a" * 50_000 + b'!"}', "json"),
    Attack("json, a look-around that backtracks", "JSON", PATTERNS, b'{"b":"' + b"a" * 50_000 + b'!"}', "json"),
    Attack("json, 200,000 unique items", "JSON", PATTERNS, b'{"u":[' + b"{},1," * 100_000 + b"1]}", "json"),
    Attack("json, a fan of 2^30 references", "JSON", FAN, b'{"a": 1}', "json"),
    Attack("json, a number of 900,000 digits", "JSON", TREE, b'{"a":' + b"9" * 900_000 + b"}", "json"),
    Attack(
        "json, 100,000 errors", "JSON", TREE, b'{"a":1' + b"".join(b',"%d":1' % n for n in range(70_000)) + b"}", "json"
    ),
    Attack("json, one name 100,000 times", "JSON", TREE, b"{" + b'"a":1,' * 100_000 + b'"a":1}', "json"),
    Attack("protobuf, 5,000 messages deep", "PROTOBUF", NODE, nested_message(5_000)),
    Attack("protobuf, 400,000 groups deep", "PROTOBUF", GROUP, b"\x0b" * 400_000),
    Attack("protobuf, a length of 2 GB", "PROTOBUF", NODE, b"\x1a\xff\xff\xff\xff\x07"),
    Attack("protobuf, 500,000 empty messages", "PROTOBUF", NODE, b"\x12\0" * 500_000),
    Attack("protobuf, 1,000,000 packed numbers", "PROTOBUF", NODE, b"\x22" + varint(1_000_000) + b"\1" * 1_000_000),
    Attack("protobuf, bytes without meaning", "PROTOBUF", NODE, b"\xff" * 1_000_000),
    Attack("protojson, 100,000 deep", "PROTOBUF", NODE, b'{"n":' * 100_000 + b"1", "json"),
    Attack("a payload of 8 MiB", "JSON", TREE, b'{"a":"' + b"x" * (8 * MIB) + b'"}', "json"),
)

NESTED = "message.a" + "".join(f".all(x{n}, message.a" for n in range(14)) + ".all(z, true)" + ")" * 14
DOUBLED = "[1]" + "".join(f".map(x{n}, [x{n}, x{n}])" for n in range(26)) + " != []"
RULES = {
    "14 nested macros": NESTED,
    "lists doubled 26 times": DOUBLED,
    "texts doubled in a loop": "message.a.map(x, message.t + message.t + message.t).size() >= 0",
    "20,000 parentheses": "(" * 20_000 + "1" + ")" * 20_000 + " == 1",
    "a sum of 20,000": "1" + "+1" * 20_000 + " > 0",
    "a pattern that backtracks": "message.t.matches('^(a+)+$')",
    "a huge pattern": "message.t.matches('(a{1000}){1000}')",
    "a format of any width": "'%.1000000000f'.format([1.5]) != ''",
    "500,000 characters": "true" + " || true" * 70_000,
}
LOOPS = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "integer"}}, "t": {"type": "string"}},
}


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server of this module's own."""
    with running_server() as running:
        yield running


def ask(
    server: ServerProcess, path: str, content: bytes, media_type: str = "application/json"
) -> tuple[httpx.Response, float]:
    started = time.monotonic()
    answer = httpx.post(
        server.url + path, content=content, headers={"content-type": media_type}, timeout=PATIENCE_SECONDS
    )
    return answer, time.monotonic() - started


def register(server: ServerProcess, subject: str, schema: object, schema_type: str, *rules: Any) -> httpx.Response:  # noqa: ANN401 - JSON
    text = schema if isinstance(schema, str) else json.dumps(schema)
    body = {"schema": text, "schemaType": schema_type, "ruleSet": {"domainRules": list(rules)}}
    answer, _ = ask(server, f"/subjects/{subject}/versions", json.dumps(body).encode())
    return answer


def test_each_payload_gets_an_answer_and_the_memory_comes_back(server: ServerProcess) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    answers = {}
    for number, attack in enumerate(ATTACKS):
        subject = f"attack-{number}"
        registered = register(server, subject, attack.schema, attack.schema_type)
        assert registered.status_code == 200, (attack.name, registered.text)
        path = f"/v1/subjects/{subject}/versions/1/validate?encoding={attack.encoding}"
        answer, seconds = ask(server, path, attack.payload, "application/octet-stream")
        answers[attack.name] = (answer.status_code, seconds)
        assert answer.status_code in {200, 422}, (attack.name, answer.text[:300])
        assert len(answer.content) < MIB
        print(f"{attack.name:44}{answer.status_code:5}{seconds:8.3f} s  {answer.text[:60]}")
    after = process.memory_info().rss
    print(f"RSS before {before / MIB:.0f} MiB, after {after / MIB:.0f} MiB")
    # What is legal, if strange, is valid; the rest is refused.
    assert {name for name, (status, _) in answers.items() if status == 200} <= {
        "json, a fan of 2^30 references",
        "json, 200,000 unique items",
        "protobuf, 500,000 empty messages",
        "protobuf, 1,000,000 packed numbers",
    }
    assert after - before < 256 * MIB
    assert httpx.get(f"{server.url}/subjects").status_code == 200
    assert server.process.poll() is None


def test_each_rule_gets_an_answer(server: ServerProcess) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    payload = json.dumps({"a": list(range(100)), "t": "a" * 50_000 + "!"}).encode()
    for number, (name, expression) in enumerate(RULES.items()):
        subject = f"rule-{number}"
        rule = {"name": "r", "kind": "CONDITION", "type": "CEL", "expr": expression}
        started = time.monotonic()
        registered = register(server, subject, LOOPS, "JSON", rule)
        answer = registered
        if registered.status_code == 200:
            answer, _ = ask(server, f"/v1/subjects/{subject}/versions/1/validate", payload)
        seconds = time.monotonic() - started
        print(f"{name:30}{registered.status_code:5}{answer.status_code:5}{seconds:8.3f} s  {answer.text[:90]}")
        assert registered.status_code in {200, 422}, (name, registered.text)
        assert answer.status_code in {200, 422}, (name, answer.text[:300])
    after = process.memory_info().rss
    print(f"RSS before {before / MIB:.0f} MiB, after {after / MIB:.0f} MiB")
    assert after - before < 256 * MIB
    assert server.process.poll() is None
