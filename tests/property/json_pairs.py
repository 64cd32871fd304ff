"""Generates pairs of JSON Schemas, one a mutation of the other, and documents to hold against both."""

from __future__ import annotations

import itertools
from decimal import Decimal
from random import Random
from typing import Any

import jsonschema
import jsonschema_rs

Json = Any

ADDRESSES = {
    4: "http://json-schema.org/draft-04/schema#",
    6: "http://json-schema.org/draft-06/schema#",
    7: "http://json-schema.org/draft-07/schema#",
    19: "https://json-schema.org/draft/2019-09/schema",
    20: "https://json-schema.org/draft/2020-12/schema",
}
COMPILED = {
    4: jsonschema_rs.Draft4Validator,
    6: jsonschema_rs.Draft6Validator,
    7: jsonschema_rs.Draft7Validator,
    19: jsonschema_rs.Draft201909Validator,
    20: jsonschema_rs.Draft202012Validator,
}
PURE = {
    4: jsonschema.Draft4Validator,
    6: jsonschema.Draft6Validator,
    7: jsonschema.Draft7Validator,
    19: jsonschema.Draft201909Validator,
    20: jsonschema.Draft202012Validator,
}
NAMES = ("a", "b", "x_1", "abc")
PATTERNS = ("^a", "b$", "^x_", "^[a-c]{1,2}$", "^[^b]*$", "^(?!a)", ".", "^$", "\\d", "^a.*b")
SCALARS: tuple[Json, ...] = (
    None,
    True,
    False,
    0,
    1,
    2,
    3,
    4,
    6,
    10,
    -1,
    -3,
    Decimal("0.5"),
    Decimal("1.0"),
    Decimal("2.5"),
    Decimal("-0.1"),
    "",
    "a",
    "b",
    "ab",
    "abc",
    "x_1",
    "a1b",
    "longer than five",
    "127.0.0.1",
    "2020-01-01",
)
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
FORMATS = ("ipv4", "date", "uri", "nonsense")


class Maker:
    """Makes schemas of one draft."""

    def __init__(self, random: Random, draft: int) -> None:
        self.random = random
        self.draft = draft
        self._keywords = [name for name, drafts in _KEYWORDS.items() if draft in drafts]

    def document(self) -> dict[str, Any]:
        schema = self.schema(3, is_root=True)
        definitions = "$defs" if self.draft >= 19 else "definitions"
        schema = {"$schema": ADDRESSES[self.draft], **schema}
        schema[definitions] = {name: self.schema(2, is_root=True) for name in ("X", "Y")}
        return schema

    def schema(self, depth: int, *, is_root: bool = False) -> Json:
        if self.draft >= 6 and not is_root and self.random.random() < 0.08:
            return self.random.random() < 0.6
        schema: dict[str, Any] = {}
        for _ in range(self.random.choice((0, 1, 1, 2, 2, 3, 4))):
            self.put(schema, depth)
        return schema

    def put(self, schema: dict[str, Any], depth: int) -> None:
        """Add a keyword, or another value of it."""
        keyword = self.random.choice(self._keywords)
        if depth <= 0 and keyword in _NESTED:
            keyword = "type"
        value = self.value(keyword, depth - 1)
        if keyword == "exclusiveMinimum" and self.draft == 4:
            schema.setdefault("minimum", self.random.choice((0, 1, 2)))
            value = self.random.random() < 0.7
        schema[keyword] = value
        if keyword == "items" and isinstance(value, list) and self.random.random() < 0.5:
            schema["additionalItems"] = self.schema(depth - 1) if self.draft >= 6 else self.random.random() < 0.3
        if keyword == "contains" and self.draft >= 19 and self.random.random() < 0.6:
            schema["minContains"] = self.random.choice((0, 1, 2))
            schema["maxContains"] = self.random.choice((1, 2, 3))
        if keyword == "if":
            for word in ("then", "else"):
                if self.random.random() < 0.7:
                    schema[word] = self.schema(depth - 1)
        if keyword == "additionalProperties" and self.random.random() < 0.7:
            schema.setdefault("properties", self.value("properties", depth - 1))

    def value(self, keyword: str, depth: int) -> Json:
        choose = self.random.choice
        if keyword == "type":
            return choose(TYPES) if choose((0, 0, 1)) == 0 else self.random.sample(TYPES, 2)
        if keyword in {"enum", "const"}:
            values = [choose((*SCALARS, [], [1], {"a": 1}, {})) for _ in range(3)]
            return values[0] if keyword == "const" else _distinct(values)
        if keyword in {"allOf", "anyOf", "oneOf"}:
            return [self.schema(depth) for _ in range(choose((1, 2, 2, 3)))]
        if keyword in {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}:
            return choose((0, 1, 2, 3))
        if keyword in {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}:
            return choose((-2, 0, 1, 2, 3, 10, Decimal("0.5"), Decimal("1.0")))
        if keyword == "multipleOf":
            return choose((1, 2, 3, 4, Decimal("0.5"), Decimal("0.1")))
        if keyword == "pattern":
            return choose(PATTERNS)
        if keyword == "format":
            return choose(FORMATS)
        if keyword == "uniqueItems":
            return choose((True, True, False))
        if keyword == "required":
            return self.random.sample(NAMES, choose((1, 2)))
        if keyword == "dependentRequired":
            return {choose(NAMES): self.random.sample(NAMES, 1)}
        if keyword == "dependentSchemas":
            return {choose(NAMES): self.schema(depth)}
        if keyword == "dependencies":
            return {choose(NAMES): self.random.sample(NAMES, 1) if choose((0, 1)) else self.schema(depth)}
        if keyword == "properties":
            return {name: self.schema(depth) for name in self.random.sample(NAMES, choose((1, 1, 2)))}
        if keyword == "patternProperties":
            return {choose(PATTERNS): self.schema(depth)}
        if keyword == "$ref":
            where = "$defs" if self.draft >= 19 else "definitions"
            return choose((f"#/{where}/X", f"#/{where}/Y", "#"))
        if keyword == "prefixItems" or (keyword == "items" and self.draft <= 7 and choose((0, 1))):
            return [self.schema(depth) for _ in range(choose((1, 2)))]
        if self.draft == 4 and keyword in {"additionalProperties", "additionalItems"} and choose((0, 1)):
            return False
        return self.schema(depth)

    def mutated(self, schema: Json) -> Json:
        """Change one thing somewhere in a document."""
        if not isinstance(schema, dict):
            return self.schema(1)
        copy = dict(schema)
        inner = [name for name, value in copy.items() if isinstance(value, dict | list) and name in _NESTED]
        if inner and self.random.random() < 0.7:
            name = self.random.choice(inner)
            copy[name] = self._mutated_inside(copy[name], name)
            return copy
        removable = [name for name in copy if name in _KEYWORDS]
        if removable and self.random.random() < 0.35:
            del copy[self.random.choice(removable)]
            if "minimum" not in copy and self.draft == 4:
                copy.pop("exclusiveMinimum", None)
        else:
            self.put(copy, 2)
        return copy

    def _mutated_inside(self, value: Json, keyword: str) -> Json:
        if isinstance(value, list):
            index = self.random.randrange(len(value))
            changed = [self.mutated(item) if at == index else item for at, item in enumerate(value)]
            return changed if self.random.random() < 0.8 or len(value) < 2 else [*value[1:], value[0]]
        if keyword in _MAPPED and value:
            name = self.random.choice(sorted(value))
            if isinstance(value[name], list):
                return value
            return {**value, name: self.mutated(value[name])}
        return self.mutated(value)


def _distinct(values: list[Json]) -> list[Json]:
    found: list[Json] = []
    for value in values:
        if not any(known == value and type(known) is type(value) for known in found):
            found.append(value)
    return found


_MAPPED = {"properties", "patternProperties", "dependentSchemas", "dependencies", "definitions", "$defs"}
_ALL = frozenset({4, 6, 7, 19, 20})
_SINCE_6 = _ALL - {4}
_MODERN = frozenset({19, 20})
_KEYWORDS: dict[str, frozenset[int]] = {
    **dict.fromkeys(("type", "enum", "allOf", "anyOf", "oneOf", "not", "$ref", "properties", "required"), _ALL),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"), _ALL),
    **dict.fromkeys(("multipleOf", "items", "minItems", "maxItems", "uniqueItems", "format"), _ALL),
    **dict.fromkeys(("minProperties", "maxProperties", "patternProperties", "additionalProperties"), _ALL),
    **dict.fromkeys(("const", "contains", "propertyNames", "exclusiveMaximum"), _SINCE_6),
    "dependencies": frozenset({4, 6, 7}),
    "if": _SINCE_6 - {6},
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems"), _MODERN),
    "prefixItems": frozenset({20}),
}
_NESTED = {
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "properties",
    "patternProperties",
    "additionalProperties",
    "items",
    "additionalItems",
    "prefixItems",
    "contains",
    "propertyNames",
    "dependencies",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
    "if",
    "then",
    "else",
    "definitions",
    "$defs",
}


def pair(random: Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """A reader and a writer."""
    draft = random.choice(tuple(ADDRESSES))
    maker = Maker(random, draft)
    writer = maker.document()
    reader = writer
    for _ in range(random.choice((1, 1, 2, 3))):
        reader = maker.mutated(reader)
    if random.random() < 0.1:
        reader = Maker(random, draft).document()
    if random.random() < 0.1 and draft in {6, 7}:
        reader = {**reader, "$schema": ADDRESSES[random.choice((6, 7))]}
    reader["$schema"] = reader.get("$schema", ADDRESSES[draft])
    return (reader, writer) if random.random() < 0.5 else (writer, reader)


def documents() -> list[Json]:
    """Small documents of every shape, the same in every run."""
    found: list[Json] = list(SCALARS)
    few: list[Json] = [None, True, 1, 2, Decimal("1.5"), "", "a", "abc", [], [1], {}, {"a": 1}]
    found.append([])
    found += [[value] for value in (*SCALARS, [], [1], {}, {"a": 1}, {"b": "a"})]
    found += [list(values) for values in itertools.product(few, repeat=2)]
    found += [[first, second, second] for first in (1, "a", []) for second in few]
    found += [[1, 2, 3], [1, 2, 3, 4], ["a", "b", "ab", "abc"], [1, 1, "a", "a"]]
    found.append({})
    names = (*NAMES, "", "aab", "9")
    found += [{name: value} for name in names for value in (*few, *SCALARS)]
    for one, other in itertools.combinations(names, 2):
        found += [{one: first, other: second} for first in few[:9:2] for second in few]
    found += [{"a": first, "b": second, "x_1": second} for first in few for second in few]
    found += [{"a": {"a": value, "b": value}} for value in few]
    found += [dict.fromkeys(names, value) for value in few]
    return found
