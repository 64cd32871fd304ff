"""What the values of a schema look like, the same words for every format: what rules, tags and constraints hang on.

Refuses to know any format, and to check a value: a format's payloads are strict, this is only their outline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from google.protobuf.descriptor import Descriptor


class ShapeKind(StrEnum):
    """The types of fields as Confluent's rules name them (`typeName`), and ANY for a JSON value of any type."""

    RECORD = "RECORD"
    ENUM = "ENUM"
    ARRAY = "ARRAY"
    MAP = "MAP"
    COMBINED = "COMBINED"
    FIXED = "FIXED"
    STRING = "STRING"
    BYTES = "BYTES"
    INT = "INT"
    LONG = "LONG"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    BOOLEAN = "BOOLEAN"
    NULL = "NULL"
    ANY = "ANY"


class Logical(StrEnum):
    """What a value means beyond its kind."""

    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    DURATION = "DURATION"
    DECIMAL = "DECIMAL"
    UUID = "UUID"


@dataclass(eq=False, slots=True)
class Shape:
    """One type. Filled once and then left alone; equal types may be different objects, and circles are allowed.

    `name` is the full name of a record, an enum or a fixed. `items` is what an array or a map holds. `branches` are
    the types of a COMBINED, without null: a null among them, or an optional presence, is `is_nullable`. `is_open`
    says that a record may have fields which are not listed. `descriptor` is set for Protobuf's messages. `tags` are
    those written on the type itself, or on what a record holds beside its fields, where no field shows them: they hide
    values, but rules and policies are about fields.
    """

    kind: ShapeKind
    name: str = ""
    is_nullable: bool = False
    logical: Logical | None = None
    is_unsigned: bool = False
    symbols: tuple[str, ...] = ()
    fields: dict[str, ShapeField] = field(default_factory=dict)
    items: Shape | None = None
    branches: tuple[Shape, ...] = ()
    is_open: bool = False
    descriptor: Descriptor | None = None
    tags: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class ShapeField:
    """A field of a record. `name` is its key in plain values, `json_name` in the format's JSON if that differs.

    `full_name` is what metadata's tags and rules call it: the record's full name and the field's (Avro, Protobuf), or
    the path from `$` (JSON). `tags` are those written in the schema's text. `schema_path` is written as in `Detail`.
    """

    name: str
    full_name: str
    shape: Shape
    tags: tuple[str, ...] = ()
    is_required: bool = False
    schema_path: str = ""
    json_name: str = ""


def parts_of(shape: Shape) -> Iterator[Shape]:
    """Yield the shapes right inside a shape: those of its fields, its items and its branches."""
    yield from (each.shape for each in shape.fields.values())
    if shape.items is not None:
        yield shape.items
    yield from shape.branches


def walk_shapes(shape: Shape, *, into_fields: bool = True) -> Iterator[Shape]:
    """Yield every shape inside a shape, itself first, each once.

    Without `into_fields` those of fields are left out: what remains is what lists, maps and unions come to.
    """
    seen: set[int] = set()
    waiting = [shape]
    while waiting:
        current = waiting.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            if into_fields or current.kind is not ShapeKind.RECORD:
                waiting.extend(parts_of(current))


def walk_fields(shape: Shape) -> Iterator[ShapeField]:
    """Yield every field that a shape can have, each once, outer ones first."""
    seen: set[int] = set()
    for current in walk_shapes(shape):
        # A record and the same record or null are two shapes of the same fields.
        for each in current.fields.values():
            if id(each) not in seen:
                seen.add(id(each))
                yield each


def choices_of(shape: Shape) -> Iterator[Shape]:
    """Yield the shape itself, or of a COMBINED what its branches come to, in their order, each once."""
    seen: set[int] = set()
    waiting = [shape]
    while waiting:
        choice = waiting.pop()
        if id(choice) in seen:
            continue
        seen.add(id(choice))
        if choice.kind is ShapeKind.COMBINED:
            waiting.extend(reversed(choice.branches))
        else:
            yield choice
