"""Descriptors printed as .proto text that compiles to the same descriptors again.

Refuses to change anything but the order that a `Style` asks for; comments are not in a descriptor. The order of nested
types is kept exactly, because serialized messages name their type by its index: a map field or a group is printed
where its generated type has its place among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    Edition,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    OneofDescriptorProto,
    ServiceDescriptorProto,
    SymbolVisibility,
)

from llm_schema_registry.formats.protobuf.options import OptionWriter, quote
from llm_schema_registry.formats.protobuf.symbols import Symbols, join

Field = FieldDescriptorProto
MAX_FIELD_NUMBER = 2**29 - 1
MAX_INT32 = 2**31 - 1

SCALARS = {
    Field.TYPE_DOUBLE: "double",
    Field.TYPE_FLOAT: "float",
    Field.TYPE_INT64: "int64",
    Field.TYPE_UINT64: "uint64",
    Field.TYPE_INT32: "int32",
    Field.TYPE_FIXED64: "fixed64",
    Field.TYPE_FIXED32: "fixed32",
    Field.TYPE_BOOL: "bool",
    Field.TYPE_STRING: "string",
    Field.TYPE_BYTES: "bytes",
    Field.TYPE_UINT32: "uint32",
    Field.TYPE_SFIXED32: "sfixed32",
    Field.TYPE_SFIXED64: "sfixed64",
    Field.TYPE_SINT32: "sint32",
    Field.TYPE_SINT64: "sint64",
}
_LABELS = {Field.LABEL_OPTIONAL: "optional ", Field.LABEL_REQUIRED: "required ", Field.LABEL_REPEATED: "repeated "}
_VISIBILITIES = {SymbolVisibility.VISIBILITY_LOCAL: "local ", SymbolVisibility.VISIBILITY_EXPORT: "export "}


class _Unit(NamedTuple):
    """A field, or the members of a oneof."""

    fields: list[FieldDescriptorProto]
    oneof_index: int | None
    oneof: OneofDescriptorProto | None


class Style(msgspec.Struct, frozen=True):
    """How to print. `is_normalized` sorts and writes type names absolutely (rest-api section 8)."""

    is_normalized: bool = False
    with_extensions: bool = True


CANONICAL = Style()
NORMALIZED = Style(is_normalized=True)
WITHOUT_EXTENSIONS = Style(with_extensions=False)


def render(file: FileDescriptorProto, symbols: Symbols, style: Style = CANONICAL) -> str:
    """Return a file as text, ending in a newline. Raises InvalidSchema for an option that no import declares."""
    return _Printer(file, symbols, style).text()


def is_map_entry(field: FieldDescriptorProto, scope: str, message: DescriptorProto) -> bool:
    """Whether a message of a scope is what protoc generates for a map field."""
    return (
        message.options.map_entry
        and field.label == Field.LABEL_REPEATED
        and field.type_name == f".{join(scope, message.name)}"
        and [(inner.name, inner.number) for inner in message.field] == [("key", 1), ("value", 2)]
    )


def default_json_name(name: str) -> str:
    """Return the JSON name that protoc derives from a field's name."""
    if "_" not in name:
        return name
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


class _Printer:
    def __init__(self, file: FileDescriptorProto, symbols: Symbols, style: Style) -> None:
        self._file = file
        self._symbols = symbols
        self._style = style
        self._options = OptionWriter(symbols, with_extensions=style.with_extensions)
        self._is_proto2 = file.syntax in {"", "proto2"}
        self._lines: list[str] = []
        self._indent = ""

    def text(self) -> str:
        file = self._file
        self._header()
        extensions = self._declarations(file.package, [], file.extension, file.message_type)
        for enum in file.enum_type:
            self._gap()
            self._enum(enum, file.package)
        self._extensions(extensions, file.package, {})
        for service in file.service:
            self._gap()
            self._service(service)
        return "\n".join(self._lines) + "\n"

    def _add(self, line: str) -> None:
        self._lines.append(self._indent + line)

    def _gap(self) -> None:
        """Set a block apart from what stands before it."""
        if self._lines and not self._lines[-1].endswith("{"):
            self._lines.append("")

    def _open(self, line: str) -> None:
        self._add(f"{line} {{")
        self._indent += "  "

    def _close(self) -> None:
        self._indent = self._indent[2:]
        if self._lines[-1].endswith(" {"):
            self._lines[-1] += "}"
        else:
            self._add("}")

    def _header(self) -> None:
        file = self._file
        if file.syntax == "editions":
            self._add(f'edition = "{Edition.Name(file.edition).removeprefix("EDITION_")}";')
        elif not (self._is_proto2 and self._style.is_normalized):
            self._add(f'syntax = "{file.syntax or "proto2"}";')
        if file.package:
            self._gap()
            self._add(f"package {file.package};")
        imports = [
            (name, "public " if index in file.public_dependency else "weak " if index in file.weak_dependency else "")
            for index, name in enumerate(file.dependency)
        ]
        option_imports = [(name, "option ") for name in file.option_dependency]
        if self._style.is_normalized:
            imports.sort()
            option_imports.sort()
        if imports or option_imports:
            self._gap()
        for name, modifier in (*imports, *option_imports):
            self._add(f"import {modifier}{quote(name)};")
        assignments = self._options.write(file.options, file.package)
        if assignments:
            self._gap()
        self._option_statements(assignments)

    def _option_statements(self, assignments: Iterable[str]) -> None:
        for assignment in assignments:
            self._add(f"option {assignment};")

    def _type(self, name: str, scope: str, *, is_field_type: bool = False) -> str:
        """Return how a type is written inside a scope. A name without leading dot is not resolved yet."""
        if not name.startswith(".") or self._style.is_normalized:
            return name
        return self._symbols.shorten(name[1:], scope, self._file.package, is_field_type=is_field_type)

    def _message(self, message: DescriptorProto, scope: str) -> None:
        self._open(f"{_VISIBILITIES.get(message.visibility, '')}message {message.name}")
        self._message_body(message, join(scope, message.name))
        self._close()

    def _message_body(self, message: DescriptorProto, scope: str) -> None:
        self._option_statements(self._options.write(message.options, scope))
        extensions = self._declarations(scope, self._units(message), message.extension, message.nested_type)
        for enum in message.enum_type:
            self._gap()
            self._enum(enum, scope)
        self._extensions(extensions, scope, {})
        most = MAX_INT32 - 1 if message.options.message_set_wire_format else MAX_FIELD_NUMBER
        for extension_range in message.extension_range if self._style.with_extensions else ():
            assignments = self._options.write(extension_range.options, scope)
            span = _span(extension_range.start, extension_range.end - 1, most)
            self._add(f"extensions {span}{_bracketed(assignments)};")
        self._reserved([(item.start, item.end - 1) for item in message.reserved_range], message.reserved_name, most)

    def _units(self, message: DescriptorProto) -> list[_Unit]:
        """Return the fields of a message, the members of a oneof together."""
        units: list[_Unit] = []
        for field in message.field:
            index = field.oneof_index if field.HasField("oneof_index") and not field.proto3_optional else None
            if index is not None and units and units[-1].oneof_index == index:
                units[-1].fields.append(field)
            else:
                oneof = message.oneof_decl[index] if index is not None and index < len(message.oneof_decl) else None
                units.append(_Unit([field], index, oneof))
        if self._style.is_normalized:
            for unit in units:
                unit.fields.sort(key=lambda field: field.number)
            units.sort(key=lambda unit: unit.fields[0].number)
        return units

    def _declarations(
        self,
        scope: str,
        units: Sequence[_Unit],
        extensions: Sequence[FieldDescriptorProto],
        nested: Sequence[DescriptorProto],
    ) -> Sequence[FieldDescriptorProto]:
        """Print the fields and messages of a scope: fields first, as far as the order of the nested types allows.

        A group among the extensions is printed in its place too; returned are the extensions after the last of these.
        """
        generated = {message.name: message for message in nested}
        unit_of: dict[str, int] = {}
        for index, unit in enumerate(units):
            for field in unit.fields:
                message = generated.get(_own_name(field, scope))
                if message is not None and (field.type == Field.TYPE_GROUP or is_map_entry(field, scope, message)):
                    unit_of[message.name] = index
        extension_of = {
            _own_name(extension, scope): index
            for index, extension in enumerate(extensions)
            if extension.type == Field.TYPE_GROUP
        }
        # Where fields are sorted, the generated types share out the places that they have among the nested ones.
        owners = sorted(unit_of.values())
        owner = unit_at = extension_at = 0

        def print_units(end: int) -> None:
            nonlocal unit_at
            if unit_at < end and self._lines[-1].endswith("}"):
                self._gap()
            for unit in units[unit_at:end]:
                self._unit(unit, scope, generated)
            unit_at = max(unit_at, end)

        for message in nested:
            if message.name in unit_of:
                print_units(owners[owner] + 1)
                owner += 1
            elif message.name in extension_of:
                end = extension_of[message.name] + 1
                self._extensions(extensions[extension_at:end], scope, generated)
                extension_at = max(extension_at, end)
            else:
                print_units(owners[owner] if owner < len(owners) else len(units))
                self._gap()
                self._message(message, scope)
        print_units(len(units))
        return extensions[extension_at:]

    def _unit(self, unit: _Unit, scope: str, generated: Mapping[str, DescriptorProto]) -> None:
        if unit.oneof is None:
            self._field(unit.fields[0], scope, generated)
            return
        self._open(f"oneof {unit.oneof.name}")
        self._option_statements(self._options.write(unit.oneof.options, scope))
        for field in unit.fields:
            self._field(field, scope, generated)
        self._close()

    def _field(self, field: FieldDescriptorProto, scope: str, generated: Mapping[str, DescriptorProto]) -> None:
        own = generated.get(_own_name(field, scope))
        label = self._label(field)
        end = f"{field.name} = {field.number}{_bracketed(self._field_options(field, scope))}"
        if own is not None and is_map_entry(field, scope, own):
            entry_scope = join(scope, own.name)
            key, value = (self._field_type(inner, entry_scope) for inner in own.field)
            self._add(f"map<{key}, {value}> {end};")
        elif own is not None and field.type == Field.TYPE_GROUP:
            self._open(f"{label}group {own.name} = {field.number}{_bracketed(self._field_options(field, scope))}")
            self._message_body(own, join(scope, own.name))
            self._close()
        else:
            self._add(f"{label}{self._field_type(field, scope)} {end};")

    def _label(self, field: FieldDescriptorProto) -> str:
        if field.HasField("oneof_index") and not field.proto3_optional and field.label == Field.LABEL_OPTIONAL:
            return ""
        if field.label == Field.LABEL_OPTIONAL and not self._is_proto2 and not field.proto3_optional:
            return ""
        return _LABELS[field.label]

    def _field_type(self, field: FieldDescriptorProto, scope: str) -> str:
        if field.type_name:
            return self._type(field.type_name, scope, is_field_type=True)
        return SCALARS.get(field.type, "group")

    def _field_options(self, field: FieldDescriptorProto, scope: str) -> list[str]:
        assignments = []
        if field.HasField("default_value"):
            value = field.default_value
            if field.type == Field.TYPE_STRING:
                value = quote(value)
            elif field.type == Field.TYPE_BYTES:
                value = f'"{value}"'  # escaped already in the descriptor
            assignments.append(f"default = {value}")
        if field.HasField("json_name") and not field.extendee and field.json_name != default_json_name(field.name):
            assignments.append(f"json_name = {quote(field.json_name)}")
        if field.HasField("options"):
            assignments += self._options.write(field.options, scope)
        return assignments

    def _extensions(
        self, extensions: Sequence[FieldDescriptorProto], scope: str, generated: Mapping[str, DescriptorProto]
    ) -> None:
        if not self._style.with_extensions:
            return
        for extendee, fields in groupby(extensions, key=lambda extension: extension.extendee):
            self._gap()
            self._open(f"extend {self._type(extendee, scope)}")
            for field in fields:
                self._field(field, scope, generated)
            self._close()

    def _reserved(self, spans: Iterable[tuple[int, int]], names: Iterable[str], most: int) -> None:
        if self._style.is_normalized:
            spans, names = sorted(spans), sorted(names, key=quote)
        written = [_span(start, last, most) for start, last in spans]
        if written:
            self._add(f"reserved {', '.join(written)};")
        is_bare = self._file.syntax == "editions"
        quoted = [name if is_bare and isinstance(name, str) else quote(name) for name in names]
        if quoted:
            self._add(f"reserved {', '.join(quoted)};")

    def _enum(self, enum: EnumDescriptorProto, scope: str) -> None:
        self._open(f"{_VISIBILITIES.get(enum.visibility, '')}enum {enum.name}")
        full_name = join(scope, enum.name)
        self._option_statements(self._options.write(enum.options, full_name))
        for value in enum.value:
            assignments = self._options.write(value.options, scope)
            self._add(f"{value.name} = {value.number}{_bracketed(assignments)};")
        self._reserved([(item.start, item.end) for item in enum.reserved_range], enum.reserved_name, MAX_INT32)
        self._close()

    def _service(self, service: ServiceDescriptorProto) -> None:
        scope = join(self._file.package, service.name)
        self._open(f"service {service.name}")
        self._option_statements(self._options.write(service.options, self._file.package))
        for method in service.method:
            takes = f"{'stream ' * method.client_streaming}{self._type(method.input_type, scope)}"
            gives = f"{'stream ' * method.server_streaming}{self._type(method.output_type, scope)}"
            line = f"rpc {method.name}({takes}) returns ({gives})"
            assignments = self._options.write(method.options, scope)
            if assignments:
                self._open(line)
                self._option_statements(assignments)
                self._close()
            else:
                self._add(f"{line};")
        self._close()


def _own_name(field: FieldDescriptorProto, scope: str) -> str:
    """Return the simple name of a field's type if that type stands in the field's own scope, else nothing."""
    type_name = field.type_name
    if not type_name:
        return ""
    head, _, name = type_name.removeprefix(".").rpartition(".")
    return name if head == scope else ""


def _span(start: int, last: int, most: int) -> str:
    if start == last:
        return str(start)
    return f"{start} to {'max' if last == most else last}"


def _bracketed(assignments: Sequence[str]) -> str:
    return f" [{', '.join(assignments)}]" if assignments else ""
