"""Short JSON texts of what stands at a place of a schema, for people.

Refuses to be exact: a named type inside is its name, and what is long is cut.
"""

from __future__ import annotations

import json
from itertools import islice

from msgspec import UnsetType

from llm_schema_registry.formats.avro.document import Json, shorten
from llm_schema_registry.formats.avro.spot import End
from llm_schema_registry.formats.avro.tree import Array, Enum, Field, Fixed, Map, Primitive, Record, Type, Union

MAX_LENGTH = 200
_MAX_PARTS = 16
_MAX_DEPTH = 6
_LOGICAL = ("logicalType", "precision", "scale")


def dump(value: object, length: int = MAX_LENGTH) -> str:
    """Return a JSON value as text, cut."""
    return shorten(json.dumps(value, ensure_ascii=False), length)


def excerpt(end: End, attribute: str, *, is_field: bool) -> str:
    """Return what stands at one end of a path; empty for nothing."""
    if is_field:
        return dump(field_json(end.field)) if end.field is not None else ""
    if end.type is None:
        return ""
    match end.type, attribute:
        case (Record() | Enum() | Fixed()) as named, "name":
            return dump(named.name.full)
        case Fixed() as fixed, "size":
            return str(fixed.size)
        case Enum() as enum, "symbols":
            return dump(_symbols(enum))
        case (Record() | Enum() | Fixed()) as named, _:
            return dump(_definition(named))
        case _:
            return dump(type_json(end.type))


def field_json(field: Field) -> dict[str, Json]:
    """Return a field with its type, default and aliases."""
    value: dict[str, Json] = {"name": field.name, "type": type_json(field.type)}
    if not isinstance(field.default, UnsetType):
        value["default"] = _short(field.default)
    if field.aliases:
        value["aliases"] = list(islice(field.aliases, _MAX_PARTS))
    return value


def type_json(schema: Type, depth: int = 0) -> Json:
    """Return a type as it is written where it is used: a named one is its name."""
    if depth > _MAX_DEPTH:
        return "..."
    match schema:
        case Primitive():
            logical = _logical(schema)
            return {"type": schema.type, **logical} if logical else schema.type
        case Array():
            return {"type": "array", "items": type_json(schema.items, depth + 1)}
        case Map():
            return {"type": "map", "values": type_json(schema.values, depth + 1)}
        case Union():
            branches = [type_json(branch, depth + 1) for branch in schema.branches[:_MAX_PARTS]]
            return [*branches, "..."] if len(schema.branches) > _MAX_PARTS else branches
        case _:
            return schema.name.full


def _definition(named: Record | Enum | Fixed) -> dict[str, Json]:
    head: dict[str, Json] = {"type": named.type, "name": named.name.full}
    match named:
        case Enum():
            head["symbols"] = _symbols(named)
            if named.default is not None:
                head["default"] = named.default
        case Fixed():
            head["size"] = named.size
            head |= _logical(named)
        case _:
            head["fields"] = [*islice(named.fields, _MAX_PARTS), *(["..."] if len(named.fields) > _MAX_PARTS else [])]
    return head


def _logical(schema: Primitive | Fixed) -> dict[str, Json]:
    return {key: _short(schema.properties[key]) for key in _LOGICAL if key in schema.properties}


def _symbols(enum: Enum) -> list[Json]:
    return [*islice(enum.symbols, _MAX_PARTS), *(["..."] if len(enum.symbols) > _MAX_PARTS else [])]


def _short(value: Json) -> Json:
    """Arrays, objects and texts of a schema may be large, and a difference is one of a thousand."""
    if isinstance(value, str):
        return shorten(value, MAX_LENGTH)
    return "..." if isinstance(value, (list, dict)) and value else value
