"""Schemas that are made to hurt: each is answered, by words or by success, and nothing is fetched on their behalf."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import quote

import httpx
import pytest

from server_process import running_server

DEADLINE_SECONDS = 35.0
"""Beyond the request timeout of the server, which would be a 500."""

MIB = 1 << 20

Document = dict[str, object]


@dataclass
class Slowest:
    """The longest that anything took, for the eye only."""

    seconds: float = 0.0
    name: str = ""

    def note(self, response: httpx.Response, name: str) -> None:
        if response.elapsed.total_seconds() > self.seconds:
            self.seconds, self.name = response.elapsed.total_seconds(), name


@dataclass
class Registry:
    """A server process, asked over HTTP; no answer may be a 5xx."""

    http: httpx.Client
    slowest: Slowest = field(default_factory=Slowest)

    def ask(self, method: str, path: str, name: str, body: object = None) -> httpx.Response:
        """Send a request and require an answer that is no fault of the server."""
        response = self.http.request(method, path, json=body)
        self.slowest.note(response, name)
        assert response.status_code < 500, (name, response.text[:500])
        assert response.status_code == 200 or set(response.json()) == {"error_code", "message"}
        return response

    def register(self, name: str, schema: str, schema_type: str, **members: object) -> httpx.Response:
        """Register under a subject named after the case."""
        body = {"schema": schema, "schemaType": schema_type, **members}
        return self.ask("POST", f"/subjects/{quote(name, safe='')}/versions", name, body)


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """A server of this module's own, which must live to its end."""
    with running_server() as server, httpx.Client(base_url=server.url, timeout=DEADLINE_SECONDS) as http:
        opened = Registry(http)
        yield opened
        print(f"slowest: {opened.slowest.seconds:.1f} s, {opened.slowest.name}")


@dataclass
class Canary:
    """Listens and counts who comes."""

    port: int
    visitors: list[str]


@pytest.fixture
def canary() -> Iterator[Canary]:
    """An address that nobody may visit."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Canary(listener.getsockname()[1], [])

        def count() -> None:
            while True:
                try:
                    connection, address = listener.accept()
                except OSError:
                    return
                found.visitors.append(str(address))
                connection.close()

        thread = threading.Thread(target=count)
        thread.start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def referring(levels: int, leaf: Document) -> str:
    """A JSON Schema in which each level refers to the next one twice: 2^levels ways to the leaf."""
    definitions: Document = {
        f"d{n}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/definitions/d{n + 1}"} for side in ("left", "right")},
        }
        for n in range(levels)
    }
    definitions[f"d{levels}"] = leaf
    return json.dumps({"definitions": definitions, "$ref": "#/definitions/d0"})


def doubling(levels: int, leaf: object) -> str:
    """An Avro record in which each level has the next one twice: by name at the second place."""
    inner = leaf
    for n in range(levels, 0, -1):
        fields = [{"name": "left", "type": inner}, {"name": "right", "type": f"L{n + 1}" if n < levels else leaf}]
        inner = {"type": "record", "name": f"L{n}", "fields": fields}
    return json.dumps(inner)


def nested(opening: str, innermost: str, closing: str, depth: int = 100_000) -> str:
    return opening * depth + innermost + closing * depth


DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"
RECORD = '{"type":"record","name":"R","fields":[%s]}'
OPTION = (
    'import "google/protobuf/descriptor.proto"; message R { optional R r = 1; } '
    "extend google.protobuf.FileOptions { optional R root = 50000; } option (root) = "
)

AVRO = {
    "Avro arrays 100,000 deep": nested('{"type":"array","items":', '"int"', "}"),
    "Avro unions 100,000 deep": nested("[", '"int"', "]"),
    "Avro records 100,000 deep": nested('{"type":"record","name":"R","fields":[{"name":"f","type":', '"int"', "}]}"),
    "Avro array of arrays of null": '{"type":"array","items":{"type":"array","items":"null"}}',
    "Avro record of itself": RECORD % '{"name":"next","type":"R"}',
    "Avro union of 10,000": json.dumps([{"type": "fixed", "name": f"F{n}", "size": 1} for n in range(10_000)]),
    "Avro enum of 1,000,000": json.dumps({"type": "enum", "name": "E", "symbols": [f"S{n}" for n in range(1_000_000)]}),
    "Avro record of 50,000 fields": RECORD % ",".join(f'{{"name":"f{n}","type":"int"}}' for n in range(50_000)),
    "Avro default 10,000 deep": RECORD % f'{{"name":"f","type":"R","default":{nested(chr(123) + "f:", "1", "}", 9)}}}',
    "Avro name of 5 MiB": '{"type":"record","name":"%s","fields":[]}' % ("a" * (5 << 20)),
    "Avro fixed of 2^63": '{"type":"fixed","name":"F","size":9223372036854775808}',
    "Avro decimal of precision 10^9": '{"type":"bytes","logicalType":"decimal","precision":1000000000,"scale":9999999}',
    "Avro doubling 60 times": doubling(60, "int"),
    "Avro NUL in a name": '{"type":"record","name":"a\\u0000b","fields":[]}',
    "Avro half of a pair": '{"type":"enum","name":"E","symbols":["A"],"doc":"\\ud800"}',
    "Avro number of 100,000 digits": RECORD % f'{{"name":"f","type":"long","default":{"9" * 100_000}}}',
    "Avro aliases": RECORD
    % ",".join(f'{{"name":"f{n}","type":"int","aliases":["f{n + 1}","f{n - 1}"]}}' for n in range(5_000)),
}
JSON = {
    "JSON 100,000 deep": nested('{"not":', "true", "}"),
    "JSON lists 100,000 deep": nested('{"allOf":[', "true", "]}"),
    "JSON in an enum 100,000 deep": '{"enum":[' + nested("[", "", "]") + "]}",
    "JSON of itself": '{"$ref":"#"}',
    "JSON circle": '{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}',
    "JSON dynamic circle": json.dumps({"$schema": DRAFT_2020, "$dynamicAnchor": "a", "$dynamicRef": "#a"}),
    "JSON chain of 5,000": json.dumps(
        {
            "$ref": "#/definitions/d0",
            "definitions": {f"d{n}": {"$ref": f"#/definitions/d{n + 1}"} for n in range(5_000)} | {"d5000": {}},
        }
    ),
    "JSON enum of 500,000": json.dumps({"enum": list(range(500_000))}),
    "JSON 50,000 properties": json.dumps({"properties": {f"p{n}": {"type": "string"} for n in range(50_000)}}),
    "JSON anyOf of 5,000": json.dumps({"anyOf": [{"const": n, "required": [f"p{n}"]} for n in range(5_000)]}),
    "JSON pattern (a+)+": '{"type":"string","pattern":"^(a+)+$","default":"%s!"}' % ("a" * 50),
    "JSON patterns that backtrack": '{"patternProperties":{"^(a|a)*$":{},"^(([a-z])+.)+[A-Z]$":{},"(x+x+)+y":{}}}',
    "JSON pattern with a look-around": '{"pattern":"^(?=(a+)+$)(?!b).*(?<=c)\\\\1"}',
    "JSON pattern of 1 MiB": '{"pattern":"%s"}' % ("(a|b)" * 200_000),
    "JSON pattern that repeats": '{"pattern":"((a{1,1000}){1,1000}){1,1000}"}',
    "JSON pattern nested 10,000 deep": json.dumps({"pattern": nested("(", "a", ")", 10_000)}),
    "JSON key as a pattern, repeated": json.dumps(
        {"patternProperties": {f"(a{{1,999}}){{1,{n}}}": {} for n in range(900)}}
    ),
    "JSON number of 100,000 digits": '{"maximum":%s}' % ("9" * 100_000),
    "JSON exponent": '{"multipleOf":1e-999999999,"maximum":1e999999999}',
    "JSON minLength of 10^30": '{"minLength":1e30,"maxItems":1000000000000000000000000000000}',
}
PROTOBUF = {
    "Protobuf 100,000 fields": "message M {"
    + "".join(f"optional int32 f{n} = {n};" for n in range(1, 18_999))
    + "}"
    + "message N {"
    + "".join(f"optional int32 g{n} = {n};" for n in range(20_000, 101_002))
    + "}",
    "Protobuf messages 10,000 deep": nested("message M {", "", "}", 10_000),
    "Protobuf messages 30 deep": nested("message M {", "", "}", 30),
    "Protobuf 10,000 messages in one": "message M {" + "".join(f"message N{n} {{}}" for n in range(10_000)) + "}",
    "Protobuf option 100,000 deep": OPTION + nested("{ r ", "{}", "}") + ";",
    "Protobuf option 120 deep": OPTION + nested("{ r ", "{}", "}", 120) + ";",
    "Protobuf enum of 100,000": 'syntax = "proto3"; enum E {' + "".join(f"A{n} = {n};" for n in range(100_000)) + "}",
    "Protobuf largest number": "message M { optional int32 a = 536870911; }",
    "Protobuf number beyond": "message M { optional int32 a = 536870912; }",
    "Protobuf 100,000 dots": "message M { optional " + "a." * 100_000 + "b c = 1; }",
    "Protobuf files": 'import "/etc/passwd"; import "../../etc/passwd"; import "file:///etc/passwd";',
    "Protobuf base64 of zeros": "A" * 1_000_000,
    "Protobuf 500,000 semicolons": ";" * 500_000,
    "Protobuf oneof of 20,000": "message M { oneof o {"
    + "".join(f"int32 f{n} = {20_000 + n};" for n in range(20_000))
    + "} }",
    "Protobuf reserved ranges": "message M {" + "".join(f"reserved {n * 2};" for n in range(1, 20_000)) + "}",
}
CASES = [
    *(("AVRO", name, text) for name, text in AVRO.items()),
    *(("JSON", name, text) for name, text in JSON.items()),
    *(("PROTOBUF", name, text) for name, text in PROTOBUF.items()),
]


@pytest.mark.parametrize(("schema_type", "name", "text"), CASES, ids=[name for _, name, _ in CASES])
def test_one_schema_is_answered(registry: Registry, schema_type: str, name: str, text: str) -> None:
    first = registry.register(name, text, schema_type)
    assert first.status_code in {200, 413, 422}
    body = {"schema": text, "schemaType": schema_type}
    subject = quote(name, safe="")
    for path in (f"/subjects/{subject}?normalize=true", f"/compatibility/subjects/{subject}/versions?verbose=true"):
        assert registry.ask("POST", path, name, body).status_code in {200, 404, 413, 422}
    if first.status_code == 200:
        for spelling in ("", "?format=serialized", "?format=resolved"):
            assert registry.ask("GET", f"/subjects/{subject}/versions/1{spelling}", name).status_code == 200


def record_of(fields: int, type_: str) -> str:
    return RECORD % ",".join(f'{{"name":"f{n}","type":"{type_}"}}' for n in range(fields))


def alternatives(keyword: str, count: int, bound: int) -> str:
    """A JSON Schema with many alternatives, none of which is another's twin."""
    options = [{"properties": {"a": {"maximum": bound + n}, f"p{n}": {"type": "string"}}} for n in range(count)]
    return json.dumps({keyword: options})


def nested_alternatives(depth: int, leaf: Document) -> str:
    schema = leaf
    for _ in range(depth):
        schema = (
            {"anyOf": [schema, {"oneOf": [schema, {"type": "null"}]}]} if len(json.dumps(schema)) < 100_000 else schema
        )
    return json.dumps(schema)


def messages(count: int, type_: str, prefix: str = "M") -> str:
    return "".join(f"message {prefix}{n} {{ optional {type_} f = 1; }}" for n in range(count))


ALL_A = "a" * 50 + "!"
PAIRS = {
    "JSON references 20 deep": ("JSON", referring(20, {"type": "string"}), referring(20, {"maxLength": 5})),
    "JSON references 200 deep": ("JSON", referring(200, {"type": "string"}), referring(200, {"maxLength": 5})),
    "JSON references 2,000 deep": ("JSON", referring(2_000, {"type": "string"}), referring(2_000, {"maxLength": 5})),
    "JSON anyOf of 300": ("JSON", alternatives("anyOf", 300, 1000), alternatives("anyOf", 300, 0)),
    "JSON oneOf of 1,000": ("JSON", alternatives("oneOf", 1_000, 5000), alternatives("oneOf", 1_000, 0)),
    "JSON allOf of 300": ("JSON", alternatives("allOf", 300, 1000), alternatives("allOf", 300, 0)),
    "JSON nested alternatives": (
        "JSON",
        nested_alternatives(12, {"type": "string"}),
        nested_alternatives(12, {"maximum": 5}),
    ),
    "JSON enum of 100,000": (
        "JSON",
        json.dumps({"enum": list(range(100_000))}),
        json.dumps({"enum": [*range(1, 100_001)]}),
    ),
    "JSON name against patterns": (
        "JSON",
        json.dumps({"patternProperties": {"^(a+)+$": {"type": "string"}}, "additionalProperties": False}),
        json.dumps({"patternProperties": {"^(a+)+$": {}}, "properties": {ALL_A: {"type": "string"}}}),
    ),
    "JSON names against patterns": (
        "JSON",
        json.dumps({"patternProperties": {f"^(a|a{n})+$": {} for n in range(300)}, "additionalProperties": False}),
        json.dumps(
            {
                "patternProperties": {f"^(a|a{n})+$": {} for n in range(300)},
                "properties": {f"{ALL_A}{n}": {} for n in range(300)},
                "additionalProperties": False,
            }
        ),
    ),
    "Avro doubling 60 times": ("AVRO", doubling(60, "int"), doubling(60, "string")),
    "Avro unions of 5,000": (
        "AVRO",
        json.dumps([{"type": "fixed", "name": f"F{n}", "size": 1} for n in range(5_000)]),
        json.dumps([{"type": "fixed", "name": f"F{n}", "size": 2} for n in range(5_000)]),
    ),
    "Avro records of 20,000 fields": ("AVRO", record_of(20_000, "int"), record_of(20_000, "string")),
    "Avro enum of 200,000": (
        "AVRO",
        json.dumps({"type": "enum", "name": "E", "symbols": [f"S{n}" for n in range(200_000)]}),
        json.dumps({"type": "enum", "name": "E", "symbols": [f"T{n}" for n in range(200_000)]}),
    ),
    "Protobuf 5,000 messages": ("PROTOBUF", messages(5_000, "int32"), messages(5_000, "string")),
    "Protobuf 5,000 messages renamed": ("PROTOBUF", messages(5_000, "int32"), messages(5_000, "int32", "N")),
    "Protobuf fields that form one oneof": (
        "PROTOBUF",
        "message M {" + "".join(f"optional int32 f{n} = {n};" for n in range(1, 10_000)) + "}",
        "message M { oneof o {" + "".join(f"int32 f{n} = {n};" for n in range(1, 10_000)) + "} }",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_schemas_are_compared(registry: Registry, name: str) -> None:
    schema_type, older, newer = PAIRS[name]
    name = f"pair of {name}"
    assert registry.register(name, older, schema_type).status_code == 200
    path = f"/config/{quote(name)}"
    assert registry.ask("PUT", path, name, {"compatibility": "FULL_TRANSITIVE"}).status_code == 200
    second = registry.register(name, newer, schema_type)
    assert second.status_code in {200, 409, 422}, second.text[:500]
    assert len(second.content) < 8 * MIB


def test_reads_are_answered_while_hard_schemas_are_compared(registry: Registry) -> None:
    name = "reads beside bombs"
    assert registry.register(name, alternatives("anyOf", 2_000, 1_000), "JSON").status_code == 200
    settings = {"compatibility": "FULL", "compatibilityPolicy": "SOUND"}
    assert registry.ask("PUT", f"/config/{quote(name)}", name, settings).status_code == 200
    body = {"schema": alternatives("anyOf", 2_000, 0), "schemaType": "JSON"}
    path = f"/compatibility/subjects/{quote(name)}/versions"
    with ThreadPoolExecutor(8) as clients:
        checks = [clients.submit(registry.ask, "POST", path, name, body) for _ in range(24)]
        seconds = []
        while not all(check.done() for check in checks):
            seconds.append(registry.ask("GET", "/subjects?limit=1", name).elapsed.total_seconds())
            time.sleep(0.01)
    assert {check.result().status_code for check in checks} == {422}
    assert {check.result().json()["error_code"] for check in checks} == {42212}
    assert median(seconds) < 0.25


def test_nothing_is_fetched(registry: Registry, canary: Canary) -> None:
    targets = (f"http://127.0.0.1:{canary.port}/x", f"https://127.0.0.1:{canary.port}/x.json#/a", "file:///etc/passwd")
    answers = []
    for target in targets:
        documents: tuple[Document, ...] = (
            {"$ref": target},
            {"$schema": target, "type": "string"},
            {"$id": target, "$ref": "#/definitions/a", "definitions": {"a": {}}},
            {"$id": target, "$ref": "other.json"},
            {"$schema": DRAFT_2020, "$dynamicRef": target},
            {"$schema": DRAFT_2020, "$id": target, "$ref": "other"},
            {"properties": {"a": {"$id": target, "items": {"$ref": "b"}}}},
            {"$schema": DRAFT_2020, "$vocabulary": {target: True}},
        )
        schemas = [("JSON", json.dumps(document)) for document in documents]
        schemas.append(("PROTOBUF", f'import "{target}"; message M {{}}'))
        schemas.append(("AVRO", json.dumps({"type": "record", "name": "R", "namespace": target, "fields": []})))
        schemas.append(("AVRO", json.dumps({"type": target})))
        for number, (schema_type, text) in enumerate(schemas):
            name = f"fetch {number} {target}"
            reference = {"name": target, "subject": target, "version": 1}
            answers.append(registry.register(name, text, schema_type))
            answers.append(registry.register(name, text, schema_type, references=[reference]))
            answers.append(registry.ask("POST", f"/subjects/{quote(name, safe='')}", name, {"schema": text}))
    assert not any("root:" in answer.text for answer in answers)
    assert canary.visitors == []
