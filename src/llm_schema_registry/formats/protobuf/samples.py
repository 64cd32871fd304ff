"""Messages that show a hazard, in ProtoJSON, and how what the reader makes of them is told.

Refuses to judge. A sample holds nothing but what shows the hazard: required fields besides are left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from llm_schema_registry.formats.protobuf.layout import TEXT_TYPES, FieldLayout, SchemaLayout
from llm_schema_registry.formats.protobuf.misreading import (
    BINARY,
    PROTO_JSON,
    REFUSED,
    Json,
    Loss,
    Scalar,
    Seen,
    example,
    write,
)
from llm_schema_registry.formats.protobuf.well_known import JSON_FORMS


def text(sample: Json) -> str:
    """Write a sample as JSON text."""
    return json.dumps(sample, ensure_ascii=False)


def outcome(form: str, seen: Seen) -> str:
    """Tell what the reader sees in one of the two forms: `binary: {"a": 1}`, or `ProtoJSON: refused`."""
    return f"{form}: {'refused' if isinstance(seen, Loss) else text(seen)}"


NOT_IN_JSON = outcome(PROTO_JSON, REFUSED)
NOT_IN_BINARY = outcome(BINARY, REFUSED)
NOTHING = outcome(BINARY, {})


def scalar_of(schema: SchemaLayout, field: FieldLayout) -> Scalar:
    """Return the type of a field that holds no messages."""
    enum = schema.enum(field.type_name) if field.type == Field.TYPE_ENUM else None
    return Scalar(field.type, enum, field.verifies_utf8)


def value_of(schema: SchemaLayout, field: FieldLayout) -> Json:
    """Return a value that one element of a field may have, not the zero of its type if there is another."""
    if field.is_message:
        return JSON_FORMS.get(field.type_name, {})  # type: ignore[return-value] # lists and dictionaries are invariant
    return example(scalar_of(schema, field))


def zero_of(schema: SchemaLayout, field: FieldLayout) -> Json:
    """Return what an absent value of a map's entry reads as."""
    if field.is_message:
        return {}
    scalar = scalar_of(schema, field)
    if field.type in TEXT_TYPES:
        return ""
    return write(scalar, scalar.enum.first if scalar.enum else 0)


def key_text(key: Json) -> str:
    """Write a map's key as the name that it is in ProtoJSON."""
    return key if isinstance(key, str) else text(key)


def member_of(schema: SchemaLayout, field: FieldLayout) -> dict[str, Json]:
    """Return a message that holds nothing but one value of a field."""
    if field.is_map:
        parts = schema.message(field.type_name).fields
        return {field.json_name: {key_text(value_of(schema, parts[1])): value_of(schema, parts[2])}}
    value = value_of(schema, field)
    return {field.json_name: [value] if field.is_repeated else value}


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a value stands: in a field of reader and writer, or as the key or value of a map that both have.

    `reader` and `writer` are the fields of the two messages, `inner_reader` and `inner_writer` those of their entries
    for maps, else the same again. `other` is the half of the entry that is not looked at.
    """

    reader: FieldLayout
    writer: FieldLayout
    inner_reader: FieldLayout
    inner_writer: FieldLayout
    other: Json = ""

    @property
    def is_key(self) -> bool:
        """Whether it is the key of a map."""
        return self.writer.is_map and self.inner_writer.number == 1

    def inner_path(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """Return the path of the field with the value, from that of the field of the message."""
        return (*path, str(self.inner_writer.number)) if self.writer.is_map else path

    def sample(self, value: Json) -> Json:
        """Return a message of the writer that holds a value here."""
        return {self.writer.json_name: self._wrap(value, self.writer)}

    def seen(self, value: Seen) -> Seen:
        """Return the message that the reader sees when it sees a value here."""
        if value is REFUSED:
            return REFUSED
        if isinstance(value, Loss):
            return {}
        return {self.reader.json_name: self._wrap(value, self.reader)}

    def _wrap(self, value: Json, field: FieldLayout) -> Json:
        if field.is_map:
            return {key_text(value): self.other} if self.is_key else {key_text(self.other): value}
        return [value] if field.is_repeated else value
