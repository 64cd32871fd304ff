"""Data of an Avro schema for tests: small samples of every branch, their bytes, and whether a reader got the same.

Written from the Avro specification and apart from the server's own code, so that one can prove the other.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import fastavro

from avro_pairs import Json, branch_key, definitions

Datum: TypeAlias = Any

MAX_DEPTH = 7
MAX_SAMPLES = 12
LOGICAL_ATTRIBUTES = {"logicalType", "precision", "scale"}
PER_SECOND = {"millis": 10**3, "micros": 10**6, "nanos": 10**9}

# Bytes are UTF-8, since those that are not fail by a hazard of their own.
SAMPLES: dict[str, list[Any]] = {
    "null": [None],
    "boolean": [True, False],
    "int": [0, 2**31 - 1, -(2**31), 16777217],
    "long": [1, 2**53 + 1, -(2**63), 2**63 - 1],
    "float": [0.0, -1.5, struct.unpack("<f", struct.pack("<f", 0.1))[0]],
    "double": [0.0, 0.1, 1e300],
    "bytes": [b"", b"ab"],
    "string": ["", "b\u00e9"],
}


class Branch(NamedTuple):
    """A value of a union."""

    index: int
    value: Any


class Schema:
    """A schema in JSON with its types by name."""

    def __init__(self, root: Json) -> None:
        self.root = root
        self.types = {branch_key(one): one for one in definitions(root)}

    def resolved(self, part: Json) -> Json:
        return self.types.get(part, part) if isinstance(part, str) else part


def samples(schema: Schema) -> list[Any]:
    """Values that together take every branch, symbol and edge near the root; none for a schema without finite data."""
    return list(_samples(schema, schema.root, 0))


def _samples(schema: Schema, part: Json, depth: int) -> list[Any]:
    part = schema.resolved(part)
    if depth > MAX_DEPTH:
        return []
    if isinstance(part, list):
        found = [
            Branch(index, value)
            for index, branch in enumerate(part)
            for value in _samples(schema, branch, depth + 1)[: 1 if depth > 3 else MAX_SAMPLES]
        ]
        return found[:MAX_SAMPLES]
    key = part if isinstance(part, str) else part["type"]
    match key:
        case "record":
            columns = [_samples(schema, field["type"], depth + 1) for field in part["fields"]]
            if not all(columns):
                return []
            names = [field["name"] for field in part["fields"]]
            rows = max((len(column) for column in columns), default=1)
            return [
                dict(zip(names, (column[row % len(column)] for column in columns), strict=True)) for row in range(rows)
            ]
        case "array":
            return [[], _samples(schema, part["items"], depth + 1)]
        case "map":
            return [{}, {f"k{index}": one for index, one in enumerate(_samples(schema, part["values"], depth + 1))}]
        case "enum":
            return list(part["symbols"])
        case "fixed":
            return [b"\0" * part["size"], b"x" * part["size"]]
        case _:
            return [value for value in SAMPLES[key] if _is_valid(part, value)]


def _is_valid(part: Json, value: Datum) -> bool:
    """Whether a value may be written under the logical type."""
    match meaning(part, value):
        case ("date" | "time" | "instant" | "local", number):
            return abs(number) < 10**9 if isinstance(part, dict) else True
        case ("decimal", number):
            digits = len(str(abs(number * 10 ** part.get("scale", 0)).to_integral_value()))
            return bool(value) and digits <= part["precision"]
        case _:
            return True


def encode(schema: Schema, part: Json, value: Datum) -> bytes:
    """Write a value as Avro's binary encoding has it."""
    part = schema.resolved(part)
    if isinstance(part, list):
        return _long(value.index) + encode(schema, part[value.index], value.value)
    match part if isinstance(part, str) else part["type"]:
        case "null":
            return b""
        case "boolean":
            return bytes([value])
        case "int" | "long":
            return _long(value)
        case "float":
            return struct.pack("<f", value)
        case "double":
            return struct.pack("<d", value)
        case "bytes":
            return _long(len(value)) + value
        case "string":
            return _long(len(value.encode())) + value.encode()
        case "fixed":
            return bytes(value)
        case "enum":
            return _long(part["symbols"].index(value))
        case "array":
            items = [encode(schema, part["items"], item) for item in value]
            return (_long(len(items)) if items else b"") + b"".join(items) + b"\0"
        case "map":
            items = [encode(schema, "string", key) + encode(schema, part["values"], one) for key, one in value.items()]
            return (_long(len(items)) if items else b"") + b"".join(items) + b"\0"
        case _:
            return b"".join(encode(schema, field["type"], value[field["name"]]) for field in part["fields"])


def _long(value: int) -> bytes:
    value = value << 1 if value >= 0 else ((-value - 1) << 1) | 1
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*result, value])


def decode(written: bytes, writer: Schema, reader: Schema) -> Datum:
    """Read with fastavro, without logical types, and see that all was read."""
    stream = io.BytesIO(written)
    result = fastavro.schemaless_reader(stream, fastavro.parse_schema(plain(writer.root)), parsed(reader))
    assert stream.read() == b""
    return result


def parsed(schema: Schema) -> Json:
    return fastavro.parse_schema(plain(schema.root))


def plain(part: Json) -> Json:
    """Return a schema without logical types: a decoder's value is then what was written, to be given a meaning here."""
    if isinstance(part, list):
        return [plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {key: plain(value) for key, value in part.items() if key not in LOGICAL_ATTRIBUTES}


def meaning(part: Json, value: Datum) -> tuple[str, Any]:
    """Return what a plain value stands for under its type's logical type; a UUID in a string is its text."""
    logical = part.get("logicalType") if isinstance(part, dict) else None
    base = part["type"] if isinstance(part, dict) else part
    match logical, base:
        case "date", "int":
            return "date", value
        case ("time-millis", "int") | ("time-micros", "long"):
            return "time", Fraction(value, PER_SECOND[logical.removeprefix("time-")])
        case str(), "long" if logical.startswith("timestamp-"):
            return "instant", Fraction(value, PER_SECOND[logical.removeprefix("timestamp-")])
        case str(), "long" if logical.startswith("local-timestamp-"):
            return "local", Fraction(value, PER_SECOND[logical.removeprefix("local-timestamp-")])
        case "decimal", "bytes" | "fixed" if is_decimal(part):
            return "decimal", Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-part.get("scale", 0))
        case ("uuid" | "duration", "fixed") if part["size"] == {"uuid": 16, "duration": 12}[logical]:
            return logical, value
        case "big-decimal", "bytes":
            return logical, value
        case _:
            return "plain", value


def is_decimal(part: Json) -> bool:
    fits = 10 ** part["precision"] <= 2 ** (8 * part["size"] - 1) if "size" in part else True
    return 0 < part["precision"] >= part.get("scale", 0) and fits


def differences(writer: Schema, part: Json, value: Datum, reader: Schema, other: Json, result: Datum) -> Iterator[str]:
    """Yield where the value that was read does not mean what was written."""
    part, other = writer.resolved(part), reader.resolved(other)
    if isinstance(part, list):
        yield from differences(writer, part[value.index], value.value, reader, other, result)
        return
    if isinstance(other, list):
        chosen = _branch(reader, other, part)
        if chosen is None:
            yield f"no branch for {part}"
            return
        other = chosen
    kind = branch_kind(part)
    if kind != branch_kind(other) and {kind, branch_kind(other)} & {"record", "array", "map", "enum", "fixed"}:
        yield f"{part} read as {other}"
    elif kind == "record":
        by_name = {name: field for field in other["fields"] for name in (field["name"], *field.get("aliases", ()))}
        by_name |= {field["name"]: field for field in other["fields"]}
        taken = set()
        for field in part["fields"]:
            if field["name"] in by_name:
                found = by_name[field["name"]]
                taken.add(found["name"])
                name = field["name"]
                yield from differences(writer, field["type"], value[name], reader, found["type"], result[found["name"]])
        for field in other["fields"]:
            if field["name"] not in taken and result[field["name"]] != field["default"]:
                yield f"{field['name']} is not its default"
    elif kind == "array":
        for one, read in zip(value, result, strict=True):
            yield from differences(writer, part["items"], one, reader, other["items"], read)
    elif kind == "map":
        for key, one in value.items():
            yield from differences(writer, part["values"], one, reader, other["values"], result[key])
    elif not is_same(meaning(part, value), meaning(other, result)):
        yield f"{value!r} of {part} read as {result!r} of {other}"
    elif meaning(other, result)[0] == "decimal" and part["precision"] > other["precision"]:
        yield f"{part} has more digits than {other}"


def branch_kind(part: Json) -> str:
    return str(part["type"]) if isinstance(part, dict) else str(part)


def is_same(written: tuple[str, Any], read: tuple[str, Any]) -> bool:
    """Equal in kind and value; numbers are exact, text is not bytes, and false is not zero."""
    numbers = (int, float)
    one, other = written[1], read[1]
    both_numbers = isinstance(one, numbers) and isinstance(other, numbers)
    is_typed = both_numbers and isinstance(one, bool) == isinstance(other, bool)
    return written[0] == read[0] and one == other and (is_typed or type(one) is type(other))


def _branch(reader: Schema, union: list[Any], part: Json) -> Json:
    """The branch that a type belongs to: of its own type or full name, else of its simple name, else a wider one."""
    branches = [reader.resolved(branch) for branch in union]
    kind = branch_kind(part)
    same = [branch for branch in branches if branch_kind(branch) == kind]
    if kind in ("record", "enum", "fixed"):
        simple = part["name"].split(".")[1]
        ways = (
            lambda one: one["name"] == part["name"],
            lambda one: part["name"] in one.get("aliases", ()),
            lambda one: one["name"].split(".")[1] == simple,
        )
        return next((one for fits in ways for one in same if fits(one)), None)
    wider = {
        "int": ("long", "double", "float"),
        "long": ("double", "float"),
        "float": ("double",),
        "string": ("bytes",),
    }
    others = [one for name in wider.get(kind, ("string",)) for one in branches if branch_kind(one) == name]
    return next(iter([*same, *others]), None)
