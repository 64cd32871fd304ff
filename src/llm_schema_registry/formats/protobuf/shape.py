"""What compatibility looks at in a descriptor: visible messages, fields by number, classes of types, explicit labels.

Refuses to judge. Rules: compatibility-rules 4.2 to 4.4. A proto2 group and what is in it cannot be seen.
"""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.descriptor_pb2 import DescriptorProto, FeatureSet, FieldDescriptorProto, FileDescriptorProto

from llm_schema_registry.formats.protobuf.render import SCALARS, is_map_entry
from llm_schema_registry.formats.protobuf.symbols import join

Field = FieldDescriptorProto

SCALAR, MESSAGE, DELIMITED, MAP = "scalar", "message", "delimited message", "map"

# Scalars of one group read each other's bytes (compatibility-rules 4.4).
_GROUPS = {
    Field.TYPE_INT32: "varint",
    Field.TYPE_INT64: "varint",
    Field.TYPE_UINT32: "varint",
    Field.TYPE_UINT64: "varint",
    Field.TYPE_BOOL: "varint",
    Field.TYPE_ENUM: "varint",
    Field.TYPE_SINT32: "zigzag",
    Field.TYPE_SINT64: "zigzag",
    Field.TYPE_STRING: "text",
    Field.TYPE_BYTES: "text",
    Field.TYPE_FIXED32: "fixed32",
    Field.TYPE_SFIXED32: "fixed32",
    Field.TYPE_FIXED64: "fixed64",
    Field.TYPE_SFIXED64: "fixed64",
    Field.TYPE_FLOAT: "float",
    Field.TYPE_DOUBLE: "double",
}
TEXT_GROUP = "text"


class Type(NamedTuple):
    """A field's type. `name` is how it is written, a message's full name without leading dot; maps have two parts."""

    category: str
    name: str
    group: str = ""
    parts: tuple[Type, ...] = ()


class FieldShape(NamedTuple):
    """A field. `label` is empty where none is explicit; `oneof` is empty outside of oneofs."""

    name: str
    number: int
    type: Type
    label: str
    oneof: str


class MessageShape(NamedTuple):
    """A message: its fields by ascending number, and its oneofs in source order without those protoc makes up."""

    fields: dict[int, FieldShape]
    oneofs: tuple[str, ...]


def visible_messages(scope: FileDescriptorProto | DescriptorProto, full_name: str) -> dict[str, DescriptorProto]:
    """Return the messages declared in a file or message, without map entries and the types of groups."""
    nested = scope.message_type if isinstance(scope, FileDescriptorProto) else scope.nested_type
    fields = () if isinstance(scope, FileDescriptorProto) else scope.field
    groups = {field.type_name for field in (*fields, *scope.extension) if field.type == Field.TYPE_GROUP}
    return {
        message.name: message
        for message in nested
        if not message.options.map_entry and f".{join(full_name, message.name)}" not in groups
    }


def shape_message(message: DescriptorProto, full_name: str, file: FileDescriptorProto) -> MessageShape:
    """Return the shape of a message that a file declares."""
    entries = {f".{full_name}.{nested.name}": nested for nested in message.nested_type if nested.options.map_entry}
    fields = []
    synthetic = set()
    for field in message.field:
        if field.proto3_optional:
            synthetic.add(field.oneof_index)
        if field.type == Field.TYPE_GROUP:
            continue
        is_member = field.HasField("oneof_index") and not field.proto3_optional
        entry = entries.get(field.type_name)
        if entry is not None and is_map_entry(field, full_name, entry):
            parts = tuple(_type(part, file) for part in entry.field)
            shape = Type(MAP, f"map<{parts[0].name}, {parts[1].name}>", parts=parts)
        else:
            shape = _type(field, file)
        oneof = message.oneof_decl[field.oneof_index].name if is_member else ""
        fields.append(FieldShape(field.name, field.number, shape, "" if is_member else _label(field, file), oneof))
    oneofs = tuple(oneof.name for index, oneof in enumerate(message.oneof_decl) if index not in synthetic)
    fields.sort(key=lambda field: field.number)
    return MessageShape({field.number: field for field in fields}, oneofs)


def _type(field: FieldDescriptorProto, file: FileDescriptorProto) -> Type:
    name = field.type_name.removeprefix(".") or SCALARS[field.type]
    if field.type != Field.TYPE_MESSAGE:
        return Type(SCALAR, name, _GROUPS[field.type])
    encoding = field.options.features.message_encoding or file.options.features.message_encoding
    return Type(DELIMITED if encoding == FeatureSet.DELIMITED else MESSAGE, name)


def _label(field: FieldDescriptorProto, file: FileDescriptorProto) -> str:
    """Return a field's explicit label. An edition says by its features what a label says in proto2 and proto3."""
    if field.label == Field.LABEL_REPEATED:
        return "repeated"
    if file.syntax == "editions":
        presence = field.options.features.field_presence or file.options.features.field_presence
        labels = {FeatureSet.IMPLICIT: "", FeatureSet.LEGACY_REQUIRED: "required"}
        return labels.get(presence, "optional")
    if field.label == Field.LABEL_REQUIRED:
        return "required"
    return "optional" if file.syntax != "proto3" or field.proto3_optional else ""
