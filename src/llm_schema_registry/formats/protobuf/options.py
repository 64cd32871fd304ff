"""Option values: from the bytes that a compiled descriptor keeps to the text that protoc reads.

Refuses to lay out a file. Custom options are found among the extensions that the file's imports declare.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import Message

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.protobuf.symbols import Symbols

# protoc itself gives up below a hundred.
MAX_DEPTH = 100
MAX_VARINT_BYTES = 10

Field = FieldDescriptorProto
_FEATURES = "google.protobuf.FeatureSet"
_VARINT, _FIXED64, _BYTES, _START_GROUP, _END_GROUP, _FIXED32 = range(6)
_LENGTH_DELIMITED = (Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_MESSAGE, Field.TYPE_GROUP)
_ESCAPES = {code: f"\\{code:03o}" for code in (*range(0x20), 0x7F)} | {
    ord(char): escape for char, escape in {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}.items()
}
_BYTE_ESCAPES = _ESCAPES | {code: f"\\{code:03o}" for code in range(0x80, 0x100)}
_FIXED_FORMATS = {
    Field.TYPE_DOUBLE: "<d",
    Field.TYPE_FLOAT: "<f",
    Field.TYPE_FIXED64: "<Q",
    Field.TYPE_FIXED32: "<I",
    Field.TYPE_SFIXED64: "<q",
    Field.TYPE_SFIXED32: "<i",
}


class Record(NamedTuple):
    """One field of a serialized message: its number, its value, and the bytes it came from."""

    number: int
    wire_type: int
    value: int | bytes
    raw: bytes


class Entry(NamedTuple):
    """All values of one option: how its name is written, its declaration, its values."""

    name: str
    field: FieldDescriptorProto
    values: list[int | bytes]


def quote(value: str | bytes) -> str:
    """Return a string literal. Text beyond ASCII stays readable; control characters become octal escapes.

    Bytes, which protobuf also gives for text that is not UTF-8, are written in ASCII.
    """
    if isinstance(value, bytes):
        return f'"{value.decode("latin-1").translate(_BYTE_ESCAPES)}"'
    return f'"{value.translate(_ESCAPES)}"'


def records(data: bytes) -> Iterator[Record]:
    """Split a serialized message into its fields, in order. Raises InvalidSchema for anything else."""
    position = 0
    while position < len(data):
        record, position = _record(data, position, 0)
        yield record


def _record(data: bytes, start: int, depth: int) -> tuple[Record, int]:
    if depth > MAX_DEPTH:
        raise InvalidSchema("an option value is nested too deeply")
    key, position = _varint(data, start)
    number, wire_type = key >> 3, key & 7
    value: int | bytes
    if wire_type == _VARINT:
        value, position = _varint(data, position)
    elif wire_type in (_FIXED64, _FIXED32):
        size = 8 if wire_type == _FIXED64 else 4
        value, position = data[position : position + size], position + size
    elif wire_type == _BYTES:
        size, position = _varint(data, position)
        value, position = data[position : position + size], position + size
    elif wire_type == _START_GROUP:
        first = end = position
        inner = Record(0, -1, 0, b"")
        while (inner.number, inner.wire_type) != (number, _END_GROUP):
            end = position
            inner, position = _record(data, position, depth + 1)
        value = data[first:end]
    elif wire_type == _END_GROUP and depth:
        value = b""
    else:
        raise InvalidSchema("an option value is not a serialized message")
    if position > len(data):
        raise InvalidSchema("an option value is cut short")
    return Record(number, wire_type, value, data[start:position]), position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & (2**64 - 1), position + index + 1
    raise InvalidSchema("an option value is cut short")


class OptionWriter:
    """Writes the options of descriptors as text, each as `name = value`, ordered by number."""

    def __init__(self, symbols: Symbols, *, with_extensions: bool = True) -> None:
        self._symbols = symbols
        self._with_extensions = with_extensions

    def write(self, options: Message, scope: str) -> list[str]:
        """Return the assignments of an options message (`FieldOptions`, ...) that stands inside a scope."""
        data = options.SerializeToString(deterministic=True)
        return self._assignments(data, options.DESCRIPTOR.full_name, scope, "", 0) if data else []

    def _assignments(self, data: bytes, type_name: str, scope: str, prefix: str, depth: int) -> list[str]:
        lines = []
        for name, field, values in self._entries(data, type_name, depth):
            if field.extendee:
                if not self._with_extensions:
                    continue
                target = f"{prefix}({self._symbols.write_extension(name, scope)})"
            else:
                target = f"{prefix}{field.name}"
            if type_name == _FEATURES or field.type_name == f".{_FEATURES}":
                # Features are written one by one: `features.(pb.cpp).string_type = VIEW`.
                for value in values:
                    if isinstance(value, bytes) and field.type == Field.TYPE_MESSAGE:
                        inner = field.type_name.removeprefix(".")
                        lines += self._assignments(value, inner, scope, f"{target}.", depth + 1)
                    else:
                        lines.append(f"{target} = {self._value(field, value, depth)}")
            else:
                lines += [f"{target} = {self._value(field, value, depth)}" for value in values]
        return lines

    def _entries(self, data: bytes, type_name: str, depth: int) -> list[Entry]:
        """Gather the fields of a serialized message by number: repeated ones unpacked, parts of one message joined."""
        message = self._symbols.messages.get(type_name)
        if message is None or depth > MAX_DEPTH:
            raise InvalidSchema(f"an option of type {type_name} cannot be read: it is unknown or nested too deeply")
        known = {field.number: field for field in message.field}
        entries: dict[int, Entry] = {}
        for record in records(data):
            number = record.number
            if number not in entries:
                name, field = self._symbols.extensions.get((type_name, number), ("", known.get(number)))
                if field is None:
                    raise InvalidSchema(
                        f"option {number} of {type_name} is unknown: import the file that declares it as an extension"
                    )
                entries[number] = Entry(name, field, [])
            _, field, values = entries[number]
            decoded = _decode(field, record)
            if field.label == Field.LABEL_REPEATED:
                values += decoded
            elif values and isinstance(values[0], bytes) and field.type in (Field.TYPE_MESSAGE, Field.TYPE_GROUP):
                values[0] += b"".join(value for value in decoded if isinstance(value, bytes))
            else:
                values[:] = decoded[-1:]
        return [entries[number] for number in sorted(entries)]

    def _value(self, field: FieldDescriptorProto, value: int | bytes, depth: int) -> str:
        if isinstance(value, int):
            return self._integer(field, value)
        if field.type in (Field.TYPE_MESSAGE, Field.TYPE_GROUP):
            body = self._body(value, field.type_name.removeprefix("."), depth + 1)
            return f"{{ {body} }}" if body else "{}"
        if field.type == Field.TYPE_STRING:
            try:
                return quote(value.decode())
            except UnicodeDecodeError:
                return quote(value)
        if field.type == Field.TYPE_BYTES:
            return quote(value)
        (number,) = struct.unpack(_FIXED_FORMATS[field.type], value)
        if field.type == Field.TYPE_FLOAT:
            return shortest_float(number)
        return repr(number)

    def _integer(self, field: FieldDescriptorProto, value: int) -> str:
        if field.type == Field.TYPE_BOOL:
            return "true" if value else "false"
        if field.type in (Field.TYPE_SINT32, Field.TYPE_SINT64):
            return str(value >> 1 ^ -(value & 1))
        signed = value - 2**64 if value >= 2**63 else value
        if field.type == Field.TYPE_ENUM:
            enum = self._symbols.enums.get(field.type_name.removeprefix("."))
            names = [item.name for item in enum.value if item.number == signed] if enum else []
            return names[0] if names else str(signed)
        return str(value if field.type == Field.TYPE_UINT64 else signed)

    def _body(self, data: bytes, type_name: str, depth: int) -> str:
        """Return the fields of a message in text format, on one line."""
        parts = []
        for name, field, values in self._entries(data, type_name, depth):
            if field.extendee:
                label = f"[{name}]"
            elif field.type == Field.TYPE_GROUP:
                label = field.type_name.rpartition(".")[2]
            else:
                label = field.name
            texts = [self._value(field, value, depth) for value in values]
            inner = self._symbols.messages.get(field.type_name.removeprefix("."))
            if inner is not None and inner.options.map_entry:
                texts.sort()  # protoc keeps the entries of a map in no order
            parts += [f"{label} {text}" if text.startswith("{") else f"{label}: {text}" for text in texts]
        return " ".join(parts)


def shortest_float(number: float) -> str:
    """Return the shortest decimal that reads back as the same 32-bit float."""
    for digits in range(6, 10):
        text = f"{number:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", number):
            break
    return text


def _decode(field: FieldDescriptorProto, record: Record) -> list[int | bytes]:
    """Return the values in one record: several where a repeated scalar is packed, else one."""
    size = struct.calcsize(_FIXED_FORMATS[field.type]) if field.type in _FIXED_FORMATS else 0
    if field.type in _LENGTH_DELIMITED:
        is_right = record.wire_type in (_BYTES, _START_GROUP)
    elif record.wire_type == _BYTES and isinstance(record.value, bytes):
        return _unpack(record.value, size)
    else:
        is_right = record.wire_type == {0: _VARINT, 4: _FIXED32, 8: _FIXED64}[size]
    if not is_right:
        raise InvalidSchema(f"the value of option {field.name} has the wrong type")
    return [record.value]


def _unpack(value: bytes, size: int) -> list[int | bytes]:
    """Split packed scalars of a fixed size, or varints where it is 0."""
    values: list[int | bytes] = []
    position = 0
    while position < len(value):
        if size:
            values.append(value[position : position + size].ljust(size, b"\0"))
            position += size
        else:
            number, position = _varint(value, position)
            values.append(number)
    return values
