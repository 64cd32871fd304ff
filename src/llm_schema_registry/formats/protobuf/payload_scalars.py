"""Scalars and the texts of well-known types as ProtoJSON writes them (protobuf.dev/programming-guides/json).

Refuses to know messages and where a value stands. Stricter than the runtime's own parser, which takes bytes for base64
that are none, numbers with underscores and booleans as numbers; what both take means the same.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from llm_schema_registry.formats.protobuf.payload_checks import DURATION_SECONDS, TIMESTAMP_SECONDS
from llm_schema_registry.formats.protobuf.plan import (
    INT32,
    INT64,
    TYPE_NAMES,
    UINT32,
    UINT64,
    Field,
    FieldPlan,
)
from llm_schema_registry.model import ViolationKind

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_DURATION = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,9}))?s")
_MASK_PATH = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*")
_UPPER = re.compile("[A-Z]")

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MAX_FLOAT = 3.4028234663852886e38
# Integers from here on are not all numbers of 64 bits with a point, so one written with a point may have lost digits.
_MAX_EXACT = 2.0**53
# More than any number that fits; Python refuses to read thousands of digits.
_MAX_DIGITS = 40

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RANGES = {
    **dict.fromkeys((*INT32, Field.TYPE_ENUM), (-(2**31), 2**31 - 1)),
    **dict.fromkeys(UINT32, (0, 2**32 - 1)),
    **dict.fromkeys(INT64, (-(2**63), 2**63 - 1)),
    **dict.fromkeys(UINT64, (0, 2**64 - 1)),
}


class Unfit(Exception):
    """A JSON value that a type does not take."""

    def __init__(self, kind: ViolationKind, expected: str, found: str) -> None:
        super().__init__(kind, expected, found)
        self.kind = kind
        self.expected = expected
        self.found = found


def json_type(value: object) -> str:
    """Name the type of a decoded JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "an array"
    return "an object" if isinstance(value, dict) else "a number"


def _mismatch(expected: str, value: object) -> Unfit:
    return Unfit(ViolationKind.TYPE_MISMATCH, expected, json_type(value))


def read_scalar(field: FieldPlan, value: object) -> bool | int | float | str | bytes:
    """Return what a JSON value means as one value of a field that holds no messages. Raises Unfit."""
    return _READERS[field.type](field, value)


def _read_integer(field: FieldPlan, value: object) -> int:
    low, high = RANGES[field.type]
    if type(value) is not int:
        value = _whole_number(TYPE_NAMES[field.type], value)
    if not low <= value <= high:
        raise Unfit(ViolationKind.OUT_OF_RANGE, f"{TYPE_NAMES[field.type]} from {low} to {high}", "another number")
    return value


def _whole_number(name: str, value: object) -> int:
    """Return the integer that a string or a number with a point or an exponent means."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise _mismatch(f"{name}, a number or one in quotes", value)
        if _INTEGER.fullmatch(value):
            return _integer(value, name)
        value = float(value)
    if not isinstance(value, float):
        raise _mismatch(f"{name}, a number or one in quotes", value)
    if not math.isfinite(value):
        raise Unfit(ViolationKind.OUT_OF_RANGE, name, "a larger number")
    if not value.is_integer():
        raise Unfit(ViolationKind.TYPE_MISMATCH, f"{name}, a whole number", "a fraction")
    if abs(value) >= _MAX_EXACT:
        raise Unfit(
            ViolationKind.NOT_PRECISE, f"{name}, all digits written out", "a number with a point or an exponent"
        )
    return int(value)


def _integer(digits: str, name: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise Unfit(ViolationKind.OUT_OF_RANGE, name, "a larger number")
    return int(digits)


def _read_float(field: FieldPlan, value: object) -> float:
    name = TYPE_NAMES[field.type]
    if isinstance(value, str):
        if value in _SPECIAL:
            return _SPECIAL[value]
        if not _NUMBER.fullmatch(value):
            raise _mismatch(f'{name}, a number, "NaN", "Infinity" or "-Infinity"', value)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(f'{name}, a number, "NaN", "Infinity" or "-Infinity"', value)
    return finite(value, name, _MAX_FLOAT if field.type == Field.TYPE_FLOAT else math.inf)


def finite(value: float | str, name: str, largest: float = math.inf) -> float:
    """Return a number as a float. Raises Unfit where it is larger than a float can be."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number) or abs(number) > largest:
        raise Unfit(ViolationKind.OUT_OF_RANGE, name, "a larger number")
    return number


def _read_bool(field: FieldPlan, value: object) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(f"{TYPE_NAMES[field.type]}, true or false", value)
    return value


def _read_string(_field: FieldPlan, value: object) -> str:
    if not isinstance(value, str):
        raise _mismatch("string", value)
    return value


def _read_bytes(_field: FieldPlan, value: object) -> bytes:
    if not isinstance(value, str):
        raise _mismatch("bytes, a string in base64", value)
    bare = value.rstrip("=")
    is_padded = len(bare) != len(value)
    if not _BASE64.fullmatch(value) or len(bare) % 4 == 1 or (is_padded and len(value) % 4):
        raise Unfit(ViolationKind.INVALID_BASE64, "base64, standard or for URLs", "other text")
    return base64.urlsafe_b64decode(bare.translate(_FOR_URLS) + "=" * (-len(bare) % 4))


_FOR_URLS = str.maketrans("+/", "-_")


def _read_enum(field: FieldPlan, value: object) -> int:
    enum = field.descriptor.enum_type
    if value is None and field.takes_null:
        return 0
    if isinstance(value, str):
        named = enum.values_by_name.get(value)
        if named is None:
            raise Unfit(ViolationKind.SYMBOL_UNKNOWN, f"a value of {enum.full_name}", value)
        return int(named.number)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(f"a value of {enum.full_name}, a name or a number", value)
    number = _read_integer(field, value)
    if field.symbols is not None and number not in field.symbols:
        raise Unfit(ViolationKind.SYMBOL_UNKNOWN, f"a value of {enum.full_name}", str(number))
    return number


_READERS: Mapping[int, Callable[[FieldPlan, object], bool | int | float | str | bytes]] = {
    **dict.fromkeys(RANGES, _read_integer),
    Field.TYPE_FLOAT: _read_float,
    Field.TYPE_DOUBLE: _read_float,
    Field.TYPE_BOOL: _read_bool,
    Field.TYPE_STRING: _read_string,
    Field.TYPE_BYTES: _read_bytes,
    Field.TYPE_ENUM: _read_enum,
}


def read_key(field: FieldPlan, key: str) -> bool | int | str:
    """Return the key of a map that a name in a JSON object means. Raises Unfit."""
    kind = field.type
    if kind == Field.TYPE_STRING:
        return key
    if kind == Field.TYPE_BOOL:
        if key in {"true", "false"}:
            return key == "true"
    elif _INTEGER.fullmatch(key) and key != "-0":
        return _read_integer(field, _integer(key, TYPE_NAMES[kind]))
    raise Unfit(ViolationKind.TYPE_MISMATCH, f"a key of type {TYPE_NAMES[kind]}", key)


def read_timestamp(value: object) -> tuple[int, int]:
    """Return the seconds since 1970 and nanoseconds of a time in the form of RFC 3339. Raises Unfit."""
    expected = "a time like 1970-01-01T00:00:00.5Z"
    if not isinstance(value, str):
        raise _mismatch(expected, value)
    match = _TIMESTAMP.fullmatch(value)
    try:
        local = datetime.fromisoformat(f"{match[1]}+00:00") if match else None
    except ValueError:
        local = None
    if match is None or local is None:
        raise Unfit(ViolationKind.FORMAT_MISMATCH, expected, "other text")
    since = local - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    if match[3]:
        offset = int(match[4]) * 3600 + int(match[5]) * 60
        seconds -= offset if match[3] == "+" else -offset
    if not TIMESTAMP_SECONDS[0] <= seconds <= TIMESTAMP_SECONDS[1]:
        raise Unfit(ViolationKind.OUT_OF_RANGE, "a time from year 1 to 9999", "another time")
    return seconds, _nanos(match[2])


def read_duration(value: object) -> tuple[int, int]:
    """Return the seconds and nanoseconds of a length of time. Raises Unfit."""
    expected = "a duration like 1.5s"
    if not isinstance(value, str):
        raise _mismatch(expected, value)
    match = _DURATION.fullmatch(value)
    if match is None:
        raise Unfit(ViolationKind.FORMAT_MISMATCH, expected, "other text")
    sign = -1 if match[1] else 1
    seconds, nanos = int(match[2]), _nanos(match[3])
    if seconds > DURATION_SECONDS:
        raise Unfit(ViolationKind.OUT_OF_RANGE, f"at most {DURATION_SECONDS} seconds", "more")
    return sign * seconds, sign * nanos


def _nanos(fraction: str | None) -> int:
    return int(fraction.ljust(9, "0")) if fraction else 0


def read_mask(value: object) -> list[str]:
    """Return the paths of a field mask, in the names of fields as they are declared. Raises Unfit."""
    expected = "paths like a,b.cD"
    if not isinstance(value, str):
        raise _mismatch(expected, value)
    paths = value.split(",") if value else []
    if not all(_MASK_PATH.fullmatch(path) for path in paths):
        raise Unfit(ViolationKind.FORMAT_MISMATCH, expected, "other text")
    return [_UPPER.sub(lambda match: f"_{match[0].lower()}", path) for path in paths]
