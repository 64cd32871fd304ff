"""What is valid under a writer's schema and fails, gets lost or means something else under a reader's.

Refuses to see anything but data: two messages are compared by what is on the wire and in ProtoJSON, however their types
are called and wherever they are declared. Decisions: docs/decisions/0011-protobuf-sound.md.
"""

from __future__ import annotations

from typing import NamedTuple

from llm_schema_registry.formats.budget import Budget
from llm_schema_registry.formats.protobuf.layout import (
    TEXT_TYPES,
    UNPACKABLE,
    EnumLayout,
    FieldLayout,
    MessageLayout,
    SchemaLayout,
    is_within,
)
from llm_schema_registry.formats.protobuf.misreading import (
    BINARY,
    LOST,
    PROTO_JSON,
    REFUSED,
    Json,
    Misreading,
    elements_as_text,
    misreading,
    text_as_elements,
    unknown_number,
)
from llm_schema_registry.formats.protobuf.samples import (
    NOT_IN_BINARY,
    NOT_IN_JSON,
    NOTHING,
    Slot,
    key_text,
    member_of,
    outcome,
    scalar_of,
    text,
    value_of,
    zero_of,
)
from llm_schema_registry.formats.protobuf.well_known import ANY, JSON_FORMS
from llm_schema_registry.model import Difference

Path = tuple[str, ...]

# Renamed messages are found by way of their fields. Those at the end of a longer way have the reader's name only.
MAX_PATH = 32


class _Messages(NamedTuple):
    """Two messages where the reader reads the one as the other. `path` is where they are met first."""

    reader: str
    writer: str
    path: Path


class _Enums(NamedTuple):
    """Two enums where the reader reads the one as the other, and the fields where they are met first."""

    reader: str
    writer: str
    path: Path
    slot: Slot


def find_hazards(reader: SchemaLayout, writer: SchemaLayout, budget: Budget) -> list[Difference]:
    """Return what endangers data, each pair of types looked at once. Raises TooComplex."""
    return _Search(reader, writer, budget).run()


class _Search:
    def __init__(self, reader: SchemaLayout, writer: SchemaLayout, budget: Budget) -> None:
        self._reader = reader
        self._writer = writer
        self._budget = budget
        self._found: list[Difference] = []
        self._seen: set[tuple[str, str]] = set()
        self._waiting: list[_Messages | _Enums] = []

    def run(self) -> list[Difference]:
        self._add_roots()
        # A loop, not recursion: a chain of messages is as long as its author likes.
        for pair in self._waiting:
            if isinstance(pair, _Messages):
                self._messages(pair)
            else:
                self._enums(pair)
        if self._reader.package != self._writer.package and any(writer == ANY for _, writer in self._seen):
            self._add("WIRE_ANY_TYPE_URL_CHANGED", (), f"'{self._reader.package}' against '{self._writer.package}'")
        return self._found

    def _add(self, kind: str, path: Path, info: str = "", sample: str = "", seen: str = "") -> None:
        self._found.append(Difference(kind, "#/" + "/".join(path), info, sample, seen))

    def _types(self, reader: FieldLayout, writer: FieldLayout) -> str:
        return f"{self._reader.type_text(reader)} against {self._writer.type_text(writer)}"

    def _add_roots(self) -> None:
        """A message of the writer is read as the reader's of the same name, the first one also as its first."""
        reader, writer = self._reader, self._writer
        for name in writer.roots:
            counterpart = reader.counterpart(name, writer.package)
            if counterpart is not None:
                self._pair(counterpart, name, ())
        for name in writer.extended:
            if reader.has_message(name):
                self._pair(name, name, ())
        if writer.roots and reader.counterpart(writer.roots[0], writer.package) is None:
            self._first_removed(writer.roots[0])

    def _first_removed(self, name: str) -> None:
        here = _path(self._writer.local_name(name))
        if not self._reader.roots:
            self._add("WIRE_FIRST_MESSAGE_LOST", here)
            return
        first = self._reader.roots[0]
        info = f"{self._reader.local_name(first)} against {self._writer.local_name(name)}"
        if self._writer.counterpart(first, self._reader.package) is not None:
            # Who reads messages of that name still gets them; nobody reads those of the other (rules 4.7).
            self._add("FIRST_MESSAGE_CHANGED", here, info)
            return
        path = _path(self._reader.local_name(first))
        missing = self._missing(first, name)
        if missing is not None:
            self._add("WIRE_MESSAGE_TYPE_CHANGED", path, info, text(member_of(self._writer, missing)), NOTHING)
        self._pair(first, name, path)

    def _pair(self, reader: str, writer: str, path: Path) -> None:
        """Have two messages compared."""
        if (reader, writer) not in self._seen:
            self._seen.add((reader, writer))
            self._waiting.append(_Messages(reader, writer, self._place(reader, writer, path)))

    def _place(self, reader: str, writer: str, path: Path) -> Path:
        """Return where two types stand: at their common name if there is one, else where they were met first."""
        local = self._reader.local_name(reader)
        is_common = self._reader.find(local) == reader and self._writer.find(local) == writer
        return _path(local) if is_common or len(path) > MAX_PATH else path

    def _missing(self, reader: str, writer: str) -> FieldLayout | None:
        """Return a field of the writer's message that the reader's, of another name, lacks."""
        if self._reader.local_name(reader) == self._writer.local_name(writer):
            return None
        known = self._reader.message(reader).fields
        return next(
            (field for number, field in self._writer.message(writer).fields.items() if number not in known), None
        )

    def _messages(self, pair: _Messages) -> None:
        reader, writer = self._reader.message(pair.reader), self._writer.message(pair.writer)
        self._budget.spend(20)
        if reader.is_message_set != writer.is_message_set:
            self._add("WIRE_TYPE_CHANGED", pair.path, "message_set_wire_format")
        self._exclusions(reader, writer, pair.path)
        for number, field in writer.fields.items():
            self._budget.spend(20)
            here = (*pair.path, str(number))
            counterpart = reader.fields.get(number)
            if counterpart is None:
                self._removed(reader, field, here)
            else:
                self._json_name(reader, counterpart, field, here)
                self._field(counterpart, field, here)
        for number, field in reader.fields.items():
            self._budget.spend(2)
            former = writer.fields.get(number)
            if former is None:
                self._added(field, writer, (*pair.path, str(number)))
            if field.name in writer.reserved_names and (former is None or former.name != field.name):
                self._add("RESERVED_NAME_REUSED", (*pair.path, str(number)), field.name)

    def _exclusions(self, reader: MessageLayout, writer: MessageLayout, path: Path) -> None:
        """Look for oneofs of the reader that hold fields which the writer may set together."""
        for oneof, numbers in reader.oneofs.items():
            former = [writer.fields[number] for number in sorted(numbers) if number in writer.fields]
            groups = {field.oneof or str(field.number): field for field in former}
            if len(groups) > 1:
                first, last = sorted(groups.values(), key=lambda field: field.number)[:2]
                kept = reader.fields[last.number]
                both = {**member_of(self._writer, first), **member_of(self._writer, last)}
                seen: Json = {kept.json_name: value_of(self._writer, last)}
                info = ", ".join(field.name for field in former)
                self._add("WIRE_ONEOF_FIELDS_EXCLUDED", (*path, oneof), info, text(both), outcome(BINARY, seen))

    def _removed(self, reader: MessageLayout, field: FieldLayout, path: Path) -> None:
        sample = text(member_of(self._writer, field))
        targets = reader.by_json_name.get(field.json_name)
        if targets:
            self._add("WIRE_FIELD_RENUMBERED", path, f"{targets[0]} against {field.number}", sample, NOTHING)
            return
        if not is_within(field.number, reader.reserved):
            self._add("FIELD_NUMBER_NOT_RESERVED", path, field.name)
        self._add("WIRE_JSON_FIELD_UNKNOWN", path, field.json_name, sample, NOT_IN_JSON)

    def _added(self, field: FieldLayout, writer: MessageLayout, path: Path) -> None:
        if field.is_required:
            self._add("WIRE_REQUIRED_ABSENT", path, field.name, "{}", NOT_IN_BINARY)
        if is_within(field.number, writer.reserved):
            self._add("RESERVED_NUMBER_REUSED", path, str(field.number))
        elif is_within(field.number, writer.extensions) and not field.proto.extendee:
            self._add("WIRE_EXTENSION_NUMBER_REUSED", path, str(field.number))

    def _json_name(self, reader: MessageLayout, field: FieldLayout, former: FieldLayout, path: Path) -> None:
        targets = reader.by_json_name.get(former.json_name, ())
        if field.number in targets:
            return
        sample = text(member_of(self._writer, former))
        if targets:
            info = f"{former.json_name} is {targets[0]} against {former.number}"
            self._add("WIRE_JSON_NAME_REUSED", path, info, sample, f"ProtoJSON: read as field {targets[0]}")
        else:
            info = f"{field.json_name} against {former.json_name}"
            self._add("WIRE_JSON_NAME_CHANGED", path, info, sample, NOT_IN_JSON)

    def _field(self, reader: FieldLayout, writer: FieldLayout, path: Path) -> None:
        if reader.is_required and not writer.is_required:
            self._add("WIRE_REQUIRED_ABSENT", path, reader.name, "{}", NOT_IN_BINARY)
        if reader.is_map and writer.is_map:
            self._entries(reader, writer, path)
        elif reader.is_map or writer.is_map:
            self._map_changed(reader, writer, path)
        elif writer.is_packed and not reader.is_repeated and reader.type not in UNPACKABLE:
            self._singular(reader, writer, path)
        else:
            known = len(self._found)
            self._type(Slot(reader, writer, reader, writer), path)
            is_same_type = len(self._found) == known
            if reader.is_repeated and not writer.is_repeated:
                info, sample = self._types(reader, writer), text(member_of(self._writer, writer))
                self._add("WIRE_JSON_SINGULAR_TO_REPEATED", path, info, sample, NOT_IN_JSON)
            elif writer.is_repeated and not reader.is_repeated and is_same_type:
                self._singular(reader, writer, path)
            elif not (reader.is_repeated or writer.is_repeated or reader.is_message or writer.is_message):
                self._absence(reader, writer, path, is_same_type=is_same_type)

    def _singular(self, reader: FieldLayout, writer: FieldLayout, path: Path) -> None:
        """Tell of a list that is read as a single value: the last one, all merged, or none where they are packed."""
        value = value_of(self._writer, writer)
        seen: Json = {} if writer.is_packed else {reader.json_name: value}
        sample = text({writer.json_name: [value, value]})
        self._add("WIRE_REPEATED_TO_SINGULAR", path, self._types(reader, writer), sample, outcome(BINARY, seen))

    def _absence(self, reader: FieldLayout, writer: FieldLayout, path: Path, *, is_same_type: bool) -> None:
        """Compare what a singular scalar means that is not there."""
        if is_same_type and reader.default != writer.default:
            now, before = self._default(self._reader, reader), self._default(self._writer, writer)
            seen = f"{reader.json_name} reads as {now}, not {before}"
            self._add("WIRE_DEFAULT_CHANGED", path, f"{now} against {before}", "{}", seen)
        if reader.has_presence != writer.has_presence:
            info = "implicit against explicit" if writer.has_presence else "explicit against implicit"
            self._add("WIRE_PRESENCE_CHANGED", path, info)

    @staticmethod
    def _default(schema: SchemaLayout, field: FieldLayout) -> int | str | None:
        return schema.enum(field.type_name).names[int(field.default or 0)] if field.type_name else field.default

    def _map_changed(self, reader: FieldLayout, writer: FieldLayout, path: Path) -> None:
        """Compare a map with what is none: on the wire it is a repeated message, in ProtoJSON an object."""
        info = self._types(reader, writer)
        if not (reader.is_message and writer.is_message):
            self._add("WIRE_TYPE_CHANGED", path, info, text(member_of(self._writer, writer)), NOT_IN_JSON)
            return
        if writer.is_map:
            self._add("WIRE_JSON_MAP_CHANGED", path, info, text(member_of(self._writer, writer)), NOT_IN_JSON)
        else:
            parts = self._reader.message(reader.type_name).fields
            key, value = (zero_of(self._reader, parts[number]) for number in (1, 2))
            sample: Json = {writer.json_name: [{}, {}] if writer.is_repeated else {}}
            seen = outcome(BINARY, {reader.json_name: {key_text(key): value}})
            self._add("WIRE_MAP_DUPLICATES_LOST", path, info, text(sample), seen)
        self._pair(reader.type_name, writer.type_name, path)

    def _entries(self, reader: FieldLayout, writer: FieldLayout, path: Path) -> None:
        """Compare the keys and values of two maps."""
        readers, writers = self._reader.message(reader.type_name).fields, self._writer.message(writer.type_name).fields
        key, value = value_of(self._writer, writers[1]), value_of(self._writer, writers[2])
        self._type(Slot(reader, writer, readers[1], writers[1], value), path)
        self._type(Slot(reader, writer, readers[2], writers[2], key), path)

    def _type(self, slot: Slot, path: Path) -> None:
        reader, writer = slot.inner_reader, slot.inner_writer
        if reader.is_message and writer.is_message and reader.is_delimited == writer.is_delimited:
            self._message_type(slot, path)
            return
        found = self._misreading(reader, writer)
        if found is not None:
            self._add_misreading(slot, path, found)
        elif reader.type_name and writer.type_name:
            names = (reader.type_name, writer.type_name)
            if names not in self._seen:
                self._seen.add(names)
                self._waiting.append(_Enums(*names, self._place(*names, slot.inner_path(path)), slot))

    def _misreading(self, reader: FieldLayout, writer: FieldLayout) -> Misreading | None:
        """Compare two types that are not both messages, or messages that are framed differently."""
        if writer.is_packed and (reader.type in TEXT_TYPES or (reader.is_message and not reader.is_delimited)):
            expected = None if reader.is_message else scalar_of(self._reader, reader)
            return elements_as_text(expected, scalar_of(self._writer, writer))
        if reader.is_message or writer.is_message:
            value = value_of(self._writer, writer)
            if writer.type in TEXT_TYPES and not reader.is_delimited:
                return Misreading("WIRE_TEXT_TO_MESSAGE", value, REFUSED)
            if reader.type in TEXT_TYPES and not writer.is_delimited:
                return Misreading("WIRE_JSON_MESSAGE_TO_TEXT", value, REFUSED, PROTO_JSON)
            return Misreading("WIRE_TYPE_CHANGED", value, LOST)
        scalars = scalar_of(self._reader, reader), scalar_of(self._writer, writer)
        if reader.is_repeated and reader.type not in TEXT_TYPES and writer.type in TEXT_TYPES:
            return text_as_elements(*scalars)
        return misreading(*scalars)

    def _add_misreading(self, slot: Slot, path: Path, found: Misreading) -> None:
        sample, seen = text(slot.sample(found.sample)), outcome(found.form, slot.seen(found.seen))
        self._add(found.kind, path, self._types(slot.reader, slot.writer), sample, seen)

    def _message_type(self, slot: Slot, path: Path) -> None:
        reader, writer = slot.inner_reader.type_name, slot.inner_writer.type_name
        if reader != writer and not JSON_FORMS.keys().isdisjoint((reader, writer)):
            sample = value_of(self._writer, slot.inner_writer) or self._filled(writer)
            self._add_misreading(slot, path, Misreading("WIRE_JSON_FORM_CHANGED", sample, REFUSED, PROTO_JSON))
            return
        missing = self._missing(reader, writer)
        if missing is not None:
            sample = member_of(self._writer, missing)
            self._add_misreading(slot, path, Misreading("WIRE_MESSAGE_TYPE_CHANGED", sample, {}))
        self._pair(reader, writer, slot.inner_path(path))

    def _filled(self, name: str) -> Json:
        """Return a message with its first field set, if it has one."""
        field = next(iter(self._writer.message(name).fields.values()), None)
        return {} if field is None else member_of(self._writer, field)

    def _enums(self, pair: _Enums) -> None:
        reader, writer = self._reader.enum(pair.reader), self._writer.enum(pair.writer)
        self._budget.spend(10)
        if reader.is_closed and not writer.is_closed:
            unknown = unknown_number(reader)
            found = Misreading("WIRE_ENUM_CLOSED", writer.names.get(unknown, unknown), LOST)
            self._add_value(pair, pair.path, found, "closed against open")
        for number, name in writer.names.items():
            self._budget.spend(2)
            if reader.numbers.get(name) != number:
                found = _enum_value(reader, number, name)
                info = f"{reader.names.get(number, 'nothing')} against {name}"
                self._add_value(pair, (*pair.path, str(number)), found, info)
        for name, number in reader.numbers.items():
            self._budget.spend(2)
            here = (*pair.path, str(number))
            if number not in writer.names and is_within(number, writer.reserved):
                self._add("RESERVED_NUMBER_REUSED", here, str(number))
            if name not in writer.numbers and name in writer.reserved_names:
                self._add("RESERVED_NAME_REUSED", here, name)

    def _add_value(self, pair: _Enums, path: Path, found: Misreading, info: str) -> None:
        sample, seen = text(pair.slot.sample(found.sample)), outcome(found.form, pair.slot.seen(found.seen))
        field, counterpart = pair.slot.writer, pair.slot.reader
        is_implicit = not (field.is_repeated or field.has_presence or counterpart.is_repeated)
        if is_implicit and found.sample == self._writer.enum(pair.writer).names[0]:
            # A zero is not written where it says nothing: the reader takes its own.
            default = self._reader.enum(pair.reader).names[int(counterpart.default or 0)]
            sample, seen = "{}", f"{counterpart.json_name} reads as {default}, not {found.sample}"
        self._add(found.kind, path, info, sample, seen)


def _enum_value(reader: EnumLayout, number: int, name: str) -> Misreading:
    """Return what becomes of an enum value whose name does not mean the same number to the reader."""
    if name in reader.numbers:
        if number in reader.names or not reader.is_closed:
            return Misreading("WIRE_ENUM_CONST_RENUMBERED", name, reader.names.get(number, number))
        return Misreading("WIRE_ENUM_CONST_RENUMBERED", name, LOST)
    if number in reader.names:
        return Misreading("WIRE_ENUM_CONST_RENAMED", name, reader.names[number])
    if reader.is_closed:
        return Misreading("WIRE_ENUM_VALUE_LOST", name, LOST)
    return Misreading("WIRE_JSON_ENUM_CONST_REMOVED", name, REFUSED, PROTO_JSON)


def _path(local_name: str) -> Path:
    return tuple(local_name.split("."))
