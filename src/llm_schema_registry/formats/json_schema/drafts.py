"""The drafts of JSON Schema: which one a text follows, what its metaschema says, where subschemas stand.

Refuses to resolve references or to compare; it never compiles a user's schema (that cost grows with the square).
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any

import jsonschema_rs

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.json_schema.document import plain
from llm_schema_registry.formats.places import pointer_token

# Keywords that hold one subschema, a list of them, a mapping of names to them.
SINGLE = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
LISTED = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
MAPPED = frozenset({"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"})
TYPE_NAMES = ("array", "boolean", "integer", "null", "number", "object", "string")

_MENDS = {
    "type": f"write one of {', '.join(TYPE_NAMES)}, or a list of them without repetition",
    "required": "write a list of property names, without repetition, beside properties",
    "enum": "write a list of values",
    "pattern": "write a regular expression of ECMA-262",
    "patternProperties": "write an object whose keys are regular expressions of ECMA-262",
    "$ref": "write a string",
}


class Draft(Enum):
    """A supported draft; the value is the address of its metaschema."""

    D4 = "http://json-schema.org/draft-04/schema"
    D6 = "http://json-schema.org/draft-06/schema"
    D7 = "http://json-schema.org/draft-07/schema"
    D2019 = "https://json-schema.org/draft/2019-09/schema"
    D2020 = "https://json-schema.org/draft/2020-12/schema"

    @property
    def is_modern(self) -> bool:
        """Whether siblings of `$ref` count (2019-09 and 2020-12)."""
        return self is Draft.D2020 or self is Draft.D2019

    @property
    def id_keyword(self) -> str:
        """The keyword that names a schema."""
        return "id" if self is Draft.D4 else "$id"

    def knows(self, keyword: str) -> bool:
        """Whether the draft's metaschema looks into a keyword of SINGLE, LISTED or MAPPED."""
        return keyword not in _UNKNOWN[self]


_MODERN = {"$defs", "contentSchema", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"}
_CONDITION = {"if", "then", "else"}
_UNKNOWN = {
    Draft.D4: {"contains", "prefixItems", "propertyNames"} | _CONDITION | _MODERN,
    Draft.D6: {"prefixItems"} | _CONDITION | _MODERN,
    Draft.D7: {"prefixItems"} | _MODERN,
    Draft.D2019: {"prefixItems"},
    Draft.D2020: {"additionalItems"},
}
_TOLERATED_EXAMPLES = 20
VALIDATORS = {
    Draft.D4: jsonschema_rs.Draft4Validator,
    Draft.D6: jsonschema_rs.Draft6Validator,
    Draft.D7: jsonschema_rs.Draft7Validator,
    Draft.D2019: jsonschema_rs.Draft201909Validator,
    Draft.D2020: jsonschema_rs.Draft202012Validator,
}
_BY_ADDRESS = {draft.value.partition("//")[2]: draft for draft in Draft} | {"json-schema.org/schema": Draft.D4}
_VOCABULARIES = {
    "2019-09": ("applicator", "content", "core", "format", "meta-data", "validation"),
    "2020-12": (
        "applicator",
        "content",
        "core",
        "format-annotation",
        "format-assertion",
        "meta-data",
        "unevaluated",
        "validation",
    ),
}
_METASCHEMAS = frozenset(_BY_ADDRESS) | {
    f"json-schema.org/draft/{draft}/meta/{name}" for draft, names in _VOCABULARIES.items() for name in names
}


def detect_draft(root: object) -> Draft:
    """Return the draft that `$schema` names; absent or unknown is draft 7 (compatibility-rules 3.1)."""
    address = root.get("$schema") if isinstance(root, dict) else None
    if not isinstance(address, str):
        return Draft.D7
    return _BY_ADDRESS.get(_without_scheme(address.removesuffix("#")), Draft.D7)


def is_metaschema(address: str) -> bool:
    """Whether an address without fragment is one of the official metaschemas, by http or https."""
    return _without_scheme(address) in _METASCHEMAS


def check_metaschema(text: str, draft: Draft, where: str = "") -> None:
    """Hold a schema against its draft's metaschema. Raises InvalidSchema with the JSON pointer of the first fault.

    `where` continues the pointer in the message when the text is a part that the document's own check did not reach.
    """
    schema = plain(text)
    tolerated = _TOLERATED_EXAMPLES if where else 0
    # One fault at a time: a list of all of them would take minutes.
    while (error := _first_fault(schema, draft)) is not None:
        path = error.instance_path
        # Published schemas hold examples of any shape in such parts.
        if not tolerated or error.schema_path[-3:-1] != ["properties", "examples"]:
            keyword = next((part for part in reversed(path) if isinstance(part, str)), "")
            mend = _MENDS.get(keyword, f"see the metaschema {draft.value}")
            raise InvalidSchema(
                f"Invalid JSON Schema ({draft.name.replace('D', 'draft ')}) at '{pointer(path)}'{where}: "
                f"{_clip(error.message)}; {mend}"
            )
        tolerated -= 1
        _remove(schema, path)


def pointer(path: list[str | int]) -> str:
    """Write a JSON pointer (RFC 6901) in its fragment form."""
    return "#" + "".join(f"/{pointer_token(str(part))}" for part in path)


@cache
def _metaschema(draft: Draft) -> jsonschema_rs.Validator:
    # Names of references may be any string, so that `$ref` and ids are not held against the grammar of URIs.
    formats = dict.fromkeys(("uri", "uri-reference"), _accept)
    return VALIDATORS[draft]({"$ref": draft.value}, offline=True, validate_formats=True, formats=formats)


def _without_scheme(address: str) -> str:
    return address.removeprefix("https://") if address.startswith("https://") else address.removeprefix("http://")


def _first_fault(schema: Any, draft: Draft) -> jsonschema_rs.ValidationError | None:  # noqa: ANN401 - any JSON value
    try:
        _metaschema(draft).validate(schema)
    except jsonschema_rs.ValidationError as error:
        return error
    return None


def _remove(value: Any, path: list[str | int]) -> None:  # noqa: ANN401 - any JSON value
    for token in path[:-1]:
        value = value[token]
    del value[path[-1]]


def _accept(_: str) -> bool:
    return True


def _clip(message: str) -> str:
    return message if len(message) <= 200 else f"{message[:120]} ... {message[-70:]}"
