"""The kinds of difference between two Protobuf schemas: which break, how to say them, what to do about them.

Refuses to find differences. Rules: compatibility-rules 4.1; the judgement is the same under every policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from llm_schema_registry.formats.base import NATIVE, NEVER, Kind
from llm_schema_registry.formats.protobuf.hazard_kinds import ROWS as HAZARD_ROWS


def _allowed(kind: str, wording: str) -> Kind:
    return Kind(kind, NEVER, wording)


def _breaking(kind: str, wording: str, remedy: str) -> Kind:
    return Kind(kind, NATIVE, wording, remedy)


_ROWS = (
    _breaking(
        "PACKAGE_CHANGED",
        "The {reader} schema and the {writer} schema have different packages ({info}) at path '{path}'",
        "Keep the package; publish a new package under another subject.",
    ),
    _allowed("MESSAGE_ADDED", "The {reader} schema has a message at path '{path}' that the {writer} schema lacks"),
    _breaking(
        "MESSAGE_REMOVED",
        "The {reader} schema lacks the message at path '{path}' that the {writer} schema has",
        "Keep the message where it is, under the same name, even if it is not used any more.",
    ),
    _allowed(
        "MESSAGE_MOVED",
        "The {reader} schema and the {writer} schema have the message at path '{path}' in different positions ({info})",
    ),
    _allowed("ENUM_ADDED", "The {reader} schema has an enum at path '{path}' that the {writer} schema lacks"),
    _allowed("ENUM_REMOVED", "The {reader} schema lacks the enum at path '{path}' that the {writer} schema has"),
    _allowed(
        "ENUM_CONST_ADDED",
        "The {reader} schema has an enum value {info} at path '{path}' that the {writer} schema lacks",
    ),
    _allowed(
        "ENUM_CONST_REMOVED",
        "The {reader} schema lacks the enum value {info} at path '{path}' that the {writer} schema has",
    ),
    _allowed(
        "ENUM_CONST_CHANGED",
        "The {reader} schema and the {writer} schema name the enum value at path '{path}' differently ({info})",
    ),
    _allowed("FIELD_ADDED", "The {reader} schema has a field {info} at path '{path}' that the {writer} schema lacks"),
    _allowed(
        "FIELD_REMOVED", "The {reader} schema lacks the field {info} at path '{path}' that the {writer} schema has"
    ),
    _breaking(
        "REQUIRED_FIELD_ADDED",
        "The {reader} schema requires a field {info} at path '{path}' that the {writer} schema lacks",
        "Add the field as optional, or give it no label.",
    ),
    _breaking(
        "REQUIRED_FIELD_REMOVED",
        "The {reader} schema lacks the field {info} at path '{path}' that the {writer} schema requires",
        "Make the field optional first, and remove it once no reader requires it.",
    ),
    _allowed(
        "FIELD_NAME_CHANGED",
        "The {reader} schema and the {writer} schema name the field at path '{path}' differently ({info})",
    ),
    _breaking(
        "FIELD_KIND_CHANGED",
        "The field at path '{path}' is of another kind in the {reader} schema than in the {writer} schema ({info})",
        "Keep the field's kind (scalar, message or map) and add a field with a new number for the other one.",
    ),
    _breaking(
        "FIELD_SCALAR_KIND_CHANGED",
        "The field at path '{path}' has a scalar type in the {reader} schema that cannot read the one in the {writer} "
        "schema ({info})",
        "Keep a type with the same encoding, or add a field with a new number for the other type.",
    ),
    _breaking(
        "FIELD_NAMED_TYPE_CHANGED",
        "The field at path '{path}' has a message type in the {reader} schema that does not match the one in the "
        "{writer} schema ({info})",
        "Keep the message type and change it compatibly, or add a field with a new number for the other type.",
    ),
    _breaking(
        "FIELD_NUMERIC_LABEL_CHANGED",
        "The {reader} schema and the {writer} schema label the numeric field at path '{path}' differently ({info})",
        "Keep the label, or add a field with a new number for the other one.",
    ),
    _allowed(
        "FIELD_STRING_OR_BYTES_LABEL_CHANGED",
        "The {reader} schema and the {writer} schema label the text field at path '{path}' differently ({info})",
    ),
    _allowed("ONEOF_ADDED", "The {reader} schema has a oneof at path '{path}' that the {writer} schema lacks"),
    _allowed("ONEOF_REMOVED", "The {reader} schema lacks the oneof at path '{path}' that the {writer} schema has"),
    _allowed(
        "ONEOF_FIELD_ADDED",
        "The {reader} schema has a oneof field {info} at path '{path}' that the {writer} schema lacks",
    ),
    _breaking(
        "ONEOF_FIELD_REMOVED",
        "The {reader} schema lacks the oneof field {info} at path '{path}' that the {writer} schema has",
        "Keep the field in its oneof and mark it deprecated.",
    ),
    _allowed(
        "ONEOF_FIELD_MOVED_TO_TOP_LEVEL",
        "The {reader} schema has the field at path '{path}' outside of the oneof {info} of the {writer} schema",
    ),
    _breaking(
        "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
        "The {reader} schema has fields in the oneof at path '{path}' that the {writer} schema lets coexist ({info})",
        "Move at most one existing field into a new oneof; add others with new numbers.",
    ),
    _breaking(
        "FIELD_MOVED_TO_EXISTING_ONEOF",
        "The {reader} schema has fields in the oneof at path '{path}' that the {writer} schema has elsewhere ({info})",
        "Leave existing fields where they are; add fields with new numbers to the oneof.",
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.id: kind for kind in (*_ROWS, *HAZARD_ROWS)})
