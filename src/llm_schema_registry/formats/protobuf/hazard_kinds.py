"""The kinds of harm to data, which only SOUND refuses, and what it is only good to know.

Refuses to find them. Decisions: docs/decisions/0011-protobuf-sound.md.
"""

from __future__ import annotations

from llm_schema_registry.formats.base import NEVER, SOUND_ONLY, Kind

NEW_FIELD = "Leave the field as it is and add another one with a new number."


def _harm(kind: str, wording: str, remedy: str = NEW_FIELD) -> Kind:
    return Kind(kind, SOUND_ONLY, wording, remedy)


def _type_harm(kind: str, what: str) -> Kind:
    return _harm(
        kind,
        f"The field at path '{{path}}' has another type in the {{reader}} schema than in the {{writer}} schema "
        f"({{info}}): {what}",
    )


def _note(kind: str, wording: str) -> Kind:
    return Kind(kind, NEVER, wording)


ROWS = (
    _type_harm("WIRE_TYPE_CHANGED", "the bytes are framed differently, so the value is lost or read as something else"),
    _type_harm("WIRE_VALUE_NARROWED", "a value with more bits is cut"),
    _type_harm("WIRE_SIGN_CHANGED", "a value with the highest bit set reads with another sign"),
    _type_harm("WIRE_BOOL_CHANGED", "every number but 0 reads as true"),
    _type_harm("WIRE_ZIGZAG_CHANGED", "the same bytes stand for other numbers"),
    _type_harm("WIRE_BITS_REINTERPRETED", "the same bits stand for another number"),
    _type_harm("WIRE_BYTES_NOT_UTF8", "bytes need not be UTF-8 text, and ProtoJSON writes them as base64"),
    _type_harm("WIRE_TEXT_TO_MESSAGE", "the content does not parse as a message"),
    _type_harm("WIRE_MESSAGE_TYPE_CHANGED", "the message type is another one that lacks fields of the former"),
    _type_harm("WIRE_JSON_STRING_TO_BYTES", "ProtoJSON reads a string as base64"),
    _type_harm("WIRE_JSON_MESSAGE_TO_TEXT", "ProtoJSON has an object where a string is expected"),
    _type_harm("WIRE_JSON_ENUM_TO_NUMBER", "ProtoJSON has a name where a number is expected"),
    _type_harm("WIRE_JSON_BOOL_TO_NUMBER", "ProtoJSON has true or false where a number is expected"),
    _type_harm("WIRE_JSON_FORM_CHANGED", "a well-known type has a ProtoJSON form of its own"),
    _type_harm("WIRE_REPEATED_TO_SINGULAR", "of several values at most one arrives, or they are merged"),
    _type_harm("WIRE_JSON_SINGULAR_TO_REPEATED", "ProtoJSON has a single value where an array is expected"),
    _type_harm("WIRE_MAP_DUPLICATES_LOST", "of entries with equal keys one arrives, and ProtoJSON differs"),
    _type_harm("WIRE_JSON_MAP_CHANGED", "ProtoJSON has an object for a map"),
    _harm(
        "WIRE_REQUIRED_ABSENT",
        "The {reader} schema requires the field {info} at path '{path}', which data of the {writer} schema may lack",
        "Make the field optional.",
    ),
    _harm(
        "WIRE_DEFAULT_CHANGED",
        "The field at path '{path}' has another default in the {reader} schema than in the {writer} schema ({info}): "
        "absent values change",
        "Keep the default; write a value explicitly where another one is meant.",
    ),
    _harm(
        "WIRE_ENUM_CLOSED",
        "The enum at path '{path}' is closed in the {reader} schema and open in the {writer} schema: numbers without a "
        "name are lost",
        "Keep the enum open.",
    ),
    _harm(
        "WIRE_ENUM_VALUE_LOST",
        "The closed enum of the {reader} schema at path '{path}' lacks values of the {writer} schema ({info})",
        "Keep the value in the enum.",
    ),
    _harm(
        "WIRE_ENUM_CONST_RENAMED",
        "The {reader} schema and the {writer} schema call the enum value at path '{path}' differently ({info})",
        "Keep the name; give the new name as an alias after it, with option allow_alias.",
    ),
    _harm(
        "WIRE_ENUM_CONST_RENUMBERED",
        "The name of the enum value at path '{path}' has another number in the {reader} schema than in the "
        "{writer} schema ({info})",
        "Keep the number of the name.",
    ),
    _harm(
        "WIRE_JSON_ENUM_CONST_REMOVED",
        "The {reader} schema lacks the enum value at path '{path}' that the {writer} schema has ({info}): ProtoJSON "
        "with its name does not parse",
        "Keep the value in the enum.",
    ),
    _harm(
        "WIRE_FIELD_RENUMBERED",
        "The {reader} schema gives the field at path '{path}' of the {writer} schema another number ({info})",
        "Keep the number.",
    ),
    _harm(
        "WIRE_JSON_NAME_CHANGED",
        "The field at path '{path}' has another ProtoJSON name in the {reader} schema than in the {writer} schema "
        "({info})",
        "Keep the name, or keep the ProtoJSON name by json_name.",
    ),
    _harm(
        "WIRE_JSON_NAME_REUSED",
        "The {reader} schema gives the ProtoJSON name of the field at path '{path}' of the {writer} schema to another "
        "field ({info})",
        "Keep the names of both fields.",
    ),
    _harm(
        "WIRE_ONEOF_FIELDS_EXCLUDED",
        "The oneof of the {reader} schema at path '{path}' holds fields that the {writer} schema lets coexist ({info})",
        "Move at most one existing field into a oneof.",
    ),
    _harm(
        "WIRE_FIRST_MESSAGE_LOST",
        "The {reader} schema has no message to read the first message of the {writer} schema, at path '{path}'",
        "Keep the message.",
    ),
    _harm(
        "WIRE_EXTENSION_NUMBER_REUSED",
        "The {reader} schema has a field at path '{path}' with a number that the {writer} schema leaves to extensions",
        "Use a number outside of the extension ranges.",
    ),
    _harm(
        "WIRE_NUMBER_REUSED",
        "The {reader} schema uses the number at path '{path}' again, which an earlier {writer} schema used for "
        "something else ({info})",
        "Use a number that no version has used.",
    ),
    _harm(
        "WIRE_NAME_REUSED",
        "The {reader} schema uses the name {info} at path '{path}' again, which an earlier {writer} schema gave to "
        "another number",
        "Use a name that no version has used.",
    ),
    _harm(
        "RESERVED_NUMBER_REUSED",
        "The {reader} schema uses the number {info} at path '{path}' that the {writer} schema reserved",
        "Use a number that is not reserved.",
    ),
    _harm(
        "RESERVED_NAME_REUSED",
        "The {reader} schema uses the name {info} at path '{path}' that the {writer} schema reserved",
        "Use a name that is not reserved.",
    ),
    _note(
        "WIRE_PRESENCE_CHANGED",
        "The field at path '{path}' tells zero from absent in one of the {reader} and {writer} schemas only ({info})",
    ),
    _note(
        "WIRE_JSON_FIELD_UNKNOWN",
        "The {reader} schema lacks the ProtoJSON name {info} of the {writer} schema at path '{path}': parsers refuse "
        "it unless told to ignore unknown fields",
    ),
    _note(
        "FIELD_NUMBER_NOT_RESERVED",
        "The {reader} schema neither has nor reserves the number of the field {info} at path '{path}' of the {writer} "
        "schema",
    ),
    _note(
        "FIRST_MESSAGE_CHANGED",
        "The {reader} schema lacks the first message of the {writer} schema, at path '{path}', and begins with another "
        "({info})",
    ),
    _note(
        "WIRE_ANY_TYPE_URL_CHANGED",
        "The {reader} schema and the {writer} schema have different packages ({info}) at path '{path}': the type URLs "
        "in google.protobuf.Any name the package of the {writer}",
    ),
)
