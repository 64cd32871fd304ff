"""How a value changes when it is read as another primitive, or under another logical type.

Refuses to look at anything but one pair of primitives, or of fixed of one size, that Java's check lets pass.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from llm_schema_registry.formats.avro import kinds
from llm_schema_registry.formats.avro.logical import (
    Logical,
    bytes_sample,
    bytes_text,
    logical_type,
    number_sample,
    read_bytes,
    read_number,
)
from llm_schema_registry.formats.avro.tree import Fixed, Primitive

# Writer and reader, the first whole number that is lost, and what it becomes.
_LOSSY = {
    ("int", "float"): ("16777217", "16777216.0"),
    ("long", "float"): ("16777217", "16777216.0"),
    ("long", "double"): ("9007199254740993", "9007199254740992.0"),
}
_MAX_INT = 2**31 - 1
_UUID = "123e4567-e89b-12d3-a456-426614174000"


class Harm(NamedTuple):
    """A kind of difference, what it is about, and a value of the writer with what the reader makes of it."""

    kind: str
    info: str
    sample: str
    outcome: str


def compare_values(reader: Primitive | Fixed, writer: Primitive | Fixed) -> Harm | None:
    """Return how values are harmed, or None when each keeps its meaning. What fails or is lost comes first."""
    if reader.type != writer.type:
        types = f"{writer.type} read as {reader.type}"
        if (writer.type, reader.type) in _LOSSY:
            return Harm(kinds.LOSSY_PROMOTION, types, *_LOSSY[writer.type, reader.type])
        if reader.type == "string":
            outcome = "fails in fastavro; Java's decoder puts U+FFFD in its place"
            return Harm(kinds.BYTES_READ_AS_STRING, types, bytes_text(b"\xff"), outcome)
        if reader.type == "bytes":
            text = _UUID if logical_type(writer) is not None else "\u00e9"
            return Harm(kinds.STRING_READ_AS_BYTES, types, json.dumps(text), read_bytes(None, text.encode()))
    elif not reader.properties and not writer.properties:
        return None
    return _compare_logical(reader, writer, logical_type(reader), logical_type(writer))


def _compare_logical(
    reader: Primitive | Fixed, writer: Primitive | Fixed, ours: Logical | None, theirs: Logical | None
) -> Harm | None:
    if ours == theirs:
        return None
    if ours is None:
        if theirs == Logical("uuid") and writer.type == "string":
            return None
        kind = kinds.LOGICAL_TYPE_REMOVED
    elif theirs is None:
        kind = kinds.LOGICAL_TYPE_ADDED
    elif ours.name != "decimal" or theirs.name != "decimal":
        kind = kinds.LOGICAL_TYPE_CHANGED
    elif ours.scale != theirs.scale:
        kind = kinds.DECIMAL_SCALE_CHANGED
    elif ours.precision < theirs.precision:
        kind = kinds.DECIMAL_PRECISION_NARROWED
    else:
        return None
    info = f"{theirs or writer.type} read as {ours or reader.type}"
    return Harm(kind, info, *_show(reader, writer, ours, theirs, kind))


def _show(
    reader: Primitive | Fixed, writer: Primitive | Fixed, ours: Logical | None, theirs: Logical | None, kind: str
) -> tuple[str, str]:
    """Return a sample and its outcome."""
    if writer.type == "string":
        return '"not a UUID"', "fails where it is read as a UUID"
    if writer.type in ("int", "long"):
        number = number_sample(theirs, ours)
        if writer.type == "int":
            number = min(number, _MAX_INT)
        read = read_number(ours, number) if reader.type in ("int", "long") else str(float(number))
        return str(number), _outcome(read_number(theirs, number), read)
    is_narrowed = kind == kinds.DECIMAL_PRECISION_NARROWED
    raw = bytes_sample(writer, theirs, has_all_digits=is_narrowed)
    if raw is None:
        return "", ""
    written = read_bytes(theirs, raw)
    if is_narrowed:
        return bytes_text(raw), f"{written}, which has more digits than the reader's type"
    return bytes_text(raw), _outcome(written, read_bytes(ours, raw))


def _outcome(written: str, read: str) -> str:
    return f"{read}, written as {written}"
