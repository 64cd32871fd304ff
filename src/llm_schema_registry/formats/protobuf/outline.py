"""The outline of a message's plain values: kinds as Confluent's rules name them, full names, and tags of the text.

Refuses to make a value plain: `payload_plain` does, and the two agree.
"""

from __future__ import annotations

from collections.abc import Mapping

from llm_schema_registry.formats.protobuf.plan import (
    DECIMAL,
    DURATION,
    INT32,
    LIST_VALUE,
    STRUCT,
    TIMESTAMP,
    UINT32,
    UNSIGNED,
    VALUE,
    WRAPPERS,
    Field,
    FieldPlan,
    MessagePlan,
)
from llm_schema_registry.formats.shape import Logical, Shape, ShapeField, ShapeKind

_LEAVES = {
    TIMESTAMP: (ShapeKind.LONG, Logical.TIMESTAMP),
    DURATION: (ShapeKind.LONG, Logical.DURATION),
    DECIMAL: (ShapeKind.BYTES, Logical.DECIMAL),
}
_SCALARS = {
    Field.TYPE_STRING: ShapeKind.STRING,
    Field.TYPE_BYTES: ShapeKind.BYTES,
    Field.TYPE_FLOAT: ShapeKind.FLOAT,
    Field.TYPE_DOUBLE: ShapeKind.DOUBLE,
    Field.TYPE_BOOL: ShapeKind.BOOLEAN,
    Field.TYPE_ENUM: ShapeKind.ENUM,
    **dict.fromkeys((*INT32, *UINT32), ShapeKind.INT),
}


def outline(plan: MessagePlan, tags: Mapping[str, tuple[str, ...]]) -> Shape:
    """Return the shape of a message's plain values. A message that holds itself is a circle. `tags` are by field."""
    drawing = _Outline(tags)
    shape = drawing.message(plan, is_nullable=False)
    drawing.finish()
    return shape


class _Outline:
    def __init__(self, tags: Mapping[str, tuple[str, ...]]) -> None:
        self._tags = tags
        self._shapes: dict[tuple[str, bool], Shape] = {}
        self._waiting: list[tuple[MessagePlan, dict[str, ShapeField]]] = []

    def finish(self) -> None:
        """Draw the fields of all messages that were met."""
        while self._waiting:
            plan, fields = self._waiting.pop()
            fields.update({field.name: self._field(field) for field in plan.fields})

    def message(self, plan: MessagePlan, *, is_nullable: bool) -> Shape:
        name = plan.full_name
        known = plan.known
        if known in _LEAVES:
            kind, logical = _LEAVES[known]
            return Shape(kind, name, is_nullable, logical)
        if known in WRAPPERS:
            return self._scalar(plan.by_number[1], is_nullable=True)
        if known == VALUE:
            return Shape(ShapeKind.ANY, name, is_nullable=True)
        if known == STRUCT:
            return Shape(ShapeKind.MAP, name, is_nullable, items=Shape(ShapeKind.ANY, is_nullable=True))
        if known == LIST_VALUE:
            return Shape(ShapeKind.ARRAY, name, is_nullable, items=Shape(ShapeKind.ANY, is_nullable=True))
        made = self._shapes.get((name, is_nullable))
        if made is None:
            # The two shapes of a message, one that may be absent and one that may not, share their fields.
            other = self._shapes.get((name, not is_nullable))
            fields: dict[str, ShapeField] = {} if other is None else other.fields
            made = Shape(ShapeKind.RECORD, name, is_nullable, fields=fields, descriptor=plan.descriptor)
            self._shapes[name, is_nullable] = made
            if other is None:
                self._waiting.append((plan, fields))
        return made

    def _field(self, field: FieldPlan) -> ShapeField:
        if field.is_map and field.message is not None:
            shape = Shape(ShapeKind.MAP, items=self._type(field.message.by_number[2], is_nullable=False))
        elif field.is_repeated:
            shape = Shape(ShapeKind.ARRAY, items=self._type(field, is_nullable=False))
        else:
            shape = self._type(field, is_nullable=field.has_presence and not field.is_required)
        return ShapeField(
            field.name,
            field.full_name,
            shape,
            self._tags.get(field.full_name, ()),
            field.is_required,
            field.full_name,
            json_name="" if field.json_name == field.name else field.json_name,
        )

    def _type(self, field: FieldPlan, *, is_nullable: bool) -> Shape:
        if field.message is not None:
            return self.message(field.message, is_nullable=is_nullable)
        return self._scalar(field, is_nullable=is_nullable)

    def _scalar(self, field: FieldPlan, *, is_nullable: bool) -> Shape:
        enum = field.enum
        return Shape(
            _SCALARS.get(field.type, ShapeKind.LONG),
            "" if enum is None else enum.full_name,
            is_nullable,
            is_unsigned=field.type in UNSIGNED,
            symbols=() if enum is None else tuple(value.name for value in enum.values),
        )
