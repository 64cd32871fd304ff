"""Single values in Avro's JSON encoding, and how they are shown in a violation.

Refuses to know what holds them.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

from llm_schema_registry.formats.avro.document import shorten
from llm_schema_registry.formats.avro.payload_fault import Bounds, Fault, Flawed
from llm_schema_registry.model import ViolationKind

Read: TypeAlias = Callable[[object, Bounds, int], object]
"""From a JSON value, the bounds and the containers around. Raises Flawed."""

_MAX_SAMPLE = 40
_NOT_FINITE = MappingProxyType({text: float(text) for text in ("NaN", "Infinity", "-Infinity")})


def wrong(kind: ViolationKind, expected: str, found: str, place: str | None = None, hint: str = "") -> Flawed:
    """Build the fault of one value; what comes after it can be read."""
    return Flawed([Fault(kind, expected, found, place, hint)], None, 0)


def mismatch(expected: str, value: object, place: str | None) -> Flawed:
    return wrong(ViolationKind.TYPE_MISMATCH, expected, described(value), place)


def described(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "an array"
        case str():
            return f"the string {sample(value)}"
        case int() | float() if not isinstance(value, bool):
            return f"the number {sample(value)}"
        case _:
            return sample(value)


def sample(value: object) -> str:
    """Show a value as JSON has it, without what is inside of it."""
    match value:
        case dict():
            return "{...}"
        case list():
            return "[...]"
        case str():
            return json.dumps(shorten(value, _MAX_SAMPLE), ensure_ascii=False)
        case _:
            return shorten(json.dumps(value), _MAX_SAMPLE)


def _null(place: str | None) -> Read:
    def read(value: object, bounds: Bounds, depth: int) -> object:
        if value is not None:
            raise mismatch("null", value, place)
        return None

    return read


def _boolean(place: str | None) -> Read:
    def read(value: object, bounds: Bounds, depth: int) -> object:
        if not isinstance(value, bool):
            raise mismatch("true or false", value, place)
        return value

    return read


def _whole_number(bits: int, name: str, place: str | None) -> Read:
    bound = 2 ** (bits - 1)

    def read(value: object, bounds: Bounds, depth: int) -> object:
        if not isinstance(value, int) or isinstance(value, bool):
            raise mismatch(f"{name} without a fraction", value, place)
        if not -bound <= value < bound:
            raise wrong(ViolationKind.OUT_OF_RANGE, f"{name} of {bits} bits", described(value), place)
        return value

    return read


def _floating(layout: struct.Struct, name: str, place: str | None) -> Read:
    def read(value: object, bounds: Bounds, depth: int) -> object:
        if isinstance(value, str) and value in _NOT_FINITE:
            return _NOT_FINITE[value]
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise mismatch(name, value, place)
        try:
            # A float is what its four bytes can hold, as in the binary encoding.
            number = layout.unpack(layout.pack(value))[0]
        except (OverflowError, struct.error):
            number = math.inf
        if math.isinf(number):
            raise wrong(ViolationKind.OUT_OF_RANGE, f"{name} in range", described(value), place)
        return number

    return read


def raw_bytes(value: object, place: str | None) -> bytes:
    """Return the bytes that a string stands for, a character each. Raises Flawed."""
    if not isinstance(value, str):
        raise mismatch("a string of bytes", value, place)
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError as error:
        found = f"U+{ord(value[error.start]):04X}"
        raise wrong(ViolationKind.INVALID_TEXT, "bytes as characters up to U+00FF", found, place) from None


def _bytes(place: str | None) -> Read:
    def read(value: object, bounds: Bounds, depth: int) -> object:
        return raw_bytes(value, place)

    return read


def _string(place: str | None) -> Read:
    def read(value: object, bounds: Bounds, depth: int) -> object:
        if not isinstance(value, str):
            raise mismatch("a string", value, place)
        return value

    return read


PRIMITIVES: Mapping[str, Callable[[str | None], Read]] = MappingProxyType(
    {
        "null": _null,
        "boolean": _boolean,
        "int": partial(_whole_number, 32, "an int"),
        "long": partial(_whole_number, 64, "a long"),
        "float": partial(_floating, struct.Struct("<f"), "a float"),
        "double": partial(_floating, struct.Struct("<d"), "a double"),
        "bytes": _bytes,
        "string": _string,
    }
)
