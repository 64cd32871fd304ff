"""What reading a message needs to know of its type, looked up once: fields by number and by ProtoJSON name.

Refuses to read anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from google.protobuf import (
    any_pb2,
    duration_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

Field = FieldDescriptor

TIMESTAMP = "google.protobuf.Timestamp"
DURATION = "google.protobuf.Duration"
STRUCT = "google.protobuf.Struct"
VALUE = "google.protobuf.Value"
LIST_VALUE = "google.protobuf.ListValue"
_NULL_VALUE = "google.protobuf.NullValue"
FIELD_MASK = "google.protobuf.FieldMask"
ANY = "google.protobuf.Any"
DECIMAL = "confluent.type.Decimal"
WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
)

ZIGZAG = frozenset({Field.TYPE_SINT32, Field.TYPE_SINT64})
UNSIGNED = frozenset({Field.TYPE_UINT32, Field.TYPE_UINT64, Field.TYPE_FIXED32, Field.TYPE_FIXED64})
_FIXED32 = frozenset({Field.TYPE_FIXED32, Field.TYPE_SFIXED32, Field.TYPE_FLOAT})
_FIXED64 = frozenset({Field.TYPE_FIXED64, Field.TYPE_SFIXED64, Field.TYPE_DOUBLE})
_TEXTS = frozenset({Field.TYPE_STRING, Field.TYPE_BYTES})
INT32 = frozenset({Field.TYPE_INT32, Field.TYPE_SINT32, Field.TYPE_SFIXED32})
UINT32 = frozenset({Field.TYPE_UINT32, Field.TYPE_FIXED32})
INT64 = frozenset({Field.TYPE_INT64, Field.TYPE_SINT64, Field.TYPE_SFIXED64})
UINT64 = frozenset({Field.TYPE_UINT64, Field.TYPE_FIXED64})

_GOOGLE = [
    descriptor
    for module in (any_pb2, duration_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
    for descriptor in module.DESCRIPTOR.message_types_by_name.values()
]

VARINT, WIRE64, LENGTH, START_GROUP, END_GROUP, WIRE32 = range(6)

TYPE_NAMES = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in vars(Field).items()
    if name.startswith("TYPE_") and isinstance(value, int)
}


@dataclass(eq=False, slots=True)
class FieldPlan:
    """A field, extension, or half of a map's entry.

    `name` is its key in plain values, `json_name` in ProtoJSON; both are the full name in brackets for an extension.
    `wire` is the wire type of one value. `symbols` are the numbers that a closed enum has, None for all other types.
    `message` is the type of values that are messages, of a map its entry. `takes_null` says that null
    is a value of the type.
    """

    descriptor: Any  # the stubs take no plain descriptor as an extension
    name: str
    json_name: str
    full_name: str
    type: int
    wire: int
    is_repeated: bool
    is_map: bool
    has_presence: bool
    is_required: bool
    oneof: str
    enum: EnumDescriptor | None
    takes_null: bool
    symbols: frozenset[int] | None
    message: MessagePlan | None

    @property
    def key(self) -> FieldPlan:
        """The keys of a map."""
        return cast("MessagePlan", self.message).by_number[1]

    @property
    def value(self) -> FieldPlan:
        """The values of a map."""
        return cast("MessagePlan", self.message).by_number[2]

    @property
    def held(self) -> MessagePlan | None:
        """The type of the messages in the field, of a map its values'; None for scalars."""
        return self.value.message if self.is_map else self.message

    def get(self, holder: Message) -> Any:  # noqa: ANN401 # a value of any field type; the runtime's own are untyped
        """Return the field's value, its default when it is not set."""
        return holder.Extensions[self.descriptor] if self.descriptor.is_extension else getattr(holder, self.name)

    def is_set(self, holder: Message) -> bool:
        """Whether a field with presence is set."""
        if self.descriptor.is_extension:
            return holder.HasExtension(self.descriptor)
        return holder.HasField(self.name)

    def put(self, holder: Message, value: object) -> None:
        """Set a singular scalar. Raises TypeError or ValueError for what does not fit."""
        if self.descriptor.is_extension:
            holder.Extensions[self.descriptor] = value
        else:
            setattr(holder, self.name, value)


@dataclass(eq=False, slots=True)
class MessagePlan:
    """A message type. `by_key` holds what ProtoJSON may call its fields: ProtoJSON names before original ones.

    `known` is the full name of a well-known type, and empty for others: also for those that only took the name of one.
    """

    descriptor: Descriptor
    full_name: str
    known: str = ""
    fields: tuple[FieldPlan, ...] = ()
    by_number: dict[int, FieldPlan] = field(default_factory=dict)
    by_key: dict[str, FieldPlan] = field(default_factory=dict)

    def new(self) -> Message:
        """Return an empty message."""
        return message_factory.GetMessageClass(self.descriptor)()


class Plans:
    """The plans of the messages of one schema. Safe to share between threads: what two make at once is equal."""

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool
        self._plans: dict[str, MessagePlan] = {}

    def of(self, descriptor: Descriptor) -> MessagePlan:
        """Return the plan of a message type; those of all that it holds are made with it."""
        made = self._plans.get(descriptor.full_name)
        if made is not None:
            return made
        making: dict[str, MessagePlan] = {}
        root = self._plan(descriptor, making)
        waiting = [root]
        while waiting:
            plan = waiting.pop()
            known = set(making)
            extensions = sorted(self._pool.FindAllExtensions(plan.descriptor), key=lambda item: item.number)
            plan.fields = tuple(self._field(item, making) for item in (*plan.descriptor.fields, *extensions))
            plan.by_number = {item.descriptor.number: item for item in plan.fields}
            plan.by_key = {item.name: item for item in plan.fields} | {item.json_name: item for item in plan.fields}
            waiting += [making[name] for name in making.keys() - known]
        self._plans |= making
        return root

    def find(self, full_name: str) -> MessagePlan | None:
        """Return the plan of a message by its full name, imported ones too.

        None where there is none, or where more types are in each other than the runtime can make classes of.
        """
        try:
            plan = self.of(self._pool.FindMessageTypeByName(full_name))
            plan.new()
        except (KeyError, RecursionError):
            return None
        return plan

    def _plan(self, descriptor: Descriptor, making: dict[str, MessagePlan]) -> MessagePlan:
        name = descriptor.full_name
        found = self._plans.get(name) or making.get(name)
        if found is None:
            found = making[name] = MessagePlan(descriptor, name, name if _is_known(descriptor) else "")
        return found

    def _field(self, item: Field, making: dict[str, MessagePlan]) -> FieldPlan:
        message = None if item.message_type is None else self._plan(item.message_type, making)
        enum = item.enum_type
        oneof = item.containing_oneof
        bracketed = f"[{item.full_name}]"
        return FieldPlan(
            descriptor=item,
            name=bracketed if item.is_extension else item.name,
            json_name=bracketed if item.is_extension else item.json_name,
            full_name=item.full_name,
            type=item.type,
            wire=_wire_type(item.type),
            is_repeated=item.is_repeated,
            is_map=item.is_repeated and item.message_type is not None and item.message_type.GetOptions().map_entry,
            has_presence=item.has_presence,
            is_required=item.is_required,
            oneof=oneof.name if oneof is not None and len(oneof.fields) > 1 else "",
            enum=enum,
            takes_null=_is_null(enum) if message is None else message.known == VALUE,
            symbols=frozenset(value.number for value in enum.values) if enum is not None and enum.is_closed else None,
            message=message,
        )


def _form(descriptor: Descriptor) -> frozenset[tuple[str, int, int]]:
    return frozenset((item.name, item.number, item.type) for item in descriptor.fields)


_FORMS = {
    **{descriptor.full_name: _form(descriptor) for descriptor in _GOOGLE},
    DECIMAL: frozenset(
        {("value", 1, Field.TYPE_BYTES), ("precision", 2, Field.TYPE_UINT32), ("scale", 3, Field.TYPE_INT32)}
    ),
}


def _is_known(descriptor: Descriptor) -> bool:
    """Whether a type is a well-known one: references may put another file in the place of a built-in one."""
    return _FORMS.get(descriptor.full_name) == _form(descriptor)


def _is_null(enum: EnumDescriptor | None) -> bool:
    return enum is not None and enum.full_name == _NULL_VALUE and 0 in enum.values_by_number


def _wire_type(kind: int) -> int:
    if kind in _FIXED32:
        return WIRE32
    if kind in _FIXED64:
        return WIRE64
    if kind == Field.TYPE_GROUP:
        return START_GROUP
    return LENGTH if kind in _TEXTS or kind == Field.TYPE_MESSAGE else VARINT


def reachable(root: MessagePlan) -> Iterator[MessagePlan]:
    """Yield a message type and all that its values can hold, each once."""
    seen = {id(root)}
    waiting = [root]
    while waiting:
        plan = waiting.pop()
        yield plan
        for item in plan.fields:
            if item.message is not None and id(item.message) not in seen:
                seen.add(id(item.message))
                waiting.append(item.message)
