"""Protobuf messages in rules: the one that holds a field, and the one that a rule gave, as a map or a message.

Refuses to know rules. A map is the whole new message, as for Confluent's clients: what it does not name is dropped, a
null clears its field, and a name that no field has is dropped.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from llm_schema_registry.contracts.jsonable import key_text
from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH
from llm_schema_registry.formats.places import token_name


def write_message(before: Message, result: object) -> Message:
    """Return a message of the class of `before`. Raises ValueError when the result is not one."""
    if isinstance(result, Message):
        if result.DESCRIPTOR.full_name != before.DESCRIPTOR.full_name:
            raise ValueError(f"it gave a {result.DESCRIPTOR.full_name}, not a {before.DESCRIPTOR.full_name}")
        return type(before).FromString(result.SerializeToString())
    if not isinstance(result, dict):
        raise ValueError(f"it gave a {type(result).__name__}, not a message")  # noqa: TRY004 - the rule is at fault
    fields = {str(key): _json(value) for key, value in result.items()}
    try:
        return ParseDict(fields, type(before)(), ignore_unknown_fields=True, max_recursion_depth=MAX_PAYLOAD_DEPTH)
    except ParseError as error:
        raise ValueError(str(error)) from None


def message_at(root: Message, path: str) -> Message:
    """Return the message whose field is at a JSON Pointer by the names of fields, which must be there."""
    current: Any = root
    for token in path.split("/")[1:-1]:
        name = token_name(token)
        if isinstance(current, Message):
            current = _member(current, name)
        elif isinstance(current, Mapping):
            current = next(value for key, value in current.items() if key_text(key) == name)
        else:
            current = current[int(token)]
    return cast("Message", current)


def _member(message: Message, name: str) -> object:
    if name.startswith("["):
        extension: Any = message.DESCRIPTOR.file.pool.FindExtensionByName(name[1:-1])
        return message.Extensions[extension]
    return getattr(message, name)


def _json(value: object) -> object:
    """Return a rule's value as ProtoJSON."""
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        length = Duration()
        length.FromTimedelta(value)
        return length.ToJsonString()
    if isinstance(value, Message):
        return MessageToDict(value, preserving_proto_field_name=True)
    return value
