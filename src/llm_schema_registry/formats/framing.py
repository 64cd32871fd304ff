"""Confluent's frame around a payload: a magic byte, the schema's id or guid, and for Protobuf the message's indexes.

Refuses to know what the payload is.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.model import Violation, ViolationKind

_ID_MAGIC = 0
_ID_END = 5
_GUID_MAGIC = 1
_GUID_END = 17
_MAX_INDEXES = 64
_MAX_VARINT_BYTES = 5


class Frame(NamedTuple):
    """A payload taken out of its frame. `named` is its schema's id, or its guid."""

    named: int | str
    body: bytes


def read_frame(data: bytes) -> Frame:
    """Take off the magic byte and what names the schema. Raises InvalidPayload."""
    if not data:
        raise _broken("a frame", "nothing")
    magic = data[0]
    if magic == _ID_MAGIC:
        if len(data) < _ID_END:
            raise _broken("5 bytes before the payload", f"{len(data)}")
        return Frame(int.from_bytes(data[1:_ID_END], signed=True), data[_ID_END:])
    if magic == _GUID_MAGIC:
        if len(data) < _GUID_END:
            raise _broken("17 bytes before the payload", f"{len(data)}")
        return Frame(str(UUID(bytes=data[1:_GUID_END])), data[_GUID_END:])
    raise _broken("the magic byte 0x00 (an id) or 0x01 (a guid)", f"0x{magic:02x}")


def read_message_indexes(body: bytes) -> tuple[tuple[int, ...], bytes]:
    """Take off a Protobuf message's indexes: their number, then each, as zigzag varints; 0 alone is the first message.

    Each index is a place among the messages of the one before. Raises InvalidPayload.
    """
    count, at = _read_varint(body, 0)
    if count == 0:
        return (0,), body[at:]
    if not 0 < count <= _MAX_INDEXES:
        raise _broken(f"at most {_MAX_INDEXES} message indexes", f"{count}")
    indexes = []
    for _ in range(count):
        index, at = _read_varint(body, at)
        if index < 0:
            raise _broken("a message index of 0 or more", f"{index}")
        indexes.append(index)
    return tuple(indexes), body[at:]


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        if at + place >= len(body):
            raise _broken("message indexes", "the end of the payload")
        byte = body[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + place + 1
    raise _broken("a message index of 32 bits", "a longer one")


def _broken(expected: str, found: str) -> InvalidPayload:
    message = f"The payload's frame is broken: expected {expected}, found {found}"
    return InvalidPayload(Violation(ViolationKind.FRAME_BROKEN, "", message, expected=expected, found=found))
