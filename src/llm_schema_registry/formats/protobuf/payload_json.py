"""ProtoJSON into messages, with every violation and its path; strict where the runtime's own parser lets things pass.

Refuses to read bytes, and to know how a single scalar is written: `payload_scalars` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from google.protobuf.message import Message

from llm_schema_registry.formats.places import Trail
from llm_schema_registry.formats.protobuf.findings import Findings
from llm_schema_registry.formats.protobuf.payload_checks import find_missing
from llm_schema_registry.formats.protobuf.payload_scalars import (
    Unfit,
    finite,
    json_type,
    read_duration,
    read_key,
    read_mask,
    read_scalar,
    read_timestamp,
)
from llm_schema_registry.formats.protobuf.plan import (
    ANY,
    DURATION,
    FIELD_MASK,
    LIST_VALUE,
    STRUCT,
    TIMESTAMP,
    VALUE,
    WRAPPERS,
    FieldPlan,
    MessagePlan,
    Plans,
)
from llm_schema_registry.model import ViolationKind

_SPECIAL = frozenset({ANY, DURATION, FIELD_MASK, LIST_VALUE, STRUCT, TIMESTAMP, VALUE, *WRAPPERS})

Json: TypeAlias = object


def read_message(plan: MessagePlan, plans: Plans, value: Json, findings: Findings) -> Message:
    """Return the message that a value in ProtoJSON is, as far as it can be read. Raises Enough."""
    message = plan.new()
    reader = _Reader(plans, findings)
    reader.message(message, plan, value, None, 1)
    return message


class _Reader:
    def __init__(self, plans: Plans, findings: Findings) -> None:
        self._plans = plans
        self._findings = findings
        self._special: dict[str, Callable[[Any, MessagePlan, Json, Trail, int], None]] = {
            **dict.fromkeys(WRAPPERS, self._wrapper),
            ANY: self._any,
            DURATION: self._duration,
            FIELD_MASK: self._mask,
            LIST_VALUE: self._list_value,
            STRUCT: self._struct,
            TIMESTAMP: self._timestamp,
            VALUE: self._value,
        }

    def message(self, message: Message, plan: MessagePlan, value: Json, trail: Trail, depth: int) -> None:
        """Read a value into an empty message."""
        self._findings.enter(depth, trail)
        self._findings.count(1, trail, len(plan.fields))
        special = self._special.get(plan.known)
        if special is None:
            self._fields(message, plan, self._members(value, plan.full_name, trail), trail, depth)
            return
        try:
            special(message, plan, value, trail, depth)
        except Unfit as unfit:
            self._findings.add(unfit.kind, trail, unfit.expected, unfit.found, plan.full_name)

    def _members(self, value: Json, schema_path: str, trail: Trail) -> dict[str, Json]:
        """Return the members of an object; of any other value none."""
        if not isinstance(value, dict):
            self._findings.add(ViolationKind.TYPE_MISMATCH, trail, "an object", json_type(value), schema_path)
            return {}
        return value

    def _repeated(self, trail: Trail, expected: str, schema_path: str) -> None:
        self._findings.add(ViolationKind.FIELD_REPEATED, trail, expected, "another time", schema_path)

    def _fields(self, message: Message, plan: MessagePlan, members: dict[str, Json], trail: Trail, depth: int) -> None:
        seen: set[str] = set()
        for name, value in members.items():
            here: Trail = (trail, name)
            field = plan.by_key.get(name)
            if field is None:
                self._findings.add(ViolationKind.FIELD_UNKNOWN, here, "no such field", json_type(value), plan.full_name)
                continue
            if field.full_name in seen:
                self._repeated(here, "the field once, under one of its names", field.full_name)
                continue
            seen.add(field.full_name)
            if value is None and (field.is_repeated or not field.takes_null):
                continue
            if field.oneof:
                if field.oneof in seen:
                    self._repeated(here, f"one field of the oneof {field.oneof}", field.full_name)
                    continue
                seen.add(field.oneof)
            self._field(message, field, value, here, depth)

    def _field(self, message: Message, field: FieldPlan, value: Json, trail: Trail, depth: int) -> None:
        if field.is_map:
            self._map(message, field, self._members(value, field.full_name, trail), trail, depth)
        elif field.is_repeated:
            self._items(message, field, value, trail, depth)
        elif field.message is None:
            for scalar in self._scalar(field, value, trail, field.full_name):
                field.put(message, scalar)
        else:
            inner = field.get(message)
            inner.SetInParent()
            self.message(inner, field.message, value, trail, depth + 1)

    def _scalar(self, field: FieldPlan, value: Json, trail: Trail, schema_path: str) -> list[Any]:
        """Return a list of the one value, or an empty one after noting a violation."""
        self._findings.count(1, trail)
        try:
            return [read_scalar(field, value)]
        except Unfit as unfit:
            kind = ViolationKind.NOT_NULLABLE if value is None else unfit.kind
            self._findings.add(kind, trail, unfit.expected, unfit.found, schema_path)
            return []

    def _items(self, message: Message, field: FieldPlan, value: Json, trail: Trail, depth: int) -> None:
        if not isinstance(value, list):
            self._findings.add(ViolationKind.TYPE_MISMATCH, trail, "an array", json_type(value), field.full_name)
            return
        values = field.get(message)
        for index, item in enumerate(value):
            here: Trail = (trail, index)
            if field.message is None:
                values.extend(self._scalar(field, item, here, field.full_name))
            elif self._is_there(field, item, here, field.full_name):
                self.message(values.add(), field.message, item, here, depth + 1)

    def _is_there(self, field: FieldPlan, value: Json, trail: Trail, schema_path: str) -> bool:
        is_there = value is not None or field.takes_null
        if not is_there:
            self._findings.add(ViolationKind.NOT_NULLABLE, trail, "a message", "null", schema_path)
        return is_there

    def _map(self, message: Message, field: FieldPlan, members: dict[str, Json], trail: Trail, depth: int) -> None:
        key_field, value_field = field.key, field.value
        entries = field.get(message)
        for name, value in members.items():
            here: Trail = (trail, name)
            try:
                key = read_key(key_field, name)
            except Unfit as unfit:
                self._findings.add(unfit.kind, here, unfit.expected, unfit.found, field.full_name)
                continue
            if value_field.message is None:
                for scalar in self._scalar(value_field, value, here, field.full_name):
                    entries[key] = scalar
            elif self._is_there(value_field, value, here, field.full_name):
                self.message(entries[key], value_field.message, value, here, depth + 1)

    def _wrapper(self, message: Message, plan: MessagePlan, value: Json, _trail: Trail, _depth: int) -> None:
        field = plan.by_number[1]
        field.put(message, read_scalar(field, value))

    def _timestamp(self, message: Any, _plan: MessagePlan, value: Json, _trail: Trail, _depth: int) -> None:  # noqa: ANN401 # its fields by name
        message.seconds, message.nanos = read_timestamp(value)

    def _duration(self, message: Any, _plan: MessagePlan, value: Json, _trail: Trail, _depth: int) -> None:  # noqa: ANN401 # as above
        message.seconds, message.nanos = read_duration(value)

    def _mask(self, message: Any, _plan: MessagePlan, value: Json, _trail: Trail, _depth: int) -> None:  # noqa: ANN401 # as above
        message.paths.extend(read_mask(value))

    def _struct(self, message: Message, plan: MessagePlan, value: Json, trail: Trail, depth: int) -> None:
        self._map(message, plan.by_number[1], self._members(value, plan.full_name, trail), trail, depth)

    def _list_value(self, message: Message, plan: MessagePlan, value: Json, trail: Trail, depth: int) -> None:
        self._items(message, plan.by_number[1], value, trail, depth)

    def _value(self, message: Any, plan: MessagePlan, value: Json, trail: Trail, depth: int) -> None:  # noqa: ANN401 # as above
        if value is None:
            message.null_value = 0
        elif isinstance(value, bool):
            message.bool_value = value
        elif isinstance(value, str):
            message.string_value = value
        elif isinstance(value, int | float):
            message.number_value = finite(value, "a number of 64 bits")
        else:
            field = plan.by_number[5 if isinstance(value, dict) else 6]
            self._field(message, field, value, trail, depth)

    def _any(self, message: Any, plan: MessagePlan, value: Json, trail: Trail, depth: int) -> None:  # noqa: ANN401 # as above
        members = dict(self._members(value, plan.full_name, trail))
        if not members:
            return
        url = members.pop("@type", None)
        here: Trail = (trail, "@type")
        if not isinstance(url, str):
            kind = ViolationKind.FIELD_MISSING if url is None else ViolationKind.TYPE_MISMATCH
            self._findings.add(kind, here, "the URL of a type", json_type(url), plan.full_name)
            return
        slash, name = "/" in url, url.rpartition("/")[2]
        inner = self._plans.find(name) if slash else None
        if inner is None:
            expected = "a URL that ends with the name of a message of this schema"
            self._findings.add(ViolationKind.BRANCH_UNKNOWN, here, expected, url, plan.full_name)
            return
        held = inner.new()
        if inner.known in _SPECIAL:
            self._any_value(held, inner, members, trail, depth)
        else:
            self.message(held, inner, members, trail, depth + 1)
        find_missing(held, inner, self._findings, trail)
        message.type_url = url
        message.value = held.SerializePartialToString()

    def _any_value(self, held: Message, inner: MessagePlan, members: dict[str, Json], trail: Trail, depth: int) -> None:
        """Read a well-known type inside an Any: it stands in a member of its own."""
        for name in members:
            if name != "value":
                self._findings.add(
                    ViolationKind.FIELD_UNKNOWN, (trail, name), "@type and value", "another name", inner.full_name
                )
        if "value" in members:
            self.message(held, inner, members["value"], (trail, "value"), depth + 1)
        else:
            here: Trail = (trail, "value")
            self._findings.add(ViolationKind.FIELD_MISSING, here, f"a {inner.full_name}", "none", inner.full_name)
