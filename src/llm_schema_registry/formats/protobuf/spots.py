"""Where a difference stands in a schema: the message, field, oneof, enum or value that its path leads to.

Refuses to compare. A path is `#/` and names of messages or an enum, then numbers of fields, each leading into the type
of the field before, or the number of an enum value; the name of a oneof may stand before a number or at the end.
"""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from llm_schema_registry.formats.protobuf.layout import EnumLayout, FieldLayout, MessageLayout, SchemaLayout
from llm_schema_registry.formats.protobuf.options import quote
from llm_schema_registry.formats.protobuf.render import default_json_name
from llm_schema_registry.formats.protobuf.symbols import join


class Spot(NamedTuple):
    """A place: its full name, its declaration as in a .proto text, and what it is or stands in."""

    name: str
    text: str
    message: MessageLayout | None = None
    field: FieldLayout | None = None
    enum: EnumLayout | None = None


def split(path: str) -> list[str]:
    """Return the tokens of a path of a difference."""
    tail = path.removeprefix("#/")
    return tail.split("/") if tail else []


def find_spot(schema: SchemaLayout, path: str, other: SchemaLayout | None) -> Spot | None:
    """Return what a path leads to, or None. The first message stands for the first one of the `other` schema if that is
    given and the path begins with a name that only it has.
    """
    tokens = split(path)
    if not tokens:
        return Spot(schema.package, f"package {schema.package}" if schema.package else "no package")
    end = next((index for index, token in enumerate(tokens) if _is_number(token)), len(tokens))
    for stop in range(end, 0, -1):
        name = _type_of(schema, ".".join(tokens[:stop]), other)
        if name is not None and stop >= end - 1:  # one more name may be a oneof's
            return _inside(schema, name, tokens[stop:])
    return None


def _is_number(token: str) -> bool:
    return token.removeprefix("-").isdigit()


def _type_of(schema: SchemaLayout, local_name: str, other: SchemaLayout | None) -> str | None:
    name = schema.find(local_name)
    if name is None and other is not None and schema.roots and other.find(local_name) in other.roots[:1]:
        return schema.roots[0]
    return name


def _inside(schema: SchemaLayout, name: str, tokens: list[str]) -> Spot | None:
    spot = spot_of_type(schema, name)
    for index, token in enumerate(tokens):
        if _is_number(token):
            found = _numbered(schema, type_spot(schema, spot), int(token))
            if found is None:
                return None
            spot = found
        elif index == len(tokens) - 1:
            return _oneof(spot, token)
    return spot


def spot_of_type(schema: SchemaLayout, name: str) -> Spot:
    """Return the place of a message or enum."""
    if schema.has_message(name):
        return Spot(name, f"message {name.rpartition('.')[2]}", schema.message(name))
    return Spot(name, f"enum {name.rpartition('.')[2]}", enum=schema.enum(name))


def type_spot(schema: SchemaLayout, spot: Spot) -> Spot:
    """Return the place of a field's message or enum; of all else, the place itself."""
    return spot_of_type(schema, spot.field.type_name) if spot.field is not None and spot.field.type_name else spot


def spot_of_field(schema: SchemaLayout, message: MessageLayout, number: int) -> Spot | None:
    """Return the place of a message's field or extension."""
    field = message.fields.get(number)
    return None if field is None else Spot(field.full_name, declaration(schema, field), message, field)


def declaration(schema: SchemaLayout, field: FieldLayout) -> str:
    """Return a field as in a .proto text, with the options that matter to data."""
    options = []
    if field.proto.HasField("default_value"):
        options.append(f"default = {_default(field)}")
    if not field.proto.extendee and field.json_name != default_json_name(field.name):
        options.append(f"json_name = {quote(field.json_name)}")
    end = f" [{', '.join(options)}]" if options else ""
    return f"{schema.type_text(field)} {field.name} = {field.number}{end}"


def _default(field: FieldLayout) -> str:
    value = field.proto.default_value
    if field.type == Field.TYPE_STRING:
        return quote(value)
    return f'"{value}"' if field.type == Field.TYPE_BYTES else value  # bytes are escaped already


def spot_of_value(enum: EnumLayout, number: int) -> Spot:
    """Return the place of an enum's value."""
    name = enum.names[number]
    return Spot(join(enum.full_name, name), f"{name} = {number}", enum=enum)


def _numbered(schema: SchemaLayout, spot: Spot, number: int) -> Spot | None:
    if spot.message is not None:
        return None if spot.field is not None else spot_of_field(schema, spot.message, number)
    return spot_of_value(spot.enum, number) if spot.enum is not None and number in spot.enum.names else None


def _oneof(spot: Spot, name: str) -> Spot | None:
    if spot.message is None or name not in spot.message.oneofs:
        return None
    members = ", ".join(spot.message.fields[number].name for number in spot.message.oneofs[name])
    return Spot(join(spot.message.full_name, name), f"oneof {name} {{ {members} }}", spot.message)
