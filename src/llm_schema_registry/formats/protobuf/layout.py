"""How data of a schema is laid out: what decides about bytes and ProtoJSON of each message, field and enum.

Refuses to compare. Unlike `shape`, which sees what Confluent's engine sees, this sees all that is in a message: groups
and extensions are fields, features of editions are resolved, and a map is the repeated message that it is on the wire.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FeatureSet,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from llm_schema_registry.formats.protobuf.render import MAX_FIELD_NUMBER, SCALARS
from llm_schema_registry.formats.protobuf.symbols import DESCRIPTOR_FILE, Symbols, join

Field = FieldDescriptorProto
Spans = tuple[tuple[int, int], ...]

MESSAGE_TYPES = frozenset({Field.TYPE_MESSAGE, Field.TYPE_GROUP})
TEXT_TYPES = frozenset({Field.TYPE_STRING, Field.TYPE_BYTES})
UNPACKABLE = MESSAGE_TYPES | TEXT_TYPES

# Numbers that protoc keeps for itself.
_OWN_NUMBERS = (19_000, 19_999)


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """A field or extension. `json_name` is its key in ProtoJSON; `oneof` is empty outside of oneofs.

    `label` is as written, with a blank behind. `default` is what an absent singular scalar reads as: a number (bool and
    enum too), or text for all else.
    """

    name: str
    full_name: str
    number: int
    label: str
    json_name: str
    type: Field.Type.ValueType
    type_name: str
    is_repeated: bool
    is_required: bool
    has_presence: bool
    is_packed: bool
    is_delimited: bool
    is_map: bool
    verifies_utf8: bool
    oneof: str
    default: int | str | None
    proto: FieldDescriptorProto

    @property
    def is_message(self) -> bool:
        """Whether values are messages, length-prefixed or delimited."""
        return self.type in MESSAGE_TYPES


@dataclass(frozen=True, slots=True)
class EnumLayout:
    """An enum: its names by number, the first of each being what ProtoJSON writes; and its numbers by name."""

    full_name: str
    names: dict[int, str]
    numbers: dict[str, int]
    is_closed: bool
    first: int
    reserved: Spans
    reserved_names: frozenset[str]


@dataclass(frozen=True, slots=True)
class MessageLayout:
    """A message: fields and known extensions by number, and the numbers that a ProtoJSON key leads to.

    The ends of ranges are inclusive. `next_number` is free of fields, reserved and extension ranges.
    """

    full_name: str
    fields: dict[int, FieldLayout]
    by_json_name: dict[str, tuple[int, ...]]
    oneofs: dict[str, tuple[int, ...]]
    reserved: Spans
    reserved_names: frozenset[str]
    extensions: Spans
    is_message_set: bool
    next_number: int


def is_within(number: int, spans: Spans) -> bool:
    """Whether one of the ranges, which are sorted and disjoint, holds a number."""
    index = bisect_right(spans, (number, MAX_FIELD_NUMBER)) - 1
    return index >= 0 and number <= spans[index][1]


class SchemaLayout:
    """The layouts of a schema and its imports, each made when it is asked for, and which types are its own."""

    def __init__(self, file: FileDescriptorProto, symbols: Symbols) -> None:
        self.package = file.package
        self._file = file
        self._symbols = symbols
        self._messages: dict[str, MessageLayout] = {}
        self._enums: dict[str, EnumLayout] = {}
        self._extensions = _extensions(symbols)
        self._local: dict[str, str] = {}
        own_first = sorted(symbols.file_of.items(), key=lambda item: item[1] is not file)
        for name, declaring in own_first:
            self._local.setdefault(_without_package(name, declaring.package), name)
        self.roots = tuple(_messages(file))
        self.own_enums = tuple(name for name, declaring in own_first if declaring is file and self.has_enum(name))

    @property
    def extended(self) -> tuple[str, ...]:
        """Messages that extensions extend, those of the language itself left out: options are no data."""
        return tuple(name for name in self._extensions if self.has_message(name) and not self._is_language(name))

    def _is_language(self, name: str) -> bool:
        return self._symbols.file_of[name].name == DESCRIPTOR_FILE

    def has_message(self, name: str) -> bool:
        """Whether a full name is that of a message, here or in an import."""
        return name in self._symbols.messages

    def has_enum(self, name: str) -> bool:
        """Whether a full name is that of an enum, here or in an import."""
        return name in self._symbols.enums

    def local_name(self, name: str) -> str:
        """Return a type's name without the package of the file that declares it."""
        return _without_package(name, self._symbols.file_of[name].package)

    def find(self, local_name: str) -> str | None:
        """Return the full name of the type with a local name; the schema's own comes before imported ones."""
        return self._local.get(local_name)

    def counterpart(self, message: str, package: str) -> str | None:
        """Return which message here is meant by the name of one that a schema of some package declares."""
        return next((name for name in self._meant(message, package) if self.has_message(name)), None)

    def enum_counterpart(self, enum: str, package: str) -> str | None:
        """Return which enum here is meant by the name of one that a schema of some package declares."""
        return next((name for name in self._meant(enum, package) if self.has_enum(name)), None)

    def _meant(self, name: str, package: str) -> tuple[str, str]:
        return join(self.package, _without_package(name, package)), name

    def type_text(self, field: FieldLayout) -> str:
        """Return a field's type with its label as its author wrote them, types of the same package in short."""
        if field.is_map:
            parts = self.message(field.type_name).fields
            return f"map<{self._type_name(parts[1])}, {self._type_name(parts[2])}>"
        return f"{field.label}{self._type_name(field)}"

    def _type_name(self, field: FieldLayout) -> str:
        if not field.type_name:
            return SCALARS[field.type]
        is_near = self._symbols.file_of[field.type_name].package == self.package
        return self.local_name(field.type_name) if is_near else field.type_name

    def message(self, name: str) -> MessageLayout:
        """Return the layout of a message by its full name."""
        layout = self._messages.get(name)
        if layout is None:
            layout = self._messages[name] = self._lay_out(name)
        return layout

    def enum(self, name: str) -> EnumLayout:
        """Return the layout of an enum by its full name."""
        layout = self._enums.get(name)
        if layout is None:
            layout = self._enums[name] = _enum(name, self._symbols.enums[name], self._symbols.file_of[name])
        return layout

    def _lay_out(self, name: str) -> MessageLayout:
        message, file = self._symbols.messages[name], self._symbols.file_of[name]
        oneofs = [oneof.name for oneof in message.oneof_decl]
        fields = {
            field.number: self._field(field, name, file, oneofs, is_entry=message.options.map_entry)
            for field in message.field
        }
        for scope, field, declaring in self._extensions.get(name, ()):
            fields[field.number] = self._field(field, scope, declaring, [], is_entry=False)
        by_json_name: dict[str, list[int]] = {}
        members: dict[str, list[int]] = {}
        for layout in fields.values():
            by_json_name.setdefault(layout.json_name, []).append(layout.number)
            if layout.oneof:
                members.setdefault(layout.oneof, []).append(layout.number)
        for layout in fields.values():
            if not layout.proto.extendee:
                by_json_name.setdefault(layout.name, [layout.number])  # parsers take it where no ProtoJSON name is it
        reserved = tuple(sorted((item.start, item.end - 1) for item in message.reserved_range))
        extensions = tuple(sorted((item.start, item.end - 1) for item in message.extension_range))
        return MessageLayout(
            name,
            fields,
            {key: tuple(numbers) for key, numbers in by_json_name.items()},
            {oneof: tuple(numbers) for oneof, numbers in members.items()},
            reserved,
            frozenset(message.reserved_name),
            extensions,
            message.options.message_set_wire_format,
            _next_number(fields, (*reserved, *extensions)),
        )

    def _field(
        self, field: FieldDescriptorProto, scope: str, file: FileDescriptorProto, oneofs: list[str], *, is_entry: bool
    ) -> FieldLayout:
        features = field.options.features if field.HasField("options") else None
        kind = field.type
        type_name = field.type_name.removeprefix(".")
        is_repeated = field.label == Field.LABEL_REPEATED
        is_message = kind in MESSAGE_TYPES
        is_map = is_repeated and is_message and self._symbols.messages[type_name].options.map_entry
        oneof = oneofs[field.oneof_index] if field.HasField("oneof_index") and not field.proto3_optional else ""
        presence = _presence(field, features, file)
        full_name = join(scope, field.name)
        return FieldLayout(
            name=field.name,
            full_name=full_name,
            number=field.number,
            label=_label(field, file),
            json_name=f"[{full_name}]" if field.extendee else field.json_name,
            type=kind,
            type_name=type_name,
            is_repeated=is_repeated,
            is_required=presence == FeatureSet.LEGACY_REQUIRED,
            has_presence=not is_repeated and (is_message or bool(oneof) or presence != FeatureSet.IMPLICIT),
            is_packed=is_repeated and kind not in UNPACKABLE and _is_packed(field, features, file),
            is_delimited=is_message and not is_map and not is_entry and _is_delimited(field, features, file),
            is_map=is_map,
            verifies_utf8=kind == Field.TYPE_STRING and _verifies_utf8(features, file),
            oneof=oneof,
            default=None if is_repeated or is_message else self._default(field, type_name),
            proto=field,
        )

    def _default(self, field: FieldDescriptorProto, type_name: str) -> int | str:
        text = field.default_value
        if field.type == Field.TYPE_ENUM:
            enum = self.enum(type_name)
            return enum.numbers[text] if text else enum.first
        if field.type in TEXT_TYPES:
            return text
        if field.type in {Field.TYPE_FLOAT, Field.TYPE_DOUBLE}:
            return repr(float(text or 0))
        return int(text == "true") if field.type == Field.TYPE_BOOL else int(text or 0)


def _without_package(name: str, package: str) -> str:
    return name.removeprefix(f"{package}.") if package else name


def _messages(file: FileDescriptorProto) -> Iterator[str]:
    """Yield the full names of all messages of a file but map entries, outer before inner, in order."""
    waiting = [(file.package, message) for message in reversed(file.message_type)]
    while waiting:
        scope, message = waiting.pop()
        if not message.options.map_entry:
            name = join(scope, message.name)
            yield name
            waiting += [(name, nested) for nested in reversed(message.nested_type)]


def _extensions(symbols: Symbols) -> dict[str, list[tuple[str, FieldDescriptorProto, FileDescriptorProto]]]:
    """Return the extensions of each message, with their scopes and the files that declare them."""
    scopes: list[tuple[str, FileDescriptorProto | DescriptorProto, FileDescriptorProto]]
    scopes = [(file.package, file, file) for file in symbols.files.values()]
    scopes += [(name, message, symbols.file_of[name]) for name, message in symbols.messages.items()]
    found: dict[str, list[tuple[str, FieldDescriptorProto, FileDescriptorProto]]] = {}
    for scope, holder, file in scopes:
        for extension in holder.extension:
            found.setdefault(extension.extendee.removeprefix("."), []).append((scope, extension, file))
    return found


def _enum(name: str, enum: EnumDescriptorProto, file: FileDescriptorProto) -> EnumLayout:
    names: dict[int, str] = {}
    for value in enum.value:
        names.setdefault(value.number, value.name)
    kind = enum.options.features.enum_type or file.options.features.enum_type
    if not kind:
        kind = FeatureSet.CLOSED if _is_proto2(file) else FeatureSet.OPEN
    return EnumLayout(
        name,
        names,
        {value.name: value.number for value in enum.value},
        kind == FeatureSet.CLOSED,
        enum.value[0].number,
        tuple(sorted((item.start, item.end) for item in enum.reserved_range)),
        frozenset(enum.reserved_name),
    )


def _is_proto2(file: FileDescriptorProto) -> bool:
    return file.syntax in {"", "proto2"}


def _label(field: FieldDescriptorProto, file: FileDescriptorProto) -> str:
    """Return the label that is written, with a blank behind."""
    if field.label == Field.LABEL_REPEATED:
        return "repeated "
    if field.label == Field.LABEL_REQUIRED:
        return "required "
    is_written = field.proto3_optional or (_is_proto2(file) and not field.HasField("oneof_index"))
    return "optional " if is_written else ""


def _presence(field: FieldDescriptorProto, features: FeatureSet | None, file: FileDescriptorProto) -> int:
    if field.label == Field.LABEL_REQUIRED:
        return FeatureSet.LEGACY_REQUIRED
    if file.syntax == "proto3":
        is_explicit = field.proto3_optional or field.extendee
        return FeatureSet.EXPLICIT if is_explicit else FeatureSet.IMPLICIT
    own = features.field_presence if features else 0
    return own or (0 if field.extendee else file.options.features.field_presence) or FeatureSet.EXPLICIT


def _is_packed(field: FieldDescriptorProto, features: FeatureSet | None, file: FileDescriptorProto) -> bool:
    if file.syntax == "editions":
        encoding = (
            features.repeated_field_encoding if features else 0
        ) or file.options.features.repeated_field_encoding
        return encoding != FeatureSet.EXPANDED
    return field.options.packed if field.options.HasField("packed") else file.syntax == "proto3"


def _is_delimited(field: FieldDescriptorProto, features: FeatureSet | None, file: FileDescriptorProto) -> bool:
    encoding = (features.message_encoding if features else 0) or file.options.features.message_encoding
    return field.type == Field.TYPE_GROUP or encoding == FeatureSet.DELIMITED


def _verifies_utf8(features: FeatureSet | None, file: FileDescriptorProto) -> bool:
    if file.syntax != "editions":
        return file.syntax == "proto3"
    validation = (features.utf8_validation if features else 0) or file.options.features.utf8_validation
    return validation != FeatureSet.NONE


def _next_number(fields: dict[int, FieldLayout], spans: Spans) -> int:
    """Return the least number above all fields that nothing keeps; where there is none the least that is free."""
    kept = sorted((*spans, _OWN_NUMBERS))
    number = max(fields, default=0) + 1
    for start, end in kept:
        if start <= number <= end:
            number = end + 1
    if number <= MAX_FIELD_NUMBER:
        return number
    number = 1
    for start, end in sorted((*kept, *((used, used) for used in fields))):
        if start <= number <= end:
            number = end + 1
    return number
