"""Texts and base64 descriptors into `ProtobufSchema`: compiled by protoc, stored as printed from the descriptor.

Refuses to compare schemas. Rules: rest-api section 8; the names of references are protoc's import paths.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.base import ResolvedReference
from llm_schema_registry.formats.protobuf.compiler import Compiler
from llm_schema_registry.formats.protobuf.equality import is_same_file
from llm_schema_registry.formats.protobuf.layout import SchemaLayout
from llm_schema_registry.formats.protobuf.options import quote
from llm_schema_registry.formats.protobuf.render import CANONICAL, NORMALIZED, WITHOUT_EXTENSIONS, Style, render
from llm_schema_registry.formats.protobuf.symbols import DESCRIPTOR_FILE, Symbols
from llm_schema_registry.formats.protobuf.tags import META_EXTENSIONS, META_FILE, META_NUMBER, edit_tags, read_tags
from llm_schema_registry.model import EntityKind, EntityTags

MAX_TEXT_BYTES = 10 << 20
MAIN_FILE = "schema.proto"

TEXT_MEDIA_TYPE = "text/x-protobuf"
BINARY_MEDIA_TYPES = ("application/x-protobuf", "application/vnd.google.protobuf")

# A .proto text that declares anything holds a semicolon, so no such text is mistaken for base64.
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_QUOTED = frozenset({"default_value", "json_name", "reserved_name", "options", "source_code_info"})
_WHITESPACE = re.compile(r"\s+")


class Sources:
    """The texts that a schema may import, by import path, and the compiler to read them with.

    A reference replaces a built-in file of the same path, as its author wants; only the file that describes the
    language itself stays protoc's own, because protoc would not understand another.
    """

    def __init__(self, compiler: Compiler, references: Sequence[ResolvedReference]) -> None:
        self._compiler = compiler
        self._texts: dict[str, str] = {}
        for reference in references:
            _check_import_path(reference.name)
            _check_size(reference.text, f"The reference {reference.name}")
            if reference.name != DESCRIPTOR_FILE:
                self._texts.setdefault(reference.name, reference.text)
        self._main = MAIN_FILE
        while self._main in self._texts:
            self._main = f"_{self._main}"

    def compile(self, text: str) -> Sequence[FileDescriptorProto]:
        """Return the descriptors of all files that a text imports, before their importers, and its own at the end."""
        return self._compiler.compile(self._main, {self._main: text, **self._texts}).file


def _check_import_path(name: str) -> None:
    parts = name.split("/")
    is_path = not any(part in {"", ".", ".."} for part in parts) and not name.startswith("-")
    if not is_path or not name.isprintable() or any(char in name for char in ":=\\"):
        raise InvalidSchema(
            f"The reference name {name!r} cannot be an import path: name the reference as the import statement does, "
            "with a relative path without '.', '..', ':', '=' or a backslash, not starting with '-'"
        )


class ProtobufSchema:
    """A compiled .proto file with everything it imports. Implements `formats.base.Parsed`."""

    def __init__(
        self,
        files: Sequence[FileDescriptorProto],
        sources: Sources,
        references: Sequence[ResolvedReference] = (),
    ) -> None:
        """Take compiled files, the schema itself last."""
        self.file = files[-1]
        self.symbols = Symbols(files)
        self._sources = sources
        # compatibility-rules 4.5: a type of a direct reference is known by subject and version.
        self.direct = {item.name: (item.subject, item.version) for item in reversed(references) if item.is_direct}
        self.canonical = _print(self.file, self.symbols, CANONICAL)

    @cached_property
    def layout(self) -> SchemaLayout:
        """How its data looks, on the wire and in ProtoJSON."""
        return SchemaLayout(self.file, self.symbols)

    @cached_property
    def normalized(self) -> str:
        return _print(self.file, self.symbols, NORMALIZED)

    @property
    def inlined(self) -> str:
        """The canonical text: a type in an import has another scope than an inline one, so they are never the same."""
        return self.canonical

    @property
    def reserved_misuse(self) -> str | None:
        return None

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(field.name for message in self._named_messages() for field in message.field))

    def _named_messages(self) -> Iterable[DescriptorProto]:
        """Return the top-level messages; an empty file with one public import lends that file's (rules 4.7)."""
        file = self.file
        while not (file.message_type or file.enum_type) and len(file.public_dependency) == 1:
            file = self.symbols.files[file.dependency[file.public_dependency[0]]]
        return file.message_type

    @cached_property
    def tags(self) -> tuple[EntityTags, ...]:
        return read_tags(self.file) if self._meta_extensions() == META_EXTENSIONS else ()

    @cached_property
    def field_tags(self) -> Mapping[str, tuple[str, ...]]:
        """The tags of fields by full name, those of imports too."""
        if self._meta_extensions() != META_EXTENSIONS:
            return {}
        found = (tags for file in self.symbols.files.values() for tags in read_tags(file))
        return {tags.path: tags.tags for tags in found if tags.kind is EntityKind.FIELD}

    def _meta_extensions(self) -> set[str]:
        """Return what the numbers of the tag options mean here: nothing, the tag options, or something else."""
        keys = [(f"google.protobuf.{options}", META_NUMBER) for options in ("MessageOptions", "FieldOptions")]
        return {self.symbols.extensions[key][0] for key in keys if key in self.symbols.extensions}

    def with_tags(self, add: Sequence[EntityTags], remove: Sequence[EntityTags]) -> str:
        """Return the canonical text with tags changed, importing confluent/meta.proto where tags need it."""
        if not self._meta_extensions() <= META_EXTENSIONS:
            raise InvalidSchema(f"Option {META_NUMBER} is not that of {META_FILE} here, so the schema cannot hold tags")
        file = FileDescriptorProto.FromString(self.file.SerializeToString())
        edit_tags(file, add, remove)
        if not add or META_FILE in self._visible_files():
            return _print(file, self.symbols, CANONICAL)
        file.dependency.append(META_FILE)
        meta = self._sources.compile(_importing([META_FILE]))
        return _print(file, Symbols([*self.symbols.files.values(), *meta]), CANONICAL)

    def _visible_files(self) -> set[str]:
        """Return the names of the files whose declarations this one may use: its imports and what these make public."""
        waiting = [*self.file.dependency, *self.file.option_dependency]
        visible: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in visible:
                visible.add(name)
                imported = self.symbols.files[name]
                waiting += [imported.dependency[index] for index in imported.public_dependency]
        return visible

    @property
    def descriptor(self) -> bytes:
        """The serialized FileDescriptorProto; its dependencies are the import paths, its own name means nothing."""
        return self.file.SerializeToString(deterministic=True)

    def render(self, style: str) -> str:
        """Return the text as `serialized` (base64 of the descriptor), `ignore_extensions`, or else canonical."""
        if style == "serialized":
            return base64.b64encode(self.descriptor).decode()
        if style == "ignore_extensions":
            return _print(self.file, self.symbols, WITHOUT_EXTENSIONS)
        return self.canonical

    def represent(self, media_type: str, *, pretty: bool) -> bytes:
        """Return text or serialized descriptor. `pretty` changes neither: the text is laid out already."""
        if media_type == TEXT_MEDIA_TYPE:
            return self.canonical.encode()
        if media_type in BINARY_MEDIA_TYPES:
            return self.descriptor
        raise KeyError(media_type)


def _print(file: FileDescriptorProto, symbols: Symbols, style: Style) -> str:
    text = render(file, symbols, style)
    _check_size(text)  # what is stored must be readable again
    return text


def _check_size(text: str, what: str = "The schema") -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidSchema(f"{what} holds half of a surrogate pair, which is no character") from None
    if size > MAX_TEXT_BYTES:
        raise InvalidSchema(f"{what} is larger than {MAX_TEXT_BYTES >> 20} MiB: split it into files and reference them")


def _importing(names: Iterable[str]) -> str:
    return 'syntax = "proto3";\n' + "".join(f"import {quote(name)};\n" for name in names)


def parse_schema(compiler: Compiler, text: str, references: Sequence[ResolvedReference]) -> ProtobufSchema:
    """Compile a .proto text, or base64 of a serialized FileDescriptorProto. Raises InvalidSchema."""
    _check_size(text)
    sources = Sources(compiler, references)
    given = _decode(text)
    if given is None:
        return ProtobufSchema(sources.compile(text), sources, references)
    return _parse_descriptor(given, sources, references)


def _decode(text: str) -> FileDescriptorProto | None:
    """Return the descriptor that a text is the base64 of, or None."""
    if not _BASE64.fullmatch(text):
        return None
    try:
        file = FileDescriptorProto.FromString(base64.b64decode(_WHITESPACE.sub("", text), validate=True))
    except (binascii.Error, DecodeError):
        return None
    # Short words are base64 of something too: what is not known to a descriptor makes it none.
    is_descriptor = file.ByteSize() > 0 and len(UnknownFieldSet(file)) == 0
    return file if is_descriptor else None


def _check_names(message: Message) -> None:
    """Refuse names that are not UTF-8; protobuf hands them out as bytes. What stands in quotes may be any bytes."""
    for field, value in message.ListFields():
        if field.name in _QUOTED:
            continue
        for item in value if field.is_repeated else (value,):
            if isinstance(item, bytes):
                raise InvalidSchema("The descriptor holds a name that is not valid UTF-8")
            if isinstance(item, Message):
                _check_names(item)


def _parse_descriptor(
    given: FileDescriptorProto, sources: Sources, references: Sequence[ResolvedReference]
) -> ProtobufSchema:
    """Compile the text that a descriptor prints as: so it is checked as strictly as any text, and stored as the same.

    Descriptor pools are no check: they let through what protoc refuses (reserved names used, overlapping ranges, ...).
    """
    _check_names(given)
    try:
        imports = [*given.dependency, *given.option_dependency]
        imported = sources.compile(_importing(imports)) if imports else ()
        text = _print(given, Symbols([*imported, given]), CANONICAL)
        schema = ProtobufSchema(sources.compile(text), sources, references)
        is_faithful = is_same_file(given, schema.file)
    except InvalidSchema as error:
        raise InvalidSchema(f"The descriptor is refused, lines counted in the text it prints as: {error}") from None
    if not is_faithful:
        raise InvalidSchema(
            "The descriptor describes what no .proto file can: a field's type, label, number or position, or a name, "
            "differs once it is written as text. Send the .proto text instead"
        )
    return schema
