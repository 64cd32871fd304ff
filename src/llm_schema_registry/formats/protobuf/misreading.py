"""What a scalar of one type reads as under another: which values come out different, and as what.

Refuses to look at labels, maps and messages. Encodings: protobuf.dev/programming-guides/encoding and .../json.
"""

from __future__ import annotations

import base64
import struct
from enum import Enum
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from llm_schema_registry.formats.protobuf.layout import EnumLayout
from llm_schema_registry.formats.protobuf.tags import varint

Json = bool | int | float | str | list["Json"] | dict[str, "Json"]


class Loss(Enum):
    """How a value does not arrive: alone (in a map with its entry), or with the whole message."""

    LOST = 1
    REFUSED = 2


LOST, REFUSED = Loss.LOST, Loss.REFUSED
Seen = Json | Loss

BINARY, PROTO_JSON = "binary", "ProtoJSON"

_SIGNED_VARINTS = {Field.TYPE_INT32: 32, Field.TYPE_INT64: 64, Field.TYPE_ENUM: 32}
_UNSIGNED_VARINTS = {Field.TYPE_UINT32: 32, Field.TYPE_UINT64: 64}
_ZIGZAG = {Field.TYPE_SINT32: 32, Field.TYPE_SINT64: 64}
_FORMATS = {
    Field.TYPE_FIXED32: "<I",
    Field.TYPE_SFIXED32: "<i",
    Field.TYPE_FLOAT: "<f",
    Field.TYPE_FIXED64: "<Q",
    Field.TYPE_SFIXED64: "<q",
    Field.TYPE_DOUBLE: "<d",
}
_FLOATS = frozenset({Field.TYPE_FLOAT, Field.TYPE_DOUBLE})
_LENGTH_PREFIXED = frozenset({Field.TYPE_STRING, Field.TYPE_BYTES})
# ProtoJSON writes these as strings, because JavaScript's numbers cannot hold them.
_QUOTED = frozenset(
    {
        Field.TYPE_INT64,
        Field.TYPE_UINT64,
        Field.TYPE_SINT64,
        Field.TYPE_FIXED64,
        Field.TYPE_SFIXED64,
    }
)
_WIDE = 2**32 + 1
_MASK = 2**64 - 1
# The bits of 1.0: seen as an integer, and the other way around.
_BITS_OF_ONE = {Field.TYPE_FIXED32: 0x3F800000, Field.TYPE_SFIXED32: 0x3F800000}


class Scalar(NamedTuple):
    """A type of `FieldDescriptorProto.Type`, not a message's, with the enum if it is one."""

    type: Field.Type.ValueType
    enum: EnumLayout | None = None
    verifies_utf8: bool = True


class Misreading(NamedTuple):
    """A value of the writer's type, in ProtoJSON, and what the reader's type makes of it in one of the two forms."""

    kind: str
    sample: Json
    seen: Seen
    form: str = BINARY


def framing(kind: Field.Type.ValueType) -> str:
    """Return how a scalar's bytes are framed: as `varint`, `length`, or so many `bytes`."""
    if kind in _FORMATS:
        return f"{struct.calcsize(_FORMATS[kind])} bytes"
    return "length" if kind in _LENGTH_PREFIXED else "varint"


def misreading(reader: Scalar, writer: Scalar) -> Misreading | None:
    """Return a value that does not arrive as it was sent; None if there is none. Two enums are not compared here."""
    if reader.type == writer.type:
        return None
    frame = framing(writer.type)
    if frame != framing(reader.type):
        return Misreading("WIRE_TYPE_CHANGED", example(writer), LOST)
    if frame == "varint":
        return _integer(reader, writer)
    if frame == "length":
        return _text(reader, writer)
    if (reader.type in _FLOATS) or (writer.type in _FLOATS):
        value = _number_of_one(writer.type)
        return Misreading("WIRE_BITS_REINTERPRETED", write(writer, value), _read(reader, _raw(writer, value)))
    return _computed("WIRE_SIGN_CHANGED", reader, writer, _extreme(writer.type))


def _integer(reader: Scalar, writer: Scalar) -> Misreading | None:
    value = 1 if writer.enum is None else _telling_number(writer.enum)
    if value == 0 and writer.enum is not None and not writer.enum.is_closed:
        value = 1  # an open enum holds any number
    if (reader.type in _ZIGZAG) != (writer.type in _ZIGZAG) and value:  # 0 is the same in both
        return _computed("WIRE_ZIGZAG_CHANGED", reader, writer, value)
    if writer.type == Field.TYPE_ENUM:
        return Misreading("WIRE_JSON_ENUM_TO_NUMBER", example(writer), REFUSED, PROTO_JSON)
    if writer.type == Field.TYPE_BOOL:
        return Misreading("WIRE_JSON_BOOL_TO_NUMBER", True, REFUSED, PROTO_JSON)
    if reader.type == Field.TYPE_BOOL:
        return _computed("WIRE_BOOL_CHANGED", reader, writer, 2)
    if reader.enum is not None and reader.enum.is_closed:
        return Misreading("WIRE_ENUM_VALUE_LOST", write(writer, unknown_number(reader.enum)), LOST)
    if _width(reader.type) < _width(writer.type):
        return _computed("WIRE_VALUE_NARROWED", reader, writer, _WIDE)
    is_unsigned = writer.type in _UNSIGNED_VARINTS
    if is_unsigned == (reader.type in _UNSIGNED_VARINTS) or (is_unsigned and _width(reader.type) > _width(writer.type)):
        return None
    return _computed("WIRE_SIGN_CHANGED", reader, writer, _extreme(writer.type))


def _text(reader: Scalar, writer: Scalar) -> Misreading:
    if writer.type == Field.TYPE_STRING:
        return Misreading("WIRE_JSON_STRING_TO_BYTES", "a", REFUSED, PROTO_JSON)
    sample = base64.b64encode(b"\xff").decode()
    if reader.verifies_utf8:
        return Misreading("WIRE_BYTES_NOT_UTF8", sample, REFUSED)
    return Misreading("WIRE_BYTES_NOT_UTF8", sample, sample, PROTO_JSON)


def _computed(kind: str, reader: Scalar, writer: Scalar, value: int) -> Misreading:
    return Misreading(kind, write(writer, value), _read(reader, _raw(writer, value)))


def _width(kind: Field.Type.ValueType) -> int:
    return {**_SIGNED_VARINTS, **_UNSIGNED_VARINTS, **_ZIGZAG}[kind]


def _extreme(kind: Field.Type.ValueType) -> int:
    """Return the value of an integer type that the other sign cannot hold: all bits set."""
    return {
        Field.TYPE_UINT32: 2**32 - 1,
        Field.TYPE_FIXED32: 2**32 - 1,
        Field.TYPE_UINT64: _MASK,
        Field.TYPE_FIXED64: _MASK,
    }.get(kind, -1)


def _number_of_one(kind: Field.Type.ValueType) -> int:
    return 1 if kind in _FLOATS else _BITS_OF_ONE.get(kind, 0x3FF0000000000000)


def _telling_number(enum: EnumLayout) -> int:
    """Return a number of an enum, not 0 if possible: 0 reads as 0 nearly everywhere."""
    return next((number for number in enum.names if number), enum.first)


def unknown_number(enum: EnumLayout) -> int:
    """Return a number that no value of an enum has."""
    return next(number for number in range(len(enum.names) + 1) if number not in enum.names)


def example(scalar: Scalar) -> Json:
    """Return a value, in ProtoJSON, that is not the type's zero if there is another."""
    if scalar.enum is not None:
        return scalar.enum.names[_telling_number(scalar.enum)]
    if scalar.type in _LENGTH_PREFIXED:
        return "a" if scalar.type == Field.TYPE_STRING else "YQ=="
    return write(scalar, 1)


def write(scalar: Scalar, value: float) -> Json:
    """Return a number, bool or enum number as ProtoJSON writes it."""
    if scalar.enum is not None:
        return scalar.enum.names.get(int(value), int(value))
    if scalar.type == Field.TYPE_BOOL:
        return bool(value)
    if scalar.type in _FLOATS:
        return float(value)
    return str(value) if scalar.type in _QUOTED else int(value)


def _raw(scalar: Scalar, value: int) -> int | bytes:
    """Return the varint or the bytes of a number."""
    if scalar.type in _FORMATS:
        return struct.pack(_FORMATS[scalar.type], value)
    if scalar.type in _ZIGZAG:
        return ((value << 1) ^ (value >> 63)) & _MASK
    return value & _MASK


def _read(scalar: Scalar, raw: int | bytes) -> Seen:
    """Return what a numeric type makes of a varint or of bytes, in ProtoJSON."""
    if isinstance(raw, bytes):
        value: int | float = struct.unpack(_FORMATS[scalar.type], raw)[0]
    elif scalar.type == Field.TYPE_BOOL:
        value = raw
    elif scalar.type in _ZIGZAG:
        bits = raw & (2 ** _ZIGZAG[scalar.type] - 1)
        value = (bits >> 1) ^ -(bits & 1)
    else:
        width = _width(scalar.type)
        value = raw & (2**width - 1)
        if scalar.type in _SIGNED_VARINTS and value >= 2 ** (width - 1):
            value -= 2**width
        if scalar.enum is not None and scalar.enum.is_closed and value not in scalar.enum.names:
            return LOST
    return write(scalar, value)


def elements_as_text(reader: Scalar | None, writer: Scalar) -> Misreading:
    """Return what a packed list of numbers reads as where bytes, text, or (None) a message are expected."""
    value = _telling_number(writer.enum) if writer.enum is not None else 1
    if writer.type in _FLOATS:
        value = 2  # its bytes are UTF-8, those of 1.0 are not
    raw = _raw(writer, value)
    content = varint(raw) if isinstance(raw, int) else raw
    seen: Seen = REFUSED
    if reader is not None and reader.type == Field.TYPE_BYTES:
        seen = base64.b64encode(content).decode()
    elif reader is not None and _is_utf8(content):
        seen = content.decode()
    return Misreading("WIRE_TYPE_CHANGED", write(writer, value), seen)


def text_as_elements(reader: Scalar, writer: Scalar) -> Misreading:
    """Return what text or bytes read as where a list of numbers, packed or not, is expected."""
    seen = REFUSED if reader.type in _FORMATS else _read(reader, ord("a"))
    return Misreading("WIRE_TYPE_CHANGED", example(writer), seen)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
