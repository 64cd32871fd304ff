"""The bytes of a message, looked at one field after another: what its type does not know, and where they are broken.

Refuses to build a message: the runtime does, this says why it could not, or what it passed over in silence. The two
agree: what the runtime reads without leaving anything unknown has no violation here.
"""

from __future__ import annotations

import re
from contextlib import suppress

from llm_schema_registry.formats.places import Trail
from llm_schema_registry.formats.protobuf.findings import Enough, Findings
from llm_schema_registry.formats.protobuf.plan import (
    END_GROUP,
    LENGTH,
    START_GROUP,
    TYPE_NAMES,
    VARINT,
    WIRE32,
    WIRE64,
    ZIGZAG,
    Field,
    FieldPlan,
    MessagePlan,
)
from llm_schema_registry.model import Violation, ViolationKind

# What the runtime takes: tags and lengths of at most five bytes and 32 bits, values of at most ten bytes.
_MAX_TAG_BYTES = 5
_MAX_TAG = 2**32 - 1
_MAX_LENGTH = 2**31 - 1
_MAX_VARINT_BYTES = 10
_TOO_LONG = re.compile(rb"[\x80-\xff]{10}")
_CONTINUING = bytes(range(0x80, 0x100))
_SIZES = {WIRE64: 8, WIRE32: 4}
_WIRE_NAMES = ("a varint", "64 bits", "a length and bytes", "a group", "the end of a group", "32 bits")
_PACKABLE = frozenset({VARINT, WIRE64, WIRE32})


def walk(plan: MessagePlan, data: bytes, limit: int) -> tuple[Violation, ...]:
    """Return what is wrong with the bytes of a message, in their order; missing fields are not looked for."""
    walker = _Walker(data, limit)
    with suppress(Enough):
        walker.message(plan, 0, len(data), None, 0)
    return tuple(walker.findings.violations)


class _Walker:
    def __init__(self, data: bytes, limit: int) -> None:
        self.findings = Findings(limit)
        self._data = data

    def message(self, plan: MessagePlan, at: int, end: int, trail: Trail, depth: int, group: int = 0) -> int:
        """Go through a message up to `end`, or to the end of a group, and return where it ends."""
        self.findings.enter(depth, trail)
        self.findings.count(1, trail, len(plan.fields))
        if at == end and not group:
            return at
        known = plan.by_number
        places: dict[int, int] = {}
        while at < end:
            number, wire, at = self.tag(at, end, trail)
            if wire == END_GROUP:
                return self._close(number, group, at, trail)
            field = known.get(number)
            if field is None:
                self._unknown(ViolationKind.FIELD_UNKNOWN, (trail, number), "no such field", wire, plan.full_name)
                at = self.skip(number, wire, at, end, (trail, number), depth)
                continue
            here: Trail = (trail, field.json_name)
            if field.is_repeated and not field.is_map:
                index = places.get(number, 0)
                if wire == LENGTH and field.wire in _PACKABLE:
                    at, places[number] = self._packed(field, at, end, here, index)
                    continue
                places[number] = index + 1
                here = (here, index)
            if wire != field.wire:
                expected = f"{TYPE_NAMES[field.type]}, which is {_WIRE_NAMES[field.wire]}"
                self._unknown(ViolationKind.TYPE_MISMATCH, here, expected, wire, field.full_name)
                at = self.skip(number, wire, at, end, here, depth)
            else:
                at = self._value(field, at, end, here, depth)
        if group:
            raise self.findings.stop(ViolationKind.TRUNCATED, trail, "the end of the group", "the end of the bytes")
        return at

    def _unknown(self, kind: ViolationKind, trail: Trail, expected: str, wire: int, schema_path: str) -> None:
        self.findings.add(kind, trail, expected, _WIRE_NAMES[wire], schema_path)

    def _value(self, field: FieldPlan, at: int, end: int, trail: Trail, depth: int) -> int:
        wire = field.wire
        if wire == LENGTH:
            size, at = self.length(at, end, trail)
            stop = at + size
            if field.is_map:
                self._entry(field, at, stop, trail, depth)
            elif field.message is not None:
                self.message(field.message, at, stop, trail, depth + 1)
            else:
                self.findings.count(1, trail)
                if field.type == Field.TYPE_STRING:
                    self._text(field, at, stop, trail)
            return stop
        if wire == START_GROUP and field.message is not None:
            return self.message(field.message, at, end, trail, depth + 1, field.descriptor.number)
        self.findings.count(1, trail)
        if wire != VARINT:
            return self.fixed(wire, at, end, trail)
        value, at = self.varint(at, end, trail)
        if field.symbols is not None:
            self._symbol(field, value, trail)
        return at

    def _entry(self, field: FieldPlan, at: int, end: int, trail: Trail, depth: int) -> None:
        """Go through an entry of a map. Its key comes first in the path, wherever it stands in the bytes."""
        halves = {1: field.key, 2: field.value}
        key = _key_text(field.key, self._data, at, end)
        here: Trail = (trail, key)
        self.findings.enter(depth + 1, here)
        while at < end:
            number, wire, at = self.tag(at, end, here)
            half = halves.get(number)
            if wire == END_GROUP:
                self._close(number, 0, at, here)
            elif half is None:
                unknown: Trail = (here, number)
                self._unknown(ViolationKind.FIELD_UNKNOWN, unknown, "a key and a value", wire, field.full_name)
                at = self.skip(number, wire, at, end, unknown, depth + 1)
            elif wire != half.wire:
                what = "key" if number == 1 else "value"
                expected = f"a {what} of type {TYPE_NAMES[half.type]}, which is {_WIRE_NAMES[half.wire]}"
                self._unknown(ViolationKind.TYPE_MISMATCH, here, expected, wire, field.full_name)
                at = self.skip(number, wire, at, end, here, depth + 1)
            else:
                at = self._value(half, at, end, here, depth + 1)

    def _packed(self, field: FieldPlan, at: int, end: int, trail: Trail, index: int) -> tuple[int, int]:
        """Go through packed values, and return where they end and the index of the one that would follow."""
        size, at = self.length(at, end, trail)
        stop = at + size
        chunk = self._data[at:stop]
        if field.wire != VARINT:
            width = _SIZES[field.wire]
            if size % width:
                expected = f"packed values of {width} bytes"
                raise self.findings.stop(ViolationKind.TRUNCATED, trail, expected, f"{size} bytes", field.full_name)
            self.findings.count(size // width, trail)
            return stop, index + size // width
        count = len(chunk.translate(None, _CONTINUING))
        self.findings.count(count, trail)
        if _TOO_LONG.search(chunk):
            raise self._overlong(trail, _MAX_VARINT_BYTES)
        if chunk and chunk[-1] >= 0x80:
            raise self.findings.stop(ViolationKind.TRUNCATED, trail, "packed varints", "one cut short", field.full_name)
        if field.symbols is not None:
            for offset in range(count):
                value, at = self.varint(at, stop, trail)
                self._symbol(field, value, (trail, index + offset))
        return stop, index + count

    def _symbol(self, field: FieldPlan, value: int, trail: Trail) -> None:
        number = _signed(value & 0xFFFFFFFF, 32)
        if field.symbols is not None and number not in field.symbols:
            expected = f"a value of {field.descriptor.enum_type.full_name}"
            self.findings.add(ViolationKind.SYMBOL_UNKNOWN, trail, expected, str(number), field.full_name)

    def _text(self, field: FieldPlan, at: int, end: int, trail: Trail) -> None:
        try:
            self._data[at:end].decode()
        except UnicodeDecodeError as error:
            found = f"0x{self._data[at + error.start]:02x} at byte {error.start}"
            self.findings.add(ViolationKind.INVALID_TEXT, trail, "text in UTF-8", found, field.full_name)

    def tag(self, at: int, end: int, trail: Trail) -> tuple[int, int, int]:
        key, after = self.varint(at, end, trail, _MAX_TAG_BYTES)
        number, wire = key >> 3, key & 7
        if key > _MAX_TAG or number == 0 or wire > WIRE32:
            found = f"number {number} with wire type {wire} at byte {at}"
            raise self.findings.stop(
                ViolationKind.MALFORMED,
                trail,
                "a field's number from 1 to 536870911 and a wire type from 0 to 5",
                found,
            )
        return number, wire, after

    def length(self, at: int, end: int, trail: Trail) -> tuple[int, int]:
        size, at = self.varint(at, end, trail, _MAX_TAG_BYTES)
        if size > _MAX_LENGTH or at + size > end:
            found = f"{end - at} that are left"
            raise self.findings.stop(ViolationKind.TRUNCATED, trail, f"{size} bytes", found)
        return size, at

    def fixed(self, wire: int, at: int, end: int, trail: Trail) -> int:
        size = _SIZES[wire]
        if at + size > end:
            raise self.findings.stop(ViolationKind.TRUNCATED, trail, f"{size} bytes", f"{end - at} that are left")
        return at + size

    def varint(self, at: int, end: int, trail: Trail, longest: int = _MAX_VARINT_BYTES) -> tuple[int, int]:
        data = self._data
        if at < end and (value := data[at]) < 0x80:  # most are that short
            return value, at + 1
        value = shift = 0
        for place in range(at, min(at + longest, end)):
            byte = data[place]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, place + 1
            shift += 7
        if at + longest <= end:
            raise self._overlong(trail, longest)
        raise self.findings.stop(ViolationKind.TRUNCATED, trail, "the rest of a varint", "the end of the bytes")

    def _overlong(self, trail: Trail, longest: int) -> Enough:
        return self.findings.stop(
            ViolationKind.MALFORMED, trail, f"a varint of at most {longest} bytes", "a longer one"
        )

    def _close(self, number: int, group: int, at: int, trail: Trail) -> int:
        if number != group:
            expected = f"the end of group {group}" if group else "no end of a group"
            raise self.findings.stop(ViolationKind.MALFORMED, trail, expected, f"the end of group {number}")
        return at

    def skip(self, number: int, wire: int, at: int, end: int, trail: Trail, depth: int) -> int:
        """Pass over a value that the type does not know; groups in it count as messages do."""
        open_groups: list[int] = []
        while True:
            if wire == END_GROUP:
                self._close(number, open_groups.pop() if open_groups else 0, at, trail)
            elif wire == START_GROUP:
                open_groups.append(number)
                self.findings.enter(depth + len(open_groups), trail)
            elif wire == LENGTH:
                size, at = self.length(at, end, trail)
                at += size
            elif wire == VARINT:
                _, at = self.varint(at, end, trail)
            else:
                at = self.fixed(wire, at, end, trail)
            if not open_groups:
                return at
            number, wire, at = self.tag(at, end, trail)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _key_text(key: FieldPlan, data: bytes, at: int, end: int) -> str:
    """Return the key of a map's entry as ProtoJSON writes it: its last one; of broken bytes what was read so far."""
    found: int | bytes = b"" if key.wire == LENGTH else 0
    walker = _Walker(data, 1)
    with suppress(Enough):
        while at < end:
            number, wire, start = walker.tag(at, end, None)
            at = walker.skip(number, wire, start, end, None, 0)
            if number == 1 and wire == key.wire:
                if wire == VARINT:
                    found, _ = walker.varint(start, end, None)
                else:
                    found = data[walker.length(start, end, None)[1] if wire == LENGTH else start : at]
    if isinstance(found, bytes):
        if key.wire == LENGTH:
            return found.decode(errors="replace")
        is_signed = key.type in {Field.TYPE_SFIXED32, Field.TYPE_SFIXED64}
        return str(int.from_bytes(found, "little", signed=is_signed))
    if key.type == Field.TYPE_BOOL:
        return "true" if found else "false"
    if key.type in ZIGZAG:
        return str(found >> 1 ^ -(found & 1))
    if key.type in {Field.TYPE_INT32, Field.TYPE_INT64}:
        bits = 32 if key.type == Field.TYPE_INT32 else 64
        return str(_signed(found & ((1 << bits) - 1), bits))
    return str(found)
