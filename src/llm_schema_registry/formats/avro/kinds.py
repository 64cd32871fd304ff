"""The kinds of difference between two Avro schemas: what each means and what its author can do (rules 2.7).

Refuses to find them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from llm_schema_registry.formats.base import EVERY_POLICY, SOUND_ONLY, Kind

NAME_MISMATCH = "NAME_MISMATCH"
FIXED_SIZE_MISMATCH = "FIXED_SIZE_MISMATCH"
MISSING_ENUM_SYMBOLS = "MISSING_ENUM_SYMBOLS"
READER_FIELD_MISSING_DEFAULT_VALUE = "READER_FIELD_MISSING_DEFAULT_VALUE"
TYPE_MISMATCH = "TYPE_MISMATCH"
MISSING_UNION_BRANCH = "MISSING_UNION_BRANCH"
AMBIGUOUS_FIELD_ALIASES = "AMBIGUOUS_FIELD_ALIASES"

LOSSY_PROMOTION = "LOSSY_PROMOTION"
BYTES_READ_AS_STRING = "BYTES_READ_AS_STRING"
STRING_READ_AS_BYTES = "STRING_READ_AS_BYTES"
LOGICAL_TYPE_ADDED = "LOGICAL_TYPE_ADDED"
LOGICAL_TYPE_REMOVED = "LOGICAL_TYPE_REMOVED"
LOGICAL_TYPE_CHANGED = "LOGICAL_TYPE_CHANGED"
DECIMAL_SCALE_CHANGED = "DECIMAL_SCALE_CHANGED"
DECIMAL_PRECISION_NARROWED = "DECIMAL_PRECISION_NARROWED"
ENUM_SYMBOL_REPLACED = "ENUM_SYMBOL_REPLACED"
UNION_BRANCH_AMBIGUOUS = "UNION_BRANCH_AMBIGUOUS"
UNION_BRANCH_UNREADABLE = "UNION_BRANCH_UNREADABLE"
FIELD_ALIAS_UNRELIABLE = "FIELD_ALIAS_UNRELIABLE"
DEFAULT_UNUSABLE = "DEFAULT_UNUSABLE"


def _breaking(kind: str, wording: str, remedy: str) -> Kind:
    """What Java's own check finds breaks under every policy (compatibility-rules 1.4 and 2.7)."""
    return Kind(kind, EVERY_POLICY, wording, remedy)


def _harmful(kind: str, wording: str, remedy: str) -> Kind:
    """What Java's own check passes though data fails or changes its meaning (compatibility-rules 5.1 and 5.4)."""
    return Kind(kind, SOUND_ONLY, wording, remedy)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.id: kind
        for kind in (
            _breaking(
                NAME_MISMATCH,
                "The {reader} schema gives a named type a name that is neither the one in the {writer} schema "
                "nor has that one as an alias (path '{path}')",
                "Keep the name, or add the former full name to the aliases of the renamed type.",
            ),
            _breaking(
                FIXED_SIZE_MISMATCH,
                "The {reader} schema gives a fixed another size than the {writer} schema (path '{path}')",
                "Keep the size, or add a field of a new fixed type with a default beside it.",
            ),
            _breaking(
                MISSING_ENUM_SYMBOLS,
                "The {reader} schema has an enum without default that lacks symbols of the {writer} schema "
                "(path '{path}')",
                "Keep the symbols, or give the enum a default symbol.",
            ),
            _breaking(
                READER_FIELD_MISSING_DEFAULT_VALUE,
                "The {reader} schema has a field without default that is missing in the {writer} schema "
                "(path '{path}')",
                "Give the field a default, or add the name of the field it replaces to its aliases.",
            ),
            _breaking(
                TYPE_MISMATCH,
                "The {reader} schema has a type that cannot read the type of the {writer} schema (path '{path}')",
                "Keep the type, widen it (int to long, float or double), or make it a union that holds the former one.",
            ),
            _breaking(
                MISSING_UNION_BRANCH,
                "The {reader} schema has a union in which no branch can read a type of the {writer} schema "
                "(path '{path}')",
                "Keep a branch in the union that can read this type, itself unchanged or compatible.",
            ),
            _breaking(
                AMBIGUOUS_FIELD_ALIASES,
                "The {reader} schema has a field whose name and aliases fit several fields of the {writer} schema, "
                "so the comparison stopped there (path '{path}')",
                "Remove aliases until the field stands for one field only.",
            ),
            _harmful(
                LOSSY_PROMOTION,
                "The {reader} schema reads a number as a type that cannot hold every value of the {writer} schema "
                "(path '{path}')",
                "Read int as long or double, and long as long only; or add a field of the new type beside it.",
            ),
            _harmful(
                BYTES_READ_AS_STRING,
                "The {reader} schema reads as a string what are bytes in the {writer} schema, UTF-8 or not "
                "(path '{path}')",
                "Keep bytes, and add a string field with a default beside it.",
            ),
            _harmful(
                STRING_READ_AS_BYTES,
                "The {reader} schema reads as bytes, not decoded, what is a string in the {writer} schema "
                "(path '{path}')",
                "Keep the string, and add a bytes field with a default beside it.",
            ),
            _harmful(
                LOGICAL_TYPE_ADDED,
                "The {reader} schema gives a logical type to what has none in the {writer} schema (path '{path}')",
                "Keep the plain type, and add a field of the logical type with a default beside it.",
            ),
            _harmful(
                LOGICAL_TYPE_REMOVED,
                "The {reader} schema has no logical type for what has one in the {writer} schema (path '{path}')",
                "Keep the logical type, and add a field of the plain type with a default beside it.",
            ),
            _harmful(
                LOGICAL_TYPE_CHANGED,
                "The {reader} schema has another logical type than the {writer} schema (path '{path}')",
                "Keep the logical type, and add a field of the new one with a default beside it.",
            ),
            _harmful(
                DECIMAL_SCALE_CHANGED,
                "The {reader} schema gives a decimal another scale than the {writer} schema (path '{path}')",
                "Keep the scale, and add a field of the new decimal with a default beside it.",
            ),
            _harmful(
                DECIMAL_PRECISION_NARROWED,
                "The {reader} schema gives a decimal fewer digits than the {writer} schema (path '{path}')",
                "Keep the precision or raise it.",
            ),
            _harmful(
                ENUM_SYMBOL_REPLACED,
                "The {reader} schema has an enum whose default takes the place of symbols of the {writer} schema "
                "(path '{path}')",
                "Keep the symbols, if only as deprecated ones.",
            ),
            _harmful(
                UNION_BRANCH_AMBIGUOUS,
                "The {reader} schema has a union in which several branches fit a type of the {writer} schema, and "
                "decoders do not take the one that keeps it as it is (path '{path}')",
                "Put the branch that equals the written type first, or keep the branches that fit it too out of the "
                "union.",
            ),
            _harmful(
                UNION_BRANCH_UNREADABLE,
                "The {reader} schema has a union in which decoders take a branch that cannot read the type of the "
                "{writer} schema (path '{path}')",
                "Make the branch that has the name of the written type able to read it.",
            ),
            _harmful(
                FIELD_ALIAS_UNRELIABLE,
                "The {reader} schema has a field that finds its value by an alias alone, which not every decoder "
                "follows there to the field of the {writer} schema (path '{path}')",
                "Let an alias name one former field only, and keep the full name of the record or alias it too.",
            ),
            _harmful(
                DEFAULT_UNUSABLE,
                "The {reader} schema has a field that is missing in the {writer} schema, with a default that is no "
                "value of its type (path '{path}')",
                "Correct the default.",
            ),
        )
    }
)
