"""Payloads of random schemas, whole and damaged, against an encoder from the specification and against fastavro."""

from __future__ import annotations

import io
import json
import math
from random import Random

import fastavro
from hypothesis import given, settings
from hypothesis import strategies as st

import avro_pairs
from avro_data import Datum, Schema, encode, parsed, plain, samples
from avro_pairs import Json
from llm_schema_registry.formats.avro.format import AvroFormat
from llm_schema_registry.formats.base import Payloads
from llm_schema_registry.model import Encoding

AVRO = AvroFormat()
SEEDS = st.integers(0, 2**64 - 1)
FEW = 6


def payloads(root: Json) -> Payloads:
    return AVRO.payloads(AVRO.parse(json.dumps(root), is_new=False))


def bare(schema: Schema, part: Json, value: Datum) -> Datum:
    """Return what a sample is once it is read: without the marks of branches."""
    part = schema.resolved(part)
    if isinstance(part, list):
        return bare(schema, part[value.index], value.value)
    match part if isinstance(part, str) else part["type"]:
        case "record":
            return {field["name"]: bare(schema, field["type"], value[field["name"]]) for field in part["fields"]}
        case "array":
            return [bare(schema, part["items"], item) for item in value]
        case "map":
            return {key: bare(schema, part["values"], item) for key, item in value.items()}
        case _:
            return value


def to_json(schema: Schema, part: Json, value: Datum) -> Json:
    """Write a sample in Avro's JSON encoding."""
    part = schema.resolved(part)
    if isinstance(part, list):
        branch = schema.resolved(part[value.index])
        inner = to_json(schema, branch, value.value)
        return None if branch == "null" else {avro_pairs.branch_key(branch): inner}
    match part if isinstance(part, str) else part["type"]:
        case "record":
            return {field["name"]: to_json(schema, field["type"], value[field["name"]]) for field in part["fields"]}
        case "array":
            return [to_json(schema, part["items"], item) for item in value]
        case "map":
            return {key: to_json(schema, part["values"], item) for key, item in value.items()}
        case "bytes" | "fixed":
            return value.decode("latin-1")
        case _:
            return value


def is_same(one: object, other: object) -> bool:
    """Equal, also where a number is none."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(one == other)


@given(avro_pairs.schemas())
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_from_both_encodings(root: Json) -> None:
    schema = Schema(plain(root))
    reader = payloads(schema.root)

    for value in samples(schema):
        binary = reader.read(Encoding.BINARY, encode(schema, schema.root, value))
        text = reader.read(Encoding.JSON, json.dumps(to_json(schema, schema.root, value)).encode())

        assert binary.violations == text.violations == ()
        assert is_same(binary.value, bare(schema, schema.root, value))
        assert is_same(text.value, binary.value)


@given(avro_pairs.schemas())
@settings(max_examples=200, deadline=None)
def test_logical_types_are_read_alike_from_both_encodings(root: Json) -> None:
    schema = Schema(root)
    reader = payloads(root)

    for value in samples(schema):
        binary = reader.read(Encoding.BINARY, encode(schema, root, value))
        text = reader.read(Encoding.JSON, json.dumps(to_json(schema, root, value)).encode())

        assert [one.kind for one in binary.violations] == [one.kind for one in text.violations]
        assert [one.schema_path for one in binary.violations] == [one.schema_path for one in text.violations]
        assert binary.violations or is_same(text.value, binary.value)


@given(avro_pairs.schemas(), SEEDS)
@settings(max_examples=400, deadline=None)
def test_what_is_accepted_of_damaged_payloads_is_what_fastavro_reads(root: Json, seed: int) -> None:
    schema, random = Schema(plain(root)), Random(seed)
    reader, theirs = payloads(schema.root), parsed(schema)

    for value in samples(schema)[:FEW]:
        for _ in range(FEW):
            data = damaged(encode(schema, schema.root, value), random)
            reading = reader.read(Encoding.BINARY, data)
            if reading.violations:
                assert all(one.message for one in reading.violations)
                continue
            stream = io.BytesIO(data)
            assert is_same(fastavro.schemaless_reader(stream, theirs, None), reading.value)
            assert stream.read() == b""


@given(avro_pairs.schemas(), SEEDS)
@settings(max_examples=200, deadline=None)
def test_a_payload_that_is_cut_or_goes_on_is_never_accepted(root: Json, seed: int) -> None:
    schema, random = Schema(plain(root)), Random(seed)
    reader = payloads(schema.root)

    for value in samples(schema)[:FEW]:
        data = encode(schema, schema.root, value)
        cut = data[: random.randrange(len(data) + 1)]

        assert bool(reader.read(Encoding.BINARY, cut).violations) == (len(cut) < len(data))
        assert [one.kind for one in reader.read(Encoding.BINARY, data + b"\0").violations] == ["TRAILING_BYTES"]


def damaged(data: bytes, random: Random) -> bytes:
    """Change, remove or add a few bytes."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(changed) + 1)
        byte = random.choice([0, 1, 2, 3, 4, 0x7F, 0x80, 0x81, 0xFF, random.randrange(256)])
        match random.randrange(3):
            case 0:
                changed[at : at + 1] = bytes([byte])
            case 1:
                del changed[at : at + 1]
            case _:
                changed[at:at] = bytes([byte])
    return bytes(changed)
