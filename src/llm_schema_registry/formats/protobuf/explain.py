"""What a person needs to understand and mend a difference: names, declarations, a sentence, and what to write instead.

Refuses to find or judge differences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from llm_schema_registry.formats.base import sentence
from llm_schema_registry.formats.protobuf.hazard_kinds import NEW_FIELD, ROWS
from llm_schema_registry.formats.protobuf.kinds import KINDS
from llm_schema_registry.formats.protobuf.layout import SchemaLayout
from llm_schema_registry.formats.protobuf.spots import (
    Spot,
    declaration,
    find_spot,
    split,
    spot_of_field,
    spot_of_value,
    type_spot,
)
from llm_schema_registry.model import Detail, Difference

MAX_TEXT = 200

# Only these are looked for between first messages of different names.
_HAZARDS = frozenset(kind.id for kind in ROWS)

# Where the reader's place has the writer's name, not its number.
_BY_NAME = frozenset({"WIRE_FIELD_RENUMBERED", "WIRE_JSON_NAME_REUSED", "WIRE_ENUM_CONST_RENUMBERED"})
# How the writer keeps numbers and names from use.
_KEPT = {
    "RESERVED_NUMBER_REUSED": "reserved",
    "RESERVED_NAME_REUSED": "reserved",
    "WIRE_EXTENSION_NUMBER_REUSED": "extensions",
}


class _Case(NamedTuple):
    """A difference with its places, and the two schemas."""

    difference: Difference
    reader: SchemaLayout
    writer: SchemaLayout
    reader_spot: Spot | None
    writer_spot: Spot | None

    @property
    def after(self) -> str:
        return self.reader_spot.text if self.reader_spot else ""

    @property
    def before(self) -> str:
        return self.writer_spot.text if self.writer_spot else ""


def explain(difference: Difference, reader: SchemaLayout, writer: SchemaLayout) -> Detail:
    """Say where a difference stands, what stood there, and how to mend it. Never raises."""
    case = _case(difference, reader, writer)
    kind = KINDS[difference.kind]
    spots = [spot for spot in (case.reader_spot, case.writer_spot) if spot is not None]
    if difference.kind == "FIRST_MESSAGE_CHANGED":
        spots.reverse()
    name = next((spot.name for spot in spots if spot.name), difference.path)
    readable = msgspec.structs.replace(difference, path=name)
    mend = _REMEDIES.get(difference.kind)
    return Detail(
        case.reader_spot.name if case.reader_spot else None,
        case.writer_spot.name if case.writer_spot else None,
        _clip(case.before),
        _clip(case.after),
        f"{sentence(kind, readable, 'reader', 'writer')}.",
        (mend(case) if mend else "") or kind.remedy,
    )


def _clip(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."


def _case(difference: Difference, reader: SchemaLayout, writer: SchemaLayout) -> _Case:
    kind, path = difference.kind, difference.path
    is_hazard = kind in _HAZARDS
    reader_spot = find_spot(reader, path, writer if is_hazard else None)
    writer_spot = find_spot(writer, path, reader if is_hazard else None)
    holder_path = "#/" + "/".join(split(path)[:-1])
    if kind in _BY_NAME and writer_spot is not None:
        reader_spot = _by_name(reader, find_spot(reader, holder_path, writer), writer_spot)
    elif kind in _KEPT and writer_spot is None:
        holder = find_spot(writer, holder_path, reader)
        writer_spot = holder._replace(text=f"{_KEPT[kind]} {difference.info}") if holder else None
    return _Case(difference, reader, writer, reader_spot, writer_spot)


def _by_name(reader: SchemaLayout, holder: Spot | None, writer_spot: Spot) -> Spot | None:
    """Return the reader's field or enum value that is called as the writer's."""
    if holder is None:
        return None
    inner = type_spot(reader, holder)
    if writer_spot.field is not None and inner.message is not None:
        numbers = inner.message.by_json_name.get(writer_spot.field.json_name, ())
        return spot_of_field(reader, inner.message, numbers[0]) if numbers else None
    name = writer_spot.name.rpartition(".")[2]
    if inner.enum is None or name not in inner.enum.numbers:
        return None
    return spot_of_value(inner.enum, inner.enum.numbers[name])


def _next_number(case: _Case) -> int:
    """Return a number that is free in both messages."""
    spots = (case.reader_spot, case.writer_spot)
    return max((spot.message.next_number for spot in spots if spot and spot.message), default=1)


def _add_another(case: _Case) -> str:
    """Keep the field, and say the new type under a new number."""
    reader, writer = case.reader_spot, case.writer_spot
    if not (reader and writer and reader.field and writer.field):
        return ""
    another = f"{case.reader.type_text(reader.field)} {reader.field.name}_v2 = {_next_number(case)};"
    return f"Keep `{case.before}`, and for the new type add a field with a new number: `{another}`"


def _keep(case: _Case) -> str:
    return f"Keep `{case.before}`." if case.before else ""


def _keep_deprecated(case: _Case) -> str:
    return f"Keep `{case.before}`, and mark it with the option `deprecated = true`." if case.before else ""


def _optional(case: _Case) -> str:
    spot = case.reader_spot
    if not (spot and spot.field):
        return ""
    return f"Write `{spot.text.replace('required ', 'optional ', 1)}`, without a demand that older data cannot meet."


def _alias(case: _Case) -> str:
    if not (case.before and case.after):
        return ""
    return f"Keep `{case.before}` and write `{case.after}` behind it as an alias, with `option allow_alias = true;`."


def _json_name(case: _Case) -> str:
    reader, writer = case.reader_spot, case.writer_spot
    if not (reader and writer and reader.field and writer.field) or writer.field.proto.extendee:
        return ""
    return (
        f'Keep the name `{writer.field.name}`, or keep its ProtoJSON name: `[json_name = "{writer.field.json_name}"]` '
        f"on `{declaration(case.reader, reader.field)}`."
    )


def _new_number(case: _Case) -> str:
    spot = case.reader_spot
    if spot is None:
        return ""
    if spot.field is not None:
        another = f"{case.reader.type_text(spot.field)} {spot.field.name}_v2 = {_next_number(case)};"
        return f"Use a free number and name: `{another}`"
    if spot.enum is not None:
        return f"Use a free number and name: `{spot.name.rpartition('.')[2]}_V2 = {max(spot.enum.names) + 1};`"
    return ""


def _reserve(case: _Case) -> str:
    field = case.writer_spot.field if case.writer_spot else None
    return f'Write `reserved {field.number}; reserved "{field.name}";` in the message.' if field else ""


def _leave_out_of_oneof(case: _Case) -> str:
    return (
        f"Leave all but one of {case.difference.info} where they are, and let the oneof hold new fields, from number "
        f"{_next_number(case)} on."
    )


def _by_kind() -> dict[str, Callable[[_Case], str]]:
    found: dict[str, Callable[[_Case], str]] = dict.fromkeys(
        (kind.id for kind in KINDS.values() if kind.remedy == NEW_FIELD), _add_another
    )
    return found | {
        "PACKAGE_CHANGED": _keep,
        "MESSAGE_REMOVED": _keep,
        "REQUIRED_FIELD_ADDED": _optional,
        "REQUIRED_FIELD_REMOVED": _keep,
        "FIELD_KIND_CHANGED": _add_another,
        "FIELD_SCALAR_KIND_CHANGED": _add_another,
        "FIELD_NAMED_TYPE_CHANGED": _add_another,
        "FIELD_NUMERIC_LABEL_CHANGED": _add_another,
        "ONEOF_FIELD_REMOVED": _keep_deprecated,
        "MULTIPLE_FIELDS_MOVED_TO_ONEOF": _leave_out_of_oneof,
        "FIELD_MOVED_TO_EXISTING_ONEOF": _leave_out_of_oneof,
        "WIRE_REQUIRED_ABSENT": _optional,
        "WIRE_DEFAULT_CHANGED": _keep,
        "WIRE_ENUM_VALUE_LOST": _keep_deprecated,
        "WIRE_ENUM_CONST_RENAMED": _alias,
        "WIRE_ENUM_CONST_RENUMBERED": _keep,
        "WIRE_JSON_ENUM_CONST_REMOVED": _keep_deprecated,
        "WIRE_FIELD_RENUMBERED": _keep,
        "WIRE_JSON_NAME_CHANGED": _json_name,
        "WIRE_JSON_NAME_REUSED": _keep,
        "WIRE_ONEOF_FIELDS_EXCLUDED": _leave_out_of_oneof,
        "WIRE_FIRST_MESSAGE_LOST": _keep,
        "WIRE_EXTENSION_NUMBER_REUSED": _new_number,
        "WIRE_NUMBER_REUSED": _new_number,
        "WIRE_NAME_REUSED": _new_number,
        "RESERVED_NUMBER_REUSED": _new_number,
        "RESERVED_NAME_REUSED": _new_number,
        "FIELD_NUMBER_NOT_RESERVED": _reserve,
    }


_REMEDIES = _by_kind()
