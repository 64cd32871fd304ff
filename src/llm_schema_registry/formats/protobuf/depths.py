"""Whether the messages of a payload are so deep in each other that the runtime no longer finds what is unknown.

Refuses to read a payload for its values.
"""

from __future__ import annotations

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message

from llm_schema_registry.formats.base import MAX_PAYLOAD_DEPTH
from llm_schema_registry.formats.protobuf.plan import LENGTH, MessagePlan, reachable
from llm_schema_registry.formats.protobuf.tags import varint

Field = FieldDescriptorProto

# The runtime drops unknown fields down to 64 messages in each other, and leaves those below where they are.
SHALLOW = 60

# Around a payload go so many groups that the runtime's own limit is reached where the payload is no longer shallow.
_GROUPS = MAX_PAYLOAD_DEPTH - SHALLOW - 1
_OPEN, _CLOSE = b"\x0b" * _GROUPS, b"\x0c" * _GROUPS
_PAYLOAD = 2


class Depths:
    """The depths of the payloads of one message type."""

    def __init__(self, pool: DescriptorPool, plan: MessagePlan) -> None:
        self._around: type[Message] | None = _message_around(pool, plan) if _can_be_deep(plan) else None

    def is_deep(self, data: bytes) -> bool:
        """Whether a payload that can be read has more than SHALLOW messages inside each other, or entries of maps."""
        if self._around is None or len(data) < 2 * SHALLOW:
            return False
        try:
            self._around.FromString(b"%b%c%b%b%b" % (_OPEN, _PAYLOAD << 3 | LENGTH, varint(len(data)), data, _CLOSE))
        except DecodeError:
            return True
        return False


def _can_be_deep(plan: MessagePlan) -> bool:
    """Whether a type holds itself, or too many others in each other: in rounds the innermost are taken away."""
    left = {id(one): one for one in reachable(plan)}
    for _ in range(SHALLOW // 2):  # a map's entry is a level of its own to the runtime
        held = {key for key, one in left.items() if any(id(item.message) in left for item in one.fields)}
        if len(held) == len(left):
            break
        left = {key: left[key] for key in held}
    return bool(left)


def _message_around(pool: DescriptorPool, plan: MessagePlan) -> type[Message]:
    """Return a message type that holds itself as a group, and one of the given type."""
    name = "Around"
    while _is_taken(pool, name):
        name += "_"
    file = FileDescriptorProto(name=f"{name}.around", syntax="proto2", dependency=[plan.descriptor.file.name])
    message = file.message_type.add(name=name)
    message.field.add(name="a", number=1, type=Field.TYPE_GROUP, label=Field.LABEL_OPTIONAL, type_name=f".{name}")
    message.field.add(
        name="b", number=_PAYLOAD, type=Field.TYPE_MESSAGE, label=Field.LABEL_OPTIONAL, type_name=f".{plan.full_name}"
    )
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _is_taken(pool: DescriptorPool, name: str) -> bool:
    for find in (pool.FindMessageTypeByName, pool.FindEnumTypeByName, pool.FindExtensionByName, pool.FindServiceByName):
        try:
            find(name)
        except KeyError:
            continue
        return True
    return False
