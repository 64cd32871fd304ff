"""The table of kinds of difference between two JSON Schemas (compatibility-rules 3.4).

Refuses to find differences. Three kinds of the rules are missing because no comparison can find them any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from llm_schema_registry.formats.base import NATIVE, NEVER, SOUND_ONLY, Kind
from llm_schema_registry.model import CompatibilityPolicy

# What LENIENT allows beyond STRICT (rules 1.4).
LENIENT = frozenset(
    {
        "ADDITIONAL_PROPERTIES_NARROWED",
        "ADDITIONAL_PROPERTIES_REMOVED",
        "UNEVALUATED_PROPERTIES_NARROWED",
        "UNEVALUATED_PROPERTIES_REMOVED",
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
        "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    }
)
_ALL_BUT_LENIENT = NATIVE - {CompatibilityPolicy.LENIENT}


def _row(kind: str, what: str, remedy: str = "", *, shows_info: bool = False) -> Kind:
    """A row; a kind with a remedy breaks. `what` continues "The reader's schema ..."."""
    info = " ({info})" if shows_info else ""
    breaks_under = NEVER if not remedy else _ALL_BUT_LENIENT if kind in LENIENT else NATIVE
    return Kind(kind, breaks_under, f"The {{reader}} schema {what} at path '{{path}}'{info}", remedy)


def _presence(prefix: str, keyword: str) -> Iterator[Kind]:
    yield _row(
        f"{prefix}_ADDED",
        f"has {keyword}, which the {{writer}} schema has not",
        f"Leave {keyword} out: data written without it need not satisfy it.",
    )
    yield _row(f"{prefix}_REMOVED", f"has no {keyword}, which the {{writer}} schema has")


def _upper_bound(prefix: str, keyword: str) -> Iterator[Kind]:
    yield from _presence(prefix, keyword)
    yield _row(f"{prefix}_INCREASED", f"has a larger {keyword} than the {{writer}} schema", shows_info=True)
    yield _row(
        f"{prefix}_DECREASED",
        f"has a smaller {keyword} than the {{writer}} schema",
        f"Keep {keyword} at least as large as it was.",
        shows_info=True,
    )


def _lower_bound(prefix: str, keyword: str) -> Iterator[Kind]:
    yield from _presence(prefix, keyword)
    yield _row(
        f"{prefix}_INCREASED",
        f"has a larger {keyword} than the {{writer}} schema",
        f"Keep {keyword} at most as large as it was.",
        shows_info=True,
    )
    yield _row(f"{prefix}_DECREASED", f"has a smaller {keyword} than the {{writer}} schema", shows_info=True)


def _rest(prefix: str, keyword: str) -> Iterator[Kind]:
    """What a content model says about everything undeclared: permission and schema."""
    yield _row(f"{prefix}_ADDED", f"permits {keyword}, which the {{writer}} schema forbids")
    yield _row(
        f"{prefix}_REMOVED",
        f"forbids {keyword}, which the {{writer}} schema permits",
        f"Keep {keyword} permitted: data written before may hold some.",
    )
    yield _row(f"{prefix}_EXTENDED", f"takes any {keyword}, where the {{writer}} schema has a schema for them")
    yield _row(
        f"{prefix}_NARROWED",
        f"has a schema for {keyword}, where the {{writer}} schema takes any",
        f"Leave the schema for {keyword} out: data written before may hold others.",
    )


def _content(noun: str, model: str, plural: str) -> Iterator[Kind]:
    """Declared parts that come and go, for properties and for items of a tuple."""
    declared = f"declares {noun}"
    dropped = f"does not declare {noun} any more"
    yield _row(
        f"{model}_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
        f"{declared} without any constraint, where the {{writer}} schema is open",
    )
    yield _row(
        f"{model}_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        f"{declared} that takes what the {{writer}} schema's additional {plural} allow",
    )
    yield _row(
        f"{model}_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        f"{declared} that refuses some of what the {{writer}} schema's additional {plural} allow",
        f"Declare it at least as wide as the schema that covered such {plural} before.",
    )
    yield _row(f"{model}_REMOVED_FROM_OPEN_CONTENT_MODEL", f"{dropped}, but is open")
    yield _row(
        f"{model}_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        f"{dropped}, which the {{writer}} schema declares as false, and is closed",
    )
    yield _row(
        f"{model}_REMOVED_FROM_CLOSED_CONTENT_MODEL",
        f"{dropped} and is closed, where the {{writer}} schema declares it",
        f"Keep declaring it, or permit additional {plural}.",
    )
    yield _row(
        f"{model}_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        f"{dropped}, but its additional {plural} take what the {{writer}} schema allows there",
    )
    yield _row(
        f"{model}_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        f"{dropped} and its additional {plural} refuse some of what the {{writer}} schema allows there",
        f"Widen the schema for additional {plural}, or keep declaring it.",
    )


def _generic() -> Iterator[Kind]:
    for word in ("id", "description", "title", "default"):
        yield _row(f"{word.upper()}_CHANGED", f"has another {word} than the {{writer}} schema")
    yield _row(
        "SCHEMA_ADDED",
        "has a schema for all items, where the {writer} schema has none",
        "Leave items out: arrays written before may hold anything.",
    )
    yield _row("SCHEMA_REMOVED", "has no schema for all items, where the {writer} schema has one")
    yield _row("TYPE_EXTENDED", "takes any number, where the {writer} schema takes integers")
    yield _row(
        "TYPE_NARROWED",
        "takes integers only, where the {writer} schema takes any number",
        "Keep the type number.",
    )
    yield _row(
        "TYPE_CHANGED",
        "is of another kind than the {writer} schema",
        "Keep the old type, or offer both with anyOf.",
        shows_info=True,
    )


def _scalar() -> Iterator[Kind]:
    yield from _upper_bound("MAX_LENGTH", "maxLength")
    yield from _lower_bound("MIN_LENGTH", "minLength")
    yield from _presence("PATTERN", "pattern")
    yield _row(
        "PATTERN_CHANGED", "has another pattern than the {writer} schema", "Keep the old pattern.", shows_info=True
    )
    yield from _upper_bound("MAXIMUM", "maximum")
    yield from _lower_bound("MINIMUM", "minimum")
    yield from _upper_bound("EXCLUSIVE_MAXIMUM", "exclusiveMaximum")
    yield from _lower_bound("EXCLUSIVE_MINIMUM", "exclusiveMinimum")
    yield from _presence("MULTIPLE_OF", "multipleOf")
    yield _row(
        "MULTIPLE_OF_EXPANDED",
        "has a multipleOf that is a multiple of the {writer} schema's",
        "Keep multipleOf, or take a divisor of it.",
        shows_info=True,
    )
    yield _row("MULTIPLE_OF_REDUCED", "has a multipleOf that divides the {writer} schema's", shows_info=True)
    yield _row(
        "MULTIPLE_OF_CHANGED",
        "has a multipleOf that does not divide the {writer} schema's",
        "Keep multipleOf, or take a divisor of it.",
        shows_info=True,
    )
    yield _row("ENUM_ARRAY_EXTENDED", "allows more values than the {writer} schema", shows_info=True)
    yield _row(
        "ENUM_ARRAY_NARROWED",
        "allows fewer values than the {writer} schema",
        "Keep all values that were allowed before.",
        shows_info=True,
    )
    yield _row(
        "ENUM_ARRAY_CHANGED",
        "does not allow some values of the {writer} schema",
        "Keep all values that were allowed before; add new ones beside them.",
        shows_info=True,
    )


def _object() -> Iterator[Kind]:
    default = "Give the property a default, or do not require it."
    yield _row("REQUIRED_ATTRIBUTE_ADDED", "requires a property that the {writer} schema leaves optional", default)
    yield _row(
        "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED",
        "requires a property, with a default, that the {writer} schema leaves optional",
    )
    yield _row("REQUIRED_ATTRIBUTE_REMOVED", "leaves a property optional that the {writer} schema requires")
    yield from _upper_bound("MAX_PROPERTIES", "maxProperties")
    yield from _lower_bound("MIN_PROPERTIES", "minProperties")
    yield from _rest("ADDITIONAL_PROPERTIES", "additional properties")
    yield from _rest("UNEVALUATED_PROPERTIES", "unevaluated properties")
    yield from _presence("DEPENDENCY_ARRAY", "a list dependency")
    widen = "Keep the list of the dependency, or shorten it."
    yield _row("DEPENDENCY_ARRAY_EXTENDED", "asks for more names than the {writer} schema's dependency", widen)
    yield _row("DEPENDENCY_ARRAY_NARROWED", "asks for fewer names than the {writer} schema's dependency")
    yield _row("DEPENDENCY_ARRAY_CHANGED", "asks for other names than the {writer} schema's dependency", widen)
    yield from _presence("DEPENDENCY_SCHEMA", "a schema dependency")
    yield from _content("a property", "PROPERTY", "properties")
    open_mend = "Close the earlier schema first (additionalProperties: false), or register under another subject."
    for model, state, mend in (("OPEN", "open", open_mend), ("UNOPEN", "not open", default)):
        is_open = model == "OPEN"
        tail = f"_ADDED_TO_{model}_CONTENT_MODEL"
        where = f"which the {{writer}} schema, {state}, does not declare"
        yield _row(f"REQUIRED_PROPERTY{tail}", f"requires a property {where}", mend)
        yield _row(
            f"REQUIRED_PROPERTY_WITH_DEFAULT{tail}",
            f"requires a property, with a default, {where}",
            mend if is_open else "",
        )
        yield _row(f"OPTIONAL_PROPERTY{tail}", f"declares a property {where}", mend if is_open else "")


def _array() -> Iterator[Kind]:
    yield from _upper_bound("MAX_ITEMS", "maxItems")
    yield from _lower_bound("MIN_ITEMS", "minItems")
    yield from _upper_bound("MAX_CONTAINS", "maxContains")
    yield from _lower_bound("MIN_CONTAINS", "minContains")
    yield from _presence("UNIQUE_ITEMS", "uniqueItems")
    yield from _rest("ADDITIONAL_ITEMS", "additional items")
    yield from _rest("UNEVALUATED_ITEMS", "unevaluated items")
    yield from _content("an item of the tuple", "ITEM", "items")
    yield _row(
        "ITEM_ADDED_TO_OPEN_CONTENT_MODEL",
        "declares an item of the tuple, where the {writer} schema is open",
        "Declare the item without a constraint ({}), or leave it out.",
    )
    yield _row(
        "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL",
        "declares an item of the tuple, where the {writer} schema allows none",
    )


def _combined() -> Iterator[Kind]:
    yield _row("COMBINED_TYPE_EXTENDED", "combines its parts less strictly than the {writer} schema", shows_info=True)
    yield _row(
        "COMBINED_TYPE_CHANGED",
        "combines its parts otherwise (allOf, anyOf, oneOf) than the {writer} schema",
        "Keep allOf, anyOf or oneOf as it was; anyOf may replace any of them.",
        shows_info=True,
    )
    yield _row(
        "PRODUCT_TYPE_EXTENDED",
        "has more parts under allOf than the {writer} schema",
        "Leave the new parts of allOf out.",
    )
    yield _row("PRODUCT_TYPE_NARROWED", "asks for fewer parts than the {writer} schema has under allOf")
    yield _row("SUM_TYPE_EXTENDED", "has more alternatives than the {writer} schema")
    yield _row(
        "SUM_TYPE_NARROWED",
        "has fewer alternatives than the {writer} schema",
        "Keep all alternatives of anyOf or oneOf.",
    )
    yield _row(
        "COMBINED_TYPE_SUBSCHEMAS_CHANGED",
        "has parts that cannot be matched one to one with compatible parts of the {writer} schema",
        "Keep for each old part one that takes at least the same values.",
    )
    yield _row("NOT_TYPE_EXTENDED", "excludes more than the {writer} schema under not", "Keep the schema under not.")
    yield _row("NOT_TYPE_NARROWED", "excludes no more than the {writer} schema under not")


def _inclusion() -> Iterator[Kind]:
    yield Kind(
        "DOCUMENT_REFUSED",
        SOUND_ONLY,
        "The {reader} schema refuses a document that the {writer} schema takes, at path '{path}' ({info})",
        "Take at least the documents that were valid before.",
    )
    yield Kind(
        "DOCUMENT_UNDECIDED",
        SOUND_ONLY,
        "The {reader} schema may refuse documents that the {writer} schema takes: neither was shown, at path '{path}'",
        "Leave that part as it was, or write it with simpler keywords.",
    )


def _table() -> Mapping[str, Kind]:
    rows = [*_generic(), *_scalar(), *_object(), *_array(), *_combined(), *_inclusion()]
    return MappingProxyType({row.id: row for row in rows})


KINDS: Mapping[str, Kind] = _table()
