"""How a value changes when it is read as another primitive, or under another logical type.

Refuses to look at anything but one pair of primitives, or of fixed of one size, that Java's check lets pass.
"""

from __future__ import annotations

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
            return Harm(kinds.STRING_READ_AS_BYTES, types, '"\\u00e9"', "the bytes c3 a9")
    elif not reader.properties and not writer.properties:
        return None
    return _compare_logical(reader, writer, logical_type(reader), logical_type(writer))


def _compare_logical(
    reader: Primitive | Fixed, writer: Primitive | Fixed, ours: Logical | None, theirs: Logical | None
) -> Harm | None:
    digits = 3
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
        digits = theirs.precision
    else:
        return None
    info = f"{theirs or writer.type} read as {ours or reader.type}"
    return Harm(kind, info, *_show(writer, ours, theirs, digits))


def _show(writer: Primitive | Fixed, ours: Logical | None, theirs: Logical | None, digits: int) -> tuple[str, str]:
    """Return a sample and its outcome."""
    if writer.type == "string":
        return '"not a UUID"', "fails where it is read as a UUID"
    if writer.type in ("int", "long"):
        number = number_sample(theirs, ours)
        return str(number), _outcome(read_number(theirs, number), read_number(ours, number))
    raw = bytes_sample(writer, theirs, digits=min(digits, theirs.precision) if theirs and theirs.precision else digits)
    if raw is None:
        return "", ""
    if ours is not None and theirs is not None and ours.scale == theirs.scale and theirs.precision > ours.precision > 0:
        return bytes_text(raw), f"{read_bytes(theirs, raw)}, which has more than {ours.precision} digits"
    return bytes_text(raw), _outcome(read_bytes(theirs, raw), read_bytes(ours, raw))


def _outcome(written: str, read: str) -> str:
    return f"{read}, written as {written}"
