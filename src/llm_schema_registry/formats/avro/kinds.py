"""The kinds of difference between two Avro schemas: what each means and what its author can do (rules 2.7).

Refuses to find them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from llm_schema_registry.formats.base import EVERY_POLICY, Kind

NAME_MISMATCH = "NAME_MISMATCH"
FIXED_SIZE_MISMATCH = "FIXED_SIZE_MISMATCH"
MISSING_ENUM_SYMBOLS = "MISSING_ENUM_SYMBOLS"
READER_FIELD_MISSING_DEFAULT_VALUE = "READER_FIELD_MISSING_DEFAULT_VALUE"
TYPE_MISMATCH = "TYPE_MISMATCH"
MISSING_UNION_BRANCH = "MISSING_UNION_BRANCH"
AMBIGUOUS_FIELD_ALIASES = "AMBIGUOUS_FIELD_ALIASES"


def _breaking(kind: str, wording: str, remedy: str) -> Kind:
    """Every kind breaks, under every policy (compatibility-rules 1.4 and 2.7)."""
    return Kind(kind, EVERY_POLICY, wording, remedy)


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
        )
    }
)
