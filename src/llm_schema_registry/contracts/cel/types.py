"""The types of a schema's values, declared for the checker of rules: an unknown field, a text compared with a number.

Refuses to check a value. Records become Protobuf messages that exist for the checker only, with every scalar nullable,
so that asking for null is never refused; a Protobuf message is itself. What a schema leaves open is left open: records
with fields that are not listed, unions, lists of lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf import any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from llm_schema_registry.contracts.cel.ast import DECIMAL
from llm_schema_registry.contracts.cel.decimals import decimal_file
from llm_schema_registry.contracts.cel.engine import Function
from llm_schema_registry.formats.shape import Logical, Shape, ShapeKind, walk_shapes

MAX_FIELDS = 20_000
"""A schema with more fields is not declared: its rules are checked without it."""

MAX_FIELDS_OF_RECORD = 4_000
"""A record with more is left open; Protobuf's limit is twice that."""

_PACKAGE = "record"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STANDARD = (any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
_DECIMAL_FILE = "confluent/type/decimal.proto"
_OPEN = "google.protobuf.Value"
_LOGICAL = {
    Logical.TIMESTAMP: "google.protobuf.Timestamp",
    Logical.DURATION: "google.protobuf.Duration",
    Logical.DECIMAL: DECIMAL,
    Logical.UUID: "google.protobuf.StringValue",
}
_SCALARS = {
    ShapeKind.STRING: "google.protobuf.StringValue",
    ShapeKind.ENUM: "google.protobuf.StringValue",
    ShapeKind.BYTES: "google.protobuf.BytesValue",
    ShapeKind.FIXED: "google.protobuf.BytesValue",
    ShapeKind.INT: "google.protobuf.Int64Value",
    ShapeKind.LONG: "google.protobuf.Int64Value",
    ShapeKind.FLOAT: "google.protobuf.DoubleValue",
    ShapeKind.DOUBLE: "google.protobuf.DoubleValue",
    ShapeKind.BOOLEAN: "google.protobuf.BoolValue",
}


class Declared(NamedTuple):
    """A schema's types for the checker. `value` is the name of the type of values, `records` name all their records:
    by the name of the type, the shape. `functions` are what the checker would refuse on records.
    """

    pool: DescriptorPool
    value: str
    records: dict[str, Shape]
    functions: tuple[Function, ...]


def open_pool() -> DescriptorPool:
    """Return a pool with the types that rules may always name."""
    pool = DescriptorPool()
    for module in _STANDARD:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.Add(decimal_file())
    return pool


def message_pool(file: FileDescriptor) -> DescriptorPool:
    """Return a pool with a file of Protobuf messages, what it imports, and the types that rules may always name."""
    pool = DescriptorPool()
    needed = {current.name: current for current in (*_imports_first(file), *(each.DESCRIPTOR for each in _STANDARD))}
    for current in needed.values():
        pool.AddSerializedFile(current.serialized_pb)
    try:
        pool.FindMessageTypeByName(DECIMAL)
    except KeyError:
        pool.Add(decimal_file())
    return pool


def type_name(shape: Shape) -> str:
    """Return the checker's name for the type of a value that is not a record."""
    if shape.logical in _LOGICAL:
        return _LOGICAL[shape.logical]
    if shape.is_unsigned:
        return "google.protobuf.UInt64Value"
    return _SCALARS.get(shape.kind, _OPEN)


def declare(shape: Shape) -> Declared:
    """Declare the types of a schema's values."""
    if shape.descriptor is not None:
        pool = message_pool(shape.descriptor.file)
        return Declared(pool, shape.descriptor.full_name, {shape.descriptor.full_name: shape}, ())
    records = _records(shape)
    pool = open_pool()
    if not records:
        return Declared(pool, type_name(shape), {}, ())
    names = dict(zip(map(id, records), _names(records), strict=True))
    dependencies = [*(module.DESCRIPTOR.name for module in _STANDARD), _DECIMAL_FILE]
    file = FileDescriptorProto(name="record.proto", package=_PACKAGE, syntax="proto2", dependency=dependencies)
    for record in records:
        _fill(file.message_type.add(name=names[id(record)]), record, names)
    pool.Add(file)
    by_type = {f"{_PACKAGE}.{names[id(record)]}": record for record in records}
    # A record is a map to rules as well: its fields can be asked for by a text.
    functions = [
        row
        for name in by_type
        for row in (
            Function("_[_]", (name, "string"), "dyn", lambda record, key: record[key]),
            Function("@in", ("string", name), "bool", lambda key, record: key in record),
            Function("size", (name,), "int", len),
            Function("size", (name,), "int", len, is_member=True),
        )
    ]
    value = f"{_PACKAGE}.{names[id(shape)]}" if id(shape) in names else type_name(shape)
    return Declared(pool, value, by_type, tuple(functions))


def _records(shape: Shape) -> list[Shape]:
    """Return the records whose fields are all known, none if there are too many fields."""
    found: list[Shape] = []
    fields = 0
    for current in walk_shapes(shape):
        fields += len(current.fields)
        if fields > MAX_FIELDS:
            return []
        if current.kind is ShapeKind.RECORD and not current.is_open and len(current.fields) <= MAX_FIELDS_OF_RECORD:
            found.append(current)
    return found


def _names(records: list[Shape]) -> Iterator[str]:
    for index, record in enumerate(records):
        simple = record.name.rpartition(".")[2]
        yield f"{simple if _NAME.fullmatch(simple) else 'Record'}_{index}"


def _fill(message: DescriptorProto, record: Shape, names: dict[int, str]) -> None:
    taken = set(record.fields)
    for number, (name, field) in enumerate(record.fields.items(), start=1):
        # What has another name cannot be selected with a dot.
        if _NAME.fullmatch(name):
            _add_field(message, name, number, field.shape, names, taken)


def _add_field(
    message: DescriptorProto, name: str, number: int, shape: Shape, names: dict[int, str], taken: set[str]
) -> None:
    label = FieldDescriptorProto.LABEL_OPTIONAL
    kind = _field_type(shape, names)
    entry_name = f"{_camel(name)}Entry"
    if shape.items is not None and shape.kind is ShapeKind.ARRAY:
        item = _field_type(shape.items, names)
        if shape.items.kind not in {ShapeKind.ARRAY, ShapeKind.MAP}:
            label, kind = FieldDescriptorProto.LABEL_REPEATED, item
    elif shape.items is not None and entry_name not in taken:
        # Protobuf prescribes the name of a map's entries; where something else has it, the map is left open.
        taken.add(entry_name)
        entry = message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=FieldDescriptorProto.TYPE_STRING, label=label)
        entry.field.add(
            name="value",
            number=2,
            type=FieldDescriptorProto.TYPE_MESSAGE,
            type_name=f".{_field_type(shape.items, names)}",
            label=label,
        )
        label, kind = FieldDescriptorProto.LABEL_REPEATED, f"{_PACKAGE}.{message.name}.{entry.name}"
    message.field.add(
        name=name,
        json_name=name,
        number=number,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=f".{kind}",
        label=label,
    )


def _field_type(shape: Shape, names: dict[int, str]) -> str:
    return f"{_PACKAGE}.{names[id(shape)]}" if id(shape) in names else type_name(shape)


def _camel(name: str) -> str:
    """Return a field's name as Protobuf wants it in the name of its map's entries."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _imports_first(file: FileDescriptor) -> Iterator[FileDescriptor]:
    """Yield a file and all it imports, each once and after its own imports."""
    seen: set[str] = set()
    waiting = [(file, False)]
    while waiting:
        current, is_ready = waiting.pop()
        if is_ready:
            yield current
        elif current.name not in seen:
            seen.add(current.name)
            waiting.append((current, True))
            waiting.extend((needed, False) for needed in current.dependencies)
