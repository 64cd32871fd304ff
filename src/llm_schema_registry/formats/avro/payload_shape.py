"""The outline of a schema's values: records, fields, tags and what fields mean, as rules and constraints see them.

Refuses to read values.
"""

from __future__ import annotations

from dataclasses import replace

from llm_schema_registry.formats.avro.parse import NamedType
from llm_schema_registry.formats.avro.payload_compile import below
from llm_schema_registry.formats.avro.payload_logical import meaning
from llm_schema_registry.formats.avro.render import TAGS
from llm_schema_registry.formats.avro.spot import Places
from llm_schema_registry.formats.avro.tree import Array, Enum, Field, Map, Record, Type, Union
from llm_schema_registry.formats.shape import Shape, ShapeField, ShapeKind


def outline(root: Type, places: Places) -> Shape:
    """Return the shape of a schema's values. A record that holds itself is a circle."""
    return _Outline(places).shape(root, "")


class _Outline:
    def __init__(self, places: Places) -> None:
        self._places = places
        self._records: dict[int, Shape] = {}

    def shape(self, schema: Type, place: str | None) -> Shape:
        match schema:
            case Union():
                return self._union(schema, place)
            case Record():
                return self._record(schema)
            case Array():
                return Shape(ShapeKind.ARRAY, items=self.shape(schema.items, below(place, "items")))
            case Map():
                return Shape(ShapeKind.MAP, items=self.shape(schema.values, below(place, "values")))
            case Enum():
                return Shape(ShapeKind.ENUM, schema.name.full, symbols=tuple(schema.symbols))
            case _:
                name = schema.name.full if isinstance(schema, NamedType) else ""
                kind = ShapeKind(schema.type.upper())
                return Shape(kind, name, is_nullable=kind is ShapeKind.NULL, logical=meaning(schema))

    def _union(self, union: Union, place: str | None) -> Shape:
        shapes = [self.shape(branch, below(place, str(index))) for index, branch in enumerate(union.branches)]
        branches = tuple(shape for shape in shapes if shape.kind is not ShapeKind.NULL)
        is_nullable = len(branches) < len(shapes)
        if len(branches) == 1:
            # A record keeps its own shape elsewhere, where null may not stand; its fields are the same ones.
            return replace(branches[0], is_nullable=is_nullable) if is_nullable else branches[0]
        if not branches and shapes:
            return shapes[0]
        return Shape(ShapeKind.COMBINED, is_nullable=is_nullable, branches=branches)

    def _record(self, record: Record) -> Shape:
        if id(record) not in self._records:
            shape = self._records[id(record)] = Shape(ShapeKind.RECORD, record.name.full)
            place = self._places.get(record.name.full)
            for index, field in enumerate(record.fields.values()):
                shape.fields[field.name] = self._field(record, field, below(place, f"fields/{index}"))
        return self._records[id(record)]

    def _field(self, record: Record, field: Field, place: str | None) -> ShapeField:
        tags = field.properties.get(TAGS)
        return ShapeField(
            field.name,
            f"{record.name.full}.{field.name}",
            self.shape(field.type, below(place, "type")),
            tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
            # A decoded record has every field.
            is_required=True,
            schema_path=place or "",
        )
