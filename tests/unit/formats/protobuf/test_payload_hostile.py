"""Payloads made to hurt: each is answered, within bounds of memory and count, and the process lives."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable

import pytest

from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.formats.protobuf import ProtobufFormat
from llm_schema_registry.formats.protobuf.payload import ProtobufPayloads
from llm_schema_registry.formats.protobuf.tags import varint
from llm_schema_registry.model import Encoding, ViolationKind

WIDE = " ".join(f"int64 f{number} = {number};" for number in range(1, 900))
SCHEMA = f"""syntax = "proto3"; import "google/protobuf/any.proto"; import "google/protobuf/struct.proto";
message M {{ repeated E es = 1; repeated W ws = 2; repeated int64 ns = 3; string s = 4; M m = 5;
  google.protobuf.Any any = 6; google.protobuf.Struct st = 7; map<string, M> by_name = 8; repeated double ds = 9; }}
message E {{}} message W {{ {WIDE} }}"""
MILLION = 1_000_000


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def nested(count: int) -> bytes:
    content = b""
    for _ in range(count):
        content = field(5, content)
    return content


BINARY: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "a million groups in each other": (lambda: b"\x9b\x06" * MILLION, ["FIELD_UNKNOWN", "TOO_DEEP"]),
    "5,000 messages in each other": (lambda: nested(5000), ["TOO_DEEP"]),
    "a length of 2 GB": (lambda: b"\x22\xff\xff\xff\xff\x07", ["TRUNCATED"]),
    "more than a million empty messages": (lambda: b"\x0a\x00" * (MILLION + 1), ["TOO_LARGE"]),
    "100,000 messages of 900 fields": (lambda: b"\x12\x00" * 100_000, ["TOO_LARGE"]),
    "8,000 messages of 900 fields": (lambda: b"\x12\x00" * 8_000, []),
    "ten million packed varints": (lambda: field(3, b"\x01" * 10 * MILLION), ["TOO_LARGE"]),
    "two million packed doubles": (lambda: field(9, bytes(16 * MILLION)), ["TOO_LARGE"]),
    "half a million packed doubles": (lambda: field(9, bytes(4 * MILLION)), []),
    "a string of 10 MB": (lambda: field(4, b"a" * 10 * MILLION), []),
    "a string of 10 MB that ends badly": (lambda: field(4, b"a" * 10 * MILLION + b"\xff"), ["INVALID_TEXT"]),
    "the URL of an Any of 10 MB": (lambda: field(6, field(1, b"x/" + b"a" * 10 * MILLION)), []),
    "a million unknown fields": (lambda: b"\xf8\x07\x01" * MILLION, ["FIELD_UNKNOWN"] * 100),
    "unknown fields under a key of 5 MB": (
        lambda: field(8, field(1, b"k" * 5 * MILLION) + field(2, b"\xf8\x07\x01" * 1000)),
        ["FIELD_UNKNOWN"] * 100,
    ),
    "noise": (lambda: bytes(range(255, 0, -1)) * 1000, ["MALFORMED"]),
}
JSON: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "100,000 objects in each other": (lambda: b'{"m":' * 100_000, ["TOO_DEEP"]),
    "100,000 lists in each other": (lambda: b"[" * 100_000, ["TOO_DEEP"]),
    "a struct 200 deep": (lambda: b'{"st":' + b'{"a":' * 200 + b"1" + b"}" * 201, ["TOO_DEEP"]),
    "ten million numbers": (lambda: b'{"ns":[' + b"1," * 10 * MILLION + b"1]}", ["TOO_LARGE"]),
    "more than a million numbers": (lambda: b'{"ns":[' + b"1," * MILLION + b"1]}", ["TOO_LARGE"]),
    "100,000 messages of 900 fields": (lambda: b'{"ws":[' + b"{}," * 100_000 + b"{}]}", ["TOO_LARGE"]),
    "a string of 10 MB": (lambda: b'{"s":"' + b"a" * 10 * MILLION + b'"}', []),
    "a string of ten million commas and brackets": (lambda: b'{"s":"' + b",[" * 5 * MILLION + b'"}', []),
    "a string of escaped quotes without end": (lambda: b'{"s":"' + b'\\"' * 3 * MILLION, ["MALFORMED"]),
    "the URL of an Any of 10 MB": (
        lambda: b'{"any":{"@type":"x/' + b"a" * 10 * MILLION + b'"}}',
        ["BRANCH_UNKNOWN"],
    ),
    "a name of 5 MB": (lambda: b'{"' + b"a" * 5 * MILLION + b'":1}', ["FIELD_UNKNOWN"]),
    "a name 300,000 times": (lambda: b"{" + b'"s":"",' * 300_000 + b'"s":""}', ["FIELD_REPEATED"]),
    "200,000 wrong values": (lambda: b'{"ns":[' + b'"x",' * 200_000 + b"1]}", ["TYPE_MISMATCH"] * 100),
}


@pytest.fixture(scope="module")
def payloads(fmt: ProtobufFormat) -> ProtobufPayloads:
    return fmt.payloads(fmt.parse(SCHEMA))


def judge(payloads: ProtobufPayloads, encoding: Encoding, content: bytes, kinds: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    violations = payloads.read(encoding, content).violations
    assert [violation.kind for violation in violations] == kinds
    assert sum(len(violation.path) + len(violation.message) for violation in violations) < 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024
    assert payloads.read(Encoding.JSON, b'{"s": "alive"}').violations == ()


@pytest.mark.parametrize("name", BINARY)
def test_bytes_are_answered(payloads: ProtobufPayloads, name: str) -> None:
    make, kinds = BINARY[name]
    judge(payloads, Encoding.BINARY, make(), kinds)


@pytest.mark.parametrize("name", JSON)
def test_texts_are_answered(payloads: ProtobufPayloads, name: str) -> None:
    make, kinds = JSON[name]
    judge(payloads, Encoding.JSON, make(), kinds)


def chain(count: int) -> str:
    links = " ".join(f"message M{index} {{ M{index + 1} next = 1; }}" for index in range(count))
    return f'syntax = "proto3"; import "google/protobuf/any.proto"; {links} message M{count} {{}}'


def test_unknown_fields_are_found_at_the_end_of_a_chain_of_types(fmt: ProtobufFormat) -> None:
    payloads = fmt.payloads(fmt.parse(chain(80)))
    unknown = b"\xf8\x07\x01"
    for _ in range(80):
        unknown = field(1, unknown)
    (violation,) = payloads.read(Encoding.BINARY, unknown).violations
    assert violation.path == "/next" * 80 + "/127"
    shape = payloads.shape
    for _ in range(80):
        shape = shape.fields["next"].shape
    assert shape.name == "M80"


def test_a_chain_of_types_that_the_runtime_cannot_take_is_refused(fmt: ProtobufFormat) -> None:
    schema = fmt.parse(f"{chain(3000)} message Holder {{ google.protobuf.Any any = 1; }}")
    with pytest.raises(InvalidPayload):
        fmt.payloads(schema)
    (violation,) = fmt.payloads(schema, "Holder").read(Encoding.JSON, b'{"any": {"@type": "x/M0"}}').violations
    assert violation.kind is ViolationKind.BRANCH_UNKNOWN


@pytest.mark.parametrize(
    "schema",
    [
        'syntax = "proto3"; message M { string a = 1 [json_name = "b"]; string b = 2 [json_name = "a"]; }',
        'syntax = "proto2"; message M { optional string foo_bar = 1; optional string fooBar = 2; }',
    ],
)
def test_a_schema_whose_names_in_json_the_runtime_refuses_has_no_payloads(fmt: ProtobufFormat, schema: str) -> None:
    with pytest.raises(InvalidPayload, match="duplicate json_name"):
        fmt.payloads(fmt.parse(schema))


def test_readers_that_are_let_go_of_leave_no_memory(fmt: ProtobufFormat) -> None:
    schema = fmt.parse('syntax = "proto3"; message M { repeated M ms = 1; map<string, M> by_name = 2; string s = 4; }')

    def use(count: int) -> None:
        for _ in range(count):
            fmt.payloads(schema).read(Encoding.BINARY, b"\x22\x01a")
        gc.collect()

    use(100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    use(1000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024
