"""A schema turned into functions that read its payloads: the walk over the tree, the same for both encodings.

Refuses to know an encoding: that is what the subclasses are for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from llm_schema_registry.formats.avro.parse import NamedType
from llm_schema_registry.formats.avro.payload_logical import Conversion, conversion
from llm_schema_registry.formats.avro.spot import Places
from llm_schema_registry.formats.avro.tree import Array, Enum, Fixed, Map, Type, Union

R = TypeVar("R")


class Compiler(ABC, Generic[R]):
    """Compiles a named type once, at its definition, and any other type where it is mentioned.

    Places are JSON Pointers into the schema's text, None for what a reference defines.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._named: dict[int, R] = {}

    def compile(self, schema: Type, place: str | None = "") -> R:
        """Return what reads values of a type."""
        if isinstance(schema, NamedType):
            if id(schema) not in self._named:
                self._define(schema, self._places.get(schema.name.full))
            return self._named[id(schema)]
        match schema:
            case Union():
                branches = [
                    self.compile(branch, below(place, str(index))) for index, branch in enumerate(schema.branches)
                ]
                return self.union(schema, branches, place)
            case Array():
                return self.array(self.compile(schema.items, below(place, "items")), place)
            case Map():
                return self.map(self.compile(schema.values, below(place, "values")), place)
            case _:
                return self._meant(self.primitive(schema.type, place), schema, place)

    def _define(self, schema: NamedType, place: str | None) -> None:
        match schema:
            case Enum():
                self._named[id(schema)] = self.enum(tuple(schema.symbols), place)
            case Fixed():
                self._named[id(schema)] = self._meant(self.fixed(schema.size, place), schema, place)
            case _:
                fields: dict[str, R] = {}
                self._named[id(schema)] = self.record(fields, place)
                for index, field in enumerate(schema.fields.values()):
                    fields[field.name] = self.compile(field.type, below(place, f"fields/{index}/type"))

    def _meant(self, read: R, schema: Type, place: str | None) -> R:
        convert = conversion(schema)
        return read if convert is None else self.meant(read, convert, place)

    @abstractmethod
    def record(self, fields: dict[str, R], place: str | None) -> R:
        """Return what reads a record; the fields are filled in afterwards, since a record can hold itself."""

    @abstractmethod
    def union(self, schema: Union, branches: list[R], place: str | None) -> R: ...

    @abstractmethod
    def array(self, read_item: R, place: str | None) -> R: ...

    @abstractmethod
    def map(self, read_value: R, place: str | None) -> R: ...

    @abstractmethod
    def enum(self, symbols: tuple[str, ...], place: str | None) -> R: ...

    @abstractmethod
    def fixed(self, size: int, place: str | None) -> R: ...

    @abstractmethod
    def primitive(self, name: str, place: str | None) -> R: ...

    @abstractmethod
    def meant(self, read: R, convert: Conversion, place: str | None) -> R:
        """Return what reads a value and gives it the meaning of its logical type."""


def below(place: str | None, tokens: str) -> str | None:
    """Return the place of a part."""
    return None if place is None else f"{place}/{tokens}"
