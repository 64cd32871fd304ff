"""What a compiled file and its imports declare, by full name, and how protoc resolves a written name among them.

Refuses to print or compare. Full names carry no leading dot.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

DESCRIPTOR_FILE = "google/protobuf/descriptor.proto"

_LANGUAGE = FileDescriptorProto.FromString(descriptor_pb2.DESCRIPTOR.serialized_pb)


def join(scope: str, name: str) -> str:
    """Return the full name of something declared in a scope (a package or message; empty for the root)."""
    return f"{scope}.{name}" if scope else name


class Symbols:
    """Messages, enums and extensions of some files. The options of the language itself are always among them."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self.files = {file.name: file for file in (_LANGUAGE, *files)}
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        self.extensions: dict[tuple[str, int], tuple[str, FieldDescriptorProto]] = {}
        self.file_of: dict[str, FileDescriptorProto] = {}
        for file in self.files.values():
            for extension in file.extension:
                self._add_extension(extension, file.package)
            for enum in file.enum_type:
                self._add_enum(enum, file.package, file)
            for message in file.message_type:
                self._add_message(message, file.package, file)

    def _add_message(self, message: DescriptorProto, scope: str, file: FileDescriptorProto) -> None:
        name = join(scope, message.name)
        self.messages[name] = message
        self.file_of[name] = file
        for extension in message.extension:
            self._add_extension(extension, name)
        for enum in message.enum_type:
            self._add_enum(enum, name, file)
        for nested in message.nested_type:
            self._add_message(nested, name, file)

    def _add_enum(self, enum: EnumDescriptorProto, scope: str, file: FileDescriptorProto) -> None:
        name = join(scope, enum.name)
        self.enums[name] = enum
        self.file_of[name] = file

    def _add_extension(self, extension: FieldDescriptorProto, scope: str) -> None:
        key = (extension.extendee.removeprefix("."), extension.number)
        self.extensions[key] = (join(scope, extension.name), extension)

    @cached_property
    def _scopes(self) -> frozenset[str]:
        """Everything that may hold names: packages and their prefixes, messages, enums, services."""
        found = {*self.messages, *self.enums}
        for file in self.files.values():
            parts = file.package.split(".") if file.package else []
            found.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
            found.update(join(file.package, service.name) for service in file.service)
        return frozenset(found)

    @cached_property
    def _everything(self) -> frozenset[str]:
        """Every declared name, also those of fields, values, methods and extensions."""
        found = {*self._scopes, *(name for name, _ in self.extensions.values())}
        for file in self.files.values():
            found.update(
                join(join(file.package, service.name), method.name)
                for service in file.service
                for method in service.method
            )
        for name, enum in self.enums.items():
            scope = name.rpartition(".")[0]  # values stand beside their enum
            found.update(join(scope, value.name) for value in enum.value)
        for name, message in self.messages.items():
            found.update(join(name, field.name) for field in message.field)
            found.update(join(name, oneof.name) for oneof in message.oneof_decl)
        return frozenset(found)

    def resolve(self, written: str, scope: str, *, skips_others: bool = True) -> str | None:
        """Return the full name that a type name means inside a scope, or None. protoc's rule: the innermost scope that
        has the first part of the name decides, even if the rest is not found there. A name of one part skips what is
        not a type, but only where a field's type is looked up.
        """
        first, _, rest = written.partition(".")
        while True:
            candidate = join(scope, first)
            if not rest and candidate in self.file_of:
                return candidate
            if not rest and not skips_others and candidate in self._everything:
                return None
            if rest and candidate in self._scopes:
                return name if (name := f"{candidate}.{rest}") in self.file_of else None
            if not scope:
                return None
            scope = scope.rpartition(".")[0]

    def shorten(self, name: str, scope: str, package: str, *, is_field_type: bool) -> str:
        """Return how to write a type inside a scope: local to the package if possible, else in full, else absolute.

        Whatever is returned resolves to `name` there. An unknown type is written absolutely.
        """
        file = self.file_of.get(name)
        if file is None:
            return f".{name}"
        candidates = [name]
        if file.package == package:
            local = name.removeprefix(f"{package}.") if package else name
            parts = local.split(".")
            candidates[:0] = [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
        for candidate in candidates:
            if self.resolve(candidate, scope, skips_others=is_field_type) == name:
                return candidate
        return f".{name}"

    def write_extension(self, name: str, scope: str) -> str:
        """Return how to write an extension's name in an option: in full where that is unambiguous, else absolute."""
        first, _, rest = name.partition(".")
        while rest and scope:
            if join(scope, first) in self._scopes:
                return f".{name}"
            scope = scope.rpartition(".")[0]
        return name if rest else f".{name}"
