"""From the path of a difference to what stands there in the two schemas, and to JSON Pointers into their texts.

Refuses to say what the difference means. Paths follow the reader's fields and the writer's branches
(compatibility-rules 1.8); into a union of the reader they lead without a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from llm_schema_registry.formats.avro.branches import choose
from llm_schema_registry.formats.avro.diff import matching_names
from llm_schema_registry.formats.avro.parse import NamedType
from llm_schema_registry.formats.avro.tree import Array, Field, Map, Record, Type, Union

ATTRIBUTES = frozenset({"name", "size", "symbols"})

Places: TypeAlias = Mapping[str, str]
"""Where a text defines its named types: pointers by full name. Types of references are not in it."""


@dataclass(slots=True)
class End:
    """One side's end of a path. `pointer` is None where the text has no such place, or a reference's text has it.

    `owner` is the last record on the way and `field` the one taken in it, both None before the first.
    """

    type: Type | None
    places: Places
    pointer: str | None = ""
    owner: Record | None = None
    field: Field | None = None

    def descend(self, child: Type | None, *tokens: object) -> None:
        """Go to a part of the type, or nowhere."""
        self.type = child
        self.pointer = None if self.pointer is None or child is None else "/".join((self.pointer, *map(str, tokens)))

    def open(self) -> None:
        """Go from the mention of a named type to its definition."""
        if isinstance(self.type, NamedType):
            self.pointer = self.places.get(self.type.name.full)

    def take_field(self, name: str | None) -> None:
        """Go to a field of the record, or nowhere; the type stays the record until `take_type`."""
        record = self.type
        self.open()
        self.field = self.owner = None
        if not isinstance(record, Record):
            self.descend(None)
            return
        self.owner = record
        if name is None:
            self.descend(None)
            return
        self.field = record.fields[name]
        self.descend(record, "fields", list(record.fields).index(name))

    def take_type(self) -> None:
        """Go from the field to its type."""
        self.descend(self.field.type if self.field is not None else None, "type")

    def enter_branch(self, branch: Type | None) -> None:
        """Go from a union to one of its branches."""
        if isinstance(self.type, Union) and branch is not None:
            index = next(index for index, one in enumerate(self.type.branches) if one is branch)
            self.descend(branch, index)


@dataclass(slots=True)
class Spot:
    """Where a difference stands. `attribute` is the attribute of a type that the path ends in, if any."""

    reader: End
    writer: End
    attribute: str = ""

    def enter_union(self) -> None:
        """Go to the branch of the reader's union that decoders take for the writer's type."""
        if isinstance(self.reader.type, Union) and self.writer.type is not None:
            self.reader.enter_branch(choose(self.reader.type, self.writer.type, None).branch)


def find_spot(path: str, reader: End, writer: End, *, is_ambiguous: bool) -> Spot:
    """Follow a path from both roots as far as it leads. With `is_ambiguous` it ends in a field that fits several."""
    spot = Spot(reader, writer)
    tokens = iter([token for token in path.split("/") if token])
    for token in tokens:
        if not _follow(spot, token, tokens, is_ambiguous=is_ambiguous):
            break
    return spot


def _follow(spot: Spot, step: str, rest: Iterator[str], *, is_ambiguous: bool) -> bool:
    """Go on by one step; false when it leads nowhere."""
    reader, writer = spot.reader, spot.writer
    if step == "type":
        reader.take_type()
        writer.take_type()
        return True
    if step.isdigit():
        branches = writer.type.branches if isinstance(writer.type, Union) else []
        writer.enter_branch(branches[int(step)] if int(step) < len(branches) else None)
        return bool(branches)
    if step == "fields":
        return _take_fields(spot, int(next(rest)), is_ambiguous=is_ambiguous)
    spot.enter_union()
    if step in ATTRIBUTES:
        spot.attribute = step
        for end in (reader, writer):
            end.open()
            end.descend(end.type, step)
        return True
    return _take_part(reader) and _take_part(writer)


def _take_part(end: End) -> bool:
    match end.type:
        case Array():
            end.descend(end.type.items, "items")
        case Map():
            end.descend(end.type.values, "values")
        case _:
            return False
    return True


def _take_fields(spot: Spot, index: int, *, is_ambiguous: bool) -> bool:
    reader, writer = spot.reader, spot.writer
    written = writer.type if isinstance(writer.type, Record) else None
    if isinstance(reader.type, Union):
        chosen = choose(reader.type, writer.type, None).branch if writer.type is not None else None
        branches = (chosen, *reader.type.branches)
        reader.enter_branch(
            next((one for one in branches if _has_field(one, index, written if is_ambiguous else None)), None)
        )
    if not _has_field(reader.type, index, None) or not isinstance(reader.type, Record):
        return False
    field = next(islice(reader.type.fields.values(), index, None))
    reader.take_field(field.name)
    names = matching_names(field, written) if written is not None else []
    writer.take_field(names[0] if names else None)
    return True


def _has_field(branch: Type | None, index: int, written: Record | None) -> bool:
    """Whether it is a record that has this field, and it fits several of those written where that is asked."""
    if not isinstance(branch, Record) or index >= len(branch.fields):
        return False
    field = next(islice(branch.fields.values(), index, None))
    return written is None or len(matching_names(field, written)) > 1
