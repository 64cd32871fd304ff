"""Differences between a reader's and a writer's schema, by field number, in the order of compatibility-rules part 4.

Refuses to judge kinds; it asks the kinds table only where a verdict on an imported message is itself a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.protobuf.kinds import KINDS
from llm_schema_registry.formats.protobuf.parse import ProtobufSchema
from llm_schema_registry.formats.protobuf.shape import (
    MAP,
    SCALAR,
    TEXT_GROUP,
    FieldShape,
    MessageShape,
    Type,
    shape_message,
    visible_messages,
)
from llm_schema_registry.formats.protobuf.symbols import join
from llm_schema_registry.model import Difference

Path = tuple[str, ...]
Pair = tuple[str, str]


class _Nested(NamedTuple):
    """The place where the differences of a pair of imported messages belong, before a field's own verdict on them."""

    pair: Pair
    verdict: Difference


Item = Difference | _Nested


class _Side(NamedTuple):
    """One of two scopes that are compared, with its full name."""

    scope: FileDescriptorProto | DescriptorProto
    full_name: str


def compare(reader: ProtobufSchema, writer: ProtobufSchema, budget: Budget) -> list[Difference]:
    """Return everything that differs. Imported messages are compared once per pair, whoever refers to them.

    Raises TooComplex.
    """
    return _Comparison(reader, writer, budget).run()


class _Comparison:
    def __init__(self, reader: ProtobufSchema, writer: ProtobufSchema, budget: Budget) -> None:
        self._reader = reader
        self._writer = writer
        self._budget = budget
        self._imported: dict[Pair, list[Item]] = {}
        self._waiting: list[Pair] = []

    def run(self) -> list[Difference]:
        reader, writer = self._reader.file, self._writer.file
        items: list[Item] = []
        if reader.package != writer.package or reader.HasField("package") != writer.HasField("package"):
            info = f"'{reader.package}' against '{writer.package}'"
            items.append(_difference("PACKAGE_CHANGED", (), info))
        items += self._types(_Side(reader, reader.package), _Side(writer, writer.package), ())
        # A loop, not recursion: a chain of messages is as long as its author likes.
        while self._waiting:
            pair = self._waiting.pop()
            self._imported[pair] = list(self._imported_message(pair))
        return list(self._flatten(items, self._breaking_pairs()))

    def _types(self, reader: _Side, writer: _Side, path: Path) -> Iterator[Item]:
        readers = visible_messages(reader.scope, reader.full_name)
        writers = visible_messages(writer.scope, writer.full_name)
        places = {name: place for place, name in enumerate(readers)}
        former_places = {name: place for place, name in enumerate(writers)}
        for name in java_order([*writers, *readers]):
            here = (*path, name)
            if name not in writers:
                yield _difference("MESSAGE_ADDED", here)
            elif name not in readers:
                yield _difference("MESSAGE_REMOVED", here)
            else:
                reader_side = _Side(readers[name], join(reader.full_name, name))
                writer_side = _Side(writers[name], join(writer.full_name, name))
                yield from self._fields(reader_side.full_name, writer_side.full_name, here)
                yield from self._types(reader_side, writer_side, here)
                if places[name] != former_places[name]:
                    yield _difference("MESSAGE_MOVED", here, f"{places[name]} against {former_places[name]}")
        yield from _enums(reader.scope.enum_type, writer.scope.enum_type, path, self._budget.spend)

    def _fields(self, reader_name: str, writer_name: str, path: Path) -> Iterator[Item]:
        reader = _shape(self._reader, reader_name)
        writer = _shape(self._writer, writer_name)
        self._budget.spend(10 + 5 * (len(reader.fields) + len(writer.fields)))
        yield from _exclusions(reader, writer, path)
        oneofs, former_oneofs = frozenset(reader.oneofs), frozenset(writer.oneofs)
        for oneof in sorted(oneofs ^ former_oneofs):
            yield _difference("ONEOF_ADDED" if oneof in oneofs else "ONEOF_REMOVED", (*path, oneof))
        # A oneof is deleted as a whole when neither its name nor any of its numbers is left.
        kept = {"", *oneofs, *(field.oneof for field in writer.fields.values() if field.number in reader.fields)}
        for number in sorted({*reader.fields, *writer.fields}):
            self._budget.spend(10)
            if number not in writer.fields:
                yield _added(reader.fields[number], path)
            elif number in reader.fields:
                yield from self._field(reader.fields[number], writer.fields[number], path)
            elif writer.fields[number].oneof in kept:
                yield _removed(writer.fields[number], path)

    def _field(self, reader: FieldShape, writer: FieldShape, path: Path) -> Iterator[Item]:
        if writer.oneof and not reader.oneof:
            yield _difference("ONEOF_FIELD_MOVED_TO_TOP_LEVEL", (*path, str(reader.number)), writer.oneof)
        here = _field_path(reader, path)
        if reader.name != writer.name:
            yield _difference("FIELD_NAME_CHANGED", here, f"{reader.name} against {writer.name}")
        found = list(self._type(reader.type, writer.type, here))
        yield from found
        is_scalar = reader.type.category == writer.type.category == SCALAR
        if is_scalar and not found and reader.label and writer.label and reader.label != writer.label:
            is_text = reader.type.group == TEXT_GROUP
            kind = "FIELD_STRING_OR_BYTES_LABEL_CHANGED" if is_text else "FIELD_NUMERIC_LABEL_CHANGED"
            yield _difference(kind, here, f"{reader.label} against {writer.label}")

    def _type(self, reader: Type, writer: Type, path: Path) -> Iterator[Item]:
        info = f"{reader.name} against {writer.name}"
        if reader.category != writer.category:
            yield _difference("FIELD_KIND_CHANGED", path, info)
        elif reader.category == SCALAR:
            if reader.group != writer.group:
                yield _difference("FIELD_SCALAR_KIND_CHANGED", path, info)
        elif reader.category == MAP:
            for reader_part, writer_part in zip(reader.parts, writer.parts, strict=True):
                yield from self._type(reader_part, writer_part, path)
        elif _local_name(self._reader, reader.name) != _local_name(self._writer, writer.name):
            yield _difference("FIELD_NAMED_TYPE_CHANGED", path, info)
        elif _origin(self._reader, reader.name) != _origin(self._writer, writer.name) or not _origin(
            self._reader, reader.name
        ):
            pair = (reader.name, writer.name)
            if pair not in self._imported:
                self._imported[pair] = []
                self._waiting.append(pair)
            yield _Nested(pair, _difference("FIELD_NAMED_TYPE_CHANGED", path, info))

    def _imported_message(self, pair: Pair) -> Iterator[Item]:
        reader_name, writer_name = pair
        return self._fields(reader_name, writer_name, tuple(_local_name(self._reader, reader_name).split(".")))

    def _breaking_pairs(self) -> set[Pair]:
        """Return the pairs of imported messages with a difference that breaks, their own or of a pair they refer to."""
        referrers: dict[Pair, list[Pair]] = {}
        breaking = set()
        for pair, items in self._imported.items():
            for item in items:
                if isinstance(item, _Nested):
                    referrers.setdefault(item.pair, []).append(pair)
                elif KINDS[item.kind].breaks_under:
                    breaking.add(pair)
        waiting = list(breaking)
        while waiting:
            new = set(referrers.get(waiting.pop(), ())) - breaking
            breaking |= new
            waiting += new
        return breaking

    def _flatten(self, items: Sequence[Item], breaking: set[Pair]) -> Iterator[Difference]:
        """Put the differences of imported messages in the place where they are referred to first."""
        printed: set[Pair] = set()
        stack: list[Iterator[Item]] = [iter(items)]
        while stack:
            item = next(stack[-1], None)
            if item is None:
                stack.pop()
            elif isinstance(item, Difference):
                yield item
            else:
                if item.pair in breaking:
                    stack.append(iter([item.verdict]))
                if item.pair not in printed:
                    printed.add(item.pair)
                    stack.append(iter(self._imported[item.pair]))


def _difference(kind: str, path: Path, info: str = "") -> Difference:
    return Difference(kind, "#/" + "/".join(path), info)


def _shape(schema: ProtobufSchema, name: str) -> MessageShape:
    return shape_message(schema.symbols.messages[name], name, schema.symbols.file_of[name])


def _local_name(schema: ProtobufSchema, name: str) -> str:
    """Return a type's name without the package of the file that declares it."""
    package = schema.symbols.file_of[name].package
    return name.removeprefix(f"{package}.") if package else name


def _origin(schema: ProtobufSchema, name: str) -> tuple[str, int] | None:
    """Return what a type's definition is known by: its own file, a direct reference's subject and version, or None."""
    file = schema.symbols.file_of[name]
    return ("", 0) if file is schema.file else schema.direct.get(file.name)


def _field_path(field: FieldShape, path: Path) -> Path:
    return (*path, field.oneof, str(field.number)) if field.oneof else (*path, str(field.number))


def _added(field: FieldShape, path: Path) -> Difference:
    kind = (
        "ONEOF_FIELD_ADDED" if field.oneof else "REQUIRED_FIELD_ADDED" if field.label == "required" else "FIELD_ADDED"
    )
    return _difference(kind, _field_path(field, path), field.name)


def _removed(field: FieldShape, path: Path) -> Difference:
    is_required = field.label == "required"
    kind = "ONEOF_FIELD_REMOVED" if field.oneof else "REQUIRED_FIELD_REMOVED" if is_required else "FIELD_REMOVED"
    return _difference(kind, _field_path(field, path), field.name)


def _exclusions(reader: MessageShape, writer: MessageShape, path: Path) -> Iterator[Difference]:
    """Yield the reader's oneofs that hold fields which the writer may set together (compatibility-rules 4.6)."""
    members: dict[str, list[FieldShape]] = {oneof: [] for oneof in reader.oneofs}
    for field in reader.fields.values():
        if field.oneof and field.number in writer.fields:
            members[field.oneof].append(writer.fields[field.number])
    for oneof, former in members.items():
        top_level = [field.name for field in former if not field.oneof]
        oneofs = sorted({field.oneof for field in former if field.oneof})
        if len(top_level) + len(oneofs) > 1:
            kind = "MULTIPLE_FIELDS_MOVED_TO_ONEOF" if len(top_level) > 1 else "FIELD_MOVED_TO_EXISTING_ONEOF"
            yield _difference(kind, (*path, oneof), ", ".join([*top_level, *oneofs]))


def _enums(
    readers: Iterable[EnumDescriptorProto],
    writers: Iterable[EnumDescriptorProto],
    path: Path,
    spend: Callable[[int], None],
) -> Iterator[Difference]:
    reader_enums = {enum.name: enum for enum in readers}
    writer_enums = {enum.name: enum for enum in writers}
    for name in java_order([*writer_enums, *reader_enums]):
        here = (*path, name)
        if name not in writer_enums:
            yield _difference("ENUM_ADDED", here)
        elif name not in reader_enums:
            yield _difference("ENUM_REMOVED", here)
        else:
            new = {value.number: value.name for value in reader_enums[name].value}
            old = {value.number: value.name for value in writer_enums[name].value}
            for number in sorted({*new, *old}):
                spend(3)
                if number not in old:
                    yield _difference("ENUM_CONST_ADDED", (*here, str(number)), new[number])
                elif number not in new:
                    yield _difference("ENUM_CONST_REMOVED", (*here, str(number)), old[number])
                elif new[number] != old[number]:
                    info = f"{new[number]} against {old[number]}"
                    yield _difference("ENUM_CONST_CHANGED", (*here, str(number)), info)


def java_order(names: Iterable[str]) -> list[str]:
    """Return distinct names in the order in which Java's HashSet holds them (compatibility-rules appendix B)."""
    distinct = list(dict.fromkeys(names))
    size = 16
    while len(distinct) > size * 3 // 4:
        size *= 2
    return sorted(distinct, key=lambda name: _spread_hash(name) % size)


def _spread_hash(name: str) -> int:
    value = 0
    for char in name:  # names are ASCII
        value = (31 * value + ord(char)) & 0xFFFFFFFF
    return value ^ (value >> 16)
