"""How violations of a JSON document are worded: short, in whole sentences, at most 100 characters of a value.

Refuses to look for violations.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from llm_schema_registry.model import Violation, ViolationKind

_MAX_SHOWN = 60
_MAX_SAID = 100
_MAX_LISTED = 5
_SUBJECTS = {
    ViolationKind.TYPE_MISMATCH: "The value at {} has another type",
    ViolationKind.FIELD_MISSING: "The field {} is missing",
    ViolationKind.FIELD_UNKNOWN: "The field {} is not in the schema",
    ViolationKind.VALUE_NOT_ALLOWED: "The value at {} is not allowed",
    ViolationKind.OUT_OF_RANGE: "The number at {} is out of range",
    ViolationKind.NOT_PRECISE: "The number at {} is not a whole number of steps",
    ViolationKind.LENGTH_OUT_OF_RANGE: "The size of the value at {} is out of range",
    ViolationKind.PATTERN_MISMATCH: "The string at {} does not match",
    ViolationKind.FORMAT_MISMATCH: "The string at {} is not of the format",
    ViolationKind.INVALID_BASE64: "The string at {} is not base64",
    ViolationKind.ITEMS_NOT_UNIQUE: "The list at {} repeats an item",
    ViolationKind.COMBINATION_FAILED: "The value at {} does not fit the combination of schemas",
    ViolationKind.MALFORMED: "The payload at {} is not what the schema reads",
}


def violation(kind: ViolationKind, path: str, schema_path: str, expected: str, found: str) -> Violation:
    """Make a violation with its sentence."""
    expected, found = _clipped(expected, _MAX_SAID), _clipped(found, _MAX_SAID)
    place = f"'{_clipped(path, 200)}'" if path else "the top"
    message = f"{_SUBJECTS[kind].format(place)}: expected {expected}, found {found}"
    return Violation(kind, path, message, expected, found, schema_path)


def shown(value: object) -> str:
    """Write a value down, shortly: containers by their size."""
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    if isinstance(value, list):
        return f"a list of {len(value)} items"
    if isinstance(value, str):
        text = msgspec.json.encode(value[:_MAX_SHOWN]).decode()
        return text if len(value) <= _MAX_SHOWN else f"{text[:-1]}... of {len(value)} characters"
    if isinstance(value, Decimal):
        return _clipped(str(value), _MAX_SHOWN)
    return _clipped(msgspec.json.encode(value).decode(), _MAX_SHOWN)


def type_of(value: object) -> str:
    """Name the type of a JSON value."""
    return _TYPES[type(value)]


def size_of(value: object) -> str:
    """Say how long a string, list or object is."""
    size = len(value) if isinstance(value, str | list | dict) else 0
    return f"{size}"


def listed(items: Sequence[str], word: str = "and") -> str:
    """Write down items, the first few of many."""
    if len(items) > _MAX_LISTED:
        return f"{', '.join(items[:_MAX_LISTED])} {word} {len(items) - _MAX_LISTED} more"
    return f" {word} ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def _clipped(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 3]}..."


_TYPES = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
