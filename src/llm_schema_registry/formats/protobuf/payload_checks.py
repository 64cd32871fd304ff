"""What the runtime lets pass in a message that it has read: required fields that are missing, bytes that are no text,
times and decimals beyond what they may be.

Refuses to look at bytes: `payload_wire` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError, Message

from llm_schema_registry.formats.places import Trail
from llm_schema_registry.formats.protobuf.findings import Findings
from llm_schema_registry.formats.protobuf.plan import (
    DECIMAL,
    DURATION,
    LENGTH,
    TIMESTAMP,
    Field,
    FieldPlan,
    MessagePlan,
    reachable,
)
from llm_schema_registry.formats.protobuf.tags import varint
from llm_schema_registry.model import ViolationKind

MAX_DECIMAL_DIGITS = 4300
"""As many as Confluent's clients write, and as Python turns into a number without complaint."""

_MAX_DECIMAL_BYTES = (10**MAX_DECIMAL_DIGITS).bit_length() // 8 + 1

MAX_DECIMAL_SCALE = 100_000
"""Digits behind the point, or zeros before it."""

TIMESTAMP_SECONDS = (-62_135_596_800, 253_402_300_799)
DURATION_SECONDS = 315_576_000_000
MAX_NANOS = 999_999_999

_NO_TEXT = b"\xff"
_RANGED = frozenset({TIMESTAMP, DURATION, DECIMAL})


class Checks:
    """The checks of one message type: which fields lead to something that has to be looked at, found once."""

    def __init__(self, root: MessagePlan) -> None:
        self._root = root
        plans = {id(plan): plan for plan in reachable(root)}
        self._has_required = any(item.is_required for plan in plans.values() for item in plan.fields)
        texts = {key: [item for item in plan.fields if not _is_verified(plan, item)] for key, plan in plans.items()}
        # One string is read by its name alone: these are most of what is looked at.
        self._names = {key: tuple(item.name for item in items if _is_simple(item)) for key, items in texts.items()}
        self._texts = {key: tuple(item for item in items if not _is_simple(item)) for key, items in texts.items()}
        self._ranged = {key for key, plan in plans.items() if plan.known in _RANGED}
        leading = self._ranged | {key for key, items in texts.items() if items}
        holders: dict[int, set[int]] = {}
        for key, plan in plans.items():
            for item in plan.fields:
                if item.message is not None:
                    holders.setdefault(id(item.message), set()).add(key)
        waiting = list(leading)
        while waiting:
            new = holders.get(waiting.pop(), set()) - leading
            leading |= new
            waiting += new
        self._ways = {
            key: tuple(item for item in plan.fields if item.message is not None and id(item.message) in leading)
            for key, plan in plans.items()
        }
        self.is_empty = id(root) not in leading and not self._has_required

    def visit(self, message: Message, findings: Findings) -> bool:
        """Note what is beyond its range, and return whether there is nothing such and all text is UTF-8: only then can
        a message be made plain. Where text is not UTF-8 a walk through the bytes tells.
        """
        return self._visit(message, self._root, None, findings)

    def _visit(self, message: Message, plan: MessagePlan, trail: Trail, findings: Findings) -> bool:
        key = id(plan)
        is_sound = key not in self._ranged or _check_range(message, plan, trail, findings)
        for name in self._names[key]:
            if type(getattr(message, name)) is bytes:
                is_sound = False
        for item in self._texts[key]:
            is_sound &= _is_text(item, message)
        for item in self._ways[key]:
            for below, value, type_ in values_of(item, message, trail):
                is_sound &= self._visit(value, type_, below, findings)
        return is_sound

    def find_missing(self, message: Message, findings: Findings) -> None:
        """Note every required field that is not set, in a message and all that it holds."""
        if self._has_required and not message.IsInitialized():
            find_missing(message, self._root, findings)


def _is_simple(item: FieldPlan) -> bool:
    return not item.is_repeated and not item.descriptor.is_extension


def _is_verified(plan: MessagePlan, item: FieldPlan) -> bool:
    """Whether a field has no text but what the runtime itself checks; it tells by what it reads."""
    bodies = [_NO_TEXT] if item.type == Field.TYPE_STRING else []
    if item.is_map:
        halves = [half for half in (item.key, item.value) if half.type == Field.TYPE_STRING]
        bodies = [bytes([half.descriptor.number << 3 | LENGTH, len(_NO_TEXT)]) + _NO_TEXT for half in halves]
    for body in bodies:
        try:
            plan.new().MergeFromString(varint(item.descriptor.number << 3 | LENGTH) + varint(len(body)) + body)
        except DecodeError:
            continue
        return False
    return True


def _is_text(item: FieldPlan, message: Message) -> bool:
    """Whether all text in a field is UTF-8: of other text the runtime gives the bytes."""
    value = item.get(message)
    if item.is_map:
        is_text = item.value.type == Field.TYPE_STRING
        return not any(isinstance(key, bytes) or (is_text and isinstance(value[key], bytes)) for key in value)
    return not any(isinstance(text, bytes) for text in (value if item.is_repeated else [value]))


def _check_range(message: Any, plan: MessagePlan, trail: Trail, findings: Findings) -> bool:  # noqa: ANN401 # its fields are known by the plan's name only
    if plan.known == TIMESTAMP:
        is_right: bool = (
            TIMESTAMP_SECONDS[0] <= message.seconds <= TIMESTAMP_SECONDS[1] and 0 <= message.nanos <= MAX_NANOS
        )
        expected = "a time from year 1 to 9999 with 0 to 999999999 nanoseconds"
    elif plan.known == DURATION:
        is_right = (
            abs(message.seconds) <= DURATION_SECONDS
            and abs(message.nanos) <= MAX_NANOS
            and message.seconds * message.nanos >= 0
        )
        expected = "at most 315576000000 seconds and 999999999 nanoseconds of the same sign"
    else:
        is_right = len(message.value) <= _MAX_DECIMAL_BYTES and abs(message.scale) <= MAX_DECIMAL_SCALE
        expected = f"at most {_MAX_DECIMAL_BYTES} bytes of digits and a scale up to {MAX_DECIMAL_SCALE}"
    if not is_right:
        findings.add(ViolationKind.OUT_OF_RANGE, trail, expected, "another value", plan.full_name)
    return is_right


def find_missing(message: Message, plan: MessagePlan, findings: Findings, trail: Trail = None) -> None:
    """Note every required field that is not set, in a message and all that it holds; not again what is wrong there."""
    for item in plan.fields:
        if item.is_required and not item.is_set(message):
            here: Trail = (trail, item.json_name)
            findings.add(ViolationKind.FIELD_MISSING, here, "a value, which is required", "none", item.full_name)
        else:
            for below, value, type_ in values_of(item, message, trail):
                find_missing(value, type_, findings, below)


def values_of(item: FieldPlan, message: Message, trail: Trail) -> Iterator[tuple[Trail, Any, MessagePlan]]:
    """Yield the messages in a field with trail and type: one, those of a list, or the values of a map."""
    held = item.held
    if held is None:
        return
    here: Trail = (trail, item.json_name)
    if item.is_map:
        entries = item.get(message)
        for key in entries:
            if not isinstance(key, bytes):  # the runtime finds nothing under a key that is no text
                yield (here, key_text(key)), entries[key], held
    elif item.is_repeated:
        for index, value in enumerate(item.get(message)):
            yield (here, index), value, held
    elif item.is_set(message):
        yield here, item.get(message), held


def key_text(key: object) -> str:
    """Write a map's key as ProtoJSON does."""
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)
