"""From the documents of one side to shapes: what each keyword of each draft asks for, as validators apply it.

Refuses to compare. Every schema object that can be reached becomes one shape; references lead to the same shape.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from llm_schema_registry.formats.json_schema.drafts import Draft
from llm_schema_registry.formats.json_schema.inclusion.evaluate import is_asserted
from llm_schema_registry.formats.json_schema.inclusion.parts import (
    EVERY,
    INTEGER,
    NOWHERE,
    NUMBERS,
    WHOLE,
    Meanings,
    Part,
    PartKind,
    Shape,
    Where,
    fraction,
    value_key,
)
from llm_schema_registry.formats.json_schema.inclusion.reach import EVALUATING, reach_of
from llm_schema_registry.formats.json_schema.references import Place, Resources
from llm_schema_registry.formats.places import token_name

_MODERN_ONLY = {"dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "$recursiveRef"}
_SINCE_7 = {"if"} | _MODERN_ONLY
_SINCE_6 = {"const", "contains", "propertyNames"} | _SINCE_7
# What makes a schema mean more than its own text.
_REFERRING = ('"$ref"', '"$dynamicRef"', '"$recursiveRef"')
_CONTENT = ("contentEncoding", "contentMediaType")
_UNKNOWN: dict[Draft, set[str]] = {
    Draft.D4: _SINCE_6 | {"prefixItems", "$dynamicRef", *_CONTENT},
    Draft.D6: _SINCE_7 | {"prefixItems", "$dynamicRef"},
    Draft.D7: _MODERN_ONLY | {"prefixItems", "$dynamicRef"},
    Draft.D2019: {"prefixItems", "$dynamicRef", "format", *_CONTENT},
    Draft.D2020: {"$recursiveRef", "format", *_CONTENT},
}


class Shapes:
    """Loads one side. `spend` is told of the work."""

    def __init__(self, resources: Resources, meanings: Meanings, spend: Callable[[int], None]) -> None:
        """Load from these documents; the root's draft holds for all of them."""
        self.draft = resources.draft
        self._resources = resources
        self._meanings = meanings
        self._true, self._false = meanings.true, meanings.false
        self._spend = spend
        self._unknown = _UNKNOWN[self.draft]
        self._shapes: dict[int, Shape] = {}
        self._besides: list[Shape] = []
        self._waiting: list[tuple[Shape, dict[str, Any], str]] = []
        self._unevaluated: list[tuple[Shape, PartKind, Shape, Where]] = []

    def load(self) -> tuple[Shape, list[Shape]]:
        """Return the shape of the document itself, and all shapes."""
        root = self._shape(self._resources.root, NOWHERE)
        while self._waiting:
            shape, schema, base = self._waiting.pop()
            self._spend(3 + len(schema))
            for part in self._parts(schema, base, shape.where):
                shape.parts.append(part)
        closers = {(id(shape), kind) for shape, kind, _, _ in self._unevaluated}
        for shape, kind, inner, where in self._unevaluated:
            shape.parts.extend(self._closing(shape.parts, kind, inner, where, closers))
        shapes = [*self._shapes.values(), *self._besides]
        self._besides = []
        return root, shapes

    def _shape(self, place: Place, where: Where) -> Shape:
        """Return the shape of a schema. What is nothing but a reference is what it leads to."""
        schema, base = place
        passed = set()
        while True:
            if not isinstance(schema, dict):
                return self._false if schema is False else self._true
            known = self._shapes.get(id(schema))
            if known is not None:
                return known
            if schema is not self._resources.root.schema and (lazy := self._lazy(schema, where)) is not None:
                return lazy
            base = self._resources.base_of(schema, base)
            if "$ref" not in schema or (self.draft.is_modern and not self._is_plain(schema)) or id(schema) in passed:
                break
            passed.add(id(schema))
            text = schema["$ref"]
            target = self._resources.find(text, base)
            if target is None:
                break
            self._spend(2)
            schema, base = target
            where = self._target(target, text, where)
        shape = Shape(where=where)
        self._shapes[id(schema)] = shape
        self._waiting.append((shape, schema, base))
        return shape

    def _lazy(self, schema: dict[str, Any], where: Where) -> Shape | None:
        """Make a shape that reads its schema when it is asked for its parts; None if that refers to others."""
        text = self._resources.text_of(schema)
        self._spend(1 + len(text) // 200)
        if any(word in text for word in _REFERRING):
            return None
        shape = Shape(where=where, load=lambda shape: self._read(schema, shape))
        shape.id = self._meanings.of_text(self.draft.value, text)
        return shape

    def _read(self, schema: dict[str, Any], shape: Shape) -> list[Part]:
        """Read a schema that refers to nothing."""
        self._spend(3 + len(schema))
        outer, self._unevaluated = self._unevaluated, []
        parts = list(self._parts(schema, "", shape.where))
        own, self._unevaluated = self._unevaluated, outer
        closing = [part for _, kind, inner, at in own for part in self._closing(parts, kind, inner, at, frozenset())]
        while self._besides:
            self._meanings.settle_one(self._besides.pop())
        parts += closing
        self._meanings.settle_parts(parts)
        return parts

    def _target(self, place: Place, reference: str, where: Where) -> Where:
        """Where a reference leads, for people; left at the reference when its text does not tell."""
        name = self._resources.name_of(place)
        if name is not None:
            return Where(name)
        if place.schema is self._resources.root.schema:
            return NOWHERE
        if not reference.startswith("#/"):
            return where
        found = Where(where.document)
        for token in unquote(reference[2:]).split("/"):
            found = found.below(token_name(token))
        return found

    def _is_plain(self, schema: dict[str, Any]) -> bool:
        return all(keyword == "$ref" or keyword not in _READERS for keyword in schema)

    def _parts(self, schema: dict[str, Any], base: str, where: Where) -> Iterator[Part]:
        if "$ref" in schema and not self.draft.is_modern:
            yield self._opaque(f"the reference {schema['$ref']}", where.below("$ref"))
            return
        for keyword in schema:
            reader = _READERS.get(keyword)
            if reader is not None and keyword not in self._unknown:
                yield from reader(self, schema, keyword, base, where.below(keyword))

    def _opaque(self, what: str, where: Where) -> Part:
        return Part(PartKind.OPAQUE, what, where=where)

    def _inner(self, schema: Any, base: str, where: Where) -> Shape:  # noqa: ANN401 - any JSON value
        return self._shape(Place(schema, base), where)

    def _listed(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> tuple[Shape, ...]:
        return tuple(self._inner(part, base, where.below(index)) for index, part in enumerate(schema[keyword]))

    def types(self, schema: dict[str, Any], keyword: str, _: str, where: Where) -> Iterator[Part]:
        listed = schema[keyword]
        atoms: set[str] = set()
        for name in listed if isinstance(listed, list) else [listed]:
            if name == "number":
                atoms |= NUMBERS
            elif name == "integer":
                atoms |= {INTEGER} if self.draft is Draft.D4 else {INTEGER, WHOLE}
            else:
                atoms.add(name)
        yield Part(PartKind.TYPES, frozenset(atoms) & EVERY, where=where)

    def values(self, schema: dict[str, Any], keyword: str, _: str, where: Where) -> Iterator[Part]:
        listed = schema[keyword] if keyword == "enum" else [schema[keyword]]
        found = {}
        for value in listed:
            self._spend(1 + _size(value) // 4)
            found[value_key(value)] = _plain(value)
        yield Part(PartKind.VALUES, found, where=where)

    def reference(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        text = schema[keyword]
        if not self._is_static(keyword, text):
            # The same text may lead elsewhere on the other side.
            yield Part(PartKind.OPAQUE, object(), where=where)
            return
        place = self._resources.find(text, base)
        if place is None:
            yield self._opaque(f"{keyword} {text}", where)
        else:
            yield Part(PartKind.ALL, shapes=(self._shape(place, self._target(place, text, where)),), where=where)

    def _is_static(self, keyword: str, text: str) -> bool:
        """Whether a reference means the same wherever it is reached from: nothing can take its place."""
        if keyword == "$ref":
            return True
        names = self._resources.dynamic_anchors
        return names.count("" if keyword == "$recursiveRef" else text.partition("#")[2]) <= 1

    def combined(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        members = self._listed(schema, keyword, base, where)
        if keyword == "allOf" or len(members) == 1:
            for index, member in enumerate(members):
                yield Part(PartKind.ALL, shapes=(member,), where=where.below(index))
        else:
            yield Part(PartKind.ANY if keyword == "anyOf" else PartKind.ONE, shapes=members, where=where)

    def negation(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        yield Part(PartKind.NOT, shapes=(self._inner(schema[keyword], base, where),), where=where)

    def condition(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        above = where.parent or where
        members = [self._inner(schema.get(word, True), base, above.below(word)) for word in ("if", "then", "else")]
        yield Part(PartKind.IF, shapes=tuple(members), where=where)

    def count(self, schema: dict[str, Any], keyword: str, _: str, where: Where) -> Iterator[Part]:
        number = schema[keyword]
        # 1E100000 characters or items are as good as none.
        exact = fraction(number)
        yield Part(_COUNTS[keyword], 10**18 if exact is None else int(exact), where=where)

    def text(self, schema: dict[str, Any], keyword: str, _: str, where: Where) -> Iterator[Part]:
        if keyword == "pattern":
            yield Part(PartKind.PATTERN, schema[keyword], where=where)
        elif isinstance(schema[keyword], str) and is_asserted(self.draft, keyword, schema[keyword]):
            yield Part(PartKind.FORMAT, (keyword, schema[keyword]), where=where)

    def bound(self, schema: dict[str, Any], keyword: str, _: str, where: Where) -> Iterator[Part]:
        kind = PartKind.MINIMUM if keyword.lower().endswith("minimum") else PartKind.MAXIMUM
        is_exclusive = keyword.startswith("exclusive")
        number = schema[keyword]
        if isinstance(number, bool):
            # Draft 4 says here how the bound beside it is meant.
            return
        if self.draft is Draft.D4:
            is_exclusive = schema.get("exclusive" + keyword.capitalize()) is True
        exact = fraction(number)
        if exact is None:
            yield self._opaque(f"{keyword} {number}", where)
        else:
            yield Part(kind, (exact, is_exclusive), where=where)

    def multiple(self, schema: dict[str, Any], keyword: str, _: str, where: Where) -> Iterator[Part]:
        exact = fraction(schema[keyword])
        if exact is None:
            yield self._opaque(f"{keyword} {schema[keyword]}", where)
        else:
            yield Part(PartKind.MULTIPLE_OF, exact, where=where)

    def items(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        value = schema[keyword]
        if keyword == "prefixItems" or isinstance(value, list):
            for index, member in enumerate(self._listed(schema, keyword, base, where)):
                yield Part(PartKind.PREFIX, index, (member,), where.below(index))
            return
        if keyword == "additionalItems":
            if not isinstance(schema.get("items"), list) or self.draft is Draft.D2020:
                return
            start = len(schema["items"])
        else:
            prefix = schema.get("prefixItems") if self.draft is Draft.D2020 else None
            start = len(prefix) if prefix else 0
        yield Part(PartKind.REST, start, (self._inner(value, base, where),), where)

    def contains(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        low, high = (schema.get(word) if self.draft.is_modern else None for word in ("minContains", "maxContains"))
        bounds = (1 if low is None else int(low), None if high is None else int(high))
        yield Part(PartKind.CONTAINS, bounds, (self._inner(schema[keyword], base, where),), where)

    def unique(self, schema: dict[str, Any], keyword: str, _: str, where: Where) -> Iterator[Part]:
        if schema[keyword] is True:
            yield Part(PartKind.UNIQUE, where=where)

    def named(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        kind = PartKind.PROPERTY if keyword == "properties" else PartKind.PATTERN_PROPERTY
        for name, value in schema[keyword].items():
            yield Part(kind, name, (self._inner(value, base, where.below(name)),), where.below(name))

    def additional(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        reach = (frozenset(schema.get("properties", ())), tuple(sorted(schema.get("patternProperties", ()))))
        yield Part(PartKind.ADDITIONAL, reach, (self._inner(schema[keyword], base, where),), where)

    def required(self, schema: dict[str, Any], keyword: str, _: str, where: Where) -> Iterator[Part]:
        for index, name in enumerate(schema[keyword]):
            yield Part(PartKind.REQUIRED, name, where=where.below(index))

    def names(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        yield Part(PartKind.PROPERTY_NAMES, None, (self._inner(schema[keyword], base, where),), where)

    def dependencies(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        # Modern drafts know `dependencies` no more, but some of their validators still assert it.
        is_certain = keyword != "dependencies" or not self.draft.is_modern
        for name, value in schema[keyword].items():
            at = where.below(name)
            if isinstance(value, list):
                for other in value:
                    yield Part(PartKind.DEPENDENT_REQUIRED, (name, other), (), at, is_certain=is_certain)
            else:
                inner = self._inner(value, base, at)
                yield Part(PartKind.DEPENDENT_SCHEMA, name, (inner,), at, is_certain=is_certain)

    def unevaluated(self, schema: dict[str, Any], keyword: str, base: str, where: Where) -> Iterator[Part]:
        kind = PartKind.UNEVALUATED_ITEMS if keyword == "unevaluatedItems" else PartKind.UNEVALUATED_PROPERTIES
        # What the parts beside it evaluate is known when all shapes are.
        self._unevaluated.append(
            (self._shapes.get(id(schema), self._true), kind, self._inner(schema[keyword], base, where), where)
        )
        return iter(())

    def _closing(
        self, own: list[Part], kind: PartKind, inner: Shape, where: Where, closers: Container[tuple[int, PartKind]]
    ) -> Iterator[Part]:
        """The part that an unevaluated keyword comes to beside these parts."""
        own = list(own)
        is_items = kind is PartKind.UNEVALUATED_ITEMS
        surely, perhaps = (reach_of(own, kind, closers, is_upper=is_upper) for is_upper in (False, True))
        if surely.is_everything:
            return
        if surely != perhaps:
            beside = Shape(part for part in own if part.kind in EVALUATING)
            self._besides.append(beside)
            yield Part(kind, (surely, perhaps), (inner, beside), where)
        elif is_items:
            yield Part(PartKind.REST, surely.length, (inner,), where)
        else:
            yield Part(PartKind.ADDITIONAL, (surely.names, surely.patterns), (inner,), where)


def _size(value: Any) -> int:  # noqa: ANN401 - any JSON value
    """How many values a value consists of; its depth is bounded by what `read_json` takes."""
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A value as jsonschema-rs takes it; its depth is bounded by what `read_json` takes."""
    if isinstance(value, Decimal):
        return Decimal(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value


_Reader = Callable[[Shapes, dict[str, Any], str, str, Where], Iterator[Part]]
_COUNTS = {
    "maxItems": PartKind.MAX_ITEMS,
    "maxLength": PartKind.MAX_LENGTH,
    "maxProperties": PartKind.MAX_PROPERTIES,
    "minItems": PartKind.MIN_ITEMS,
    "minLength": PartKind.MIN_LENGTH,
    "minProperties": PartKind.MIN_PROPERTIES,
}
_READERS: dict[str, _Reader] = {
    "type": Shapes.types,
    **dict.fromkeys(("enum", "const"), Shapes.values),
    **dict.fromkeys(("$ref", "$dynamicRef", "$recursiveRef"), Shapes.reference),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), Shapes.combined),
    "not": Shapes.negation,
    "if": Shapes.condition,
    **dict.fromkeys(_COUNTS, Shapes.count),
    **dict.fromkeys(("pattern", "format", *_CONTENT), Shapes.text),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), Shapes.bound),
    "multipleOf": Shapes.multiple,
    **dict.fromkeys(("items", "prefixItems", "additionalItems"), Shapes.items),
    "contains": Shapes.contains,
    "uniqueItems": Shapes.unique,
    **dict.fromkeys(("properties", "patternProperties"), Shapes.named),
    "additionalProperties": Shapes.additional,
    "required": Shapes.required,
    "propertyNames": Shapes.names,
    **dict.fromkeys(("dependencies", "dependentRequired", "dependentSchemas"), Shapes.dependencies),
    **dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), Shapes.unevaluated),
}
