"""Whether a descriptor that was handed in is what its printed text compiles to.

Refuses to compare option values: every one of them is printed, or printing fails.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

from llm_schema_registry.formats.protobuf.render import default_json_name


def is_same_file(given: FileDescriptorProto, compiled: FileDescriptorProto) -> bool:
    """Compare without file name, source info, options, and what a descriptor may leave to its reader to fill in."""
    return _comparable(given, compiled) == _comparable(compiled, compiled)


def messages(scope: FileDescriptorProto | DescriptorProto) -> Iterator[DescriptorProto]:
    """Yield all messages of a file or message, each before its nested ones."""
    for message in scope.message_type if isinstance(scope, FileDescriptorProto) else scope.nested_type:
        yield message
        yield from messages(message)


def _fields(file: FileDescriptorProto) -> Iterator[FieldDescriptorProto]:
    yield from file.extension
    for message in messages(file):
        yield from message.field
        yield from message.extension


def _enums(file: FileDescriptorProto) -> Iterator[EnumDescriptorProto]:
    yield from file.enum_type
    for message in messages(file):
        yield from message.enum_type


def _methods(file: FileDescriptorProto) -> Iterator[MethodDescriptorProto]:
    for service in file.service:
        yield from service.method


def _comparable(file: FileDescriptorProto, model: FileDescriptorProto) -> bytes:
    copy = FileDescriptorProto.FromString(file.SerializeToString())
    for name in ("name", "source_code_info", "options"):
        copy.ClearField(name)
    if copy.syntax == "proto2":
        copy.ClearField("syntax")
    for message in messages(copy):
        is_entry = message.options.map_entry
        message.ClearField("options")
        if is_entry:
            message.options.map_entry = True
        for part in (*message.oneof_decl, *message.extension_range):
            part.ClearField("options")
    for enum in _enums(copy):
        for holder in (enum, *enum.value):
            holder.ClearField("options")
    for field, compiled in zip(_fields(copy), _fields(model), strict=False):
        _complete_field(field, compiled)
    for service in copy.service:
        service.ClearField("options")
    for method, other in zip(_methods(copy), _methods(model), strict=False):
        method.ClearField("options")
        method.input_type = _absolute(method.input_type, other.input_type)
        method.output_type = _absolute(method.output_type, other.output_type)
        method.client_streaming = method.client_streaming
        method.server_streaming = method.server_streaming
    copy.DiscardUnknownFields()
    return copy.SerializeToString(deterministic=True)


def _complete_field(field: FieldDescriptorProto, compiled: FieldDescriptorProto) -> None:
    field.ClearField("options")
    if field.extendee or field.json_name == default_json_name(field.name):
        field.ClearField("json_name")
    field.label = field.label
    if not field.HasField("type"):
        field.type = compiled.type
    if field.type_name:
        field.type_name = _absolute(field.type_name, compiled.type_name)
    if field.extendee:
        field.extendee = _absolute(field.extendee, compiled.extendee)


def _absolute(written: str, compiled: str) -> str:
    """Return the compiled name for a relative one that it ends with."""
    return compiled if compiled.endswith(f".{written}") else written
