"""Which parts of a value lie in fields that are tagged as sensitive, whichever branch of a union they may belong to.

Refuses to judge or change a value. Where the schema leaves open what a part is, every possibility counts, so that a
doubt never shows what should be hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from llm_schema_registry.contracts.fields import FieldTags
from llm_schema_registry.formats.places import token_name
from llm_schema_registry.formats.shape import Shape, ShapeKind, choices_of, walk_fields, walk_shapes

SENSITIVE_TAGS = frozenset({"PII", "SECRET", "SENSITIVE", "PHI", "PCI", "CREDENTIAL"})
"""The tags that make a field sensitive."""


class Part(NamedTuple):
    """A part of a value: the shapes that it may have, none when the schema does not know it, unions taken apart.

    `schema_path` is that of the field that the part is, or is in.
    """

    shapes: tuple[Shape, ...]
    schema_path: str
    is_sensitive: bool = False


class TaggedFields:
    """The sensitive fields of one shape. Immutable but for a memory of unions taken apart."""

    def __init__(self, shape: Shape, tags: FieldTags) -> None:
        """Find the fields, and the types, with one of the tags that count as sensitive."""
        self._sensitive = {id(field) for field in walk_fields(shape) if not tags.of(field).isdisjoint(SENSITIVE_TAGS)}
        self._sensitive |= {id(each) for each in walk_shapes(shape) if not SENSITIVE_TAGS.isdisjoint(each.tags)}
        self._reaching: dict[int, bool] = {}
        is_all = id(shape) in self._sensitive
        self.top = Part(() if is_all else tuple(choices_of(shape)), "", is_sensitive=is_all)

    @property
    def is_empty(self) -> bool:
        """Whether no field is sensitive."""
        return not self._sensitive

    def member(self, part: Part, key: str) -> Part:
        """Return what an object holds under a key."""
        shapes: dict[int, Shape] = {}
        schema_path = part.schema_path
        for shape in part.shapes:
            if shape.kind is ShapeKind.RECORD and key in shape.fields:
                field = shape.fields[key]
                if id(field) in self._sensitive or id(field.shape) in self._sensitive:
                    return Part((), field.schema_path, is_sensitive=True)
                schema_path = field.schema_path
                shapes.update((id(choice), choice) for choice in choices_of(field.shape))
            elif shape.kind is ShapeKind.MAP and shape.items is not None:
                if id(shape.items) in self._sensitive:
                    return Part((), part.schema_path, is_sensitive=True)
                shapes.update((id(choice), choice) for choice in choices_of(shape.items))
            elif shape.kind is ShapeKind.ANY:
                shapes[id(shape)] = shape
        return Part(tuple(shapes.values()), schema_path)

    def item(self, part: Part) -> Part:
        """Return what an array holds."""
        shapes: dict[int, Shape] = {}
        for shape in part.shapes:
            if shape.kind is ShapeKind.ARRAY and shape.items is not None:
                if id(shape.items) in self._sensitive:
                    return Part((), part.schema_path, is_sensitive=True)
                shapes.update((id(choice), choice) for choice in choices_of(shape.items))
            elif shape.kind is ShapeKind.ANY:
                shapes[id(shape)] = shape
        return Part(tuple(shapes.values()), part.schema_path)

    def at(self, path: str) -> Part | None:
        """Return the part that a violation's path leads to, or None when the way leads through a sensitive field, or to
        where the schema knows nothing. A field may be called by either of its names.
        """
        *_, part = self._way(path)
        return part if part.shapes else None

    def beyond(self, path: str) -> int | None:
        """Return how many parts of a violation's path lead to a sensitive field; None when it leads to none."""
        return next((depth for depth, part in enumerate(self._way(path)) if part.is_sensitive), None)

    def _way(self, path: str) -> Iterator[Part]:
        """Yield the parts from the top to where a path leads, or to a sensitive field."""
        part = self.top
        yield part
        for token in path.split("/")[1:]:
            name = token_name(token)
            fields = (field for shape in part.shapes for field in shape.fields.values())
            keys = {name, *(field.name for field in fields if field.json_name == name)}
            inside = [self.item(part), *(self.member(part, key) for key in keys)]
            if sensitive := next((found for found in inside if found.is_sensitive), None):
                yield sensitive
                return
            shapes = {id(shape): shape for found in inside for shape in found.shapes}
            part = Part(tuple(shapes.values()), inside[-1].schema_path)
            yield part

    def reaches(self, part: Part) -> bool:
        """Whether a sensitive field lies inside a part."""
        for shape in part.shapes:
            if id(shape) not in self._reaching:
                inside = (*walk_fields(shape), *walk_shapes(shape))
                self._reaching[id(shape)] = any(id(each) in self._sensitive for each in inside)
        return any(self._reaching[id(shape)] for shape in part.shapes)
