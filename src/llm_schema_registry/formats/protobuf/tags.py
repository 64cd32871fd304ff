"""Tags in the options `(confluent.message_meta).tags` and `(confluent.field_meta).tags`: found, added, removed.

Refuses to print or compile; it edits a descriptor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from llm_schema_registry.errors import InvalidSchema
from llm_schema_registry.formats.protobuf.options import Record, records
from llm_schema_registry.formats.protobuf.symbols import join
from llm_schema_registry.model import EntityKind, EntityTags

META_FILE = "confluent/meta.proto"
META_NUMBER = 1088
META_EXTENSIONS = frozenset({"confluent.message_meta", "confluent.field_meta"})
TAGS_NUMBER = 3
_LENGTH_DELIMITED = 2

Entity = DescriptorProto | FieldDescriptorProto


def entities(file: FileDescriptorProto) -> Iterator[tuple[EntityKind, str, Entity]]:
    """Yield every message and field with its path, in document order; generated map entries are left out."""
    for message in file.message_type:
        yield from _entities(message, join(file.package, message.name))


def _entities(message: DescriptorProto, path: str) -> Iterator[tuple[EntityKind, str, Entity]]:
    yield EntityKind.RECORD, path, message
    for field in message.field:
        yield EntityKind.FIELD, f"{path}.{field.name}", field
    for nested in message.nested_type:
        if not nested.options.map_entry:
            yield from _entities(nested, f"{path}.{nested.name}")


def read_tags(file: FileDescriptorProto) -> tuple[EntityTags, ...]:
    """Return the tags of a file, entities without any left out."""
    found = []
    for kind, path, entity in entities(file):
        if entity.HasField("options") and (tags := _tags(entity)):
            found.append(EntityTags(path, kind, tags))
    return tuple(found)


def edit_tags(file: FileDescriptorProto, add: Sequence[EntityTags], remove: Sequence[EntityTags]) -> None:
    """Change a file's tags in place: removals first, then additions that are not there yet.

    Raises InvalidSchema for a path that names no such entity.
    """
    by_path = {(kind, path): entity for kind, path, entity in entities(file)}
    for edits, is_addition in ((remove, False), (add, True)):
        for edit in edits:
            entity = by_path.get((edit.kind, edit.path))
            if entity is None:
                noun = "message" if edit.kind is EntityKind.RECORD else "field"
                raise InvalidSchema(
                    f"No {noun} '{edit.path}' in this schema: write the full name, like package.Message"
                    f"{'.field' if noun == 'field' else ''}"
                )
            tags = _tags(entity)
            if is_addition:
                tags += tuple(tag for tag in dict.fromkeys(edit.tags) if tag not in tags)
            else:
                tags = tuple(tag for tag in tags if tag not in edit.tags)
            _set_tags(entity, tags)


def _meta(entity: Entity) -> list[Record]:
    options = entity.options.SerializeToString(deterministic=True)
    parts = [record.value for record in records(options) if record.number == META_NUMBER]
    return list(records(b"".join(part for part in parts if isinstance(part, bytes))))


def _tags(entity: Entity) -> tuple[str, ...]:
    values = [record.value for record in _meta(entity) if record.number == TAGS_NUMBER]
    return tuple(value.decode(errors="replace") for value in values if isinstance(value, bytes))


def _set_tags(entity: Entity, tags: Sequence[str]) -> None:
    meta = b"".join(record.raw for record in _meta(entity) if record.number != TAGS_NUMBER)
    try:
        meta += b"".join(_field_bytes(TAGS_NUMBER, tag.encode()) for tag in tags)
    except UnicodeEncodeError:
        raise InvalidSchema("A tag holds half of a surrogate pair, which is no character") from None
    options = entity.options.SerializeToString(deterministic=True)
    rest = b"".join(record.raw for record in records(options) if record.number != META_NUMBER)
    if meta:
        rest += _field_bytes(META_NUMBER, meta)
    entity.ClearField("options")
    if rest:
        entity.options.MergeFromString(rest)


def _field_bytes(number: int, value: bytes) -> bytes:
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """Return a non-negative number as the wire has it: seven bits a byte, the low ones first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
