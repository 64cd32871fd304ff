"""What policy LOGICAL refuses beyond the native checks: each kind, its meaning, its mend (compatibility-rules 1.5).

Refuses to find them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from llm_schema_registry.formats.base import Kind
from llm_schema_registry.model import CompatibilityPolicy

NOT_A_TABLE = "LOGICAL_NOT_A_TABLE"
DECIMAL_OUT_OF_RANGE = "LOGICAL_DECIMAL_OUT_OF_RANGE"
LENGTH_OUT_OF_RANGE = "LOGICAL_LENGTH_OUT_OF_RANGE"
ROW_EMPTY = "LOGICAL_ROW_EMPTY"
NAMES_DIFFER_BY_CASE = "LOGICAL_NAMES_DIFFER_BY_CASE"
VARIANT_UNSUPPORTED = "LOGICAL_VARIANT_UNSUPPORTED"
TIMESTAMP_TOO_FINE = "LOGICAL_TIMESTAMP_TOO_FINE"
COLUMN_ADDED_NOT_NULL = "LOGICAL_COLUMN_ADDED_NOT_NULL"
COLUMN_REMOVED = "LOGICAL_COLUMN_REMOVED"
COLUMNS_REORDERED = "LOGICAL_COLUMNS_REORDERED"
MADE_NOT_NULL = "LOGICAL_MADE_NOT_NULL"
DEFAULT_REMOVED = "LOGICAL_DEFAULT_REMOVED"
STRUCTURE_CHANGED = "LOGICAL_STRUCTURE_CHANGED"
TYPE_NOT_WIDENED = "LOGICAL_TYPE_NOT_WIDENED"
TYPE_NOT_PROMOTED = "LOGICAL_TYPE_NOT_PROMOTED"
LENGTH_CHANGED = "LOGICAL_LENGTH_CHANGED"
LENGTH_REDUCED = "LOGICAL_LENGTH_REDUCED"
PRECISION_REDUCED = "LOGICAL_PRECISION_REDUCED"
SCALE_CHANGED = "LOGICAL_SCALE_CHANGED"
TEMPORAL_PRECISION_CHANGED = "LOGICAL_TEMPORAL_PRECISION_CHANGED"
MAP_KEY_CHANGED = "LOGICAL_MAP_KEY_CHANGED"

_LOGICAL = frozenset({CompatibilityPolicy.LOGICAL})


def _row(kind: str, wording: str, remedy: str) -> Kind:
    """`{info}` is what stood in the writer and stands in the reader, or what the kind's own sentence says.

    A remedy may hold `{path}` and `{info}` too.
    """
    return Kind(kind, _LOGICAL, wording, remedy)


_ROWS = (
    _row(
        NOT_A_TABLE,
        "The {reader} schema cannot be a table: {info}",
        "Describe the data as columns of types that SQL knows, or use another compatibilityPolicy.",
    ),
    _row(
        DECIMAL_OUT_OF_RANGE,
        "The {reader} schema has {info} at '{path}', outside of 1 to 38 digits and a scale from 0 to these",
        "Give '{path}' a precision from 1 to 38, and a scale from 0 to that precision.",
    ),
    _row(
        LENGTH_OUT_OF_RANGE,
        "The {reader} schema has {info} at '{path}', but a fixed length is at least 1 and a greatest length at least 0",
        "Give '{path}' a length of at least 1.",
    ),
    _row(
        ROW_EMPTY,
        "The {reader} schema has a {info} without columns at '{path}', which Iceberg cannot store",
        "Give '{path}' a column, or remove it.",
    ),
    _row(
        NAMES_DIFFER_BY_CASE,
        "The {reader} schema has columns at '{path}' whose names are equal but for case ({info})",
        "Rename one of the columns {info}.",
    ),
    _row(
        VARIANT_UNSUPPORTED,
        "The {reader} schema has a VARIANT at '{path}', which Iceberg tables of version 2 do not know",
        "Make '{path}' text that holds JSON, or describe its columns.",
    ),
    _row(
        TIMESTAMP_TOO_FINE,
        "The {reader} schema has {info} at '{path}', finer than the microseconds of Iceberg tables of version 2",
        "Give '{path}' a precision of at most 6, such as flink.precision 6.",
    ),
    _row(
        COLUMN_ADDED_NOT_NULL,
        "The {reader} schema has a column '{path}' of type {info} that the {writer} schema lacks and no row of it can "
        "fill",
        "Make '{path}' nullable.",
    ),
    _row(
        COLUMN_REMOVED,
        "The {reader} schema lacks the column '{path}' of type {info} that the {writer} schema has",
        "Keep '{path}', nullable if it is not written any more.",
    ),
    _row(
        COLUMNS_REORDERED,
        "The {reader} schema has columns at '{path}' in another order than the {writer} schema, beginning with {info}",
        "Put the columns of '{path}' back in their former order, and new ones at the end.",
    ),
    _row(
        MADE_NOT_NULL,
        "The {reader} schema does not take the nulls at '{path}' that the {writer} schema allows ({info})",
        "Keep '{path}' nullable.",
    ),
    _row(
        DEFAULT_REMOVED,
        "The {reader} schema has no default for the column '{path}' of type {info}, as the {writer} schema has",
        "Keep the default of '{path}', or make it nullable.",
    ),
    _row(
        STRUCTURE_CHANGED,
        "The {reader} schema has another kind of structure at '{path}' than the {writer} schema ({info})",
        "Keep the structure of '{path}', and add a nullable column for the other one.",
    ),
    _row(
        TYPE_NOT_WIDENED,
        "The {reader} schema has a type at '{path}' that cannot hold every value of the {writer} schema ({info})",
        "Keep the type of '{path}' or widen it, or add a nullable column for the other type.",
    ),
    _row(
        TYPE_NOT_PROMOTED,
        "The {reader} schema has a type at '{path}' that Iceberg does not promote the type of the {writer} schema to "
        "({info})",
        "Keep the type of '{path}' (Iceberg widens only INT to BIGINT, FLOAT to DOUBLE and the digits of a DECIMAL), "
        "or add a nullable column for the other type.",
    ),
    _row(
        LENGTH_CHANGED,
        "The {reader} schema has a fixed length at '{path}' that is not the one of the {writer} schema ({info})",
        "Keep the length of '{path}', or add a nullable column for the other one.",
    ),
    _row(
        LENGTH_REDUCED,
        "The {reader} schema has a smaller greatest length at '{path}' than the {writer} schema ({info})",
        "Keep the greatest length of '{path}' or raise it.",
    ),
    _row(
        PRECISION_REDUCED,
        "The {reader} schema has a decimal of fewer digits at '{path}' than the {writer} schema ({info})",
        "Keep the precision of '{path}' or raise it.",
    ),
    _row(
        SCALE_CHANGED,
        "The {reader} schema has a decimal of another scale at '{path}' than the {writer} schema ({info})",
        "Keep the scale of '{path}', or add a nullable column for the other one.",
    ),
    _row(
        TEMPORAL_PRECISION_CHANGED,
        "The {reader} schema has another precision of time at '{path}' than the {writer} schema ({info})",
        "Keep the precision of '{path}', or add a nullable column for the other one.",
    ),
    _row(
        MAP_KEY_CHANGED,
        "The {reader} schema has another type of keys at '{path}' than the {writer} schema ({info})",
        "Keep the keys of the map, and add a nullable column for a map of other ones.",
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.id: kind for kind in _ROWS})
