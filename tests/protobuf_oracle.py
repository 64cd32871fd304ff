"""Google's own runtime as the judge: write a message under one schema, read it under another."""

from __future__ import annotations

import json
from functools import lru_cache

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message

from llm_schema_registry.formats.protobuf import ProtobufSchema


@lru_cache(maxsize=8)
def pool_of(schema: ProtobufSchema) -> DescriptorPool:
    pool = DescriptorPool()
    for file in schema.symbols.files.values():
        pool.Add(file)
    for name in schema.symbols.files:  # extensions are known once their files are built
        pool.FindFileByName(name)
    return pool


def message_of(schema: ProtobufSchema, full_name: str) -> Message:
    """Return an empty message of a schema."""
    return message_factory.GetMessageClass(pool_of(schema).FindMessageTypeByName(full_name))()


def to_json(message: Message, schema: ProtobufSchema) -> dict[str, object]:
    found: dict[str, object] = json_format.MessageToDict(message, descriptor_pool=pool_of(schema))
    return found


def read_binary(content: bytes, schema: ProtobufSchema, full_name: str) -> Message | None:
    """Return the message that bytes are, or None where the runtime refuses them or misses a required field."""
    message = message_of(schema, full_name)
    try:
        message.ParseFromString(content)
    except DecodeError:
        return None
    return message if message.IsInitialized() else None


def read_json(
    content: object, schema: ProtobufSchema, full_name: str, *, ignore_unknown: bool = False
) -> Message | None:
    message = message_of(schema, full_name)
    try:
        json_format.ParseDict(content, message, ignore_unknown_fields=ignore_unknown, descriptor_pool=pool_of(schema))
    except (json_format.ParseError, ValueError, AttributeError, TypeError):
        return None
    return message


def observe(sample: str, form: str, writer: ProtobufSchema, written: str, reader: ProtobufSchema, read: str) -> str:
    """Write a sample under one schema and tell what the other makes of it, as `Difference.outcome` does."""
    message = read_json(json.loads(sample), writer, written)
    assert message is not None, f"not valid for the writer: {sample}"
    if form == "binary":
        seen = read_binary(message.SerializePartialToString(), reader, read)
    else:
        seen = read_json(to_json(message, writer), reader, read)
    return f"{form}: refused" if seen is None else f"{form}: {json.dumps(to_json(seen, reader), ensure_ascii=False)}"
