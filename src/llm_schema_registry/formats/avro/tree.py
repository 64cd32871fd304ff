"""The tree of an Avro schema after names are resolved: one object per named type, one per mention of anything else.

Refuses to own rules; identity, not equality, is what the comparison's memo goes by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, TypeAlias

from msgspec import UNSET, UnsetType

from llm_schema_registry.formats.avro.document import Json

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})

Properties: TypeAlias = dict[str, Json]


class Name(NamedTuple):
    """A full name in two parts; `space` is empty for the null namespace."""

    space: str
    simple: str

    @property
    def full(self) -> str:
        return f"{self.space}.{self.simple}" if self.space else self.simple


@dataclass(eq=False, slots=True)
class Primitive:
    type: str
    properties: Properties


@dataclass(eq=False, slots=True)
class Array:
    type: ClassVar[str] = "array"
    items: Type
    properties: Properties


@dataclass(eq=False, slots=True)
class Map:
    type: ClassVar[str] = "map"
    values: Type
    properties: Properties


@dataclass(eq=False, slots=True)
class Union:
    type: ClassVar[str] = "union"
    branches: list[Type]


@dataclass(eq=False, slots=True)
class Named:
    """What record, enum and fixed share. `aliases` are by full name, in order."""

    name: Name
    doc: str | None
    aliases: dict[str, Name]
    properties: Properties


@dataclass(eq=False, slots=True)
class Enum(Named):
    type: ClassVar[str] = "enum"
    symbols: dict[str, None]
    default: str | None


@dataclass(eq=False, slots=True)
class Fixed(Named):
    type: ClassVar[str] = "fixed"
    size: int


@dataclass(eq=False, slots=True)
class Field:
    """A field of a record. `default` is UNSET when there is none; an explicit null is None."""

    name: str
    type: Type
    doc: str | None
    default: Json | UnsetType
    order: str
    aliases: tuple[str, ...]
    properties: Properties

    @property
    def has_default(self) -> bool:
        return self.default is not UNSET


@dataclass(eq=False, slots=True)
class Record(Named):
    """A record, or an error, which is a record by another word. `fields` are by name, in order."""

    type: ClassVar[str] = "record"
    is_error: bool
    fields: dict[str, Field] = field(default_factory=dict)


Type: TypeAlias = Primitive | Array | Map | Union | Enum | Fixed | Record
