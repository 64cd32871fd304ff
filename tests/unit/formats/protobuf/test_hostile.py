"""Hostile and huge inputs: only InvalidSchema comes out, and the process lives."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.protobuf import ProtobufFormat, parse
from llm_schema_registry.model import CompatibilityPolicy

from .conftest import SAMPLES, reference

OPTION = (
    'import "google/protobuf/descriptor.proto"; message R { optional R r = 1; } '
    "extend google.protobuf.FileOptions { optional R root = 50000; } option (root) = "
)

REFUSED = {
    "option values 120 deep": OPTION + "{ r " * 120 + "{}" + "}" * 120 + ";",
    "option values 10,000 deep": OPTION + "{ r " * 10_000 + "{}" + "}" * 10_000 + ";",
    "lists in option values 10,000 deep": OPTION + "{ r: " + "[" * 10_000 + ";",
    "messages 10,000 deep": "message M {" * 10_000 + "}" * 10_000,
    "messages 40 deep": "message M {" * 40 + "}" * 40,
    "groups 10,000 deep": "message M {" + "optional group G = 1 {" * 10_000,
    "100,000 dots": "message M { optional " + "a." * 100_000 + "b c = 1; }",
    "a package of 100,000 parts": "package "
    + ".".join("a" for _ in range(100_000))
    + "; message M { optional X x = 1; }",
    "100,000 minuses": "message M { optional int32 a = 1 [default = " + "-" * 100_000 + "1]; }",
    "100,000 open braces": "{" * 100_000,
    "an unclosed comment": "/*" + "x" * 1_000_000,
    "an unclosed string": 'import "' + "x" * 1_000_000,
    "NUL": "message M { \0 }",
    "a lone surrogate": "message M {} // \ud800",
    "more than 10 MiB": "/" * (10 << 20) + "\n/",
    "a field number beyond all": "message M { optional int32 a = 99999999999999999999999; }",
    "an enum of many equal numbers": "enum E {" + "".join(f"A{n} = 0;" for n in range(1000)) + "}",
    "an import of a file": 'import "/etc/passwd"; import "../../etc/passwd"; import "file:///etc/passwd";',
    "an import of a descriptor": 'import "/proc/self/fd/3"; import "proc/self/fd/4";',
    "an import of itself": 'import "schema.proto";',
    "not a text of this kind": '{"type": "record"}',
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(fmt: ProtobufFormat, name: str) -> None:
    with pytest.raises(InvalidSchema) as refused:
        fmt.parse(REFUSED[name])
    assert 0 < len(str(refused.value)) < 300_000
    assert fmt.parse("message Alive {}")


def test_an_import_circle_is_refused(fmt: ProtobufFormat) -> None:
    references = [reference("a.proto", 'import "b.proto";'), reference("b.proto", 'import "a.proto";')]
    with pytest.raises(InvalidSchema, match="recursively imports itself"):
        fmt.parse('import "a.proto";', references)


def test_a_reference_with_a_lone_surrogate_is_refused(fmt: ProtobufFormat) -> None:
    with pytest.raises(InvalidSchema, match=r"The reference a\.proto holds half of a surrogate pair"):
        fmt.parse("message M {}", [reference("a.proto", "// \ud800")])
    with pytest.raises(InvalidSchema, match="cannot be an import path"):
        fmt.parse("message M {}", [reference("\ud800.proto", "")])


def test_a_text_that_would_be_stored_larger_than_it_may_be_is_refused(
    fmt: ProtobufFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "MAX_TEXT_BYTES", 1000)
    text = 'message M { optional string a = 1 [default = "' + r"\x1" * 300 + '"]; }'
    with pytest.raises(InvalidSchema, match="larger than"):
        fmt.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "message M {" + "".join(f"optional int32 f{n} = {n};" for n in range(20_000, 30_000)) + "}",
        "message M {" + "".join(f"map<int32, M> f{n} = {n};" for n in range(1, 2_001)) + "}",
        "message M {" + "".join(f"oneof o{n} {{ int32 f{n} = {n}; }}" for n in range(1, 2_001)) + "}",
        "enum E {" + "".join(f"V{n} = {n};" for n in range(2_000)) + "}",
        "".join(f"message M{n} {{ optional M{n} m = 1; }}" for n in range(2_000)),
        "message M {" + "".join(f"reserved {3 * n + 1}; " for n in range(10_000)) + "}",
        "message M { optional string a = 1 [default = \"" + "x" * 1_000_000 + '"]; }',
        "// " + "x" * 1_000_000 + "\nmessage M {}",
        "message M {" * 30 + "}" * 30,
    ],
    ids=["fields", "maps", "oneofs", "enum", "messages", "reserved", "string", "comment", "depth"],
)  # fmt: skip
def test_huge_schemas_are_answered(fmt: ProtobufFormat, text: str) -> None:
    schema = fmt.parse(text)
    assert fmt.parse(schema.canonical).canonical == schema.canonical
    assert schema.normalized
    assert fmt.diff(schema, schema, CompatibilityPolicy.STRICT, Budget(60)) == []


def attempt(fmt: ProtobufFormat, text: str) -> None:
    with contextlib.suppress(InvalidSchema):
        schema = fmt.parse(text)
        assert fmt.parse(schema.canonical).canonical == schema.canonical
        assert fmt.parse(schema.render("serialized")).canonical == schema.canonical


many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(st.text(max_size=200))
def test_any_text(fmt: ProtobufFormat, text: str) -> None:
    attempt(fmt, text)


_WORDS = """
    syntax = "proto2" "proto3" ; message M { } optional repeated int32 a 1 2 oneof map < > , string enum E 0 option ( )
    deprecated true reserved extend extensions to max group G [ ] default - inf service rpc returns
"""
TOKENS = _WORDS.split()


@many
@given(st.lists(st.sampled_from(TOKENS), max_size=60))
def test_any_tokens(fmt: ProtobufFormat, tokens: list[str]) -> None:
    attempt(fmt, " ".join(tokens))


@many
@given(st.binary(max_size=200))
def test_any_bytes_as_base64(fmt: ProtobufFormat, data: bytes) -> None:
    attempt(fmt, base64.b64encode(data).decode())


@pytest.fixture(scope="session")
def descriptors(fmt: ProtobufFormat) -> list[bytes]:
    return [fmt.parse(path.read_text()).descriptor for path in sorted(SAMPLES.glob("*.proto"))]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutated_descriptors(
    fmt: ProtobufFormat, descriptors: list[bytes], which: int, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(descriptors[which])
    for place, value in changes:
        data[place % len(data)] = value
    attempt(fmt, base64.b64encode(bytes(data)).decode())
