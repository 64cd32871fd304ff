"""The outline of what a JSON Schema describes: the fields that rules, tags and constraints hang on.

Refuses to judge values. Names are those of Confluent's clients: `$` and the names of properties, so that an item of a
list, a member of a combination and what a reference leads to are called like the place that holds them. Kinds are
theirs too, except that only strings make an ENUM (a list of numbers is of their type) and that what says no type is
ANY, where theirs is NULL. Tags are those of the property and of all that it refers to or combines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llm_schema_registry.formats.json_schema.drafts import Draft
from llm_schema_registry.formats.json_schema.rewrite import At
from llm_schema_registry.formats.json_schema.tags import KEYWORD
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind

MAX_FIELDS = 20_000
"""Fields of an outline. What lies beyond, inner ones last, is left out, and what would hold it is ANY and open."""

_KINDS = {
    "string": ShapeKind.STRING,
    "integer": ShapeKind.INT,
    "number": ShapeKind.DOUBLE,
    "boolean": ShapeKind.BOOLEAN,
    "array": ShapeKind.ARRAY,
    "object": ShapeKind.RECORD,
    "null": ShapeKind.NULL,
}
_TYPES = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object", type(None): "null"}


def outline(draft: Draft, documents: Sequence[Any], names: Sequence[str]) -> Shape:
    """Return the shape of a schema and its references, as `rewrite` writes them. A circle of them is one of shapes."""
    return _Outline(draft, documents, names).shape()


@dataclass(slots=True)
class _Parts:
    """What all schemas say together that describe one place. `types` is None where none says a type.

    `places` are single items of a list, `cases` what is said of some values only, beside `branches` of which one holds.
    """

    types: list[str] | None = None
    values: list[Any] | None = None
    fields: dict[str, list[At]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    others: list[At] = field(default_factory=list)
    items: list[At] = field(default_factory=list)
    places: list[At] = field(default_factory=list)
    cases: list[_Parts] = field(default_factory=list)
    branches: list[_Parts] = field(default_factory=list)
    tags: dict[str, None] = field(default_factory=dict)
    key: list[int] = field(default_factory=list)
    is_closed: bool = False

    @property
    def is_null(self) -> bool:
        return self.types == ["null"] or self.values == [None]

    @property
    def is_silent(self) -> bool:
        """Whether nothing is said that an outline shows."""
        return not (self.types or self.values or self.fields or self.others or self.items or self.branches)


class _Holder(NamedTuple):
    """The way from the root to a shape: what describes each place on it."""

    key: frozenset[int]
    shape: Shape
    above: _Holder | None


class _Task(NamedTuple):
    """A shape that is still empty."""

    shape: Shape
    parts: _Parts
    path: str
    above: _Holder | None


class _Outline:
    def __init__(self, draft: Draft, documents: Sequence[Any], names: Sequence[str]) -> None:
        self._draft = draft
        self._documents = documents
        self._names = names
        self._waiting: deque[_Task] = deque()
        self._count = 0

    def shape(self) -> Shape:
        root = self._later([At(self._documents[0])], "$", None)
        while self._waiting:
            self._fill(*self._waiting.popleft())
        return root

    def _later(self, ats: list[At], path: str, above: _Holder | None) -> Shape:
        """Return the shape of a place, filled in its turn, or the one that it leads back to."""
        return self._of(self._gathered(ats), path, above)

    def _of(self, parts: _Parts, path: str, above: _Holder | None) -> Shape:
        key = frozenset(parts.key)
        holder = above
        while holder is not None and key:
            if holder.key == key:
                return holder.shape
            holder = holder.above
        shape = Shape(ShapeKind.ANY, is_open=True)
        self._waiting.append(_Task(shape, parts, path, above))
        return shape

    def _gathered(self, ats: list[At]) -> _Parts:
        parts = _Parts()
        try:
            for at in ats:
                self._gather(at, parts, set())
        except RecursionError:
            return _Parts()
        return parts

    def _gather(self, at: At, parts: _Parts, seen: set[int]) -> None:
        """Add what a schema says, and what it refers to and combines; each once for a place."""
        schema = at.schema
        if not isinstance(schema, dict) or id(schema) in seen:
            return
        seen.add(id(schema))
        target = at.target(self._documents)
        if target is None or (self._draft.is_modern and len(schema) > 1):
            parts.key.append(id(schema))
        if target is not None:
            self._gather(target, parts, seen)
        tags = schema.get(KEYWORD)
        parts.tags.update(dict.fromkeys(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else {})
        if target is not None and not self._draft.is_modern:
            return
        self._gather_own(at, parts)
        for index in range(len(schema.get("allOf", ()))):
            self._gather(at.down("allOf", index), parts, seen)
        for keyword in ("anyOf", "oneOf"):
            for index in range(len(schema.get(keyword, ()))):
                branch = _Parts()
                self._gather(at.down(keyword, index), branch, seen)
                parts.branches.extend([branch] if branch.is_null or not branch.branches else branch.branches)
        for case in self._cases_of(at):
            parts.cases.append(_Parts())
            self._gather(case, parts.cases[-1], seen)

    def _cases_of(self, at: At) -> Iterator[At]:
        for keyword in ("then", "else"):
            if keyword in at.schema and self._draft.knows(keyword):
                yield at.down(keyword)
        for keyword in ("dependentSchemas", "dependencies"):
            if self._draft.knows(keyword):
                yield from (at.down(keyword, name) for name in at.schema.get(keyword, ()))

    def _gather_own(self, at: At, parts: _Parts) -> None:
        schema = at.schema
        declared = schema.get("type")
        types = [declared] if isinstance(declared, str) else declared
        if types is not None:
            parts.types = types if parts.types is None else [name for name in parts.types if name in types]
        if "enum" in schema or "const" in schema:
            parts.values = schema["enum"] if "enum" in schema else [schema["const"]]
        for name in schema.get("properties", ()):
            parts.fields.setdefault(name, []).append(at.down("properties", name))
        required = schema.get("required")
        parts.required.update(required if isinstance(required, list) else ())
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            said = schema.get(keyword) if self._draft.knows(keyword) else None
            if isinstance(said, dict):
                parts.others.append(at.down(keyword))
            parts.is_closed = parts.is_closed or said is False
        parts.others.extend(at.down("patternProperties", pattern) for pattern in schema.get("patternProperties", ()))
        items = schema.get("items")
        if isinstance(items, dict) and not (self._draft.knows("prefixItems") and "prefixItems" in schema):
            parts.items.append(at.down("items"))
        for keyword in ("prefixItems", "items", "additionalItems", "unevaluatedItems", "contains"):
            said = schema.get(keyword) if self._draft.knows(keyword) else None
            if isinstance(said, list):
                parts.places.extend(at.down(keyword, index) for index in range(len(said)))
            elif said is not None:
                parts.places.append(at.down(keyword))

    def _fill(self, shape: Shape, parts: _Parts, path: str, above: _Holder | None) -> None:
        if self._count >= MAX_FIELDS:
            return
        branches = [branch for branch in parts.branches if not branch.is_null]
        kinds = list(dict.fromkeys(self._kinds(parts)))
        is_nullable = ShapeKind.NULL in kinds and len(kinds) > 1
        kinds = [kind for kind in kinds if kind is not ShapeKind.NULL] if is_nullable else kinds
        shape.is_nullable = is_nullable or (not kinds and any(branch.is_null for branch in parts.branches))
        above = _Holder(frozenset(parts.key), shape, above)
        shape.tags = _united(shape.tags, parts.tags, *(branch.tags for branch in (*parts.branches, *parts.cases)))
        if not kinds and any(branch.is_silent for branch in branches):
            return
        if len(kinds) > 1 or (not kinds and len(branches) > 1):
            shape.kind, shape.is_open = ShapeKind.COMBINED, False
            if kinds:
                shape.branches = tuple(self._branch(kind, parts, path, above) for kind in kinds)
            else:
                shape.branches = tuple(self._of(branch, path, above) for branch in branches)
                shape.is_nullable = shape.is_nullable or any(None in (b.values or ()) for b in branches)
        elif not kinds and branches:
            is_nullable = shape.is_nullable
            self._fill(shape, branches[0], path, above)
            shape.is_nullable = shape.is_nullable or is_nullable
        elif kinds:
            for branch in (*branches, *parts.cases) if kinds == [ShapeKind.RECORD] else ():
                # Fields that the value has in one case only.
                for name, ats in branch.fields.items():
                    parts.fields.setdefault(name, []).extend(ats)
            self._fill_kind(shape, kinds[0], parts, path, above)
        elif any(branch.is_null for branch in parts.branches) and all(branch.is_null for branch in parts.branches):
            shape.kind, shape.is_open, shape.is_nullable = ShapeKind.NULL, False, False

    def _branch(self, kind: ShapeKind, parts: _Parts, path: str, above: _Holder) -> Shape:
        shape = Shape(kind)
        self._fill_kind(shape, kind, parts, path, above)
        return shape

    def _fill_kind(self, shape: Shape, kind: ShapeKind, parts: _Parts, path: str, above: _Holder) -> None:
        shape.kind, shape.is_open = kind, False
        if kind is ShapeKind.RECORD and not parts.fields:
            shape.kind = ShapeKind.MAP
            shape.items = self._later(parts.others[:1], path, above)
            shape.items.tags = _united(shape.items.tags, self._gathered(parts.others).tags)
        elif kind is ShapeKind.RECORD:
            shape.is_open = not parts.is_closed
            shape.tags = _united(shape.tags, self._gathered(parts.others).tags)
            for name, ats in parts.fields.items():
                self._add_field(shape, name, ats, name in parts.required, f"{path}.{name}", above)
        elif kind is ShapeKind.ARRAY:
            shape.items = self._later(parts.items, path, above)
            shape.items.tags = _united(shape.items.tags, self._gathered(parts.places).tags)
        elif kind is ShapeKind.ENUM:
            shape.symbols = tuple(value for value in parts.values or () if isinstance(value, str))

    def _add_field(
        self, shape: Shape, name: str, ats: list[At], is_required: bool, full_name: str, above: _Holder
    ) -> None:
        if self._count >= MAX_FIELDS:
            shape.is_open = True
            return
        self._count += 1
        parts = self._gathered(ats)
        shape.fields[name] = ShapeField(
            name=name,
            full_name=full_name,
            shape=self._of(parts, full_name, above),
            tags=tuple(parts.tags),
            is_required=is_required,
            schema_path=ats[0].place(self._names),
        )

    def _kinds(self, parts: _Parts) -> Iterator[ShapeKind]:
        """Yield the kinds that are said, null too; nothing if nothing is said."""
        if parts.values is not None:
            values = [value for value in parts.values if value is not None]
            if any(value is None for value in parts.values):
                yield ShapeKind.NULL
            if values and all(isinstance(value, str) for value in values):
                yield ShapeKind.ENUM
            else:
                yield from (_KINDS[_TYPES.get(type(value), "number")] for value in values)
        elif parts.types is not None:
            types = [name for name in parts.types if name != "integer" or "number" not in parts.types]
            yield from (_KINDS[name] for name in types)
        elif parts.fields or parts.others:
            yield ShapeKind.RECORD
        elif parts.items:
            yield ShapeKind.ARRAY


def _united(*tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag for each in tags for tag in each))
